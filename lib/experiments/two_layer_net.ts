/**
 * A network with one hidden layer and dropout before both of its matrices, in either scheme, and data for it.
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  defaultRng,
  InvertedDropout,
  Linear,
  mseLoss,
  multiply,
  ReLU,
  Sequential,
  SGD,
  StandardDropout,
  type StateDict,
  Tensor,
  transpose,
} from "../mod.ts";

/** Inputs of shape [samples, features] and targets of shape [samples, 1]. */
export interface Data {
  /** The inputs. */
  x: Tensor;
  /** The targets. */
  y: Tensor;
}

/** Step lengths of gradient descent. */
export interface LearningRates {
  /** For the weights. */
  weights: number;
  /** For the biases. */
  biases: number;
}

/** Which network to make. */
export interface NetOptions {
  /** How its dropout layers scale. */
  scheme: "standard" | "inverted";
  /** Drop probability of both dropout layers, in [0, 1). */
  p: number;
  /** Seed of the initial weights: the same for both schemes. */
  seed: number;
  /** Seed of the masks: the same for both schemes. By default that of the weights. */
  maskSeed?: number;
}

const [FEATURES, UNITS] = [8, 32];

/**
 * Dropout, 8 → 32, ReLU, dropout, 32 → 1; in training mode. Weights are random, of the size that keeps activations at
 * their scale (He et al. 2015), and biases are small and random.
 */
export function twoLayerNet(options: NetOptions): Sequential {
  checkOptions("twoLayerNet", options, ["scheme", "p", "seed", "maskSeed"]);
  const { scheme, p, seed, maskSeed = seed } = options;
  const Dropout = scheme === "standard" ? StandardDropout : InvertedDropout;
  const dropout = (place: number) => new Dropout(p, { rng: defaultRng([maskSeed, place]) });
  const rng = defaultRng(seed);
  const [hidden, output] = [new Linear(FEATURES, UNITS, { rng }), new Linear(UNITS, 1, { rng })];
  const normals = defaultRng(seed);
  const initialize = (to: Tensor, values: Tensor, scale: number) => to.data.set(multiply(values, scale).data);
  for (const { weight, inFeatures, outFeatures } of [hidden, output]) {
    const values = transpose(normals.standardNormal([inFeatures, outFeatures]));
    initialize(weight, values, Math.sqrt(2 / inFeatures));
  }
  for (const { bias } of [hidden, output]) initialize(bias!, normals.standardNormal(bias!.shape), 0.1);
  return new Sequential(dropout(0), hidden, new ReLU(), dropout(1), output);
}

/** Noisy samples of a smooth function of `features` inputs. */
export function sampleData(samples: number, features: number, seed: number): Data {
  const rng = defaultRng([seed, 1]);
  const x = rng.standardNormal([samples, features]);
  const y = new Float64Array(samples).map((_, i) =>
    Math.sin(x.at(i, 0)) + 0.5 * x.at(i, 1) * x.at(i, 2) + 0.1 * rng.standardNormal()
  );
  return { x, y: new Tensor(y, [samples, 1]) };
}

/** Mean squared error in evaluation mode; the network is left in training mode. */
export function evaluationLoss(net: Sequential, { x, y }: Data): number {
  const { loss } = mseLoss(net.eval()(x), y);
  net.train();
  return loss;
}

/** Gradient descent on the mean squared error, over the whole batch. @returns Takes one step. */
export function gradientDescent(net: Sequential, { x, y }: Data, rates: LearningRates): () => void {
  const [weights, biases] = [false, true].map((isBias) =>
    net.parameters().filter(({ name }) => name.endsWith("bias") === isBias)
  );
  const optimizers = [new SGD(weights, { lr: rates.weights }), new SGD(biases, { lr: rates.biases })];
  return () => {
    net.backward(mseLoss(net(x), y).grad);
    optimizers.forEach((optimizer) => optimizer.step());
  };
}

/** A copy of a network's state with its weights multiplied, and its biases as they are. */
export function scaleWeights(state: StateDict, factor: number): StateDict {
  const entries = Object.entries(state);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name.endsWith("weight") ? multiply(value, factor) : value]),
  );
}
