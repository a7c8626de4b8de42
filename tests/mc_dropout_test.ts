/** Monte Carlo dropout: modes, spread, and where it grows. */

import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { predictWithSpread, trainRegression, truth } from "../lib/experiments/mc_dropout.ts";
import {
  BatchNorm,
  defaultRng,
  dropoutOnly,
  InvertedDropout,
  Linear,
  mseLoss,
  Sequential,
  Tensor,
} from "../lib/mod.ts";

Deno.test("dropoutOnly puts dropout layers, and nothing else, into training mode", () => {
  const rng = defaultRng(1);
  const [norm, dropout] = [new BatchNorm(4), new InvertedDropout(0.5, { rng: defaultRng(1) })];
  const model = new Sequential(
    new Linear(1, 4, { rng }),
    new Sequential(norm, dropout),
    new Linear(4, 1, { rng }),
  );
  dropoutOnly(model);
  assertEquals([dropout.training, norm.training, model.training], [true, false, false]);
  const before = norm.runningVar!.clone();
  model(new Tensor(new Float64Array(8), [8, 1]));
  assertEquals(norm.runningVar, before);
});

Deno.test("training fits the data, and leaves the model in evaluation mode", () => {
  const { model, x, y } = trainRegression({ steps: 400, seed: 3 });
  assert(!model.training && model.children().every((layer) => !layer.training));
  const variance = mseLoss(y.map(() => 0), y).loss;
  assertLess(mseLoss(model(x), y).loss, 0.1 * variance);
  assert(x.data.every((value) => Math.abs(value) >= 0.2 && Math.abs(value) <= 1));
  assertAlmostEquals(truth(0.25), 0.55, 1e-15);
});

Deno.test("mean and spread are those of the passes; without dropout there is no spread", () => {
  const { model } = trainRegression({ steps: 50 });
  const [still] = predictWithSpread(model, [0.5], 10);
  assertEquals([still.spread, still.spreadError], [0, 0]);
  assertEquals(still.mean, still.evaluation);
  const [first] = predictWithSpread(dropoutOnly(model), [0.5], 400);
  assertGreater(first.spread, 0);
  assertAlmostEquals(first.spreadError, first.spread / Math.sqrt(798), 1e-12);
  // Two samples of 400 passes: their spreads differ by less than 5 standard errors of the difference.
  const [second] = predictWithSpread(dropoutOnly(model), [0.5], 400);
  assertLess(Math.abs(first.spread - second.spread), 5 * Math.hypot(first.spreadError, second.spreadError));
});

Deno.test("the spread grows away from the data, for several seeds", () => {
  for (const seed of [1, 2, 3]) {
    const { model } = trainRegression({ seed, steps: 600 });
    const [near, far] = predictWithSpread(dropoutOnly(model), [0.6, 3], 200);
    assertGreater(far.spread - near.spread, 5 * Math.hypot(far.spreadError, near.spreadError));
  }
});
