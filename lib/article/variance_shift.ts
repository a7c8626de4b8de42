/**
 * The article's fourth demonstration: dropout in front of batch normalization, or behind it?
 *
 * The article measures the variance at the end of each order. This also measures what batch normalization itself
 * meets and gives, which is where the two orders differ.
 * @module
 */

import { checkInteger, checkOptions } from "../check.ts";
import {
  add,
  BatchNorm,
  divide,
  invertedDropout,
  mean,
  RandomState,
  type Tensor,
  tensor,
  variance,
  Workspace,
  zeros,
} from "../mod.ts";

/** How to run the demonstration; the defaults are the article's. */
export interface VarianceShiftOptions {
  /** Seed of the legacy stream, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probability, in [0, 1). Default 0.5. */
  p?: number;
  /** Training passes before anything is measured, so that the running statistics settle. Default 1000. */
  warmUp?: number;
  /** Pairs of a training and an evaluation pass that are measured. Default 100. */
  measured?: number;
  /** Samples in the batch. Default 128. */
  batchSize?: number;
  /** Features of a sample. Default 64. */
  features?: number;
}

/** One quantity in both modes. */
export interface Shift {
  /** Its average over the training passes. */
  train: number;
  /** Its average over the evaluation passes. */
  evaluation: number;
  /** evaluation / train. */
  ratio: number;
  /** |1 − ratio|. */
  shift: number;
  /** The training passes one by one. */
  trainPasses: number[];
  /** The evaluation passes one by one. */
  evaluationPasses: number[];
}

/** What one order of the two layers gives. */
export interface SetupResult {
  /** Variance over all elements behind both layers: what the article measures. */
  output: Shift;
  /** Variance over all elements directly behind batch normalization. */
  batchNormOutput: Shift;
  /** Variance of each feature of what batch normalization meets while training, averaged over the measured passes. */
  trainInputVariance: Tensor;
  /** Variance of each feature of what batch normalization meets in evaluation. */
  evaluationInputVariance: Tensor;
  /** The running variance of each feature at the end: what evaluation divides by. */
  runningVar: Tensor;
  /** Its mean over the features. */
  runningVarMean: number;
  /** Mean over the features of evaluationInputVariance / runningVar; 1 if evaluation meets what was learned. */
  inputRatio: number;
}

/** What the demonstration found. */
export interface VarianceShift {
  /** Dropout → BatchNorm. */
  dropoutFirst: SetupResult;
  /** BatchNorm → Dropout. */
  batchNormFirst: SetupResult;
  /** The seed. */
  seed: number;
  /** Drop probability. */
  p: number;
}

/** One pass through both layers: what entered batch normalization, what left it, and what left the second layer. */
interface Pass {
  input: Tensor;
  normalized: Tensor;
  output: Tensor;
}

/**
 * Passes one batch of standard normal numbers through both orders of inverted dropout and batch normalization (biased
 * running variance, momentum 0.1), `warmUp` times to settle the running statistics and then `measured` times in each
 * mode. Every mask is drawn and every pass computed, in the article's order and from the article's stream.
 *
 * @throws {RangeError} if the seed, `p` or a count is out of range.
 */
export function analyzeVarianceShift(options: VarianceShiftOptions = {}): VarianceShift {
  checkOptions("analyzeVarianceShift", options, ["seed", "p", "warmUp", "measured", "batchSize", "features"]);
  const { seed = 42, p = 0.5, warmUp = 1000, measured = 100, batchSize = 128, features = 64 } = options;
  checkInteger("warmUp", warmUp);
  checkInteger("measured", measured, 1);
  const rng = new RandomState(seed);
  const shape = [batchSize, features];
  using workspace = new Workspace(5 * 8 * batchSize * features + 1024); // thousands of passes share their memory
  const x = workspace.copy(rng.randn(batchSize, features));
  const [dropped, rescaled] = [workspace.zeros(shape), workspace.zeros(shape)];
  const maskOut = workspace.mask(shape);
  const drop = (value: Tensor, training: boolean) =>
    invertedDropout(value, p, { rng, training, maskOut, out: dropped }).output;
  const dropoutFirst = (norm: BatchNorm): Pass => {
    const input = drop(x, norm.training);
    const normalized = norm.forward(input, { out: rescaled });
    return { input, normalized, output: normalized };
  };
  const batchNormFirst = (norm: BatchNorm): Pass => {
    const normalized = norm.forward(x, { out: rescaled });
    return { input: x, normalized, output: drop(normalized, norm.training) };
  };
  const run = (pass: (norm: BatchNorm) => Pass) =>
    measure(pass, new BatchNorm(features, { unbiased: false }), warmUp, measured);
  return { dropoutFirst: run(dropoutFirst), batchNormFirst: run(batchNormFirst), seed, p };
}

function measure(
  pass: (norm: BatchNorm) => Pass,
  norm: BatchNorm,
  warmUp: number,
  measured: number,
): SetupResult {
  for (let i = 0; i < warmUp; i++) pass(norm);
  const inputVariance = { train: zeros([norm.numFeatures]), evaluation: zeros([norm.numFeatures]) };
  const output: Variances = { train: [], evaluation: [] };
  const normalized: Variances = { train: [], evaluation: [] };
  for (let i = 0; i < measured; i++) {
    for (const mode of ["train", "evaluation"] as const) {
      const result = pass(norm.train(mode === "train"));
      output[mode].push(variance(result.output));
      normalized[mode].push(variance(result.normalized));
      add(inputVariance[mode], variance(result.input, { axis: 0 }), { out: inputVariance[mode] });
    }
  }
  const runningVar = norm.runningVar!;
  const evaluationInputVariance = divide(inputVariance.evaluation, measured);
  return {
    output: compare(output),
    batchNormOutput: compare(normalized),
    trainInputVariance: divide(inputVariance.train, measured),
    evaluationInputVariance,
    runningVar,
    runningVarMean: mean(runningVar),
    inputRatio: mean(divide(evaluationInputVariance, runningVar)),
  };
}

interface Variances {
  train: number[];
  evaluation: number[];
}

function compare({ train: trainPasses, evaluation: evaluationPasses }: Variances): Shift {
  const [train, evaluation] = [mean(tensor(trainPasses)), mean(tensor(evaluationPasses))];
  const ratio = evaluation / train;
  return { train, evaluation, ratio, shift: Math.abs(1 - ratio), trainPasses, evaluationPasses };
}
