/**
 * Why dropout: losses and errors by step, by rate and by amount of data, beside early stopping and weight decay; and what
 * the first layer learns with it and without.
 * @module
 */

import { type DigitSet, type DigitSide, loadDigits } from "../digits.ts";
import { Adam, Linear, matmul, mean, ReLU, type Sequential, subtract, type Tensor } from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { type Estimate, estimate, groupRows, orInfinity, selectRows } from "./rows.ts";
import { classifier, evaluate, type Evaluation, train, trainingSample } from "./train.ts";

/** One network, and how it is trained: by Adam, in batches of 50. */
export type WhySettings = {
  /** Decides training sample, initial weights, masks and batches. */
  seed: number;
  /** Pixels along each side of a digit: 14, with 128 units in each hidden layer, or 28, with 256. */
  side: DigitSide;
  /** Digits to train from. */
  samples: number;
  /** Drop probability of the pixels. */
  inputRate: number;
  /** Drop probability of the units in both hidden layers. */
  hiddenRate: number;
  /** Learning rate. */
  lr: number;
  /** Strength of weight decay: this times the weight is added to its gradient. */
  weightDecay: number;
  /** How many steps, each on 50 digits: the same for all amounts of data, unless the question is the budget. */
  steps: number;
};

/** What a run gives; curves have one number for each of `CHECKPOINTS`. All in evaluation mode. */
export type WhyMeasured = {
  /** Cross-entropy on the digits trained from. */
  trainLoss: number[];
  /** Cross-entropy on the digits to choose on. */
  validationLoss: number[];
  /** Fraction of these that is classified wrongly. */
  validationError: number[];
  /** Cross-entropy on the digits to report on. */
  testLoss: number[];
  /** Fraction of these that is classified wrongly. */
  testError: number[];
  /** Fraction of the first hidden layer that is above 0, on average over the digits to report on. */
  active: number;
  /** Mean absolute correlation between two units of that layer, over these digits; units that never change are left out. */
  correlation: number;
  /** How many pixels a unit of it uses: (Σw²)² / Σw⁴ of its weights, on average. One pixel gives 1, equal weights all. */
  pixelsUsed: number;
  /** How rough its weights are: the mean squared difference of neighbours over twice the mean square; 1 if unrelated. */
  roughness: number;
};

/** One run. */
export type WhyRow = WhySettings & WhyMeasured;

/** After how many steps the curves are measured, as far as the run goes. */
export const CHECKPOINTS: readonly number[] = [50, 100, 200, 400, 600, 800, 1200, 1600, 2000, 4000, 6000];

/** The experiment. */
export const why: Experiment<WhySettings, WhyMeasured> = { name: "why", version: 1, grid, run };

const NONE = { inputRate: 0, hiddenRate: 0 };
const MILD = { inputRate: 0.1, hiddenRate: 0.3 };
const STRONG = { inputRate: 0.2, hiddenRate: 0.5 };
const PLAIN = { side: 14 as DigitSide, samples: 1000, ...NONE, lr: 1e-3, weightDecay: 0, steps: 2000 };
const AMOUNTS = [250, 1000, 4000];

function grid(seeds: number): WhySettings[] {
  const hidden = (...rates: number[]) => rates.map((hiddenRate) => ({ inputRate: 0, hiddenRate }));
  const vary = <T>(samples: number, choices: readonly T[]) =>
    choices.map((choice) => ({ ...PLAIN, samples, ...choice }));
  const settings = [
    // How much dropout, and is it the amount of data?
    ...vary(1000, [NONE, ...hidden(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), MILD, STRONG]),
    ...[250, 4000].flatMap((samples) => vary(samples, [NONE, ...hidden(0.2, 0.5, 0.8), MILD, STRONG])),
    // Is it the learning rate?
    ...AMOUNTS.flatMap((samples) =>
      [5e-4, 3e-3].flatMap((lr) => vary(samples, [{ ...NONE, lr }, { ...STRONG, lr }]))
    ),
    // Does weight decay do the same, or more? The less data, the stronger.
    ...[250, 1000].flatMap((samples) =>
      vary(samples, [
        ...[1e-3, 3e-3, 1e-2].map((weightDecay) => ({ ...NONE, weightDecay })),
        ...[1e-3, 3e-3].map((weightDecay) => ({ ...STRONG, weightDecay })),
      ])
    ),
    ...vary(4000, [
      ...[3e-4, 1e-3, 3e-3].map((weightDecay) => ({ ...NONE, weightDecay })),
      ...[3e-4, 1e-3].map((weightDecay) => ({ ...MILD, weightDecay })),
    ]),
    // Is it the budget?
    ...vary(4000, [NONE, { ...NONE, weightDecay: 1e-3 }, MILD].map((choice) => ({ ...choice, steps: 6000 }))),
    // Is it the size of the images and of the network?
    ...vary(1000, [NONE, MILD, STRONG].map((rates) => ({ ...rates, side: 28 as DigitSide }))),
  ];
  return settings.flatMap((setting) => Array.from({ length: seeds }, (_, seed) => ({ seed, ...setting })));
}

async function run(settings: WhySettings): Promise<WhyMeasured> {
  const { seed, side, samples, inputRate, hiddenRate, lr, weightDecay, steps } = settings;
  const digits = await loadDigits({ side });
  const sample = trainingSample(digits.train, samples, seed);
  const model = classifier({ seed, side, inputRate, hiddenRate });
  const optimizer = new Adam(model.parameters(), { lr, weightDecay });
  const [onSample, onValidation, onTest]: Evaluation[][] = [[], [], []];
  const onStep = (step: number) => {
    if (!CHECKPOINTS.includes(step)) return;
    onSample.push(evaluate(model, sample));
    onValidation.push(evaluate(model, digits.validation));
    onTest.push(evaluate(model, digits.test));
  };
  train(model, sample, { steps, optimizer, seed, onStep });
  return {
    trainLoss: onSample.map(({ loss }) => loss),
    validationLoss: onValidation.map(({ loss }) => loss),
    validationError: onValidation.map(({ error }) => error),
    testLoss: onTest.map(({ loss }) => loss),
    testError: onTest.map(({ error }) => error),
    ...describeFirstLayer(model, digits.test),
  };
}

// ---- Where to stop ----

/** A network at one of the checkpoints. */
export type Stop = {
  /** Of the run: `estimateDifference` pairs by it. */
  seed: number;
  /** Steps until then. */
  step: number;
  /** Cross-entropy on the digits to report on. */
  loss: number;
  /** Fraction of these that is classified wrongly. */
  error: number;
};

/** The end of a run, after the last step. */
export function atEnd(row: WhyRow): Stop {
  return stopAt(row, row.testLoss.length - 1);
}

/** Early stopping: the checkpoint where the loss on the digits to choose on is lowest. */
export function atBest(row: WhyRow): Stop {
  const losses = row.validationLoss.map(orInfinity);
  return stopAt(row, losses.indexOf(Math.min(...losses)));
}

/**
 * Of several settings the one whose loss on the digits to choose on is lowest, on average over its seeds.
 *
 * @param rows Of settings to choose from, each with all seeds.
 * @param stop Whether each run goes to its end, or is stopped where it is best.
 * @returns The rows of that setting.
 */
export function choose(rows: readonly WhyRow[], stop: "at the end" | "at the best"): WhyRow[] {
  const loss = ({ validationLoss }: WhyRow) =>
    stop === "at the end" ? orInfinity(validationLoss.at(-1)!) : Math.min(...validationLoss.map(orInfinity));
  const settings = Map.groupBy(rows, (row) => JSON.stringify(settingsOf(row)));
  const byLoss = [...settings.values()].map((own) => ({ own, loss: average(own.map(loss)) }));
  return byLoss.reduce((best, other) => other.loss < best.loss ? other : best).own;
}

function settingsOf(
  { side, samples, inputRate, hiddenRate, lr, weightDecay, steps }: WhyRow,
): Omit<WhySettings, "seed"> {
  return { side, samples, inputRate, hiddenRate, lr, weightDecay, steps };
}

function stopAt({ seed, testLoss, testError }: WhyRow, i: number): Stop {
  return { seed, step: CHECKPOINTS[i], loss: testLoss[i], error: testError[i] };
}

// ---- Tables and curves ----

/** A mean over seeds at one step. */
export type CurvePoint = Estimate & {
  /** Steps taken until then. */
  step: number;
};

/** A loss by step: the mean over rows of one setting, one for each seed. */
export function lossCurve(rows: readonly WhyRow[], loss: "trainLoss" | "testLoss"): CurvePoint[] {
  const steps = CHECKPOINTS.slice(0, rows[0].testLoss.length);
  return steps.map((step, i) => ({ step, ...estimate(rows, (row) => row[loss][i]) }));
}

/** What one does against overfitting, and what it comes to on the digits to report on. */
export type Remedy = {
  /** Digits to train from. */
  samples: number;
  /** What is done. */
  remedy: string;
  /** The settings with the lowest loss on the digits to choose on: rates, learning rate, weight decay. */
  chosen: WhySettings;
  /** Its runs, each at its end or where it was stopped; one for each seed. */
  stops: Stop[];
  /** Cross-entropy. */
  loss: Estimate;
  /** Fraction that is classified wrongly. */
  error: Estimate;
};

const REMEDIES: readonly {
  remedy: string;
  drops: "nothing" | "hidden units" | "pixels, too";
  weightDecay: boolean;
  stop: "at the end" | "at the best";
}[] = [
  { remedy: "nothing", drops: "nothing", weightDecay: false, stop: "at the end" },
  { remedy: "early stopping", drops: "nothing", weightDecay: false, stop: "at the best" },
  { remedy: "weight decay", drops: "nothing", weightDecay: true, stop: "at the end" },
  { remedy: "dropout, hidden units", drops: "hidden units", weightDecay: false, stop: "at the end" },
  { remedy: "dropout, pixels and hidden", drops: "pixels, too", weightDecay: false, stop: "at the end" },
];

/** What helps against overfitting: the remedies, each with its best settings, for each amount of data. */
export function summarizeWhy(rows: readonly WhyRow[]): Remedy[] {
  const comparable = selectRows(rows, { side: PLAIN.side, steps: PLAIN.steps });
  return groupRows(comparable, "samples").flatMap((own) =>
    REMEDIES.map(({ remedy, drops, weightDecay, stop }) => {
      const candidates = own.filter((row) => dropped(row) === drops && (row.weightDecay > 0) === weightDecay);
      const best = choose(candidates, stop);
      const stops = best.map(stop === "at the end" ? atEnd : atBest);
      return {
        samples: own[0].samples,
        remedy,
        chosen: { ...settingsOf(best[0]), seed: best[0].seed },
        stops,
        loss: estimate(stops, ({ loss }) => loss),
        error: estimate(stops, ({ error }) => error),
      };
    })
  ).toSorted((a, b) => a.samples - b.samples);
}

function dropped({ inputRate, hiddenRate }: WhySettings): (typeof REMEDIES)[number]["drops"] {
  if (inputRate > 0) return "pixels, too";
  return hiddenRate > 0 ? "hidden units" : "nothing";
}

// ---- What the first layer learned ----

/** What describes a first hidden layer. */
export type FirstLayer = Pick<WhyMeasured, "active" | "correlation" | "pixelsUsed" | "roughness">;

/** What the first hidden layer of a classifier learned, by its weights and by its activations for some digits. */
export function describeFirstLayer(model: Sequential, { images }: DigitSet): FirstLayer {
  const linear = model.namedChildren().map(([, layer]) => layer).find((layer) => layer instanceof Linear)!;
  const activations = new ReLU()(linear(images));
  return { ...describeActivations(activations), ...describeWeights(linear.weight) };
}

function describeActivations(activations: Tensor): Pick<FirstLayer, "active" | "correlation"> {
  const n = activations.shape[0];
  const centered = subtract(activations, mean(activations, { axis: 0 }));
  const covariance = matmul(centered, centered, { transposeA: true });
  const units = covariance.shape[0];
  const deviation = Array.from({ length: units }, (_, i) => Math.sqrt(covariance.at(i, i)));
  const correlations: number[] = [];
  for (let i = 0; i < units; i++) {
    for (let j = 0; j < i; j++) {
      const scale = deviation[i] * deviation[j];
      if (scale > 0) correlations.push(Math.abs(covariance.at(i, j)) / scale);
    }
  }
  const active = activations.data.filter((value) => value > 0).length / (n * units);
  return { active, correlation: average(correlations) };
}

function describeWeights(weight: Tensor): Pick<FirstLayer, "pixelsUsed" | "roughness"> {
  const [units, pixels] = weight.shape;
  const side = Math.sqrt(pixels);
  const rows = Array.from(
    { length: units },
    (_, unit) => weight.data.subarray(unit * pixels, (unit + 1) * pixels),
  );
  const pixelsUsed = rows.map((w) => {
    const squares = Array.from(w, (value) => value * value);
    return total(squares) ** 2 / total(squares.map((square) => square * square));
  });
  const roughness = rows.map((w) => {
    const differences = Array.from(w, (value, i) => [
      ...(i % side < side - 1 ? [w[i + 1] - value] : []),
      ...(i + side < pixels ? [w[i + side] - value] : []),
    ]).flat();
    return average(differences.map((d) => d * d)) / (2 * average(Array.from(w, (value) => value * value)));
  });
  return { pixelsUsed: average(pixelsUsed), roughness: average(roughness) };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function average(values: readonly number[]): number {
  return total(values) / values.length;
}
