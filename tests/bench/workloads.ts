/**
 * What is measured: operations, their sizes, and the inputs, which every peer computes by the same formula.
 * @module
 */

import type { DType, FloatArray } from "../../lib/mod.ts";

/** What a workload does. */
export type Operation =
  | "dropout forward"
  | "dropout backward"
  | "batch norm forward"
  | "batch norm forward + backward"
  | "matmul"
  | "training step";

/** One thing that several subjects are asked to do. */
export interface Workload {
  /** What to do. */
  operation: Operation;
  /** Shape of the input; for `matmul` the three lengths n, k, m of [n, k] · [k, m]. */
  shape: number[];
  /** Type of inputs and outputs. */
  dtype: DType;
  /** Drop probability, for dropout. */
  p: number;
  /** `scaling`: one point of the curve of cost against size. `as typed`: what people write first. */
  group: "operations" | "scaling" | "as typed";
  /** Peers that are asked; all by default. */
  only?: readonly string[];
}

const DROPOUT_SIZES = [1e3, 1e5, 1e7];
const BATCHES = [[128, 64], [1024, 1024]];
const MATRICES = [[32, 100, 64], [128, 784, 256], [512, 512, 512]];
const SCALING_SIZES = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/** The peers whose cost is followed over all sizes. */
export const SCALING_PEERS = ["ours", "ours, workspace", "readable", "numpy best", "torch", "memory copy"];
/** Those who are asked what people write first: a layer, whose output is new each time. */
const TYPED_PEERS = ["ours, as typed", "torch, as typed", "torch", "numpy best", "fresh copy"];
const TYPED_SIZES = [1e4, 1e5, 1e6, 1e7];
/** Few offer float64 matrix products; those of NumPy are the ones to compare with. */
const FLOAT64_MATMUL_PEERS = ["ours", "ours, workspace", "readable", "numpy best", "torch"];

/** All workloads, in the order in which they are measured. */
export const workloads: readonly Workload[] = [
  ...DROPOUT_SIZES.flatMap((n) =>
    (["float32", "float64"] as const).flatMap((dtype) =>
      [0.5, 0.2].map((p) => workload("dropout forward", [n], { dtype, p }))
    )
  ),
  ...[1e5, 1e7].map((n) => workload("dropout backward", [n])),
  ...BATCHES.flatMap((shape) => [
    workload("batch norm forward", shape),
    workload("batch norm forward + backward", shape),
  ]),
  ...MATRICES.map((shape) => workload("matmul", shape)),
  ...MATRICES.map((shape) => workload("matmul", shape, { dtype: "float64", only: FLOAT64_MATMUL_PEERS })),
  ...TYPED_SIZES.flatMap((n) => [0.5, 0.1].map((p) => typed("dropout forward", [n], { p }))),
  ...BATCHES.flatMap((shape) => [
    typed("batch norm forward", shape),
    typed("batch norm forward + backward", shape),
  ]),
  typed("training step", [50, 784], { only: ["ours, as typed", "ours", "torch, as typed"] }),
  ...SCALING_SIZES.map((n) => workload("dropout forward", [n], { group: "scaling", only: SCALING_PEERS })),
];

/** A workload in float32, at p = 0.5, unless the options say otherwise. */
export function workload(operation: Operation, shape: number[], options: Partial<Workload> = {}): Workload {
  return { operation, shape, dtype: "float32", p: 0.5, group: "operations", ...options };
}

function typed(operation: Operation, shape: number[], options: Partial<Workload> = {}): Workload {
  return workload(operation, shape, { group: "as typed", only: TYPED_PEERS, ...options });
}

/** As tables and records call it, without size and type: "dropout forward, p = 0.2". */
export function titleOf({ operation, p, group }: Workload): string {
  const prefix = group === "operations" ? "" : `${group}: `;
  return `${prefix}${operation}${operation.startsWith("dropout") ? `, p = ${p}` : ""}`;
}

/** The size as people write it: "100000", "128×64". */
export function sizeOf({ shape }: Workload): string {
  return shape.join("×");
}

/** How many elements the output has; the cost of a matrix product is given for each of its n·k·m multiplications. */
export function elementsOf({ shape }: Workload): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Whether the words that the user gave choose a workload: all do if there are none, else each one that is in it. */
export function isChosen(title: string, words: readonly string[]): boolean {
  return words.length === 0 || words.some((word) => title.toLowerCase().includes(word.toLowerCase()));
}

/** The lengths of the input arrays, one after the other. */
export function inputLengths({ operation, shape }: Workload): number[] {
  if (operation === "matmul") return [shape[0] * shape[1], shape[1] * shape[2]];
  const n = shape[0] * (shape[1] ?? 1);
  return operation === "batch norm forward + backward" ? [n, n] : [n];
}

/**
 * The numbers ((i · step) mod 2¹⁶ + ½)/2¹⁶ − ½: between −½ and ½, never 0, exact in float32, with period 2¹⁶, the same
 * in every language without a file of numbers.
 *
 * @param which 0 for the first input, 1 for the second.
 */
export function inputArray(length: number, dtype: DType, which: number): FloatArray {
  const step = INPUT_STEPS[which];
  const values = dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
  for (let i = 0; i < length; i++) values[i] = inputValue(i, step);
  return values;
}

/** Odd, so that the multiples run through all residues; `peers.py` has the same. */
const INPUT_STEPS = [40503, 30011];

function inputValue(i: number, step: number): number {
  return (((i % 65536) * step) % 65536 + 0.5) / 65536 - 0.5;
}

/** γ and β of batch normalization: 1 + the first input, and the second. */
export function channelArrays(channels: number, dtype: DType): { weight: FloatArray; bias: FloatArray } {
  const weight = inputArray(channels, dtype, 0).map((value) => 1 + value) as FloatArray;
  return { weight, bias: inputArray(channels, dtype, 1) };
}
