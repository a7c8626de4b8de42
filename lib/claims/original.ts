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
  standardErrors,
  train,
  trainingSample,
} from "../study/mod.ts";
import { atEnd, summarizeWhy, type WhyRow } from "../study/why.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

/**
 * How many standard errors a difference must be from 0 to count. With the study's ten seeds, about 1 in 700
 * differences that are none looks like one (t with 9 degrees of freedom).
 */
const CLEAR = 4.5;

const AMOUNTS = [250, 1000, 4000];

/** Dropout of pixels and hidden units makes fewer mistakes on test digits than doing nothing, early stopping and weight decay. */
export const dropoutHelps: Claim = defineClaim({
  id: "dropout-helps",
  section: 1,
  by: "here",
  claim:
    "Dropout of pixels and hidden units makes fewer mistakes on test digits than doing nothing, early stopping or " +
    "weight decay.",
  holds: "holds if",
  known: "tested",
  but:
    "If its rates suit the data. Hidden units alone gain less, with 250 digits nothing clear; pixels alone were not " +
    "tried. With 250 digits the loss is not clearly lower than with weight decay. The dropout was inverted, which " +
    "notebook 2 shows to be standard dropout in other numbers. Varied were the amount of data, rates, learning rates " +
    "and decay, chosen by validation loss and not by mistakes; not varied were the data (MNIST), the network (two hidden layers of 128 units), the optimizer (Adam) " +
    "and the 2,000 steps.",
}, async () => {
  const remedies = summarizeWhy(await readStudy<WhyRow>("why"));
  const compare = (n: number, one: string, other: string, what: "loss" | "error" = "error") => {
    const [a, b] = [one, other].map((name) =>
      remedies.find(({ samples, remedy }) => samples === n && remedy === name)!.stops
    );
    return estimateDifference(a, b, (stop) => stop[what]);
  };
  const [both, hidden] = ["dropout, pixels and hidden", "dropout, hidden units"];
  const others = ["early stopping", "weight decay"];
  const fewer = AMOUNTS.flatMap((n) => ["nothing", ...others].map((rival) => compare(n, both, rival)));
  const unclear = AMOUNTS.flatMap((n) => others.map((other) => compare(n, other, "nothing")));
  const told = (one: string, other: string) =>
    AMOUNTS.map((n) => inPoints(compare(n, one, other))).join(", ");
  return {
    supports: fewer.every(isBelow) && !unclear.some(isClear) && !isClear(compare(250, hidden, "nothing")) &&
      AMOUNTS.slice(0, 2).every((n) => isBelow(compare(n, both, hidden))) &&
      !isClear(compare(250, both, "weight decay", "loss")),
    summary:
      `the change in mistakes with ${
        AMOUNTS.join(", ")
      } training digits, in percentage points (the study's ten ` +
      `networks for each, paired by seed, ± SE; clear from ${CLEAR} SE on). Pixels and hidden units, against nothing: ${
        told(both, "nothing")
      }; against early stopping: ${told(both, others[0])}; against weight decay: ${told(both, others[1])}. ` +
      `Hidden units alone, against nothing: ${told(hidden, "nothing")}`,
  };
});

/** Which rates help depends on the amount of data. */
export const ratesSuitData: Claim = defineClaim({
  id: "rates-suit-data",
  section: 1,
  by: "here",
  claim:
    "On these digits, which rates help depends on how many there are to learn from. One was clearly worse than none: " +
    "0.8 of the hidden units with 4,000 digits, after 2,000 steps at the learning rate 0.001, with the loss still falling.",
  holds: "holds",
  known: "tested",
}, async () => {
  const study = await readStudy<WhyRow>("why");
  const gain = (samples: number, hiddenRate: number, inputRate = 0) =>
    gainOf(study, { samples, hiddenRate, inputRate });
  const told = (samples: number, ...rates: number[]) =>
    rates.map((rate) => `${rate}: ${inPoints(gain(samples, rate))}`).join(", ");
  const withPixels = (inputRate: number, hiddenRate: number) =>
    AMOUNTS.map((n) => inPoints(gain(n, hiddenRate, inputRate))).join(", ");
  const tried = study.filter(({ side, weightDecay, lr, steps }) =>
    side === 14 && weightDecay === 0 && lr === 1e-3 && steps === 2000
  );
  const worse = tried.filter(({ seed, samples, hiddenRate, inputRate }) =>
    seed === 0 && inputRate + hiddenRate > 0 && standardErrors(gain(samples, hiddenRate, inputRate)) > CLEAR
  );
  const harmful = selectRows(tried, { samples: 4000, inputRate: 0, hiddenRate: 0.8 });
  const [earlier, end] = [-2, -1].map((i) => estimate(harmful, ({ testLoss }) => testLoss.at(i)!));
  const fall = estimate(harmful, ({ testLoss }) => testLoss.at(-1)! - testLoss.at(-2)!);
  return {
    supports: worse.length === 1 && worse[0].samples === 4000 && worse[0].hiddenRate === 0.8 &&
      isBelow(fall) &&
      [0.2, 0.3, 0.4, 0.5, 0.6, 0.7].every((rate) => isBelow(gain(1000, rate))) &&
      ![0.2, 0.5, 0.8].some((rate) => isClear(gain(250, rate))) && isBelow(gain(4000, 0.2)) &&
      [250, 1000].every((n) => isBelow(gain(n, 0.5, 0.2))) && !isClear(gain(4000, 0.5, 0.2)) &&
      AMOUNTS.every((n) => isBelow(gain(n, 0.3, 0.1))),
    summary:
      "the change in mistakes from no dropout, in percentage points (the study's ten pairs, ± SE). Pixels and hidden " +
      `units, with ${AMOUNTS.join(", ")} digits: 0.2 and 0.5 give ${withPixels(0.2, 0.5)}, 0.1 and 0.3 give ${
        withPixels(0.1, 0.3)
      }. Hidden units alone: with 250 ${told(250, 0.2, 0.5, 0.8)}; with 1000 ${
        told(1000, 0.1, 0.2, 0.5, 0.7, 0.8)
      } (clear, by ${CLEAR} SE, from 0.2 to 0.7); with 4000 ${
        told(4000, 0.2, 0.5, 0.8)
      }, where the test loss ` +
      `fell from ${show(earlier.mean, 3)} to ${show(end.mean, 3)} in the last 400 steps`,
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

function isBelow(difference: Estimate): boolean {
  return standardErrors(difference) < -CLEAR;
}

function isClear(difference: Estimate): boolean {
  return Math.abs(standardErrors(difference)) > CLEAR;
}

function inPoints({ mean, standardError }: Estimate): string {
  return `${(100 * mean).toFixed(2)} ± ${(100 * standardError).toFixed(2)}`;
}

/** Which linear unit to visit with all masks. */
export interface UnitOptions extends Values {
  /** How many inputs it has, at most 20. Default 10. */
  inputs?: number;
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

/** How often people slip is open; what the same slip in every layer costs is computed. */
export const mistakesGrow: Claim = defineClaim({
  id: "mistakes-grow",
  section: 1,
  by: "article",
  claim: "With a rate for each layer, scaling weights at inference is error-prone.",
  holds: "open",
  but:
    "How often people slip was not counted; it would take a count of slips in code that people wrote. What a slip " +
    "costs, if it is made, was computed.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
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
      `the same slip in every layer of random ReLU networks (p = ${p}, 50 for each depth, seed ${seed}): ` +
      `${show(low[0].rate, 3)} taken for the rate puts the output off by ${
        percent(low[0].error)
      } after 1 layer and by ${percent(low[1].error)} after 8; ${show(high[0].rate, 3)}, by ${
        percent(high[0].error)
      } and ${percent(high[1].error)}`,
  };
});

const NETWORKS = 10;

/** What decides about the networks of two checkpoints. */
export interface CheckpointOptions extends Values {
  /** Digits to learn from, at most 4,000. Default 1000. */
  digitCount?: number;
}

/** Weights saved for inference are not those to train on with; weights that layers correct at inference are. */
export const twoCheckpoints: Claim<CheckpointOptions> = defineClaim({
  id: "two-checkpoints",
  section: 1,
  by: "article",
  claim: "Training and inference need different weights, which complicates checkpoints.",
  holds: "holds if",
  known: "tested",
  but:
    "If the corrected weights are what is saved. Layers that correct at inference, as this library's do, need one file, W.",
}, async ({ p = 0.5, seed = 42, digitCount = 1000 }: CheckpointOptions = {}) => {
  const digits = await loadDigits();
  const runs = Array.from({ length: NETWORKS }, (_, i) => {
    const sample = trainingSample(digits.train, digitCount, seed + i);
    const net = classifier({ seed: seed + i, hiddenRate: p, dropout: StandardDropout });
    train(net, sample, { steps: 100, optimizer: new Adam(net.parameters(), { lr: 1e-2 }), seed: seed + i });
    const entries = Object.entries(net.stateDict()).map(([name, value]) =>
      [name, name === "4.weight" || name === "7.weight" ? multiply(value, 1 - p) : value] as const
    );
    const layersCorrect = evaluate(net, sample).loss;
    const uncorrecting = classifier({ seed: seed + i });
    for (const each of [net, uncorrecting]) each.loadStateDict(Object.fromEntries(entries));
    return {
      layersCorrect,
      fileCorrect: evaluate(uncorrecting, sample).loss,
      twice: evaluate(net, sample).loss,
    };
  });
  const rise = estimate(runs, ({ twice, layersCorrect }) => twice - layersCorrect);
  const apart = Math.max(
    ...runs.map(({ layersCorrect, fileCorrect }) => Math.abs(layersCorrect - fileCorrect)),
  );
  const [once, twice] = (["layersCorrect", "twice"] as const).map((way) => {
    const { mean, standardError } = estimate(runs, (run) => run[way]);
    return `${mean.toFixed(3)} ± ${standardError.toFixed(3)}`;
  });
  return {
    supports: standardErrors(rise) > CLEAR && apart < rise.mean / 1000,
    summary:
      `${NETWORKS} networks learned ${digitCount} digits at p = ${p} (seeds from ${seed} on). In layers that correct, ` +
      `the loss on these digits is ${once} from W and ${twice} from (1 − p)·W, corrected twice (mean ± SE); ` +
      `(1 − p)·W in layers that do not correct gives ${
        apart === 0 ? "exactly that of W" : `that of W within ${show(apart, 2)}`
      }`,
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
