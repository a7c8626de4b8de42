/**
 * Section 4: how frameworks do it.
 *
 * What Python's frameworks do was measured (`lib/frameworks/facts.ts`); TensorFlow.js and jax-js run here, and are loaded
 * when a claim about them is called.
 * @module
 */

import { pytorchDropout } from "../article/pytorch_dropout.ts";
import { type Answer, frameworkFacts, measuredFrameworks, torchDropout } from "../frameworks/mod.ts";
import {
  auditModel,
  defaultRng,
  InvertedDropout,
  Layer,
  Linear,
  Sequential,
  Tensor,
  TorchGenerator,
} from "../mod.ts";
import type { DeploymentMeasured, DeploymentSettings } from "../study/deployment.ts";
import { type Estimate, estimate, estimateDifference, readStudy, selectRows } from "../study/mod.ts";
import type { WhyRow } from "../study/why.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

/** The functions and layers that were asked how they drop, and not only for their mask. */
const asked = measuredFrameworks.frameworks.filter(({ answers }) => "rate not said" in answers);

/** Inverted dropout is what the frameworks do, as far as they were asked. */
export const invertedByDefault: Claim = defineClaim({
  id: "inverted-by-default",
  section: 4,
  by: "article",
  claim: "All major frameworks implement inverted dropout.",
  holds: "holds if",
  known: "tested",
  but:
    "If “all” means those that were asked, in their versions: PyTorch, Keras, Flax, TensorFlow, TensorFlow.js and ONNX; " +
    "others were not. A rate of ½ alone does not tell 1/(1 − p) from 1/p; others were compared for TensorFlow.js, " +
    "Flax's formula and this library (`peers-agree`).",
}, () => {
  const doubled = asked.filter(({ answers }) =>
    (answers["what a kept place becomes at rate 0.5"].value as Record<string, unknown>)["-1"] === -2
  );
  const unscaled = ({ value, notMeasured }: Answer) =>
    notMeasured === "it has no switch" || (value as { all?: number } | undefined)?.all === 1;
  const atRest = asked.filter(({ answers }) => unscaled(answers["rate 0, evaluation"]));
  const versions = new Set(
    asked.map(({ framework, version }) => `${framework.match(/^(tf\.js|\w+)/)![0]} ${version}`),
  );
  return {
    supports: asked.length > 0 && doubled.length === asked.length && atRest.length === asked.length,
    summary:
      `at the fixed rate ½, a survivor doubles while training in ${doubled.length} of ${asked.length} functions ` +
      `and layers, and in evaluation, where there is one, the number that goes in comes out; asked on ` +
      `${measuredFrameworks.date}: ${[...versions].join(", ")}`,
  };
});

/** Where a call makes no sense, frameworks part. */
export const edgesDiffer: Claim = defineClaim({
  id: "edges-differ",
  section: 4,
  by: "here",
  claim: "Asked to drop all, for a rate below 0 or for NaN, frameworks give different answers.",
  holds: "holds",
  known: "tested",
}, () => {
  const facts = frameworkFacts();
  const questions = { "rate 1": "rate1", "rate −0.1": "belowZero", "rate NaN": "nan" } as const;
  const answers = Object.entries(questions).map(([question, key]) => {
    const counts = Map.groupBy(facts, (row) => row[key]);
    return {
      question,
      kinds: counts.size,
      text: [...counts].map(([what, { length }]) => `${what} ${length}`),
    };
  });
  return {
    supports: answers.every(({ kinds }) => kinds > 1),
    summary: `${facts.length} functions and layers, asked while training: ` +
      answers.map(({ question, text }) => `${question}: ${text.join(", ")}`).join("; "),
  };
});

/** The article's network varies in training and not in evaluation. */
export const trainingOutputsVary: Claim = defineClaim({
  id: "block2-digits",
  section: 4,
  by: "article",
  claim:
    "In training mode the outputs of PyTorch's network vary from pass to pass; in evaluation mode they do not.",
  holds: "holds",
  known: "tested",
}, () => {
  const { trainMeans, evalMeans, evalOutputsIdentical, outputs } = pytorchDropout();
  const printed = trainMeans.map((value) => value.toFixed(4)).join(", ");
  return {
    supports: new Set(trainMeans).size === 5 && evalOutputsIdentical &&
      evalMeans[0].toFixed(4) === "-0.0223" &&
      printed === "-0.0165, -0.0320, -0.0310, -0.0274, -0.0036",
    summary:
      `the means of the article's five training passes come out digit for digit, ${printed}; in evaluation ` +
      `all ${outputs.eval[0].size} outputs agree bit for bit, with the mean ${evalMeans[0].toFixed(4)}`,
  };
});

/** TensorFlow.js and jax-js, as they are called in the notebook, beside our two streams. */
async function dropouts(): Promise<
  Record<string, (x: Float32Array, p: number, seed: number) => ArrayLike<number>>
> {
  const [tf, jax] = await Promise.all([
    import("@tensorflow/tfjs-core"),
    import("@jax-js/jax"),
    import("@tensorflow/tfjs-backend-cpu"),
  ]);
  tf.enableProdMode(); // no advice to install a faster version
  return {
    "TF.js": (x, p, seed) => tf.dropout(x, p, undefined, `${seed}`).dataSync(),
    "jax-js": (x, p, seed) => {
      const mask = jax.random.bernoulli(jax.random.key(seed), 1 - p, [x.length]);
      return jax.numpy.where(mask, jax.numpy.array([...x]).div(1 - p), 0).js() as number[];
    },
    "NumPy's stream": (x, p, seed) => torchDropout(new Tensor(x), { p, rng: defaultRng(seed) }).data,
    "PyTorch's stream": (x, p, seed) =>
      torchDropout(new Tensor(x), { p, rng: new TorchGenerator(seed) }).data,
  };
}

/** Others' code does what ours does, but for the masks. */
export const peersAgree: Claim = defineClaim({
  id: "peers-agree",
  section: 4,
  by: "here",
  claim: "TensorFlow.js, Flax's formula in jax-js and this library do the same, and draw different masks.",
  holds: "holds",
  known: "tested",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const n = 20_000;
  const x = Float32Array.from(defaultRng([seed, 0]).standardNormal(n));
  // The scales differ by up to three roundings of float32, and each product by one more.
  const fits = (y: number, i: number) => y === 0 || Math.abs(y * (1 - p) / x[i] - 1) <= 5.01 * 2 ** -24;
  const found = Object.entries(await dropouts()).flatMap(([name, dropout]) =>
    [seed, seed + 1, seed + 2].map((one) => {
      const outputs = Array.from(dropout(x, p, one));
      const again = dropout(x, p, one);
      const sigmas = (outputs.filter((y) => y !== 0).length - n * (1 - p)) / Math.sqrt(n * p * (1 - p));
      const same = outputs.every((y, i) => y === again[i]);
      return { name, outputs, sigmas: p === 0 ? 0 : sigmas, right: same && outputs.every(fits) };
    })
  );
  const masks = new Set(found.map(({ outputs }) => outputs.map((y) => y === 0 ? 0 : 1).join("")));
  const worst = Math.max(...found.map(({ sigmas }) => Math.abs(sigmas)));
  return {
    supports: found.every(({ right }) => right) && worst < 4.5 && (p === 0 || masks.size === found.length),
    summary:
      `each of ${n} normal numbers becomes 0 or x/(1 − p), up to float32's rounding, in ${found.length} ` +
      `outputs of 4 implementations at the rate ${p}; the share kept lies within ${
        show(worst, 2)
      } standard ` +
      `deviations of 1 − p; the same seed gives the same mask, and ${masks.size} of ${found.length} masks differ`,
  };
});

/** A seed of TensorFlow.js's layer fixes its mask for ever. */
export const seededLayerRepeats: Claim = defineClaim({
  id: "seeded-layer-repeats",
  section: 4,
  by: "here",
  claim: "A dropout layer of TensorFlow.js that was given a seed draws the same mask in every call.",
  holds: "holds",
  known: "tested",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const [tf, layers] = await Promise.all([
    import("@tensorflow/tfjs-core"),
    import("@tensorflow/tfjs-layers"),
    import("@tensorflow/tfjs-backend-cpu"),
  ]);
  tf.enableProdMode();
  const calls = 10;
  const differentMasks = (options: { seed?: number }) => {
    const layer = layers.layers.dropout({ rate: p, ...options });
    const call = () =>
      (layer.apply(tf.ones([10, 100]), { training: true }) as InstanceType<typeof tf.Tensor>).dataSync();
    return new Set(Array.from({ length: calls }, () => call().join(" "))).size;
  };
  const seeded = [1, 2, 3].map((more) => differentMasks({ seed: seed + more })); // 0 would count as no seed
  const unseeded = differentMasks({});
  const again = asked.filter(({ answers }) => answers["called twice after one seed"]?.value !== undefined);
  const repeating = again.filter(({ answers }) =>
    answers["called twice after one seed"].value === "the same mask"
  );
  return {
    supports: seeded.every((count) => count === 1) && (p === 0 || unseeded > 1),
    summary:
      `version ${layers.version_layers}, ${calls} calls at the rate ${p} for 1000 ones: ${
        seeded.join(", ")
      } ` +
      `different masks with three seeds, ${unseeded} without one; of ${again.length} functions and layers that were ` +
      `called twice after one seed, those that repeat their mask are ${
        repeating.map(({ framework }) => framework).join(" and ")
      }`,
  };
});

/** What it costs to read 0.2 as 0.8 depends on the data. */
export const wrongInterpretation: Claim = defineClaim({
  id: "wrong-interpretation-hurts",
  section: 4,
  by: "article",
  claim: "Reading keep_prob as the rate to drop seriously hurts training.",
  holds: "holds if",
  known: "tested",
  but:
    "If keep_prob is above ½, so that too much is dropped, and there is data enough to lose: in the study 0.8 for 0.2 " +
    "costs accuracy with 4,000 digits after 2,000 steps, where its loss is still falling, and with 250 no more than ten " +
    "seeds can show. Below ½ the same slip drops too little: with these networks 0.2 for 0.8 makes fewer mistakes.",
}, async () => {
  const why = await readStudy<WhyRow>("why");
  const setting = { side: 14, inputRate: 0, lr: 1e-3, weightDecay: 0, steps: 2000 } as const;
  const found = [250, 1000, 4000].map((samples) => {
    const [meant, misread] = [0.2, 0.8].map((hiddenRate) =>
      selectRows(why, { ...setting, samples, hiddenRate })
    );
    const mistakes = (row: WhyRow) => 100 * row.testError.at(-1)!;
    return {
      samples,
      means: [meant, misread].map((rows) => estimate(rows, mistakes).mean.toFixed(1)),
      cost: estimateDifference(misread, meant, mistakes),
    };
  });
  const [few, , many] = found.map(({ cost }) => cost.mean / cost.standardError);
  return {
    supports: many > 4.5 && Math.abs(few) < 2,
    summary: `the study's digit classifier, trained at 0.8 in place of 0.2 in its hidden layers: ` +
      found.map(({ samples, means, cost }) =>
        `${means[1]} in place of ${means[0]} % wrong with ${samples} digits (+${plusMinus(cost)} points)`
      ).join(", "),
  };
});

/** A mean with its standard error. */
function plusMinus({ mean, standardError }: Estimate): string {
  return `${mean.toFixed(1)} ± ${standardError.toFixed(1)}`;
}

/** A function hears nothing of `eval()`, and dropout that stays on costs accuracy. */
export const functionIgnoresEval: Claim = defineClaim({
  id: "function-ignores-eval",
  section: 4,
  by: "here",
  claim:
    "Dropout called as a function drops after eval(), too, unless it is told; left on, it costs accuracy.",
  holds: "holds",
  known: "tested",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  class ByFunction extends Layer {
    readonly rng = new TorchGenerator(seed);
    override forward(x: Tensor): Tensor {
      return torchDropout(x, { p, rng: this.rng }); // as PyTorch's default: training=True
    }
    override backward(gradOutput: Tensor): Tensor {
      return gradOutput; // nothing is trained here
    }
  }
  const x = new Tensor(defaultRng([seed, 0]).standardNormal(32 * 64), [32, 64]);
  const audit = (dropout: Layer) =>
    auditModel(new Sequential(dropout, new Linear(64, 8, { seed })).eval(), x).ok;
  const [byFunction, byLayer] = [audit(new ByFunction()), audit(new InvertedDropout(p, { seed }))];
  const rows = await readStudy<DeploymentSettings & DeploymentMeasured>("deployment");
  const mistakes = ({ error }: DeploymentMeasured) => 100 * error;
  const [on, off] = (["everything", "nothing"] as const).map((training) =>
    selectRows(rows, { network: "dropout", training })
  );
  const cost = estimateDifference(on, off, mistakes);
  return {
    supports: byLayer && byFunction === (p === 0) && cost.mean > 4.5 * cost.standardError,
    summary:
      `at the rate ${p}, two passes in evaluation mode ${
        byFunction ? "agree" : "differ"
      } where dropout is a ` +
      `function, and agree where it is a layer; in the study's ${on.length} digit classifiers, dropout left on makes ` +
      `${estimate(on, mistakes).mean.toFixed(1)} in place of ${
        estimate(off, mistakes).mean.toFixed(1)
      } % of the answers ` +
      `wrong (+${plusMinus(cost)} points)`,
  };
});

/** The claims of section 4. */
export const frameworkClaims: readonly Claim[] = [
  invertedByDefault,
  edgesDiffer,
  peersAgree,
  seededLayerRepeats,
  trainingOutputsVary,
  wrongInterpretation,
  functionIgnoresEval,
];
