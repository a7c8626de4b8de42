/** The article's second block of code: PyTorch's dropout in both modes. */

import { assert, assertEquals, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import { pytorchLines } from "../lib/article/block2.ts";
import { pytorchDropout } from "../lib/article/pytorch_dropout.ts";
import { Linear, type Tensor, TorchGenerator } from "../lib/mod.ts";
import { fixture } from "./helpers.ts";

interface Reference {
  trainMeans: number[];
  evalMeans: number[];
  evalOutputsIdentical: boolean;
  functional: { trainMean: number; inputMean: number; keptFraction: number };
  weightFirst8: number[];
  biasFirst4: number[];
  xFirst8: number[];
  xLast4: number[];
  evalRow0: number[];
  trainRow0: number[];
}
const torch = await fixture<Reference>("article_block2");

/** One rounding of a float32 number in [½, 1). */
const ROUNDING = 2 ** -24;
const result = pytorchDropout();

function assertNear(values: readonly number[], expected: readonly number[], tolerance: number): void {
  assertEquals(values.length, expected.length);
  values.forEach((value, i) => assertLess(Math.abs(value - expected[i]), tolerance, `${i}`));
}

Deno.test("block 2 of the article is printed byte for byte", async () => {
  const expected = await Deno.readTextFile(new URL("fixtures/article_block2.txt", import.meta.url));
  assertEquals(pytorchLines().join("\n") + "\n", expected);
});

Deno.test("the first layer starts with PyTorch's weights and biases, bit for bit", () => {
  const rng = new TorchGenerator(42);
  const { weight, bias } = new Linear(784, 256, { rng, dtype: "float32" });
  assertEquals([weight.shape, bias!.shape, weight.dtype], [[256, 784], [256], "float32"]);
  assertEquals(Array.from(weight.data.slice(0, 8)), torch.weightFirst8);
  assertEquals(Array.from(bias!.data.slice(0, 4)), torch.biasFirst4);
  // The fault: product and sum rounded one after the other.
  const bound = Math.fround(1 / 28);
  const twice = new TorchGenerator(42).rand(8).map((u) => Math.fround(Math.fround(u * 2 * bound) - bound));
  assertNotEquals(Array.from(twice), torch.weightFirst8);
});

Deno.test("the batch is PyTorch's, up to its approximate log, sin and cos", () => {
  const rng = new TorchGenerator(42);
  for (const [inputs, outputs] of [[784, 256], [256, 256], [256, 10]]) {
    new Linear(inputs, outputs, { rng, dtype: "float32" });
  }
  const x = Array.from(rng.randn(32 * 784));
  const tolerance = 5.77 * 5 * ROUNDING; // see the generator's tests
  assertNear(x.slice(0, 8), torch.xFirst8, tolerance);
  assertNear(x.slice(-4), torch.xLast4, tolerance);
});

Deno.test("the outputs agree with PyTorch's to rounding, in training too, where a wrong mask would show", () => {
  // PyTorch adds up to 784 products of about 1 · 1/28 in float32, in an order of its own; the partial sums are of size
  // 1 and the roundings, half of 2 · 2⁻²⁴ at most, add up like a random walk: √784 of them in each of three layers.
  const tolerance = 3 * 28 * ROUNDING;
  const row0 = (output: Tensor) => Array.from(output.data.slice(0, 10));
  assertNear(row0(result.outputs.eval[0]), torch.evalRow0, tolerance);
  assertNear(row0(result.outputs.train[0]), torch.trainRow0, tolerance);
  assert(torch.trainRow0.some((value, i) => Math.abs(value - torch.evalRow0[i]) > 1000 * tolerance));
});

Deno.test("the means agree with PyTorch's far beyond the printed digits", () => {
  const tolerance = 3 * 28 * ROUNDING; // a mean is no worse than its worst term
  assertNear(result.trainMeans, torch.trainMeans, tolerance);
  assertNear(result.evalMeans, torch.evalMeans, tolerance);
  const { trainMean, evalMean, inputMean, keptFraction } = result.functional;
  assertNear([trainMean, inputMean], [torch.functional.trainMean, torch.functional.inputMean], tolerance);
  assertEquals(evalMean, inputMean);
  assertEquals(keptFraction, torch.functional.keptFraction);
  assertEquals(result.evalOutputsIdentical, torch.evalOutputsIdentical);
});

Deno.test("training passes differ from each other, evaluation passes do not, for any seed and rate", () => {
  for (const [seed, p] of [[1, 0.2], [2, 0.5], [3, 0.8]]) {
    const { trainMeans, evalMeans, evalOutputsIdentical, functional, outputs } = pytorchDropout({
      seed,
      p,
      passes: 3,
    });
    assertEquals(new Set(trainMeans).size, 3);
    assertEquals(outputs.eval.slice(1), [outputs.eval[0], outputs.eval[0]]);
    assertEquals([new Set(evalMeans).size, evalOutputsIdentical], [1, true]);
    assertEquals(
      [...outputs.train, ...outputs.eval].map((y) => [...y.shape, y.dtype]),
      Array(6).fill([32, 10, "float32"]),
    );
    // 25088 elements; a z-score beyond 4.5 has probability 7·10⁻⁶. A rate off by 0.02 would be at least 6.
    const z = (keep: number) => (functional.keptFraction - keep) / Math.sqrt((p * (1 - p)) / 25088);
    assertLess(Math.abs(z(1 - p)), 4.5);
    assert(Math.abs(z(1 - p + 0.04)) > 4.5);
  }
});

Deno.test("without dropout both modes agree", () => {
  const none = pytorchDropout({ p: 0, passes: 1 });
  assertEquals(none.outputs.train[0], none.outputs.eval[0]);
  assertEquals(none.functional.keptFraction, 1);
});

Deno.test("a rate that is not a probability below 1 is refused", () => {
  for (const p of [1, 1.5]) {
    const message = `Dropout probability must be in [0, 1), got ${p}`;
    assertThrows(() => pytorchDropout({ p }), RangeError, message);
  }
});
