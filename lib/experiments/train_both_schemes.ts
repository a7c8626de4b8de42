/**
 * Standard and inverted dropout trained side by side: which learning rates make them the same?
 * @module
 */

import { checkOptions } from "../check.ts";
import { multiply, type Sequential, subtract, sum, type Tensor } from "../mod.ts";
import { evaluationLoss, gradientDescent, sampleData, scaleWeights, twoLayerNet } from "./two_layer_net.ts";

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
  checkOptions("trainBothSchemes", options, ["p", "steps", "seed", "standardRate", "rateRatio"]);
  const { p = 0.5, steps = 200, seed = 42, standardRate = 0.05, rateRatio = (1 - p) ** 2 } = options;
  const data = sampleData(64, 8, seed);
  const standard = twoLayerNet({ scheme: "standard", p, seed });
  const inverted = twoLayerNet({ scheme: "inverted", p, seed });
  inverted.loadStateDict(scaleWeights(standard.stateDict(), 1 - p));
  const trainings = [
    gradientDescent(standard, data, { weights: standardRate, biases: standardRate }),
    gradientDescent(inverted, data, { weights: standardRate * rateRatio, biases: standardRate }),
  ];
  const history: SideBySide[] = [];
  for (let step = 0; step <= steps; step++) {
    history.push({
      step,
      standardLoss: evaluationLoss(standard, data),
      invertedLoss: evaluationLoss(inverted, data),
      weightGap: relativeGap(weightsOf(inverted), weightsOf(standard).map((w) => multiply(w, 1 - p))),
    });
    trainings.forEach((takeStep) => takeStep());
  }
  return history;
}

function weightsOf(net: Sequential): Tensor[] {
  return net.parameters().filter(({ name }) => name.endsWith("weight")).map(({ value }) => value);
}

function relativeGap(actual: Tensor[], expected: Tensor[]): number {
  const square = (tensors: Tensor[]) =>
    tensors.reduce((total, tensor) => total + sum(multiply(tensor, tensor)), 0);
  return Math.sqrt(square(actual.map((tensor, i) => subtract(tensor, expected[i]))) / square(actual));
}
