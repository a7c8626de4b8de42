/**
 * Does a high drop probability want a smaller learning rate, and does Adam help? One small network, trained again and
 * again; and the noise that dropout brings into its gradient.
 * @module
 */

import { checkInteger, checkOptions } from "../check.ts";
import {
  Adam,
  add,
  defaultRng,
  InvertedDropout,
  Linear,
  monteCarlo,
  type MonteCarloResult,
  mseLoss,
  multiply,
  ReLU,
  Sequential,
  SGD,
  subtract,
  sum,
  Tensor,
} from "../mod.ts";
import { type Data, sampleData } from "./two_layer_net.ts";

/** Which optimizer takes the steps, each without weight decay; SGD without momentum, Adam with PyTorch's defaults. */
export type OptimizerName = "SGD" | "Adam";

/** Which loss to compare: on the samples that were trained on, or on others. */
export type Measure = "trainLoss" | "heldOutLoss";

/** What distinguishes one training from another. */
export interface Setting {
  /** The optimizer. */
  optimizer: OptimizerName;
  /** Drop probability behind the hidden layer, in [0, 1). */
  p: number;
  /** Learning rate. */
  lr: number;
}

/** Where one training ended, in evaluation mode. */
export interface TrainingRun extends Setting {
  /** Decides data, initial weights and masks: all settings of a seed share them. */
  seed: number;
  /** Mean squared error on the 128 training samples, at most that of always answering 0. */
  trainLoss: number;
  /** The same on 256 other samples. */
  heldOutLoss: number;
  /** True if always answering 0 would have been better on the training samples: the steps were too large. */
  failed: boolean;
}

/** What stays the same in all runs of a study. */
export interface TrainingOptions {
  /** Steps of 8 samples each, a positive integer. Default 160, ten passes over the samples. */
  steps?: number;
}

/** Which settings to try; the defaults are a grid of 56 settings and 16 seeds. */
export interface StudyOptions extends TrainingOptions {
  /** Default both. */
  optimizers?: readonly OptimizerName[];
  /** Drop probabilities, each in [0, 1). Default 0, 0.2, 0.5, 0.8. */
  rates?: readonly number[];
  /** Learning rates of each optimizer. Default seven, each twice the one before. */
  learningRates?: Record<OptimizerName, readonly number[]>;
  /** Default 0 to 15. */
  seeds?: readonly number[];
}

/** The runs of one setting taken together. */
export interface Cell extends Setting {
  /** Geometric mean of the loss. */
  loss: number;
  /** The loss one standard error up, divided by `loss`. */
  errorFactor: number;
  /** How many of the runs failed. */
  failed: number;
  /** How many runs. */
  n: number;
}

const [FEATURES, UNITS, SAMPLES, BATCH, OTHERS] = [8, 32, 128, 8, 256];

/** Seven learning rates, each twice the one before: 0.01 to 0.64 for SGD, 0.002 to 0.128 for Adam. */
export const LEARNING_RATES: Record<OptimizerName, readonly number[]> = {
  SGD: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64],
  Adam: [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128],
};

/** Trains the network with every combination of optimizer, drop probability, learning rate and seed. */
export function learningRateStudy(options: StudyOptions = {}): TrainingRun[] {
  checkOptions("learningRateStudy", options, ["optimizers", "rates", "steps", "learningRates", "seeds"]);
  const { optimizers = ["SGD", "Adam"], rates = [0, 0.2, 0.5, 0.8], steps = 160 } = options;
  const { learningRates = LEARNING_RATES, seeds = Array.from({ length: 16 }, (_, seed) => seed) } = options;
  return optimizers.flatMap((optimizer) =>
    rates.flatMap((p) =>
      learningRates[optimizer].flatMap((lr) =>
        seeds.map((seed) => trainOnce({ optimizer, p, lr }, seed, { steps }))
      )
    )
  );
}

/**
 * Trains Linear(8, 32), ReLU, dropout, Linear(32, 1) on noisy samples of a smooth function, 8 at a time.
 *
 * @param seed A non-negative integer. It fixes samples, initial weights and masks, whatever the setting.
 * @throws {RangeError} if `p`, the learning rate, the seed or the number of steps is out of range.
 */
export function trainOnce(
  setting: Setting,
  seed: number,
  options: TrainingOptions = {},
): TrainingRun {
  checkOptions("trainOnce", options, ["steps"]);
  const { steps = 160 } = options;
  checkInteger("The number of steps", steps, 1);
  const { optimizer: name, p, lr } = setting;
  const model = makeModel(p, seed);
  const data = sampleData(SAMPLES, FEATURES, 2 * seed);
  const optimizer = name === "SGD"
    ? new SGD(model.parameters(), { lr })
    : new Adam(model.parameters(), { lr });
  const batches = split(data);
  for (let step = 0; step < steps; step++) {
    const loss = backward(model, batches[step % batches.length]);
    if (!Number.isFinite(loss)) break; // nothing can bring it back
    optimizer.step();
  }
  model.eval();
  const train = cappedLoss(model, data);
  const heldOut = cappedLoss(model, sampleData(OTHERS, FEATURES, 2 * seed + 1));
  return { ...setting, seed, trainLoss: train.loss, heldOutLoss: heldOut.loss, failed: train.capped };
}

function makeModel(p: number, seed: number): Sequential {
  const rng = defaultRng([seed, 0]);
  return new Sequential(
    new Linear(FEATURES, UNITS, { rng }),
    new ReLU(),
    new InvertedDropout(p, { rng: defaultRng([seed, 1]) }),
    new Linear(UNITS, 1, { rng }),
  );
}

/** The batches of one pass over the data, always in this order. */
function split({ x, y }: Data): Data[] {
  return Array.from({ length: x.shape[0] / BATCH }, (_, i) => ({
    x: new Tensor(x.data.slice(i * BATCH * FEATURES, (i + 1) * BATCH * FEATURES), [BATCH, FEATURES]),
    y: new Tensor(y.data.slice(i * BATCH, (i + 1) * BATCH), [BATCH, 1]),
  }));
}

/** A run that blew up counts as one that learned nothing: otherwise a single one would decide every mean. */
function cappedLoss(model: Sequential, { x, y }: Data): { loss: number; capped: boolean } {
  const [loss, atZero] = [mseLoss(model(x), y).loss, sum(multiply(y, y)) / y.size];
  return loss < atZero ? { loss, capped: false } : { loss: atZero, capped: true }; // NaN is capped, too
}

/** One cell for each setting, in the order of the runs. Losses are averaged as logarithms: their ratios count. */
export function summarizeCells(runs: readonly TrainingRun[], measure: Measure): Cell[] {
  const groups = Map.groupBy(runs, ({ optimizer, p, lr }) => `${optimizer} ${p} ${lr}`);
  return [...groups.values()].map((group) => {
    const { mean, standardError, n } = monteCarlo((i) => Math.log(group[i][measure]), group.length);
    const { optimizer, p, lr } = group[0];
    const failed = group.filter((run) => run.failed).length;
    return { optimizer, p, lr, loss: Math.exp(mean), errorFactor: Math.exp(standardError), failed, n };
  });
}

/** Each seed's own best learning rate, as log₂, in the order of the seeds. */
export function bestRates(
  runs: readonly TrainingRun[],
  optimizer: OptimizerName,
  p: number,
  measure: Measure,
): number[] {
  const candidates = select(runs, optimizer, p);
  return [...Map.groupBy(candidates, (run) => run.seed).values()].map((ofSeed) =>
    Math.log2(ofSeed.reduce((best, run) => run[measure] < best[measure] ? run : best).lr)
  );
}

/**
 * Compares SGD with Adam, each at its best learning rate. Even seeds choose the rates that odd seeds are compared at,
 * and odd seeds those for the even ones: no run is among those that chose its rate.
 *
 * @param runs Of both optimizers, with the same seeds, two or more of them even and two or more odd.
 * @returns The mean of ln(SGD's loss / Adam's loss), seed by seed, with its standard error.
 * @throws {RangeError} if one of them has no runs at this `p`, or their seeds differ.
 */
export function compareOptimizers(
  runs: readonly TrainingRun[],
  p: number,
  measure: Measure,
): MonteCarloResult<number> {
  const ratios = [0, 1].flatMap((parity) => {
    const chosen = (optimizer: OptimizerName) => {
      const own = select(runs, optimizer, p);
      const { lr } = bestCell(summarizeCells(own.filter((run) => run.seed % 2 !== parity), measure));
      const judged = own.filter((run) => run.seed % 2 === parity && run.lr === lr);
      return judged.sort((a, b) => a.seed - b.seed);
    };
    const [sgd, adam] = [chosen("SGD"), chosen("Adam")];
    if (String(sgd.map((run) => run.seed)) !== String(adam.map((run) => run.seed))) {
      throw new RangeError(`SGD and Adam need runs with the same seeds at p = ${p} to be compared in pairs`);
    }
    return sgd.map((run, i) => Math.log(run[measure] / adam[i][measure]));
  });
  return monteCarlo((i) => ratios[i], ratios.length);
}

/** The cell whose loss is lowest. */
export function bestCell(cells: readonly Cell[]): Cell {
  return cells.reduce((best, cell) => cell.loss < best.loss ? cell : best);
}

function select(runs: readonly TrainingRun[], optimizer: OptimizerName, p: number): TrainingRun[] {
  const selected = runs.filter((run) => run.optimizer === optimizer && run.p === p);
  if (selected.length === 0) throw new RangeError(`The study has no runs of ${optimizer} with p = ${p}`);
  return selected;
}

/** How to measure the gradient's noise. */
export interface GradientNoiseOptions {
  /** Drop probabilities, each in [0, 1). Default 0.05 to 0.9. */
  rates?: readonly number[];
  /** Masks for each rate, at least 2. Default 400. */
  masks?: number;
  /** Steps of SGD, at a learning rate of 0.1 and without dropout, before the gradient is looked at. Default 100. */
  steps?: number;
  /** Seed of samples, weights and masks. Default 0. */
  seed?: number;
}

/** How much a network's gradient varies from mask to mask. */
export interface GradientNoise {
  /** Drop probability. */
  p: number;
  /** The variances of all elements of the gradient, added up. */
  noise: number;
  /** Of the noise. */
  standardError: number;
}

/** Trains the network without dropout, and then looks at one batch's gradient behind many masks. */
export function measureGradientNoise(options: GradientNoiseOptions = {}): GradientNoise[] {
  checkOptions("measureGradientNoise", options, ["rates", "masks", "steps", "seed"]);
  const { rates = [0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9], masks = 400, steps = 100, seed = 0 } = options;
  const trained = makeModel(0, seed);
  const batches = split(sampleData(SAMPLES, FEATURES, 2 * seed));
  const optimizer = new SGD(trained.parameters(), { lr: 0.1 });
  for (let step = 0; step < steps; step++) {
    backward(trained, batches[step % batches.length]);
    optimizer.step();
  }
  return rates.map((p) => {
    const model = makeModel(p, seed);
    model.parameters().forEach(({ value }, i) => value.data.set(trained.parameters()[i].value.data));
    return { p, ...spread(() => flatGradient(model, batches[0]), masks) };
  });
}

/** One pass forward and back: it leaves the gradients in the parameters. */
function backward(model: Sequential, { x, y }: Data): number {
  const { loss, grad } = mseLoss(model(x), y);
  model.backward(grad);
  return loss;
}

function squaredNorm(x: Tensor): number {
  return sum(multiply(x, x));
}

/** The gradients of all parameters in one row. */
function flatGradient(model: Sequential, batch: Data): Tensor {
  backward(model, batch);
  const values = Float64Array.from(model.parameters().flatMap(({ grad }) => [...grad.data]));
  return new Tensor(values, [1, values.length]);
}

/** The mean square distance from the mean gradient, n − 1 in the denominator. */
function spread(draw: () => Tensor, n: number): { noise: number; standardError: number } {
  const gradients = Array.from({ length: n }, draw);
  const center = multiply(gradients.reduce((total, g) => add(total, g)), 1 / n);
  const { mean, standardError } = monteCarlo((i) => squaredNorm(subtract(gradients[i], center)), n);
  return { noise: mean * n / (n - 1), standardError };
}
