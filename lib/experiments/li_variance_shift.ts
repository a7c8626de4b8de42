/**
 * The variance shift in general: what dropout in front of batch normalization does to the variance that it meets.
 *
 * Source: Li et al. 2018, "Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift"
 * (there, p is the probability of keeping).
 * @module
 */

import { checkOptions } from "../check.ts";
import { defaultRng, type Generator, invertedDropout, mean, Tensor, tensor, variance } from "../mod.ts";
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
 * The variance that batch normalization meets in evaluation over the one that it met in training, behind inverted
 * dropout: Var[x] / (Var[x] + p/(1−p)·E[x²]), which is (1−p) / (1 + p·E[x]²/Var[x]).
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
