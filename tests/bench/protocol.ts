/**
 * What the benchmark and the processes of the peers say to each other: one JSON object per line.
 * @module
 */

import type { DType, FloatArray } from "../../lib/mod.ts";
import type { Workload } from "./workloads.ts";

/** A question to a process; `peer` matters where one process holds several. */
export type Request =
  | { do: "versions"; peer: string }
  | { do: "prepare"; peer: string; workload: Workload }
  | { do: "run"; peer: string; iterations: number }
  | { do: "forget"; peer: string }; // only Python: the process of a JavaScript peer ends

/** Its answer: `missing` says why there is nothing else. */
export interface Answer {
  /** Which software, in which version. */
  versions?: Record<string, string>;
  /** Elements of the first output, as `sampleOf` took them. */
  sample?: string;
  /** Nanoseconds per call. */
  ns?: number;
  /** Why it cannot be done. */
  missing?: string;
}

/** At most this many elements of an output are looked at. */
const SAMPLE = 2 ** 20;

/** Every how many elements of an output one is looked at, so that all parts of it are. */
export function sampleStride(length: number): number {
  return Math.ceil(length / SAMPLE);
}

/** The bytes of every `sampleStride`-th element, in base 64. */
export function sampleOf(output: ArrayLike<number>, dtype: DType): string {
  const stride = sampleStride(output.length);
  const length = Math.ceil(output.length / stride);
  const sample = dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
  for (let i = 0; i < length; i++) sample[i] = output[i * stride];
  return (new Uint8Array(sample.buffer) as Uint8Array & { toBase64(): string }).toBase64();
}

/** The numbers that `sampleOf` wrote. */
export function readSample(sample: string, dtype: DType): FloatArray {
  const { fromBase64 } = Uint8Array as unknown as { fromBase64(text: string): Uint8Array<ArrayBuffer> };
  const { buffer } = fromBase64.call(Uint8Array, sample);
  return dtype === "float32" ? new Float32Array(buffer) : new Float64Array(buffer);
}

/** The lines of a stream of bytes, without their ends. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const parts: string[] = []; // joined at a line's end: a sample is megabytes long
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const [first, ...rest] = decoder.decode(chunk, { stream: true }).split("\n");
    parts.push(first);
    for (const next of rest) {
      yield parts.splice(0).join("");
      parts.push(next);
    }
  }
}
