import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  applyMask,
  DropoutLayer,
  type DropoutPass,
  inferenceWeight,
  InvertedDropout,
  invertedDropout,
  invertedDropoutBackward,
  StandardDropout,
  standardDropout,
  standardDropoutBackward,
  survivorScale,
} from "../lib/dropout/mod.ts";
import { gradcheck } from "../lib/gradient.ts";
import { drawMask, Mask } from "../lib/mask.ts";
import { defaultRng, FastStream, RandomState, type Seed } from "../lib/random/mod.ts";
import { add, full, matmul, multiply, ones, sum, Tensor, tensor, zeros } from "../lib/tensor/mod.ts";
import { bytesOf, constantBits, FixedStream, fixture, normals, numbers, probabilities } from "./helpers.ts";

interface Reference {
  runs: {
    p: number;
    seed: number;
    passes: { mask: number[]; output: string; gradInput: string }[];
  }[];
}
const reference = await fixture<Reference>("dropout");

const anyP = probabilities(0.99);
const anySeed = fc.nat();
const anyDtype = fc.constantFrom("float64" as const, "float32" as const);
/** Shapes of one to three axes, some of length 0. */
const anyShape = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 });
const LAYERS = [InvertedDropout, StandardDropout];

/** ⟨a, b⟩ */
const dot = (a: Tensor, b: Tensor) => sum(multiply(a, b));

// The laws

Deno.test("inverted: each output is +0 or x · 1/(1−p) in the tensor's precision; shape, type and input are kept", () => {
  fc.assert(fc.property(anyP, anySeed, anyDtype, anyShape, (p, seed, dtype, shape) => {
    const x = normals(shape, seed, dtype);
    const before = bytesOf(x);
    const { output, pass: { mask } } = invertedDropout(x, p, { rng: defaultRng(seed) });
    const scale = dtype === "float32" ? Math.fround(1 / (1 - p)) : 1 / (1 - p);
    const round = dtype === "float32" ? Math.fround : Number;
    assertEquals([output.shape, output.dtype], [shape, dtype]);
    output.data.forEach((y, i) => {
      const kept = p === 0 || mask!.get(i) === 1;
      assert(Object.is(y, kept ? round(x.data[i] * scale) : 0), `${y} from ${x.data[i]}`);
    });
    assertEquals(bytesOf(x), before);
  }));
});

Deno.test("standard: each output is +0 or x while training, and (1−p)·x at inference", () => {
  fc.assert(fc.property(anyP, anySeed, anyDtype, anyShape, (p, seed, dtype, shape) => {
    const x = normals(shape, seed, dtype);
    const before = bytesOf(x);
    const { output, pass: { mask } } = standardDropout(x, p, { rng: defaultRng(seed) });
    output.data.forEach((y, i) => assert(Object.is(y, p === 0 || mask!.get(i) === 1 ? x.data[i] : 0)));
    const inference = standardDropout(x, p, { training: false });
    assertEquals(inference.pass.mask, null);
    const keepProb = dtype === "float32" ? Math.fround(1 - p) : 1 - p;
    assertEquals(inference.output, x.map((value) => value * keepProb));
    assertEquals([output.dtype, inference.output.dtype], [dtype, dtype]);
    assertEquals(bytesOf(x), before);
  }));
});

Deno.test("inverted dropout is the identity in evaluation, and at p = 0: x itself, no draw, no mask", () => {
  const x = normals([3, 4]);
  for (const { output, pass } of [invertedDropout(x, 0.5, { training: false }), invertedDropout(x, 0)]) {
    assertStrictEquals(output, x);
    assertEquals(pass, { shape: [3, 4], mask: null, scale: 1 });
  }
  const layer = new InvertedDropout(0.5, { rng: defaultRng(1) });
  assertStrictEquals(layer.eval()(x), x);
  assertStrictEquals(layer.mask, null);
  assertEquals(
    layer.train()(x),
    new InvertedDropout(0.5, { rng: defaultRng(1) })(x),
    "evaluation took nothing from the stream",
  );
  assertStrictEquals(standardDropout(x, 0).output, x);
});

Deno.test("p = 1 gives zeros and zero gradients, even for NaN and infinities", () => {
  const x = tensor([NaN, Infinity, -Infinity, -1, 0]);
  const zero = new Float64Array(5);
  const inverted = invertedDropout(x, 1, { rng: defaultRng(0) });
  const standard = standardDropout(x, 1, { rng: new RandomState(0) });
  const given = { mask: drawMask([5], 0, { rng: defaultRng(0) }) };
  assertEquals(given.mask.kept, 5);
  const masked = [invertedDropout(x, 1, given), standardDropout(x, 1, given)];
  for (const result of [inverted, standard, ...masked]) {
    assertEquals(result.output.data, zero);
    assertEquals(result.pass.mask!.kept, 0);
  }
  assertEquals(invertedDropoutBackward(x, inverted.pass).data, zero);
  assertEquals(standardDropoutBackward(x, standard.pass).data, zero);
  assertEquals(new StandardDropout(1, { rng: defaultRng(0) })(x).data, zero);
  assertEquals([survivorScale(1), survivorScale(0), survivorScale(0.5)], [0, 1, 2]);
});

Deno.test("a dropped NaN or infinity is +0, a kept one stays", () => {
  const mask = Mask.of(0, 1, 0, 1, 0, 1);
  const x = tensor([NaN, NaN, Infinity, Infinity, -1, -0]);
  const output = applyMask(x, mask, 2);
  assert([0, NaN, 0, Infinity, 0, -0].every((y, i) => Object.is(output.data[i], y)), String(output));
});

Deno.test("the article's layer is reproduced bit for bit, forward and backward, over two passes", () => {
  for (const { p, seed, passes } of reference.runs) {
    const layer = new InvertedDropout(p, { rng: defaultRng(seed) });
    const x = tensor(Array.from({ length: 12 }, (_, i) => i + 1)).reshape([3, 4]);
    for (const expected of passes) {
      assertEquals(Array.from(layer(x).data), numbers(expected.output), `p = ${p}, seed ${seed}`);
      assertEquals(Array.from((layer.mask as Mask).toTensor().data), expected.mask);
      assertEquals(Array.from(layer.backward(full([3, 4], 0.5)).data), numbers(expected.gradInput));
    }
  }
  assertEquals(reference.runs.length, 8);
});

Deno.test("at both ends of the uniform numbers, p = ¼ keeps what NumPy's inversion keeps", () => {
  // q = 1 − p = ¾ > ½: the ones lie at the lower end.
  const keptAt = (end: "lowest" | "highest", p: number) =>
    invertedDropout(ones([9]), p, { rng: new FixedStream(constantBits(end)) }).output;
  assertEquals(keptAt("lowest", 0.25), full([9], 1 / 0.75));
  assertEquals(keptAt("highest", 0.25), zeros([9]));
  assertEquals(keptAt("lowest", 0.75), zeros([9]));
  assertEquals(keptAt("highest", 0.75), full([9], 4));
});

// Backward

/** The defining property of a backward pass of a linear map: ⟨f(x), g⟩ = ⟨x, f*(g)⟩. Relative to the products. */
function adjointGap(x: Tensor, output: Tensor, g: Tensor, gradInput: Tensor): number {
  return Math.abs(dot(output, g) - dot(x, gradInput)) / sum(multiply(output, g).map(Math.abs));
}

Deno.test("backward is the adjoint of forward: ⟨f(x), g⟩ = ⟨x, f*(g)⟩", () => {
  fc.assert(fc.property(probabilities(0.9), anySeed, (p, seed) => {
    const [x, g] = [normals([5, 7], seed), normals([5, 7], seed + 1)];
    for (const Dropout of LAYERS) {
      for (const training of [true, false]) {
        const layer = new Dropout(p, { seed }).train(training);
        const output = layer(x);
        if (output.data.every((y) => y === 0)) continue; // nothing to compare
        // Both sides add 35 products of two roundings each: three additions in each of eight sums, three to join
        // them, three for the tail. Each rounding is at most 2⁻⁵³.
        assert(adjointGap(x, output, g, layer.backward(g)) <= 2 * (2 + 9) * 2 ** -53);
      }
    }
  }));
});

/** A planted fault: the backward pass draws a mask of its own. */
class Forgetful extends InvertedDropout {
  override backward(gradOutput: Tensor): Tensor {
    return invertedDropout(gradOutput, this.p, { rng: this.rng }).output;
  }
}

Deno.test("a mask drawn anew in the backward pass is caught, by the adjoint and by gradcheck", () => {
  const [x, g] = [normals([5, 7]), normals([5, 7], 2)];
  const layer = new Forgetful(0.5, { seed: 0 });
  assert(adjointGap(x, layer(x), g, layer.backward(g)) > 0.01);
  const check = (layer: InvertedDropout) => {
    const forward = (x: Tensor) => {
      layer.resetRng(); // the same mask each time
      return layer(x);
    };
    return gradcheck(forward, (g) => layer.backward(g), normals([6]));
  };
  assertEquals(check(new Forgetful(0.5, { seed: 0 })).ok, false);
  assertEquals(check(new InvertedDropout(0.5, { seed: 0 })).ok, true);
});

Deno.test("dropout with its mask held is linear", () => {
  fc.assert(fc.property(anyP, anySeed, (p, seed) => {
    const [x, y] = [normals([20], seed), normals([20], seed + 1)];
    const mask = drawMask([20], p, { rng: defaultRng(seed) });
    const f = (x: Tensor) => applyMask(x, mask, survivorScale(p));
    assertEquals(f(multiply(x, 4)), multiply(f(x), 4)); // a power of two rounds nothing
    const [left, right] = [f(add(x, y)), add(f(x), f(y))];
    // Two roundings on either side, relative to |x| + |y| times the scale.
    left.data.forEach((value, i) =>
      assert(
        Math.abs(value - right.data[i]) <=
          4 * 2 ** -53 * survivorScale(p) * (Math.abs(x.data[i]) + Math.abs(y.data[i])),
      )
    );
  }));
});

Deno.test("backward uses the mask of the last forward pass, also after eval() and after train()", () => {
  const g = normals([4, 5], 2);
  const layer = new InvertedDropout(0.5, { rng: defaultRng(3) });
  layer(ones([4, 5]));
  const expected = applyMask(g, layer.mask!, 2);
  assertEquals(layer.backward(g), expected);
  assertEquals(layer.eval().backward(g), expected, "the mode has changed, the pass has not");
  layer(ones([4, 5]));
  assertEquals(layer.backward(g), g, "the last pass was in evaluation");
  assertEquals(layer.train().backward(g), g);
  layer(ones([4, 5]));
  assertEquals(layer.backward(g), applyMask(g, layer.mask!, 2), "and now a new mask");
});

Deno.test("standard dropout: backward passes the mask unscaled, and 1 − p after evaluation", () => {
  const g = normals([4, 5], 2);
  const layer = new StandardDropout(0.25, { rng: defaultRng(3) });
  layer(ones([4, 5]));
  assertEquals(layer.backward(g), applyMask(g, layer.mask!, 1));
  layer.eval()(ones([4, 5]));
  assertStrictEquals(layer.mask, null);
  assertEquals(layer.backward(g), multiply(g, 0.75));
  const none = new StandardDropout(0, { rng: defaultRng(3) });
  none(ones([4, 5]));
  assertEquals(none.backward(g), g);
  assertStrictEquals(standardDropoutBackward(g, standardDropout(g, 0).pass), g);
  const { pass } = standardDropout(g, 0.25, { training: false });
  assertEquals(standardDropoutBackward(g, pass), multiply(g, 0.75));
});

Deno.test("inverted: backward equals forward applied to the gradient, with the same mask", () => {
  const g = normals([10]);
  const { pass } = invertedDropout(ones([10]), 0.3, { rng: defaultRng(1) });
  const gradient = invertedDropoutBackward(g, pass);
  assertEquals(gradient, applyMask(g, pass.mask!, 1 / 0.7));
  assertEquals(gradient, invertedDropout(g, 0.3, { mask: pass.mask! }).output);
  assertStrictEquals(invertedDropoutBackward(g, invertedDropout(g, 0).pass), g);
});

Deno.test("backward before any forward pass, with another shape, or with what is no pass, is an error", () => {
  for (const Dropout of LAYERS) {
    const layer = new Dropout(0.5, { seed: 0 });
    assertStrictEquals(layer.mask, undefined);
    assertThrows(
      () => layer.backward(ones([2])),
      Error,
      "backward needs a forward pass before it: call forward(x)",
    );
    layer(ones([2, 3]));
    const message = `${Dropout.name}.backward needs a tensor of shape [2, 3], got [3, 2]`;
    assertThrows(() => layer.backward(ones([3, 2])), TypeError, message);
    assertThrows(
      () => layer.backward(1 as unknown as Tensor),
      TypeError,
      `${Dropout.name}.backward needs a Tensor, as tensor([…]) makes one, got 1`,
    );
  }
  const functions = [
    [invertedDropout, invertedDropoutBackward],
    [standardDropout, standardDropoutBackward],
  ] as const;
  for (const [forward, backward] of functions) {
    const { pass } = forward(ones([2]), 0.5, { mask: Mask.of(1, 0) });
    const message = `${backward.name} needs a tensor of shape [2], got [1, 2]`;
    assertThrows(() => backward(ones([1, 2]), pass), TypeError, message);
    const needs = `${backward.name} needs the pass that the forward function returned, got`;
    for (const [came, what] of [[null, "null"], [0.5, "0.5"], [Mask.of(1, 0), "a Mask"]] as const) {
      const other = came as unknown as DropoutPass;
      assertThrows(() => backward(ones([2]), other), TypeError, `${needs} ${what}`);
    }
  }
});

// Checks

Deno.test("p must be a number in [0, 1), or [0, 1] where nothing is divided", () => {
  const message = (p: unknown) => `Dropout probability must be in [0, 1), got ${p}`;
  assertEquals(assertThrows(() => new InvertedDropout(1), RangeError).message, message(1));
  for (const p of [NaN, -0.1, 1.1, Infinity, -Infinity]) {
    assertEquals(assertThrows(() => new InvertedDropout(p), RangeError).message, message(p));
    const closed = `Dropout probability must be in [0, 1], got ${p}`;
    assertThrows(() => new StandardDropout(p), RangeError, closed);
    for (const training of [true, false]) {
      assertThrows(() => invertedDropout(ones([2]), p, { rng: defaultRng(0), training }), RangeError, closed);
      assertThrows(() => standardDropout(ones([2]), p, { rng: defaultRng(0), training }), RangeError, closed);
    }
    assertThrows(() => inferenceWeight(ones([2]), p), RangeError, closed);
  }
  const text = "0.5" as unknown as number;
  assertEquals(assertThrows(() => new InvertedDropout(text), TypeError).message, message('"0.5"'));
  assertThrows(() => new StandardDropout(null as unknown as number), TypeError, "got null");
  assertEquals([new InvertedDropout().p, new StandardDropout().p, new StandardDropout(1).p], [0.5, 0.5, 1]);
});

Deno.test("a missing stream and a missing tensor are errors that say what is needed", () => {
  for (const dropout of [invertedDropout, standardDropout]) {
    assertThrows(
      () => dropout(ones([2]), 0.5),
      TypeError,
      `${dropout.name} needs a random stream, such as { rng: defaultRng(seed) }, got undefined`,
    );
    const array = [1, 2] as unknown as Tensor;
    assertThrows(
      () => dropout(array, 0.5),
      TypeError,
      `${dropout.name} needs a Tensor, as tensor([…]) makes one, got an array`,
    );
  }
  assertThrows(() => new InvertedDropout(0.5, { seed: -1 }), RangeError, "A seed must be");
  assertThrows(() => new InvertedDropout(0.5, { seed: "1" as unknown as Seed }), TypeError, "A seed must be");
});

// Streams

Deno.test("resetRng repeats the masks, and resetRng(seed) starts another stream", () => {
  const x = ones([30]);
  for (const Dropout of LAYERS) {
    const layer = new Dropout(0.5, { seed: 42 });
    const first = [layer(x), layer(x)];
    assert(first[0].data.some((y, i) => y !== first[1].data[i]), "masks are fresh each time");
    layer.resetRng();
    assertEquals([layer(x), layer(x)], first);
    layer.resetRng(7);
    assertEquals(layer(x), new Dropout(0.5, { seed: 7 })(x));
    layer.resetRng();
    assertEquals(layer(x), first[0], "the layer's own seed is not forgotten");
    assertEquals(layer.seed, 42);
  }
});

Deno.test("layers without a seed differ", () => {
  const x = ones([128]);
  assert(new InvertedDropout()(x).data.some((y, i) => y !== new InvertedDropout()(x).data[i])); // false alarm: 2⁻¹²⁸
  assertStrictEquals(new InvertedDropout().seed, undefined);
});

Deno.test("dropout layers are callable layers", () => {
  const layer = new InvertedDropout(0.5, { rng: defaultRng(1) });
  assert(layer instanceof DropoutLayer && typeof layer === "function");
  assertEquals(layer(ones([9])), new InvertedDropout(0.5, { rng: defaultRng(1) }).forward(ones([9])));
});

Deno.test("the kept fraction lies within 5 standard errors of 1 − p; a scale of 1 − p is caught", () => {
  // |z| > 5 has probability 6·10⁻⁷; five seeds and three p make a false alarm less likely than 10⁻⁵.
  for (const seed of [0, 1, 2, 3, 4]) {
    for (const p of [0.1, 0.5, 0.9]) {
      const n = 40000;
      const { output, pass: { mask } } = invertedDropout(ones([n]), p, { rng: defaultRng(seed) });
      const z = (count: number) => (count - n * (1 - p)) / Math.sqrt(n * p * (1 - p));
      assertLess(Math.abs(z(mask!.kept)), 5);
      assertLess(Math.abs(z(sum(output) * (1 - p))), 5 + 1e-6); // the mean of the output is that of the input
      // The fault: p read as the probability of keeping (at p = ½ both are the same).
      if (p !== 0.5) {
        assert(Math.abs(z(invertedDropout(ones([n]), 1 - p, { rng: defaultRng(seed) }).pass.mask!.kept)) > 5);
      }
    }
  }
});

// out

Deno.test("out receives outputs and gradients, also in place, with the same numbers", () => {
  for (const Dropout of LAYERS) {
    for (const training of [true, false]) {
      const make = () => new Dropout(0.5, { seed: 4 }).train(training);
      const [x, g] = [normals([3, 5], 1), normals([3, 5], 2)];
      const layer = make();
      const [expected, gradient] = [layer(x).clone(), layer.backward(g).clone()];
      const other = make();
      const out = zeros([3, 5]);
      assertStrictEquals(other.forward(x, { out }), out);
      assertEquals(out, expected);
      assertStrictEquals(other.backward(g, { out }), out);
      assertEquals(out, gradient);
      const inPlace = make();
      assertStrictEquals(inPlace.forward(x, { out: x }), x);
      assertEquals(x, expected);
      assertEquals(inPlace.backward(g, { out: g }), gradient);
    }
  }
});

Deno.test("out of another shape or type, or over a part of the input, is refused", () => {
  const memory = new Float64Array(5);
  const [x, shifted] = [new Tensor(memory.subarray(0, 4)), new Tensor(memory.subarray(1, 5))];
  for (const training of [true, false]) {
    for (const dropout of [invertedDropout, standardDropout]) {
      const run = (out: Tensor) => dropout(x, 0.5, { rng: defaultRng(0), training, out });
      assertThrows(
        () => run(zeros([2, 2])),
        TypeError,
        `${dropout.name}: out must be float64 of shape [4], got float64 of`,
      );
      assertThrows(() => run(zeros([4], "float32")), TypeError, "got float32 of shape [4]");
      assertThrows(() => run(shifted), TypeError, "out overlaps with a part of an input");
    }
  }
});

// Inference of standard dropout

Deno.test("inferenceWeight scales the weights and leaves the bias alone", () => {
  const [x, weight, bias] = [normals([4, 6], 1), normals([6, 3], 2), normals([3], 3)];
  const p = 0.25; // 1 − p = ¾ is exact
  const scaledWeights = add(matmul(x, inferenceWeight(weight, p)), bias);
  const scaledInput = add(matmul(standardDropout(x, p, { training: false }).output, weight), bias);
  // Each product is rounded once more on either side, and six are added: |error| ≤ 2·8·2⁻⁵³·(Σ|x||W| + |b|).
  const size = add(matmul(x.map(Math.abs), weight.map(Math.abs)), bias.map(Math.abs));
  scaledWeights.data.forEach((y, i) =>
    assert(Math.abs(y - scaledInput.data[i]) <= 2 * 8 * 2 ** -53 * size.data[i])
  );
  // The fault: the bias scaled too.
  const wrong = add(matmul(x, inferenceWeight(weight, p)), inferenceWeight(bias, p));
  assert(wrong.data.some((y, i) => Math.abs(y - scaledInput.data[i]) > 0.01));
  const out = zeros([6, 3]);
  assertStrictEquals(inferenceWeight(weight, p, { out }), out);
  assertEquals(out, multiply(weight, 0.75));
});

// ---- Streams of layers ----

Deno.test("a layer with a seed draws a FastStream's masks, starts again, and leaves no trace of a snapshot", () => {
  for (const seed of [0, 42]) {
    const [x, layer] = [normals([3, 50], seed), new InvertedDropout(0.3, { seed })];
    const rng = new FastStream(seed);
    const [first, second] = [1, 2].map(() => invertedDropout(x, 0.3, { rng }).output);
    assertEquals(layer(x), first);
    const goBack = layer.snapshot();
    layer(x);
    goBack();
    assertEquals(layer(x), second);
    layer.resetRng();
    assertEquals(layer(x), first);
    assertNotEquals(new InvertedDropout(0.3, { rng: defaultRng(seed) })(x), first); // NumPy's stream is another one
  }
});

Deno.test("a layer with a stream draws from it, and leaves it to its owner to start it again", () => {
  const x = normals([3, 50]);
  for (const Dropout of LAYERS) {
    for (const make of [() => defaultRng(1), () => new RandomState(1), () => new FastStream(1)]) {
      const [rng, twin] = [make(), make()];
      const layer = new Dropout(0.3, { rng });
      assertStrictEquals(layer.rng, rng);
      assertStrictEquals(layer.seed, undefined);
      const expected = drawMask([3, 50], 0.3, { rng: twin });
      layer(x);
      assertEquals(layer.mask, expected);
      assertEquals(rng.getState(), twin.getState());
      for (const seed of [undefined, 7]) {
        assertThrows(
          () => layer.resetRng(seed),
          TypeError,
          `This ${Dropout.name} draws from a stream that was given`,
        );
      }
      assertEquals(rng.getState(), twin.getState());
    }
  }
});

Deno.test("a layer without a seed starts again with the masks that it had", () => {
  const [x, layer] = [ones([128]), new InvertedDropout()];
  const first = layer(x);
  layer.resetRng();
  assertEquals(layer(x), first);
});

Deno.test("a stream and a seed at once, what is no stream, and unknown options are refused", () => {
  for (const Dropout of LAYERS) {
    const { name } = Dropout;
    const make = (options: object) => new Dropout(0.5, options);
    assertThrows(
      () => make({ rng: defaultRng(0), seed: 0 }),
      TypeError,
      `${name} takes a stream or a seed, got both`,
    );
    assertThrows(() => make({ rng: 42 }), TypeError, `${name} needs a random stream`);
    const message = `${name} has no option "stream"; its options are rng, seed`;
    assertThrows(() => make({ stream: "fast" }), TypeError, message);
    const layer = make({ seed: 0 });
    assertThrows(
      () => layer(ones([2]), { rng: defaultRng(0) } as object),
      TypeError,
      `${name} has no option "rng"; its options are mask, out, maskOut`,
    );
  }
  for (const dropout of [invertedDropout, standardDropout]) {
    assertThrows(
      () => dropout(ones([2]), 0.5, { sead: 1 } as object),
      TypeError,
      `${dropout.name} has no option "sead"; its options are rng, training, mask, out, maskOut`,
    );
  }
});

Deno.test("a given mask is used, may broadcast, and takes nothing from the stream", () => {
  const [x, g] = [normals([2, 3], 1), normals([2, 3], 2)];
  for (const Dropout of LAYERS) {
    const rng = defaultRng(1);
    const layer = new Dropout(0.75, { rng });
    const scale = Dropout === InvertedDropout ? 4 : 1;
    for (
      const mask of [Mask.of(1, 0, 1), Mask.from([0, 1], [2, 1]), Mask.of(1, 0, 0, 1, 1, 1).reshape([2, 3])]
    ) {
      const numbers = multiply(mask.broadcastTo([2, 3]).toTensor(), scale);
      assertEquals(add(layer(x, { mask }), 0), add(multiply(x, numbers), 0)); // −0 + 0 is +0
      assertEquals(add(layer.backward(g), 0), add(multiply(g, numbers), 0));
      assertStrictEquals(layer.mask, mask);
    }
    assertEquals(rng.getState(), defaultRng(1).getState());
    assertThrows(
      () => layer(x, { mask: Mask.of(1, 0) }),
      TypeError,
      "shapes [2] and [2, 3] do not broadcast",
    );
  }
});

Deno.test("a mask given as room is filled, and refused if it does not fit; the stream is as it was then", () => {
  const x = normals([4, 10], 1);
  for (const rng of [defaultRng(1), new FastStream(1)]) {
    const state = JSON.stringify(rng.getState());
    const room = new Mask(new Uint8Array(5), [40]);
    assertThrows(
      () => invertedDropout(x, 0.5, { rng, maskOut: room }),
      TypeError,
      "must be a Mask of shape [4, 10], got one of",
    );
    assertEquals(JSON.stringify(rng.getState()), state);
    const mask = room.reshape([4, 10]);
    const given = invertedDropout(x, 0.5, { rng, maskOut: mask });
    assertStrictEquals(given.pass.mask, mask);
    assertEquals(given.output, applyMask(x, mask, 2));
    assert(mask.kept > 0);
  }
});

Deno.test("a given mask is used at every p: unscaled at 0, and at 1 nothing is left of it", () => {
  const x = tensor([[1, -2], [NaN, 4]]);
  const mask = Mask.of(0, 1);
  for (const [p, expected] of [[0, [0, -2, 0, 4]], [0.5, [0, -4, 0, 8]], [1, [0, 0, 0, 0]]] as const) {
    const { output, pass } = invertedDropout(x, p, { mask });
    assertEquals(Array.from(output.data), [...expected]);
    assertEquals(invertedDropoutBackward(x, pass).data, output.data);
  }
  assertEquals(standardDropout(x, 0.5, { mask }).output.data.slice(0, 2), Float64Array.of(0, -2));
});

Deno.test("masks that do not fit are refused in every mode and at every rate", () => {
  const x = ones([2, 3]);
  const rng = defaultRng(1);
  for (const p of [0, 0.5, 1]) {
    for (const training of [true, false]) {
      const run = (options: object) => invertedDropout(x, p, { rng, training, ...options });
      assertThrows(() => run({ mask: Mask.of(1, 0) }), TypeError, "do not broadcast");
      assertThrows(() => run({ mask: "x" }), TypeError, 'invertedDropout: mask needs a Mask, got "x"');
      assertThrows(() => run({ maskOut: 5 }), TypeError, "maskOut must be a Mask of shape [2, 3], got 5");
      const both = { mask: Mask.of(1, 0, 1), maskOut: drawMask([2, 3], 0.5, { rng }) };
      assertThrows(() => run(both), TypeError, "but one was given");
    }
  }
});
