/**
 * What several tests share: fixtures, digests, random tensors and bit generators that one can foresee.
 * @module
 */

import fc from "fast-check";
import { defaultRng, type DType, NumpyStream, type Shape, type Tensor, tensor } from "../lib/mod.ts";
import type { BitGenerator } from "../lib/random/stream.ts";

/** Reads tests/fixtures/`name`.json. Its `origin` says which software made it, and how. */
export async function fixture<T>(name: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(new URL(`./fixtures/${name}.json`, import.meta.url)));
}

/** The numbers of a fixture: separated by spaces, in Python's notation, which keeps every bit. */
export function numbers(text: string): number[] {
  return text === "" ? [] : text.split(" ").map((word) => word === "inf" ? Infinity : Number(word));
}

/** SHA-256 of an array's bytes, which are little-endian on every machine that Deno runs on. */
export async function sha256(array: Uint8Array | Uint32Array | Float64Array): Promise<string> {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Normal numbers under a shape: no special values, and no two alike. */
export function normals(shape: Shape, seed = 1, dtype: DType = "float64"): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor(Array.from(defaultRng(seed).standardNormal(size)), dtype).reshape(shape);
}

/** A source whose words are always 0, or always the largest: u = 0, or u = 1 − 2⁻⁵³. */
export function constantBits(u: "lowest" | "highest"): BitGenerator {
  const nothing = () => ({});
  return {
    name: `always ${u}`,
    nextUint32: () => u === "lowest" ? 0 : 0xffffffff,
    nextDouble: () => u === "lowest" ? 0 : 1 - 2 ** -53,
    getState: nothing,
    setState: nothing,
  };
}

/** A NumPy stream of any bit generator. */
export class FixedStream extends NumpyStream {
  override getState(): object {
    return this.bitGenerator.getState();
  }

  override setState(state: object): void {
    this.bitGenerator.setState({ ...state });
  }
}

/** A copy of a tensor's bytes, to see later whether it was changed. */
export function bytesOf(x: Tensor): Uint8Array {
  return new Uint8Array(x.data.buffer, x.data.byteOffset, x.data.byteLength).slice();
}

/**
 * Probabilities in [0, `max`], in steps of a hundredth, with the rounding of 1 − i/100.
 * (fc.double would do worse: it takes all exponents equally often, and so gives numbers near 0 almost always.)
 */
export function probabilities(max = 1): fc.Arbitrary<number> {
  return fc.integer({ min: 100 - Math.round(100 * max), max: 100 }).map((i) => 1 - i / 100);
}

/** The rows of a table in a module's doc comment, found by how its head begins; without backquotes. */
export async function docTable(module: string, head: string): Promise<string[][]> {
  const lines = (await Deno.readTextFile(new URL(`../lib/${module}`, import.meta.url))).split("\n");
  const start = lines.findIndex((line) => line.includes(head));
  if (start < 0) throw new Error(`${module} has no table ${head}`);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith(" * |"));
  const cells = (line: string) => line.replaceAll("`", "").split("|").slice(1, -1).map((cell) => cell.trim());
  return lines.slice(start + 2, end).map(cells);
}

/** One dropout of PyTorch in fixtures/torch_dropout_family.json, forward and backward; `numbers` reads its texts. */
export interface TorchRun {
  name: string;
  shape: number[];
  p: number;
  seed: number;
  dtype: "float32" | "float64";
  x: string;
  y: string;
  gradOutput: string;
  gradInput: string;
}
