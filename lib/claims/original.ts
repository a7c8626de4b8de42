/**
 * Section 1: why units are dropped; the original dropout, and its problem.
 * @module
 */

import {
  Adam,
  applyMask,
  defaultRng,
  exactExpectation,
  inferenceWeight,
  matmul,
  multiply,
  StandardDropout,
  sum,
  Tensor,
  transpose,
} from "../mod.ts";
import { loadDigits } from "../digits.ts";
import { scalingMistakes } from "../experiments/scaling_mistakes.ts";
import {
  classifier,
  type Estimate,
  estimate,
  estimateDifference,
  evaluate,
  readStudy,
  selectRows,
  train,
  trainingSample,
} from "../study/mod.ts";
import { atEnd, summarizeWhy, type WhyRow } from "../study/why.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/**
 * How many standard errors a difference must be from 0 to count. With the study's ten seeds, about 1 in 700
 * differences that are none looks like one (t with 9 degrees of freedom).
 */
const CLEAR = 4.5;

const AMOUNTS = [250, 1000, 4000];

/** Dropout makes fewer mistakes on new digits than doing nothing, early stopping and weight decay do. */
export const dropoutHelps: Claim<unknown> = defineClaim({
  id: "dropout-helps",
  section: 1,
  by: "here",
  claim:
    "Dropout does better on digits that the network has not seen than early stopping or weight decay alone.",
  holds: "holds if",
  known: "tested",
  but:
    "If its rates suit the data, and counted in mistakes; with 250 digits to learn from, its loss is not clearly " +
    "lower than with weight decay. Varied were the amount of data, rates, learning rates and decay; not varied were " +
    "the data (MNIST), the kind of network (two hidden layers of 128 units), the optimizer (Adam) and the 2,000 steps.",
}, async () => {
  const remedies = summarizeWhy(await readStudy<WhyRow>("why"));
  const stopsOf = (n: number, name: string) =>
    remedies.find(({ samples, remedy }) => samples === n && remedy === name)!.stops;
  const compare = (n: number, rival: string, what: "loss" | "error") =>
    estimateDifference(stopsOf(n, "dropout"), stopsOf(n, rival), (stop) => stop[what]);
  const rivals = ["nothing", "early stopping", "weight decay"];
  const mistakes = AMOUNTS.flatMap((n) => rivals.map((rival) => compare(n, rival, "error")));
  const losses = AMOUNTS.map((n) => rivals.map((rival) => compare(n, rival, "loss")));
  const [few, ...more] = losses;
  const without = AMOUNTS.flatMap((n) =>
    rivals.slice(1).map((rival) =>
      estimateDifference(stopsOf(n, rival), stopsOf(n, "nothing"), ({ error }) => error)
    )
  );
  const largest = Math.max(...without.map(({ mean }) => Math.abs(mean)));
  return {
    supports: mistakes.every(isBelow) && more.flat().every(isBelow) && isBelow(few[0]) && !isBelow(few[2]) &&
      largest < 0.01,
    summary: `the study's ten networks for each, with ${AMOUNTS.join(", ")} digits: ${
      AMOUNTS.map((n) =>
        rivals.slice(1).map((rival) => inPoints(compare(n, rival, "error"))).join(" and ")
      ).join("; ")
    } percentage points of mistakes, against early stopping and against weight decay (paired by seed, ± SE), which ` +
      `differ from doing nothing by at most ${show(100 * largest, 2)}`,
  };
});

/** Which rates help depends on the amount of data. */
export const ratesSuitData: Claim<unknown> = defineClaim({
  id: "rates-suit-data",
  section: 1,
  by: "here",
  claim:
    "On these digits, which rates help depends on how many there are, and too high a rate can be worse than none.",
  holds: "holds",
  known: "tested",
}, async () => {
  const study = await readStudy<WhyRow>("why");
  const gain = (samples: number, hiddenRate: number, inputRate = 0) =>
    gainOf(study, { samples, hiddenRate, inputRate });
  const told = (samples: number, ...rates: number[]) =>
    rates.map((rate) => `${rate}: ${inPoints(gain(samples, rate))}`).join(", ");
  const helpful = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7].every((rate) => isBelow(gain(1000, rate)));
  const useless = [gain(1000, 0.8), ...[0.2, 0.5, 0.8].map((rate) => gain(250, rate))];
  return {
    supports: helpful && !useless.some(isBelow) && isBelow(gain(250, 0.5, 0.2)) && isBelow(gain(4000, 0.2)) &&
      isBelow(negate(gain(4000, 0.8))),
    summary:
      "the study's mistakes beside those without dropout, in percentage points (ten pairs, ± SE), by rate of " +
      `hidden units alone: with 1000 digits ${
        told(1000, 0.1, 0.2, 0.5, 0.7, 0.8)
      } (clear, by ${CLEAR} SE, from 0.2 ` +
      `to 0.7); with 4000 ${told(4000, 0.2, 0.5, 0.8)}; with 250 ${
        told(250, 0.2, 0.5, 0.8)
      }, where 0.5 together with ` +
      `0.2 of the pixels gives ${inPoints(gain(250, 0.5, 0.2))}`,
  };
});

/** Mistakes with these rates, minus those without dropout. */
function gainOf(
  study: readonly WhyRow[],
  rates: Pick<WhyRow, "samples" | "inputRate" | "hiddenRate">,
): Estimate {
  const common = { side: 14, lr: 1e-3, weightDecay: 0, steps: 2000, samples: rates.samples } as const;
  const [own, none] = [rates, { inputRate: 0, hiddenRate: 0 }].map((chosen) =>
    selectRows(study, { ...common, ...chosen }).map(atEnd)
  );
  return estimateDifference(own, none, ({ error }) => error);
}

function isBelow({ mean, standardError }: Estimate): boolean {
  return mean < -CLEAR * standardError;
}

function negate({ mean, standardError }: Estimate): Estimate {
  return { mean: -mean, standardError };
}

function inPoints({ mean, standardError }: Estimate): string {
  return `${(100 * mean).toFixed(2)} ± ${(100 * standardError).toFixed(2)}`;
}

/** Which linear unit to visit with all masks. */
export interface UnitOptions {
  /** Drop probability of its inputs, in [0, 1]. Default 0.5. */
  p?: number;
  /** How many inputs it has, at most 20. Default 10. */
  inputs?: number;
  /** Seed of inputs and weights. Default 42. */
  seed?: number;
}

/** One linear unit, with a bias: its output with a mask, without one, and how far rounding can move either. */
function linearUnit(seed: number, inputs: number) {
  const rng = defaultRng(seed);
  const [x, w] = [rng.standardNormal([1, inputs]), rng.standardNormal([inputs, 1])];
  const output = (input: Tensor, weight: Tensor, bias: number) => matmul(input, weight).data[0] + bias;
  const average = (p: number, bias: number) =>
    exactExpectation((mask) => output(applyMask(x, mask.reshape([1, inputs]), 1), w, bias), inputs, p).mean;
  const inference = (p: number, bias: number) => output(x, inferenceWeight(w, p), bias);
  const size = sum(multiply(x, transpose(w)).map(Math.abs));
  // Of each of the two: at most 2n + 4 roundings, in the products, their sum and the probability of a mask.
  const rounding = (bias: number) => 2 * (inputs + 2) * Number.EPSILON * (size + Math.abs(bias));
  return { average, inference, rounding };
}

/** Inference with (1 − p)·W gives the average of a linear layer's training outputs. */
export const scaledWeightsMatch: Claim<UnitOptions> = defineClaim({
  id: "scaled-weights-match",
  section: 1,
  by: "article",
  claim: "Multiplying the weights by 1 − p at test time makes inference match the training statistics.",
  holds: "holds if",
  known: "enumerated",
  but:
    "If the statistic is the mean, and of a linear layer: what a nonlinearity does to it is notebook 2's question.",
}, ({ p = 0.5, inputs = 10, seed = 42 }: UnitOptions = {}) => {
  const { average, inference, rounding } = linearUnit(seed, inputs);
  const others = [0, 0.1, 0.25, 0.5, 0.8, 1];
  const errors = [p, ...others].map((rate) => Math.abs(average(rate, 0.5) - inference(rate, 0.5)));
  const worst = Math.max(...errors);
  return {
    supports: worst <= rounding(0.5),
    summary:
      `over all ${2 ** inputs} masks of a unit with ${inputs} inputs (seed ${seed}), for p = ${p} and ` +
      `${others.length} fixed rates from 0 to 1, average and inference differ by at most ${
        worst.toExponential(1)
      }`,
  };
});

/** A bias that is scaled like a weight puts every output off by −p·b. */
export const biasUnscaled: Claim<UnitOptions> = defineClaim({
  id: "bias-unscaled",
  section: 1,
  by: "here",
  claim: "The bias must not be scaled: if it is, each output of a linear layer is off by −p·b.",
  holds: "holds",
  known: "enumerated",
}, ({ p = 0.5, inputs = 10, seed = 42 }: UnitOptions = {}) => {
  const { average, inference, rounding } = linearUnit(seed, inputs);
  const biases = [-2, -0.5, 0.5, 2];
  const gaps = biases.map((bias) => {
    const product = inference(p, 0);
    return Math.abs(product + (1 - p) * bias - average(p, bias) + p * bias) / rounding(bias);
  });
  return {
    supports: Math.max(...gaps) <= 1,
    summary:
      `over all ${2 ** inputs} masks, p = ${p}, seed ${seed}: with a bias of ${
        biases.join(", ")
      } the error is ` +
      `${biases.map((bias) => show(-p * bias)).join(", ")}, up to rounding`,
  };
});

/** A slip in scaling grows with depth if the factor is too large, and levels off at 100 % if it is too small. */
export const mistakesGrow: Claim<{ p?: number; seed?: number }> = defineClaim({
  id: "mistakes-grow",
  section: 1,
  by: "article",
  claim: "With a rate for each layer, scaling weights at inference is error-prone.",
  holds: "holds if",
  known: "tested",
  but:
    "If that means what a slip costs; how often one is made was not counted. In ReLU networks a rate taken too low in " +
    "every layer costs more with each layer; one taken too high costs at most the whole output.",
}, ({ p = 0.5, seed = 42 }: { p?: number; seed?: number } = {}) => {
  const mistakes = scalingMistakes({ p, seed, depths: [1, 8] });
  const [low, high] = ["rate too low", "rate too high"].map((name) =>
    mistakes.filter(({ mistake }) => mistake === name)
  );
  const gap = (low[1].error - low[0].error) / Math.hypot(low[1].standardError, low[0].standardError);
  const room = (1 - high[1].error) / high[1].standardError;
  const percent = (value: number) => `${show(100 * value, 3)} %`;
  return {
    supports: gap > CLEAR && room > CLEAR,
    summary:
      `for p = ${p} (50 random networks for each depth, seed ${seed}), ${
        show(low[0].rate, 3)
      } in its place is ` +
      `wrong by ${percent(low[0].error)} after 1 layer and ${percent(low[1].error)} after 8; ${
        show(high[0].rate, 3)
      } by ` +
      `${percent(high[0].error)} and ${percent(high[1].error)}`,
  };
});

const NETWORKS = 10;

/** Weights saved for inference are not those to train on with: the loss jumps, and nothing says why. */
export const twoCheckpoints: Claim<{ p?: number; seed?: number }> = defineClaim({
  id: "two-checkpoints",
  section: 1,
  by: "article",
  claim: "Training and inference need different weights, which complicates checkpoints.",
  holds: "holds",
  known: "tested",
}, async ({ p = 0.5, seed = 42 }: { p?: number; seed?: number } = {}) => {
  const digits = await loadDigits();
  const runs = Array.from({ length: NETWORKS }, (_, i) => {
    const few = trainingSample(digits.train, 250, seed + i);
    const net = classifier({ seed: seed + i, hiddenRate: p, dropout: StandardDropout });
    train(net, few, { steps: 100, optimizer: new Adam(net.parameters(), { lr: 1e-2 }), seed: seed + i });
    const before = evaluate(net, few).loss;
    const entries = Object.entries(net.stateDict()).map(([name, value]) =>
      [name, name === "4.weight" || name === "7.weight" ? multiply(value, 1 - p) : value] as const
    );
    net.loadStateDict(Object.fromEntries(entries));
    return evaluate(net, few).loss / before;
  });
  const { mean, standardError } = estimate(runs, Math.log);
  return {
    supports: mean > CLEAR * standardError,
    summary:
      `${NETWORKS} networks learned 250 digits at p = ${p} (seeds from ${seed} on): resumed from weights saved for ` +
      `inference, their loss on these digits is ${show(Math.min(...runs), 4)} to ${
        show(Math.max(...runs), 4)
      } times as ` +
      `high (${show(mean / standardError, 3)} SE in the logarithm)`,
  };
});

/** The claims of section 1. */
export const originalClaims: readonly Claim[] = [
  dropoutHelps,
  ratesSuitData,
  scaledWeightsMatch,
  biasUnscaled,
  mistakesGrow,
  twoCheckpoints,
];
