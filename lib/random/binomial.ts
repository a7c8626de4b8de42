/**
 * One Bernoulli trial, with the thresholds and the roundings of NumPy's `binomial(1, q)`.
 *
 * Source: NumPy, `numpy/random/src/distributions/distributions.c`, `random_binomial_inversion`.
 * @module
 */

import { checkProbability } from "../check.ts";

/** How a uniform number u decides: `atFirst` if u ≤ first, the opposite if u − first ≤ second. */
export interface Trial {
  /** Probability of the outcome that comes first. */
  readonly first: number;
  /** Probability of the other outcome, as far as rounding lets them add up to 1. */
  readonly second: number;
  /** The outcome that comes first: 0 for q ≤ ½, else 1. */
  readonly atFirst: 0 | 1;
}

/**
 * The thresholds for probability `q`.
 *
 * NumPy inverts the distribution of the rarer outcome, so that the ones lie at the upper end of [0, 1) for q ≤ ½ and
 * at the lower end for q > ½. Its threshold is exp(log(1 − rare)), which can miss 1 − rare by one rounding.
 * (From 2.4 on, NumPy's Generator takes exp(log1p(−rare)) instead: one draw in 10¹⁶ may differ.)
 *
 * @throws {RangeError} if `q` is NaN or outside [0, 1].
 * @throws {TypeError} if `q` is not a number.
 */
export function binomialTrial(q: number): Trial {
  checkProbability("The probability of a one", q);
  const rare = q <= 0.5 ? q : 1 - q;
  const common = 1 - rare;
  const first = Math.exp(Math.log(common));
  return { first, second: (rare * first) / common, atFirst: q <= 0.5 ? 0 : 1 };
}
