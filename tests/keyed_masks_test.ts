/** Keyed masks at work: in pieces and after a restart; and the collisions of derived seeds. */

import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Chunk,
  drawInChunks,
  maskCells,
  maskCorrelation,
  shuffledChunks,
  trainWithRestart,
} from "../lib/experiments/keyed_masks.ts";
import { seedCollisions } from "../lib/experiments/seed_collisions.ts";
import { defaultRng, drawMask, iterationSeed, KeyedStream, Mask } from "../lib/mod.ts";
import { probabilities } from "./helpers.ts";

const SEEDS = [0, 1, 2, 3, 4];

// Chunks

Deno.test("chunks cover each element once, none is empty, and their order is random", () => {
  const sizes = fc.integer({ min: 1, max: 60 });
  fc.assert(fc.property(sizes, fc.nat(), fc.nat(), (n, cut, seed) => {
    const chunks = shuffledChunks(n, 1 + cut % n, defaultRng(seed));
    assertEquals(chunks.length, 1 + cut % n);
    const sorted = chunks.toSorted((a, b) => a.start - b.start);
    assertEquals([sorted[0].start, sorted.at(-1)!.end], [0, n]);
    sorted.forEach(({ start, end }, i) => {
      assert(start < end);
      if (i > 0) assertEquals(start, sorted[i - 1].end);
    });
  }));
  // Three chunks in the order of their places: 1 of 6 times; 600 times, 100 ± 9.1 are expected.
  const inOrder = Array.from({ length: 600 }, (_, seed) => shuffledChunks(30, 3, defaultRng(seed)))
    .filter(([a, b, c]) => a.start < b.start && b.start < c.start);
  assert(Math.abs(inOrder.length - 100) < 5 * 9.13);
});

Deno.test("a number of pieces that cannot be is refused", () => {
  for (const pieces of [0, 11, 2.5, NaN]) {
    const error = assertThrows(() => shuffledChunks(10, pieces, defaultRng(1)), RangeError);
    assertEquals(error.message, `10 elements can be cut into 1 to 10 pieces, got ${pieces}`);
  }
});

Deno.test("keyed masks are the same in any pieces; one shared stream depends on their order", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), probabilities(), (seed, pieces, p) => {
    const shape = [5, 8];
    const whole = new KeyedStream({ seed, layer: 1, step: 2, offset: 0 });
    const chunks = shuffledChunks(40, pieces, defaultRng(seed));
    const keyed = drawInChunks(shape, p, chunks, ({ start }) => whole.at({ offset: start }));
    assertEquals(keyed, drawMask(shape, p, { rng: whole }));
    // In order, a shared stream gives the mask of the whole, since each element takes one draw.
    const inOrder = chunks.toSorted((a: Chunk, b: Chunk) => a.start - b.start);
    const shared = defaultRng(seed);
    assertEquals(
      drawInChunks(shape, p, inOrder, () => shared),
      drawMask(shape, p, { rng: defaultRng(seed) }),
    );
  }));
  for (const seed of SEEDS) {
    const rng = defaultRng(seed);
    const chunks = [{ start: 500, end: 1000 }, { start: 0, end: 500 }];
    // The same by chance: 2⁻⁵⁰⁰.
    assertNotEquals(
      drawInChunks([1000], 0.5, chunks, () => rng),
      drawMask([1000], 0.5, { rng: defaultRng(seed) }),
    );
  }
});

// Correlation

Deno.test("equal masks correlate with 1, opposite ones with −1, independent ones with about 0", () => {
  const [a, b] = [Mask.of(1, 0, 1, 0), Mask.of(0, 1, 0, 1)];
  assertEquals([maskCorrelation(a, a), maskCorrelation(a, b)], [1, -1]);
  assertEquals(maskCorrelation(a, Mask.of(1, 1, 0, 0)), 0);
  assert(Number.isNaN(maskCorrelation(a, Mask.of(1, 1, 1, 1))));
  for (const seed of SEEDS) {
    const [one, other] = [0, 1].map((layer) =>
      drawMask([10_000], 0.3, { rng: new KeyedStream({ seed, layer, step: 0 }) })
    );
    assertAlmostEquals(maskCorrelation(one, one), 1, 1e-12);
    assert(Math.abs(maskCorrelation(one, other)) < 5 / Math.sqrt(10_000)); // false alarm: 6·10⁻⁷ each
  }
  assertThrows(() => maskCorrelation(a, Mask.of(1)), TypeError, "must have one shape, got [4] and [1]");
});

Deno.test("the cells of a mask are its elements, row by row", () => {
  assertEquals(maskCells(Mask.of(1, 0, 0, 1, 1, 0).reshape([2, 3])), [
    { row: 0, column: 0, kept: true },
    { row: 0, column: 1, kept: false },
    { row: 0, column: 2, kept: false },
    { row: 1, column: 0, kept: true },
    { row: 1, column: 1, kept: true },
    { row: 1, column: 2, kept: false },
  ]);
  assertThrows(() => maskCells(Mask.of(1)), TypeError, "needs a mask with two axes, got shape [1]");
});

// Collisions

Deno.test("collisions share their seed, the first pair comes first, and none is found before it", () => {
  const pairs = [...seedCollisions(42, 120_000)];
  assertEquals(seedCollisions(42, 120_000).next().value, pairs[0]);
  assert(pairs.every(({ first, second }) => first < second));
  assert(
    pairs.every(({ first, second, derivedSeed }) =>
      [first, second].every((iteration) => iterationSeed(42, iteration) === derivedSeed)
    ),
  );
  assertEquals([...seedCollisions(42, 105_366)], []);
  assertEquals([...seedCollisions(42, 105_367)].length, 1);
  for (const n of [-1, 0.5, NaN]) assertThrows(() => seedCollisions(42, n).next(), RangeError, `got ${n}`);
});

// Restarts

Deno.test("with keyed masks a restart leaves no trace; with a stream that is seeded again it does", () => {
  for (const seed of SEEDS) {
    const [keyed, keyedResumed, stateful, statefulResumed] = trainWithRestart({ seed, before: 7, after: 9 });
    assertEquals(keyed.losses.map(({ step }) => step), Array.from({ length: 17 }, (_, i) => i));
    assertEquals(keyedResumed, { ...keyed, resumed: true });
    assertEquals(statefulResumed.losses.slice(0, 8), stateful.losses.slice(0, 8));
    assertNotEquals(statefulResumed.weights, stateful.weights);
    assertEquals(keyed.losses[0], stateful.losses[0], "all start from the same weights");
  }
});

Deno.test("training lowers the loss, and without dropout masks make no difference", () => {
  for (const { losses } of trainWithRestart()) assert(losses.at(-1)!.loss < 0.8 * losses[0].loss);
  const weights = trainWithRestart({ p: 0, before: 3, after: 3 }).map((run) => run.weights);
  weights.forEach((same) => assertEquals(same, weights[0]));
});
