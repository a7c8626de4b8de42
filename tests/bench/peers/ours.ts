/**
 * This library, in three ways: with arrays, with tensors in a workspace, and by its readable TypeScript alone.
 * @module
 */

import * as lib from "../../../lib/mod.ts";
import { FastStream, Mask, Tensor, Workspace, zeros } from "../../../lib/mod.ts";
import { withoutSimd } from "../../../lib/simd/kernels.ts";
import type { Call, Given, Peer } from "../peer.ts";
import { trainingStep } from "./typed.ts";

/** Where tensors and masks lie. */
interface Room {
  place(x: Tensor): Tensor;
  zeros(shape: number[], dtype: lib.DType): Tensor;
  mask(shape: number[]): Mask;
}

/** In arrays of JavaScript, as everyone begins. */
const arrays: Room = {
  place: (x) => x,
  zeros,
  mask: (shape) => new Mask(new Uint8Array(Math.ceil(count(shape) / 8)), shape),
};

/** The library as it comes. */
export function ours(): Peer {
  return peer(() => arrays);
}

/** The library with everything in WebAssembly memory, so that nothing is copied in and out. */
export function oursInWorkspace(): Peer {
  return peer((given) => {
    const workspace = new Workspace(bytesNeeded(given)); // lives as long as its process: for one workload
    return {
      place: (x) => workspace.copy(x),
      zeros: (shape, dtype) => workspace.zeros(shape, dtype),
      mask: (shape) => workspace.mask(shape),
    };
  });
}

/** The library without its kernels: loops that one can read. */
export function readable(): Peer {
  const { versions, operations } = ours();
  const plain = Object.entries(operations).map(([operation, prepare]) => [operation, (given: Given) => {
    const call = prepare(given);
    return { ...call, run: () => withoutSimd(() => call.run()) };
  }]);
  return { versions, operations: Object.fromEntries(plain) };
}

function peer(roomFor: (given: Given) => Room): Peer {
  const using = (prepare: (given: Given, room: Room) => Call<Tensor>) => (given: Given) =>
    prepare(given, roomFor(given));
  return {
    versions: {},
    operations: {
      "dropout forward": using(dropoutForward),
      "dropout backward": using(dropoutBackward),
      "batch norm forward": using((given, room) => batchNorm(given, room, false)),
      "batch norm forward + backward": using((given, room) => batchNorm(given, room, true)),
      "matmul": using(matmul),
      "training step": (given) => trainingStep(given, (model, grad) => model.backwardParameters(grad)),
    },
  };
}

function dropoutForward({ x: data, shape, dtype, p }: Given, room: Room): Call<Tensor> {
  const x = room.place(new Tensor(data, shape));
  const options = { rng: new FastStream(1), out: room.zeros(shape, dtype), maskOut: room.mask(shape) };
  return { run: () => lib.invertedDropout(x, p, options).output, read };
}

function dropoutBackward({ x: data, shape, dtype, p }: Given, room: Room): Call<Tensor> {
  const gradOutput = room.place(new Tensor(data, shape));
  const out = { out: room.zeros(shape, dtype) };
  const options = { rng: new FastStream(1), maskOut: room.mask(shape), ...out };
  const { pass } = lib.invertedDropout(gradOutput, p, options); // any input: only its mask matters
  return { run: () => lib.invertedDropoutBackward(gradOutput, pass, out), read };
}

function batchNorm(given: Given, room: Room, withBackward: boolean): Call<Tensor> {
  const { x: data, y: gradient, shape, dtype } = given;
  const x = room.place(new Tensor(data, shape));
  const options = {
    weight: room.place(new Tensor(given.weight, [shape[1]])),
    bias: room.place(new Tensor(given.bias, [shape[1]])),
    out: room.zeros(shape, dtype),
    normalized: room.zeros(shape, dtype),
  };
  if (!withBackward) return { run: () => lib.batchNorm(x, options).output, read };
  const gradOutput = room.place(new Tensor(gradient, shape));
  const out = { out: room.zeros(shape, dtype) };
  return {
    run: () => lib.batchNormBackward(gradOutput, lib.batchNorm(x, options).pass, out).gradInput,
    read,
  };
}

function matmul({ x, y, shape: [n, k, m], dtype }: Given, room: Room): Call<Tensor> {
  const a = room.place(new Tensor(x, [n, k]));
  const b = room.place(new Tensor(y, [k, m]));
  const out = { out: room.zeros([n, m], dtype) };
  return { run: () => lib.matmul(a, b, out), read };
}

function read(x: Tensor): lib.FloatArray {
  return x.data;
}

/** Inputs, as many outputs, what one pass leaves for the next, a mask, and room for alignment. */
function bytesNeeded({ x, y, operation, shape }: Given): number {
  const output = operation === "matmul" ? shape[0] * shape[2] : 3 * x.length;
  return x.byteLength + y.byteLength + output * x.BYTES_PER_ELEMENT + Math.ceil(x.length / 8) + 2 ** 20;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
