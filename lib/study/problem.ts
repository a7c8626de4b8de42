/**
 * Two problems to learn, a real one and a small made one, behind one interface: what holds for both is worth saying.
 * @module
 */

import { checkInteger, checkOptions, describe } from "../check.ts";
import { type Digits, type DigitSet, loadDigits, type Shuffling } from "../digits.ts";
import { type Data, sampleData } from "../experiments/two_layer_net.ts";
import {
  crossEntropy,
  type DType,
  type Layer,
  type LossResult,
  mean,
  mseLoss,
  type Optimizer,
  take,
  Tensor,
} from "../mod.ts";
import { trainingSample } from "./train.ts";

/** Handwritten digits of 14 × 14 pixels, or noisy samples of a smooth function of eight numbers. */
export type ProblemName = "digits" | "small";

/** Samples in three parts that share none, and what to make of an answer. */
export interface Problem {
  /** What to train on; other seeds have other samples. */
  readonly train: Data;
  /** What to choose rates on. */
  readonly validation: Data;
  /** What to report on. */
  readonly test: Data;
  /** Length of an input row. */
  readonly inputs: number;
  /** Length of an output row. */
  readonly outputs: number;
  /** Type of the inputs, and so of the parameters. */
  readonly dtype: DType;
  /** The best answer that is always the same, for the training samples: one output row. */
  readonly constant: readonly number[];
  /** Cross-entropy for digits, mean squared error for the small problem. */
  lossOf(output: Tensor, y: Tensor): LossResult;
}

/** How training goes through the samples. */
export interface TrainingPlan {
  /** How many steps, a positive integer. */
  steps: number;
  /** Samples in each. */
  batch: number;
  /** Decides their order. */
  rng: Shuffling;
  /** The learning rate as a multiple of the optimizer's, given the share of the steps that is done. Default always 1. */
  schedule?: (done: number) => number;
}

/** Inputs of the small problem, and its samples to choose and to report on. */
const SMALL = { inputs: 8, validation: 1000, test: 2000 };

let loaded: Promise<Digits> | undefined;

/** The digits of 14 × 14 pixels, loaded once. */
export function digits(): Promise<Digits> {
  loaded ??= loadDigits();
  loaded.catch(() => loaded = undefined); // a later run may have a network
  return loaded;
}

/**
 * A problem with its training samples drawn for a seed. The digits for validation and test are the same for all seeds,
 * those of the small problem are not.
 *
 * @param samples How many to train on, for digits at most 4,000.
 * @throws {RangeError} if the name, the number of samples or the seed is out of range.
 */
export async function makeProblem(name: ProblemName, samples: number, seed: number): Promise<Problem> {
  checkInteger("makeProblem: samples", samples, 2);
  checkInteger("makeProblem: seed", seed);
  if (name === "small") return smallProblem(samples, seed);
  if (name !== "digits") {
    throw new RangeError(`The problem must be "digits" or "small", got ${describe(name)}`);
  }
  const { train, validation, test } = await digits();
  const drawn = trainingSample(train, samples, seed);
  return {
    train: toData(drawn),
    validation: toData(validation),
    test: toData(test),
    inputs: drawn.images.shape[1],
    outputs: 10,
    dtype: "float32",
    constant: logFrequencies(drawn.labels),
    lossOf: crossEntropy,
  };
}

function smallProblem(samples: number, seed: number): Problem {
  const { inputs } = SMALL;
  const train = sampleData(samples, inputs, 3 * seed);
  return {
    train,
    validation: sampleData(SMALL.validation, inputs, 3 * seed + 1),
    test: sampleData(SMALL.test, inputs, 3 * seed + 2),
    inputs,
    outputs: 1,
    dtype: "float64",
    constant: [mean(train.y)],
    lossOf: mseLoss,
  };
}

function toData({ images, labels }: DigitSet): Data {
  return { x: images, y: new Tensor(Float32Array.from(labels)) };
}

/** The logits that give each digit the probability that it has among the labels; one that is not there, next to none. */
function logFrequencies(labels: ArrayLike<number>): number[] {
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts.map((count) => Math.log(Math.max(count, 1e-3) / labels.length));
}

/**
 * Trains: in each pass over the samples they come once, in a new random order; what does not fill a batch is left out.
 *
 * @param model In training mode, and left in it.
 * @returns False if the loss ceased to be finite: then training stopped there.
 */
export function trainModel(
  model: Layer,
  optimizer: Optimizer,
  { train: { x, y }, lossOf }: Pick<Problem, "train" | "lossOf">,
  plan: TrainingPlan,
): boolean {
  checkOptions("trainModel", plan, ["steps", "batch", "rng", "schedule"]);
  const { steps, batch, rng, schedule = () => 1 } = plan;
  checkInteger("trainModel: steps", steps, 1);
  checkInteger("trainModel: batch", batch, 1, x.shape[0]);
  const perPass = Math.floor(x.shape[0] / batch);
  const { lr } = optimizer;
  let order: Int32Array = new Int32Array();
  for (let step = 0; step < steps; step++) {
    if (step % perPass === 0) order = rng.permutation(x.shape[0]);
    const start = step % perPass * batch;
    const rows = order.subarray(start, start + batch);
    const { loss, grad } = lossOf(model.forward(take(x, rows)), take(y, rows));
    if (!Number.isFinite(loss)) return false;
    model.backwardParameters(grad);
    optimizer.lr = lr * schedule(step / steps);
    optimizer.step();
  }
  optimizer.lr = lr;
  return true;
}

/** The loss of a model in evaluation mode; the model is left in training mode. */
export function evaluationLoss(model: Layer, { x, y }: Data, lossOf: Problem["lossOf"]): number {
  const { loss } = lossOf(model.eval().forward(x), y);
  model.train();
  return loss;
}

/** The loss of always giving the same answer, which is one output row. */
export function constantLoss({ x, y }: Data, answer: readonly number[], lossOf: Problem["lossOf"]): number {
  const n = x.shape[0];
  const rows = Float64Array.from({ length: n * answer.length }, (_, i) => answer[i % answer.length]);
  return lossOf(new Tensor(rows, [n, answer.length]), y).loss;
}
