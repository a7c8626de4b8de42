/**
 * The variance shift: after dropout, the variance that batch normalization receives at evaluation is not the one that it
 * learned. The law, samples of it, and what the normalizations of a network have learned and receive.
 *
 * Source: Li et al. 2018, "Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift",
 * arXiv 1801.05134 (there, p is the probability of keeping).
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  BatchNorm,
  defaultRng,
  divide,
  type Generator,
  invertedDropout,
  matmul,
  mean,
  multiply,
  type Sequential,
  sum,
  Tensor,
  tensor,
  transpose,
  variance,
} from "../mod.ts";
import { checkDropProbability } from "../mask.ts";

/** Activations to measure with: N(0, 1), its positive part, N(1, 1), and uniform on [0, 1). */
export type Distribution = "normal" | "relu" | "shifted normal" | "uniform";

/** The distributions, and E[x]²/Var[x] of each, exactly. For the positive part of N(0, 1): (1/2π) / (1/2 − 1/2π). */
export const distributions: Readonly<Record<Distribution, number>> = {
  normal: 0,
  relu: 1 / (Math.PI - 1),
  "shifted normal": 1,
  uniform: 3,
};

/** What one `BatchNorm` learned about its input, and what its input is at evaluation. */
export interface BatchNormProbe {
  /** Its position in the model, from 0. */
  position: number;
  /** The variance of each feature that it receives at evaluation, unbiased. */
  received: Tensor;
  /** The variance of each feature that it divides by: a copy of its running variance. */
  runningVar: Tensor;
  /** received / runningVar for each feature: 1 if evaluation has the variance that was learned. */
  ratios: Tensor;
  /** Mean of the ratios. */
  ratio: number;
}

/** What to measure. */
export interface VarianceShiftMeasurement {
  /** Drop probability, in [0, 1). */
  p: number;
  /** What the activations look like. Default "relu". */
  distribution?: Distribution;
  /** How many activations, at least 200. Default 200,000. */
  samples?: number;
  /** Seed of NumPy's `default_rng`. Default 42. */
  seed?: number;
}

/** A measured ratio. */
export interface MeasuredRatio {
  /** Variance in evaluation over variance in training. */
  ratio: number;
  /** Its standard error. */
  standardError: number;
  /** What theory says. */
  theory: number;
}

/** Independent batches behind each standard error, which is then known to 1/√(2·99) = 7 %. */
const BATCHES = 100;

/**
 * The variance that batch normalization receives at evaluation over the one that it received in training, directly after
 * inverted dropout: Var[x] / (Var[x] + p/(1−p)·E[x²]), which is (1−p) / (1 + p·E[x]²/Var[x]).
 *
 * @param p Drop probability, in [0, 1).
 * @param meanSquaredOverVariance E[x]²/Var[x], at least 0; with 0, the ratio is 1 − p.
 * @throws {RangeError} if an argument is out of range.
 */
export function varianceShiftTheory(p: number, meanSquaredOverVariance: number): number {
  checkDropProbability(p, "[0, 1)");
  if (!(meanSquaredOverVariance >= 0)) {
    throw new RangeError(`E[x]²/Var[x] must be at least 0, got ${meanSquaredOverVariance}`);
  }
  return (1 - p) / (1 + p * meanSquaredOverVariance);
}

/**
 * The ratio after dropout and a linear layer, for each of its outputs: masks are independent, so that each input i adds
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
 * Measures the ratio: draws activations, drops them out, and compares the unbiased variances.
 *
 * The ratio is that of the average variances over 100 batches. Its standard error comes from how the batches scatter
 * around it: a ratio R of means of v and t has the standard error of the mean of (v − R·t)/E[t].
 *
 * @throws {RangeError} if `p`, the distribution or the number of samples is out of range.
 */
export function measureVarianceShift(
  options: VarianceShiftMeasurement,
): MeasuredRatio {
  checkOptions("measureVarianceShift", options, ["p", "distribution", "samples", "seed"]);
  const { p, distribution = "relu", samples = 200_000, seed = 42 } = options;
  const theory = varianceShiftTheory(p, momentsOf(distribution));
  if (!(Number.isInteger(samples) && samples >= 2 * BATCHES)) {
    throw new RangeError(`samples must be an integer of at least ${2 * BATCHES}, got ${samples}`);
  }
  const rng = defaultRng(seed);
  const [evaluation, training]: [number[], number[]] = [[], []];
  for (let batch = 0; batch < BATCHES; batch++) {
    const x = new Tensor(draw(distribution, Math.floor(samples / BATCHES), rng));
    evaluation.push(variance(x, { correction: 1 }));
    training.push(variance(invertedDropout(x, p, { rng }).output, { correction: 1 }));
  }
  const meanTraining = mean(tensor(training));
  const ratio = mean(tensor(evaluation)) / meanTraining;
  const scatter = tensor(evaluation.map((v, k) => (v - ratio * training[k]) / meanTraining));
  return { ratio, standardError: Math.sqrt(variance(scatter, { correction: 1 }) / BATCHES), theory };
}

function momentsOf(distribution: Distribution): number {
  const known = Object.keys(distributions);
  if (!known.includes(distribution)) {
    throw new RangeError(`The distribution must be one of ${known.join(", ")}, got "${distribution}"`);
  }
  return distributions[distribution];
}

function draw(distribution: Distribution, size: number, rng: Generator): Float64Array {
  if (distribution === "uniform") return rng.random(size);
  const normal = rng.standardNormal(size);
  if (distribution === "relu") return normal.map((value) => Math.max(0, value));
  return distribution === "normal" ? normal : normal.map((value) => value + 1);
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
 * Passes `x` through a model in evaluation mode, and compares the variance before each `BatchNorm` with the running
 * variance that the layer divides by.
 *
 * @param model Keeps its mode; nothing in it is changed but what a forward pass remembers.
 * @param x Shape [N, features]; with N samples, each variance is known to about √(2/N).
 */
export function probeBatchNorms(model: Sequential, x: Tensor): BatchNormProbe[] {
  const layers = model.children();
  const modes = layers.map((layer) => layer.training);
  const probes: BatchNormProbe[] = [];
  let value = x;
  layers.forEach((layer, position) => {
    if (layer instanceof BatchNorm && layer.runningVar !== null) {
      const received = variance(value, { axis: 0, correction: 1 });
      const ratios = divide(received, layer.runningVar);
      probes.push({ position, received, runningVar: layer.runningVar.clone(), ratios, ratio: mean(ratios) });
    }
    value = layer.eval().forward(value);
  });
  layers.forEach((layer, i) => layer.train(modes[i]));
  return probes;
}
