/** Workspaces: what they hand out, what they refuse, and that nothing in them moves, grows or overlaps. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { invertedDropout, invertedDropoutBackward } from "../lib/dropout/mod.ts";
import { Mask } from "../lib/mask.ts";
import { defaultRng, FastStream } from "../lib/random/mod.ts";
import { FIRST_ADDRESS } from "../lib/simd/kernels.ts";
import type { DType, Tensor } from "../lib/tensor/mod.ts";
import { Workspace } from "../lib/workspace.ts";
import { bytesOf, normals, probabilities } from "./helpers.ts";

const LINE = 64;
const LARGEST = 2 ** 32 - FIRST_ADDRESS;

Deno.test("zeros gives a tensor of zeros, in the type that was asked for", () => {
  const workspace = new Workspace(10000);
  for (const dtype of ["float32", "float64"] as const) {
    const x = workspace.zeros([3, 4], dtype);
    assertEquals([x.dtype, x.shape, x.size], [dtype, [3, 4], 12]);
    assertEquals(Array.from(x.data), Array(12).fill(0));
  }
  assertEquals(workspace.zeros([2]).dtype, "float64");
  assertEquals(workspace.zeros([]).size, 1);
  assertEquals(workspace.zeros([0, 3]).size, 0);
});

Deno.test("copy gives the same numbers elsewhere, bit for bit", () => {
  const workspace = new Workspace(10000);
  for (const dtype of ["float32", "float64"] as const) {
    const x = normals([5, 7], 3, dtype);
    x.data.set([NaN, -0, Infinity, 2 ** -149]);
    const copy = workspace.copy(x);
    assertEquals([copy.dtype, copy.shape], [dtype, [5, 7]]);
    assertEquals(bytesOf(copy), bytesOf(x));
    x.data.fill(1);
    assert(copy.data[0] !== 1, "it has its own memory");
  }
});

Deno.test("mask gives a mask that keeps nothing, of the shape that was asked for", () => {
  const workspace = new Workspace(1000);
  for (const shape of [[3, 5], [8], [], [0]]) {
    const mask = workspace.mask(shape);
    assert(mask instanceof Mask);
    assertEquals([mask.shape, mask.kept], [shape, 0]);
    assertEquals(mask.bits.length, Math.ceil(mask.size / 8));
  }
});

/** Something that a workspace can be asked for. */
interface Wish {
  kind: "zeros" | "copy" | "mask";
  dtype: DType;
  size: number;
}
const wishes: fc.Arbitrary<Wish[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("zeros", "copy", "mask"),
    dtype: fc.constantFrom("float32", "float64"),
    size: fc.nat(500),
  }),
  { maxLength: 20 },
);
const bytesFor = ({ kind, dtype, size }: Wish) =>
  kind === "mask" ? Math.ceil(size / 8) : size * (dtype === "float32" ? 4 : 8);
function take(workspace: Workspace, { kind, dtype, size }: Wish): Float32Array | Float64Array | Uint8Array {
  if (kind === "mask") return workspace.mask([size]).bits;
  if (kind === "zeros") return workspace.zeros([size], dtype).data;
  return workspace.copy(normals([size], 1, dtype)).data;
}

interface Region {
  start: number;
  end: number;
}

function overlap(regions: Region[]): boolean {
  const inOrder = regions.toSorted((a, b) => a.start - b.start);
  return inOrder.slice(1).some(({ start }, i) => start < inOrder[i].end);
}

Deno.test("each takes its bytes, rounded up to 64, and starts at a multiple of 64; none overlap", () => {
  fc.assert(fc.property(wishes, (wishes) => {
    const workspace = new Workspace(100000);
    assertEquals([workspace.bytes, workspace.bytesLeft], [100032, 100032]);
    const taken: Region[] = [];
    let left = workspace.bytesLeft;
    for (const wish of wishes) {
      const array = take(workspace, wish);
      left -= Math.ceil(bytesFor(wish) / LINE) * LINE;
      assertEquals([workspace.bytesLeft, array.byteLength], [left, bytesFor(wish)]);
      assertEquals(array.byteOffset % LINE, 0);
      taken.push({ start: array.byteOffset, end: array.byteOffset + array.byteLength });
    }
    assert(!overlap(taken));
  }));
  assert(overlap([{ start: 64, end: 128 }, { start: 0, end: 65 }]), "the fault: one byte too many");
});

Deno.test("what is written to one tensor is seen in no other", () => {
  const workspace = new Workspace(2000);
  const tensors = [1, 15, 16, 17, 100].map((size) => workspace.zeros([size], "float32"));
  tensors.forEach((x, i) => x.data.fill(i + 1));
  tensors.forEach((x, i) => assert(x.data.every((value) => value === i + 1)));
});

Deno.test("a workspace can be filled to its last byte, and no further", () => {
  const workspace = new Workspace(4 * 64);
  workspace.zeros([16], "float32");
  workspace.zeros([24]);
  assertEquals(workspace.bytesLeft, 0);
  assertEquals(workspace.zeros([0]).size, 0);
  assertEquals(workspace.mask([0]).size, 0);
  assertThrows(() => workspace.zeros([1], "float32"), RangeError, "has 0 left");
});

Deno.test("when room runs out, the message says what was asked and what is left, and nothing is harmed", () => {
  const workspace = new Workspace(1000);
  const kept = workspace.copy(normals([10, 5], 1, "float64"));
  const before = bytesOf(kept);
  const left = 1024 - 448;
  const refuse = (ask: () => unknown, what: string) => {
    assertThrows(ask, RangeError, `A workspace of 1024 bytes has ${left} left; ${what}`);
    assertEquals(workspace.bytesLeft, left);
    assertEquals(bytesOf(kept), before);
  };
  refuse(() => workspace.zeros([10, 10]), "a float64 tensor of shape [10, 10] needs 800");
  refuse(() => workspace.zeros([145], "float32"), "a float32 tensor of shape [145] needs 580");
  refuse(() => workspace.copy(normals([73])), "a float64 tensor of shape [73] needs 584");
  refuse(() => workspace.mask([4609]), "a mask of shape [4609] needs 577");
  // What still fits is still given.
  assertEquals(workspace.zeros([144], "float32").size, 144);
  assertEquals(workspace.bytesLeft, 0);
  assertEquals(bytesOf(kept), before);
});

Deno.test("a workspace that was disposed of gives nothing more; its tensors stay", () => {
  const x = normals([100], 1, "float32");
  let kept: Tensor, mask: Mask, ended: Workspace;
  {
    using workspace = new Workspace(10000);
    [kept, mask, ended] = [workspace.copy(x), workspace.mask([100]), workspace];
  }
  const words = "This workspace was disposed of; it cannot give";
  assertThrows(() => ended.zeros([2, 3], "float32"), Error, `${words} a float32 tensor of shape [2, 3]`);
  assertThrows(() => ended.copy(x), Error, `${words} a float32 tensor of shape [100]`);
  assertThrows(() => ended.mask([9]), Error, `${words} a mask of shape [9]`);
  assertEquals(bytesOf(kept), bytesOf(x));
  const result = invertedDropout(kept, 0.5, { rng: new FastStream(1), out: kept, maskOut: mask });
  assertEquals(bytesOf(result.output), bytesOf(invertedDropout(x, 0.5, { rng: new FastStream(1) }).output));
});

Deno.test("sizes, shapes and types that are none are refused, and the message says what came", () => {
  const needs = `Workspace: bytes must be an integer in [1, ${LARGEST}], got`;
  for (const bytes of [0, -1, 0.5, NaN, Infinity, LARGEST + 1]) {
    assertThrows(() => new Workspace(bytes), RangeError, `${needs} ${bytes}`);
  }
  for (const [bytes, came] of [["64", '"64"'], [undefined, "undefined"]]) {
    assertThrows(() => new Workspace(bytes as unknown as number), TypeError, `${needs} ${came}`);
  }
  const workspace = new Workspace(1000);
  for (const [dtype, came] of [["int8", '"int8"'], [null, "null"], [64, "64"]]) {
    const message = `The dtype must be "float32" or "float64", got ${came}`;
    assertThrows(() => workspace.zeros([2], dtype as DType), TypeError, message);
  }
  for (const shape of [[-1], [0.5], [2, NaN]]) {
    assertThrows(() => workspace.zeros(shape), RangeError, `got [${shape.join(", ")}]`);
    assertThrows(() => workspace.mask(shape), RangeError, `got [${shape.join(", ")}]`);
  }
  assertEquals(workspace.bytesLeft, 1024, "a refusal takes nothing");
});

Deno.test("dropout in a workspace gives the numbers of dropout in arrays, forward and backward", () => {
  const shapes = fc.array(fc.nat(12), { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(shapes, fc.nat(), probabilities(0.99), fc.boolean(), (shape, seed, p, fast) => {
    const make = () => fast ? new FastStream(seed) : defaultRng(seed);
    for (const dtype of ["float32", "float64"] as const) {
      const [x, g] = [normals(shape, 1, dtype), normals(shape, 2, dtype)];
      const expected = invertedDropout(x, p, { rng: make() });
      const workspace = new Workspace(2 ** 17);
      const out = workspace.zeros(shape, dtype), mask = workspace.mask(shape);
      const actual = invertedDropout(workspace.copy(x), p, { rng: make(), out, maskOut: mask });
      assertStrictEquals(actual.output, out);
      assertEquals(bytesOf(out), bytesOf(expected.output));
      assertEquals(actual.pass.mask?.bits, expected.pass.mask?.bits);
      const gradient = workspace.zeros(shape, dtype);
      invertedDropoutBackward(workspace.copy(g), actual.pass, { out: gradient });
      assertEquals(bytesOf(gradient), bytesOf(invertedDropoutBackward(g, expected.pass)));
    }
  }));
});

Deno.test("the memory neither moves nor grows, however often it is used, and however little is left", () => {
  const workspace = new Workspace(3 * 4096 * 4 + 512);
  const x = workspace.copy(normals([4096], 1, "float32"));
  const [out, grad] = [workspace.zeros([4096], "float32"), workspace.zeros([4096], "float32")];
  const mask = workspace.mask([4096]);
  assertEquals(workspace.bytesLeft, 0);
  const { buffer } = x.data;
  const { byteLength } = buffer;
  const rng = new FastStream(1);
  // Also with operands from outside, which pass through the workspace's memory.
  const outside = normals([4096], 2, "float32");
  for (let i = 0; i < 2000; i++) {
    const { pass } = invertedDropout(i % 2 === 0 ? x : outside, 0.5, { rng, out, maskOut: mask });
    invertedDropoutBackward(out, pass, { out: grad });
  }
  for (const { data } of [x, out, grad]) assertStrictEquals(data.buffer, buffer);
  assertEquals([buffer.byteLength, x.data.length, mask.bits.buffer === buffer], [byteLength, 4096, true]);
  assertEquals(bytesOf(x), bytesOf(normals([4096], 1, "float32")), "the input is as it was");
});

Deno.test("workspaces do not share memory", () => {
  const [a, b] = [new Workspace(1000), new Workspace(1000)];
  const [x, y] = [a.zeros([10]), b.zeros([10])];
  x.data.fill(1);
  assert(x.data.buffer !== y.data.buffer && y.data.every((value) => value === 0));
});
