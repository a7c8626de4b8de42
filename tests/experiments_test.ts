/** The experiments: the article's numbers, digit for digit, and what the notebooks build on them. */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import { printArticle } from "../lib/article/print.ts";
import { comparisonLines } from "../lib/article/block1.ts";
import { compareStandardVsInverted, type Comparison } from "../lib/article/compare_standard_vs_inverted.ts";
import { scalingMistakes } from "../lib/experiments/scaling_mistakes.ts";
import {
  evaluationLoss,
  gradientDescent,
  sampleData,
  scaleWeights,
  twoLayerNet,
} from "../lib/experiments/two_layer_net.ts";
import { mean, mseLoss, multiply, numericalGradient, subtract } from "../lib/mod.ts";

const fixture = (name: string) => Deno.readTextFileSync(new URL(`fixtures/${name}`, import.meta.url));
const numpy = JSON.parse(fixture("article_block1.json"));

/** The demonstration in full takes seconds, so that it runs once. */
let demonstration: Comparison | undefined;
const full = () => demonstration ??= compareStandardVsInverted();

Deno.test("block 1 of the article is printed byte for byte", () => {
  assertEquals(comparisonLines(full()).join("\n") + "\n", fixture("article_block1.txt"));
});

for (const block of ["2", "3", "4", "5"]) {
  Deno.test(`block ${block} of the article is printed byte for byte`, () => {
    const lines: string[] = [];
    printArticle([block], (line) => lines.push(line));
    assertEquals(lines.join("\n") + "\n", fixture(`article_block${block}.txt`));
  });
}

Deno.test("a block that does not exist is refused before anything is printed", () => {
  const error = assertThrows(() => printArticle(["1", "9"], () => assert(false)), RangeError);
  assertEquals(error.message, 'The block must be one of 1, 2, 3, 4, 5, got "9"');
});

Deno.test("the demonstration's means and outputs agree with NumPy's to rounding", () => {
  // 100 products per output, 10,000 outputs per mean; NumPy's BLAS adds in another order, so that about 10 roundings
  // relative to the largest output (3.4 for inverted dropout) may differ.
  const tolerance = 10 * Number.EPSILON * 4;
  const { standard, inverted } = full();
  assertAlmostEquals(mean(standard.trainMean), numpy.standard_mean, tolerance);
  assertAlmostEquals(mean(standard.inference), numpy.standard_inf, tolerance);
  assertAlmostEquals(mean(inverted.trainMean), numpy.inverted_mean, tolerance);
  assertAlmostEquals(mean(inverted.inference), numpy.inverted_inf, tolerance);
  for (let j = 0; j < 64; j++) {
    assertAlmostEquals(standard.inference.at(0, j), numpy.standard_inference_row0[j], tolerance);
    assertAlmostEquals(inverted.inference.at(0, j), numpy.inverted_inference_row0[j], tolerance);
    // A mean of 10,000 numbers added one after the other: up to 10,000 more roundings, that mostly cancel (√).
    assertAlmostEquals(standard.trainMean.at(0, j), numpy.standard_train_mean_row0[j], 100 * tolerance);
    assertAlmostEquals(inverted.trainMean.at(0, j), numpy.inverted_train_mean_row0[j], 100 * tolerance);
  }
});

Deno.test("the demonstration's element-wise error is NumPy's", () => {
  const { standard, inverted } = full();
  const worst = ({ trainMean, inference }: typeof standard) =>
    Math.max(...subtract(trainMean, inference).data.map(Math.abs));
  assertAlmostEquals(standard.progress.at(-1)!.elementError, numpy.per_element_standard.rms, 1e-12);
  assertAlmostEquals(inverted.progress.at(-1)!.elementError, numpy.per_element_inverted.rms, 1e-12);
  assertAlmostEquals(worst(standard), numpy.per_element_standard.max_abs, 1e-12);
  assertAlmostEquals(worst(inverted), numpy.per_element_inverted.max_abs, 1e-12);
});

Deno.test("the exact spreads predict the measured errors", () => {
  for (
    const [scheme, sampled] of [["standard", "se_of_standard_train_mean"], [
      "inverted",
      "se_of_inverted_train_mean",
    ]] as const
  ) {
    const { progress, grandMeanSpread, elementSpread } = full()[scheme];
    // A standard deviation of 10,000 values is known to 1/√20,000 = 0.7 %; 4.5 of those.
    assertLess(Math.abs(numpy[sampled] / (grandMeanSpread / 100) - 1), 4.5 * 0.0071);
    for (const { trials, elementError, grandMeanError } of progress) {
      // 2048 outputs share 3200 mask entries, some 1000 independent errors: an RMS is known to 2.2 %; 4.5 of those.
      assertLess(Math.abs(elementError * Math.sqrt(trials) / elementSpread - 1), 4.5 * 0.022);
      assertLess(grandMeanError, 4.5 * grandMeanSpread / Math.sqrt(trials));
    }
  }
});

Deno.test("the demonstration stays unbiased with other seeds and rates, and a wrong rate is caught", () => {
  for (const [seed, p] of [[1, 0.2], [2, 0.5], [3, 0.8]]) {
    const { standard, inverted } = compareStandardVsInverted({ seed, p, trials: 300 });
    for (const { progress, grandMeanSpread, elementSpread } of [standard, inverted]) {
      const last = progress.at(-1)!;
      assertEquals(last.trials, 300);
      assertLess(last.grandMeanError, 4.5 * grandMeanSpread / Math.sqrt(300)); // false alarm: 7 in 10⁶ each
      assertLess(last.elementError * Math.sqrt(300) / elementSpread, 1 + 4.5 * 0.022);
    }
    // Planted fault: the inference of one scheme beside the training of the other.
    const mixed = subtract(inverted.trainMean, standard.inference);
    const error = Math.sqrt(mean(multiply(mixed, mixed)));
    assert(error > 2 * inverted.elementSpread / Math.sqrt(300));
  }
});

Deno.test("the two-layer network's training step descends along the numerical gradient", () => {
  for (const scheme of ["standard", "inverted"] as const) {
    const data = sampleData(6, 8, 5);
    const make = () => twoLayerNet({ scheme, p: 0.5, seed: 7 }); // each draws the same first masks
    const rates = { weights: 0.01, biases: 0.02 };
    const stepped = make();
    gradientDescent(stepped, data, rates)();
    const state = make().stateDict();
    for (const { name, value } of stepped.parameters()) {
      const loss = (moved: typeof value) => {
        const net = make();
        net.loadStateDict({ ...state, [name]: moved });
        return mseLoss(net(data.x), data.y).loss;
      };
      const gradient = numericalGradient(loss, state[name]);
      const rate = name.endsWith("bias") ? rates.biases : rates.weights;
      subtract(state[name], value).data.forEach((moved, i) =>
        assertAlmostEquals(moved, rate * gradient.data[i], 1e-9)
      );
    }
  }
});

Deno.test("standard and inverted networks share weights and masks, and (1 − p)·W makes them one function", () => {
  const data = sampleData(6, 8, 5);
  for (const p of [0.1, 0.5]) {
    const [standard, inverted] = (["standard", "inverted"] as const).map((scheme) =>
      twoLayerNet({ scheme, p, seed: 7 })
    );
    assertEquals(inverted.stateDict(), standard.stateDict());
    inverted.loadStateDict(scaleWeights(standard.stateDict(), 1 - p));
    assertAlmostEquals(evaluationLoss(inverted, data), evaluationLoss(standard, data), 1e-13);
    const [one, other] = [standard, inverted].map((net) => mseLoss(net(data.x), data.y).loss);
    assertAlmostEquals(one, other, 1e-13);
  }
});

Deno.test("scaling mistakes follow their products of factors once biases do not matter", () => {
  for (
    const { mistake, depth, error, standardError, withoutBiases } of scalingMistakes({
      networks: 40,
      seed: 9,
    })
  ) {
    // Biases of a tenth of the signal change the error by a few per cent.
    assertLess(Math.abs(error / withoutBiases - 1), 0.08 + 4 * standardError, `${mistake} at depth ${depth}`);
  }
});

Deno.test("the same holds at other rates, and each mistake names the rate that it takes for p", () => {
  for (const p of [0.1, 0.9]) {
    const mistakes = scalingMistakes({ p, depths: [1, 4], networks: 40, seed: 3 });
    for (const { mistake, error, standardError, withoutBiases } of mistakes) {
      assertLess(Math.abs(error / withoutBiases - 1), 0.08 + 4.5 * standardError / withoutBiases, mistake);
    }
    const rateOf = (name: string) => mistakes.find(({ mistake }) => mistake === name)!.rate;
    assert(rateOf("rate too low") < p && rateOf("rate too high") > p);
  }
  assertThrows(() => scalingMistakes({ p: 1 }), RangeError, "[0, 1), got 1");
});

Deno.test("no mistake, no error", () => {
  for (const { mistake, error } of scalingMistakes({ astray: 0, depths: [1, 3], networks: 3 })) {
    assertEquals(error === 0, mistake.startsWith("rate too"), mistake);
  }
});
