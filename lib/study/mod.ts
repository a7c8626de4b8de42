/**
 * A study of what dropout does: experiments on handwritten digits and on small problems, and their results.
 *
 * `deno task study` runs the experiments, and `readStudy` reads what they gave.
 * @module
 */

import { batchNormBeta, batchNormOrders, batchNormWidth } from "./batch_norm.ts";
import { coverage } from "./coverage.ts";
import type { Experiment } from "./experiment.ts";
import { deployment } from "./deployment.ts";
import { gradientNoise } from "./gradient_noise.ts";
import { optimizers, stability } from "./optimizers.ts";
import { schemes } from "./schemes.ts";
import { uncertainty } from "./uncertainty.ts";
import { why } from "./why.ts";

export { type Experiment, type Value, type Values } from "./experiment.ts";
export { readStudy, RESULTS, type Run } from "./results.ts";
export { type Estimate, estimate, estimateDifference, selectRows, standardErrors } from "./rows.ts";
export { classesOf, classifier, type ClassifierOptions, evaluate, type Evaluation, score } from "./train.ts";
export { train, trainingSample, type TrainOptions } from "./train.ts";

/** All experiments, in the order in which they are told. */
export const EXPERIMENTS: readonly Experiment[] = [
  why,
  schemes,
  gradientNoise,
  stability,
  optimizers,
  batchNormOrders,
  batchNormBeta,
  batchNormWidth,
  coverage,
  uncertainty,
  deployment,
];
