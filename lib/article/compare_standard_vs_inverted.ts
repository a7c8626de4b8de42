/**
 * The article's first demonstration: do training and inference agree, for standard and for inverted dropout?
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  add,
  applyMask,
  divide,
  drawMask,
  inferenceWeight,
  matmul,
  mean,
  multiply,
  RandomState,
  type RandomStream,
  subtract,
  sum,
  survivorScale,
  type Tensor,
  Workspace,
  zeros,
} from "../mod.ts";

/** How to run the demonstration; the defaults are the article's. */
export interface ComparisonOptions {
  /** Seed of the legacy stream, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probability, in [0, 1). Default 0.5. */
  p?: number;
  /** Number of masks per scheme. Default 10,000. */
  trials?: number;
}

/** How far the average of some training outputs lies from the inference output. */
export interface Progress {
  /** How many outputs were averaged. */
  trials: number;
  /** |mean over all elements of the average − mean over all elements of the inference output|. */
  grandMeanError: number;
  /** Root mean square, over the elements, of average − inference output. */
  elementError: number;
}

/** One scheme's outputs, each of shape [32, 64]. */
export interface SchemeResult {
  /** Average of the training outputs. */
  trainMean: Tensor;
  /** Output of the inference pass. */
  inference: Tensor;
  /** Both errors after 1, 2, 5, 10, 20, 50, … trials, and after all of them. */
  progress: Progress[];
  /** Exact standard deviation of an element of one training output, as root mean square over the elements. */
  elementSpread: number;
  /** Exact standard deviation of the mean over all elements of one training output. */
  grandMeanSpread: number;
}

/** What the demonstration found. */
export interface Comparison {
  /** Mask while training, (1 − p)·W at inference. */
  standard: SchemeResult;
  /** Mask and scale while training, W at inference. */
  inverted: SchemeResult;
  /** Drop probability. */
  p: number;
  /** Masks per scheme. */
  trials: number;
}

/**
 * Passes one batch of 32 samples with 100 features through a 100 × 64 layer, `trials` times with each scheme, and
 * compares the average with the inference pass. Every mask is drawn and every product computed.
 */
export function compareStandardVsInverted(options: ComparisonOptions = {}): Comparison {
  checkOptions("compareStandardVsInverted", options, ["seed", "p", "trials"]);
  const { seed = 42, p = 0.5, trials = 10_000 } = options;
  const rng = new RandomState(seed);
  const x = rng.randn(32, 100);
  const weight = multiply(rng.randn(100, 64), 0.1);
  const run = (scale: number, inference: Tensor, variance: number): SchemeResult => {
    const rowSums = sum(weight, { axis: 1 });
    return {
      ...averageTraining(x, weight, p, scale, trials, rng, inference),
      inference,
      elementSpread: Math.sqrt(mean(matmul(square(x), square(weight))) * variance),
      grandMeanSpread: Math.sqrt(sum(square(multiply(x, rowSums))) * variance) / inference.size,
    };
  };
  // What a mask adds to the square of one term: p(1 − p) without a scale, p/(1 − p) with it.
  const standard = run(1, matmul(x, inferenceWeight(weight, p)), p * (1 - p));
  const inverted = run(survivorScale(p), matmul(x, weight), p / (1 - p));
  return { standard, inverted, p, trials };
}

function averageTraining(
  x: Tensor,
  weight: Tensor,
  p: number,
  scale: number,
  trials: number,
  rng: RandomStream,
  inference: Tensor,
): { trainMean: Tensor; progress: Progress[] } {
  using workspace = new Workspace(2 ** 18); // 20,000 products: nothing is to be copied between them
  const [input, matrix] = [workspace.copy(x), workspace.copy(weight)];
  const [dropped, output] = [workspace.zeros(x.shape), workspace.zeros(inference.shape)];
  const mask = workspace.mask(x.shape);
  const total = zeros(inference.shape);
  const progress: Progress[] = [];
  for (let trial = 1; trial <= trials; trial++) {
    applyMask(input, drawMask(x.shape, p, { rng, out: mask }), scale, { out: dropped });
    matmul(dropped, matrix, { out: output });
    add(total, output, { out: total });
    if (trial === trials || isRound(trial)) progress.push(compare(divide(total, trial), inference, trial));
  }
  return { trainMean: divide(total, trials), progress };
}

function compare(average: Tensor, inference: Tensor, trials: number): Progress {
  const error = subtract(average, inference);
  return {
    trials,
    grandMeanError: Math.abs(mean(average) - mean(inference)),
    elementError: Math.sqrt(mean(square(error))),
  };
}

function square(x: Tensor): Tensor {
  return multiply(x, x);
}

/** 1, 2, 5, 10, 20, 50, … */
function isRound(n: number): boolean {
  const digits = n / 10 ** Math.floor(Math.log10(n));
  return digits === 1 || digits === 2 || digits === 5;
}
