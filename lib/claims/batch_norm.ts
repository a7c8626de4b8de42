/**
 * Section 6: dropout beside batch normalization.
 * @module
 */

import { analyzeVarianceShift } from "../article/variance_shift.ts";
import {
  type Distribution,
  distributions,
  linearShiftTheory,
  measureVarianceShift,
  probeBatchNorms,
  settleStatistics,
  varianceShiftTheory,
} from "../experiments/li_variance_shift.ts";
import {
  BatchNorm,
  defaultRng,
  divide,
  InvertedDropout,
  invertedDropout,
  Linear,
  mean,
  monteCarlo,
  ReLU,
  Sequential,
  Tensor,
  tensor,
  variance,
} from "../mod.ts";
import {
  type BetaRow,
  type LayoutCell,
  type LayoutRow,
  summarizeBeta,
  summarizeFamilies,
  summarizeOrders,
  summarizeWidth,
  type WidthRow,
} from "../study/batch_norm.ts";
import { readStudy } from "../study/results.ts";
import { type Estimate, estimateDifference } from "../study/rows.ts";
import { bernoulliExpectation, derivative, proveEqual } from "../symbolic.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

const FEATURES = 64;

/** The standard normal numbers of a seed and a number of their own. */
function normals(n: number, seed: number, key: number, features = FEATURES): Tensor {
  return new Tensor(defaultRng([seed, key]).standardNormal(n * features), [n, features]);
}

/** Batches enough that each running variance is known to a few percent, also where few units are kept. */
function freshBatches(seed: number, features = FEATURES): Tensor[] {
  return Array.from({ length: 40 }, (_, i) => normals(250, seed, i + 1, features));
}

/** Of the one normalization in a model, the ratios of all features as a mean with its standard error. */
function ratioOf(model: Sequential, seed: number): Estimate {
  settleStatistics(model, freshBatches(seed));
  const [{ ratios }] = probeBatchNorms(model, normals(10_000, seed, 0));
  return monteCarlo((i) => ratios.data[i], FEATURES);
}

/** BN → ReLU → dropout → linear → BN with fresh weights. */
function freshStack(p: number, seed: number, width = 16): Sequential {
  const rng = defaultRng([seed, 1]);
  return new Sequential(
    new Linear(8, width, { rng }),
    new BatchNorm(width),
    new ReLU(),
    new InvertedDropout(p, { seed: [seed, 2] }),
    new Linear(width, width, { rng }),
    new BatchNorm(width),
  );
}

/** Both ratios of a stack, and what the law says for the weights of each unit of the second one. */
function probeStack(model: Sequential, p: number, seed: number) {
  settleStatistics(model, freshBatches(seed, 8));
  const x = normals(4000, seed, 0, 8);
  const [first, second] = probeBatchNorms(model, x);
  const layers = model.eval().children();
  const h = layers.slice(0, 3).reduce((value, layer) => layer.forward(value), x);
  model.train();
  const theory = linearShiftTheory((layers[4] as Linear).weight, h, p);
  return { first, second, theory };
}

const plusMinus = ({ mean, standardError }: Estimate, digits = 3) =>
  `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`;

/** Is a mean so far above (sign 1) or below (sign −1) zero? */
const isBeyond = (estimate: Estimate | null, sign: 1 | -1, errors = 4.5) =>
  estimate !== null && sign * estimate.mean > errors * estimate.standardError;

/** From the smallest to the largest. */
const range = (values: readonly number[], digits = 2) =>
  `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;

/** The article's summary: BN → Dropout has less mismatch, as its demonstration would show. */
export const orderMetricBlind: Claim = defineClaim({
  id: "order-metric-blind",
  section: 6,
  by: "article",
  claim: "The demonstration shows that BN → Dropout has less mismatch between training and inference.",
  holds: "false",
  known: "tested",
  but:
    "On the article's centred inputs its metric gives about p for both orders, and for dropout without any batch " +
    "normalization; which of the two is larger depends on the seed.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const shifts = (seed: number, warmUp: number) => {
    const { dropoutFirst, batchNormFirst } = analyzeVarianceShift({ seed, warmUp });
    return [dropoutFirst.output.shift, batchNormFirst.output.shift];
  };
  const percent = (shift: number) => `${(100 * shift).toFixed(1)} %`;
  const [printed, runs] = [shifts(42, 1000).map(percent), 12];
  const gaps = Array.from({ length: runs }, (_, seed) => {
    const [dropoutFirst, batchNormFirst] = shifts(seed, 100);
    return dropoutFirst - batchNormFirst;
  });
  const gap = monteCarlo((i) => gaps[i], runs);
  const inFavour = gaps.filter((value) => value > 0).length;
  const without = shiftWithoutNorm(p, seed);
  return {
    supports: printed.join() === "49.8 %,50.0 %" && inFavour > 0 && inFavour < runs &&
      Math.abs(gap.mean) < 4.5 * gap.standardError && Math.abs(without.mean - p) < 5 * without.standardError,
    summary:
      `the article's run gives ${printed.join(" and ")}, digit for digit; of ${runs} other seeds (fixed), ` +
      `${inFavour} favour BN → Dropout, and the mean difference is ${
        plusMinus(scaled(gap, 100), 2)
      } points; with no ` +
      `batch normalization at all the shift at p = ${p} is ${plusMinus(scaled(without, 100), 2)} %`,
  };
});

const scaled = ({ mean, standardError }: Estimate, by: number): Estimate => ({
  mean: by * mean,
  standardError: by * standardError,
});

/** The article's metric for dropout alone: 1 minus the variance of a batch over that of its dropped-out copies. */
function shiftWithoutNorm(p: number, seed: number): Estimate {
  const x = normals(128, seed, 0);
  const rng = defaultRng([seed, 1]);
  const copies = Array.from({ length: 100 }, () => variance(invertedDropout(x, p, { rng }).output));
  const inTraining = monteCarlo((i) => copies[i], copies.length);
  const ratio = variance(x) / inTraining.mean;
  // x is not quite centred: what its own mean does to the ratio is smaller than 1/8192.
  return { mean: 1 - ratio, standardError: ratio * inTraining.standardError / inTraining.mean + 2 / x.size };
}

/** The article's first recommendation: batch normalization before dropout, for less mismatch of variance. */
export const dropoutBeforeShifts: Claim = defineClaim({
  id: "dropout-before-bn-shifts",
  section: 6,
  by: "article",
  claim: "BN → Dropout has less mismatch of variance between training and inference than Dropout → BN.",
  holds: "holds if",
  known: "tested",
  but:
    "If one looks at this one normalization: its own ratio is 1 then, but the next normalization comes after the " +
    "dropout, and is shifted.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const dropout = () => new InvertedDropout(p, { rng: defaultRng(seed) });
  const before = ratioOf(new Sequential(dropout(), new BatchNorm(FEATURES)), seed);
  const after = ratioOf(new Sequential(new BatchNorm(FEATURES), dropout()), seed);
  const next = probeStack(freshStack(p, seed), p, seed).second.ratio;
  // 1/running variance is too large by its relative variance on average: (3/(1 − p) − 1)/10,000 for normal numbers.
  const bias = 3 / (1 - p) / 10_000;
  return {
    supports: Math.abs(before.mean - (1 - p)) < 5 * before.standardError + bias * (1 - p) &&
      Math.abs(after.mean - 1) < 5 * after.standardError + bias && next < (1 + (1 - p)) / 2,
    summary: `at p = ${p}, variance at evaluation over running variance is ${plusMinus(before, 4)} for ` +
      `Dropout → BN and ${
        plusMinus(after, 4)
      } for BN → Dropout (${FEATURES} features, seed ${seed}); in a network ` +
      `with fresh weights, ${next.toFixed(3)} at the next BN`,
  };
});

/** The article's advice for debugging: large differences between the modes point to a problematic interaction. */
export const debuggingComparison: Claim = defineClaim({
  id: "debugging-comparison",
  section: 6,
  by: "article",
  claim: "Large differences between outputs in training and at evaluation show that dropout and batch " +
    "normalization interact badly.",
  holds: "false",
  known: "tested",
  but:
    "Dropout makes its outputs differ in variance in any order, and without batch normalization; the running " +
    "variance of each BN, beside the variance of its input at evaluation, tells which one is off.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const setups = [["dropout", "BN"], ["BN", "dropout"], ["dropout"]].map((order) => {
    const layers = order.map((name) =>
      name === "BN" ? new BatchNorm(FEATURES) : new InvertedDropout(p, { rng: defaultRng([seed, 9]) })
    );
    const model = new Sequential(...layers);
    if (order.length > 1) settleStatistics(model, freshBatches(seed));
    const inTraining = freshBatches(seed).map((x) => variance(model.train().forward(x)));
    const x = normals(10_000, seed, 0);
    const ratio = variance(model.eval().forward(x)) / mean(tensor(inTraining));
    return { ratio, probe: order.length > 1 ? probeBatchNorms(model, x)[0].ratio : null };
  });
  // 640,000 numbers each: kurtosis 3/(1 − p) after dropout, twice (output and running variance).
  const error = (1 - p) * Math.sqrt(2 * 3 / (1 - p) / (FEATURES * 10_000));
  return {
    supports: setups.every(({ ratio }) => Math.abs(ratio - (1 - p)) < 5 * error + 1e-3) &&
      Math.abs(setups[0].probe! - (1 - p)) < 5 * error + 1e-3 && Math.abs(setups[1].probe! - 1) < 0.02,
    summary: `output variance at evaluation over that in training, p = ${p}, seed ${seed}: ` +
      `${
        setups.map(({ ratio }) => ratio.toFixed(3)).join(", ")
      } for Dropout → BN, BN → Dropout, and dropout alone; ` +
      `before the BN, over its running variance: ${setups[0].probe!.toFixed(3)} and ${
        setups[1].probe!.toFixed(3)
      }`,
  };
});

/** The article's variance shift, and how large it is. */
export const varianceShiftFormula: Claim = defineClaim({
  id: "variance-shift-theory",
  section: 6,
  by: "article",
  claim:
    "Even with inverted scaling, dropout gives activations another variance in training than at inference.",
  holds: "holds",
  known: "proved",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  // E[y²] − E[y]² with y = x·m/(1 − p), E[x] = u, E[x²] = v + u²; at inference the variance is v.
  const square = proveEqual(bernoulliExpectation("(x*m/(1-p))^2", "m", "1-p"), "x^2/(1-p)");
  const learned = proveEqual("(v+r*v)/(1-p) - r*v", "v*(1+p*r)/(1-p)");
  const ratio = proveEqual("v/(v*(1+p*r)/(1-p))", "(1-p)/(1+p*r)");
  const kinds = Object.keys(distributions) as Distribution[];
  const measured = kinds.map((distribution) => measureVarianceShift({ p, distribution, seed }));
  // Student's t of 100 batches beyond 5: 2·10⁻⁶.
  return {
    supports: square.proved && learned.proved && ratio.proved &&
      measured.every(({ ratio, standardError, theory }) => Math.abs(ratio - theory) < 5 * standardError),
    summary: `the variance at inference is (1 − p)/(1 + p·μ²/σ²) of that in training; at p = ${p}, for ` +
      `μ²/σ² = ${kinds.map((kind) => show(distributions[kind], 3)).join(", ")}: ` +
      `${measured.map(({ theory }) => theory.toFixed(3)).join(", ")}, measured ` +
      measured.map(({ ratio, standardError }) => plusMinus({ mean: ratio, standardError }, 4)).join(", "),
  };
});

/** The article's advice to use lower rates beside batch normalization. */
export const lowerRates: Claim = defineClaim({
  id: "lower-rates-smaller-shift",
  section: 6,
  by: "article",
  claim: "Beside batch normalization, lower rates (0.1 to 0.3) shift the variance less than higher ones.",
  holds: "holds",
  known: "proved",
}, () => {
  // r = E[x]²/Var[x] ≥ 0, so that the slope is negative for every p below 1.
  const slope = proveEqual(derivative("(1-p)/(1+p*r)", "p"), "-(1+r)/(1+p*r)^2");
  const ratios = [0.1, 0.3, 0.5].map((p) => varianceShiftTheory(p, distributions.relu).toFixed(3));
  return {
    supports: slope.proved,
    summary: `the ratio's slope in p is −(1 + r)/(1 + p·r)², r = μ²/σ², below 0 for every r; after ReLU of ` +
      `N(0, 1), ${ratios.join(", ")} of the variance are left at the rates 0.1, 0.3, 0.5: smaller, not small`,
  };
});

/** In a stack the next normalization is shifted, unit by unit as its weights say. */
export const stackShiftsAgain: Claim = defineClaim({
  id: "stack-shifts-again",
  section: 6,
  by: "here",
  claim:
    "In BN → ReLU → Dropout → Linear → BN the second normalization is shifted, unit by unit as its weights say; " +
    "training makes the shift smaller, and the more so the wider the layer.",
  holds: "holds if",
  known: "tested",
  but:
    "If, as for what training does, the networks are like the study's: 8 to 512 units per layer, on two problems.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const nets = Array.from({ length: 16 }, (_, i) => {
    const { first, second, theory } = probeStack(freshStack(p, 1000 * seed + i), p, 1000 * seed + i);
    return {
      first: first.ratio,
      second: second.ratio,
      againstLaw: mean(divide(second.ratios, theory)) - 1,
    };
  });
  const over = (of: (net: typeof nets[number]) => number) => monteCarlo((i) => of(nets[i]), nets.length);
  const [first, second, againstLaw] = [
    over((n) => n.first),
    over((n) => n.second),
    over((n) => n.againstLaw),
  ];
  const widths = summarizeWidth(await readStudy<WidthRow>("batch_norm_width"));
  const byProblem = Map.groupBy(widths, ({ problem }) => problem);
  const risesWithWidth = [...byProblem.values()].every((cells) =>
    cells.toSorted((a, b) => a.width - b.width).every(({ trained }, i, all) =>
      i === 0 ||
      trained.mean - all[i - 1].trained.mean >
        4 * Math.hypot(trained.standardError, all[i - 1].trained.standardError)
    )
  );
  // Student's t of 16 networks beyond 6: 2·10⁻⁵. A ratio to a running variance of 10,000 samples is biased by less than 10⁻³.
  const isNear = ({ mean, standardError }: Estimate, value: number) =>
    Math.abs(mean - value) < 6 * standardError + 1e-3;
  return {
    supports: isNear(first, 1) && isNear(againstLaw, 0) &&
      second.mean < 1 - 6 * second.standardError && risesWithWidth &&
      widths.every(({ untrained, trained }) => trained.mean > untrained.mean),
    summary:
      `${nets.length} networks with fresh weights at p = ${p} (from seed ${seed}): ratios ${
        plusMinus(first)
      } and ` +
      `${plusMinus(second)}, the second one off the law by ${plusMinus(scaled(againstLaw, 100), 1)} % ` +
      `(unit by unit); in the study, ${range(widths.map((w) => w.untrained.mean))} before training ` +
      `at all widths, ${range(widths.map((w) => w.trained.mean))} after it, rising with the width`,
  };
});

/** The article's sentence on γ and β. */
export const gammaBetaCause: Claim = defineClaim({
  id: "gamma-beta-cause",
  section: 6,
  by: "article",
  claim: "Batch normalization's learned γ and β are tuned for the variance of training, not of inference.",
  holds: "open",
  but:
    "They are not the cause of the shift, which is there with γ = 1 and β = 0, too; β sets μ²/σ² at the next dropout, " +
    "and with it the shift of the next normalization. What they are tuned for was not measured: it would take γ and β " +
    "fitted again with dropout off, and the loss with both.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const model = freshStack(p, seed);
  const [norm, nextNorm] = model.children().filter((layer) => layer instanceof BatchNorm);
  const ratio = () => probeStack(freshMasks(model, seed), p, seed).second.ratio;
  const before = ratio();
  nextNorm.weight!.data.fill(7);
  nextNorm.bias!.data.fill(-3);
  const own = ratio();
  norm.bias!.data.fill(2);
  const afterBeta = ratio();
  const cells = summarizeBeta(await readStudy<BetaRow>("batch_norm_beta"));
  const followsLaw = cells.every(({ ratio, theory }) =>
    Math.abs(ratio.mean - theory.mean) < 4.5 * Math.hypot(ratio.standardError, theory.standardError)
  );
  const falls = cells.every(({ beta, againstZero }) => beta <= 0 || isBeyond(againstZero, -1));
  const ofBeta = (beta: number) =>
    range(cells.filter((cell) => cell.beta === beta).map((cell) => cell.ratio.mean));
  return {
    supports: before < 1 && own === before && afterBeta < before && followsLaw && falls,
    summary: `with γ = 1, β = 0 the second ratio of a fresh network is ${before.toFixed(3)} (p = ${p}, ` +
      `seed ${seed}); other γ and β of that BN change no bit of it, β = 2 in the BN before makes it ` +
      `${afterBeta.toFixed(3)}; in the study's networks it is ${ofBeta(0)} at β = 0, ${ofBeta(1)} at 1 and ${
        ofBeta(2)
      } ` +
      `at 2, as the law says in all ${cells.length} settings`,
  };
});

/** Starts the stream of a stack's dropout again, so that what is compared has the same masks. */
function freshMasks(model: Sequential, seed: number): Sequential {
  const layers = [...model.children()];
  const at = layers.findIndex((layer) => layer instanceof InvertedDropout);
  layers[at] = new InvertedDropout((layers[at] as InvertedDropout).p, { seed: [seed, 2] });
  return new Sequential(...layers);
}

/** The study's layouts at 0.5, by problem and budget. */
async function ordersAtHalf(): Promise<LayoutCell[]> {
  return summarizeOrders(await readStudy<LayoutRow>("batch_norm")).filter(({ p }) => p === 0.5);
}

/** The article's advice for fully connected layers, and what it says of research. */
export const dropoutAfterNorm: Claim = defineClaim({
  id: "dropout-after-bn-costs-less",
  section: 6,
  by: "article",
  claim:
    "Dropout before batch normalization can degrade a network, and belongs after it in fully connected layers.",
  holds: "holds if",
  known: "tested",
  but:
    "If it is the first block, on digits, at a rate of ½; on the study's small problem the other order costs less there, " +
    "and in the last block Dropout → BN is the cheaper one, or neither.",
}, async () => {
  const cells = (await ordersAtHalf()).filter(({ layout }) => layout === "dropout → BN");
  const gap = (problem: string, places: string) =>
    cells.filter((cell) => cell.problem === problem && cell.places === places).map((c) =>
      c.againstOtherOrder!
    );
  const inWords = (gaps: Estimate[]) => gaps.map((value) => plusMinus(value)).join(" and ");
  return {
    supports: gap("digits", "first").every((value) => isBeyond(value, 1)) &&
      gap("small", "first").every((value) => isBeyond(value, -1)) &&
      [...gap("digits", "last"), ...gap("small", "last")].every((value) => !isBeyond(value, 1, 2)),
    summary:
      `loss of Dropout → BN minus that of BN → Dropout in the study, the article's p = 0.5, two budgets: in ` +
      `the first block ${inWords(gap("digits", "first"))} (digits), ${
        inWords(gap("small", "first"))
      } (small); in ` +
      `the last one ${inWords(gap("digits", "last"))}, ${inWords(gap("small", "last"))}`,
  };
});

/** In the last block dropout costs less than as much of it in the first. */
export const lastPlaceBest: Claim = defineClaim({
  id: "last-place-best",
  section: 6,
  by: "here",
  claim: "Dropout in the last block costs less than the same amount in the first, in either order.",
  holds: "holds if",
  known: "tested",
  but: "If the rate is ½, in networks of two blocks, on the two problems of the study; at 0.2 either " +
    "may be the cheaper one. The smallest of the differences is within 2 standard errors.",
}, async () => {
  const rows = (await readStudy<LayoutRow>("batch_norm")).filter(({ p }) => p === 0.5);
  const cells = await ordersAtHalf();
  const gaps = cells.filter(({ layout, places }) => layout.includes("→") && places === "first").map(
    (first) => {
      const { problem, steps, layout } = first;
      const last = cells.find((cell) =>
        cell.problem === problem && cell.steps === steps && cell.layout === layout && cell.places === "last"
      )!;
      const runsOf = ({ places, lr }: LayoutCell) =>
        rows.filter((row) =>
          row.problem === problem && row.steps === steps && row.layout === layout && row.places === places &&
          row.lr === lr
        );
      return estimateDifference(runsOf(first), runsOf(last), ({ testLoss }) => testLoss);
    },
  );
  // One by one, some are less than 2 SE from 0. All eight above 0: 1 in 256, were there nothing to it.
  const strength = gaps.reduce((sum, gap) => sum + gap.mean / gap.standardError, 0) / gaps.length;
  return {
    supports: gaps.every(({ mean }) => mean > 0) && strength > 4.5,
    summary: `first block minus last, loss at the study's p = 0.5: above 0 in ${
      gaps.filter(({ mean }) => mean > 0).length
    } of ` +
      `${gaps.length} (2 orders, 2 problems, 2 budgets), by ${
        range(
          gaps.map(({ mean }) =>
            mean
          ),
          3,
        )
      }, which is ` +
      `${range(gaps.map((gap) => gap.mean / gap.standardError), 1)} standard errors`,
  };
});

/** The article's alternative: only one of the two. */
export const useOnlyOne: Claim = defineClaim({
  id: "use-only-one",
  section: 6,
  by: "article",
  claim: "Using only one of dropout and batch normalization is an alternative to using both.",
  holds: "holds if",
  known: "tested",
  but:
    "If one finds out which of them suits the problem. How often modern architectures omit dropout would take a survey.",
}, async () => {
  const cells = summarizeFamilies(await readStudy<LayoutRow>("batch_norm"));
  const results = [...Map.groupBy(cells, ({ problem, steps }) => `${problem}, ${steps} steps`)].map(
    ([where, families]) => {
      const of = (name: string) => families.find(({ family }) => family === name)!;
      const validation = ({ runs }: { runs: LayoutRow[] }) =>
        runs.reduce((sum, row) => sum + row.validationLoss, 0);
      const one = [of("BN"), of("dropout")].sort((a, b) => validation(a) - validation(b))[0];
      const gap = estimateDifference(one.runs, of("both").runs, ({ testLoss }) => testLoss);
      return { where, family: one.family, gap };
    },
  );
  return {
    // None is shown to be worse than both; on the digits it is BN, elsewhere not always.
    supports: results.every(({ gap }) => !isBeyond(gap, 1, 2)) &&
      results.every(({ where, family }) => family === "BN" || !where.startsWith("digits")) &&
      results.some(({ family }) => family === "dropout"),
    summary: `chosen on samples set aside, the better one alone minus both, loss on others, in the study: ${
      results.map(({ where, family, gap }) => `${plusMinus(gap)} (${where}: ${family})`).join(", ")
    }`,
  };
});

/** The article's sentence on convolutional layers. */
export const convolutionalLayers: Claim = defineClaim({
  id: "conv-layers",
  section: 6,
  by: "article",
  claim: "Convolutional layers benefit less from dropout; batch normalization usually suffices there.",
  holds: "open",
  but:
    "It would take convolutional networks trained on images, with and without either, at the same amount of " +
    "dropout in other layers, with several seeds.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const [dropout, norm] = [new InvertedDropout(p, { seed }), new BatchNorm(8, { momentum: null })];
  for (let i = 0; i < 20; i++) {
    norm.forward(dropout.forward(normals(64, seed, i, 8 * 16).reshape([64, 8, 4, 4])));
  }
  const ratios = norm.runningVar!.map((running) => 1 / running); // at evaluation the variance is 1
  const error = (1 - p) * Math.sqrt(3 / (1 - p) / (20 * 64 * 16 * 8));
  return {
    supports: Math.abs(mean(ratios) - (1 - p)) < 5 * error + 1e-3,
    summary:
      `no convolutional network is trained here; their normalization is not spared: for random images of 8 ` +
      `channels the ratio after dropout is ${mean(ratios).toFixed(3)} at p = ${p}, seed ${seed}`,
  };
});

/** Why the "wrong" running statistics may be the right ones. */
export const runningStatisticsKeepTheMean: Claim = defineClaim({
  id: "running-statistics-keep-the-mean",
  section: 6,
  by: "here",
  claim:
    "With the running statistics of training, evaluation gives each normalized activation its mean over the " +
    "masks; with re-estimated ones it is that mean times 1/√ratio.",
  holds: "holds if",
  known: "proved",
  but:
    "If the statistics of training are taken as fixed, and dropout comes directly before the normalization.",
}, () => {
  const average = bernoulliExpectation("(x*m/(1-p) - u)/s", "m", "1-p");
  const kept = proveEqual(average, "(x-u)/s");
  const stretched = proveEqual(`((x-u)/(s*sqrt(q)))/(${average})`, "1/sqrt(q)");
  return {
    supports: kept.proved && stretched.proved && !proveEqual(average, "(x-u)/(s*sqrt(1-p))").proved,
    summary:
      `E[(x·m/(1 − p) − μ)/σ] = (x − μ)/σ for every x, μ, σ ≠ 0 (${kept.points} points agree); division by the ` +
      "smaller σ of evaluation, σ·√ratio, multiplies it by 1/√ratio",
  };
});

/** What re-estimation does to the ratio, and to the loss. */
export const reestimation: Claim = defineClaim({
  id: "reestimation-either-way",
  section: 6,
  by: "here",
  claim:
    "Statistics re-estimated with dropout off may lower the loss or raise it; from 16 samples they raise it.",
  holds: "holds if",
  known: "tested",
  but: "If the networks are the study's, in every layout with batch normalization.",
}, async () => {
  const cells = summarizeOrders(await readStudy<LayoutRow>("batch_norm")).filter((c) =>
    c.reestimation.length > 0
  );
  const withDropout = cells.filter(({ p }) => p > 0);
  const all = withDropout.map(({ reestimation }) => reestimation.at(-1)!);
  const few = cells.map(({ reestimation }) => reestimation[0]);
  const [lower, higher] = ([-1, 1] as const).map((sign) => all.filter((e) => isBeyond(e, sign)).length);
  const inFirst = (problem: string) =>
    withDropout.filter((c) =>
      c.problem === problem && c.layout === "BN → dropout" && c.places === "first" && c.p === 0.5
    ).map((c) => c.reestimation.at(-1)!);
  return {
    supports: lower > 0 && higher > 0 && few.every(({ mean }) => mean > 0) &&
      inFirst("small").every((e) => isBeyond(e, -1)) && inFirst("digits").every((e) => isBeyond(e, 1)),
    summary:
      `of ${all.length} settings with dropout in the study, all samples lower the loss in ${lower} and ` +
      `raise it in ${higher} (beyond 4.5 SE each): BN → Dropout in the first block at 0.5, ${
        inFirst("small").map((e) => plusMinus(e)).join(", ")
      } (small), ${inFirst("digits").map((e) => plusMinus(e)).join(", ")} (digits); 16 samples raise it in ` +
      `${few.filter(({ mean }) => mean > 0).length} of ${few.length}, by ${
        range(few.map(({ mean }) => mean))
      }`,
  };
});

/** The claims of section 6. */
export const batchNormClaims: readonly Claim[] = [
  varianceShiftFormula,
  dropoutBeforeShifts,
  orderMetricBlind,
  debuggingComparison,
  lowerRates,
  gammaBetaCause,
  stackShiftsAgain,
  dropoutAfterNorm,
  lastPlaceBest,
  useOnlyOne,
  convolutionalLayers,
  runningStatisticsKeepTheMean,
  reestimation,
];
