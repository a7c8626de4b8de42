/** Alpha dropout: PyTorch's numbers, its moments enumerated and sampled, its gradient, and what it refuses. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  add,
  AlphaDropout,
  alphaDropout,
  alphaDropoutBackward,
  applyMask,
  defaultRng,
  drawMask,
  type DropoutPass,
  exactExpectation,
  FastStream,
  gradcheck,
  invertedDropout,
  KeyedStream,
  Mask,
  mean,
  ones,
  type Tensor,
  tensor,
  TorchGenerator,
  zeros,
} from "../lib/mod.ts";
import { bytesOf, fixture, normals, numbers, type TorchRun } from "./helpers.ts";

/** Klambauer et al. 2017, as printed. */
const [LAMBDA, ALPHA] = [1.0507009873554805, 1.6732632423543772];
/** Where SELU saturates. */
const SATURATION = -LAMBDA * ALPHA;
const a = (p: number) => ((1 - p) * (1 + p * SATURATION ** 2)) ** -0.5;
const RATES = [0.05, 0.2, 0.5, 0.9];
const UNIT = 2 ** -53;

Deno.test("PyTorch's alpha_dropout and feature_alpha_dropout are reproduced to the bit, forward and backward", async () => {
  const { runs } = await fixture<{ runs: TorchRun[] }>("torch_dropout_family");
  const alphas = runs.filter(({ name }) => name.endsWith("alpha_dropout"));
  for (const { name, shape, p, seed, dtype, x, y, gradOutput, gradInput } of alphas) {
    const noiseShape = name === "alpha_dropout" ? undefined : [null, null, 1].slice(0, shape.length);
    const input = tensor(numbers(x), dtype).reshape(shape);
    const before = bytesOf(input);
    const { output, pass } = alphaDropout(input, p, { rng: new TorchGenerator(seed), noiseShape });
    assertEquals(Array.from(output.data), numbers(y), `${name}, ${dtype}, p = ${p}`);
    assertEquals([output.shape, output.dtype, bytesOf(input)], [shape, dtype, before]);
    const gradient = alphaDropoutBackward(tensor(numbers(gradOutput), dtype).reshape(shape), pass);
    assertEquals(Array.from(gradient.data), numbers(gradInput).map((value) => value + 0)); // there, −0 where dropped
  }
  assertEquals(alphas.length, 16);
});

// Moments

Deno.test("over all masks, the mean is a·(1−p)·x and the variance a²·p·(1−p)·(x − α′)²", () => {
  const x = normals([8], 1);
  for (const p of RATES) {
    const exact = exactExpectation((mask) => alphaDropout(x, p, { mask }).output, 8, p);
    assertEquals(exact.masks, 256);
    x.data.forEach((value, i) => {
      const size = a(p) * (Math.abs(value) + Math.abs(SATURATION));
      // 256 terms of a few roundings each, none larger than `size`, with probabilities that sum to 1.
      assertAlmostEquals(exact.mean.data[i], a(p) * (1 - p) * value, 256 * 8 * UNIT * size);
      const spread = a(p) ** 2 * p * (1 - p) * (value - SATURATION) ** 2;
      assertAlmostEquals(exact.variance.data[i], spread, 256 * 16 * UNIT * size ** 2);
    });
  }
});

/** Mean and variance of the output over all masks and all x = ±1, which have mean 0 and variance 1. */
function momentsOfSigns(
  p: number,
  dropout: (x: Tensor, mask: Mask) => Tensor,
): [mean: number, variance: number] {
  const { mean: first } = exactExpectation((mask) => mean(dropout(tensor([1, -1]), mask)), 2, p);
  const { mean: second } = exactExpectation(
    (mask) => mean(dropout(tensor([1, -1]), mask).map((y) => (y - first) ** 2)),
    2,
    p,
  );
  return [first, second];
}

Deno.test("over all masks and signs, mean 0 and variance 1 are kept; planted: without a, without b, with −α′, not", () => {
  for (const p of RATES) {
    const [first, second] = momentsOfSigns(p, (x, mask) => alphaDropout(x, p, { mask }).output);
    const size = a(p) * (1 + Math.abs(SATURATION));
    assertLess(Math.abs(first), 32 * UNIT * size);
    assertLess(Math.abs(second - 1), 64 * UNIT * size ** 2);
    const b = -a(p) * p * SATURATION;
    const replaced = (x: Tensor, mask: Mask, to = SATURATION) =>
      applyMask(x, mask).map((y, i) => mask.get(i) === 1 ? y : to);
    const faults: ((x: Tensor, mask: Mask) => Tensor)[] = [
      (x, mask) => replaced(x, mask),
      (x, mask) => replaced(x, mask).map((y) => a(p) * y),
      (x, mask) => replaced(x, mask).map((y) => y + b),
      (x, mask) => replaced(x, mask, -SATURATION).map((y) => a(p) * y + b),
      (x, mask) => replaced(x, mask, 0).map((y) => y / (1 - p)), // inverted dropout keeps the mean only
    ];
    for (const fault of faults) {
      const [m, v] = momentsOfSigns(p, fault);
      assert(Math.abs(m) > 0.01 || Math.abs(v - 1) > 0.01);
    }
    const right = momentsOfSigns(p, (x, mask) => replaced(x, mask).map((y) => a(p) * y + b));
    assertLess(Math.abs(right[0]) + Math.abs(right[1] - 1), 128 * UNIT * size ** 2);
  }
});

Deno.test("normal numbers keep mean 0 and variance 1 within 5 standard errors, with every stream; inverted dropout's do not", () => {
  // 60 tests at 6·10⁻⁷ each.
  const n = 100_000;
  const distances = (y: Tensor): [mean: number, variance: number] => {
    const average = mean(y);
    const squares = y.map((value) => (value - average) ** 2);
    const v = mean(squares);
    const fourth = mean(squares.map((square) => square * square));
    return [average / Math.sqrt(v / n), (v - 1) / Math.sqrt((fourth - v * v) / n)];
  };
  for (const seed of [0, 1, 2]) {
    const x = normals([n], seed + 10);
    for (const p of [0.1, 0.5]) {
      for (const rng of [defaultRng(seed), new FastStream(seed), new TorchGenerator(seed)]) {
        for (const z of distances(alphaDropout(x, p, { rng }).output)) assertLess(Math.abs(z), 5);
      }
      const [, variance] = distances(invertedDropout(x, p, { rng: defaultRng(seed) }).output);
      assert(variance > 5);
    }
  }
});

// What becomes of each element

Deno.test("what is kept becomes a·x + b, what is dropped a·α′ + b, whatever it was", () => {
  const x = tensor([NaN, 2, Infinity, -Infinity, -0, NaN]);
  const mask = Mask.of(0, 1, 0, 1, 1, 1);
  for (const p of RATES) {
    const b = -a(p) * p * SATURATION;
    const { output } = alphaDropout(x, p, { mask });
    const expected = [a(p) * SATURATION + b, 2 * a(p) + b, a(p) * SATURATION + b, -Infinity, b, NaN];
    expected.forEach((value, i) => {
      if (Number.isFinite(value)) assertAlmostEquals(output.data[i], value, 16 * UNIT * 4 * a(p));
      else assert(Object.is(output.data[i], value));
    });
  }
});

Deno.test("in evaluation and at p = 0 the output is x itself; p = 1 gives zeros and zero gradients, whatever comes in", () => {
  const x = tensor([NaN, -1, Infinity, 0]);
  for (const { output, pass } of [alphaDropout(x, 0.5, { training: false }), alphaDropout(x, 0)]) {
    assertStrictEquals(output, x);
    assertEquals(pass, { shape: [4], mask: null, scale: 1 });
  }
  for (const options of [{ rng: defaultRng(1) }, { mask: Mask.of(1, 1, 1, 1) }]) {
    const { output, pass } = alphaDropout(x, 1, options);
    assertEquals(output.data, new Float64Array(4));
    assertEquals(alphaDropoutBackward(x, pass).data, new Float64Array(4));
  }
  // Towards it, all elements tend to 0: the dropped ones become a·α′·(1 − p).
  const { output } = alphaDropout(ones([1]), 1 - 1e-12, { mask: Mask.of(0) });
  assertLess(Math.abs(output.data[0]), 1e-6);
  const layer = new AlphaDropout(1, { seed: 1 });
  assertEquals([layer(x).data, layer.isRandom], [new Float64Array(4), false]);
  assertStrictEquals(layer.eval()(x), x);
});

/** A planted fault: the backward pass divides by 1 − p, as inverted dropout does. */
class Mistaken extends AlphaDropout {
  override backward(gradOutput: Tensor): Tensor {
    return applyMask(gradOutput, this.mask!, 1 / (1 - this.p));
  }
}

Deno.test("the layer passes gradcheck in both modes; one that scales as inverted dropout does not", () => {
  for (const seed of [0, 1, 2]) {
    for (const noiseShape of [undefined, [null, 1]]) {
      const layer = new AlphaDropout(0.4, { seed, noiseShape });
      for (const training of [true, false]) {
        assert(gradcheck(layer.train(training), normals([3, 4], seed)).ok);
      }
    }
    assertEquals(gradcheck(new Mistaken(0.4, { seed }), normals([3, 4], seed)).ok, false);
  }
});

Deno.test("its mask is inverted dropout's, and out, maskOut and given masks work as there", () => {
  for (
    const rng of [
      () => defaultRng(3),
      () => new FastStream(3),
      () => new KeyedStream({ seed: 3, layer: 0, step: 0 }),
    ]
  ) {
    for (const dtype of ["float32", "float64"] as const) {
      const x = normals([5, 9], 1, dtype);
      const { output, pass } = alphaDropout(x, 0.3, { rng: rng() });
      assertEquals(pass.mask, invertedDropout(x, 0.3, { rng: rng() }).pass.mask);
      const [out, maskOut] = [zeros([5, 9], dtype), drawMask([5, 9], 0, { rng: rng() })];
      const there = alphaDropout(x, 0.3, { rng: rng(), out, maskOut });
      assertStrictEquals(there.output, out);
      assertStrictEquals(there.pass.mask, maskOut);
      assertEquals(there, { output, pass });
      assertEquals(alphaDropout(x, 0.3, { mask: maskOut }).output, output);
      const place = x.clone();
      assertEquals(alphaDropout(place, 0.3, { rng: rng(), out: place }).output, output);
    }
  }
  const row = Mask.of(1, 0, 1);
  assertEquals(
    alphaDropout(normals([2, 3]), 0.5, { mask: row }).output,
    alphaDropout(normals([2, 3]), 0.5, { mask: row.broadcastTo([2, 3]) }).output,
  );
});

Deno.test("p must lie in [0, 1], a stream is needed, and a pass must be one", () => {
  for (const p of [1.5, -0.1, NaN]) {
    const message = `Dropout probability must be in [0, 1], got ${p}`;
    for (const training of [true, false]) {
      assertThrows(() => alphaDropout(ones([2]), p, { rng: defaultRng(1), training }), RangeError, message);
    }
    assertThrows(() => new AlphaDropout(p), RangeError, message);
  }
  assertThrows(() => alphaDropout(ones([2]), "0.5" as never), TypeError, 'got "0.5"');
  assertThrows(() => alphaDropout(ones([2]), 0.5), TypeError, "alphaDropout needs a random stream");
  assertThrows(() => alphaDropout([1] as never, 0.5), TypeError, "alphaDropout needs a Tensor");
  const { pass } = alphaDropout(ones([2]), 0.5, { rng: defaultRng(1) });
  assertThrows(() => alphaDropoutBackward(ones([1, 2]), pass), TypeError, "shape [2], got [1, 2]");
  assertThrows(
    () => alphaDropoutBackward(ones([2]), 1 as unknown as DropoutPass),
    TypeError,
    "needs the pass",
  );
  assertEquals(new AlphaDropout().p, 0.5);
  assertEquals(
    add(new AlphaDropout(0.5, { seed: 2 })(ones([3])), 0),
    alphaDropout(ones([3]), 0.5, { rng: new FastStream(2) }).output,
  );
});
