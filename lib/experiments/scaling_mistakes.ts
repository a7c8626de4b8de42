/**
 * What goes wrong when weights must be scaled by hand at inference: four mistakes, in networks of growing depth.
 * @module
 */

import { checkOptions } from "../check.ts";
import { add, defaultRng, matmul, multiply, subtract, sum, Tensor } from "../mod.ts";

/** How somebody could scale the weights of a network that was trained with standard dropout. */
export type Mistake = "one layer forgotten" | "wrong rate" | "applied twice" | "all layers forgotten";

/** How far the output is off. */
export interface MistakeError {
  /** What was done wrong. */
  mistake: Mistake;
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
  /** The rate that "wrong rate" uses instead. Default 0.4. */
  wrongRate?: number;
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

/** The factor that each mistake puts on the weights of one layer; the right one is 1 − p. */
const factors: Record<Mistake, (p: number, wrongRate: number, layer: number) => number> = {
  "one layer forgotten": (p, _, layer) => layer === 0 ? 1 : 1 - p,
  "wrong rate": (_, wrongRate) => 1 - wrongRate,
  "applied twice": (p) => (1 - p) ** 2,
  "all layers forgotten": () => 1,
};

/**
 * Scales the weights of random ReLU networks wrongly, and measures how far the output is off.
 *
 * The weights keep activations at their scale once they are multiplied by 1 − p, as training would have made them.
 */
export function scalingMistakes(options: MistakeOptions = {}): MistakeError[] {
  checkOptions("scalingMistakes", options, ["p", "wrongRate", "depths", "networks", "seed"]);
  const { p = 0.5, wrongRate = 0.4, depths = [1, 2, 3, 4, 5, 6, 7, 8], networks = 50, seed = 42 } = options;
  return (Object.keys(factors) as Mistake[]).flatMap((mistake) =>
    depths.map((depth) => {
      const errors = Array.from({ length: networks }, (_, i) => {
        const network = randomNetwork(depth, p, [seed, depth, i]);
        const right = run(network, () => 1 - p);
        return relativeDistance(run(network, (layer) => factors[mistake](p, wrongRate, layer)), right);
      });
      return {
        mistake,
        depth,
        ...average(errors),
        withoutBiases: withoutBiases(mistake, depth, p, wrongRate),
      };
    })
  );
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

function withoutBiases(mistake: Mistake, depth: number, p: number, wrongRate: number): number {
  const ratios = Array.from({ length: depth }, (_, layer) => factors[mistake](p, wrongRate, layer) / (1 - p));
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
