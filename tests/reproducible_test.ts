/** Dropout that can be repeated: the article's fifth block of code, its laws, and its two weaknesses. */

import { assert, assertAlmostEquals, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { iterationSeed, ReproducibleDropout } from "../lib/dropout/reproducible.ts";
import { reproducibilityLines } from "../lib/article/block5.ts";
import { demonstrateReproducibility, deploymentChecklist } from "../lib/article/reproducibility.ts";
import { applyMask, DropoutLayer, InvertedDropout, invertedDropout } from "../lib/dropout/mod.ts";
import { seedCollisions } from "../lib/experiments/seed_collisions.ts";
import { Layer } from "../lib/layer.ts";
import { drawMask, type Mask } from "../lib/mask.ts";
import { defaultRng } from "../lib/random/mod.ts";
import { mean, multiply, ones, sum, type Tensor } from "../lib/tensor/mod.ts";
import { fixture, normals, probabilities } from "./helpers.ts";

interface Reference {
  inference_mean: number;
  run_means: number[];
  run_masks: string[];
  iteration_100: { mask: string; mean: number };
  iteration_200: { mask: string; mean: number };
  derived_seeds: Record<string, number>;
  first_collision: [number, number, number];
}
const numpy = await fixture<Reference>("article_block5");

const make = (seed = 42, p = 0.5) => new ReproducibleDropout(p, { seed });
const anySeed = fc.nat();
const anyIteration = fc.nat({ max: 10 ** 9 });
const anyP = probabilities(0.99);

/** The zeros and ones of a layer's last mask. */
const maskOf = (layer: ReproducibleDropout) => (layer.mask as Mask).toTensor().data.join("");

/** The mask that a layer draws for a tensor of 64 elements in one iteration. */
function iterationMask(layer: ReproducibleDropout, iteration: number): string {
  layer.forward(ones([64]), { iteration });
  return maskOf(layer);
}

// The article

Deno.test("block 5 of the article, with its input seeded, is printed byte for byte", async () => {
  const printed = await Deno.readTextFile(new URL("fixtures/article_block5.txt", import.meta.url));
  assertEquals(reproducibilityLines().join("\n") + "\n", printed);
  assertEquals(deploymentChecklist.length, 5);
});

Deno.test("derived seeds are those of Python's hashlib", () => {
  for (const [iteration, seed] of Object.entries(numpy.derived_seeds)) {
    assertEquals(iterationSeed(42, Number(iteration)), seed);
    assertEquals(iterationSeed(42n, Number(iteration)), seed);
  }
  assertEquals(iterationSeed(42, 100), 1750725574);
});

Deno.test("masks are NumPy's bit for bit, in order and by iteration", () => {
  const layer = make();
  for (const mask of numpy.run_masks) {
    layer(ones([4, 8]));
    assertEquals(maskOf(layer), mask);
  }
  for (const iteration of [100, 200] as const) {
    layer.forward(ones([4, 8]), { iteration });
    assertEquals(maskOf(layer), numpy[`iteration_${iteration}`].mask);
  }
});

Deno.test("the demonstration's means are NumPy's to rounding, and each output is there again", () => {
  // An element may differ by 2 ulp; 7 additions of 32 numbers below 4 round relative to their partial sums.
  const tolerance = (2 + 7) * 4 * 2 ** -53;
  const { x, inference, training, iterations } = demonstrateReproducibility();
  assertEquals(x.shape, [4, 8]);
  inference.outputs.forEach((output) => assertAlmostEquals(mean(output), numpy.inference_mean, tolerance));
  training.run1.forEach((output, i) => assertAlmostEquals(mean(output), numpy.run_means[i], tolerance));
  assertAlmostEquals(mean(iterations.iteration100), numpy.iteration_100.mean, tolerance);
  assertAlmostEquals(mean(iterations.iteration200), numpy.iteration_200.mean, tolerance);
  assertEquals(training.run1, training.run2);
  assertEquals(iterations.iteration100, iterations.iteration100Again);
});

Deno.test("all three scenarios repeat with other seeds and inputs, and their masks differ from each other", () => {
  for (const seed of [0, 1, 2, 3, 4]) {
    const x = normals([100], seed);
    const { inference, training, iterations } = demonstrateReproducibility({ x, seed });
    assertEquals([inference.same, training.same, iterations.same], [true, true, true]);
    assertStrictEquals(inference.outputs[2], x);
    // Two masks of 100 elements are alike with probability 2⁻¹⁰⁰.
    const outputs = [...training.run1, iterations.iteration100, iterations.iteration200];
    assertEquals(new Set(outputs.map((output) => output.data.join())).size, 5);
  }
});

// The laws

Deno.test("an iteration's mask depends on seed, iteration, p and shape, and not on what came before", () => {
  fc.assert(fc.property(anySeed, anyIteration, anyP, fc.nat({ max: 3 }), (seed, iteration, p, before) => {
    const used = make(seed, p);
    for (let i = 0; i < before; i++) used.forward(ones([7]), i % 2 === 0 ? {} : { iteration: i });
    const x = normals([5, 7], seed);
    const output = used.forward(x, { iteration });
    assertEquals(output, make(seed, p).forward(x, { iteration }));
    const rng = defaultRng(iterationSeed(seed, iteration));
    assertEquals(output, invertedDropout(x, p, { rng }).output);
  }));
});

Deno.test("iterations take nothing from the layer's stream", () => {
  fc.assert(fc.property(anySeed, anyIteration, (seed, iteration) => {
    const [plain, mixed] = [make(seed), make(seed)];
    for (let pass = 0; pass < 3; pass++) {
      mixed.forward(ones([9]), { iteration: iteration + pass });
      assertEquals(mixed(ones([9])), plain(ones([9])));
    }
    assertEquals([mixed.callCount, plain.callCount], [3, 3]);
  }));
});

Deno.test("without iteration it is an InvertedDropout with the same seed", () => {
  fc.assert(fc.property(anySeed, anyP, (seed, p) => {
    const [layer, inverted] = [make(seed, p), new InvertedDropout(p, { rng: defaultRng(seed) })];
    assert(layer instanceof Layer && layer instanceof DropoutLayer);
    for (let pass = 0; pass < 2; pass++) {
      const [x, g] = [normals([20], seed + pass), normals([20], seed + 2)];
      assertEquals(layer(x), inverted(x));
      assertEquals(layer.backward(g), inverted.backward(g));
    }
  }));
});

Deno.test("reset() repeats all masks; reset(seed) starts others, and that seed is the base from then on", () => {
  for (const seed of [0, 1, 2]) {
    const layer = make(seed);
    const three = () => [layer(ones([64])), layer(ones([64])), layer(ones([64]))];
    const first = three();
    assert(first[0].data.some((y, i) => y !== first[1].data[i]), "masks are fresh each time"); // chance: 2⁻⁶⁴
    assertEquals(layer.callCount, 3);
    layer.reset();
    assertEquals(layer.callCount, 0);
    assertEquals(three(), first);
    layer.reset(77);
    assertEquals([layer.seed, layer.baseSeed, layer.callCount], [seed, 77, 0]);
    const other = make(77);
    assertEquals(three(), [other(ones([64])), other(ones([64])), other(ones([64]))]);
    assertEquals(iterationMask(layer, 5), iterationMask(other, 5));
    layer.reset();
    assertEquals(layer.baseSeed, 77);
    layer.resetRng();
    assertEquals(three(), first, "resetRng goes back to the layer's own seed");
    assertEquals([layer.baseSeed, layer.callCount], [77, 3], "and leaves the base seed alone");
  }
});

Deno.test("a refused seed changes nothing", () => {
  const layer = make();
  layer(ones([64]));
  assertThrows(() => layer.reset(-1), RangeError, "A seed must be a non-negative integer, got -1");
  assertEquals([layer.baseSeed, layer.callCount], [42, 1]);
  const twin = make();
  twin(ones([64]));
  assertEquals(layer(ones([64])), twin(ones([64])));
});

Deno.test("evaluation is the identity, draws nothing and counts nothing", () => {
  const x = normals([3, 4]);
  const layer = make().eval();
  assertStrictEquals(layer(x), x);
  assertStrictEquals(layer.forward(x, { iteration: 7 }), x);
  assertStrictEquals(layer.mask, null);
  assertEquals(layer.callCount, 0);
  assertEquals(layer.train()(x), make()(x));
});

Deno.test("snapshot goes back to stream, count, base seed and last pass", () => {
  const [layer, twin] = [make(), make()];
  [layer(ones([64])), twin(ones([64]))];
  const mask = maskOf(layer);
  const restore = layer.snapshot();
  layer.reset(3);
  [layer(ones([64])), layer(ones([64]))];
  restore();
  assertEquals([layer.baseSeed, layer.callCount, maskOf(layer)], [42, 1, mask]);
  assertEquals(layer(ones([64])), twin(ones([64])));
});

// Backward

/** ⟨a, b⟩ */
const dot = (a: Tensor, b: Tensor) => sum(multiply(a, b));

/** |⟨f(x), g⟩ − ⟨x, f*(g)⟩| relative to the products: 0 up to rounding for a linear map and its backward pass. */
function adjointGap(layer: ReproducibleDropout, seed: number, iteration?: number): number {
  const [x, g] = [normals([5, 7], seed), normals([5, 7], seed + 1)];
  const output = layer.forward(x, iteration === undefined ? {} : { iteration });
  return Math.abs(dot(output, g) - dot(x, layer.backward(g))) / sum(multiply(x, g).map(Math.abs));
}

/** A planted fault: the backward pass draws a mask of its own. */
class Forgetful extends ReproducibleDropout {
  override backward(gradOutput: Tensor): Tensor {
    return invertedDropout(gradOutput, this.p, { rng: this.rng }).output;
  }
}

Deno.test("backward is the adjoint of the last forward pass; a mask drawn anew is caught", () => {
  for (const seed of [0, 1, 2, 3, 4]) {
    for (const iteration of [undefined, 100]) {
      // 35 products of two roundings, some 9 additions, on both sides, of terms up to twice as large.
      assert(adjointGap(make(seed), seed, iteration) <= 2 * 2 * (2 + 9) * 2 ** -53);
      assert(adjointGap(new Forgetful(0.5, { seed }), seed, iteration) > 1e-3);
    }
  }
});

Deno.test("backward goes through the mask of the last pass, with and without iteration, and also after eval()", () => {
  const g = normals([64], 2);
  const layer = make();
  layer(ones([64]));
  layer.forward(ones([64]), { iteration: 100 });
  const mask = drawMask([64], 0.5, { rng: defaultRng(1750725574) });
  assertEquals(layer.backward(g), applyMask(g, mask, 2));
  assertEquals(layer.eval().backward(g), applyMask(g, mask, 2));
  layer.forward(ones([64]), { iteration: 100 });
  assertStrictEquals(layer.backward(g), g);
  assertThrows(() => make().backward(g), Error, "backward needs a forward pass before it");
  assertThrows(
    () => layer.backward(ones([3])),
    TypeError,
    "ReproducibleDropout.backward needs a tensor of shape [64], got [3]",
  );
});

Deno.test("out receives the output, also with an iteration", () => {
  const x = normals([6]);
  const expected = make().forward(x, { iteration: 3 });
  const out = ones([6]);
  assertStrictEquals(make().forward(x, { iteration: 3, out }), out);
  assertEquals(out, expected);
});

// The weaknesses

Deno.test("weakness: the first two iterations of seed 42 that collide get the same mask", () => {
  const [first, second, derivedSeed] = numpy.first_collision;
  assertEquals([first, second], [14326, 105366]);
  assertEquals(Array.from(seedCollisions(42, 120_000))[0], { first, second, derivedSeed });
  assertEquals(Array.from(seedCollisions(42, second)), []);
  assertEquals(Array.from(seedCollisions(42, second + 1)), [{ first, second, derivedSeed }]);
  assertEquals(iterationMask(make(), first), iterationMask(make(), second));
  assert(iterationMask(make(), first) !== iterationMask(make(), second - 1)); // chance: 2⁻⁶⁴
  // SeedSequence mixes 128 bits and keeps them apart.
  const mixed = (iteration: number) =>
    drawMask([64], 0.5, { rng: defaultRng([42, 0, iteration]) }).bits.join();
  assert(mixed(first) !== mixed(second));
});

Deno.test("weakness: layers that share a seed share their masks, in every iteration and every pass", () => {
  for (const seed of [0, 1, 2, 3, 4]) {
    const [one, other, apart] = [make(seed), make(seed), make(seed + 1)];
    for (const iteration of [0, 1, 100]) {
      assertEquals(iterationMask(one, iteration), iterationMask(other, iteration));
      assert(iterationMask(one, iteration) !== iterationMask(apart, iteration)); // chance: 2⁻⁶⁴
    }
    for (let pass = 0; pass < 3; pass++) assertEquals(one(ones([64])), other(ones([64])));
    // A wider layer begins with the same mask.
    other.forward(ones([100]), { iteration: 100 });
    assert(maskOf(other).startsWith(iterationMask(one, 100)));
  }
});

Deno.test("a search that finds nothing gives nothing, and a limit that is no count is refused", () => {
  assertEquals(Array.from(seedCollisions(42, 0)), []);
  assertEquals(Array.from(seedCollisions(7n, 100)), []);
  for (const limit of [-1, 0.5, NaN]) {
    const error = assertThrows(() => Array.from(seedCollisions(42, limit)), RangeError);
    assertEquals(error.message, `seedCollisions: limit must be a non-negative integer, got ${limit}`);
  }
});

// Refusals

Deno.test("an iteration without a seed is refused in both modes; the article would seed from None_100", () => {
  for (const training of [true, false]) {
    const layer = new ReproducibleDropout(0.5).train(training);
    const error = assertThrows(() => layer.forward(ones([3]), { iteration: 100 }), TypeError);
    assertEquals(
      error.message,
      "Dropout by iteration needs a seed: one non-negative integer such as 42, got undefined",
    );
    layer(ones([3])); // without iteration there is fresh entropy
    layer.reset(5);
    assertEquals(layer.forward(ones([3]), { iteration: 1 }).size, 3);
  }
});

Deno.test("seeds and iterations that are no non-negative integers are refused, with what came", () => {
  const message = (iteration: unknown) =>
    `The iteration must be ${
      iteration === 2 ** 53 ? "an integer below 2⁵³" : "a non-negative integer"
    }, got ${iteration}`;
  for (const iteration of [-1, 0.5, NaN, 2 ** 53]) {
    assertEquals(assertThrows(() => iterationSeed(1, iteration), RangeError).message, message(iteration));
  }
  assertThrows(() => make().forward(ones([1]), { iteration: -1 }), RangeError, message(-1));
  assertThrows(() => iterationSeed(1, "2" as unknown as number), TypeError, message('"2"'));
  for (const seed of [-1, 0.5, -1n, 2 ** 60]) assertThrows(() => iterationSeed(seed, 1), RangeError, "seed");
  assertThrows(() => iterationSeed([1] as unknown as number, 1), TypeError, "got an array");
  for (const p of [1, -0.1, NaN]) {
    assertThrows(() => make(1, p), RangeError, `Dropout probability must be in [0, 1), got ${p}`);
  }
  assertThrows(() => make(-1), RangeError, "A seed must be a non-negative integer, got -1");
});
