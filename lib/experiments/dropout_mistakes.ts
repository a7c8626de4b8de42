/**
 * What two mistakes cost a small classifier: a rate that was read the wrong way, and dropout left on in evaluation.
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  Adam,
  argmax,
  crossEntropy,
  defaultRng,
  InvertedDropout,
  Linear,
  ReLU,
  Sequential,
  take,
  Tensor,
} from "../mod.ts";

/** How to train and test; the defaults take a fifth of a second for each network. */
export interface DropoutMistakesOptions {
  /** Drop probabilities, each in [0, 1). */
  rates: readonly number[];
  /** One network for each rate and seed; a seed gives the same data and initial weights at all rates. */
  seeds: readonly number[];
  /** Passes over the test set with dropout left on, at least 2. Default 20. */
  passes?: number;
  /** Steps of training. Default 200. */
  steps?: number;
}

/** One trained network. */
export interface DropoutMistake {
  /** The drop probability that it was trained with. */
  rate: number;
  /** Seed of its data, weights and masks. */
  seed: number;
  /** Share of the test points that it gets right in evaluation mode. */
  evalAccuracy: number;
  /** The same with dropout left on, averaged over the passes. */
  leftOnAccuracy: number;
  /** Share of the test points to which two successive passes with dropout left on give different classes. */
  changedAnswers: number;
}

const FEATURES = 8;
const CLASSES = 4;
const BLOBS = 3;
const UNITS = 32;
const NOISE = 0.7;
const TRAINING_POINTS = 200;
const TEST_POINTS = 500;
const BATCH = 64;

/** Points and their classes. */
interface Labelled {
  x: Tensor;
  classes: Uint8Array;
}

/**
 * Trains networks of 8–32–32–4 units with dropout after both ReLUs on 200 points: four classes of three Gaussian blobs
 * each. Then tests each on 500 fresh points, in evaluation mode and with dropout left on.
 */
export function dropoutMistakes(options: DropoutMistakesOptions): DropoutMistake[] {
  checkOptions("dropoutMistakes", options, ["rates", "seeds", "passes", "steps"]);
  const { rates, seeds, passes = 20, steps = 200 } = options;
  return seeds.flatMap((seed) => {
    const centers = defaultRng([seed, 0]).standardNormal(CLASSES * BLOBS * FEATURES);
    const training = samplePoints(centers, TRAINING_POINTS, [seed, 1]);
    const test = samplePoints(centers, TEST_POINTS, [seed, 2]);
    return rates.map((rate) => {
      const model = trainClassifier(training, rate, seed, steps);
      const leftOn = Array.from({ length: passes }, () => argmax(model(test.x)));
      const changes = leftOn.slice(1).map((answers, i) => 1 - agreement(answers, leftOn[i]));
      const evaluated = argmax(model.eval()(test.x));
      return {
        rate,
        seed,
        evalAccuracy: agreement(evaluated, test.classes),
        leftOnAccuracy: average(leftOn.map((answers) => agreement(answers, test.classes))),
        changedAnswers: average(changes),
      };
    });
  });
}

/** Each point: a class, one of its blobs, and noise around the blob's center. */
function samplePoints(centers: Float64Array, n: number, seed: number[]): Labelled {
  const rng = defaultRng(seed);
  const classes = Uint8Array.from({ length: n }, () => Math.floor(CLASSES * rng.random()));
  const x = new Float64Array(n * FEATURES);
  classes.forEach((label, i) => {
    const blob = label * BLOBS + Math.floor(BLOBS * rng.random());
    for (let j = 0; j < FEATURES; j++) {
      x[i * FEATURES + j] = centers[blob * FEATURES + j] + NOISE * rng.standardNormal();
    }
  });
  return { x: new Tensor(x, [n, FEATURES]), classes };
}

/** Adam on batches of consecutive points, around and around. */
function trainClassifier({ x, classes }: Labelled, rate: number, seed: number, steps: number): Sequential {
  const rng = defaultRng([seed, 3]);
  const model = new Sequential(
    new Linear(FEATURES, UNITS, { rng }),
    new ReLU(),
    new InvertedDropout(rate, { rng: defaultRng([seed, 4]) }),
    new Linear(UNITS, UNITS, { rng }),
    new ReLU(),
    new InvertedDropout(rate, { rng: defaultRng([seed, 5]) }),
    new Linear(UNITS, CLASSES, { rng }),
  );
  const optimizer = new Adam(model.parameters(), { lr: 0.01 });
  for (let step = 0; step < steps; step++) {
    const rows = Array.from({ length: BATCH }, (_, i) => (step * BATCH + i) % classes.length);
    const logits = model(take(x, rows));
    model.backward(crossEntropy(logits, rows.map((row) => classes[row])).grad);
    optimizer.step();
  }
  return model;
}

/** Share of the places in which two lists agree. */
function agreement(a: Int32Array, b: Uint8Array | Int32Array): number {
  return a.filter((value, i) => value === b[i]).length / a.length;
}

function average(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
