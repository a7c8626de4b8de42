/**
 * Section 4: how frameworks do it.
 * @module
 */

import { defaultRng, drawMask, invertedDropout, mean, ones, subtract } from "../mod.ts";
import { kerasDropout, measuredFrameworks, onnxDropout, torchDropout } from "../frameworks/mod.ts";
import { pytorchDropout } from "../article/pytorch_dropout.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/** {@linkcode Claim} of section 4. */
export const trainingOutputsVary = defineClaim({
  id: "block2-digits",
  section: 4,
  by: "article",
  claim: "In training mode the outputs of PyTorch's network vary from pass to pass.",
  holds: "holds",
  known: "tested",
}, () => {
  const { trainMeans, evalMeans } = pytorchDropout();
  const printed = trainMeans.map((value) => value.toFixed(4)).join(", ");
  return {
    supports: new Set(trainMeans).size === 5 && new Set(evalMeans).size === 1 &&
      printed === "-0.0165, -0.0320, -0.0310, -0.0274, -0.0036",
    summary: `means of five training passes: ${printed}, digit for digit the article's`,
  };
});

/** {@linkcode Claim} of section 4. */
export const evaluationIsIdentity = defineClaim({
  id: "eval-identity",
  section: 4,
  by: "article",
  claim: "In evaluation mode dropout does nothing, and outputs are identical.",
  holds: "holds",
  known: "tested",
}, () => {
  const { evalMeans, evalOutputsIdentical } = pytorchDropout();
  const x = ones([4, 5]);
  const unchanged = [
    torchDropout(x, { p: 0.5, training: false }),
    kerasDropout(x, { rate: 0.5, training: false }),
    onnxDropout(x, { ratio: 0.5 }).output,
  ];
  return {
    supports: evalOutputsIdentical &&
      unchanged.every((output) => mean(subtract(output, x).map(Math.abs)) === 0),
    summary:
      `five evaluation passes of the network agree bit for bit (mean ${evalMeans[0].toFixed(4)}); three ` +
      "conventions return their input unchanged",
  };
});

/** {@linkcode Claim} of section 4. */
export const invertedByDefault = defineClaim({
  id: "inverted-by-default",
  section: 4,
  by: "article",
  claim: "All major frameworks implement inverted dropout.",
  holds: "holds if",
  known: "tested",
  but:
    "Tested for our PyTorch stream here and for TensorFlow.js and jax-js in the notebook; PyTorch, Keras, Flax, TensorFlow and ONNX were asked at p = 0.5, each in one version.",
}, () => {
  const survivors = measuredFrameworks.frameworks
    .map(({ answers }) => answers["what a kept place becomes at rate 0.5"])
    .filter((answer) => answer !== undefined)
    .map(({ value }) => (value as Record<string, unknown>)["-1"]);
  const { functional } = pytorchDropout();
  const n = 32 * 784;
  const z = (functional.keptFraction - 0.5) / Math.sqrt(0.25 / n);
  const output = torchDropout(ones([1000]), { p: 0.2, rng: defaultRng(1) });
  return {
    supports: Math.abs(z) < 4.5 && output.data.every((value) => value === 0 || value === 1 / (1 - 0.2)) &&
      survivors.length > 0 && survivors.every((value) => value === -2),
    summary:
      `outputs are 0 or x/(1 − p), and ${
        show(100 * functional.keptFraction, 3)
      } % of ${n} are kept at p = 0.5 ` +
      `(${
        show(z, 2)
      } standard errors off); in all ${survivors.length} functions and layers of the frameworks ` +
      "that were asked, a survivor doubles at p = 0.5",
  };
});

/** {@linkcode Claim} of section 4. */
export const wrongInterpretation = defineClaim({
  id: "wrong-interpretation-hurts",
  section: 4,
  by: "article",
  claim: "Reading keep_prob as the rate to drop seriously hurts.",
  holds: "holds",
  known: "tested",
}, () => {
  const rng = defaultRng(1);
  const kept = (p: number) => drawMask([10_000], p, { rng }).kept / 10_000;
  const spread = (p: number) => {
    const { output } = invertedDropout(ones([10_000]), p, { rng });
    const center = mean(output);
    return mean(output.map((value) => (value - center) ** 2));
  };
  const [meant, misread] = [spread(0.2), spread(0.8)];
  const [keptAsMeant, keptAsMisread] = [kept(0.2), kept(0.8)];
  return {
    // p/(1 − p) is 0.25 and 4: a factor of 16; the sampled factor is known to about 2 %.
    supports: Math.abs(misread / meant / 16 - 1) < 0.1 && keptAsMeant > 0.7 && keptAsMisread < 0.3,
    summary:
      `0.2 read the wrong way keeps ${show(100 * keptAsMisread, 3)} % in place of ${
        show(100 * keptAsMeant, 3)
      } %, ` +
      `and adds ${show(misread / meant, 3)} times the variance`,
  };
});

/** The claims of section 4. */
export const frameworkClaims: readonly Claim[] = [
  trainingOutputsVary,
  evaluationIsIdentity,
  invertedByDefault,
  wrongInterpretation,
];
