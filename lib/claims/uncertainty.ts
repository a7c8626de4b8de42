/**
 * Section 8: dropout that stays on.
 *
 * Sources: Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation"; Guo et al. 2017, "On Calibration of Modern Neural
 * Networks", for the calibration error.
 * @module
 */

import {
  BatchNorm,
  defaultRng,
  dropoutOnly,
  FastStream,
  InvertedDropout,
  Linear,
  ReLU,
  Sequential,
  Tensor,
} from "../mod.ts";
import { type CoverageCell, type CoverageRow, REGIONS, summarizeCoverage, tauOf } from "../study/coverage.ts";
import { type Estimate, estimate, estimateDifference, readStudy, selectRows } from "../study/mod.ts";
import { ANGLES, type UncertaintyRow } from "../study/uncertainty.ts";
import { proveEqual } from "../symbolic.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/** So many standard errors: a sample strays as far by chance once in 150,000 times. */
const MANY = 4.5;

const [DATA, HOLE, OUTSIDE] = REGIONS.map((_, i) => i);

/** The article's outlook: passes with dropout on give estimates of uncertainty. */
export const uncertaintyEstimates: Claim = defineClaim({
  id: "uncertainty-estimates",
  section: 8,
  by: "article",
  claim: "Dropout that stays on provides uncertainty estimates alongside predictions.",
  holds: "holds if",
  known: "tested",
  but:
    "If they are read as an order, not as a scale, and only for what was compared: regions of one regression, and digits " +
    "upright and turned, on average. For a single input the order can be wrong, and noise often gets surer answers than a digit.",
}, async () => {
  const networks = selectRows(await readStudy<CoverageRow>("coverage"), { method: "MC dropout" });
  const more = (region: number) => networks.filter(({ spread }) => spread[region] > spread[DATA]).length;
  // log₂ of how many times as large, for the 20 networks that share nothing: what each has in all settings, taken together
  const apart = [...Map.groupBy(networks, ({ seed, network }) => `${seed} ${network}`).values()];
  const relative = (of: "spread" | "error", region: number, other: number) =>
    estimate(apart, (own) => estimate(own, (row) => Math.log2(row[of][region] / row[of][other])).mean);
  const ordered = (["spread", "error"] as const).flatMap((of) => [
    relative(of, HOLE, DATA),
    relative(of, OUTSIDE, HOLE),
  ]);
  const digits = selectRows(await readStudy<UncertaintyRow>("uncertainty"), { method: "MC dropout" });
  const passes = [...Map.groupBy(digits, ({ p, n }) => `${p} ${n}`).values()];
  const most = ANGLES.indexOf(90);
  const rises = (of: "turnedEntropy" | "turnedInformation") =>
    passes.map((rows) => estimate(rows, (row) => row[of][most] - row[of][0]));
  const [entropy, information] = [rises("turnedEntropy"), rises("turnedInformation")];
  const noise = passes.map((rows) => estimate(rows, (row) => row.noiseDetection[0]));
  const worst = noise.reduce((a, b) => a.mean < b.mean ? a : b);
  const misled = digits.filter(({ oneClass, oneProbability }) =>
    oneClass.some((answer, i) =>
      answer !== 1 && oneProbability[i] > oneProbability[0]
    )
  ).length;
  const least = (rise: Estimate[]) => show(Math.min(...rise.map(({ mean }) => mean)), 2);
  return {
    supports:
      [...ordered, ...entropy, ...information].every((rise) => rise.mean > MANY * rise.standardError) &&
      worst.mean + MANY * worst.standardError < 0.95 && misled > 0,
    summary:
      `of the study's ${networks.length} networks ${more(OUTSIDE)} have a larger spread beyond the samples ` +
      `than among them, and ${
        more(HOLE)
      } in the hole between them; on average the error has the same order. Turning ` +
      `digits by 90° adds ${least(entropy)} nats or more to the entropy of the mean, and ${
        least(information)
      } ` +
      `or more to the disagreement of the passes (10 seeds); but in ${misled} of ${digits.length} networks a turned 1 is ` +
      `called something else, and more surely than the upright one is called a 1; and the chance that uniform noise has ` +
      `more entropy than a digit is as low as ${plusMinus(worst)}`,
  };
});

/** How far ± 2 spreads reaches depends on the region and on p: it is a band of no fixed level. */
export const twoSpreads: Claim = defineClaim({
  id: "two-spreads-no-fixed-level",
  section: 8,
  by: "here",
  claim:
    "Mean ± 2 spreads is a band of no fixed level: how often it holds the truth depends on the region, on p and on the " +
    "number of samples.",
  holds: "holds",
  known: "tested",
}, async () => {
  const cells = await coverageCells();
  const at = (p: number, n: number, region: CoverageCell["region"]) =>
    cells.find((cell) => cell.p === p && cell.n === n && cell.region === region)!.covered;
  const pairs = [
    [at(0.1, 2560, "data"), at(0.1, 2560, "outside")],
    [at(0.2, 2560, "outside"), at(0.05, 2560, "outside")],
    [at(0.1, 2560, "hole"), at(0.1, 10, "hole")],
  ];
  return {
    supports: pairs.every(([more, less]) =>
      more.mean - less.mean > MANY * Math.hypot(more.standardError, less.standardError)
    ),
    summary:
      `in the study's 20 networks each (± SE), at p = 0.1 and 2560 samples the band holds the truth at ${
        pairs[0].map(percent).join(" of the inputs among the samples, and at ")
      } beyond them; there at ${percent(pairs[1][1])} with p = 0.05 and at ${
        percent(pairs[1][0])
      } with p = 0.2; in the ` +
      `hole, at p = 0.1, at ${percent(pairs[2][1])} with 10 samples and at ${percent(pairs[2][0])} with 2560`,
  };
});

/** The spread among the samples stays the same, however many there are. */
export const spreadIgnoresSamples: Claim = defineClaim({
  id: "spread-ignores-samples",
  section: 8,
  by: "here",
  claim:
    "In a regression at a fixed p, more samples do not shrink the spread among the samples, although the error falls.",
  holds: "holds",
  known: "tested",
  but:
    "Seen in one problem and one size of network: from 10 to 2,560 samples it stays the same within a tenth, where 1/√N " +
    "would bring it to a sixteenth.",
}, async () => {
  const cells = (await coverageCells()).filter(({ region }) => region === "data");
  const fixed = (await coverageCells("fixed")).filter(({ n, region }) => n === 2560 && region === "data");
  const [few, many] = [10, 2560].map((size) => cells.filter(({ n }) => n === size));
  // log₂ of the factor, and as far from 0 as it may lie
  const farthest = [...many, ...fixed].map(({ shrinks }) =>
    Math.abs(shrinks!.mean) + MANY * shrinks!.standardError
  );
  const list = (cells: CoverageCell[], of: (cell: CoverageCell) => number, digits: number) =>
    cells.map((cell) => of(cell).toFixed(digits)).join(", ");
  return {
    supports: farthest.every((log) => log < Math.log2(1.1)) &&
      many.every(({ error }, i) =>
        few[i].error.mean - error.mean > MANY * Math.hypot(error.standardError, few[i].error.standardError)
      ),
    summary: `with the study's p = ${list(many, ({ p }) => p, 2)}, the spread is ${
      list(few, ({ spread }) => spread.mean, 3)
    } with 10 samples and ${list(many, ({ spread }) => spread.mean, 3)} with 2560; the error falls from ${
      list(few, ({ error }) => error.mean, 3)
    } to ${
      list(many, ({ error }) => error.mean, 3)
    } (20 networks each); with a fixed weight decay the spread ends at ${
      list(fixed, ({ spread }) => spread.mean, 3)
    }`,
  };
});

/** Gal and Ghahramani's τ, for inverted dropout and the mean squared error: the rewriting is proved, the formula is theirs. */
export const modelPrecision: Claim<{ p?: number; n?: number }> = defineClaim({
  id: "model-precision",
  section: 8,
  by: "here",
  claim:
    "For inverted dropout, trained on the mean squared error plus λ‖W‖², Gal and Ghahramani's model precision is " +
    "τ = l²/((1 − p)·N·λ).",
  holds: "holds if",
  known: "cited",
  but:
    "If one takes their approximation and their prior, of length scale l, with the same p and λ for every layer: proved " +
    "here is only that their formula, which is for standard dropout, then becomes this one.",
}, ({ p = 0.1, n = 40 }: { p?: number; n?: number } = {}) => {
  // Theirs is (1/N)·Σ½(y − ŷ)² + k‖M‖², with τ = (1 − p)l²/(2Nk). Ours is twice that, and W = (1 − p)·M.
  const k = "(lambda*(1-p)^2/2)";
  const penalty = proveEqual(`2*${k}*(w/(1-p))^2`, "lambda*w^2");
  const precision = proveEqual(`(1-p)*l^2/(2*n*${k})`, "l^2/((1-p)*n*lambda)");
  const noise = 0.03;
  const lambda = noise ** 2 / ((1 - p) * n); // with l = 1
  const tau = tauOf({ weightDecay: 2 * lambda, p, n });
  return {
    supports: penalty.proved && precision.proved && Math.abs(tau * noise ** 2 - 1) < 8 * Number.EPSILON,
    summary:
      `both penalties and both precisions are equal by algebra; with l = 1, p = ${p} and ${n} samples of noise ${noise}, ` +
      `λ has to be ${lambda.toExponential(1)}`,
  };
});

/** Whether passes are better calibrated than one evaluation depends on the number of digits. */
export const calibratesDigits: Claim = defineClaim({
  id: "calibrates-digits",
  section: 8,
  by: "here",
  claim: "A digit network's probabilities are better calibrated with dropout left on than with it off.",
  holds: "holds if",
  known: "tested",
  but:
    "If the network is too sure of itself, as after 1,000 digits at a rate of 0.3; after 4,000 it is not, and the passes " +
    "make it too unsure.",
}, async () => {
  const rows = await readStudy<UncertaintyRow>("uncertainty");
  const of = (method: UncertaintyRow["method"], n: number) => selectRows(rows, { method, p: 0.3, n });
  const error = (row: UncertaintyRow) => row.calibrationError;
  const both = (n: number) =>
    `${plusMinus(estimate(of("dropout off", n), error))} off and ${
      plusMinus(estimate(of("MC dropout", n), error))
    } on`;
  const [few, many] = [1000, 4000].map((n) =>
    estimateDifference(of("MC dropout", n), of("dropout off", n), error)
  );
  return {
    supports: -few.mean > MANY * few.standardError && many.mean > MANY * many.standardError,
    summary: `the study's calibration error is ${both(1000)} after 1,000 digits, and ${
      both(4000)
    } after 4,000 (10 seeds)`,
  };
});

/** Batch normalization in training mode mixes the inputs of a batch. */
export const batchNormStays: Claim = defineClaim({
  id: "bn-stays-in-evaluation",
  section: 8,
  by: "here",
  claim:
    "With only the dropout layers in training mode, a prediction does not depend on the other inputs of its batch; " +
    "with batch normalization in training mode it does.",
  holds: "holds",
  known: "tested",
}, ({ p = 0.1, seed = 42 }: { p?: number; seed?: number } = {}) => {
  const [passes, size] = [200, 20];
  const rng = new FastStream([seed, 8]);
  const dropout = new InvertedDropout(p, { seed: [seed, 9] });
  const model = new Sequential(
    new Linear(1, 64, { rng }),
    new BatchNorm(64),
    new ReLU(),
    dropout,
    new Linear(64, 1, { rng }),
  );
  const normals = defaultRng([seed, 10]);
  const batch = (width: number) =>
    new Tensor(normals.standardNormal(size).map((z, i) => i === 0 ? 0.6 : width * z), [size, 1]);
  const [narrow, wide] = [batch(0.5), batch(2)];
  model(narrow); // running statistics to keep to
  const predict = (x: Tensor) => {
    dropout.resetRng(); // the same masks for both batches
    return Array.from({ length: passes }, () => model(x).data[0]);
  };
  const countSame = () => {
    const [one, other] = [predict(narrow), predict(wide)];
    return one.filter((value, i) => value === other[i]).length;
  };
  const careful = (dropoutOnly(model), countSame());
  const careless = (model.train(), countSame());
  return {
    supports: careful === passes && careless < passes,
    summary:
      `the first of ${size} inputs, with the same masks but two sets of companions, p = ${p}, seed ${seed}: with ` +
      `only dropout in training mode ${careful} of ${passes} passes agree bit for bit, with all layers in it ` +
      `${careless}`,
  };
});

/** The article's last word on the Bayesian view. */
export const explainsWhyItWorks: Claim = defineClaim({
  id: "explains-why-it-works",
  section: 8,
  by: "article",
  claim: "The Bayesian view explains why dropout works so well.",
  holds: "open",
  but:
    "It would take something that this view predicts and others do not, such as the best p from the samples alone, " +
    "compared with the p that is best on held-out digits.",
}, async () => {
  const cells = (await coverageCells()).filter(({ region, n }) => region === "data" && n > 10);
  const [low, high] = [Math.min, Math.max].map((pick) => 2 ** pick(...cells.map((c) => c.shrinks!.mean)));
  return {
    supports: low > 0.9 && high < 1.1,
    summary:
      "the study shows that dropout helps, which is what is to be explained. The spread of passes among the samples, which " +
      `a posterior's draws would lose with more of them, stays: more than 10 of them change it by factors of ${
        low.toFixed(2)
      } to ${high.toFixed(2)}`,
  };
});

/** What passes of one network give, with the weight decay that belongs to the samples' noise, or a fixed one. */
async function coverageCells(decay: CoverageRow["decay"] = "of the noise"): Promise<CoverageCell[]> {
  const rows = await readStudy<CoverageRow>("coverage");
  return summarizeCoverage(selectRows(rows, { method: "MC dropout", decay }));
}

function plusMinus({ mean, standardError }: Estimate): string {
  return `${mean.toFixed(3)} ± ${standardError.toFixed(3)}`;
}

function percent({ mean, standardError }: Estimate): string {
  if (standardError === 0) return `${show(100 * mean)} %`;
  const digits = standardError < 0.005 ? 1 : 0; // rather than "± 0"
  return `${(100 * mean).toFixed(digits)} ± ${(100 * standardError).toFixed(digits)} %`;
}

/** The claims of section 8. */
export const uncertaintyClaims: readonly Claim[] = [
  uncertaintyEstimates,
  modelPrecision,
  twoSpreads,
  spreadIgnoresSamples,
  calibratesDigits,
  batchNormStays,
  explainsWhyItWorks,
];
