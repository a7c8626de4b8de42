/**
 * Dropout as approximate Bayesian inference: many passes with dropout on give a mean and a spread.
 *
 * Source: Y. Gal and Z. Ghahramani, "Dropout as a Bayesian Approximation" (ICML 2016).
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  Adam,
  BatchNorm,
  defaultRng,
  dropoutOnly,
  InvertedDropout,
  type Layer,
  Linear,
  monteCarlo,
  mseLoss,
  ReLU,
  Sequential,
  Tensor,
} from "../mod.ts";

/** Which network to train on which data. */
export interface McDropoutOptions {
  /** Drop probability behind both hidden layers, in [0, 1). Default 0.1. */
  p?: number;
  /** Seed of data, weights and masks. Default 42. */
  seed?: number;
  /** Steps of Adam. Default 1000. */
  steps?: number;
  /** Put a BatchNorm behind the first layer. Default false. */
  batchNorm?: boolean;
}

/** A network that was trained, and what it was trained on. */
export interface TrainedRegression {
  /** 1–64–64–1, with ReLU and inverted dropout; in evaluation mode. */
  model: Sequential;
  /** Inputs of shape [40, 1], in [−1, −0.2] and [0.2, 1]: none in between, none outside. */
  x: Tensor;
  /** Noisy values of x + 0.3·sin(2πx), of shape [40, 1]. */
  y: Tensor;
}

/** What T passes say about one input. */
export interface Prediction {
  /** The input. */
  x: number;
  /** Mean of the passes. */
  mean: number;
  /** Standard deviation of the passes: how unsure the network is. */
  spread: number;
  /** Standard error of the spread, √(1/2(T − 1)) of it. */
  spreadError: number;
  /** Output of one pass in evaluation mode. */
  evaluation: number;
}

/** The function behind the data. */
export function truth(x: number): number {
  return x + 0.3 * Math.sin(2 * Math.PI * x);
}

/** Trains the network on 40 noisy points that leave out the middle and everything beyond ±1. */
export function trainRegression(options: McDropoutOptions = {}): TrainedRegression {
  checkOptions("trainRegression", options, ["p", "seed", "steps", "batchNorm"]);
  const { p = 0.1, seed = 42, steps = 1000, batchNorm = false } = options;
  const data = defaultRng([seed, 1]);
  const inputs = Float64Array.from(
    { length: 40 },
    (_, i) => (0.2 + 0.8 * data.random()) * (i % 2 === 0 ? 1 : -1),
  );
  const x = new Tensor(inputs, [40, 1]);
  const y = x.map((value) => truth(value) + 0.03 * data.standardNormal());
  const rng = defaultRng([seed, 2]);
  const model = new Sequential(
    new Linear(1, 64, { rng }),
    ...(batchNorm ? [new BatchNorm(64)] : []),
    new ReLU(),
    new InvertedDropout(p, { rng: defaultRng([seed, 3]) }),
    new Linear(64, 64, { rng }),
    new ReLU(),
    new InvertedDropout(p, { rng: defaultRng([seed, 4]) }),
    new Linear(64, 1, { rng }),
  );
  const optimizer = new Adam(model.parameters(), { lr: 0.005, weightDecay: 1e-4 });
  for (let step = 0; step < steps; step++) {
    model.backward(mseLoss(model(x), y).grad);
    optimizer.step();
  }
  return { model: model.eval(), x, y };
}

/**
 * Mean and spread of T passes in the mode that the model is in; it is in evaluation mode afterwards.
 *
 * @param model From one input to one output.
 * @param xs The inputs; they go through the network as one batch.
 * @param passes T, at least 2.
 */
export function predictWithSpread(model: Layer, xs: readonly number[], passes: number): Prediction[] {
  const x = new Tensor(Float64Array.from(xs), [xs.length, 1]);
  const { mean, standardError } = monteCarlo(() => model.forward(x), passes);
  const evaluation = model.eval().forward(x);
  return xs.map((value, i) => {
    const spread = standardError.data[i] * Math.sqrt(passes);
    return {
      x: value,
      mean: mean.data[i],
      spread,
      spreadError: spread / Math.sqrt(2 * (passes - 1)),
      evaluation: evaluation.data[i],
    };
  });
}

/** How spread and error compare in one region. */
export interface RegionResult {
  /** Drop probability of the network. */
  p: number;
  /** Seed of the network. */
  seed: number;
  /** Where: among the data, in the gap between them, or beyond them. */
  region: "data" | "gap" | "outside";
  /** Mean spread there. */
  spread: number;
  /** Share of the inputs at which the truth lies within mean ± 2 spreads. */
  covered: number;
}

/**
 * Trains a network for each rate and seed, and compares its spread with its error over [−2, 2].
 *
 * @param steps Steps of training for each network.
 */
export function compareSpreadWithError(
  rates: readonly number[],
  seeds: readonly number[],
  steps = 500,
): RegionResult[] {
  const grid = Array.from({ length: 81 }, (_, i) => (i - 40) / 20);
  return rates.flatMap((p) =>
    seeds.flatMap((seed) => {
      const { model } = trainRegression({ p, seed, steps });
      const predictions = predictWithSpread(dropoutOnly(model), grid, 100);
      return (["data", "gap", "outside"] as const).map((region) => {
        const own = predictions.filter(({ x }) => regionOf(x) === region);
        const hits = own.filter(({ x, mean, spread }) => Math.abs(mean - truth(x)) < 2 * spread);
        const spread = own.reduce((total, prediction) => total + prediction.spread, 0) / own.length;
        return { p, seed, region, spread, covered: hits.length / own.length };
      });
    })
  );
}

function regionOf(x: number): RegionResult["region"] {
  return Math.abs(x) < 0.2 ? "gap" : Math.abs(x) <= 1 ? "data" : "outside";
}

/** What a network says about one input among the companions of one batch. */
export interface CompanionResult {
  /** Which layers are in training mode. */
  mode: "dropout only" | "everything";
  /** Standard deviation of the companions. */
  companions: number;
  /** Mean of the passes. */
  mean: number;
  /** Standard error of that mean. */
  standardError: number;
}

/**
 * Predicts one input in batches of 20 whose other members are wider and wider spread, with dropout on; once with
 * everything else in evaluation mode, once with everything in training mode (which also moves running statistics).
 *
 * @param model From one input to one output.
 * @param x The input.
 * @param widths Standard deviations of the companions, one batch each.
 */
export function predictAmongCompanions(
  model: Layer,
  x: number,
  widths: readonly number[],
): CompanionResult[] {
  const rng = defaultRng(8);
  const batches = widths.map((width) => {
    const others = Array.from({ length: 19 }, () => width * rng.standardNormal());
    return new Tensor(Float64Array.of(x, ...others), [20, 1]);
  });
  const predict = (mode: CompanionResult["mode"]) =>
    batches.map((batch, i) => {
      const { mean, standardError } = monteCarlo(() => model.forward(batch).data[0], 300);
      return { mode, companions: widths[i], mean, standardError };
    });
  dropoutOnly(model);
  const careful = predict("dropout only");
  model.train();
  return [...careful, ...predict("everything")];
}
