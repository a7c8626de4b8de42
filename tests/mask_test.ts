import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checkDropProbability, drawMask, Mask } from "../lib/mask.ts";
import { Layer } from "../lib/layer.ts";
import { defaultRng, RandomState, type RandomStream } from "../lib/random/mod.ts";
import { multiply, ones, type Tensor, tensor } from "../lib/tensor/mod.ts";
import { constantBits, FixedStream, probabilities } from "./helpers.ts";

const zerosAndOnes = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 40 });

Deno.test("Mask.of keeps its zeros and ones, one bit each, the first in the lowest bit", () => {
  fc.assert(fc.property(zerosAndOnes, (keep) => {
    const mask = Mask.of(...keep);
    assertEquals([mask.shape, mask.size], [[keep.length], keep.length]);
    assertEquals(mask.bits.length, Math.ceil(keep.length / 8));
    assertEquals(keep.map((_, i) => mask.get(i)), keep);
    assertEquals(mask.toTensor(), tensor(keep));
    assertEquals(mask.toTensor("float32"), tensor(keep, "float32"));
    assertEquals(mask.kept, keep.reduce((a, b) => a + b, 0));
  }));
  assertEquals(Array.from(Mask.of(1, 0, 1, 1, 0, 0, 0, 0, 1).bits), [0b1101, 1]);
});

Deno.test("Mask.of refuses what is neither 0 nor 1", () => {
  assertThrows(() => Mask.of(0, 2), TypeError, "A mask holds zeros and ones, got 2");
  assertThrows(() => Mask.of(true as unknown as number), TypeError, "got true");
});

Deno.test("the bits must fit the shape, and unused ones must be 0", () => {
  const refuse = (bytes: number[], shape: number[], message: string) =>
    assertThrows(() => new Mask(Uint8Array.from(bytes), shape), TypeError, message);
  refuse([0], [9], "A mask of shape [9] needs 2 bytes with unused bits 0, got 1 bytes");
  refuse([0, 0], [2, 4], "A mask of shape [2, 4] needs 1 bytes with unused bits 0, got 2 bytes");
  refuse([0b1000], [3], "needs 1 bytes with unused bits 0");
  refuse([0], [0], "needs 0 bytes");
  assertEquals(new Mask(Uint8Array.of(0b111), [3]).kept, 3);
  assertEquals(new Mask(Uint8Array.of(255), [8]).kept, 8);
  assertEquals(new Mask(new Uint8Array(), [0, 3]).kept, 0);
  assertThrows(() => new Mask(Uint8Array.of(0), [-1]), RangeError, "got [-1]");
});

Deno.test("a reshaped mask shares its bits, and the size must agree", () => {
  const mask = Mask.of(1, 0, 0, 1, 1, 1);
  const square = mask.reshape([2, 3]);
  assertStrictEquals(square.bits, mask.bits);
  assertEquals(square.toTensor().toArray(), [[1, 0, 0], [1, 1, 1]]);
  assertThrows(() => mask.reshape([3, 3]), TypeError, "A mask of shape [3, 3] needs 2 bytes");
  assertThrows(() => mask.reshape([2, 2]), TypeError, "unused bits 0");
});

Deno.test("drawMask keeps where binomial(1, 1 − p) draws a one, in row-major order", () => {
  fc.assert(fc.property(probabilities(), fc.nat(5), fc.nat(5), fc.nat(), (p, rows, columns, seed) => {
    for (const make of [() => defaultRng(seed), () => new RandomState(seed)]) {
      const mask = drawMask([rows, columns], p, { rng: make() });
      assertEquals(mask.shape, [rows, columns]);
      const draws = Array.from(make().binomial(1, 1 - p, rows * columns));
      assertEquals(draws.map((_, i) => mask.get(i)), draws);
    }
  }));
});

Deno.test("p = 0 never drops and p = 1 always does, at both ends of the uniform numbers", () => {
  for (const end of ["lowest", "highest"] as const) {
    const rng = new FixedStream(constantBits(end));
    assertEquals(drawMask([20], 0, { rng }).kept, 20);
    assertEquals(drawMask([20], 1, { rng }).kept, 0);
  }
});

Deno.test("drawMask refuses what is not a probability, and says what it needs for a stream", () => {
  const draw = (p: unknown, rng: unknown = defaultRng(0)) =>
    drawMask([2], p as number, { rng: rng as RandomStream });
  for (const p of [-0.1, 1.1, NaN, Infinity]) {
    assertThrows(() => draw(p), RangeError, `Dropout probability must be in [0, 1], got ${p}`);
  }
  assertThrows(() => draw("0.5"), TypeError, 'Dropout probability must be in [0, 1], got "0.5"');
  const needs = "drawMask needs a random stream, such as { rng: defaultRng(seed) }, got";
  assertThrows(
    () => drawMask([2], 0.5, { rng: undefined as unknown as RandomStream }),
    TypeError,
    `${needs} undefined`,
  );
  assertThrows(() => draw(0.5, null), TypeError, `${needs} null`);
  assertThrows(() => draw(0.5, 42), TypeError, `${needs} 42`);
});

Deno.test("an open range refuses p = 1 too", () => {
  checkDropProbability(1);
  checkDropProbability(0, "[0, 1)");
  const message = "Dropout probability must be in [0, 1), got 1";
  assertEquals(assertThrows(() => checkDropProbability(1, "[0, 1)"), RangeError).message, message);
});

// Layers

class Double extends Layer {
  factor = 2;
  override forward(x: Tensor): Tensor {
    return multiply(x, this.factor);
  }
  override backward(gradOutput: Tensor): Tensor {
    return multiply(gradOutput, this.factor);
  }
}

Deno.test("a layer is a function, and an instance of its classes", () => {
  const layer = new Double();
  assertEquals(typeof layer, "function");
  assertInstanceOf(layer, Double);
  assertInstanceOf(layer, Layer);
  assertEquals(layer(tensor([1, 2])), layer.forward(tensor([1, 2])));
  assertEquals(layer.backward(tensor([1])).toArray(), [2]);
});

Deno.test("two layers of a class do not share anything", () => {
  const [a, b] = [new Double(), new Double()];
  a.factor = 3;
  a.eval();
  assertEquals([a(tensor(1)).at(), b(tensor(1)).at()], [3, 2]);
  assertEquals([a.training, b.training], [false, true]);
});

Deno.test("train and eval switch the mode and return the layer", () => {
  const layer = new Double();
  assert(layer.training, "training is the initial mode");
  assertStrictEquals(layer.eval(), layer);
  assertEquals(layer.training, false);
  assertStrictEquals(layer.train(), layer);
  assertEquals(layer.training, true);
  assertEquals(layer.train(false).training, false);
});

Deno.test("train refuses what is not a boolean, and the mode stays", () => {
  const layer = new Double().eval();
  for (const mode of ["yes", 1, null]) {
    assertThrows(
      () => layer.train(mode as unknown as boolean),
      TypeError,
      `train: mode must be true or false, got ${mode === "yes" ? '"yes"' : mode}`,
    );
    assertEquals(layer.training, false);
  }
  assertThrows(() => Object.assign(layer, { training: true }), TypeError);
});

Deno.test("a list of any length makes a mask, and so does a tensor", () => {
  const keep = Array.from({ length: 300_000 }, (_, i) => i % 3 === 0 ? 1 : 0);
  assertEquals(Mask.from(keep).kept, 100_000);
  assertEquals(Mask.from(tensor([[1, 0], [0, 1]])).shape, [2, 2]);
  assertEquals(Mask.from([1, 0, 1, 1], [2, 2]).toTensor().toArray(), [[1, 0], [1, 1]]);
  assertThrows(() => Mask.from(3 as never), TypeError, "a list of zeros and ones, got 3");
});

Deno.test("a mask broadcasts as a tensor does", () => {
  const shapes = [
    [[3], [2, 3]],
    [[2, 1], [2, 3]],
    [[1], [4, 5]],
    [[2, 3, 1, 1], [2, 3, 4, 5]],
    [[], [2, 2]],
    [[2, 1, 9], [2, 8, 9]],
  ];
  for (const [from, to] of shapes) {
    const mask = drawMask(from, 0.5, { rng: defaultRng(1) });
    const expected = multiply(
      mask.toTensor(),
      tensor(new Float64Array(to.reduce((n, m) => n * m, 1)).fill(1), to),
    );
    assertEquals(mask.broadcastTo(to).toTensor(), expected);
  }
  const mask = Mask.of(1, 0);
  assertStrictEquals(mask.broadcastTo([2]), mask);
  assertThrows(() => mask.broadcastTo([3]), TypeError, "do not broadcast");
  assertThrows(() => mask.reshape([2, 1]).broadcastTo([2]), TypeError, "does not broadcast to [2]");
});

Deno.test("a mask broadcasts to any shape that fits, bit for bit, in pieces of bytes or of bits", () => {
  const anyShapes = fc.array(fc.constantFrom(0, 1, 2, 3, 8, 16, 19), { minLength: 1, maxLength: 4 }).chain((
    to,
  ) =>
    fc.tuple(
      fc.constant(to),
      fc.tuple(...to.map((length) => fc.constantFrom(1, length))),
      fc.nat(to.length),
    ).map(([to, from, cut]) => [to, from.slice(cut)] as const)
  );
  fc.assert(fc.property(anyShapes, fc.nat(), ([to, from], seed) => {
    const mask = drawMask(from, 0.5, { rng: defaultRng(seed) });
    const expected = multiply(mask.toTensor(), ones(to));
    const found = mask.broadcastTo(to);
    assertEquals(found.toTensor(), expected);
    new Mask(found.bits, to); // unused bits are 0
  }));
});

Deno.test("a mask needs a shape, not a length", () => {
  assertThrows(() => drawMask(3 as never, 0.5, { rng: defaultRng(1) }), TypeError, "such as [2, 3], got 3");
});
