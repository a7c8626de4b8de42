/** Philox and the masks that are a function of seed, layer, step and position. */

import { assert, assertEquals, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { invertedDropout } from "../lib/dropout/mod.ts";
import { drawMask, Mask } from "../lib/mask.ts";
import { KeyedStream, type KeyedStreamOptions } from "../lib/random/keyed_stream.ts";
import { type FourWords, philox4x32 } from "../lib/random/philox.ts";
import { withoutSimd } from "../lib/simd/kernels.ts";
import { normals, probabilities } from "./helpers.ts";

const MAX = 0xffffffff;
const key: KeyedStreamOptions = { seed: 42, layer: 0, step: 0 };

const bit = (bits: Uint8Array, i: number) => (bits[i >> 3] >> (i & 7)) & 1;
const unpack = (bits: Uint8Array, n: number) => Array.from({ length: n }, (_, i) => bit(bits, i));

const words = fc.integer({ min: 0, max: MAX });
const keys = fc.record({ seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), layer: words, step: words });
/** Small ones, and large ones on both sides of the places where a word of the counter overflows. */
const offsets = fc.oneof(
  fc.nat(100),
  fc.nat(100).map((i) => 2 ** 34 - 50 + i),
  fc.nat(2 ** 31).map((i) => i * 2 ** 20),
);

// Philox

Deno.test("Philox4x32-10 gives the published answers", () => {
  // Random123, tests/kat_vectors.
  const answers: [FourWords, [number, number], number[]][] = [
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[MAX, MAX, MAX, MAX], [MAX, MAX], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, expected] of answers) {
    assertEquals(Array.from(philox4x32(counter, key)), expected);
    const out = new Uint32Array(4);
    assert(philox4x32(counter, key, out) === out);
    assertEquals(Array.from(out), expected);
  }
});

Deno.test("the key of a stream is the seed, its counter the position by four, the step and the layer", () => {
  fc.assert(fc.property(keys, offsets, ({ seed, layer, step }, offset) => {
    const block = BigInt(offset) / 4n;
    const counter = [Number(block & 0xffffffffn), Number(block >> 32n), step, layer] as const;
    const expected = philox4x32(counter, [Number(seed & 0xffffffffn), Number(seed >> 32n)]);
    const stream = new KeyedStream({ seed, layer, step, offset });
    assertEquals(stream.uniform(0) * 2 ** 32, expected[offset % 4]);
  }));
});

// Splitting

Deno.test("however a batch is split, and in whatever order it is computed, its bits are those of the whole", () => {
  const cuts = fc.array(fc.nat(200), { maxLength: 6 });
  fc.assert(fc.property(keys, offsets, probabilities(), cuts, fc.nat(), (key, offset, q, cuts, shuffle) => {
    const whole = new KeyedStream({ ...key, offset });
    const edges = [0, ...cuts, 200].sort((a, b) => a - b);
    const parts = edges.slice(1).map((end, i) => ({ start: edges[i], n: end - edges[i] }));
    parts.sort((a, b) => (a.start * 7919 + shuffle) % 101 - (b.start * 7919 + shuffle) % 101);
    const pieces = new Array<number>(200);
    for (const { start, n } of parts) {
      const bits = whole.at({ offset: offset + start }).bernoulliBits(q, n);
      unpack(bits, n).forEach((bit, i) => pieces[start + i] = bit);
    }
    assertEquals(pieces, unpack(whole.bernoulliBits(q, 200), 200));
  }));
});

Deno.test("a bit is a one where the element's uniform number lies below q", () => {
  fc.assert(fc.property(keys, offsets, fc.nat(40), probabilities(), (key, offset, n, q) => {
    const stream = new KeyedStream({ ...key, offset });
    const out = new Uint8Array(Math.ceil(n / 8)).fill(0xff);
    assert(stream.bernoulliBits(q, n, out) === out);
    const uniform = Array.from({ length: n }, (_, i) => stream.uniform(i));
    assertEquals(unpack(out, out.length * 8).slice(n), Array(out.length * 8 - n).fill(0));
    assertEquals(unpack(out, n), uniform.map((u) => Number(u < q)));
    assert(uniform.every((u) => u >= 0 && u < 1 && Number.isInteger(u * 2 ** 32)));
  }));
});

Deno.test("the threshold is exact: at an element's own number it is dropped, one step above it is kept", () => {
  const stream = new KeyedStream(key);
  for (let i = 0; i < 100; i++) {
    const u = stream.uniform(i);
    assertEquals([u, u + 2 ** -32].map((q) => bit(stream.bernoulliBits(q, 100), i)), [0, 1]);
  }
  assertEquals(new Mask(stream.bernoulliBits(0, 1000), [1000]).kept, 0);
  assertEquals(new Mask(stream.bernoulliBits(1, 1000), [1000]).kept, 1000);
});

Deno.test("nothing advances: the same call gives the same bits, whatever is drawn in between", () => {
  fc.assert(fc.property(keys, fc.nat(1000), (key, between) => {
    const stream = new KeyedStream(key);
    const first = stream.bernoulliBits(0.5, 70);
    stream.uniform(between);
    stream.at({ step: 1 }).bernoulliBits(0.5, between);
    assertEquals(stream.bernoulliBits(0.5, 70), first);
    assertEquals(new KeyedStream(key).bernoulliBits(0.5, 70), first);
  }));
});

Deno.test("at moves what it is given, and leaves the rest and the stream itself", () => {
  const stream = new KeyedStream({ seed: 1n, layer: 2, step: 3, offset: 4 });
  const fields = ({ seed, layer, step, offset }: KeyedStream) => ({ seed, layer, step, offset });
  assertEquals(fields(stream.at({ step: 9 })), { seed: 1n, layer: 2, step: 9, offset: 4 });
  assertEquals(fields(stream.at({ layer: 8, offset: 0 })), { seed: 1n, layer: 8, step: 3, offset: 0 });
  assertEquals(fields(stream.at({})), fields(stream));
});

Deno.test("a number and a bigint are the same seed, and all 64 bits of it count", () => {
  const first = (seed: number | bigint) => new KeyedStream({ ...key, seed }).bernoulliBits(0.5, 128);
  assertEquals(first(2 ** 53 - 1), first(2n ** 53n - 1n));
  const zero = first(0);
  for (let i = 0n; i < 64n; i++) assertNotEquals(first(1n << i), zero); // false alarm: 2⁻¹²⁸ each
});

// Dropout

Deno.test("a mask can be computed again in the backward pass, or on two machines, instead of being kept", () => {
  const stream = new KeyedStream({ seed: 7, layer: 3, step: 11 });
  const { pass: { mask } } = invertedDropout(normals([5, 13]), 0.3, { rng: stream });
  assertEquals(drawMask([5, 13], 0.3, { rng: new KeyedStream({ seed: 7, layer: 3, step: 11 }) }), mask!);
  // Rows 2 to 4 alone.
  const lower = drawMask([3, 13], 0.3, { rng: stream.at({ offset: 2 * 13 }) });
  for (let i = 0; i < lower.size; i++) assertEquals(lower.get(i), mask!.get(2 * 13 + i));
});

// Statistics. A normal z-score beyond 5 has probability 6·10⁻⁷. With fixed seeds it happens never or always.

const K = 5;
const N = 65536;

type MakeStream = (options: KeyedStreamOptions) => KeyedStream;

/** In how many standard errors the fraction of equal bits of two masks with p = ½ differs from ½. */
function zOfAgreement(a: KeyedStream, b: KeyedStream): number {
  const [x, y] = [a.bernoulliBits(0.5, N), b.bernoulliBits(0.5, N)];
  const different = new Mask(x.map((byte, i) => byte ^ y[i]), [N]).kept;
  return (1 - different / N - 0.5) / Math.sqrt(0.25 / N);
}

/** The largest z of pairs of masks that differ in the layer, the step, the seed or the position. */
function worstAgreement(make: MakeStream): number {
  const others: Partial<KeyedStreamOptions>[] = [
    { layer: 1 },
    { layer: 2 },
    { layer: MAX },
    { step: 1 },
    { step: 2 },
    { step: MAX },
    { seed: 43 },
    { seed: 42n + (1n << 32n) },
    { layer: 1, step: 1 },
    { offset: 1 },
    { offset: 4 },
    { offset: 2 ** 34 },
  ];
  return Math.max(...others.map((other) => Math.abs(zOfAgreement(make(key), make({ ...key, ...other })))));
}

Deno.test("masks of other layers, steps, seeds and positions agree by chance only", () => {
  assertLess(worstAgreement((options) => new KeyedStream(options)), K);
  const [layer1, step1] = [new KeyedStream({ ...key, layer: 1 }), new KeyedStream({ ...key, step: 1 })];
  assertLess(Math.abs(zOfAgreement(layer1, step1)), K);
});

Deno.test("a stream that ignores its layer, its step, its seed's upper half or far offsets is caught", () => {
  const faults: MakeStream[] = [
    (options) => new KeyedStream({ ...options, layer: 0 }),
    (options) => new KeyedStream({ ...options, step: 0 }),
    (options) => new KeyedStream({ ...options, seed: BigInt(options.seed) & 0xffffffffn }),
    (options) => new KeyedStream({ ...options, offset: (options.offset ?? 0) % 2 ** 34 }),
  ];
  for (const fault of faults) assert(worstAgreement(fault) > K);
});

Deno.test("the fraction kept lies within 5 standard errors of q, for all layers and steps together too", () => {
  const keptFraction = (stream: KeyedStream, q: number) => new Mask(stream.bernoulliBits(q, N), [N]).kept / N;
  const z = (fraction: number, q: number, n: number) => (fraction - q) / Math.sqrt((q * (1 - q)) / n);
  for (const q of [0.1, 0.5, 0.8]) {
    let total = 0;
    for (let i = 0; i < 10; i++) {
      const fraction = keptFraction(new KeyedStream({ seed: 5, layer: i % 3, step: i }), q);
      assertLess(Math.abs(z(fraction, q, N)), K);
      total += fraction;
    }
    assertLess(Math.abs(z(total / 10, q, 10 * N)), K);
  }
  // The fault: q too large by 2 %. That is 0.01 / √(¼/65536) = 5.1 standard errors in one mask, 16 in ten.
  const total = [...Array(10).keys()].reduce(
    (sum, step) => sum + keptFraction(new KeyedStream({ ...key, step }), 0.51),
    0,
  );
  assert(z(total / 10, 0.5, 10 * N) > K);
});

Deno.test("each element is kept in half of all steps, and so in half of all layers", () => {
  // 64 elements, 2000 masks each: with the sum of the squared z-scores, χ² with 64 degrees of freedom.
  const chiSquare = (masks: KeyedStream[]) => {
    const counts = new Float64Array(64);
    for (const stream of masks) {
      unpack(stream.bernoulliBits(0.5, 64), 64).forEach((bit, i) => counts[i] += bit);
    }
    return counts.reduce((sum, count) => sum + (count - masks.length / 2) ** 2 / (masks.length / 4), 0);
  };
  const many = (place: (i: number) => Partial<KeyedStreamOptions>) =>
    Array.from({ length: 2000 }, (_, i) => new KeyedStream({ ...key, ...place(i) }));
  // P(χ²₆₄ > 64 + 6·√128) is below 10⁻⁶ (Wilson and Hilferty).
  const limit = 64 + 6 * Math.sqrt(128);
  assertLess(chiSquare(many((step) => ({ step }))), limit);
  assertLess(chiSquare(many((layer) => ({ layer }))), limit);
  // The fault: every tenth mask is that of step 0.
  assert(chiSquare(many((step) => ({ step: step % 10 === 0 ? 0 : step }))) > limit);
});

// Refusals

Deno.test("a key that is not one is refused, and the message says what came", () => {
  const refuse = (options: object, error: typeof RangeError | typeof TypeError, message: string) =>
    assertThrows(() => new KeyedStream({ ...key, ...options }), error, message);
  const seed = "The seed of a KeyedStream must be an integer in [0, 2⁵³) or a bigint in [0, 2⁶⁴), got";
  for (const bad of [-1, 0.5, NaN, 2 ** 53]) refuse({ seed: bad }, RangeError, `${seed} ${bad}`);
  for (const bad of [-1n, 2n ** 64n]) refuse({ seed: bad }, RangeError, `${seed} ${bad}n`);
  refuse({ seed: "42" }, TypeError, `${seed} "42"`);
  refuse({ seed: undefined }, TypeError, `${seed} undefined`);
  for (const name of ["layer", "step"]) {
    const message = `The ${name} of a KeyedStream must be an integer in [0, 4294967295], got`;
    for (const bad of [-1, 0.5, NaN, 2 ** 32]) refuse({ [name]: bad }, RangeError, `${message} ${bad}`);
    refuse({ [name]: undefined }, TypeError, `${message} undefined`);
    refuse({ [name]: 1n }, TypeError, `${message} 1n`);
  }
  const offset = "The offset of a KeyedStream must be a non-negative integer, got";
  for (const bad of [-1, 0.5]) refuse({ offset: bad }, RangeError, `${offset} ${bad}`);
  refuse({ offset: 2 ** 53 }, RangeError, "The offset of a KeyedStream must be an integer below 2⁵³, got");
  assertThrows(() => new KeyedStream(key).at({ offset: -8 }), RangeError, `${offset} -8`);
});

Deno.test("out must have as many bytes as the bits need", () => {
  const message = "9 bits need an array of 2 bytes, got 3";
  assertThrows(() => new KeyedStream(key).bernoulliBits(0.5, 9, new Uint8Array(3)), TypeError, message);
});

Deno.test("what is not a probability or lies beyond the last position is refused", () => {
  const stream = new KeyedStream(key);
  const probability = "The probability of a one must be in [0, 1], got";
  for (const q of [-0.1, 1.1, NaN]) {
    assertThrows(() => stream.bernoulliBits(q, 8), RangeError, `${probability} ${q}`);
  }
  const text = "0.5" as unknown as number;
  assertThrows(() => stream.bernoulliBits(text, 8), TypeError, `${probability} "0.5"`);
  for (const i of [-1, 0.5, NaN]) {
    const message = `The position of a KeyedStream must be a non-negative integer, got ${i}`;
    assertThrows(() => stream.uniform(i), RangeError, message);
  }
  const last = stream.at({ offset: 2 ** 53 - 1 });
  assertEquals(last.bernoulliBits(1, 0).length, 0);
  assertThrows(() => last.uniform(1), RangeError, "The position of a KeyedStream must be");
  assertThrows(() => last.bernoulliBits(1, 1), RangeError, "The end of the mask of a KeyedStream must be");
});

Deno.test("between two numbers of 32 bits, the threshold is rounded up, with the kernel and without", () => {
  const stream = new KeyedStream(key);
  for (let i = 0; i < 100; i++) {
    const q = stream.uniform(i) + 2 ** -33; // half a step above the element's own number
    for (const run of [(work: () => Uint8Array) => work(), (work: () => Uint8Array) => withoutSimd(work)]) {
      assertEquals(bit(run(() => stream.bernoulliBits(q, 100)), i), 1);
    }
  }
});

Deno.test("a stream goes to a saved place, through JSON; what is no place is refused", () => {
  for (const seed of [7, 2n ** 60n]) {
    const stream = new KeyedStream({ seed, layer: 3, step: 9, offset: 100 });
    const other = new KeyedStream({ seed: 1, layer: 0, step: 0 });
    other.setState(JSON.parse(JSON.stringify(stream.getState())));
    assertEquals(other.bernoulliBits(0.5, 100), stream.bernoulliBits(0.5, 100));
    assertEquals(other.seed, seed);
    const wrong = [null, {}, { ...stream.getState(), step: -1 }, { ...stream.getState(), seed: 7 }];
    for (const state of wrong) assertThrows(() => other.setState(state as never), Error);
    assertEquals(other.step, 9, "a refusal changes nothing");
  }
});
