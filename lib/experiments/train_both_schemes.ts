/**
 * Standard and inverted dropout trained side by side: which learning rates make them the same?
 * @module
 */

import { multiply, subtract, sum, type Tensor } from "../mod.ts";
import {
  dropoutPair,
  initialize,
  type LearningRates,
  meanSquaredError,
  type Parameters,
  predict,
  sampleData,
  trainingStep,
} from "./two_layer_net.ts";

/** One step of both trainings. */
export interface SideBySide {
  /** How many steps were taken before. */
  step: number;
  /** Mean squared error of the standard network in evaluation mode. */
  standardLoss: number;
  /** The same of the inverted network. */
  invertedLoss: number;
  /** ‖W_inverted − (1 − p)·W_standard‖ / ‖W_inverted‖, over both layers. */
  weightGap: number;
}

/** How to train both. */
export interface TrainBothOptions {
  /** Drop probability of both layers, in [0, 1). Default 0.5. */
  p?: number;
  /** Steps of gradient descent. Default 200. */
  steps?: number;
  /** Seed of data, initial weights and masks. Default 42. */
  seed?: number;
  /** Step length of the standard network, for weights and biases. Default 0.05. */
  standardRate?: number;
  /** Step length for the inverted network's weights, relative to the standard network's. Default (1 − p)². */
  rateRatio?: number;
}

/**
 * Trains two networks on 64 samples with the same masks; the inverted one starts at (1 − p) times the weights, so that
 * both compute the same function at first.
 *
 * @returns The state before the first step and after each.
 */
export function trainBothSchemes(options: TrainBothOptions = {}): SideBySide[] {
  const { p = 0.5, steps = 200, seed = 42, standardRate = 0.05, rateRatio = (1 - p) ** 2 } = options;
  const data = sampleData(64, 8, seed);
  let standard = initialize(8, 32, seed);
  let inverted: Parameters = { ...standard, weights: scaled(standard.weights, 1 - p) };
  const standardDropout = dropoutPair("standard", p, seed);
  const invertedDropout = dropoutPair("inverted", p, seed);
  const invertedRates: LearningRates = { weights: standardRate * rateRatio, biases: standardRate };
  const loss = (net: Parameters, dropout: typeof standardDropout) => {
    dropout.forEach((layer) => layer.eval());
    const value = meanSquaredError(predict(net, dropout, data.x), data.y);
    dropout.forEach((layer) => layer.train());
    return value;
  };
  const history: SideBySide[] = [];
  for (let step = 0; step <= steps; step++) {
    history.push({
      step,
      standardLoss: loss(standard, standardDropout),
      invertedLoss: loss(inverted, invertedDropout),
      weightGap: relativeGap(inverted.weights, scaled(standard.weights, 1 - p)),
    });
    standard = trainingStep(standard, standardDropout, data, { weights: standardRate, biases: standardRate });
    inverted = trainingStep(inverted, invertedDropout, data, invertedRates);
  }
  return history;
}

function scaled([hidden, output]: [Tensor, Tensor], factor: number): [Tensor, Tensor] {
  return [multiply(hidden, factor), multiply(output, factor)];
}

function relativeGap(actual: Tensor[], expected: Tensor[]): number {
  const square = (tensors: Tensor[]) =>
    tensors.reduce((total, tensor) => total + sum(multiply(tensor, tensor)), 0);
  return Math.sqrt(square(actual.map((tensor, i) => subtract(tensor, expected[i]))) / square(actual));
}
