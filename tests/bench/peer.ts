/**
 * What a peer offers: for each operation a function that prepares it, so that only the work itself is timed.
 * @module
 */

import type { FloatArray } from "../../lib/mod.ts";
import { channelArrays, inputArray, inputLengths, type Operation, type Workload } from "./workloads.ts";

/** The work, ready to be repeated. */
export interface Call<Output = unknown> {
  /** Does the work once. A promise is awaited. */
  run(): Output | Promise<Output>;
  /** The numbers of an output, flat. */
  read(output: Output): ArrayLike<number> | Promise<ArrayLike<number>>;
  /** Gives an output's memory back, where no garbage collector does; timed, since it belongs to the work. */
  free?(output: Output): void;
}

/** What a call starts from. */
export interface Given extends Workload {
  /** The first input, flat; for dropout's backward pass the gradient. */
  x: FloatArray;
  /** The second: the gradient of batch normalization, the right factor of a matrix product. */
  y: FloatArray;
  /** γ of batch normalization. */
  weight: FloatArray;
  /** β of batch normalization. */
  bias: FloatArray;
}

/** Someone who can do some of the work. */
export interface Peer {
  /** Which software, in which version, by name. */
  versions: Record<string, string>;
  /** What it offers; a missing operation is reported with `lacks`. */
  // deno-lint-ignore no-explicit-any -- each call has an output type of its own
  operations: Partial<Record<Operation, (given: Given) => Call<any>>>;
  /** Why the other operations are missing. */
  lacks?: string;
}

/** The inputs of a workload. */
export function given(workload: Workload): Given {
  const [x, y] = inputLengths(workload).map((length, which) => inputArray(length, workload.dtype, which));
  const channels = workload.operation.startsWith("batch norm") ? workload.shape[1] : 0;
  return {
    ...workload,
    x,
    y: y ?? x.subarray(0, 0),
    ...channelArrays(channels, workload.dtype),
  };
}
