/** The SIMD kernels against the readable TypeScript that defines them: bit for bit, wherever the arrays lie. */

import { assert, assertEquals, assertFalse, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { invertedDropout, invertedDropoutBackward, survivorScale } from "../lib/dropout/mod.ts";
import { Mask } from "../lib/mask.ts";
import { Adam, ReLU } from "../lib/nn/mod.ts";
import {
  defaultRng,
  FastStream,
  type Generator,
  KeyedStream,
  RandomState,
  type RandomStream,
  SeedSequence,
  TorchGenerator,
} from "../lib/random/mod.ts";
import { MT19937 } from "../lib/random/mt19937.ts";
import { PCG64 } from "../lib/random/pcg64.ts";
import { applyBits, fastBits, fastDropout } from "../lib/simd/dropout.ts";
import { FIRST_ADDRESS, kernelsFor, withoutSimd } from "../lib/simd/kernels.ts";
import * as simd from "../lib/simd/random.ts";
import { type DType, Tensor } from "../lib/tensor/mod.ts";
import { Workspace } from "../lib/workspace.ts";
import { normals, probabilities } from "./helpers.ts";

type Numbers = Float32Array | Float64Array | Uint8Array | Uint32Array;

/** Around blocks of 32, pieces of 8192, and beyond the 256 KiB that are copied through at once. */
const SIZES = [0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 8191, 8192, 8193, 20000, 70001];
const RATES = [1e-9, 0.1, 0.5, 0.999];
const DTYPES = ["float32", "float64"] as const;
const STREAMS = {
  FastStream: (seed: number) => new FastStream(seed),
  RandomState: (seed: number) => new RandomState(seed),
  Generator: (seed: number) => defaultRng(seed),
  TorchGenerator: (seed: number) => new TorchGenerator(seed),
};

/** Fails unless both arrays have one type and the same numbers: −0 is not 0 here, and NaN is NaN. */
function assertSame(actual: Numbers, expected: Numbers, what = "numbers"): void {
  assertEquals([actual.constructor, actual.length], [expected.constructor, expected.length], what);
  const at = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  assert(at < 0, `${what} differ at ${at}: ${Deno.inspect(actual[at])} is not ${Deno.inspect(expected[at])}`);
}

/** Normal numbers with everything in between that floats have besides. */
function withSpecials(size: number, dtype: DType, seed = 1): Tensor {
  const x = normals([size], seed, dtype);
  const [tiny, largest] = dtype === "float32"
    ? [2 ** -149, 2 ** 127 * (2 - 2 ** -23)]
    : [2 ** -1074, 1.7e308];
  const special = [NaN, -0, 0, Infinity, -Infinity, tiny, -3 * tiny, largest, -largest];
  for (let i = 0; i < size; i += 5) x.data[i] = special[(i / 5) % special.length];
  return x;
}

Deno.test("this machine has kernels; without them, these tests would compare the readable path with itself", () => {
  assert(kernelsFor(new Uint8Array(1)) !== undefined);
  assert(withoutSimd(() => kernelsFor(new Uint8Array(1))) === undefined);
  assert(kernelsFor(new Uint8Array(1)) !== undefined, "on again");
  assertThrows(() => withoutSimd(() => assert(false, "thrown inside")), Error, "thrown inside");
  assert(kernelsFor(new Uint8Array(1)) !== undefined, "on again after an error");
});

Deno.test("one bit of difference in one number is caught, and so are -0 for 0 and another type", () => {
  const x = withSpecials(100, "float64").data;
  assertSame(x, x.slice());
  for (const i of [0, 50, 99]) {
    const wrong = x.slice();
    new Uint8Array(wrong.buffer)[8 * i + 1] ^= 1; // in the fraction
    if (!Number.isNaN(x[i])) assertThrows(() => assertSame(wrong, x), Error, `differ at ${i}`);
  }
  assertThrows(() => assertSame(Float64Array.of(-0), Float64Array.of(0)), Error, "-0");
  assertThrows(() => assertSame(Float64Array.of(NaN), Float64Array.of(0)), Error, "NaN is not 0");
  assertThrows(() => assertSame(Float32Array.of(1), Float64Array.of(1)), Error);
  assertThrows(() => assertSame(Uint8Array.of(1), Uint8Array.of(1, 0)), Error);
});

// Dropout

/** Where tensors may lie. Each gives room for a tensor, filled, and for a mask. */
interface Place {
  tensor(x: Tensor): Tensor;
  mask(size: number): Mask;
}
const bytesOf = (size: number) => Math.ceil(size / 8);
const arrays: Place = { tensor: (x) => x.clone(), mask: (n) => new Mask(new Uint8Array(bytesOf(n)), [n]) };
/** In the middle of larger arrays, at addresses that are multiples of nothing but the element's size. */
const views: Place = {
  tensor(x) {
    const Data = x.data.constructor as Float64ArrayConstructor;
    const view = new Data(x.size + 5).subarray(3, 3 + x.size);
    view.set(x.data);
    return new Tensor(view);
  },
  mask: (n) => new Mask(new Uint8Array(bytesOf(n) + 7).subarray(5, 5 + bytesOf(n)), [n]),
};
const workspace = (): Place => {
  const room = new Workspace(4 * 8 * Math.max(...SIZES));
  room.zeros([3], "float32"); // an odd start
  return { tensor: (x) => room.copy(x), mask: (n) => room.mask([n]) };
};
/** Parts of tensors of a workspace, and of its masks. */
const workspaceViews = (): Place => {
  const { tensor, mask } = workspace();
  return {
    tensor: (x) => {
      const all = tensor(
        new Tensor(
          views.tensor(x).data.constructor === Float32Array
            ? new Float32Array(x.size + 2)
            : new Float64Array(x.size + 2),
        ),
      );
      const part = all.data.subarray(1, 1 + x.size);
      part.set(x.data);
      return new Tensor(part);
    },
    mask: (n) => new Mask(mask(8 * bytesOf(n) + 24).bits.subarray(3, 3 + bytesOf(n)), [n]),
  };
};
const PLACES: Record<string, () => [x: Place, out: Place, mask: Place]> = {
  "arrays": () => [arrays, arrays, arrays],
  "parts of arrays": () => [views, views, views],
  "a workspace": () => {
    const room = workspace();
    return [room, room, room];
  },
  "parts of a workspace": () => {
    const room = workspaceViews();
    return [room, room, room];
  },
  "two workspaces, the mask outside": () => [workspace(), workspace(), arrays],
  "an array, a workspace and a part of another": () => [arrays, workspace(), workspaceViews()],
};

for (const [name, places] of Object.entries(PLACES)) {
  Deno.test(`dropout and its gradient are those of the readable path, in ${name}`, () => {
    for (const dtype of DTYPES) {
      for (const size of SIZES) {
        for (const [i, p] of RATES.entries()) {
          const [here, there, aside] = places();
          const input = withSpecials(size, dtype);
          const x = here.tensor(input), out = there.tensor(input), mask = aside.mask(size);
          const rng = new FastStream(i), plainRng = new FastStream(i);
          const what = `${dtype}, ${size} elements, p = ${p}`;

          const { output, pass } = invertedDropout(x, p, { rng, out, maskOut: mask });
          const plain = withoutSimd(() => invertedDropout(input, p, { rng: plainRng }));
          assert(output === out && pass.mask === mask);
          assertSame(output.data, plain.output.data, what);
          assertSame(mask.bits, plain.pass.mask!.bits, `bits, ${what}`);
          assertSame(x.data, input.data, "the input");
          assertEquals(rng.getState(), plainRng.getState());

          const gradient = invertedDropoutBackward(x, pass, { out });
          const expected = withoutSimd(() => invertedDropoutBackward(input, plain.pass));
          assertSame(gradient.data, expected.data, what);
          assertSame(mask.bits, plain.pass.mask!.bits, `bits afterwards, ${what}`);
        }
      }
    }
  });
}

Deno.test("in place, and through any stream, dropout is that of the readable path", () => {
  for (const make of Object.values(STREAMS)) {
    for (const size of SIZES) {
      const x = withSpecials(size, "float32");
      const expected = withoutSimd(() => invertedDropout(x, 0.3, { rng: make(size) }));
      const inWorkspace = new Workspace(4 * size + 64).copy(x);
      for (const own of [x.clone(), inWorkspace]) {
        const { output, pass } = invertedDropout(own, 0.3, { rng: make(size), out: own });
        assertSame(output.data, expected.output.data);
        assertSame(pass.mask!.bits, expected.pass.mask!.bits);
      }
    }
  }
});

Deno.test("bits that start at any byte are the same bits", () => {
  const x = withSpecials(8193, "float32").data;
  const all = defaultRng(1).bernoulliBits(0.5, 8 * 1100);
  for (let start = 0; start < 17; start++) {
    const bits = all.subarray(start, start + 1025);
    bits[1024] &= 1;
    const [y, plain] = [new Float32Array(x.length), new Float32Array(x.length)];
    assert(applyBits(x, y, bits, 2));
    plain.forEach((_, i) => plain[i] = (bits[i >> 3] >> (i & 7)) & 1 ? x[i] * 2 : 0);
    assertSame(y, plain, `from byte ${start}`);
  }
});

Deno.test("kernels write their results and nothing beside them, in arrays and in workspaces", () => {
  const FENCE = 64;
  const fenced = (Data: typeof Float32Array | typeof Float64Array | typeof Uint8Array, n: number) => {
    const buffer = new ArrayBuffer(2 * FENCE + n * Data.BYTES_PER_ELEMENT);
    new Uint8Array(buffer).fill(0xa5);
    return new Data(buffer, FENCE, n);
  };
  const isUntouched = (array: Numbers) => {
    const all = new Uint8Array(array.buffer);
    const [before, after] = [all.subarray(0, FENCE), all.subarray(FENCE + array.byteLength)];
    return [...before, ...after].every((byte) => byte === 0xa5);
  };
  const wrong = fenced(Float32Array, 7);
  new Uint8Array(wrong.buffer)[FENCE + 7 * 4] = 0; // the fault: one byte behind the last element
  assertFalse(isUntouched(wrong));
  for (const size of SIZES) {
    for (const Data of [Float32Array, Float64Array]) {
      const dtype = Data === Float32Array ? "float32" : "float64";
      const x = withSpecials(size, dtype).data;
      const out = fenced(Data, size) as Float32Array | Float64Array;
      const bits = fenced(Uint8Array, bytesOf(size)) as Uint8Array;
      assert(fastDropout(x, out, new Uint32Array(48).fill(9), 2 ** 30, 2, bits));
      assert(isUntouched(out) && isUntouched(bits));
      assert(applyBits(x, out, bits, 2) && isUntouched(out) && isUntouched(bits));
    }
    const bits = fenced(Uint8Array, bytesOf(size)) as Uint8Array;
    const doubles = fenced(Float64Array, size) as Float64Array;
    const floats = fenced(Float32Array, size) as Float32Array;
    fastBits(size, new Uint32Array(48).fill(9), 2 ** 30, bits);
    for (const source of [new MT19937(1), new PCG64(new SeedSequence(1))]) {
      source.fillBits(size, 0.5, false, bits);
      source.fillDoubles(doubles);
    }
    new MT19937(1).fillFloats(floats);
    new KeyedStream({ seed: 1, layer: 0, step: 0, offset: 3 }).bernoulliBits(0.5, size, bits);
    for (const array of [bits, doubles, floats]) assert(isUntouched(array), `${size} elements`);
  }
  // In a workspace the fence is everything else that it holds, the room behind each array included.
  for (const size of SIZES) {
    const room = new Workspace(2 ** 20);
    const x = room.copy(withSpecials(size, "float32")), out = room.zeros([size], "float32");
    const mask = room.mask([size]);
    const all = new Uint8Array(x.data.buffer);
    for (const { byteOffset, byteLength } of [out.data, mask.bits]) {
      all.fill(0xa5, byteOffset + byteLength, Math.ceil((byteOffset + byteLength) / 64) * 64);
    }
    const before = all.slice();
    const rng = new FastStream(size);
    const { pass } = invertedDropout(x, 0.5, { rng, out, maskOut: mask });
    invertedDropoutBackward(x, pass, { out });
    for (const { byteOffset, byteLength } of [out.data, mask.bits]) {
      before.set(all.subarray(byteOffset, byteOffset + byteLength), byteOffset);
    }
    assertSame(all.slice(FIRST_ADDRESS), before.slice(FIRST_ADDRESS), `a workspace, ${size} elements`);
  }
});

// Streams

Deno.test("the fast stream's bits are those of the readable path, at any threshold", () => {
  // Thresholds of one byte, of two, three and four; next to 0 and to 1; and with all bytes alike.
  const thresholds = [1, 255, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 24 + 1, 2 ** 31, 2 ** 31 + 2 ** 16, 0x7f7f7f7f];
  for (const threshold of [...thresholds, 0x80808080, 2 ** 32 - 2 ** 24, 2 ** 32 - 1]) {
    const q = threshold / 2 ** 32;
    const [fast, plain] = [new FastStream(threshold), new FastStream(threshold)];
    for (const n of SIZES) {
      assertSame(
        fast.bernoulliBits(q, n),
        withoutSimd(() => plain.bernoulliBits(q, n)),
        `q = ${q}, n = ${n}`,
      );
      assertEquals(fast.getState(), plain.getState());
    }
  }
});

/** A number from the upper 24 bits of one word. */
function oneFloat(stream: RandomStream): Float32Array {
  const out = new Float32Array(1);
  stream.fillUniform(out);
  return out;
}

/** What one may draw; each gives its numbers as an array. */
const DRAWS: Record<string, [name: string, draw: (stream: never, n: number, q: number) => Numbers][]> = {
  RandomState: [
    ["bits", (s: RandomState, n, q) => s.bernoulliBits(q, n)],
    ["doubles", (s: RandomState, n) => s.random(n)],
    ["normals", (s: RandomState, n) => s.randn(n)],
    ["one word", (s: RandomState) => oneFloat(s)],
    ["one double", (s: RandomState) => Float64Array.of(s.random())],
    ["one normal", (s: RandomState) => Float64Array.of(s.randn())],
  ],
  Generator: [
    ["bits", (s: Generator, n, q) => s.bernoulliBits(q, n)],
    ["doubles", (s: Generator, n) => s.random(n)],
    ["normals", (s: Generator, n) => s.standardNormal(n)],
    ["one word", (s: Generator) => Float64Array.of(s.integers(0, 2 ** 32))],
    ["one double", (s: Generator) => Float64Array.of(s.random())],
    ["one normal", (s: Generator) => Float64Array.of(s.standardNormal())],
  ],
  TorchGenerator: [
    ["bits", (s: TorchGenerator, n, q) => s.bernoulliBits(q, n)],
    ["draws", (s: TorchGenerator, n, q) => s.bernoulli(q, n)],
    ["floats", (s: TorchGenerator, n) => s.rand(n)],
    ["doubles", (s: TorchGenerator, n) => s.rand(n, { dtype: "float64" })],
    ["normals", (s: TorchGenerator, n) => s.randn(n)],
    ["one float", (s: TorchGenerator) => s.rand(1)],
  ],
};

for (const [name, draws] of Object.entries(DRAWS)) {
  Deno.test(`${name}: single draws and arrays mix, as in the readable path, and leave the same state`, () => {
    // Small numbers, which the readable path draws, and large ones on both sides of blocks and pieces.
    const size = fc.oneof(fc.nat(100), fc.nat(700), fc.integer({ min: 8185, max: 8200 }));
    const step = fc.record({ which: fc.nat(5), n: size, q: probabilities() });
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { maxLength: 8 }), (seed, steps) => {
        const make = STREAMS[name as keyof typeof STREAMS];
        const [stream, plain] = [make(seed), make(seed)];
        for (const { which, n, q } of steps) {
          const [what, draw] = draws[which];
          const expected = withoutSimd(() => draw(plain as never, n, q));
          assertSame(draw(stream as never, n, q), expected, `${what}, n = ${n}, q = ${q}`);
          assertEquals(stream.getState(), plain.getState() as never);
        }
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("arrays longer than a piece, and bits longer than theirs, are those of the readable path", () => {
  for (const name of ["RandomState", "Generator", "TorchGenerator"] as const) {
    const [stream, plain] = [STREAMS[name](3), STREAMS[name](3)];
    for (const [what, draw] of DRAWS[name].slice(0, 3)) {
      const n = what === "bits" ? 2 ** 20 + 77 : 30011;
      assertSame(draw(stream as never, n, 0.3), withoutSimd(() => draw(plain as never, n, 0.3)), what);
    }
    assertEquals(stream.getState(), plain.getState() as never);
  }
});

Deno.test("a restored MT19937 goes on inside a block, as the readable path does", () => {
  for (const pos of [0, 1, 2, 300, 609, 622, 623, 624]) {
    const state = { ...new MT19937(5).getState(), pos };
    const [fast, plain] = [new MT19937(0), new MT19937(0)];
    fast.setState(state);
    plain.setState(state);
    assertEquals(fast.getState(), state);
    const [out, expected] = [new Float64Array(1001), new Float64Array(1001)];
    assert(fast.fillDoubles(out));
    assertSame(out, expected.map(() => plain.nextDouble()), `from ${pos}`);
    assertEquals(fast.getState(), plain.getState());
  }
});

Deno.test("the limit is exact: a number that equals it is below, the next one is not", () => {
  const sources = [() => new MT19937(7), () => new PCG64(new SeedSequence(7))];
  const bit = (bits: Uint8Array, i: number) => (bits[i >> 3] >> (i & 7)) & 1;
  for (const make of sources) {
    const plain = make();
    const u = Array.from({ length: 600 }, () => plain.nextDouble());
    for (let i = 0; i < 600; i += 37) {
      const bits = (limit: number, inverted: boolean) => {
        const out = new Uint8Array(75);
        assert(make().fillBits(600, limit, inverted, out));
        return out;
      };
      assertEquals([u[i], u[i] - 2 ** -53].map((limit) => bit(bits(limit, false), i)), [1, 0]);
      assertEquals([u[i], u[i] - 2 ** -53].map((limit) => bit(bits(limit, true), i)), [0, 1]);
    }
    assertEquals([0, 1 - 2 ** -53, 1].map((limit) => new Mask(manyBits(make(), limit), [600]).kept), [
      u.filter((x) => x === 0).length,
      600,
      600,
    ]);
  }
  const torch = (p: number) => new TorchGenerator(7).bernoulliBits(p, 600);
  const u = new TorchGenerator(7).rand(600, { dtype: "float64" });
  for (let i = 0; i < 600; i += 37) {
    assertEquals([u[i], u[i] + 2 ** -53].map((p) => bit(torch(p), i)), [0, 1]);
  }
});

function manyBits(source: MT19937 | PCG64, limit: number): Uint8Array {
  const out = new Uint8Array(75);
  assert(source.fillBits(600, limit, false, out));
  return out;
}

Deno.test("keyed bits are those of the readable path at any offset, also beyond 2³² blocks", () => {
  const bases = [0, 2 ** 32 - 4100, 2 ** 34 - 4100, 2 ** 52 + 12345, 2 ** 53 - 70100];
  for (const base of bases) {
    for (let shift = 0; shift < 40; shift += base === 0 ? 1 : 7) {
      const stream = new KeyedStream({
        seed: 2n ** 63n + 7n,
        layer: shift,
        step: 2 ** 32 - 1,
        offset: base + shift,
      });
      for (const n of shift === 0 ? SIZES : [64, 65, 79, 80, 81, 8193]) {
        for (const q of [2 ** -32, 0.3, 0.3 + 2 ** -40, 1 - 2 ** -32, 1]) {
          const expected = withoutSimd(() => stream.bernoulliBits(q, n));
          assertSame(stream.bernoulliBits(q, n), expected, `offset ${stream.offset}, n = ${n}, q = ${q}`);
        }
      }
    }
  }
});

Deno.test("every stream refuses room that the bits do not fit, and draws nothing", () => {
  for (const make of Object.values(STREAMS)) {
    const stream = make(1);
    for (const bytes of [0, 12, 14]) {
      const message = `100 bits need an array of 13 bytes, got ${bytes}`;
      assertThrows(() => stream.bernoulliBits(0.5, 100, new Uint8Array(bytes)), TypeError, message);
    }
    assertEquals(stream.getState(), make(1).getState() as never);
  }
});

Deno.test("what the kernels fill may lie in a workspace", () => {
  const room = new Workspace(2 ** 18);
  const mask = room.mask([20001]);
  const streams: RandomStream[] = [
    ...Object.values(STREAMS).map((make) => make(4)),
    new KeyedStream({ seed: 4, layer: 0, step: 0, offset: 5 }),
  ];
  const plain: RandomStream[] = [
    ...Object.values(STREAMS).map((make) => make(4)),
    new KeyedStream({ seed: 4, layer: 0, step: 0, offset: 5 }),
  ];
  streams.forEach((stream, i) => {
    assert(stream.bernoulliBits(0.7, 20001, mask.bits) === mask.bits);
    assertSame(mask.bits, withoutSimd(() => plain[i].bernoulliBits(0.7, 20001)));
  });
});

// Wrappers

Deno.test("without SIMD, and for few draws, a wrapper says no and does nothing", () => {
  const state = () => new Uint32Array(1249).fill(3);
  const refusals: ((arrays: Numbers[]) => boolean)[] = [
    ([x, y, bits]) => applyBits(x as Float32Array, y as Float32Array, bits as Uint8Array, 2),
    ([, , bits, words]) => fastBits(400, (words as Uint32Array).subarray(0, 48), 2 ** 31, bits as Uint8Array),
    ([x, y, bits, words]) => {
      const state = (words as Uint32Array).subarray(0, 48);
      return fastDropout(x as Float32Array, y as Float32Array, state, 2 ** 31, 2, bits as Uint8Array);
    },
    ([, , , words]) => simd.mt19937Block(words as Uint32Array),
    ([, , , words, doubles]) => simd.mt19937Doubles(words as Uint32Array, doubles as Float64Array, false),
    ([, y, , words]) => simd.mt19937Floats(words as Uint32Array, y as Float32Array),
    ([, , bits, words]) => {
      const limit = { limit: 0.5, inverted: false };
      return simd.mt19937Bits(words as Uint32Array, bits as Uint8Array, 400, limit, false);
    },
    ([, , , words, doubles]) => {
      const state = words as Uint32Array;
      return simd.pcg64Doubles(state.subarray(0, 4), state.subarray(4, 8), doubles as Float64Array);
    },
    ([, , bits, words]) => {
      const state = words as Uint32Array, limit = { limit: 0.5, inverted: false };
      return simd.pcg64Bits(state.subarray(0, 4), state.subarray(4, 8), bits as Uint8Array, 400, limit);
    },
    ([, , , words]) => {
      const state = words as Uint32Array;
      return simd.pcg64Words(state.subarray(0, 4), state.subarray(4, 8), state.subarray(8, 408));
    },
    ([, , bits]) => simd.philoxBits([1, 2], { step: 0, layer: 0, offset: 0 }, bits as Uint8Array, 400, 9),
  ];
  const operands = () => {
    const x = withSpecials(400, "float32").data;
    return [x, x.slice(), new Uint8Array(50).fill(7), state(), new Float64Array(400).fill(5)];
  };
  for (const wrapper of refusals) {
    const before = operands(), arrays = operands();
    assertFalse(withoutSimd(() => wrapper(arrays)));
    arrays.forEach((array, i) => assertSame(array, before[i]));
    assert(wrapper(arrays), "with SIMD it says yes");
    assert(arrays.some((array, i) => !equal(array, before[i])), "and does something");
  }
  const few = Float64Array.of(1, 2);
  assertFalse(simd.mt19937Doubles(state(), few, false));
  assertSame(few, Float64Array.of(1, 2));
});

function equal(a: Numbers, b: Numbers): boolean {
  return a.every((value, i) => Object.is(value, b[i]));
}

Deno.test("a mask drawn by kernels does not depend on where the kernels' memory stands", () => {
  // Large operands make the shared memory grow, which gives its bytes another place.
  const before = new FastStream(1).bernoulliBits(0.5, 1000);
  const [x, y] = [new Float64Array(200000).fill(1), new Float64Array(200000)];
  assert(applyBits(x, y, new Uint8Array(25000).fill(0xff), survivorScale(0.5)));
  assertSame(y, x.map(() => 2));
  assertSame(new FastStream(1).bernoulliBits(0.5, 1000), before);
  assertNotEquals(Array.from(new FastStream(2).bernoulliBits(0.5, 1000)), Array.from(before));
});

Deno.test("the kernels' sources have their decorators, which a formatter that does not know them would drop", async () => {
  const folder = new URL("../lib/simd/assembly/", import.meta.url);
  const lost = (source: string) => /\/\/ @ts-ignore: decorator\n(?!@)/.test(source);
  assert(lost("// @ts-ignore: decorator\n\nfunction f(): void {}\n")); // the fault
  let inlined = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const source = await Deno.readTextFile(new URL(name, folder));
    assertFalse(lost(source), name);
    inlined += source.split("\n@inline\n").length - 1;
  }
  assert(inlined > 0);
});

Deno.test("the ReLU, its gradient and Adam in float32 are their readable form's to the bit, specials included", () => {
  for (const size of [...SIZES, 300]) {
    for (const dtype of DTYPES) {
      const [x, g] = [withSpecials(size, dtype, 1), withSpecials(size, dtype, 2)];
      const pass = () => {
        const relu = new ReLU();
        return [relu(x).data, relu.backward(g).data];
      };
      const [fast, plain] = [pass(), withoutSimd(pass)];
      assertSame(fast[0], plain[0], `ReLU ${dtype} ${size}`);
      assertSame(fast[1], plain[1], `its gradient ${dtype} ${size}`);
      // The laws themselves: max(0, x), and the gradient where that is above zero.
      assertSame(fast[0], x.data.map((value) => Math.max(0, value)));
      assertSame(fast[1], g.data.map((value, i) => x.data[i] > 0 ? value : 0));
    }
    if (size === 0) continue;
    const train = () => {
      const value = normals([size], 3, "float32");
      const parameter = { name: "w", value, grad: withSpecials(size, "float32", 4) };
      const optimizer = new Adam([parameter], { lr: 0.01, weightDecay: 0.1 });
      for (let step = 0; step < 3; step++) optimizer.step();
      const { mean, square } = optimizer.getState().moments as Record<string, Tensor[]>;
      return [value.data, mean[0].data, square[0].data];
    };
    const [fast, plain] = [train(), withoutSimd(train)];
    fast.forEach((array, i) => assertSame(array, plain[i], `Adam ${size}, array ${i}`));
  }
});

Deno.test("Adam in float32 takes the steps of float64, to rounding", () => {
  const steps = (dtype: DType) => {
    const value = normals([1000], 3, dtype);
    const optimizer = new Adam([{ name: "w", value, grad: normals([1000], 4, dtype) }], { lr: 0.01 });
    for (let step = 0; step < 10; step++) optimizer.step();
    return value.data;
  };
  const [single, double] = [steps("float32"), steps("float64")];
  // Ten steps of about 0.01: each rounds a weight of size 4 at most, and the step itself by a few parts in 2²⁴.
  single.forEach((w, i) => assert(Math.abs(w - double[i]) < 10 * 4 * 2 ** -24 + 0.1 * 8 * 2 ** -24));
});
