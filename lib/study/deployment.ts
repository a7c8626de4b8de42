/**
 * A trained classifier before it is deployed: what the audit says in each mode, and what its answers depend on besides
 * the digit: chance, how many digits come at once, and their order.
 * @module
 */

import { auditModel } from "../audit.ts";
import { type DigitSet, loadDigits, selectDigits } from "../digits.ts";
import { Adam, BatchNorm, InvertedDropout, type Layer, Linear, Sequential, Tensor, zeros } from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { classesOf, classifier, score, train, trainingSample } from "./train.ts";

/** One classifier, trained on 1,000 digits with dropout at .2/.5, and the mode it is in afterwards. */
export type DeploymentSettings = {
  /** Decides training sample, initial weights, masks and batches. */
  seed: number;
  /** "dropout" alone, or with batch normalization after each hidden linear layer. */
  network: "dropout" | "dropout and batch norm";
  /** What is in training mode: nothing, everything, or one kind of layer that somebody forgot. */
  training: "nothing" | "everything" | "last dropout" | "batch norm";
};

/** What the audit and the digits to report on say, all in that mode. */
export type DeploymentMeasured = {
  /** The audit's verdict. */
  ok: boolean;
  /** How many layers it finds in training mode, those that hold others among them. */
  stillTraining: number;
  /** How many layers it finds that can be random. */
  random: number;
  /** Whether two passes of 100 digits agree bit for bit. */
  passesAgree: boolean;
  /** Cross-entropy of one pass of all digits. */
  loss: number;
  /** Fraction of digits that this pass classifies wrongly. */
  error: number;
  /** For each of `BATCH_SIZES`: fraction of digits of which a logit differs from that pass, in any bit. */
  otherBits: (number | null)[];
  /** For each of `BATCH_SIZES`: fraction of digits that get another answer; `null` if batch norm refuses one sample. */
  otherAnswers: (number | null)[];
  /** The same for all digits at once, in reverse order. */
  otherBitsReversed: number;
  /** The same for the answers. */
  otherAnswersReversed: number;
};

/** One run. */
export type DeploymentRow = DeploymentSettings & DeploymentMeasured;

/** How many digits are passed at once, in comparison with all 4,000. */
export const BATCH_SIZES: readonly number[] = [1, 7, 100];

/** The experiment. */
export const deployment: Experiment<DeploymentSettings, DeploymentMeasured> = {
  name: "deployment",
  version: 1,
  grid,
  run,
};

function grid(seeds: number): DeploymentSettings[] {
  const cases = [
    { network: "dropout", training: "nothing" },
    { network: "dropout", training: "everything" },
    { network: "dropout", training: "last dropout" },
    { network: "dropout and batch norm", training: "nothing" },
    { network: "dropout and batch norm", training: "everything" },
    { network: "dropout and batch norm", training: "last dropout" },
    { network: "dropout and batch norm", training: "batch norm" },
  ] as const;
  return cases.flatMap((one) => Array.from({ length: seeds }, (_, seed) => ({ seed, ...one })));
}

async function run({ seed, network, training }: DeploymentSettings): Promise<DeploymentMeasured> {
  const { train: pool, test } = await loadDigits();
  const plain = classifier({ seed, inputRate: 0.2, hiddenRate: 0.5 });
  const model = network === "dropout" ? plain : withBatchNorm(plain);
  const optimizer = new Adam(model.parameters());
  train(model, trainingSample(pool, 1000, seed), { steps: 600, optimizer, seed });
  model.eval();
  layersOf(model, training).forEach((layer) => layer.train());
  const { ok, stillTraining, random, repeated } = auditModel(model, part(test, 0, 100).images);
  const n = test.labels.length;
  const whole = logitsOf(model, test, n);
  const inBatches = BATCH_SIZES.map((size) => {
    const refused = size === 1 && layersOf(model, "batch norm").some((layer) => layer.training);
    return refused ? null : compareLogits(whole, logitsOf(model, test, size));
  });
  const backwards = Array.from({ length: n }, (_, i) => n - 1 - i);
  const inReverse = compareLogits(
    inOrder(whole, backwards),
    logitsOf(model, selectDigits(test, backwards), n),
  );
  return {
    ok,
    stillTraining: stillTraining.length,
    random: random.length,
    passesAgree: repeated.same,
    ...score(whole, test.labels),
    otherBits: inBatches.map((found) => found && found.otherBits),
    otherAnswers: inBatches.map((found) => found && found.otherAnswers),
    otherBitsReversed: inReverse.otherBits,
    otherAnswersReversed: inReverse.otherAnswers,
  };
}

/** The same layers, with batch normalization between each hidden linear layer and its ReLU. */
function withBatchNorm(model: Sequential): Sequential {
  const layers = model.namedChildren().map(([, layer]) => layer);
  const normalized = layers.flatMap((layer, i) => {
    const isHidden = layer instanceof Linear && i < layers.length - 1;
    return isHidden ? [layer, new BatchNorm(layer.outFeatures, { dtype: "float32" })] : [layer];
  });
  return new Sequential(...normalized);
}

/** The layers that a setting's words mean. */
function layersOf(model: Sequential, which: DeploymentSettings["training"]): Layer[] {
  const layers = model.namedChildren().map(([, layer]) => layer);
  switch (which) {
    case "nothing":
      return [];
    case "everything":
      return [model];
    case "last dropout":
      return layers.filter((layer) => layer instanceof InvertedDropout).slice(-1);
    case "batch norm":
      return layers.filter((layer) => layer instanceof BatchNorm);
  }
}

/** The logits of all digits, `size` at a time, from the same state of the model each time: its streams too. */
export function logitsOf(model: Layer, set: DigitSet, size: number): Tensor {
  const restore = model.snapshot();
  const n = set.labels.length;
  const all = zeros([n, 10], "float32");
  for (let start = 0; start < n; start += size) {
    const logits = model(part(set, start, size).images);
    all.data.set(logits.data, 10 * start);
  }
  restore();
  return all;
}

/** Up to `n` digits, from one on. */
function part({ images, labels }: DigitSet, start: number, n: number): DigitSet {
  const end = Math.min(start + n, labels.length);
  const pixels = images.shape[1];
  const data = images.data.slice(start * pixels, end * pixels);
  return { images: new Tensor(data, [end - start, pixels]), labels: labels.slice(start, end) };
}

function inOrder(rows: Tensor, order: readonly number[]): Tensor {
  const result = rows.clone();
  order.forEach((from, to) => result.data.set(rows.data.subarray(10 * from, 10 * from + 10), 10 * to));
  return result;
}

/** Fractions of rows that differ: in any bit, and in where their largest logit is. */
export function compareLogits(a: Tensor, b: Tensor): { otherBits: number; otherAnswers: number } {
  const [n, classes] = a.shape;
  const [left, right] = [classesOf(a), classesOf(b)];
  let [otherBits, otherAnswers] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (left[i] !== right[i]) otherAnswers++;
    const row = a.data.subarray(classes * i, classes * (i + 1));
    if (row.some((value, j) => !Object.is(value, b.data[classes * i + j]))) otherBits++;
  }
  return { otherBits: otherBits / n, otherAnswers: otherAnswers / n };
}
