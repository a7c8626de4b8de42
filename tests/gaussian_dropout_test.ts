/** Gaussian dropout: its noise, its moments, its gradient, and what it refuses. */

import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  defaultRng,
  DropoutLayer,
  FastStream,
  GaussianDropout,
  gaussianDropout,
  gaussianDropoutBackward,
  gradcheck,
  invertedDropout,
  KeyedStream,
  Mask,
  mean,
  multiply,
  type NormalStream,
  ones,
  RandomState,
  sum,
  Tensor,
  tensor,
  TorchGenerator,
  zeros,
} from "../lib/mod.ts";
import { bytesOf, normals, probabilities } from "./helpers.ts";

const STREAMS: ((seed: number) => NormalStream)[] = [
  defaultRng,
  (seed) => new FastStream(seed),
  (seed) => new RandomState(seed),
  (seed) => new TorchGenerator(seed),
];
const anyDtype = fc.constantFrom("float64" as const, "float32" as const);

// The laws

Deno.test("each output is x · (1 + √(p/(1−p)) · n) for the stream's next n, rounded; the gradient has the same factor", () => {
  fc.assert(fc.property(probabilities(0.99), fc.nat(), anyDtype, (p, seed, dtype) => {
    const [x, g] = [normals([3, 7], seed, dtype), normals([3, 7], seed + 1, dtype)];
    const before = bytesOf(x);
    const round = dtype === "float32" ? Math.fround : Number;
    for (const make of STREAMS) {
      const { output, pass } = gaussianDropout(x, p, { rng: make(seed) });
      const drawn = zeros([3, 7], dtype);
      make(seed).fillNormal(drawn.data);
      const noise = drawn.map((n) => p === 0 ? 1 : round(1 + Math.sqrt(p / (1 - p)) * n));
      assertEquals(output, multiply(x, noise));
      assertEquals(gaussianDropoutBackward(g, pass), multiply(g, noise));
      assertEquals(pass.mask, p === 0 ? null : noise);
    }
    assertEquals(bytesOf(x), before);
  }));
});

/** How many standard errors the mean, the variance and the fourth moment of a noise lie from those of N(1, σ²). */
function distances(noise: Tensor, sigma: number): [mean: number, variance: number, fourth: number] {
  const n = noise.size;
  const z = noise.map((value) => (value - 1) / sigma);
  const moment = (k: number) => mean(z.map((value) => value ** k));
  // Of zᵏ, with z normal: Var z = 1, Var z² = 2, Var z⁴ = 96.
  return [moment(1) * Math.sqrt(n), (moment(2) - 1) / Math.sqrt(2 / n), (moment(4) - 3) / Math.sqrt(96 / n)];
}

Deno.test("noise has mean 1, variance p/(1 − p) and a normal's fourth moment, within 5 standard errors", () => {
  // 5 seeds, 3 p, 4 streams, 3 moments: 180 tests at 6·10⁻⁷ each make a false alarm of 10⁻⁴ (the fourth moment's error
  // is itself skewed, but of n = 100,000 draws by little).
  const x = ones([100_000]);
  for (const seed of [0, 1, 2, 3, 4]) {
    for (const p of [0.1, 0.5, 0.9]) {
      const sigma = Math.sqrt(p / (1 - p));
      for (const make of STREAMS) {
        const { output } = gaussianDropout(x, p, { rng: make(seed) });
        for (const distance of distances(output, sigma)) assertLess(Math.abs(distance), 5);
        // The probability that a sign changes is Φ(−1/σ), which the documentation gives as 0.16 at p = ½.
        const flipped = output.data.filter((y) => y < 0).length / x.size;
        if (p === 0.5) assertLess(Math.abs(flipped - 0.158655), 5 * Math.sqrt(0.1587 * 0.8413 / x.size));
      }
    }
  }
});

Deno.test("planted: a variance for a deviation, p for 1 − p, and inverted dropout's own noise are caught", () => {
  const x = ones([100_000]);
  for (const seed of [0, 1, 2]) {
    const p = 0.2;
    const sigma = Math.sqrt(p / (1 - p));
    const noise = (deviation: number) =>
      new Tensor(defaultRng(seed).standardNormal(x.size)).map((n) => 1 + deviation * n);
    assert(Math.abs(distances(noise(sigma ** 2), sigma)[1]) > 5);
    assert(Math.abs(distances(noise(1 / sigma), sigma)[1]) > 5);
    // The first two moments of a mask over 1 − p are the same; only the fourth tells them apart.
    const [first, second, fourth] = distances(invertedDropout(x, p, { rng: defaultRng(seed) }).output, sigma);
    assert(Math.abs(first) < 5 && Math.abs(second) < 5 && Math.abs(fourth) > 5);
  }
});

/** A planted fault: the backward pass draws noise of its own. */
class Forgetful extends GaussianDropout {
  override backward(gradOutput: Tensor): Tensor {
    return gaussianDropout(gradOutput, this.p, { rng: this.rng }).output;
  }
}

Deno.test("the layer passes gradcheck in both modes; noise drawn anew in the backward pass does not", () => {
  for (const seed of [0, 1, 2]) {
    for (const noiseShape of [undefined, [null, 1]]) {
      const layer = new GaussianDropout(0.5, { seed, noiseShape });
      for (const training of [true, false]) {
        assert(gradcheck(layer.train(training), normals([3, 4], seed)).ok);
      }
    }
    assertEquals(gradcheck(new Forgetful(0.5, { seed }), normals([3, 4], seed)).ok, false);
  }
});

Deno.test("in evaluation and at p = 0 the output is x itself, and nothing is drawn", () => {
  const x = normals([3, 4]);
  const none = { shape: [3, 4], mask: null, scale: 1 };
  for (const result of [gaussianDropout(x, 0.5, { training: false }), gaussianDropout(x, 0)]) {
    assertStrictEquals(result.output, x);
    assertEquals(result.pass, none);
    assertStrictEquals(gaussianDropoutBackward(x, result.pass), x);
  }
  const rng = defaultRng(1);
  const layer = new GaussianDropout(0.5, { rng });
  assertStrictEquals(layer.eval()(x), x);
  assertEquals(rng.getState(), defaultRng(1).getState());
  assertEquals([layer.isRandom, new GaussianDropout(0).isRandom], [true, false]);
});

Deno.test("decisions are shared by the noise shape, and the stream gives one number for each", () => {
  for (const make of STREAMS) {
    const [rng, twin] = [make(3), make(3)];
    const x = normals([4, 5, 6]);
    const { output, pass } = gaussianDropout(x, 0.3, { rng, noiseShape: [null, 1, 6] });
    const expected = gaussianDropout(ones([4, 1, 6]), 0.3, { rng: twin });
    assertEquals(pass.mask, expected.output);
    assertEquals(output, multiply(x, expected.output));
    assertEquals(rng.getState(), twin.getState());
  }
});

Deno.test("a layer with a seed repeats its noise, starts again, and is left as it was by a snapshot", () => {
  const x = normals([4, 10]);
  const layer = new GaussianDropout(0.4, { seed: 5 });
  assert(layer instanceof DropoutLayer);
  const first = layer(x);
  assertEquals(first, gaussianDropout(x, 0.4, { rng: new FastStream(5) }).output);
  const goBack = layer.snapshot();
  const second = layer(x);
  goBack();
  assertEquals(layer(x), second);
  layer.resetRng();
  assertEquals(layer(x), first);
  assertEquals(layer.backward(x), multiply(x, layer.mask!));
});

// Masks that are given, and rooms

Deno.test("given noise is used, may broadcast, and takes nothing from the stream", () => {
  const [x, g] = [normals([2, 3], 1), normals([2, 3], 2)];
  const rng = defaultRng(1);
  const layer = new GaussianDropout(0.5, { rng });
  for (const mask of [normals([3], 4), normals([2, 1], 5), normals([2, 3], 6), normals([], 7)]) {
    assertEquals(layer(x, { mask }), multiply(x, mask));
    assertEquals(layer.backward(g), multiply(g, mask));
    assertStrictEquals(layer.mask, mask);
    assertEquals(gaussianDropout(x, 0, { mask }).output, multiply(x, mask));
  }
  assertEquals(rng.getState(), defaultRng(1).getState());
});

Deno.test("out and maskOut receive output and noise, also in place", () => {
  const x = normals([3, 4]);
  const expected = gaussianDropout(x, 0.5, { rng: defaultRng(2) });
  const [out, maskOut] = [zeros([3, 4]), zeros([3, 4])];
  const { output, pass } = gaussianDropout(x, 0.5, { rng: defaultRng(2), out, maskOut });
  assertStrictEquals(output, out);
  assertStrictEquals(pass.mask, maskOut);
  assertEquals({ output, pass }, expected);
  const there = x.clone();
  assertEquals(gaussianDropout(there, 0.5, { rng: defaultRng(2), out: there }).output, expected.output);
  assertEquals(gaussianDropout(there, 0.5, { training: false, out }).output, there);
  const g = normals([3, 4], 3);
  const gradient = gaussianDropoutBackward(g, pass);
  assertStrictEquals(gaussianDropoutBackward(g, pass, { out: g }), g);
  const noise = pass.mask!.toArray();
  assertThrows(
    () => gaussianDropoutBackward(g, pass, { out: pass.mask! }),
    TypeError,
    "out needs memory apart from the noise",
  );
  assertEquals(pass.mask!.toArray(), noise);
  assertEquals(g, gradient);
});

// Checks

Deno.test("p must lie in [0, 1): at 1 the variance would be infinite", () => {
  for (const p of [1, 1.5, -0.1, NaN]) {
    const message = `Dropout probability must be in [0, 1), got ${p}`;
    for (const training of [true, false]) {
      assertThrows(
        () => gaussianDropout(ones([2]), p, { rng: defaultRng(1), training }),
        RangeError,
        message,
      );
    }
    assertThrows(() => new GaussianDropout(p), RangeError, message);
  }
  assertThrows(() => gaussianDropout(ones([2]), "0.5" as never), TypeError, 'got "0.5"');
  assertEquals(new GaussianDropout().p, 0.5);
});

Deno.test("a stream without normal numbers is refused, by the function while training and by the layer at once", () => {
  const keyed = new KeyedStream({ seed: 1, layer: 0, step: 0 }) as unknown as NormalStream;
  const message = "needs a stream with normal numbers, such as { rng: defaultRng(seed) }, got a KeyedStream";
  assertThrows(() => gaussianDropout(ones([2]), 0.5, { rng: keyed }), TypeError, message);
  assertThrows(() => new GaussianDropout(0.5, { rng: keyed }), TypeError, `GaussianDropout ${message}`);
  assertThrows(() => gaussianDropout(ones([2]), 0.5), TypeError, "needs a random stream");
  assertThrows(() => new GaussianDropout(0.5, { rng: 1 } as never), TypeError, "needs a random stream");
});

Deno.test("noise that does not fit, or that out would overwrite, is refused in every mode; the stream is as it was", () => {
  const x = ones([2, 3]);
  const rng = defaultRng(1);
  for (const p of [0, 0.5]) {
    for (const training of [true, false]) {
      const run = (options: object) => () => gaussianDropout(x, p, { rng, training, ...options });
      assertThrows(run({ mask: ones([2]) }), TypeError, "shapes [2] and [2, 3] do not broadcast");
      assertThrows(run({ mask: ones([4, 2, 3]) }), TypeError, "must be float64 and broadcast to [2, 3]");
      assertThrows(run({ mask: ones([3], "float32") }), TypeError, "got float32 of shape [3]");
      assertThrows(
        run({ mask: Mask.of(1, 0, 1) }),
        TypeError,
        "mask needs a Tensor, as tensor([…]) makes one",
      );
      assertThrows(run({ maskOut: ones([3]) }), TypeError, "maskOut: out must be float64 of shape [2, 3]");
      assertThrows(run({ mask: ones([3]), maskOut: ones([2, 3]) }), TypeError, "but one was given");
      const noise = ones([2, 3]);
      const lost = "the noise needs memory apart from the input and from out";
      assertThrows(run({ mask: noise, out: noise }), TypeError, lost);
      assertThrows(run({ maskOut: noise, out: noise }), TypeError, lost);
      assertThrows(run({ maskOut: x }), TypeError, lost);
      assertThrows(run({ out: ones([3]) }), TypeError, "out");
    }
  }
  assertEquals(x, ones([2, 3]));
  assertEquals(rng.getState(), defaultRng(1).getState());
  const { pass } = gaussianDropout(x, 0.5, { rng });
  assertThrows(() => gaussianDropoutBackward(ones([3, 2]), pass), TypeError, "shape [2, 3], got [3, 2]");
  assertThrows(() => gaussianDropoutBackward(ones([2, 3], "float32"), pass), TypeError, "must be float32");
  assertThrows(() => gaussianDropoutBackward(x, null as never), TypeError, "needs the pass");
});

Deno.test("backward is the adjoint of forward: ⟨f(x), g⟩ = ⟨x, f*(g)⟩", () => {
  for (const seed of [0, 1, 2]) {
    const [x, g] = [normals([5, 7], seed), normals([5, 7], seed + 1)];
    const { output, pass } = gaussianDropout(x, 0.5, { rng: defaultRng(seed) });
    const products = multiply(output, g);
    const gap = sum(products) - sum(multiply(x, gaussianDropoutBackward(g, pass)));
    // Two roundings for each of 35 products, and their additions, on either side.
    assertLess(Math.abs(gap) / sum(products.map(Math.abs)), 2 * (2 + 9) * 2 ** -53);
  }
  assertEquals(gaussianDropout(tensor([NaN, 0]), 0.5, { rng: defaultRng(1) }).output.data[0], NaN);
});
