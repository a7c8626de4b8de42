/**
 * Section 5: gradients through dropout.
 * @module
 */

import {
  Adam,
  applyMask,
  defaultRng,
  drawMask,
  exactExpectation,
  gradcheck,
  monteCarlo,
  multiply,
  parametersFrom,
  sum,
  survivorScale,
  type Tensor,
  tensor,
  zeros,
} from "../mod.ts";
import { bernoulliExpectation, derivative, proveEqual } from "../symbolic.ts";
import { analyzeGradientVariance, demonstrateGradientFlow } from "../article/gradient_flow.ts";
import { type NoiseRow, summarizeNoise } from "../study/gradient_noise.ts";
import {
  type OptimizerCell,
  type OptimizerRow,
  type StabilityRow,
  summarizeOptimizers,
  summarizeStability,
} from "../study/optimizers.ts";
import { type Estimate, estimate, readStudy, selectRows, standardErrors } from "../study/mod.ts";
import { groupRows } from "../study/rows.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

/** The article's gradient. */
const gradOutput = tensor([0.1, 0.2, 0.3, 0.4, 0.5]);

/** Dropout's derivative is the mask times the scale: backwards it does what it did forwards. */
export const gradientFormula: Claim = defineClaim({
  id: "gradient-formula",
  section: 5,
  by: "article",
  claim: "The gradient of x·m/(1 − p) with respect to x is m/(1 − p): same mask, same scale.",
  holds: "holds",
  known: "proved",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const { proved } = proveEqual(derivative("x*m/(1-p)", "x"), "m/(1-p)");
  const n = 50;
  const rng = defaultRng(seed);
  const x = rng.standardNormal([n]);
  const mask = drawMask([n], p, { rng });
  const passes = (scale: number) =>
    gradcheck((x) => applyMask(x, mask, survivorScale(p)), (g) => applyMask(g, mask, scale), x).ok;
  const withoutScale = passes(1);
  return {
    supports: proved && passes(survivorScale(p)) && withoutScale === (p === 0 || mask.kept === 0),
    summary:
      `the derivative simplifies to m/(1 − p) for p ≠ 1; at p = ${p} a gradient check of ${n * n} entries ` +
      `passes with the scale and ${withoutScale ? "passes" : "fails"} without it`,
  };
});

/** The scale keeps the expectation of each entry of a given gradient. */
export const gradientMeanPreserved: Claim = defineClaim({
  id: "gradient-mean-preserved",
  section: 5,
  by: "article",
  claim: "Without the scale, gradients would be smaller on average; with it, their expectation is kept.",
  holds: "holds if",
  known: "enumerated",
  but: "If the gradient that arrives does not depend on this layer's mask.",
}, ({ p = 0.5 }: Values = {}) => {
  const { proved } = proveEqual(bernoulliExpectation("g*m/(1-p)", "m", "1-p"), "g");
  const ratios = (scale: number) => {
    const { data } = exactExpectation((mask) => applyMask(gradOutput, mask, scale), 5, p).mean;
    return Array.from(data, (g, i) => g / gradOutput.data[i]);
  };
  const farthest = (values: number[], from: number) => Math.max(...values.map((v) => Math.abs(v - from)));
  const [kept, shrunk] = [farthest(ratios(survivorScale(p)), 1), farthest(ratios(1), 1 - p)];
  // A mask's probability is a product of 6 roundings; the scale, the products and the sum add some more.
  const rounding = 16 * 2 ** -53;
  return {
    supports: proved && kept <= rounding && shrunk <= rounding,
    summary:
      `over all 32 masks of the article's gradient at p = ${p}, the mean of each entry is the entry, up to a ` +
      `rounding of ${show(kept, 2)}; without the scale it is ${
        show(1 - p)
      } times the entry; proved for any entry`,
  };
});

/** The norm of a gradient is not preserved: its square grows by 1/(1 − p). */
export const gradientNormPreserved: Claim = defineClaim({
  id: "gradient-norm-preserved",
  section: 5,
  by: "article",
  claim: "Inverted scaling preserves the expected gradient magnitude.",
  holds: "false",
  known: "enumerated",
  but:
    "The Euclidean norm, which the article prints, grows: E‖g′‖² = ‖g‖²/(1 − p), for a given g; what is preserved is the expectation of each entry, and of its absolute value.",
}, ({ p = 0.5 }: Values = {}) => {
  const { proved } = proveEqual(bernoulliExpectation("(g*m/(1-p))^2", "m", "1-p"), "g^2/(1-p)");
  const norm = Math.sqrt(squaredNorm(gradOutput));
  const expected = (p: number, of: (squared: number) => number) =>
    exactExpectation((mask) => of(squaredNorm(applyMask(gradOutput, mask, survivorScale(p)))), 5, p).mean;
  const [mean, square] = [expected(p, Math.sqrt), expected(p, (squared) => squared)];
  const { originalNorm, sampledNorm } = demonstrateGradientFlow();
  const articles = [originalNorm, sampledNorm.mean].map((value) => value.toFixed(4));
  return {
    supports: proved && Math.abs(square * (1 - p) / norm ** 2 - 1) < 32 * 2 ** -53 &&
      (p === 0 || mean > norm) && expected(0.5, Math.sqrt) > 1.3 * norm &&
      articles.join() === "0.7416,0.9834",
    summary:
      `over all 32 masks at p = ${p}, ‖g‖ = ${show(norm)} arrives and E‖g′‖ = ${show(mean)} leaves, and ` +
      `E‖g′‖² = ${show(square)} = ‖g‖²/(1 − p); the article's own averages are ${articles.join(" and ")}`,
  };
});

/** Dropout's masks make a gradient vary, the more the higher the rate. */
export const gradientVarianceGrows: Claim = defineClaim({
  id: "gradient-variance-grows",
  section: 5,
  by: "article",
  claim: "A higher dropout rate gives gradients of higher variance.",
  holds: "holds if",
  known: "tested",
  but: "If the gradient that arrives is given (proved), or the networks are like the study's (tested).",
}, async () => {
  const secondMoment = bernoulliExpectation("(g*m/(1-p))^2", "m", "1-p");
  const { proved } = proveEqual(`(${secondMoment}) - g^2`, "g^2*p/(1-p)");
  const spreads = analyzeGradientVariance().spreads.filter(({ p }) => p > 0);
  // A standard deviation of 100 values has a relative standard error of 1/√198.
  const close = spreads.every(({ stdGrad, predictedStdGrad }) =>
    Math.abs(stdGrad / predictedStdGrad - 1) < 4.5 / Math.sqrt(198)
  );
  const networks = groupRows(await readStudy<NoiseRow>("gradient_noise"), "problem", "trained", "steps");
  const grows = networks.every((rows) => {
    const noise = [0.1, 0.3, 0.5, 0.8].map((p) =>
      estimate(selectRows(rows, { p }), (row) => row.maskNoise).mean
    );
    return noise.every((value, i) => i === 0 || value > noise[i - 1]);
  });
  return {
    supports: proved && close && grows,
    summary:
      `a given entry's variance is g²·p/(1 − p), proved; the article's standard deviations ${
        spreads.map(({ stdGrad }) => stdGrad.toFixed(6)).join(", ")
      } are within 4.5 SE of it; in the study's networks the noise from the masks grows from each of four ` +
      `rates to the next, in all ${networks.length} settings`,
  };
});

/** In networks it matters whether they were trained with the dropout that makes the noise. */
export const trainedNoiseSlower: Claim = defineClaim({
  id: "trained-noise-slower",
  section: 5,
  by: "here",
  claim: "In networks trained at each p, the gradient's noise from the masks grows slower than p/(1 − p); " +
    "put into networks trained without dropout, it grows faster.",
  holds: "holds if",
  known: "tested",
  but:
    "If the networks are like the study's: two problems and two budgets, trained with SGD, from p = 0.1 to 0.8.",
}, async () => {
  const cells = summarizeNoise(await readStudy<NoiseRow>("gradient_noise")).filter(({ p }) => p === 0.8);
  const growth = (trained: string) => cells.filter((cell) => cell.trained === trained).map((c) => c.growth!);
  const [slower, faster] = [growth("with dropout"), growth("without dropout")];
  const factors = (estimates: Estimate[]) => estimates.map(({ mean }) => show(2 ** mean, 2)).join(", ");
  return {
    supports: slower.length === 4 && slower.every((e) => standardErrors(e) < -4.5) &&
      faster.length === 4 && faster.every((e) => standardErrors(e) > 4.5),
    summary:
      `the study's noise at p = 0.8 relative to 0.1, divided by p/(1 − p): ${factors(slower)} trained with ` +
      `dropout, ${factors(faster)} trained without; 10 seeds each, all 4.5 SE or more from 1`,
  };
});

/** The article's first advice, and when the study bears it out. */
export const lowerLearningRate: Claim = defineClaim({
  id: "lower-learning-rate",
  section: 5,
  by: "article",
  claim: "Networks with high dropout often benefit from lower learning rates.",
  holds: "holds if",
  known: "tested",
  but:
    "If it is SGD at the study's p = 0.8, on both problems; at 0.5 plain SGD's limit is lower on the small problem only, " +
    "and at 0.8 Adam's best rate is higher on digits with 300 steps. That the gradient's noise is the reason was not shown.",
}, async () => {
  const limits = summarizeStability(await readStudy<StabilityRow>("stability"));
  const cells = summarizeOptimizers(await readStudy<OptimizerRow>("optimizers"));
  const atMost = limits.filter(({ p }) => p === 0.8).map(({ shift }) => shift!);
  const bestRates = cells.filter((c) => c.p === 0.8 && c.optimizer === "SGD").map((c) => c.rateShift!);
  const atHalf = limits.filter((cell) => cell.p === 0.5 && cell.optimizer === "SGD");
  const adam = find(cells, "digits", 300, 0.8, "Adam").rateShift!;
  return {
    // All have to be lower: the least sure one bounds the chance of an error, below 1 % with 10 seeds.
    supports: [...atMost, ...bestRates].every((shift) => standardErrors(shift) < -3) &&
      atHalf.every(({ problem, shift }) =>
        problem === "digits" ? shift!.mean > 0 : standardErrors(shift!) < -3
      ) && standardErrors(adam) > 3,
    summary:
      `the study's largest rates that work are ${range(atMost)} doublings lower at p = 0.8 than without ` +
      `dropout (${atMost.length} settings, SGD with and without momentum), SGD's best rates ${
        range(bestRates)
      } ` +
      `(${bestRates.length} settings); each is 3 SE or more below 0; Adam's best rate rises by up to ${
        show(adam.mean, 2)
      }`,
  };
});

/** The article's second advice, and when the study bears it out. */
export const adamHelps: Claim = defineClaim({
  id: "adam-helps",
  section: 5,
  by: "article",
  claim: "With high dropout, an adaptive optimizer such as Adam helps.",
  holds: "holds if",
  known: "tested",
  but:
    "If p is the study's 0.8, and each has its best rate, it ends lower than SGD without momentum; but in some settings " +
    "without dropout, too, so that it is no remedy for dropout in particular.",
}, async () => {
  const cells = summarizeOptimizers(await readStudy<OptimizerRow>("optimizers"));
  const against = (p: number, optimizer = "Adam") =>
    cells.filter((cell) => cell.optimizer === optimizer && cell.p === p).map(({ againstSgd }) => againstSgd!);
  const momentum = Math.min(...against(0.8, "SGD + momentum").map(standardErrors));
  const [without, high] = [against(0), against(0.8)];
  const lower = without.filter((estimate) => standardErrors(estimate) < -3).length;
  const percent = high.map(({ mean }) => show(100 * (1 - Math.exp(mean)), 2));
  return {
    supports: high.length === 4 && high.every((estimate) => standardErrors(estimate) < -3) && lower > 0 &&
      momentum > -3,
    summary:
      `Adam's loss at the study's p = 0.8 is ${
        percent.join(", ")
      } % below SGD's (two problems, two budgets, ` +
      `10 seeds, each by 3 SE or more), while momentum's is nowhere below by 3 SE; ` +
      `without dropout Adam's is, in ${lower} of 4`,
  };
});

/** The article's reason for its second advice: Adam's steps do shrink, but that does not replace a lower rate. */
export const adamAdaptsToNoise: Claim = defineClaim({
  id: "adam-adapts-to-noise",
  section: 5,
  by: "article",
  claim: "Adam adapts to the gradient's variance, so that one need not lower the learning rate.",
  holds: "false",
  known: "tested",
  but:
    "In one of the study's four settings Adam itself wants a lower rate at p = 0.8, and in three its lead over SGD is no larger " +
    "there; what does adapt is its mean step, which is √(1 − p) times as long for a constant gradient.",
}, async ({ p = 0.5, seed = 42 }: Values = {}) => {
  const { mean, standardError } = meanAdamStep(p, seed);
  // The average square varies, and has the step's own square in it: both are of the order of (1 − β₂)·p/(1 − p).
  const close = Math.abs(mean / Math.sqrt(1 - p) - 1) <
    4.5 * standardError / Math.sqrt(1 - p) + 0.001 * p / (1 - p) + 1e-6;
  const cells = summarizeOptimizers(await readStudy<OptimizerRow>("optimizers"));
  const [without, high] = [0, 0.8].map((p) => find(cells, "small", 800, p, "Adam"));
  const factor = Math.exp(high.keptRateCosts!.mean);
  const leads = cells.filter((cell) => cell.optimizer === "Adam" && cell.p === 0.8);
  const larger = leads.filter((cell) => cell.againstSgdGrows!.mean < 0).length;
  return {
    supports: close && high.lr < without.lr && standardErrors(high.keptRateCosts!) > 4.5 && larger === 1,
    summary:
      `through masks at p = ${p} Adam's mean step on a constant gradient is ${show(mean, 3)} of its rate ` +
      `(√(1 − p) = ${
        show(Math.sqrt(1 - p), 3)
      }); on the study's small problem with 800 steps its best rate is ` +
      `${without.lr} without dropout and ${high.lr} at p = 0.8, where keeping the former makes the loss ` +
      `${show(factor, 3)} times as high; its lead over SGD is larger than without dropout in ${larger} of ` +
      `${leads.length} settings`,
  };
});

/** The mean step of Adam with β₁ = 0, as a share of its rate, on 400 gradients of 1 that pass dropout. */
function meanAdamStep(p: number, seed: number): { mean: number; standardError: number } {
  const [entries, settling, steps] = [400, 1000, 1000];
  const [parameter] = parametersFrom({ weight: zeros([entries]) });
  const optimizer = new Adam([parameter], { lr: 1, betas: [0, 0.999] });
  const rng = defaultRng([seed, 1]);
  const take = (n: number) => {
    for (let step = 0; step < n; step++) {
      const mask = drawMask([entries], p, { rng });
      parameter.grad.data.set(mask.toTensor().data.map((kept) => kept * survivorScale(p)));
      optimizer.step();
    }
  };
  take(settling);
  const start = parameter.value.clone();
  take(steps);
  return monteCarlo((i) => (start.data[i] - parameter.value.data[i]) / steps, entries);
}

function squaredNorm(x: Tensor): number {
  return sum(multiply(x, x));
}

/** The least and the largest size of some shifts downwards. */
function range(shifts: readonly Estimate[]): string {
  const sizes = shifts.map(({ mean }) => -mean);
  return `${Math.min(...sizes).toFixed(2)} to ${Math.max(...sizes).toFixed(2)}`;
}

function find(
  cells: readonly OptimizerCell[],
  problem: string,
  steps: number,
  p: number,
  optimizer: string,
): OptimizerCell {
  return cells.find((cell) =>
    cell.problem === problem && cell.steps === steps && cell.p === p && cell.optimizer === optimizer
  )!;
}

/** The claims of section 5. */
export const gradientClaims: readonly Claim[] = [
  gradientFormula,
  gradientMeanPreserved,
  gradientNormPreserved,
  lowerLearningRate,
  gradientVarianceGrows,
  trainedNoiseSlower,
  adamHelps,
  adamAdaptsToNoise,
];
