/**
 * Dropout and batch normalization: which order costs what, at the same amount of dropout; and what becomes of the variance
 * in front of each normalization when dropout is switched off.
 *
 * Two hidden layers of 128 units on 1,000 digits, of 32 on 512 samples of the small problem. Dropout at `p` stands in the
 * first block, in the last, or in both, so that layouts are compared at the same rate in the same number of places.
 *
 * Source: Li et al. 2018, "Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift" (there,
 * p is the probability of keeping). The ratio of variances, its law and that wide layers suffer less are theirs; their DenseNet
 * on CIFAR-100 has an accuracy of 77.42 %, and with dropout of 0.5 in each bottleneck one of 68.55 %.
 * @module
 */

import { linearShiftTheory, probeBatchNorms, settleStatistics } from "../experiments/li_variance_shift.ts";
import {
  Adam,
  BatchNorm,
  FastStream,
  InvertedDropout,
  type Layer,
  Linear,
  mean,
  type Parameter,
  reestimateStatistics,
  ReLU,
  Sequential,
  take,
} from "../mod.ts";
import type { Experiment } from "./experiment.ts";
import {
  type Estimate,
  estimate,
  estimateDifference,
  groupRows,
  orInfinity,
  seedsTo,
  selectRows,
} from "./rows.ts";
import { evaluationLoss, makeProblem, type Problem, type ProblemName, trainModel } from "./problem.ts";

/** What a block does between its linear layer and the next one, ReLU apart, which follows the normalization. */
export type Layout = "neither" | "BN" | "dropout" | "dropout → BN" | "BN → dropout";

/** Which of the two blocks have dropout. "BN → dropout" in the last one is dropout after the last normalization. */
export type Places = "none" | "first" | "last" | "both";

/** Which network is trained. */
export type LayoutSettings = {
  /** The problem. */
  problem: ProblemName;
  /** The order of its layers. */
  layout: Layout;
  /** Where dropout is; a block without it is normalized all the same, if the layout has BN. */
  places: Places;
  /** Drop probability in those places; 0 without dropout. */
  p: number;
  /** Learning rate of Adam; it falls to 0 in the second half of the steps. */
  lr: number;
  /** Steps of training. */
  steps: number;
  /** Decides samples, initial weights, order and masks. */
  seed: number;
};

/** How it does, and what its normalizations meet. */
export type LayoutResult = {
  /** Loss on the samples to choose on, in evaluation mode. */
  validationLoss: number;
  /** Loss on the samples to report on. */
  testLoss: number;
  /** Test loss with running statistics that were re-estimated, dropout off, on each of `AMOUNTS`; empty without BN. */
  reestimated: number[];
  /** Of each normalization, first to last: variance with dropout off over variance with dropout on, a mean over units. */
  ratios: number[];
};

/** One run. */
export type LayoutRow = LayoutSettings & LayoutResult;

/** How many of the training samples re-estimation gets; the last stands for all of them. */
export const AMOUNTS: readonly number[] = [16, 64, 256, Infinity];

const PROBLEMS: readonly ProblemName[] = ["digits", "small"];

const SCALES = {
  digits: { samples: 1000, batch: 50, width: 128, steps: [150, 450], learningRates: [0.002, 0.006] },
  small: { samples: 512, batch: 32, width: 32, steps: [200, 800], learningRates: [0.01, 0.03, 0.09] },
} as const;

/** Passes over all training samples from which a variance with dropout on is taken. */
const PASSES = 8;

/** Loss and ratios by layout, place, rate and budget; two or three learning rates, to choose from. */
export const batchNormOrders: Experiment<LayoutSettings, LayoutResult> = {
  name: "batch_norm",
  version: 1,
  grid: (seeds) =>
    PROBLEMS.flatMap((problem) =>
      cells().flatMap((cell) =>
        SCALES[problem].learningRates.flatMap((lr) =>
          SCALES[problem].steps.flatMap((steps) =>
            seedsTo(seeds).map((seed) => ({ problem, ...cell, lr, steps, seed }))
          )
        )
      )
    ),
  run: async (settings) => {
    const problem = await problemOf(settings);
    const { validation, test, lossOf } = problem;
    const model = buildModel(problem, settings);
    train(model, model.parameters(), problem, settings);
    const [validationLoss, testLoss] = [validation, test].map((part) => evaluationLoss(model, part, lossOf));
    const normalizes = settings.layout.includes("BN");
    const reestimated = normalizes ? reestimatedLosses(model, problem) : [];
    const ratios = normalizes ? varianceRatios(model, problem) : [];
    return { validationLoss, testLoss, reestimated, ratios };
  },
};

function cells(): Pick<LayoutSettings, "layout" | "places" | "p">[] {
  const without = (["neither", "BN"] as const).map((layout) => ({ layout, places: "none" as const, p: 0 }));
  const withDropout = (["dropout", "dropout → BN", "BN → dropout"] as const).flatMap((layout) =>
    (["first", "last", "both"] as const).flatMap((places) => [0.2, 0.5].map((p) => ({ layout, places, p })))
  );
  return [...without, ...withDropout];
}

/** The problem with a seed's training samples. */
function problemOf({ problem, seed }: Pick<LayoutSettings, "problem" | "seed">): Promise<Problem> {
  return makeProblem(problem, SCALES[problem].samples, seed);
}

/** What decides a network's shape and its initial weights. */
export type ModelSettings = Pick<LayoutSettings, "problem" | "layout" | "places" | "p" | "seed"> & {
  /** Units of each hidden layer. Default 128 for digits, 32 for the small problem. */
  width?: number;
};

/** Two blocks of a linear layer, ReLU, and what the layout has, and another linear layer; in training mode. */
export function buildModel(problem: Problem, settings: ModelSettings): Sequential {
  const { layout, places, p, seed, width = SCALES[settings.problem].width } = settings;
  const { inputs, outputs, dtype } = problem;
  const rng = new FastStream([seed, 1]);
  const linear = (from: number, to: number) => new Linear(from, to, { rng, dtype });
  const block = (place: "first" | "last"): Layer[] => {
    const norm = layout.includes("BN") ? [new BatchNorm(width, { dtype })] : [];
    const isHere = places === place || places === "both";
    const drop = isHere ? [new InvertedDropout(p, { seed: [seed, 3, Number(place === "last")] })] : [];
    return layout === "dropout → BN" ? [...drop, ...norm, new ReLU()] : [...norm, new ReLU(), ...drop];
  };
  return new Sequential(
    linear(inputs, width),
    ...block("first"),
    linear(width, width),
    ...block("last"),
    linear(width, outputs),
  );
}

function train(
  model: Layer,
  parameters: readonly Parameter[],
  problem: Problem,
  { problem: name, lr, steps, seed }: Pick<LayoutSettings, "problem" | "lr" | "steps" | "seed">,
): void {
  trainModel(model, new Adam(parameters, { lr }), problem, {
    steps,
    batch: SCALES[name].batch,
    rng: new FastStream([seed, 2]),
    schedule: (done) => Math.min(1, 2 * (1 - done)),
  });
}

/** Test losses after re-estimation on the first samples; the running statistics are those of the last one then. */
function reestimatedLosses(model: Sequential, { train: { x }, test, lossOf }: Problem): number[] {
  return AMOUNTS.map((amount) => {
    const rows = Array.from({ length: Math.min(amount, x.shape[0]) }, (_, i) => i);
    reestimateStatistics(model, [take(x, rows)]);
    return evaluationLoss(model, test, lossOf);
  });
}

/**
 * Of each normalization, the variance of its input with dropout off over that with dropout on, as a mean over units. Both
 * are those of all training samples in one batch, with the weights as they are: without dropout, the ratio is 1 up to
 * (n − 1)/n. The running statistics are replaced.
 */
export function varianceRatios(model: Sequential, { train: { x } }: Pick<Problem, "train">): number[] {
  settleStatistics(model, Array.from({ length: PASSES }, () => x));
  return probeBatchNorms(model, x).map(({ ratio }) => ratio);
}

/** How β of the first normalization is set. */
export type BetaSettings = {
  /** The problem. */
  problem: ProblemName;
  /** Set in a trained network, or held at that value while the network is trained. */
  when: "after training" | "during training";
  /** β of all units of the first normalization. */
  beta: number;
  /** Decides samples, initial weights, order and masks. */
  seed: number;
};

/** What the second normalization meets then. */
export type BetaResult = {
  /** Variance with dropout off over variance with dropout on, a mean over units. */
  ratio: number;
  /** What the law of Li et al. says for the weights of each unit, a mean over units. */
  theory: number;
  /** E[h]²/Var[h] of what enters dropout, from means over units. */
  meanSquaredOverVariance: number;
};

/** One run. */
export type BetaRow = BetaSettings & BetaResult;

/** What β of the first normalization does to the ratio of the second: BN → dropout at 0.5, in the first block only. */
export const batchNormBeta: Experiment<BetaSettings, BetaResult> = {
  name: "batch_norm_beta",
  version: 1,
  grid: (seeds) =>
    PROBLEMS.flatMap((problem) =>
      (["after training", "during training"] as const).flatMap((when) =>
        [-1, 0, 1, 2].flatMap((beta) => seedsTo(seeds).map((seed) => ({ problem, when, beta, seed })))
      )
    ),
  run: async (settings) => {
    const { problem: name, when, beta, seed } = settings;
    const problem = await problemOf(settings);
    const model = buildModel(problem, { problem: name, layout: "BN → dropout", places: "first", p: P, seed });
    const { bias } = model.children()[1] as BatchNorm;
    const held = when === "during training";
    if (held) bias!.data.fill(beta);
    const parameters = model.parameters().filter(({ value }) => !(held && value === bias));
    const { learningRates: [lr], steps: [steps] } = SCALES[name];
    train(model, parameters, problem, { problem: name, lr, steps, seed });
    bias!.data.fill(beta);
    return secondRatio(model, problem);
  },
};

const P = 0.5;

/** The ratio of the second normalization of "BN → dropout" in the first block, measured and in theory. */
export function secondRatio(model: Sequential, problem: Pick<Problem, "train">): BetaResult {
  const ratio = varianceRatios(model, problem)[1];
  const layers = model.eval().children();
  const h = layers.slice(0, 3).reduce((value, layer) => layer.forward(value), problem.train.x);
  model.train();
  const { weight } = layers[4] as Linear;
  const { data, shape: [n, width] } = h;
  let [meanSquared, variance] = [0, 0];
  for (let unit = 0; unit < width; unit++) {
    const column = Float64Array.from({ length: n }, (_, i) => data[i * width + unit]);
    const center = column.reduce((total, value) => total + value, 0) / n;
    meanSquared += center ** 2;
    variance += column.reduce((total, value) => total + (value - center) ** 2, 0) / n;
  }
  return {
    ratio,
    theory: mean(linearShiftTheory(weight, h, P)),
    meanSquaredOverVariance: meanSquared / variance,
  };
}

/** How wide a network is. */
export type WidthSettings = {
  /** The problem. */
  problem: ProblemName;
  /** Units of each hidden layer. */
  width: number;
  /** Decides samples, initial weights, order and masks. */
  seed: number;
};

/** What its second normalization meets, before and after training. */
export type WidthResult = {
  /** The ratio with initial weights. */
  untrained: number;
  /** The ratio of the trained network. */
  trained: number;
};

/** One run. */
export type WidthRow = WidthSettings & WidthResult;

/** Do wide layers suffer less? The second ratio by width, with BN → dropout at 0.5 in the first block. */
export const batchNormWidth: Experiment<WidthSettings, WidthResult> = {
  name: "batch_norm_width",
  version: 1,
  grid: (seeds) =>
    PROBLEMS.flatMap((problem) =>
      [1 / 4, 1, 4].flatMap((factor) =>
        seedsTo(seeds).map((seed) => ({ problem, width: factor * SCALES[problem].width, seed }))
      )
    ),
  run: async ({ problem: name, width, seed }) => {
    const problem = await problemOf({ problem: name, seed });
    const settings = { problem: name, layout: "BN → dropout", places: "first", p: P, seed, width } as const;
    const model = buildModel(problem, settings);
    const untrained = secondRatio(model, problem).ratio;
    const fresh = buildModel(problem, settings);
    const { learningRates: [lr], steps: [steps] } = SCALES[name];
    train(fresh, fresh.parameters(), problem, { problem: name, lr, steps, seed });
    return { untrained, trained: secondRatio(fresh, problem).ratio };
  },
};

/** How one layout does at its better learning rate. */
export type LayoutCell = Omit<LayoutSettings, "seed"> & {
  /** Test loss. */
  loss: Estimate;
  /** Minus that without dropout, with the same normalization: paired by seed. */
  againstNone: Estimate | null;
  /** Minus that with dropout at the end of the last block instead, at the same rate, with the same normalization. */
  againstLast: Estimate | null;
  /** For "dropout → BN": minus that of "BN → dropout" in the same places at the same rate. */
  againstOtherOrder: Estimate | null;
  /** Ratio of each normalization. */
  ratios: Estimate[];
  /** What re-estimation changes, for each of `AMOUNTS`: loss after it minus loss before it. */
  reestimation: Estimate[];
};

/** The table of `batch_norm`: learning rates are chosen by validation loss, and losses are the test's. */
export function summarizeOrders(rows: readonly LayoutRow[]): LayoutCell[] {
  const testLoss = (row: LayoutRow) => row.testLoss;
  return groupRows(rows, "problem", "steps", "layout", "places", "p").map((group) => {
    const { problem, steps, layout, places, p } = group[0];
    const chosen = atBestRate(group);
    const against = (values: Partial<LayoutRow>) =>
      estimateDifference(chosen, atBestRate(selectRows(rows, { problem, steps, ...values })), testLoss);
    const normalizes = layout.includes("BN");
    const atTheEnd = normalizes ? "BN → dropout" : "dropout";
    const isLast = layout === atTheEnd && places === "last";
    return {
      problem,
      layout,
      places,
      p,
      lr: chosen[0].lr,
      steps,
      loss: estimate(chosen, testLoss),
      againstNone: p === 0 ? null : against({ layout: normalizes ? "BN" : "neither", places: "none" }),
      againstLast: p === 0 || isLast ? null : against({ layout: atTheEnd, places: "last", p }),
      againstOtherOrder: layout === "dropout → BN" ? against({ layout: "BN → dropout", places, p }) : null,
      ratios: chosen[0].ratios.map((_, i) => estimate(chosen, (row) => row.ratios[i])),
      reestimation: chosen[0].reestimated.map((_, i) =>
        estimate(chosen, (row) => row.reestimated[i] - row.testLoss)
      ),
    };
  });
}

/** The runs at the learning rate whose mean validation loss is lowest. */
function atBestRate(rows: readonly LayoutRow[]): LayoutRow[] {
  return lowestLoss(groupRows(rows, "lr"));
}

/** The group with the lowest mean validation loss; all have the same number of rows. */
function lowestLoss(groups: readonly LayoutRow[][]): LayoutRow[] {
  const loss = (runs: readonly LayoutRow[]) =>
    runs.reduce((sum, row) => sum + orInfinity(row.validationLoss), 0);
  return groups.reduce((best, runs) => loss(runs) < loss(best) ? runs : best);
}

/** What a network may use against overfitting: neither of the two, one alone, or both. */
export type Family = "neither" | "BN" | "dropout" | "both";

/** How the best layout of a family does. */
export type FamilyCell = Omit<LayoutSettings, "seed"> & {
  /** Which of the two it uses. */
  family: Family;
  /** Test loss. */
  loss: Estimate;
  /** The runs, one for each seed, to be paired with others. */
  runs: LayoutRow[];
};

/** Of each family the layout, places, rate and learning rate with the lowest mean validation loss; losses are the test's. */
export function summarizeFamilies(rows: readonly LayoutRow[]): FamilyCell[] {
  return groupRows(rows, "problem", "steps").flatMap((group) => {
    const byFamily = Map.groupBy(
      group,
      ({ layout }): Family => layout.includes("→") ? "both" : layout as Family,
    );
    return (["neither", "BN", "dropout", "both"] as const).map((family): FamilyCell => {
      const runs = lowestLoss(groupRows(byFamily.get(family)!, "layout", "places", "p", "lr"));
      const { seed: _, validationLoss: _v, testLoss: _t, reestimated: _re, ratios: _ra, ...settings } =
        runs[0];
      return { ...settings, family, loss: estimate(runs, ({ testLoss }) => testLoss), runs };
    });
  });
}

/** The second ratio at one β. */
export type BetaCell = Omit<BetaSettings, "seed"> & {
  /** The measured ratio. */
  ratio: Estimate;
  /** The law's. */
  theory: Estimate;
  /** E[h]²/Var[h] of what enters dropout. */
  meanSquaredOverVariance: Estimate;
  /** The measured ratio minus that at β = 0: paired by seed. */
  againstZero: Estimate | null;
};

/** The table of `batch_norm_beta`. */
export function summarizeBeta(rows: readonly BetaRow[]): BetaCell[] {
  return groupRows(rows, "problem", "when", "beta").map((group) => {
    const { problem, when, beta } = group[0];
    const zero = selectRows(rows, { problem, when, beta: 0 });
    return {
      problem,
      when,
      beta,
      ratio: estimate(group, (row) => row.ratio),
      theory: estimate(group, (row) => row.theory),
      meanSquaredOverVariance: estimate(group, (row) => row.meanSquaredOverVariance),
      againstZero: beta === 0 ? null : estimateDifference(group, zero, (row) => row.ratio),
    };
  });
}

/** The second ratio at one width. */
export type WidthCell = Omit<WidthSettings, "seed"> & {
  /** With initial weights. */
  untrained: Estimate;
  /** After training. */
  trained: Estimate;
};

/** The table of `batch_norm_width`. */
export function summarizeWidth(rows: readonly WidthRow[]): WidthCell[] {
  return groupRows(rows, "problem", "width").map((group) => ({
    problem: group[0].problem,
    width: group[0].width,
    untrained: estimate(group, (row) => row.untrained),
    trained: estimate(group, (row) => row.trained),
  }));
}
