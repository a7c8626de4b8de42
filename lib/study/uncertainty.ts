/**
 * Does a classifier of digits know what it does not know? Dropout off, Monte Carlo dropout and an ensemble, on digits as they
 * are, on turned ones and on noise.
 *
 * The networks are 196–128–128–10 with dropout after both hidden layers, trained on 1,000 or 4,000 digits in equally many steps.
 *
 * Sources: Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation", who turn a digit 1; Guo et al. 2017, "On
 * Calibration of Modern Neural Networks", for the reliability diagram and its error; Lakshminarayanan et al. 2017, "Simple
 * and Scalable Predictive Uncertainty Estimation using Deep Ensembles".
 * @module
 */

import { checkInteger } from "../check.ts";
import { type DigitSet, selectDigits } from "../digits.ts";
import { Adam, dropoutOnly, FastStream, type Layer, softmax, Tensor } from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { type Estimate, estimate, estimateDifference, groupRows, seedsTo, selectRows } from "./rows.ts";
import { digits } from "./problem.ts";
import { rotateImages } from "./rotate.ts";
import { classesOf, classifier, train, trainingSample } from "./train.ts";

/** Who predicts. */
export type UncertaintySettings = {
  /** A network with dropout off, the mean of passes with dropout on, or the mean of five networks with dropout off. */
  method: "dropout off" | "MC dropout" | "ensemble";
  /** Drop probability in training, after both hidden layers; an ensemble is trained without. */
  p: number;
  /** Training digits. */
  n: number;
  /** Decides training samples, initial weights, order and masks. */
  seed: number;
};

/** What is predicted. Entropies are in nats, between 0 and ln 10 = 2.303. */
export type UncertaintyResult = {
  /** Cross-entropy of the predicted probabilities on the samples to choose on. */
  validationLoss: number;
  /** The same on the samples to report on. */
  testLoss: number;
  /** Share of those that are classified wrongly. */
  testError: number;
  /** Expected calibration error there, with ten bins. */
  calibrationError: number;
  /** Of each bin, its share of the digits. */
  share: number[];
  /** Of each bin, the mean probability of the class that is predicted; `null` if it is empty. */
  confidence: (number | null)[];
  /** Of each bin, the share that is classified rightly; `null` if it is empty. */
  accuracy: (number | null)[];
  /** At each of `ANGLES`, the share of turned digits that are classified wrongly. */
  turnedError: number[];
  /** At each of `ANGLES`, the entropy of what is predicted, a mean over digits. */
  turnedEntropy: number[];
  /** At each of `ANGLES`, the part of it that comes from disagreement between passes or networks. */
  turnedInformation: number[];
  /** The entropy for each kind of `NOISE`. */
  noiseEntropy: number[];
  /** The part of it that comes from disagreement. */
  noiseInformation: number[];
  /** Chance that the entropy for noise is higher than that for a digit, one half if they cannot be told apart. */
  noiseDetection: number[];
  /** For one digit 1, at each of `ANGLES`: which class is predicted. */
  oneClass: number[];
  /** Its probability, the mean over passes or networks. */
  oneProbability: number[];
  /** The standard deviation of that probability; 0 for one pass. */
  oneSpread: number[];
};

/** One run. */
export type UncertaintyRow = UncertaintySettings & UncertaintyResult;

/** By how many degrees digits are turned. */
export const ANGLES: readonly number[] = Array.from({ length: 13 }, (_, i) => 15 * i);

/** Grey levels at random; and digits with their pixels in another order, which have as much ink as digits. */
export const NOISE = ["uniform", "shuffled"] as const;

const [STEPS, LEARNING_RATE] = [600, 0.002];
const [PASSES, MEMBERS, BINS] = [30, 5, 10];
/** How many of the test digits are turned, and how many images of noise there are. */
const TURNED = 200;

/** Loss, calibration and entropy of three ways to predict. */
export const uncertainty: Experiment<UncertaintySettings, UncertaintyResult> = {
  name: "uncertainty",
  version: 1,
  grid: (seeds) => {
    const trained = [0.3, 0.5].flatMap((p) => [
      { method: "dropout off" as const, p },
      { method: "MC dropout" as const, p },
    ]);
    const methods = [
      { method: "dropout off" as const, p: 0 },
      ...trained,
      { method: "ensemble" as const, p: 0 },
    ];
    return methods.flatMap((method) =>
      [1000, 4000].flatMap((n) => seedsTo(seeds).map((seed) => ({ ...method, n, seed })))
    );
  },
  run: async (settings) => {
    const { validation, test } = await digits();
    const predict = await trainPredictor(settings);
    const tested = predict(test.images);
    const few = selectDigits(test, seedsTo(TURNED));
    const turned = ANGLES.map((angle) => predict(rotateImages(few.images, angle)));
    const noise = NOISE.map((kind) => predict(noiseImages(kind, few.images, settings.seed)));
    const one = test.labels.indexOf(1);
    const ones = ANGLES.map((angle) => predict(rotateImages(selectDigits(test, [one]).images, angle)));
    const oneClass = ones.map(({ mean }) => classesOf(mean)[0]);
    return {
      validationLoss: negativeLogLikelihood(predict(validation.images).mean, validation),
      testLoss: negativeLogLikelihood(tested.mean, test),
      testError: errorRate(tested.mean, test),
      ...reliability(tested.mean, test.labels),
      turnedError: turned.map(({ mean }) => errorRate(mean, few)),
      turnedEntropy: turned.map(({ entropy }) => average(entropy)),
      turnedInformation: turned.map(({ information }) => average(information)),
      noiseEntropy: noise.map(({ entropy }) => average(entropy)),
      noiseInformation: noise.map(({ information }) => average(information)),
      noiseDetection: noise.map(({ entropy }) => chanceOfHigher(entropy, turned[0].entropy)),
      oneClass,
      oneProbability: ones.map(({ mean }, i) => mean.at(0, oneClass[i])),
      oneSpread: ones.map(({ spread }, i) => spread.at(0, oneClass[i])),
    };
  },
};

/** Predicts the classes of images. */
export type Predictor = (images: Tensor) => Prediction;

/** Probabilities of several passes or networks taken together. */
export interface Prediction {
  /** Their mean, of shape [n, classes]. */
  mean: Tensor;
  /** Their standard deviation, n − 1 in the denominator, of the same shape; zeros for one pass. */
  spread: Tensor;
  /** Of each image, the entropy of the mean. */
  entropy: Float64Array;
  /** Of each image, the entropy of the mean minus the mean entropy: how much the passes disagree. */
  information: Float64Array;
}

/** Trains what a method needs. Networks of one seed learn from the same digits, whatever the method is. */
export async function trainPredictor({ method, p, n, seed }: UncertaintySettings): Promise<Predictor> {
  const set = trainingSample((await digits()).train, n, seed);
  const members = method === "ensemble" ? MEMBERS : 1;
  // The first member is the network that is compared with the ensemble; the others' seeds are those of no other network.
  const networks = Array.from(
    { length: members },
    (_, member) => trainNetwork(set, p, member === 0 ? seed : 1_000_000 + MEMBERS * seed + member),
  );
  if (method !== "MC dropout") {
    return (images) => combine(networks.map((network) => pass(network.eval(), images)));
  }
  return (images) => {
    const network = dropoutOnly(networks[0]);
    return combine(Array.from({ length: PASSES }, () => pass(network, images)));
  };
}

function trainNetwork(set: DigitSet, p: number, seed: number): Layer {
  const model = classifier({ seed, hiddenRate: p });
  const optimizer = new Adam(model.parameters(), { lr: LEARNING_RATE });
  train(model, set, { steps: STEPS, optimizer, seed });
  return model;
}

function pass(network: Layer, images: Tensor): Tensor {
  return softmax(network.forward(images));
}

/**
 * Takes the probabilities of several passes together.
 *
 * @param passes At least one, each of shape [n, classes].
 */
export function combine(passes: readonly Tensor[]): Prediction {
  checkInteger("combine: the number of passes", passes.length, 1);
  const [n, classes] = passes[0].shape;
  const [mean, spread] = [new Float64Array(n * classes), new Float64Array(n * classes)];
  for (let i = 0; i < mean.length; i++) {
    for (const { data } of passes) mean[i] += data[i] / passes.length;
    if (passes.length === 1) continue;
    for (const { data } of passes) spread[i] += (data[i] - mean[i]) ** 2 / (passes.length - 1);
    spread[i] = Math.sqrt(spread[i]);
  }
  const rows = seedsTo(n);
  const entropy = Float64Array.from(rows, (row) => entropyOf(mean, row, classes));
  const information = entropy.map((value, row) =>
    value - passes.reduce((total, { data }) => total + entropyOf(data, row, classes), 0) / passes.length
  );
  return {
    mean: new Tensor(mean, [n, classes]),
    spread: new Tensor(spread, [n, classes]),
    entropy,
    information,
  };
}

/** −Σ q·ln q of one row. */
function entropyOf(probabilities: ArrayLike<number>, row: number, classes: number): number {
  let total = 0;
  for (let i = row * classes; i < (row + 1) * classes; i++) {
    if (probabilities[i] > 0) total -= probabilities[i] * Math.log(probabilities[i]);
  }
  return total;
}

function negativeLogLikelihood(probabilities: Tensor, { labels }: DigitSet): number {
  // A probability that float32 rounds to 0 would make the mean infinite.
  return average(Array.from(labels, (label, i) => -Math.log(Math.max(probabilities.at(i, label), 1e-38))));
}

function errorRate(probabilities: Tensor, { labels }: DigitSet): number {
  return average(classesOf(probabilities).map((predicted, i) => Number(predicted !== labels[i])));
}

function average(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0) / values.length;
}

/**
 * The reliability diagram of probabilities: how often those are right who are sure to the same degree.
 *
 * @param probabilities Shape [n, classes].
 * @param labels The class of each row.
 * @returns For ten bins of equal width; a confidence between two bins belongs to the lower one. The calibration error is the
 *   mean over all rows of |accuracy − confidence| of the row's bin.
 */
export function reliability(
  probabilities: Tensor,
  labels: ArrayLike<number>,
): Pick<UncertaintyResult, "calibrationError" | "share" | "confidence" | "accuracy"> {
  const [count, sure, right] = [0, 1, 2].map(() => new Array<number>(BINS).fill(0));
  for (const [i, predicted] of classesOf(probabilities).entries()) {
    const confidence = probabilities.at(i, predicted);
    const bin = Math.min(Math.max(Math.ceil(confidence * BINS) - 1, 0), BINS - 1);
    count[bin]++;
    sure[bin] += confidence;
    right[bin] += Number(predicted === labels[i]);
  }
  const calibrationError = count.reduce((sum, _, bin) => sum + Math.abs(right[bin] - sure[bin]), 0) /
    labels.length;
  const perDigit = (sums: number[]) => sums.map((sum, bin) => count[bin] === 0 ? null : sum / count[bin]);
  return {
    calibrationError,
    share: count.map((n) => n / labels.length),
    confidence: perDigit(sure),
    accuracy: perDigit(right),
  };
}

/** The chance that a value of the first list exceeds one of the second, ties counting half: the area under the ROC curve. */
export function chanceOfHigher(first: ArrayLike<number>, second: ArrayLike<number>): number {
  let wins = 0;
  for (let i = 0; i < first.length; i++) {
    for (let j = 0; j < second.length; j++) {
      wins += first[i] > second[j] ? 1 : first[i] === second[j] ? 0.5 : 0;
    }
  }
  return wins / (first.length * second.length);
}

/** As many images of noise as there are digits. */
function noiseImages(kind: typeof NOISE[number], images: Tensor, seed: number): Tensor {
  const rng = new FastStream([seed, 7]);
  const noise = images.clone();
  if (kind === "uniform") rng.fillUniform(noise.data);
  const [n, pixels] = images.shape;
  if (kind === "shuffled") {
    for (let image = 0; image < n; image++) {
      const order = rng.permutation(pixels);
      for (let i = 0; i < pixels; i++) {
        noise.data[image * pixels + i] = images.data[image * pixels + order[i]];
      }
    }
  }
  return noise;
}

/** How one way to predict does. */
export type UncertaintyCell = Omit<UncertaintySettings, "seed"> & {
  /** Loss to choose by. */
  validationLoss: Estimate;
  /** Loss to report. */
  testLoss: Estimate;
  /** Error rate. */
  testError: Estimate;
  /** Calibration error. */
  calibrationError: Estimate;
  /** Test loss minus that of one network without dropout: paired by seed. */
  lossAgainstOne: Estimate | null;
  /** Calibration error minus that of the same networks with dropout off; an ensemble's minus that of its first network. */
  calibrationAgainstOff: Estimate | null;
  /** Entropy for digits as they are, turned by 90°, and turned by 180°. */
  turnedEntropy: Estimate[];
  /** How much of it is disagreement. */
  turnedInformation: Estimate[];
  /** Entropy for each kind of noise. */
  noiseEntropy: Estimate[];
  /** Chance that it is higher than that for a digit. */
  noiseDetection: Estimate[];
};

/** The table of `uncertainty`. */
export function summarizeUncertainty(
  rows: readonly UncertaintyRow[],
): UncertaintyCell[] {
  const angles = [0, 90, 180].map((angle) => ANGLES.indexOf(angle));
  return groupRows(rows, "n", "method", "p").map((group) => {
    const { method, p, n } = group[0];
    const one = selectRows(rows, { method: "dropout off", p: 0, n });
    const off = selectRows(rows, { method: "dropout off", p, n });
    const isOne = method === "dropout off" && p === 0;
    const at = (of: (row: UncertaintyResult) => readonly number[], places: readonly number[]) =>
      places.map((i) => estimate(group, (row) => of(row)[i]));
    return {
      n,
      method,
      p,
      validationLoss: estimate(group, (row) => row.validationLoss),
      testLoss: estimate(group, (row) => row.testLoss),
      testError: estimate(group, (row) => row.testError),
      calibrationError: estimate(group, (row) => row.calibrationError),
      lossAgainstOne: isOne ? null : estimateDifference(group, one, (row) => row.testLoss),
      calibrationAgainstOff: method === "dropout off"
        ? null
        : estimateDifference(group, off, (row) => row.calibrationError),
      turnedEntropy: at((row) => row.turnedEntropy, angles),
      turnedInformation: at((row) => row.turnedInformation, angles),
      noiseEntropy: at((row) => row.noiseEntropy, [0, 1]),
      noiseDetection: at((row) => row.noiseDetection, [0, 1]),
    };
  });
}
