/**
 * A study of what dropout does: experiments on handwritten digits and on small problems, and their results.
 *
 * `deno task study` runs the experiments, and `readStudy` reads what they gave.
 * @module
 */

import type { Experiment } from "./experiment.ts";
import { deployment } from "./deployment.ts";
import { schemes } from "./schemes.ts";
import { why } from "./why.ts";

export { type Experiment, type Value, type Values } from "./experiment.ts";
export { readStudy, RESULTS, type Run } from "./results.ts";
export { meanOver, type NumberIn, pairedDifference } from "./summary.ts";
export { classesOf, classifier, type ClassifierOptions, evaluate, type Evaluation, score } from "./train.ts";
export { train, trainingSample, type TrainOptions } from "./train.ts";

/** All experiments, in the order in which they are told. */
export const EXPERIMENTS: readonly Experiment[] = [why, schemes, deployment];
