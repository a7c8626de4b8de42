/**
 * What goes wrong when weights must be scaled by hand at inference: four mistakes, in networks of growing depth.
 * @module
 */

import { checkOptions } from "../check.ts";
import { checkDropProbability } from "../mask.ts";
import { add, defaultRng, matmul, multiply, subtract, sum, Tensor } from "../mod.ts";

/** How somebody could scale the weights of a network that was trained with standard dropout. */
export type Mistake =
  | "all layers forgotten"
  | "rate too low"
  | "one layer forgotten"
  | "rate too high";

/** How far the output is off. */
export interface MistakeError {
  /** What was done wrong. */
  mistake: Mistake;
  /** The rate whose factor it puts on every layer, or on the first if that one is forgotten; the right one is p. */
  rate: number;
  /** Number of layers. */
  depth: number;
  /** Mean over the networks of ‖output − right output‖ / ‖right output‖. */
  error: number;
  /** Standard error of that mean. */
  standardError: number;
  /** What the error is in a network without biases, where ReLU hands every factor through: |∏ factors − 1|. */
  withoutBiases: number;
}

/** Which networks to try. */
export interface MistakeOptions {
  /** Drop probability in front of every layer, in [0, 1). Default 0.5. */
  p?: number;
  /** How far a wrong rate goes astray: from p by this part of the way to 0, or to 1. In [0, 1]. Default 0.2. */
  astray?: number;
  /** Numbers of layers. Default 1, 2, …, 8. */
  depths?: readonly number[];
  /** How many random networks for each depth. Default 50. */
  networks?: number;
  /** Seed of the first network. Default 42. */
  seed?: number;
}

interface Network {
  input: Tensor;
  weights: Tensor[];
  biases: Tensor[];
}

const WIDTH = 32;

/** The rate that each mistake takes p for: the factor that it puts on the weights is 1 − rate. */
const rates: Record<Mistake, (p: number, astray: number) => number> = {
  "all layers forgotten": () => 0,
  "rate too low": (p, astray) => (1 - astray) * p,
  "one layer forgotten": () => 0,
  "rate too high": (p, astray) => p + astray * (1 - p),
};

/**
 * Scales the weights of random ReLU networks wrongly, and measures how far the output is off.
 *
 * The weights keep activations at their scale once they are multiplied by 1 − p, as training would have made them.
 */
export function scalingMistakes(options: MistakeOptions = {}): MistakeError[] {
  checkOptions("scalingMistakes", options, ["p", "astray", "depths", "networks", "seed"]);
  const { p = 0.5, astray = 0.2, depths = [1, 2, 3, 4, 5, 6, 7, 8], networks = 50, seed = 42 } = options;
  checkDropProbability(p, "[0, 1)");
  return (Object.keys(rates) as Mistake[]).flatMap((mistake) => {
    const rate = rates[mistake](p, astray);
    const factor = (layer: number) => 1 - (mistake === "one layer forgotten" && layer > 0 ? p : rate);
    return depths.map((depth) => {
      const errors = Array.from({ length: networks }, (_, i) => {
        const network = randomNetwork(depth, p, [seed, depth, i]);
        return relativeDistance(run(network, factor), run(network, () => 1 - p));
      });
      return { mistake, rate, depth, ...average(errors), withoutBiases: withoutBiases(factor, depth, p) };
    });
  });
}

function randomNetwork(depth: number, p: number, seed: number[]): Network {
  const rng = defaultRng(seed);
  const normal = (shape: number[], scale: number) =>
    multiply(new Tensor(rng.standardNormal(shape.reduce((n, m) => n * m, 1)), shape), scale);
  const scale = Math.sqrt(2 / WIDTH) / (1 - p);
  return {
    input: normal([1, WIDTH], 1),
    weights: Array.from({ length: depth }, () => normal([WIDTH, WIDTH], scale)),
    biases: Array.from({ length: depth }, () => normal([WIDTH], 0.1)),
  };
}

/** Each layer: scaled weights, bias as it is, ReLU (but for the last layer). */
function run({ input, weights, biases }: Network, factor: (layer: number) => number): Tensor {
  return weights.reduce((x, weight, layer) => {
    const y = add(matmul(x, multiply(weight, factor(layer))), biases[layer]);
    return layer === weights.length - 1 ? y : y.map((value) => Math.max(0, value));
  }, input);
}

function withoutBiases(factor: (layer: number) => number, depth: number, p: number): number {
  const ratios = Array.from({ length: depth }, (_, layer) => factor(layer) / (1 - p));
  return Math.abs(ratios.reduce((product, ratio) => product * ratio, 1) - 1);
}

function relativeDistance(actual: Tensor, expected: Tensor): number {
  const norm = (x: Tensor) => Math.sqrt(sum(multiply(x, x)));
  return norm(subtract(actual, expected)) / norm(expected);
}

function average(values: number[]): { error: number; standardError: number } {
  const error = values.reduce((total, value) => total + value, 0) / values.length;
  const square = values.reduce((total, value) => total + (value - error) ** 2, 0);
  return { error, standardError: Math.sqrt(square / (values.length - 1) / values.length) };
}
