/**
 * Two checkpoints of one network: training resumed from the wrong one.
 * @module
 */

import { checkOptions } from "../check.ts";
import type { StateDict } from "../mod.ts";
import { evaluationLoss, gradientDescent, sampleData, scaleWeights, twoLayerNet } from "./two_layer_net.ts";

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
  checkOptions("resumeTraining", options, ["p", "before", "after", "seed", "rate"]);
  const { p = 0.5, before = 100, after = 100, seed = 42, rate = 0.05 } = options;
  const data = sampleData(64, 8, seed);
  const train = (state: StateDict | undefined, from: ResumedLoss["from"], start: number, steps: number) => {
    const net = twoLayerNet({ scheme: "standard", p, seed, maskSeed: seed + start });
    if (state !== undefined) net.loadStateDict(state);
    const step = gradientDescent(net, data, { weights: rate, biases: rate });
    const losses = Array.from({ length: steps }, (_, i): ResumedLoss => {
      const loss = evaluationLoss(net, data);
      step();
      return { from, step: start + i, loss };
    });
    return { state: net.stateDict(), losses };
  };

  const first = train(undefined, "training checkpoint", 0, before);
  const right = train(first.state, "training checkpoint", before, after);
  const wrong = train(scaleWeights(first.state, 1 - p), "inference checkpoint", before, after);
  return [...first.losses, ...right.losses, ...wrong.losses];
}
