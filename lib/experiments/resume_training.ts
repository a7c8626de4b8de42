/**
 * Two checkpoints of one network: training resumed from the wrong one.
 * @module
 */

import {
  dropoutPair,
  inferenceCheckpoint,
  initialize,
  meanSquaredError,
  type Parameters,
  predict,
  sampleData,
  trainingStep,
} from "./two_layer_net.ts";

/** The loss at one step. */
export interface ResumedLoss {
  /** Which checkpoint training went on from. */
  from: "training checkpoint" | "inference checkpoint";
  /** Steps since the beginning. */
  step: number;
  /** Mean squared error of the network, scaled properly for inference. */
  loss: number;
}

/** When to stop and resume. */
export interface ResumeOptions {
  /** Drop probability of both layers. Default 0.5. */
  p?: number;
  /** Steps before the checkpoint. Default 100. */
  before?: number;
  /** Steps after it. Default 100. */
  after?: number;
  /** Seed of data, weights and masks. Default 42. */
  seed?: number;
  /** Step length. Default 0.05. */
  rate?: number;
}

/**
 * Trains with standard dropout, saves the weights as training has them and as inference needs them, and goes on
 * training from each with the same masks.
 *
 * @returns The loss before each step: first the common part and its right continuation, then the wrong one.
 */
export function resumeTraining(options: ResumeOptions = {}): ResumedLoss[] {
  const { p = 0.5, before = 100, after = 100, seed = 42, rate = 0.05 } = options;
  const data = sampleData(64, 8, seed);
  const evaluation = dropoutPair("standard", p, seed);
  evaluation.forEach((layer) => layer.eval());

  const train = (net: Parameters, from: ResumedLoss["from"], start: number, steps: number) => {
    const dropout = dropoutPair("standard", p, seed + start);
    const losses: ResumedLoss[] = [];
    for (let step = start; step < start + steps; step++) {
      losses.push({ from, step, loss: meanSquaredError(predict(net, evaluation, data.x), data.y) });
      net = trainingStep(net, dropout, data, { weights: rate, biases: rate });
    }
    return { net, losses };
  };

  const first = train(initialize(8, 32, seed), "training checkpoint", 0, before);
  const right = train(first.net, "training checkpoint", before, after);
  const wrong = train(inferenceCheckpoint(first.net, p), "inference checkpoint", before, after);
  return [...first.losses, ...right.losses, ...wrong.losses];
}
