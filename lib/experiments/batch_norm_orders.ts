/**
 * Dropout and batch normalization in small networks: what each normalization learned, what it meets in evaluation, and
 * what new running statistics do to the error.
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  Adam,
  BatchNorm,
  defaultRng,
  divide,
  InvertedDropout,
  type Layer,
  Linear,
  matmul,
  mean,
  mseLoss,
  multiply,
  reestimateStatistics,
  ReLU,
  Sequential,
  subtract,
  sum,
  take,
  type Tensor,
  transpose,
  variance,
} from "../mod.ts";
import { checkDropProbability } from "../mask.ts";
import { type Data, sampleData } from "./two_layer_net.ts";

/** What one `BatchNorm` learned about its input, and what its input is in evaluation. */
export interface BatchNormProbe {
  /** Its position in the model, from 0. */
  position: number;
  /** The variance of each feature that it meets in evaluation, unbiased. */
  met: Tensor;
  /** The variance of each feature that it divides by: a copy of its running variance. */
  runningVar: Tensor;
  /** met / runningVar for each feature: 1 if evaluation meets what was learned. */
  ratios: Tensor;
  /** Mean of the ratios. */
  ratio: number;
}

/** How a network of two hidden layers uses dropout and batch normalization. */
export type Layout =
  | "neither"
  | "BN only"
  | "dropout only"
  | "dropout → BN"
  | "BN → dropout"
  | "dropout after the last BN";

/** What a network looks like. */
export interface NetOptions {
  /** Drop probability, in [0, 1). Default 0.5. */
  p?: number;
  /** Units of each hidden layer. Default 32. */
  width?: number;
  /** False: normalization without γ and β. Default true. */
  affine?: boolean;
  /** Seed of weights, masks and data. Default 42. */
  seed?: number;
}

/** How to train a network. */
export interface TrainingOptions extends NetOptions {
  /** Steps of Adam, each with 32 of the 512 training samples. Default 200. */
  steps?: number;
}

/** A trained network, in training mode. */
export interface TrainedNet {
  /** The network. */
  model: Sequential;
  /** The 512 training samples. */
  train: Data;
  /** 2000 samples that training did not see. */
  heldOut: Data;
}

/** One trained network with the running statistics of training, and with new ones. */
export interface ReestimationRun {
  /** Where its layers stand. */
  layout: Layout;
  /** Drop probability. */
  p: number;
  /** Its seed. */
  seed: number;
  /** Mean squared error on held-out samples. */
  error: number;
  /** The same after `reestimateStatistics` with the training samples. */
  errorAfter: number;
  /** Slope of the line that predicts the targets from the predictions best: above 1 if predictions are too small. */
  slope: number;
  /** The same after re-estimation. */
  slopeAfter: number;
  /** Ratio of each `BatchNorm`, first to last. */
  ratios: number[];
  /** The same after re-estimation. */
  ratiosAfter: number[];
}

/** What one unit in front of a `BatchNorm` shows. */
export interface UnitShift {
  /** Variance met in evaluation over running variance. */
  measured: number;
  /** What `linearShiftTheory` says for the weights of this unit. */
  theory: number;
}

/** What the two normalizations of a network show. */
export interface StackShift {
  /** Ratio of the first `BatchNorm`, a mean over its units. */
  first: number;
  /** Ratio of the second one. */
  second: number;
  /** The units of the second one. */
  units: UnitShift[];
}

/** Inputs of the networks, as `sampleData` makes them. */
const FEATURES = 8;
const TRAINING_SAMPLES = 512;
const HELD_OUT_SAMPLES = 2000;
const BATCH = 32;
const LEARNING_RATE = 0.01;

/**
 * Passes `x` through a model in evaluation mode, and compares the variance in front of each `BatchNorm` with the
 * running variance that the layer divides by.
 *
 * @param model Keeps its mode; nothing in it is changed but what a forward pass remembers.
 * @param x Shape [N, features]; with N samples, each variance is known to about √(2/N).
 */
export function probeBatchNorms(model: Sequential, x: Tensor): BatchNormProbe[] {
  return probePass(model, x).probes;
}

/** The probes, and what the pass gives in the end. */
function probePass(model: Sequential, x: Tensor): { probes: BatchNormProbe[]; output: Tensor } {
  const layers = model.children();
  const modes = layers.map((layer) => layer.training);
  const probes: BatchNormProbe[] = [];
  let value = x;
  layers.forEach((layer, position) => {
    if (layer instanceof BatchNorm && layer.runningVar !== null) {
      const met = variance(value, { axis: 0, correction: 1 });
      const ratios = divide(met, layer.runningVar);
      probes.push({ position, met, runningVar: layer.runningVar.clone(), ratios, ratio: mean(ratios) });
    }
    value = layer.eval().forward(value);
  });
  layers.forEach((layer, i) => layer.train(modes[i]));
  return { probes, output: value };
}

/**
 * Gives each `BatchNorm` of a model the average statistics of training passes with the weights as they are now: a
 * running average over the last steps of a training would still hold those of older weights.
 *
 * @param model Left in training mode.
 * @param batches Inputs; every one counts the same.
 */
export function settleStatistics(model: Sequential, batches: Iterable<Tensor>): void {
  const norms = model.train().children().filter((layer) => layer instanceof BatchNorm);
  const momenta = norms.map((norm) => norm.momentum);
  for (const norm of norms) {
    norm.momentum = null;
    norm.resetRunningStats();
  }
  for (const batch of batches) model.forward(batch);
  norms.forEach((norm, i) => norm.momentum = momenta[i]);
}

/**
 * The ratio behind dropout and a linear layer, for each of its outputs: masks are independent, so that each input i adds
 * p/(1−p) · wᵢ² · E[hᵢ²] to the variance of Σ wᵢhᵢ.
 *
 * @param weight W of the linear layer, of shape [outputs, inputs].
 * @param h What enters dropout, of shape [N, inputs]: its moments are taken from these samples.
 * @param p Drop probability, in [0, 1).
 * @returns Variance without noise over variance with noise, of shape [outputs].
 */
export function linearShiftTheory(weight: Tensor, h: Tensor, p: number): Tensor {
  checkDropProbability(p, "[0, 1)");
  const signal = variance(matmul(h, transpose(weight)), { axis: 0, correction: 1 });
  const meanSquares = mean(multiply(h, h), { axis: 0 });
  const noise = sum(multiply(multiply(weight, weight), meanSquares), { axis: 1 });
  return signal.map((value, unit) => value / (value + p / (1 - p) * noise.data[unit]));
}

/**
 * Measures both normalizations of a network with the layout "BN → dropout", with statistics settled on 20 fresh batches
 * of 256 standard normal inputs and met by 4096 others, beside what theory says for the second one.
 *
 * @param model As `buildNet` or `trainNet` make it; its running statistics are replaced.
 * @param p Its drop probability.
 * @param seed Seed of the fresh inputs. Default 42.
 */
export function stackShift(model: Sequential, p: number, seed = 42): StackShift {
  const normals = (n: number, use: number) => defaultRng([seed, 4, use]).standardNormal([n, FEATURES]);
  settleStatistics(model, Array.from({ length: 20 }, (_, batch) => normals(256, batch + 1)));
  const x = normals(4096, 0);
  const [first, second] = probeBatchNorms(model, x);
  const layers = model.eval().children();
  const linear = layers[second.position - 1];
  if (!(linear instanceof Linear)) {
    throw new TypeError(
      `stackShift needs a Linear in front of the second BatchNorm, at position ${second.position - 1}, ` +
        `got ${linear.constructor.name}`,
    );
  }
  const h = layers.slice(0, second.position - 1).reduce((value, layer) => layer.forward(value), x);
  model.train();
  const theory = linearShiftTheory(linear.weight, h, p);
  const units = Array.from(second.ratios.data, (measured, i) => ({ measured, theory: theory.data[i] }));
  return { first: first.ratio, second: second.ratio, units };
}

/** A fresh network with 8 inputs, two hidden layers and one output, in the order that the layout names. */
export function buildNet(layout: Layout, options: NetOptions = {}): Sequential {
  checkOptions("buildNet", options, ["p", "width", "affine", "seed", "steps"]);
  const { p = 0.5, width = 32, affine = true, seed = 42 } = options;
  const rng = defaultRng([seed, 1]);
  const linear = (inputs: number, outputs: number) => new Linear(inputs, outputs, { rng });
  const norm = () => new BatchNorm(width, { affine });
  const block = (place: number): Layer[] => {
    const drop = () => new InvertedDropout(p, { rng: defaultRng([seed, 2, place]) });
    if (layout === "dropout → BN") return [drop(), norm(), new ReLU()];
    if (layout === "BN → dropout") return [norm(), new ReLU(), drop()];
    if (layout === "dropout only") return [new ReLU(), drop()];
    if (layout === "neither") return [new ReLU()];
    const last = layout === "dropout after the last BN" && place === 2;
    return last ? [norm(), new ReLU(), drop()] : [norm(), new ReLU()];
  };
  return new Sequential(
    linear(FEATURES, width),
    ...block(1),
    linear(width, width),
    ...block(2),
    linear(width, 1),
  );
}

/** Trains a network to predict noisy samples of a smooth function; the step length falls to 0 in the second half. */
export function trainNet(layout: Layout, options: TrainingOptions = {}): TrainedNet {
  const { steps = 200, seed = 42 } = options;
  const train = sampleData(TRAINING_SAMPLES, FEATURES, seed);
  const heldOut = sampleData(HELD_OUT_SAMPLES, FEATURES, seed + 1_000_000);
  const model = buildNet(layout, options);
  const optimizer = new Adam(model.parameters(), { lr: LEARNING_RATE });
  const rng = defaultRng([seed, 3]);
  for (let step = 0; step < steps; step++) {
    optimizer.lr = LEARNING_RATE * Math.min(1, 2 * (1 - step / steps));
    const rows = rng.integers(0, TRAINING_SAMPLES, BATCH);
    model.backward(mseLoss(model.forward(take(train.x, rows)), take(train.y, rows)).grad);
    optimizer.step();
  }
  return { model, train, heldOut };
}

/**
 * Mean squared error in evaluation mode, and the slope of the line that predicts the targets from the predictions best:
 * their covariance over the variance of the predictions. The model is left in training mode.
 */
export function evaluate(model: Sequential, { x, y }: Data): { error: number; slope: number } {
  const prediction = model.eval().forward(x);
  model.train();
  return compare(prediction, y);
}

function compare(prediction: Tensor, y: Tensor): { error: number; slope: number } {
  const centered = subtract(prediction, mean(prediction));
  const slope = mean(multiply(centered, y)) / mean(multiply(centered, centered));
  return { error: mseLoss(prediction, y).loss, slope };
}

/** Trains a network for each seed, and measures it with the running statistics of training and with new ones. */
export function reestimationRuns(
  layout: Layout,
  seeds: readonly number[],
  options: TrainingOptions = {},
): ReestimationRun[] {
  return seeds.map((seed) => {
    const { model, train, heldOut } = trainNet(layout, { ...options, seed });
    const measure = () => {
      const { probes, output } = probePass(model, heldOut.x);
      return { ...compare(output, heldOut.y), ratios: probes.map(({ ratio }) => ratio) };
    };
    const before = measure();
    const normalizes = before.ratios.length > 0;
    if (normalizes) reestimateStatistics(model, [train.x]);
    const after = normalizes ? measure() : before;
    return {
      layout,
      p: options.p ?? 0.5,
      seed,
      ...before,
      errorAfter: after.error,
      slopeAfter: after.slope,
      ratiosAfter: after.ratios,
    };
  });
}
