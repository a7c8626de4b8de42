/**
 * The article's third demonstration: what inverted dropout does to gradients, and to their spread.
 * @module
 */

import {
  applyMask,
  drawMask,
  exactExpectation,
  type ExactResult,
  invertedDropoutBackward,
  type Mask,
  mean,
  type MonteCarloResult,
  multiply,
  RandomState,
  standardDeviation,
  sum,
  survivorScale,
  type Tensor,
  tensor,
  variance,
  zeros,
} from "../mod.ts";
import { checkInteger, checkOptions } from "../check.ts";
import { checkDropProbability } from "../mask.ts";

/** How to follow a gradient; the defaults are the article's. */
export interface GradientFlowOptions {
  /** Seed of the legacy stream, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probability, in [0, 1). Default 0.5. */
  p?: number;
  /** Number of further masks, at least 2. Default 10,000. */
  trials?: number;
}

/** One gradient of shape [1, 5] on its way through dropout: once, on average, and exactly. */
export interface GradientFlow {
  /** Drop probability. */
  p: number;
  /** 1/(1 − p). */
  scale: number;
  /** The input, 1 to 5. */
  x: Tensor;
  /** The first mask drawn. */
  mask: Mask;
  /** The input through that mask. */
  output: Tensor;
  /** The gradient that arrives, 0.1 to 0.5. */
  gradOutput: Tensor;
  /** The gradient that leaves, through the same mask. */
  gradInput: Tensor;
  /** ‖gradOutput‖. */
  originalNorm: number;
  /** ‖gradInput‖. */
  actualNorm: number;
  /** The average of ‖gradInput‖ over the trials. */
  sampledNorm: MonteCarloResult<number>;
  /** The average of gradInput over the trials. */
  sampledGradInput: MonteCarloResult<Tensor>;
  /** E‖gradInput‖ and its variance, over all 32 masks. Larger than ‖gradOutput‖ for every p in (0, 1). */
  exactNorm: ExactResult<number>;
  /** E[gradInput], component by component, over all 32 masks: this is what inverted dropout preserves. */
  exactGradInput: ExactResult<Tensor>;
  /** √E‖gradInput‖², over all 32 masks. */
  rootMeanSquareNorm: number;
  /** What theory says it is: ‖gradOutput‖/√(1 − p). */
  predictedRootMeanSquareNorm: number;
}

/**
 * Sends one gradient back through dropout, once and then `trials` times with fresh masks, and puts the exact
 * expectations beside the averages. Every mask is drawn, as NumPy's `binomial(1, 1 - p)`.
 *
 * @throws {RangeError} if `p` is outside [0, 1), or there are fewer than 2 trials.
 */
export function demonstrateGradientFlow(options: GradientFlowOptions = {}): GradientFlow {
  checkOptions("demonstrateGradientFlow", options, ["seed", "p", "trials"]);
  const { seed = 42, p = 0.5, trials = 10_000 } = options;
  checkDropProbability(p, "[0, 1)");
  checkTrials(trials);
  const rng = new RandomState(seed);
  const x = tensor([[1, 2, 3, 4, 5]]);
  const gradOutput = tensor([[0.1, 0.2, 0.3, 0.4, 0.5]]);
  const { shape } = x;
  const scale = survivorScale(p);
  const backward = (mask: Mask) =>
    invertedDropoutBackward(gradOutput, { shape, mask: mask.reshape(shape), scale });

  const mask = drawMask(shape, p, { rng });
  const gradInput = backward(mask);
  return {
    p,
    scale,
    x,
    mask,
    output: applyMask(x, mask, scale),
    gradOutput,
    gradInput,
    originalNorm: norm(gradOutput),
    actualNorm: norm(gradInput),
    ...sample(() => backward(drawMask(shape, p, { rng })), trials, x.size),
    exactNorm: exactExpectation((mask) => norm(backward(mask)), x.size, p),
    exactGradInput: exactExpectation(backward, x.size, p),
    rootMeanSquareNorm: Math.sqrt(exactExpectation((mask) => norm(backward(mask)) ** 2, x.size, p).mean),
    predictedRootMeanSquareNorm: norm(gradOutput) / Math.sqrt(1 - p),
  };
}

/** Averages of gradients of shape [1, size] and of their norms, added up in NumPy's order. */
function sample(
  draw: () => Tensor,
  trials: number,
  size: number,
): Pick<GradientFlow, "sampledNorm" | "sampledGradInput"> {
  const gradients = zeros([trials, size]);
  for (let trial = 0; trial < trials; trial++) gradients.data.set(draw().data, trial * size);
  const norms = sum(square(gradients), { axis: 1 }).map(Math.sqrt);
  const spread = variance(gradients, { axis: 0, correction: 1 });
  return {
    sampledNorm: {
      mean: mean(norms),
      standardError: standardDeviation(norms, { correction: 1 }) / Math.sqrt(trials),
      n: trials,
    },
    sampledGradInput: {
      mean: mean(gradients, { axis: 0 }).reshape([1, size]),
      standardError: spread.map((value) => Math.sqrt(value / trials)).reshape([1, size]),
      n: trials,
    },
  };
}

/** Which rates to compare; the defaults are the article's. */
export interface GradientVarianceOptions {
  /** Seed of the legacy stream, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probabilities, each in [0, 1). Default 0, 0.2, 0.5, 0.8. */
  rates?: readonly number[];
  /** Number of masks per rate, at least 2. Default 100. */
  trials?: number;
}

/** How the mean over a gradient's elements spreads at one rate. */
export interface GradientSpread {
  /** Drop probability. */
  p: number;
  /** The mean over all elements of each trial's gradient. */
  means: Tensor;
  /** Their average; its expectation is the mean of `gradOutput`. */
  meanGrad: number;
  /** Their standard deviation, with divisor n as in NumPy. */
  stdGrad: number;
  /** What theory says the standard deviation of one of them is: √(p/(1 − p) · Σg²)/N. */
  predictedStdGrad: number;
}

/** One gradient, and its spread behind dropout at several rates. */
export interface GradientVariance {
  /** The gradient that arrives, of shape [32, 256]. */
  gradOutput: Tensor;
  /** One for each rate. */
  spreads: GradientSpread[];
}

/**
 * Sends one random gradient back through dropout, `trials` times at each rate. At rate 0 nothing is drawn.
 *
 * @throws {RangeError} if a rate is outside [0, 1), or there are fewer than 2 trials.
 */
export function analyzeGradientVariance(options: GradientVarianceOptions = {}): GradientVariance {
  checkOptions("analyzeGradientVariance", options, ["seed", "rates", "trials"]);
  const { seed = 42, rates = [0, 0.2, 0.5, 0.8], trials = 100 } = options;
  rates.forEach((p) => checkDropProbability(p, "[0, 1)"));
  checkTrials(trials);
  const shape = [32, 256];
  const rng = new RandomState(seed);
  rng.randn(32 * 256); // the article's x: no gradient depends on it, but the stream has moved on
  const gradOutput = rng.randn(32, 256);
  const gradInput = zeros(shape);
  const spreads = rates.map((p) => {
    const means = zeros([trials]).map(() => {
      const mask = p === 0 ? null : drawMask(shape, p, { rng });
      const pass = { shape, mask, scale: survivorScale(p) };
      return mean(invertedDropoutBackward(gradOutput, pass, { out: gradInput }));
    });
    const predictedStdGrad = Math.sqrt(p / (1 - p) * sum(square(gradOutput))) / gradOutput.size;
    return { p, means, meanGrad: mean(means), stdGrad: standardDeviation(means), predictedStdGrad };
  });
  return { gradOutput, spreads };
}

function square(x: Tensor): Tensor {
  return multiply(x, x);
}

/** The Euclidean norm over all elements. */
function norm(x: Tensor): number {
  return Math.sqrt(sum(square(x)));
}

function checkTrials(trials: number): void {
  checkInteger("trials, for a spread,", trials, 2);
}
