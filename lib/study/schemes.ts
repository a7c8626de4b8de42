/**
 * Standard and inverted dropout trained to the same classifier: with which learning rates do they stay the same?
 * @module
 */

import { type DigitSet, loadDigits } from "../digits.ts";
import {
  InvertedDropout,
  multiply,
  type Sequential,
  SGD,
  StandardDropout,
  subtract,
  sum,
  Tensor,
} from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { classesOf, classifier, score, train, trainingSample } from "./train.ts";

/** One pair of networks, trained by stochastic gradient descent on 1,000 digits, with the same batches and masks. */
export type SchemesSettings = {
  /** Decides training sample, initial weights, masks and batches. */
  seed: number;
  /** Drop probability of the pixels. */
  inputRate: number;
  /** Drop probability of the units in both hidden layers. */
  hiddenRate: number;
  /** Learning rate of the inverted network. */
  lr: number;
  /**
   * How many times as large the standard network's rate is: for each layer's weights 1/(1 − p)², with the p of the dropout
   * before them ("scaled"), or 1 ("equal"). Biases have the same rate in both.
   */
  rates: "scaled" | "equal";
};

/** What becomes of the pair, which begins as one function; one number for each of `STEPS`. */
export type SchemesMeasured = {
  /** Cross-entropy of the standard network on the digits to report on. */
  standardLoss: number[];
  /** The same of the inverted network. */
  invertedLoss: number[];
  /** ‖W_inverted − (1 − p)·W_standard‖ / ‖W_inverted‖, over all layers. */
  weightGap: number[];
  /** Fraction of the digits to report on that they classify differently. */
  disagreement: number[];
};

/** After how many steps the pair is compared. */
export const STEPS: readonly number[] = [0, 1, 10, 100, 200];

/** The experiment. */
export const schemes: Experiment<SchemesSettings, SchemesMeasured> = {
  name: "schemes",
  version: 1,
  grid,
  run,
};

function grid(seeds: number): SchemesSettings[] {
  const rates = [{ inputRate: 0.1, hiddenRate: 0.3 }, { inputRate: 0.2, hiddenRate: 0.5 }];
  return rates.flatMap((pair) =>
    (["scaled", "equal"] as const).flatMap((rates) =>
      Array.from({ length: seeds }, (_, seed) => ({ seed, ...pair, lr: 0.1, rates }))
    )
  );
}

async function run(settings: SchemesSettings): Promise<SchemesMeasured> {
  const { seed, inputRate, hiddenRate, lr, rates } = settings;
  const digits = await loadDigits();
  const sample = inDoubles(trainingSample(digits.train, 1000, seed));
  const test = inDoubles(digits.test);
  const rateBefore = (name: string) => name.startsWith("1.") ? inputRate : hiddenRate;
  const isWeight = (name: string) => name.endsWith("weight");
  const network = (dropout: typeof StandardDropout | typeof InvertedDropout) =>
    classifier({ seed, inputRate, hiddenRate, dropout, dtype: "float64" });
  const [standard, inverted] = [network(StandardDropout), network(InvertedDropout)];
  for (const { name, value } of standard.parameters()) {
    if (isWeight(name)) multiply(value, 1 / (1 - rateBefore(name)), { out: value });
  }
  const descent = (model: Sequential, factor: (p: number) => number) => {
    const optimizers = model.parameters().map((parameter) => {
      const { name } = parameter;
      return new SGD([parameter], { lr: isWeight(name) ? lr * factor(rateBefore(name)) : lr });
    });
    return { step: () => optimizers.forEach((optimizer) => optimizer.step()) };
  };
  const history = new Map<Sequential, Snapshot[]>([[standard, []], [inverted, []]]);
  for (const [model, snapshots] of history) {
    const isStandard = model === standard;
    const factor = (p: number) => isStandard && rates === "scaled" ? 1 / (1 - p) ** 2 : 1;
    const look = (step: number) => {
      if (!STEPS.includes(step)) return;
      const weights = model.parameters().filter(({ name }) => isWeight(name)).map(({ name, value }) =>
        multiply(value, isStandard ? 1 - rateBefore(name) : 1)
      );
      const logits = model.eval()(test.images);
      model.train();
      snapshots.push({ loss: score(logits, test.labels).loss, answers: classesOf(logits), weights });
    };
    look(0);
    train(model, sample, { steps: STEPS.at(-1)!, seed, optimizer: descent(model, factor), onStep: look });
  }
  return compare(history.get(standard)!, history.get(inverted)!);
}

/** What is kept of a network at one step; the standard network's weights as at inference. */
interface Snapshot {
  loss: number;
  answers: number[];
  weights: Tensor[];
}

function compare(standard: readonly Snapshot[], inverted: readonly Snapshot[]): SchemesMeasured {
  return {
    standardLoss: standard.map(({ loss }) => loss),
    invertedLoss: inverted.map(({ loss }) => loss),
    weightGap: inverted.map(({ weights }, i) => relativeGap(weights, standard[i].weights)),
    disagreement: inverted.map(({ answers }, i) =>
      answers.filter((answer, k) => answer !== standard[i].answers[k]).length / answers.length
    ),
  };
}

function relativeGap(actual: readonly Tensor[], expected: readonly Tensor[]): number {
  const square = (tensors: readonly Tensor[]) => tensors.reduce((total, x) => total + sum(multiply(x, x)), 0);
  return Math.sqrt(square(actual.map((x, i) => subtract(x, expected[i]))) / square(actual));
}

function inDoubles({ images, labels }: DigitSet): DigitSet {
  return { images: new Tensor(Float64Array.from(images.data), images.shape), labels };
}
