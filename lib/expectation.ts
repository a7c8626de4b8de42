/**
 * Expectations over dropout masks: exactly, over all of them, or sampled, with a standard error.
 * @module
 */

import { checkFunction, checkInteger, describe, sameShape } from "./check.ts";
import { checkDropProbability, Mask } from "./mask.ts";
import { Tensor } from "./tensor/mod.ts";

/** A mask and the chance that it is drawn. */
export interface WeightedMask {
  /** Of shape [n]. */
  mask: Mask;
  /** (1 − p)^kept · p^dropped. */
  probability: number;
}

/** Mean and variance over all masks. */
export interface ExactResult<T extends number | Tensor> {
  /** Σ probability · f(mask). */
  mean: T;
  /** Σ probability · (f(mask) − mean)². */
  variance: T;
  /** How many masks there are: 2ⁿ. */
  masks: number;
}

/** Mean of a sample, and how far it may lie from the truth. */
export interface MonteCarloResult<T extends number | Tensor> {
  /** The average. */
  mean: T;
  /** Standard deviation of that average: √(sample variance / n). */
  standardError: T;
  /** How many samples. */
  n: number;
}

/** More masks than 2²⁰ take too long to enumerate. */
const LARGEST_N = 20;

/**
 * All 2ⁿ masks of `n` elements, each with its probability. The probabilities add up to 1.
 *
 * @param n Number of elements, an integer in [0, 20].
 * @param p Drop probability, in [0, 1].
 * @throws {RangeError} if `n` or `p` is out of range.
 */
export function* enumerateMasks(n: number, p: number): Generator<WeightedMask, void, undefined> {
  checkInteger("enumerateMasks: n", n, 0, LARGEST_N);
  checkDropProbability(p);
  const probabilityOf = Array.from({ length: n + 1 }, (_, kept) => (1 - p) ** kept * p ** (n - kept));
  for (let word = 0; word < 2 ** n; word++) {
    const bytes = new Uint8Array(Math.ceil(n / 8)).map((_, byte) => word >> (8 * byte));
    const mask = new Mask(bytes, [n]);
    yield { mask, probability: probabilityOf[mask.kept] };
  }
}

/**
 * The exact expectation and variance of `f(mask)` over all masks of `n` elements.
 *
 * @example
 * ```ts
 * import { applyMask, exactExpectation, sum, survivorScale, tensor } from "./mod.ts";
 *
 * const x = tensor([1, 2, 3]);
 * const { mean, masks } = exactExpectation((mask) => sum(applyMask(x, mask, survivorScale(0.5))), 3, 0.5);
 * console.log(mean, masks); // 6, 8
 * ```
 *
 * @param f Called twice for each mask; must give the same each time, and always the same shape.
 * @param n Number of elements, an integer in [0, 20].
 * @param p Drop probability, in [0, 1].
 * @returns Sums with compensation, so that they are exact up to the last digit or two.
 * @throws {RangeError} if `n` or `p` is out of range.
 */
export function exactExpectation(f: (mask: Mask) => number, n: number, p: number): ExactResult<number>;
/** For each element of a tensor. */
export function exactExpectation(f: (mask: Mask) => Tensor, n: number, p: number): ExactResult<Tensor>;
export function exactExpectation(
  f: (mask: Mask) => number | Tensor,
  n: number,
  p: number,
): ExactResult<number | Tensor> {
  checkFunction("exactExpectation", f);
  const mean = weightedSum(n, p, (mask) => f(mask));
  const variance = weightedSum(n, p, (mask) => squaredDistance(f(mask), mean));
  return { mean, variance, masks: 2 ** n };
}

/**
 * The mean of `trials` samples, with its standard error.
 *
 * @example
 * ```ts
 * import { defaultRng, monteCarlo } from "./mod.ts";
 *
 * const rng = defaultRng(42);
 * const { mean, standardError } = monteCarlo(() => rng.random(), 10_000);
 * console.log(mean, standardError); // close to 0.5, about 0.0029
 * ```
 *
 * @param sample Called with 0, 1, …; must always give the same shape.
 * @param trials An integer of at least 2.
 * @throws {RangeError} if there are fewer than 2 trials.
 */
export function monteCarlo(sample: (trial: number) => number, trials: number): MonteCarloResult<number>;
/** For each element of a tensor. */
export function monteCarlo(sample: (trial: number) => Tensor, trials: number): MonteCarloResult<Tensor>;
export function monteCarlo(
  sample: (trial: number) => number | Tensor,
  trials: number,
): MonteCarloResult<number | Tensor> {
  checkFunction("monteCarlo", sample);
  checkInteger("monteCarlo: trials, for a standard error,", trials, 2);
  const first = sample(0);
  const mean = Float64Array.from(elements(first));
  const squares = new Float64Array(mean.length);
  for (let trial = 1; trial < trials; trial++) { // Welford's update: no cancellation
    const values = elements(sameKind(sample(trial), first));
    for (let i = 0; i < mean.length; i++) {
      const distance = values[i] - mean[i];
      mean[i] += distance / (trial + 1);
      squares[i] += distance * (values[i] - mean[i]);
    }
  }
  const standardError = squares.map((square) => Math.sqrt(square / (trials - 1) / trials));
  return { mean: likeFirst(mean, first), standardError: likeFirst(standardError, first), n: trials };
}

/** Σ probability · f(mask), element by element, with Neumaier's compensation. */
function weightedSum(n: number, p: number, f: (mask: Mask) => number | Tensor): number | Tensor {
  let first: number | Tensor | undefined;
  let total = new Float64Array();
  let lost = new Float64Array();
  for (const { mask, probability } of enumerateMasks(n, p)) {
    const result = f(mask);
    if (first === undefined) {
      first = result;
      total = new Float64Array(elements(result).length);
      lost = new Float64Array(total.length);
    }
    const values = elements(sameKind(result, first));
    for (let i = 0; i < total.length; i++) {
      const term = probability === 0 ? 0 : probability * values[i]; // what never happens may be infinite
      const next = total[i] + term;
      lost[i] += Math.abs(total[i]) >= Math.abs(term) ? (total[i] - next) + term : (term - next) + total[i];
      total[i] = next;
    }
  }
  // Beside an infinite sum nothing is lost, and the compensation is NaN.
  return likeFirst(total.map((sum, i) => Number.isFinite(sum) ? sum + lost[i] : sum), first!);
}

function squaredDistance(value: number | Tensor, mean: number | Tensor): number | Tensor {
  const center = elements(mean);
  return likeFirst(Float64Array.from(elements(value), (element, i) => (element - center[i]) ** 2), value);
}

function elements(value: number | Tensor): ArrayLike<number> {
  if (typeof value === "number") return [value];
  if (value instanceof Tensor) return value.data;
  throw new TypeError(`An expectation needs numbers or tensors, got ${describe(value)}`);
}

/** A number if the samples are numbers, else a float64 tensor of their shape. */
function likeFirst(values: Float64Array, first: number | Tensor): number | Tensor {
  return typeof first === "number" ? values[0] : new Tensor(values, first.shape);
}

function sameKind(value: number | Tensor, first: number | Tensor): number | Tensor {
  const same = typeof value === "number" || typeof first === "number"
    ? typeof value === typeof first
    : sameShape(value.shape, first.shape);
  if (!same) throw new TypeError("All samples must have the same shape");
  return value;
}
