/**
 * How noisy is the gradient of a network that is trained with dropout, and how much of that noise do the masks make?
 *
 * The networks and problems are those of `optimizers.ts`, trained with SGD at one learning rate, which is below the limit of
 * stability at every drop probability.
 * @module
 */

import { checkInteger } from "../check.ts";
import type { Data } from "../experiments/two_layer_net.ts";
import { type Layer, monteCarlo, multiply, sum, take, Tensor } from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import {
  type Estimate,
  estimate,
  estimateDifference,
  estimateRatio,
  groupRows,
  seedsTo,
  selectRows,
} from "./rows.ts";
import { makeModel, problemOf, SCALES, trainOn } from "./optimizers.ts";
import type { Problem, ProblemName } from "./problem.ts";

/** Which network's gradient is looked at. */
export type NoiseSettings = {
  /** The problem. */
  problem: ProblemName;
  /** Trained with this drop probability, or without dropout, which is only then put in. */
  trained: "with dropout" | "without dropout";
  /** Drop probability while the gradient is looked at. */
  p: number;
  /** Steps of training. */
  steps: number;
  /** Decides samples, initial weights, order and masks. */
  seed: number;
};

/** How the gradient of one step varies; all are sums over all weights and biases. */
export type NoiseResult = {
  /** Variance from mask to mask, for one batch: the mean over batches. */
  maskNoise: number;
  /** Variance from batch to batch of the mean over masks, with the number of batches less one in the denominator. */
  batchNoise: number;
  /** ‖Eg‖², the squared norm of the mean over batches and masks; an unbiased estimate, which can be negative. */
  signal: number;
};

/** One run. */
export type NoiseRow = NoiseSettings & NoiseResult;

/** Drop probabilities. */
const RATES = [0.1, 0.3, 0.5, 0.8];
const LEARNING_RATE = { digits: 0.2, small: 0.05 };
/** Masks for each batch. */
const MASKS = { digits: 5, small: 25 };

/** Gradient noise by drop probability, in networks that were trained at it and in those that were trained without. */
export const gradientNoise: Experiment<NoiseSettings, NoiseResult> = {
  name: "gradient_noise",
  version: 1,
  grid: (seeds) =>
    (["digits", "small"] as const).flatMap((problem) =>
      (["with dropout", "without dropout"] as const).flatMap((trained) =>
        RATES.flatMap((p) =>
          SCALES[problem].steps.flatMap((steps) =>
            seedsTo(seeds).map((seed) => ({ problem, trained, p, steps, seed }))
          )
        )
      )
    ),
  run: async (settings) => {
    const { problem: name, trained, p, seed } = settings;
    const problem = await problemOf(settings);
    const at = trained === "with dropout" ? p : 0;
    const weights = trainOn(problem, { ...settings, optimizer: "SGD", p: at }, LEARNING_RATE[name])
      .stateDict();
    const model = makeModel(problem, SCALES[name].hidden, p, seed);
    model.loadStateDict(weights);
    return measureNoise(model, split(problem.train, SCALES[name].batch), problem.lossOf, MASKS[name]);
  },
};

/**
 * The noise of the gradient of a model in training mode, if each step takes one of these batches.
 *
 * @param masks Passes for each batch, at least 2.
 */
export function measureNoise(
  model: Layer,
  batches: readonly Data[],
  lossOf: Problem["lossOf"],
  masks: number,
): NoiseResult {
  checkInteger("measureNoise: the number of batches", batches.length, 1);
  // A mean's squared standard error is the variance over n.
  const perBatch = batches.map((batch) => monteCarlo(() => gradient(model, batch, lossOf), masks));
  const maskNoise =
    perBatch.reduce((total, { standardError }) => total + masks * squaredNorm(standardError), 0) /
    batches.length;
  if (batches.length === 1) {
    const signal = squaredNorm(perBatch[0].mean) - maskNoise / masks;
    return { maskNoise, batchNoise: 0, signal };
  }
  const all = monteCarlo((i) => perBatch[i].mean, batches.length);
  const batchNoise = batches.length * squaredNorm(all.standardError) - maskNoise / masks;
  return { maskNoise, batchNoise, signal: squaredNorm(all.mean) - maskNoise / (masks * batches.length) };
}

/** The gradient of all parameters in a row. */
function gradient(model: Layer, { x, y }: Data, lossOf: Problem["lossOf"]): Tensor {
  model.backwardParameters(lossOf(model.forward(x), y).grad);
  const gradients = model.parameters().map(({ grad }) => grad.data);
  const row = new Float64Array(gradients.reduce((n, { length }) => n + length, 0));
  let start = 0;
  for (const data of gradients) {
    row.set(data, start);
    start += data.length;
  }
  return new Tensor(row);
}

function squaredNorm(x: Tensor): number {
  return sum(multiply(x, x));
}

/** All samples in batches, in their order; what does not fill one is left out. */
function split({ x, y }: Data, size: number): Data[] {
  return Array.from({ length: Math.floor(x.shape[0] / size) }, (_, i) => {
    const rows = Array.from({ length: size }, (_, k) => i * size + k);
    return { x: take(x, rows), y: take(y, rows) };
  });
}

/** How noisy the gradient is at one drop probability. */
export type NoiseCell = Omit<NoiseSettings, "seed"> & {
  /** Noise of the masks relative to p = 0.1, over what p/(1 − p) would make of it: the mean of log₂, paired by seed. */
  growth: Estimate | null;
  /** E‖g − Eg‖² / ‖Eg‖² of one step: the ratio of their means over seeds, since a single ‖Eg‖² can be close to zero. */
  noiseToSignal: Estimate;
  /** How much of the noise the masks make. */
  maskShare: Estimate;
};

/** The table of `gradient_noise`. */
export function summarizeNoise(rows: readonly NoiseRow[]): NoiseCell[] {
  const relative = (row: NoiseRow) => Math.log2(row.maskNoise * (1 - row.p) / row.p);
  return groupRows(rows, "problem", "trained", "steps", "p").map((group) => {
    const { problem, trained, steps, p } = group[0];
    const first = selectRows(rows, { problem, trained, steps, p: RATES[0] });
    const noise = (row: NoiseRow) => row.maskNoise + row.batchNoise;
    return {
      problem,
      trained,
      steps,
      p,
      growth: p === RATES[0] ? null : estimateDifference(group, first, relative),
      noiseToSignal: estimateRatio(group, noise, (row) => row.signal),
      maskShare: estimate(group, (row) => row.maskNoise / noise(row)),
    };
  });
}
