/**
 * What the study's experiments train, and how: a classifier of digits, batch after batch.
 * @module
 */

import { checkInteger, checkOptions } from "../check.ts";
import { digitBatches, type DigitSet, type DigitSide, sampleDigits } from "../digits.ts";
import {
  crossEntropy,
  defaultRng,
  type DropoutLayer,
  type DType,
  InvertedDropout,
  type Layer,
  Linear,
  type Optimizer,
  ReLU,
  Sequential,
  type Tensor,
} from "../mod.ts";

/** Which network to make. */
export interface ClassifierOptions {
  /** Of initial weights and masks: networks that differ in their rates only begin with the same weights. */
  seed: number;
  /** Pixels along each side of an image. Default 14. */
  side?: DigitSide;
  /** Units in each of the two hidden layers. Default 128 for 14 pixels, 256 for 28. */
  hidden?: number;
  /** Drop probability of the pixels, in [0, 1). Default 0. */
  inputRate?: number;
  /** Drop probability of the hidden units, in [0, 1). Default 0. */
  hiddenRate?: number;
  /** How to drop: a class that is made with a probability and a seed. Default inverted dropout. */
  dropout?: new (p: number, options: { seed: readonly number[] }) => DropoutLayer;
  /** Type of its numbers, and of its inputs. Default float32, as the digits are. */
  dtype?: DType;
}

/** Dropout and a linear layer, three times, with ReLU between them; in training mode. */
export function classifier(options: ClassifierOptions): Sequential {
  checkOptions("classifier", options, [
    "seed",
    "side",
    "hidden",
    "inputRate",
    "hiddenRate",
    "dropout",
    "dtype",
  ]);
  const { seed, side = 14, hidden = side === 14 ? 128 : 256 } = options;
  const { inputRate = 0, hiddenRate = 0, dropout: Dropout = InvertedDropout, dtype = "float32" } = options;
  const rng = defaultRng([seed, 0]);
  const linear = (from: number, to: number) => new Linear(from, to, { rng, dtype });
  return new Sequential(
    new Dropout(inputRate, { seed: [seed, 1] }),
    linear(side * side, hidden),
    new ReLU(),
    new Dropout(hiddenRate, { seed: [seed, 2] }),
    linear(hidden, hidden),
    new ReLU(),
    new Dropout(hiddenRate, { seed: [seed, 3] }),
    linear(hidden, 10),
  );
}

/** What a seed trains from. Of one seed, a smaller selection is the beginning of a larger one. */
export function trainingSample(train: DigitSet, n: number, seed: number): DigitSet {
  return sampleDigits(train, n, { rng: defaultRng([seed, 4]) });
}

/** How to train. */
export interface TrainOptions {
  /** How many steps of the optimizer, each on one batch. */
  steps: number;
  /** Takes the steps: an optimizer made with the parameters of the model, or several behind one `step`. */
  optimizer: Pick<Optimizer, "step">;
  /** Decides which digits come when: in a random order, a new one for each pass over them. */
  seed: number;
  /** Digits in a batch. Default 50. */
  batchSize?: number;
  /** Called after each step, counted from 1, with its batch's loss; `false` ends the training. */
  onStep?: (step: number, loss: number) => boolean | void;
}

/**
 * Trains a model, in training mode, on the cross-entropy of its logits.
 *
 * @example
 * ```ts
 * import { loadDigits } from "../digits.ts";
 * import { Adam } from "../mod.ts";
 * import { classifier, evaluate, train, trainingSample } from "./train.ts";
 *
 * const digits = await loadDigits();
 * const model = classifier({ seed: 1, inputRate: 0.1, hiddenRate: 0.3 });
 * const optimizer = new Adam(model.parameters());
 * train(model, trainingSample(digits.train, 1000, 1), { steps: 100, optimizer, seed: 1 });
 * console.log(evaluate(model, digits.test)); // a fifth is wrong; after 2000 steps, less than a tenth
 * ```
 */
export function train(model: Layer, set: DigitSet, options: TrainOptions): void {
  checkOptions("train", options, ["steps", "optimizer", "seed", "batchSize", "onStep"]);
  const { steps, optimizer, seed, batchSize = 50, onStep } = options;
  checkInteger("train: steps", steps);
  const batches = digitBatches(set, batchSize, { rng: defaultRng([seed, 5]) });
  for (let step = 1; step <= steps; step++) {
    const { images, labels } = batches.next().value;
    const { loss, grad } = crossEntropy(model.train()(images), labels);
    model.backwardParameters(grad);
    optimizer.step();
    if (onStep?.(step, loss) === false) return;
  }
}

/** How a model does on a set. */
export interface Evaluation {
  /** Mean cross-entropy. */
  loss: number;
  /** Fraction that is classified wrongly. */
  error: number;
}

/** Evaluates a model in evaluation mode, and leaves it in the mode that it had. */
export function evaluate(model: Layer, { images, labels }: DigitSet): Evaluation {
  const { training } = model;
  const logits = model.eval()(images);
  model.train(training);
  return score(logits, labels);
}

/** How logits do. */
export function score(logits: Tensor, labels: ArrayLike<number>): Evaluation {
  const wrong = classesOf(logits).filter((answer, i) => answer !== labels[i]).length;
  return { loss: crossEntropy(logits, labels).loss, error: wrong / labels.length };
}

/** The class with the largest logit, for each row; −1 if a logit is NaN. */
export function classesOf(logits: Tensor): number[] {
  const [n, classes] = logits.shape;
  return Array.from({ length: n }, (_, i) => {
    const row = logits.data.subarray(classes * i, classes * (i + 1));
    return row.indexOf(Math.max(...row));
  });
}
