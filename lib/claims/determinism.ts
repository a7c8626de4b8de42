/**
 * Section 7: deterministic inference and repeatable training.
 * @module
 */

import {
  auditModel,
  BatchNorm,
  defaultRng,
  InvertedDropout,
  iterationSeed,
  KeyedStream,
  Linear,
  ones,
  ReLU,
  Sequential,
  Tensor,
} from "../mod.ts";
import { demonstrateReproducibility } from "../article/reproducibility.ts";
import { seedCollisions } from "../experiments/seed_collisions.ts";
import { type Claim, defineClaim } from "./claim.ts";

function smallModel(): { model: Sequential; dropout: InvertedDropout; norm: BatchNorm; x: Tensor } {
  const rng = defaultRng(42);
  const [dropout, norm] = [new InvertedDropout(0.5, { rng: defaultRng(1) }), new BatchNorm(16)];
  const model = new Sequential(
    new Linear(8, 16, { rng }),
    norm,
    new ReLU(),
    dropout,
    new Linear(16, 2, { rng }),
  );
  return { model: model.eval(), dropout, norm, x: new Tensor(rng.standardNormal(32), [4, 8]) };
}

/** {@linkcode Claim} of section 7. */
export const deterministicInference = defineClaim({
  id: "deterministic-inference",
  section: 7,
  by: "article",
  claim: "In evaluation mode inference is deterministic: no randomness is involved.",
  holds: "holds",
  known: "tested",
}, () => {
  const { model, dropout, x } = smallModel();
  const evaluation = auditModel(model, x, { runs: 5 });
  dropout.train();
  const left = auditModel(model, x, { runs: 5 });
  return {
    supports: evaluation.ok && !left.ok && !left.repeated.same,
    summary:
      "5 passes of a network agree bit for bit in evaluation; with one dropout layer left in training they do not",
  };
});

/** {@linkcode Claim} of section 7. */
export const sameOutputAlways = defineClaim({
  id: "same-output-always",
  section: 7,
  by: "article",
  claim: "The same input always gives the same output.",
  holds: "false",
  known: "tested",
  but:
    "It does on one engine, with one order of summation, one element type and every layer in evaluation mode.",
}, () => {
  const values = new Tensor(defaultRng(1).standardNormal(1000));
  const [forwards, backwards] = [values, values.map((_, i) => values.data[999 - i])].map((x) =>
    Array.from(x.data).reduce((total, value) => total + value, 0)
  );
  return {
    supports: forwards !== backwards,
    summary: `1000 numbers added from the front and from the back differ by ${
      Math.abs(forwards - backwards).toExponential(1)
    }`,
  };
});

/** {@linkcode Claim} of section 7. */
export const auditFinds = defineClaim({
  id: "audit-finds",
  section: 7,
  by: "article",
  claim: "A checklist (eval mode set, dropout disabled, no randomness) makes deployment safe.",
  holds: "holds if",
  known: "tested",
  but: "As sentences it checks nothing; as a function it finds what is still training or random.",
}, () => {
  const { model, dropout, norm, x } = smallModel();
  const reports = [dropout, norm].map((layer) => {
    model.eval();
    layer.train();
    return auditModel(model, x);
  });
  return {
    supports: reports.every(({ ok, stillTraining }) => !ok && stillTraining.length === 1) &&
      auditModel(model.eval(), x).ok,
    summary:
      "the audit names the one layer left in training, dropout or batch normalization, in 2 of 2 models, and " +
      "passes the model in evaluation mode",
  };
});

/** {@linkcode Claim} of section 7. */
export const resetReproduces = defineClaim({
  id: "reset-reproduces",
  section: 7,
  by: "article",
  claim: "Resetting the random stream repeats training masks.",
  holds: "holds",
  known: "tested",
}, () => {
  const { inference, training, iterations } = demonstrateReproducibility();
  return {
    supports: inference.same && training.same && iterations.same,
    summary:
      "the article's three scenarios repeat bit for bit: evaluation, reset, and iteration 100 drawn again",
  };
});

/** {@linkcode Claim} of section 7. */
export const iterationSeeds = defineClaim({
  id: "iteration-seeds",
  section: 7,
  by: "article",
  claim: "A seed derived from the iteration repeats any iteration without replaying the others.",
  holds: "holds if",
  known: "tested",
  but: "It does, but 32-bit seeds collide, and layers that share a seed share their masks.",
}, () => {
  const collision = seedCollisions(42, 110_000).next().value;
  const same = collision !== undefined &&
    iterationSeed(42, collision.first) === iterationSeed(42, collision.second);
  return {
    supports: iterationSeed(42, 100) === 1750725574 && same,
    summary:
      `iteration 100 of seed 42 has the seed ${iterationSeed(42, 100)}, as in the article; iterations ` +
      `${collision?.first} and ${collision?.second} share theirs, so that their masks are the same`,
  };
});

/** {@linkcode Claim} of section 7. */
export const keyedMasks = defineClaim({
  id: "keyed-masks-split",
  section: 7,
  by: "article",
  claim: "Repeatable training needs careful management of random seeds.",
  holds: "holds if",
  known: "tested",
  but: "Masks that are a function of seed, layer, step and element need no management: no state, no order.",
}, () => {
  const n = 1000;
  const stream = new KeyedStream({ seed: 42, layer: 1, step: 7 });
  const whole = stream.bernoulliBits(0.5, n);
  const bit = (bits: Uint8Array, i: number) => (bits[i >> 3] >> (i & 7)) & 1;
  const rng = defaultRng(1);
  let agreed = 0;
  for (let split = 0; split < 100; split++) {
    const cut = rng.integers(1, n);
    const [tail, head] = [
      stream.at({ offset: cut }).bernoulliBits(0.5, n - cut),
      stream.bernoulliBits(0.5, cut),
    ];
    const same = ones([n]).data.every((_, i) =>
      bit(whole, i) === (i < cut ? bit(head, i) : bit(tail, i - cut))
    );
    if (same) agreed++;
  }
  const other = new KeyedStream({ seed: 42, layer: 2, step: 7 }).bernoulliBits(0.5, n);
  return {
    supports: agreed === 100 && other.some((byte, i) => byte !== whole[i]),
    summary:
      `a mask of ${n} elements is the same in ${agreed} of 100 random splits, drawn last part first; another ` +
      "layer's mask differs",
  };
});

/** The claims of section 7. */
export const determinismClaims: readonly Claim[] = [
  deterministicInference,
  sameOutputAlways,
  resetReproduces,
  iterationSeeds,
  auditFinds,
  keyedMasks,
];
