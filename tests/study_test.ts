/** The study: its results are what its experiments give, and its parts do what they say. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { loadDigits } from "../lib/digits.ts";
import { Adam, crossEntropy, defaultRng, InvertedDropout, Linear, tensor } from "../lib/mod.ts";
import {
  classesOf,
  classifier,
  estimate,
  estimateDifference,
  evaluate,
  EXPERIMENTS,
  readStudy,
  RESULTS,
  score,
  train,
  trainingSample,
  type Values,
} from "../lib/study/mod.ts";
import type { DeploymentMeasured, DeploymentSettings } from "../lib/study/deployment.ts";
import { formatRun, parseRun, runKey } from "../lib/study/results.ts";
import { type SchemesMeasured, type SchemesSettings } from "../lib/study/schemes.ts";
import { atBest, atEnd, CHECKPOINTS, choose, describeFirstLayer, type WhyRow } from "../lib/study/why.ts";
import { bytesOf } from "./helpers.ts";

const digits = await loadDigits();
const lines = (await Deno.readTextFile(RESULTS)).split("\n").slice(0, -1);

// ---- The results ----

/** The line that a run gives now. */
async function recompute(line: string): Promise<string> {
  const { experiment: name, settings } = parseRun(line);
  const experiment = EXPERIMENTS.find((one) => one.name === name)!;
  return formatRun(experiment, settings, await experiment.run(settings));
}

/** A few lines for each day, from all over a list: within so many days, each has its turn once. */
function linesOfTheDay<T>(all: readonly T[], day: number, days: number): T[] {
  const stride = Math.min(all.length, days);
  return all.filter((_, i) => i % stride === day % stride);
}

const today = Math.floor(Date.now() / 86_400_000);

for (const { name } of EXPERIMENTS) {
  const own = lines.filter((line) => parseRun(line).experiment === name);
  for (const line of linesOfTheDay(own, today, 365)) {
    const { settings } = parseRun(line);
    Deno.test(`a run of today: ${name} ${JSON.stringify(settings)}`, async () => {
      assertEquals(await recompute(line), line);
    });
  }
}

Deno.test("a run whose loss was not finite is never the best one", async () => {
  const rows = await readStudy<WhyRow>("why");
  const best = choose(rows.filter(({ samples, side }) => samples === 1000 && side === 14), "at the end")[0];
  const diverged = {
    ...best,
    weightDecay: 1,
    validationLoss: best.validationLoss.map(() => null as unknown as number),
  };
  assertEquals(choose([diverged, best], "at the end"), [best]);
  assertEquals(choose([diverged, best], "at the best"), [best]);
  const late = { ...best, validationLoss: [...best.validationLoss.slice(0, -1), null as unknown as number] };
  assertLess(atBest(late).step, CHECKPOINTS[best.validationLoss.length - 1]);
});

Deno.test("every run has its day, and every day a run of each experiment", () => {
  for (const n of [1, 7, 365, 366, 1000, 2000]) {
    const all = Array.from({ length: n }, (_, i) => i);
    const days = Array.from({ length: Math.min(n, 365) }, (_, i) => linesOfTheDay(all, today + i, 365));
    assertEquals(days.flat().toSorted((a, b) => a - b), all);
    for (const day of days) assert(day.length >= 1 && day.length <= Math.ceil(n / 365));
  }
});

Deno.test("a number that was changed, or belongs to other settings, is seen", async () => {
  const line = lines.find((text) => text.includes('"schemes"'))!;
  const { settings, measured } = parseRun(line);
  const fresh = await recompute(line);
  assertEquals(fresh, line);
  const [loss] = (measured.standardLoss as number[]).slice(-1);
  assertNotEquals(fresh, line.replace(String(loss), String(Number((loss * (1 + 1e-5)).toPrecision(6)))));
  const other = JSON.stringify({ ...settings, seed: Number(settings.seed) + 1 });
  const moved = line.replace(JSON.stringify(settings), other);
  assertNotEquals(await recompute(moved), moved);
});

Deno.test("the results are those of all experiments, each setting with the same seeds", async () => {
  const description = JSON.parse(await Deno.readTextFile(new URL("./results.json", RESULTS)));
  const expected = EXPERIMENTS.flatMap((experiment) => {
    const { version, settings, runs } = description[experiment.name];
    const grid = experiment.grid(settings.seed.length);
    assertEquals([version, runs], [experiment.version, grid.length], experiment.name);
    return grid.map((one) => runKey(experiment, one));
  });
  const found = lines.map((line) => line.slice(0, line.indexOf(',"measured":')));
  assertEquals(new Set(found), new Set(expected));
  assertEquals(found.length, expected.length);
  assertEquals(lines, lines.toSorted());
});

// ---- The contract ----

Deno.test("grids: no setting twice, names in one order, and more seeds only add runs", () => {
  assertEquals(new Set(EXPERIMENTS.map(({ name }) => name)).size, EXPERIMENTS.length);
  for (const experiment of EXPERIMENTS) {
    const keys = (seeds: number) => experiment.grid(seeds).map((settings) => runKey(experiment, settings));
    const [three, five] = [new Set(keys(3)), new Set(keys(5))];
    assertEquals([three.size, five.size], [keys(3).length, 5 / 3 * three.size], experiment.name);
    assert(three.isSubsetOf(five));
    const names = new Set(experiment.grid(3).map((settings) => Object.keys(settings).join()));
    assertEquals(names.size, 1);
    assert([...names][0].split(",").includes("seed"));
    for (const { seed } of experiment.grid(3)) assert([0, 1, 2].includes(Number(seed)));
  }
});

Deno.test("a line keeps six digits, tells runs apart, and is read as it was written", () => {
  const experiment = { name: "one", version: 3, grid: () => [], run: () => ({}) };
  const settings = { seed: 2, p: 0.1 + 0.2, rates: [0.5, 0.25], kind: 'a,"measured":', deep: true };
  const line = formatRun(experiment, settings, {
    third: 1 / 3,
    small: 1e-20 / 3,
    lost: [NaN, -Infinity, 0],
    n: null,
  });
  assert(line.startsWith(runKey(experiment, settings) + ","));
  assertEquals(parseRun(line), {
    experiment: "one",
    version: 3,
    settings,
    measured: { third: 0.333333, small: 3.33333e-21, lost: [null, null, 0], n: null },
  });
});

Deno.test("rows have settings and measurements together; a name that is not there is an error", async () => {
  const rows = await readStudy<WhyRow>("why");
  assertGreater(rows.length, 0);
  const { settings, measured } = parseRun(lines.findLast((line) => line.includes('"why"'))!);
  assertEquals(rows.at(-1) as Values, { ...settings, ...measured });
  for (const run of lines.map(parseRun)) {
    for (const name of Object.keys(run.measured)) assert(!(name in run.settings), name);
  }
  await assertRejects(() => readStudy("what"), RangeError, 'no runs of "what"; they have ');
});

Deno.test("means and paired differences, by hand", () => {
  const rows = (...losses: number[]) => losses.map((loss, seed) => ({ seed, loss }));
  const loss = (row: { loss: number }) => row.loss;
  const { mean, standardError } = estimate(rows(1, 2, 6), loss);
  assertEquals(mean, 3);
  assertAlmostEquals(standardError, Math.sqrt(7 / 3), 1e-15);
  // 0 − 3, 5 − 4, 10 − 5: mean 1, deviations −4, 0, 4.
  const difference = estimateDifference(rows(0, 5, 10).toReversed(), rows(3, 4, 5), loss);
  assertEquals(difference.mean, 1);
  assertAlmostEquals(difference.standardError, 4 / Math.sqrt(3), 1e-15);
  assertThrows(
    () => estimateDifference(rows(1, 2), rows(1, 2, 3), loss),
    RangeError,
    "same seeds, got 0 1 and 0 1 2",
  );
  const twice = [...rows(1), ...rows(2)];
  assertThrows(
    () => estimateDifference(twice, twice, loss),
    RangeError,
    "each seed once, got 2 rows of 1 seeds",
  );
  const lost = [{ seed: 0, loss: null as unknown as number }, { seed: 1, loss: 2 }];
  assertThrows(
    () => estimate(lost, loss),
    TypeError,
    'must give a number, got null from {"seed":0,"loss":null}',
  );
  assertThrows(() => estimateDifference(lost, lost, loss), TypeError, "got null");
});

// ---- Training ----

Deno.test("networks that differ in their rates begin with the same weights; each layer has masks of its own", () => {
  const plain = classifier({ seed: 1 });
  const dropped = classifier({ seed: 1, inputRate: 0.5, hiddenRate: 0.5 });
  assertEquals(plain.stateDict(), dropped.stateDict());
  assertNotEquals(plain.stateDict(), classifier({ seed: 2 }).stateDict());
  assertEquals(plain.parameters().map(({ value }) => value.shape), [[128, 196], [128], [128, 128], [128], [
    10,
    128,
  ], [10]]);
  assertEquals(classifier({ seed: 1, side: 28 }).parameters()[0].value.shape, [256, 784]);
  dropped(digits.test.images);
  const masks = dropped.namedChildren().map(([, layer]) => layer).filter((layer) =>
    layer instanceof InvertedDropout
  )
    .map(({ mask }) => bytesOf(mask!.toTensor()).slice(0, 4000).join());
  assertEquals(new Set(masks).size, 3);
});

Deno.test("training is batches, forward, loss, backward, step", () => {
  const options = { seed: 3, inputRate: 0.2, hiddenRate: 0.5 };
  const sample = trainingSample(digits.train, 100, 3);
  const model = classifier(options);
  const losses: number[] = [];
  const optimizer = new Adam(model.parameters());
  train(model, sample, {
    steps: 5,
    optimizer,
    seed: 3,
    batchSize: 100,
    onStep: (_, loss) => void losses.push(loss),
  });
  const byHand = classifier(options);
  const adam = new Adam(byHand.parameters());
  const rng = defaultRng([3, 5]);
  const expected = Array.from({ length: 5 }, () => {
    const order = [...rng.permutation(100)];
    const images = tensor(
      order.map((i) => [...sample.images.data.subarray(196 * i, 196 * i + 196)]),
      "float32",
    );
    const { loss, grad } = crossEntropy(byHand(images), order.map((i) => sample.labels[i]));
    byHand.backward(grad);
    adam.step();
    return loss;
  });
  assertEquals(losses, expected);
  assertEquals(model.stateDict(), byHand.stateDict());
});

Deno.test("training goes on for the steps asked for, or until it is told to end", () => {
  const sample = trainingSample(digits.train, 60, 1);
  const steps = (ask: number, end?: number) => {
    const model = classifier({ seed: 1 });
    const seen: number[] = [];
    const onStep = (step: number) => seen.push(step) !== end;
    train(model.eval(), sample, { steps: ask, optimizer: new Adam(model.parameters()), seed: 1, onStep });
    assert(ask === 0 || model.training);
    return seen;
  };
  assertEquals(steps(0), []);
  assertEquals(steps(4), [1, 2, 3, 4]);
  assertEquals(steps(4, 2), [1, 2]);
});

Deno.test("an evaluation counts what is wrong, and leaves the mode as it was", () => {
  const logits = tensor([[3, 1, 2], [0, 0, 5], [NaN, 1, 2], [1, 9, 9]]);
  assertEquals(classesOf(logits), [0, 2, -1, 1]);
  assertEquals(score(logits, [0, 1, 2, 1]).error, 0.5);
  assertAlmostEquals(score(tensor([[0, 0]]), [1]).loss, Math.LN2, 1e-15);
  const model = classifier({ seed: 1, hiddenRate: 0.5 });
  for (const training of [true, false]) {
    assertEquals(evaluate(model.train(training), digits.validation), evaluate(model, digits.validation));
    assertEquals(model.training, training);
    assert(model.children().every((layer) => layer.training === training));
  }
});

Deno.test("of one seed, a smaller training sample is the beginning of a larger one", () => {
  const [few, many] = [50, 500].map((n) => trainingSample(digits.train, n, 7));
  assertEquals([...few.labels], [...many.labels.subarray(0, 50)]);
  assertNotEquals([...few.labels], [...trainingSample(digits.train, 50, 8).labels]);
});

// ---- Why ----

Deno.test("the best place to stop is chosen on one part, and reported on another", () => {
  const row = {
    seed: 7,
    validationLoss: [3, 1, 2],
    testLoss: [30, 20, 10],
    testError: [0.3, 0.2, 0.1],
  } as unknown as WhyRow;
  assertEquals(atBest(row), { seed: 7, step: CHECKPOINTS[1], loss: 20, error: 0.2 });
  assertEquals(atEnd(row), { seed: 7, step: CHECKPOINTS[2], loss: 10, error: 0.1 });
});

Deno.test("a setting is chosen by its mean loss on the part to choose on, whatever the other part says", () => {
  const row = (lr: number, seed: number, ...validationLoss: number[]) =>
    ({ lr, seed, validationLoss, testLoss: validationLoss.map((loss) => -loss) }) as unknown as WhyRow;
  const rows = [row(1, 0, 5, 4), row(2, 0, 1, 9), row(1, 1, 5, 4), row(2, 1, 2, 1)];
  assertEquals(choose(rows, "at the end"), [rows[0], rows[2]]); // 4 against 5
  assertEquals(choose(rows, "at the best"), [rows[1], rows[3]]); // 4 against 1
});

Deno.test("what a first layer learned, where one can tell by looking", () => {
  const model = classifier({ seed: 1 });
  const linear = model.namedChildren()[1][1] as Linear;
  const images = digits.test;
  const withWeights = (set: (w: typeof linear.weight.data) => void, bias = 0) => {
    linear.bias!.data.fill(bias);
    linear.weight.data.fill(0);
    set(linear.weight.data);
    return describeFirstLayer(model, images);
  };
  const equal = withWeights((w) => w.fill(0.5));
  assertAlmostEquals(equal.pixelsUsed, 196, 1e-9);
  assertEquals([equal.roughness, equal.active], [0, 1]); // each digit has some ink
  assertAlmostEquals(equal.correlation, 1, 1e-5); // float32
  const checkered = withWeights(
    (w) => w.forEach((_, i) => w[i] = (i + Math.floor(i / 14)) % 2 ? 1 : -1),
    -1e6,
  );
  assertAlmostEquals(checkered.roughness, 2, 1e-12); // neighbours are opposite
  assertEquals(checkered.active, 0);
  assertEquals(
    withWeights((w) => {
      for (let unit = 0; unit < 128; unit++) w[196 * unit + unit] = 3;
    }).pixelsUsed,
    1,
  );
  // Independent weights: (Σw²)²/Σw⁴ → n/3 for normals, less O(1); its standard error over 128 units is far below 2.
  const random = withWeights((w) => w.set(defaultRng(5).standardNormal(w.length)));
  assertAlmostEquals(random.roughness, 1, 0.02); // 128 · 364 differences, SE about .008
  assertAlmostEquals(random.pixelsUsed, 196 / 3, 4);
});

// ---- What the results say, as far as every seed says it ----

Deno.test("standard and inverted dropout train the same classifier with scaled rates, and with equal ones do not", async () => {
  for (const row of await readStudy<SchemesSettings & SchemesMeasured>("schemes")) {
    if (row.rates === "scaled") {
      // Each step rounds each weight once, by 2⁻⁵³ at most, in each network; training may amplify it, but not tenfold.
      assertLess(Math.max(...row.weightGap), 10 * 2 * 200 * 2 ** -53);
      assertEquals(Math.max(...row.disagreement), 0);
    } else assertGreater(row.weightGap.at(-1)!, 0.01);
  }
});

Deno.test("the audit passes what does not depend on chance, batch or order, and nothing else", async () => {
  for (const row of await readStudy<DeploymentSettings & DeploymentMeasured>("deployment")) {
    const independent = [...row.otherBits, row.otherBitsReversed].every((fraction) => fraction === 0);
    assertEquals(row.ok, row.training === "nothing");
    assertEquals(row.ok, independent && row.passesAgree);
  }
});
