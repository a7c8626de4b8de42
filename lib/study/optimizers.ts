/**
 * Does dropout want another learning rate, or another optimizer? Two problems, two budgets of steps, four optimizers.
 *
 * On digits, 196–128–128–10 with dropout after both hidden layers learns from 1,000 samples; on the small problem, 8–32–1
 * with dropout after the hidden layer learns from 128. All settings of a seed share samples, initial weights and order.
 * @module
 */

import { describe } from "../check.ts";
import {
  Adam,
  FastStream,
  InvertedDropout,
  type Layer,
  Linear,
  type Optimizer,
  ReLU,
  Sequential,
  SGD,
} from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import { type Estimate, estimate, estimateDifference, groupRows, seedsTo, selectRows } from "./rows.ts";
import {
  constantLoss,
  evaluationLoss,
  makeProblem,
  type Problem,
  type ProblemName,
  trainModel,
} from "./problem.ts";

/** Two without a memory of earlier gradients, and two with: momentum 0.9, and Adam's β₁ = 0.9. */
export type OptimizerName = "SGD" | "SGD + momentum" | "Adam, β₁ = 0" | "Adam";

/** How large the trainings of a problem are. */
export interface Scale {
  /** Training samples. */
  samples: number;
  /** Samples in a step. */
  batch: number;
  /** Units of each hidden layer. */
  hidden: readonly number[];
  /** The two budgets. */
  steps: readonly [number, number];
}

/** Scales of both problems; that of the small one is notebook 5's. */
export const SCALES: Readonly<Record<ProblemName, Scale>> = {
  digits: { samples: 1000, batch: 50, hidden: [128, 128], steps: [100, 300] },
  small: { samples: 128, batch: 8, hidden: [32], steps: [160, 800] },
};

/** Which network is trained on what, and for how long. */
export type TrainingSettings = {
  /** The problem. */
  problem: ProblemName;
  /** The optimizer. */
  optimizer: OptimizerName;
  /** Drop probability after each hidden layer, in [0, 1). */
  p: number;
  /** Steps of training. */
  steps: number;
  /** Decides samples, initial weights, order and masks. */
  seed: number;
};

/** Where one training ended. */
export interface TrainingResult {
  /** Loss in evaluation mode on the training samples, at most that of the best constant answer. */
  trainLoss: number;
  /** The same on the samples to choose on. */
  validationLoss: number;
  /** The same on the samples to report on. */
  testLoss: number;
  /** True if the best constant answer is as good on the training samples: training diverged, or all units died. */
  failed: boolean;
}

/** Where the trainings at several learning rates ended, in the order of the rates. */
export type OptimizerResult = {
  /** The learning rates. */
  lr: number[];
  /** Loss on the training samples, in evaluation mode, at most that of the best constant answer. */
  trainLoss: number[];
  /** The same on the samples to choose on. */
  validationLoss: number[];
  /** The same on the samples to report on. */
  testLoss: number[];
  /** Which trainings failed: 1, others 0. */
  failed: number[];
};

/** One run. */
export type OptimizerRow = TrainingSettings & OptimizerResult;

/** What a search for the largest rate finds. */
export type StabilityResult = {
  /** A learning rate at which training works, and fails at one that is 19 % larger. */
  limit: number;
};

/** One search and what it found. */
export type StabilityRow = TrainingSettings & StabilityResult;

const PROBLEMS: readonly ProblemName[] = ["digits", "small"];

/** Of each problem and optimizer, the lowest of seven learning rates; each is twice the one before. */
const LOWEST: Readonly<Record<ProblemName, Readonly<Record<OptimizerName, number>>>> = {
  digits: { "SGD": 0.05, "SGD + momentum": 0.005, "Adam, β₁ = 0": 0.0005, "Adam": 0.0005 },
  small: { "SGD": 0.01, "SGD + momentum": 0.001, "Adam, β₁ = 0": 0.002, "Adam": 0.002 },
};

/** The names of the optimizers. */
export const OPTIMIZERS: readonly OptimizerName[] = ["SGD", "SGD + momentum", "Adam, β₁ = 0", "Adam"];

/** Best rate and loss of four optimizers by drop probability, at two budgets: one training for each learning rate. */
export const optimizers: Experiment<TrainingSettings, OptimizerResult> = {
  name: "optimizers",
  version: 1,
  grid: (seeds) => trainings(OPTIMIZERS, [0, 0.5, 0.8], seeds),
  run: async (settings) => {
    const lr = learningRates(settings.problem, settings.optimizer);
    const results: TrainingResult[] = [];
    for (const rate of lr) results.push(await trainAt(settings, rate));
    return {
      lr,
      trainLoss: results.map(({ trainLoss }) => trainLoss),
      validationLoss: results.map(({ validationLoss }) => validationLoss),
      testLoss: results.map(({ testLoss }) => testLoss),
      failed: results.map(({ failed }) => Number(failed)),
    };
  },
};

/**
 * How large a learning rate SGD bears, with and without momentum. Adam is not asked: the length of its steps is bounded
 * by the rate, and where it fails is no question of the rate alone.
 */
export const stability: Experiment<TrainingSettings, StabilityResult> = {
  name: "stability",
  version: 1,
  grid: (seeds) => trainings(["SGD", "SGD + momentum"], [0, 0.2, 0.5, 0.8], seeds),
  run: async (settings) => ({ limit: await stabilityLimit(settings) }),
};

function trainings(
  optimizers: readonly OptimizerName[],
  rates: readonly number[],
  seeds: number,
): TrainingSettings[] {
  return PROBLEMS.flatMap((problem) =>
    optimizers.flatMap((optimizer) =>
      rates.flatMap((p) =>
        SCALES[problem].steps.flatMap((steps) =>
          seedsTo(seeds).map((seed) => ({ problem, optimizer, p, steps, seed }))
        )
      )
    )
  );
}

/** Seven learning rates, each twice the one before. */
export function learningRates(problem: ProblemName, optimizer: OptimizerName): number[] {
  return Array.from({ length: 7 }, (_, i) => LOWEST[problem][optimizer] * 2 ** i);
}

/** One training. A loss above that of the best constant answer counts as this: a single one would decide every mean. */
export async function trainAt(settings: TrainingSettings, lr: number): Promise<TrainingResult> {
  const problem = await problemOf(settings);
  const model = trainOn(problem, settings, lr);
  const loss = (part: "train" | "validation" | "test") => {
    const constant = constantLoss(problem[part], problem.constant, problem.lossOf);
    const own = evaluationLoss(model, problem[part], problem.lossOf);
    return own < constant ? own : constant; // NaN is not below
  };
  const [trainLoss, validationLoss, testLoss] = [loss("train"), loss("validation"), loss("test")];
  return { trainLoss, validationLoss, testLoss, failed: hasFailed(problem, model) };
}

/** The problem with a seed's training samples. */
export function problemOf({ problem, seed }: Pick<TrainingSettings, "problem" | "seed">): Promise<Problem> {
  return makeProblem(problem, SCALES[problem].samples, seed);
}

/** A network of the problem's scale, trained; in training mode. */
export function trainOn(problem: Problem, settings: TrainingSettings, lr: number): Sequential {
  const { batch, hidden } = SCALES[settings.problem];
  const { optimizer, p, steps, seed } = settings;
  const model = makeModel(problem, hidden, p, seed);
  trainModel(model, makeOptimizer(optimizer, model, lr), problem, {
    steps,
    batch,
    rng: new FastStream([seed, 2]),
  });
  return model;
}

/** Linear layers with ReLU and dropout after all but the last. The seed decides weights and masks, whatever `p` is. */
export function makeModel(problem: Problem, hidden: readonly number[], p: number, seed: number): Sequential {
  const { inputs, outputs, dtype } = problem;
  const rng = new FastStream([seed, 1]);
  const blocks = hidden.flatMap((width, i) => [
    new Linear(i === 0 ? inputs : hidden[i - 1], width, { rng, dtype }),
    new ReLU(),
    new InvertedDropout(p, { seed: [seed, 3, i] }),
  ]);
  return new Sequential(...blocks, new Linear(hidden.at(-1) ?? inputs, outputs, { rng, dtype }));
}

/** The optimizer of that name. @throws {RangeError} if there is none. */
export function makeOptimizer(name: OptimizerName, model: Layer, lr: number): Optimizer {
  const parameters = model.parameters();
  if (name === "SGD") return new SGD(parameters, { lr });
  if (name === "SGD + momentum") return new SGD(parameters, { lr, momentum: 0.9 });
  if (name === "Adam, β₁ = 0") return new Adam(parameters, { lr, betas: [0, 0.999] });
  if (name === "Adam") return new Adam(parameters, { lr });
  throw new RangeError(`The optimizer must be one of ${OPTIMIZERS.join("; ")}, got ${describe(name)}`);
}

function hasFailed({ train, constant, lossOf }: Problem, model: Layer): boolean {
  return !(evaluationLoss(model, train, lossOf) < constantLoss(train, constant, lossOf));
}

/**
 * How large the learning rate may be: doubled until training fails (or, if it fails at once, halved until it works), and
 * then searched between the last two in quarters of a doubling. Training works at the rate that is returned, and fails at
 * one that is 19 % larger.
 *
 * @throws {RangeError} if training fails at a thousandth of the usual rates, too.
 */
export async function stabilityLimit(settings: TrainingSettings): Promise<number> {
  const problem = await problemOf(settings);
  const start = 4 * LOWEST[settings.problem][settings.optimizer];
  const rate = (quarters: number) => start * 2 ** (quarters / 4);
  const fails = (quarters: number) => hasFailed(problem, trainOn(problem, settings, rate(quarters)));
  let failing = 0;
  while (!fails(failing)) failing += 4;
  while (failing <= 0 && fails(failing - 4)) {
    failing -= 4;
    if (failing < -40) throw new RangeError(`Training fails at any rate: ${JSON.stringify(settings)}`);
  }
  const half = failing - 2;
  const quarter = fails(half) ? half - 1 : half + 1;
  return rate(fails(quarter) ? quarter - 1 : quarter);
}

/** How one optimizer does at its best learning rates. */
export type OptimizerCell = {
  /** The problem. */
  problem: ProblemName;
  /** Steps of training. */
  steps: number;
  /** Drop probability. */
  p: number;
  /** The optimizer. */
  optimizer: OptimizerName;
  /** The learning rate whose validation loss is lowest, over all seeds. */
  lr: number;
  /** Test loss at that rate, a geometric mean. */
  loss: number;
  /** Factor by which the loss may be off: one standard error. */
  lossFactor: number;
  /** Each seed's own best rate on the validation samples, a geometric mean. */
  bestRate: number;
  /** Its standard error, as a factor. */
  bestRateFactor: number;
  /** How much larger the best rate is than without dropout: the mean of log₂, paired by seed. */
  rateShift: Estimate | null;
  /** How much higher the loss is than plain SGD's at its best rate: the mean of ln, paired by seed. */
  againstSgd: Estimate | null;
  /** The same minus that without dropout: below zero if dropout makes the optimizer's advantage larger. */
  againstSgdGrows: Estimate | null;
  /** How much higher the loss is at the rate that is best without dropout: the mean of ln, paired by seed. */
  keptRateCosts: Estimate | null;
  /** At how many of the seven rates half of the trainings or more failed. */
  failingRates: number;
};

/**
 * The table of `optimizers`: rates are chosen by validation loss, and losses are the test's. Losses and rates are averaged
 * as logarithms, since their ratios count.
 */
export function summarizeOptimizers(runs: readonly OptimizerRow[]): OptimizerCell[] {
  const rows = runs.flatMap(atEachRate);
  return groupRows(rows, "problem", "steps", "p", "optimizer").map((group) => {
    const { problem, steps, p, optimizer } = group[0];
    const chosen = atBestRate(group);
    const loss = estimate(chosen, (row) => Math.log(row.testLoss));
    const own = ownBestRates(group);
    const rate = estimate(own, logRate);
    const withoutDropout = selectRows(rows, { problem, steps, p: 0, optimizer });
    const ratios = (rate: number) => logRatios(selectRows(rows, { problem, steps, p: rate }), optimizer);
    const kept = selectRows(group, { lr: atBestRate(withoutDropout)[0].lr });
    return {
      problem,
      steps,
      p,
      optimizer,
      lr: chosen[0].lr,
      loss: Math.exp(loss.mean),
      lossFactor: Math.exp(loss.standardError),
      bestRate: 2 ** rate.mean,
      bestRateFactor: 2 ** rate.standardError,
      rateShift: p === 0 ? null : estimateDifference(own, ownBestRates(withoutDropout), logRate),
      againstSgd: optimizer === "SGD" ? null : estimate(ratios(p), ({ ratio }) => ratio),
      againstSgdGrows: optimizer === "SGD" || p === 0
        ? null
        : estimateDifference(ratios(p), ratios(0), ({ ratio }) => ratio),
      keptRateCosts: p === 0 ? null : estimateDifference(kept, chosen, (row) => Math.log(row.testLoss)),
      failingRates: groupRows(group, "lr").filter((runs) =>
        runs.filter(({ failed }) => failed).length >= runs.length / 2
      )
        .length,
    };
  });
}

/** One training of a run. */
type RateRow = TrainingSettings & { lr: number; validationLoss: number; testLoss: number; failed: boolean };

function atEachRate(
  { lr, validationLoss, testLoss, failed, trainLoss: _, ...settings }: OptimizerRow,
): RateRow[] {
  return lr.map((rate, i) => (
    {
      ...settings,
      lr: rate,
      validationLoss: validationLoss[i],
      testLoss: testLoss[i],
      failed: failed[i] === 1,
    }
  ));
}

const logRate = (row: { lr: number }) => Math.log2(row.lr);

/** Of each seed, ln of an optimizer's loss over plain SGD's, each at its best rate. */
function logRatios(rows: readonly RateRow[], optimizer: OptimizerName): { seed: number; ratio: number }[] {
  const [own, sgd] = [optimizer, "SGD" as const].map((name) =>
    atBestRate(selectRows(rows, { optimizer: name }))
  );
  return own.map(({ seed, testLoss }) => {
    const [pair] = selectRows(sgd, { seed });
    return { seed, ratio: Math.log(testLoss / pair.testLoss) };
  });
}

/** The runs at the learning rate whose validation loss is lowest. */
function atBestRate(rows: readonly RateRow[]): RateRow[] {
  const logLoss = (runs: readonly RateRow[]) =>
    runs.reduce((sum, row) => sum + Math.log(row.validationLoss), 0);
  return groupRows(rows, "lr").reduce((best, runs) => logLoss(runs) < logLoss(best) ? runs : best);
}

/** Of each seed, the run with the lowest validation loss. */
function ownBestRates(rows: readonly RateRow[]): RateRow[] {
  return groupRows(rows, "seed").map((runs) =>
    runs.reduce((best, row) => row.validationLoss < best.validationLoss ? row : best)
  );
}

/** How large a learning rate may be. */
export type StabilityCell = Omit<TrainingSettings, "seed"> & {
  /** The largest rate at which training works, a geometric mean. */
  limit: number;
  /** Its standard error, as a factor. */
  limitFactor: number;
  /** How much larger it is than without dropout: the mean of log₂, paired by seed. */
  shift: Estimate | null;
};

/** The table of `stability`. */
export function summarizeStability(rows: readonly StabilityRow[]): StabilityCell[] {
  const logLimit = (row: StabilityResult) => Math.log2(row.limit);
  return groupRows(rows, "problem", "optimizer", "steps", "p").map((group) => {
    const { problem, optimizer, steps, p } = group[0];
    const limit = estimate(group, logLimit);
    const without = selectRows(rows, { problem, optimizer, steps, p: 0 });
    return {
      problem,
      optimizer,
      steps,
      p,
      limit: 2 ** limit.mean,
      limitFactor: 2 ** limit.standardError,
      shift: p === 0 ? null : estimateDifference(group, without, logLimit),
    };
  });
}
