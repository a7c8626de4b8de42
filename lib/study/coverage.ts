/**
 * Does the spread of Monte Carlo dropout tell how wrong a network is? Coverage and spread in regression, by the number of
 * samples, with the weight decay that belongs to the noise, and beside an ensemble.
 *
 * The problem is x + 0.3·sin(2πx) with noise of 0.03, sampled in ±[0.2, 1]. Networks of 1–64–64–1 learn it in 1,000 steps of
 * Adam of at most 40 samples each, whose length falls to 0 in the second half.
 *
 * Sources: Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation"; Lakshminarayanan et al. 2017, "Simple and Scalable
 * Predictive Uncertainty Estimation using Deep Ensembles" (whose networks also predict the noise; these do not).
 * @module
 */

import { checkOptions, checkRange } from "../check.ts";
import type { Data } from "../experiments/two_layer_net.ts";
import { checkDropProbability } from "../mask.ts";
import {
  Adam,
  defaultRng,
  dropoutOnly,
  FastStream,
  InvertedDropout,
  Linear,
  monteCarlo,
  mseLoss,
  ReLU,
  Sequential,
  Tensor,
} from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { type Estimate, estimate, estimateDifference, groupRows, seedsTo, selectRows } from "./rows.ts";
import { trainModel } from "./problem.ts";

/** Which networks predict. */
export type CoverageSettings = {
  /** Passes of one network with dropout on, or one pass each of five networks without dropout. */
  method: "MC dropout" | "ensemble";
  /** Drop probability after both hidden layers; 0 in an ensemble. */
  p: number;
  /** Training samples. */
  n: number;
  /** The same weight decay for every `n`, or the one that belongs to the noise of the samples. */
  decay: "fixed" | "of the noise";
  /** Each seed has two networks (or ensembles), 0 and 1, which share nothing. */
  network: number;
  /** Decides samples, initial weights, order and masks, together with the network. */
  seed: number;
};

/** How the spread compares with the error, in each of `REGIONS`. */
export type CoverageResult = {
  /** Share of the inputs at which the truth lies within two spreads of the mean. */
  covered: number[];
  /** The same for new noisy samples, with the noise 1/τ of the weight decay added to the variance; empty in an ensemble. */
  coveredNoisy: number[];
  /** Standard deviation over passes or networks, a mean over the inputs. */
  spread: number[];
  /** Root mean square of mean minus truth. */
  error: number[];
};

/** One run. */
export type CoverageRow = CoverageSettings & CoverageResult;

/** Between the samples; in the hole that they leave in the middle, which is different for each seed; beyond them. */
export const REGIONS = ["data", "hole", "outside"] as const;

/** The function behind the samples. */
export function truth(x: number): number {
  return x + 0.3 * Math.sin(2 * Math.PI * x);
}

/** Standard deviation of the samples' noise. */
const NOISE = 0.03;
const FIXED_DECAY = 1e-4;
const [PASSES, MEMBERS, STEPS, BATCH] = [100, 5, 1000, 40];

/** Coverage and spread by rate, number of samples and weight decay, in two networks for each seed. */
export const coverage: Experiment<CoverageSettings, CoverageResult> = {
  name: "coverage",
  version: 1,
  grid: (seeds) => {
    const methods = [
      ...[0.05, 0.1, 0.2].map((p) => ({ method: "MC dropout" as const, p })),
      { method: "ensemble" as const, p: 0 },
    ];
    return methods.flatMap(({ method, p }) =>
      [10, 40, 160, 640, 2560].flatMap((n) =>
        (["fixed", "of the noise"] as const)
          .filter((decay) => method === "MC dropout" || decay === "fixed")
          .flatMap((decay) =>
            [0, 1].flatMap((network) =>
              seedsTo(seeds).map((seed) => ({ method, p, n, decay, network, seed }))
            )
          )
      )
    );
  },
  run: (settings) => {
    const { method, p, n, decay } = settings;
    const seed = ownSeed(settings);
    const data = samples(n, seed);
    const weightDecay = decayOf(decay, p, n);
    const inputs = Array.from({ length: 81 }, (_, i) => (i - 40) / 20);
    const x = new Tensor(Float64Array.from(inputs), [inputs.length, 1]);
    const networks = Array.from({ length: method === "ensemble" ? MEMBERS : 1 }, (_, member) => {
      const model = trainNetwork(data, { p, weightDecay, seed, member });
      return method === "ensemble" ? model.eval() : dropoutOnly(model);
    });
    const outputs = method === "ensemble" ? MEMBERS : PASSES;
    const { mean, standardError } = monteCarlo((i) => networks[i % networks.length].forward(x), outputs);
    const noise = method === "ensemble" ? undefined : 1 / tauOf({ weightDecay, p, n });
    const predictions = inputs.map((input, i) => (
      { input, mean: mean.data[i], spread: standardError.data[i] * Math.sqrt(outputs) }
    ));
    return compareWithTruth(predictions, data.x, noise, seed);
  },
};

/** A seed for each network. */
function ownSeed({ seed, network }: Pick<CoverageSettings, "seed" | "network">): number {
  return 2 * seed + network;
}

function decayOf(decay: CoverageSettings["decay"], p: number, n: number): number {
  return decay === "fixed" ? FIXED_DECAY : weightDecayFor({ tau: 1 / NOISE ** 2, p, n });
}

/** Noisy samples, half of them at negative inputs. */
function samples(n: number, seed: number): Data {
  const rng = defaultRng([seed, 1]);
  const x = new Tensor(
    Float64Array.from({ length: n }, (_, i) => (0.2 + 0.8 * rng.random()) * (i % 2 === 0 ? 1 : -1)),
    [n, 1],
  );
  return { x, y: x.map((value) => truth(value) + NOISE * rng.standardNormal()) };
}

/** What decides a trained network besides its samples. */
interface NetworkSettings {
  p: number;
  weightDecay: number;
  seed: number;
  member: number;
}

function trainNetwork(data: Data, { p, weightDecay, seed, member }: NetworkSettings): Sequential {
  const rng = new FastStream([seed, 2, member]);
  const model = new Sequential(
    new Linear(1, 64, { rng }),
    new ReLU(),
    new InvertedDropout(p, { seed: [seed, 3, member] }),
    new Linear(64, 64, { rng }),
    new ReLU(),
    new InvertedDropout(p, { seed: [seed, 4, member] }),
    new Linear(64, 1, { rng }),
  );
  const optimizer = new Adam(model.parameters(), { lr: 0.005, weightDecay });
  const batch = Math.min(BATCH, data.x.shape[0]);
  trainModel(model, optimizer, { train: data, lossOf: mseLoss }, {
    steps: STEPS,
    batch,
    rng: new FastStream([seed, 5, member]),
    schedule: (done) => Math.min(1, 2 * (1 - done)), // else an ensemble's spread is that of the last steps
  });
  return model;
}

/** What ties precision and weight decay together. */
export interface PriorOptions {
  /** Drop probability, in [0, 1). */
  p: number;
  /** Training samples. */
  n: number;
  /** Length scale of the prior: the smaller, the faster the functions that it expects vary. Default 1. */
  lengthScale?: number;
}

/**
 * The weight decay that belongs to a precision τ, one over the variance of the noise, for the mean squared error and weights
 * that follow inverted dropout.
 *
 * Gal and Ghahramani have τ = (1 − p)·l² / (2Nλ) for the loss (1/N)·Σ½(y − ŷ)² + λ‖M‖² and standard dropout. Here the loss
 * is twice theirs, the penalty is ½·weightDecay·‖W‖², and W = (1 − p)·M, so that weightDecay = 4λ/(1 − p)² = 2l² / ((1 − p)Nτ).
 *
 * @param options.tau Precision, above 0.
 * @throws {RangeError} if a value is out of range.
 * @throws {TypeError} if an option is not known.
 */
export function weightDecayFor(options: PriorOptions & { tau: number }): number {
  checkOptions("weightDecayFor", options, ["tau", "p", "n", "lengthScale"]);
  return otherOf(options, options.tau);
}

/**
 * The precision τ that belongs to a weight decay: the inverse of `weightDecayFor`.
 *
 * @param options.weightDecay As `Adam` has it, above 0.
 * @throws {RangeError} if a value is out of range.
 * @throws {TypeError} if an option is not known.
 */
export function tauOf(options: PriorOptions & { weightDecay: number }): number {
  checkOptions("tauOf", options, ["weightDecay", "p", "n", "lengthScale"]);
  return otherOf(options, options.weightDecay);
}

/** τ · weightDecay is known: either one gives the other. */
function otherOf({ p, n, lengthScale = 1 }: PriorOptions, one: number): number {
  checkDropProbability(p, "[0, 1)");
  for (const [name, value] of Object.entries({ n, lengthScale, "τ or weightDecay": one })) {
    checkRange(name, value);
    if (value === 0) throw new RangeError(`${name} must be above 0, got 0`);
  }
  return 2 * lengthScale ** 2 / ((1 - p) * n * one);
}

/** What is predicted for one input. */
export interface InputPrediction {
  /** The input. */
  input: number;
  /** Mean over passes or networks. */
  mean: number;
  /** Standard deviation over them. */
  spread: number;
}

/**
 * Coverage, spread and error in each of `REGIONS`.
 *
 * @param x Training inputs: they say where the hole is.
 * @param noise Variance of new samples beside that of the mean; without it, `coveredNoisy` is empty.
 * @param seed Of the new samples.
 */
export function compareWithTruth(
  predictions: readonly InputPrediction[],
  x: Tensor,
  noise: number | undefined,
  seed: number,
): CoverageResult {
  const rng = defaultRng([seed, 6]);
  const all = predictions.map(({ input, mean, spread }) => {
    const error = mean - truth(input);
    const sampleError = error - NOISE * rng.standardNormal();
    return { region: regionOf(input, x.data), spread, error, sampleError };
  });
  const perRegion = REGIONS.map((region) => all.filter((prediction) => prediction.region === region));
  const means = (of: (prediction: typeof all[number]) => number) =>
    perRegion.map((own) => own.reduce((total, prediction) => total + of(prediction), 0) / own.length);
  return {
    covered: means(({ error, spread }) => Number(Math.abs(error) <= 2 * spread)),
    coveredNoisy: noise === undefined
      ? []
      : means(({ sampleError, spread }) =>
        Number(Math.abs(sampleError) <= 2 * Math.sqrt(spread ** 2 + noise))
      ),
    spread: means(({ spread }) => spread),
    error: means(({ error }) => error ** 2).map(Math.sqrt),
  };
}

function regionOf(input: number, x: ArrayLike<number>): typeof REGIONS[number] {
  let [lowest, left, right, highest] = [0, -Infinity, Infinity, 0];
  for (let i = 0; i < x.length; i++) {
    [lowest, highest] = [Math.min(lowest, x[i]), Math.max(highest, x[i])];
    if (x[i] < 0) left = Math.max(left, x[i]);
    else right = Math.min(right, x[i]);
  }
  if (input < lowest || input > highest) return "outside";
  return input > left && input < right ? "hole" : "data";
}

/** Coverage in one region. */
export type CoverageCell = Omit<CoverageSettings, "seed" | "network"> & {
  /** Where. */
  region: typeof REGIONS[number];
  /** Standard deviation of the noise that the weight decay stands for, 1/√τ; the samples' is 0.03. */
  impliedNoise: number | null;
  /** Share of the inputs whose truth is within two spreads: the mean over networks. */
  covered: Estimate;
  /** The same for noisy samples and the predictive variance. */
  coveredNoisy: Estimate | null;
  /** The mean spread. */
  spread: Estimate;
  /** The spread relative to that with 10 samples: the mean of log₂, paired by network. */
  shrinks: Estimate | null;
  /** The error. */
  error: Estimate;
};

/** The table of `coverage`. */
export function summarizeCoverage(runs: readonly CoverageRow[]): CoverageCell[] {
  const rows = runs.map((row) => ({ ...row, seed: ownSeed(row) })); // so that networks are paired
  return groupRows(rows, "method", "p", "decay", "n").flatMap((group) => {
    const { method, p, decay, n } = group[0];
    const few = selectRows(rows, { method, p, decay, n: 10 });
    return REGIONS.map((region, i) => ({
      method,
      p,
      n,
      decay,
      region,
      impliedNoise: method === "ensemble"
        ? null
        : 1 / Math.sqrt(tauOf({ weightDecay: decayOf(decay, p, n), p, n })),
      covered: estimate(group, (row) => row.covered[i]),
      coveredNoisy: method === "ensemble" ? null : estimate(group, (row) => row.coveredNoisy[i]),
      spread: estimate(group, (row) => row.spread[i]),
      shrinks: n === 10 ? null : estimateDifference(group, few, (row) => Math.log2(row.spread[i])),
      error: estimate(group, (row) => row.error[i]),
    }));
  });
}
