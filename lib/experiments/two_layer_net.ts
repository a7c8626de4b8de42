/**
 * A network with one hidden layer, small enough to read, with dropout in front of both of its matrices.
 * @module
 */

import {
  add,
  defaultRng,
  type DropoutLayer,
  inferenceWeight,
  InvertedDropout,
  type Mask,
  matmul,
  mean,
  multiply,
  StandardDropout,
  subtract,
  sum,
  Tensor,
  transpose,
} from "../mod.ts";

/** Weights and biases: `hidden` of shapes [features, units] and [units], `output` of shapes [units, 1] and [1]. */
export interface Parameters {
  /** Weights of both layers. */
  weights: [hidden: Tensor, output: Tensor];
  /** Biases of both layers. */
  biases: [hidden: Tensor, output: Tensor];
}

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

/** The two dropout layers: in front of the hidden layer's matrix, and of the output layer's. */
export type DropoutPair = [DropoutLayer<Mask | number | null>, DropoutLayer<Mask | number | null>];

/** Two layers of standard or inverted dropout; the same seed gives both schemes the same masks. */
export function dropoutPair(scheme: "standard" | "inverted", p: number, seed: number): DropoutPair {
  const make = (place: number) =>
    scheme === "standard"
      ? new StandardDropout(p, { seed: [seed, place] })
      : new InvertedDropout(p, { seed: [seed, place] });
  return [make(0), make(1)] as DropoutPair;
}

/** Random weights of the size that keeps activations at their scale (He et al. 2015), and small random biases. */
export function initialize(features: number, units: number, seed: number): Parameters {
  const rng = defaultRng(seed);
  const normal = (shape: number[], scale: number) =>
    multiply(new Tensor(rng.standardNormal(shape.reduce((n, m) => n * m, 1)), shape), scale);
  return {
    weights: [normal([features, units], Math.sqrt(2 / features)), normal([units, 1], Math.sqrt(2 / units))],
    biases: [normal([units], 0.1), normal([1], 0.1)],
  };
}

/** Noisy samples of a smooth function of `features` inputs. */
export function sampleData(samples: number, features: number, seed: number): Data {
  const rng = defaultRng([seed, 1]);
  const x = new Tensor(rng.standardNormal(samples * features), [samples, features]);
  const y = new Float64Array(samples).map((_, i) =>
    Math.sin(x.at(i, 0)) + 0.5 * x.at(i, 1) * x.at(i, 2) + 0.1 * rng.standardNormal()
  );
  return { x, y: new Tensor(y, [samples, 1]) };
}

/** The network's output for `x`, of shape [samples, 1], in the mode that the dropout layers are in. */
export function predict(net: Parameters, dropout: DropoutPair, x: Tensor): Tensor {
  return forward(net, dropout, x).output;
}

/** Mean square of the distance between two tensors. */
export function meanSquaredError(output: Tensor, y: Tensor): number {
  const error = subtract(output, y);
  return mean(multiply(error, error));
}

/**
 * One step of gradient descent on the mean squared error, over the whole batch.
 *
 * @returns New parameters; `net` is not changed.
 */
export function trainingStep(
  net: Parameters,
  dropout: DropoutPair,
  { x, y }: Data,
  rates: LearningRates,
): Parameters {
  const { inputs, before, hidden, output } = forward(net, dropout, x);
  const gradOutput = multiply(subtract(output, y), 2 / output.size);
  const gradHidden = dropout[1].backward(matmul(gradOutput, transpose(net.weights[1])));
  const gradBefore = gradHidden.map((g, i) => before.data[i] > 0 ? g : 0);
  const descend = (parameter: Tensor, gradient: Tensor, rate: number) =>
    subtract(parameter, multiply(gradient, rate));
  return {
    weights: [
      descend(net.weights[0], matmul(transpose(inputs), gradBefore), rates.weights),
      descend(net.weights[1], matmul(transpose(hidden), gradOutput), rates.weights),
    ],
    biases: [
      descend(net.biases[0], sum(gradBefore, { axis: 0 }), rates.biases),
      descend(net.biases[1], sum(gradOutput, { axis: 0 }), rates.biases),
    ],
  };
}

/** The weights that a plain network needs after training with standard dropout: (1 − p)·W, biases as they are. */
export function inferenceCheckpoint(net: Parameters, p: number): Parameters {
  const [hidden, output] = net.weights;
  return { weights: [inferenceWeight(hidden, p), inferenceWeight(output, p)], biases: net.biases };
}

function forward(net: Parameters, dropout: DropoutPair, x: Tensor) {
  const inputs = dropout[0].forward(x);
  const before = add(matmul(inputs, net.weights[0]), net.biases[0]);
  const hidden = dropout[1].forward(before.map((value) => Math.max(0, value)));
  const output = add(matmul(hidden, net.weights[1]), net.biases[1]);
  return { inputs, before, hidden, output };
}
