/**
 * Section 7: deterministic inference and repeatable training.
 * @module
 */

import { demonstrateReproducibility } from "../article/reproducibility.ts";
import { seedCollisions } from "../experiments/seed_collisions.ts";
import {
  auditModel,
  BatchNorm,
  defaultRng,
  drawMask,
  InvertedDropout,
  iterationSeed,
  KeyedDropout,
  KeyedStream,
  type Layer,
  Linear,
  mean,
  mseLoss,
  ones,
  ReLU,
  ReproducibleDropout,
  Sequential,
  SGD,
  Tensor,
} from "../mod.ts";
import type { DeploymentRow } from "../study/deployment.ts";
import { readStudy } from "../study/mod.ts";
import { type Estimate, estimate, selectRows } from "../study/rows.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

/** A network with what may get in the way, in evaluation mode, and 32 samples for it. */
function smallModel(p: number, seed: number, masks = 1): { model: Sequential; x: Tensor } {
  const rng = defaultRng([seed, 70]);
  const x = rng.standardNormal([32, 8]);
  const dropout = new InvertedDropout(p, { rng: defaultRng([seed, 71, masks]) });
  const layers = [
    new Linear(8, 16, { rng }),
    new BatchNorm(16),
    new ReLU(),
    dropout,
    new Linear(16, 2, { rng }),
  ];
  const model = new Sequential(...layers);
  model(x); // batch normalization gets something to remember
  return { model: model.eval(), x };
}

function sameBits(a: Tensor, b: Tensor): boolean {
  return a.size === b.size && a.data.every((value, i) => Object.is(value, b.data[i]));
}

/** In evaluation mode, the same input gives the same bits, however often it comes. */
export const deterministicInference: Claim = defineClaim({
  id: "deterministic-inference",
  section: 7,
  by: "article",
  claim: "In evaluation mode inference is deterministic: no randomness is involved.",
  holds: "holds if",
  known: "tested",
  but: "If all randomness is in layers that hear eval(): dropout called as a function draws all the same.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const { model, x } = smallModel(p, seed);
  const evaluation = auditModel(model, x, { runs: 5 });
  model.children().filter((layer) => layer instanceof InvertedDropout).forEach((layer) => layer.train());
  const left = auditModel(model, x, { runs: 5 });
  const rows = selectRows(await readStudy<DeploymentRow>("deployment"), { training: "nothing" });
  const agree = rows.filter(({ passesAgree, otherBits, otherBitsReversed }) =>
    passesAgree && otherBits.every((share) => share === 0) && otherBitsReversed === 0
  );
  return {
    supports: evaluation.ok && !left.repeated.same && agree.length === rows.length,
    summary:
      `5 passes of a network (p = ${p}, seed ${seed}) agree bit for bit; with its dropout left in training ` +
      `they do not; in the study's ${agree.length} of ${rows.length} digit networks in evaluation two passes agree and no logit changes ` +
      "a bit when 4,000 digits come in batches of 1, 7 or 100, or in reverse order",
  };
});

/** "Always" is too much: another order of adding gives other last digits. */
export const sameOutputAlways: Claim = defineClaim({
  id: "same-output-always",
  section: 7,
  by: "article",
  claim: "The same input always gives the same output.",
  holds: "false",
  known: "tested",
  but:
    "It does with one program that adds in one order, in one element type, with every layer in evaluation mode and nothing drawn outside the layers; else it agrees to rounding at best. Other processors were not tried.",
}, ({ seed = 42 }: Values = {}) => {
  const [rng, orders] = [defaultRng([seed, 72]), 100];
  const values = rng.standardNormal(1000);
  const add = (order: Iterable<number>) => Iterator.from(order).reduce((total, i) => total + values[i], 0);
  const sums = Array.from({ length: orders }, () => add(rng.permutation(1000)));
  // Any order: 999 additions, each rounds by at most 2⁻⁵³ of a partial sum, which Σ|x| bounds; on both sides.
  const bound = 2 * 999 * 2 ** -53 * values.reduce((total, value) => total + Math.abs(value), 0);
  const [lowest, highest] = [Math.min(...sums), Math.max(...sums)];
  const different = new Set(sums).size;
  return {
    supports: different > 1 && highest - lowest <= bound,
    summary: `1000 numbers (seed ${seed}) added in ${orders} orders give ${different} different sums, ` +
      `up to ${show(highest - lowest, 2)} apart; rounding allows ${show(bound, 2)}`,
  };
});

/** Weights go to the serving side as they are; what must be checked is the mode of every layer. */
export const deployAsIs: Claim = defineClaim({
  id: "deploy-as-is",
  section: 7,
  by: "article",
  claim:
    "Deployment is trivial: export the weights as they are, load them, set evaluation mode, run; no surprises.",
  holds: "holds if",
  known: "tested",
  but:
    "If every layer is in evaluation mode: one that is forgotten makes mistakes, or lets an answer depend on what else is in the batch, and no error says so.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const { model, x } = smallModel(p, seed);
  const { model: loaded } = smallModel(p, seed + 1);
  const before = sameBits(loaded(x), model(x));
  loaded.loadStateDict(JSON.parse(JSON.stringify(model.stateDict())));
  const rows = await readStudy<DeploymentRow>("deployment");
  const cost = (network: DeploymentRow["network"], training: DeploymentRow["training"]) =>
    estimate(selectRows(rows, { network, training }), ({ error }) => 100 * error);
  const [none, last, all] = (["nothing", "last dropout", "everything"] as const).map((mode) =>
    cost("dropout", mode)
  );
  const sevens = estimate(
    selectRows(rows, { training: "batch norm" }),
    ({ otherAnswers }) => 100 * otherAnswers[1]!,
  );
  const above = (a: Estimate, b: Estimate) =>
    a.mean - b.mean > 4.5 * Math.hypot(a.standardError, b.standardError);
  const written = ({ mean, standardError }: Estimate) => `${mean.toFixed(1)} ± ${standardError.toFixed(1)} %`;
  return {
    supports: !before && sameBits(loaded(x), model(x)) && above(last, none) && above(all, last) &&
      sevens.mean > 4.5 * sevens.standardError,
    summary:
      `weights written as JSON and loaded into another network (p = ${p}, seed ${seed}) give its bits; the ` +
      `study's digit networks with dropout alone make ${written(none)} mistakes in evaluation, ${
        written(last)
      } with the last dropout ` +
      `left in training, ${written(all)} with all of it; in its networks that have batch norm, too, ${
        written(sevens)
      } of the ` +
      "answers change in batches of 7 if that is left in training",
  };
});

/** A stream that is started again repeats its masks. */
export const resetReproduces: Claim = defineClaim({
  id: "reset-reproduces",
  section: 7,
  by: "article",
  claim: "Resetting the random stream repeats training masks.",
  holds: "holds",
  known: "tested",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const layer = new ReproducibleDropout(p, { seed });
  const x = defaultRng([seed, 73]).standardNormal([32, 32]);
  const passes = () => [layer(x), layer(x), layer(x)];
  const first = passes();
  const on = layer(x);
  layer.reset(seed);
  const again = passes();
  const { inference, training, iterations } = demonstrateReproducibility();
  return {
    supports: again.every((y, i) => sameBits(y, first[i])) && !sameBits(on, first[0]) &&
      inference.same && training.same && iterations.same,
    summary:
      `three passes (p = ${p}, seed ${seed}) come again bit for bit after a reset, and the fourth is not the ` +
      `first; so do the article's three scenarios, whose first training mean is ${
        mean(training.run1[0]).toFixed(4)
      }`,
  };
});

/** A seed for each iteration repeats it alone, but such seeds collide, and layers share them. */
export const iterationSeeds: Claim = defineClaim({
  id: "iteration-seeds",
  section: 7,
  by: "article",
  claim: "A seed derived from the iteration repeats any iteration without replaying the others.",
  holds: "holds if",
  known: "tested",
  but:
    "If the iterations are few, and each layer has a seed of its own: the article's seeds have 32 bits, so that iterations come to share a mask, among 77,000 of them as likely as not; and layers that share a seed share every mask.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const maskOf = (iteration: number) => {
    const layer = new ReproducibleDropout(p, { seed });
    layer.forward(ones([32, 32]), { iteration });
    return layer.mask!.bits.join();
  };
  // That no two of 400,000 share a seed has the chance exp(−n²/2³³) = 8·10⁻⁹.
  const collision = seedCollisions(seed, 400_000).next().value!;
  const layers = [0, 1].map(() => new ReproducibleDropout(p, { seed }));
  const through = layers.reduce((x, layer) => layer.forward(x, { iteration: 100 }), ones([400, 400]));
  // Of both layers together, an entry is 1/(1 − p)² with probability 1 − p: mean 1/(1 − p), variance p/(1 − p)³.
  const [expected, error] = [1 / (1 - p), Math.sqrt(p / (1 - p) ** 3 / 400 ** 2)];
  return {
    supports: iterationSeed(42, 100) === 1750725574 && maskOf(100) === maskOf(100) &&
      maskOf(100) !== maskOf(101) && maskOf(collision.first) === maskOf(collision.second) &&
      Math.abs(mean(through) - expected) < 4.5 * error,
    summary:
      `iteration 100 of seed ${seed} is repeated alone, with p = ${p}; iterations ${collision.first} and ` +
      `${collision.second} share their mask; two layers of one seed make ${
        mean(through).toFixed(3)
      } of a mean of 1, ` +
      `in theory 1/(1 - p) = ${expected.toFixed(3)}`,
  };
});

/** The audit passes networks in evaluation mode, and no others. */
export const auditFinds: Claim = defineClaim({
  id: "audit-finds",
  section: 7,
  by: "article",
  claim: "A checklist (eval mode set, dropout disabled, no randomness) makes deployment safe.",
  holds: "holds if",
  known: "tested",
  but:
    "If it is a function that looks at the mode of every layer and compares passes, since each finds what the other misses; as sentences it checks nothing. It does not see wrong weights, and passes can agree by chance.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const { model, x } = smallModel(p, seed);
  const kinds: (new (...args: never[]) => Layer)[] = [InvertedDropout, BatchNorm];
  const left = kinds.map((kind) => {
    model.eval().children().filter((layer) => layer instanceof kind).forEach((layer) => layer.train());
    return auditModel(model, x);
  });
  const named = left.filter(({ ok, stillTraining }) => !ok && stillTraining.length === 1).length;
  const rows = await readStudy<DeploymentRow>("deployment");
  const count = (own: DeploymentRow[]) => `${own.filter(({ ok }) => ok).length} of ${own.length}`;
  const ready = selectRows(rows, { training: "nothing" });
  const others = rows.filter(({ training }) => training !== "nothing");
  return {
    supports: auditModel(model.eval(), x).ok && named === 2 && left[1].repeated.same &&
      ready.every(({ ok }) => ok) && others.every(({ ok }) => !ok),
    summary:
      `of a network with p = ${p}, seed ${seed}, it names the one layer left in training in ${named} of 2 cases, ` +
      `and for batch norm two passes agree nevertheless; of the study's digit networks it passes ${
        count(ready)
      } in ` +
      `evaluation and ${count(others)} with something in training`,
  };
});

/** A mask that is a function of its key needs no state, and no order. */
export const keyedMasks: Claim = defineClaim({
  id: "keyed-masks",
  section: 7,
  by: "article",
  claim: "Repeatable training needs careful management of random seeds.",
  holds: "holds if",
  known: "tested",
  but:
    "If the masks come from a stream. Masks that are a function of seed, layer, step and element need only that each layer has a number of its own and is told the step: they survive a split batch, recomputation and a restart.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const [n, splits] = [1000, 50];
  const stream = new KeyedStream({ seed, layer: 1, step: 7 });
  const whole = drawMask([n], p, { rng: stream });
  const rng = defaultRng([seed, 74]);
  const same = Array.from({ length: splits }, () => {
    const cut = rng.integers(1, n);
    const tail = drawMask([n - cut], p, { rng: stream.at({ offset: cut }) }); // the last part first
    const head = drawMask([cut], p, { rng: stream });
    return ones([n]).data.every((_, i) => whole.get(i) === (i < cut ? head.get(i) : tail.get(i - cut)));
  }).filter(Boolean).length;
  const layer = new KeyedDropout(p, { seed, layer: 1 });
  const recomputed = sameBits(layer(ones([n])), layer(ones([n])));
  const keyed = restartGap(p, seed, (place) => new KeyedDropout(p, { seed, layer: place }));
  const fromStream = restartGap(p, seed, (place) => new InvertedDropout(p, { seed: [seed, place] }));
  return {
    supports: same === splits && recomputed && keyed === 0 && fromStream > 0,
    summary:
      `with p = ${p}, seed ${seed}, a mask of ${n} elements is the same in ${same} of ${splits} random splits, ` +
      `last part first; a pass computed again has the same bits; and after a restart at step 10 the weights of step 20 ` +
      `are ${keyed} away from those of a training in one go, ${
        show(fromStream, 2)
      } with a stream that begins anew`,
  };
});

/** Trains a small network in one go, and with a restart from its weights after half of the steps: the largest difference. */
function restartGap(p: number, seed: number, dropout: (place: number) => Layer): number {
  const rng = defaultRng([seed, 75]);
  const [x, y] = [rng.standardNormal([64, 8]), rng.standardNormal([64, 1])];
  const make = () => {
    const weights = defaultRng([seed, 76]);
    return new Sequential(
      new Linear(8, 32, { rng: weights }),
      new ReLU(),
      dropout(1),
      new Linear(32, 1, { rng: weights }),
    );
  };
  const train = (net: Sequential, start: number, end: number) => {
    const optimizer = new SGD(net.parameters(), { lr: 0.1 * (1 - p) ** 2 });
    for (let step = start; step < end; step++) {
      for (const layer of net.children()) if (layer instanceof KeyedDropout) layer.step = step;
      net.backwardParameters(mseLoss(net(x), y).grad);
      optimizer.step();
    }
    return net;
  };
  const [whole, half, resumed] = [train(make(), 0, 20), train(make(), 0, 10), make()];
  resumed.loadStateDict(JSON.parse(JSON.stringify(half.stateDict())));
  train(resumed, 10, 20);
  const others = resumed.parameters();
  return Math.max(
    ...whole.parameters().flatMap(({ value }, i) =>
      Array.from(value.data, (weight, j) => Math.abs(weight - others[i].value.data[j]))
    ),
  );
}

/** The claims of section 7. */
export const determinismClaims: readonly Claim[] = [
  deterministicInference,
  deployAsIs,
  sameOutputAlways,
  resetReproduces,
  iterationSeeds,
  keyedMasks,
  auditFinds,
];
