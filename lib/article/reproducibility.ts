/**
 * The article's fifth demonstration: three ways to get the same output again, and a checklist for deployment.
 * @module
 */

import { checkOptions } from "../check.ts";
import { RandomState, ReproducibleDropout, type Tensor } from "../mod.ts";
import { sameNumbers } from "../tensor/tensor.ts";

/** What to run; the defaults are the article's. */
export interface ReproducibilityOptions {
  /** The input, any shape. Default: `randn(4, 8)` of NumPy's legacy stream with seed 42; the article seeds none. */
  x?: Tensor;
  /** Seed of the layers, a non-negative integer. Default 42. */
  seed?: number;
}

/** Outputs that should be the same. */
export interface Repetition {
  /** The outputs, shaped like `x`. */
  outputs: Tensor[];
  /** True if they agree bit for bit. */
  same: boolean;
}

/** What the demonstration found. */
export interface Reproducibility {
  /** The input. */
  x: Tensor;
  /** Three passes in evaluation mode. */
  inference: Repetition;
  /** Two runs of three passes in training mode, each after `reset(seed)`. */
  training: {
    /** The outputs before the second reset. */
    run1: Tensor[];
    /** The outputs after it. */
    run2: Tensor[];
    /** True if both runs agree bit for bit. */
    same: boolean;
  };
  /** Passes in training mode with a seed for each iteration. */
  iterations: {
    /** Iteration 100. */
    iteration100: Tensor;
    /** Iteration 200, with another mask. */
    iteration200: Tensor;
    /** Iteration 100, asked for once more. */
    iteration100Again: Tensor;
    /** True if both outputs of iteration 100 agree bit for bit. */
    same: boolean;
  };
}

/** Runs the article's three scenarios, each with a fresh layer that drops half. */
export function demonstrateReproducibility(options: ReproducibilityOptions = {}): Reproducibility {
  checkOptions("demonstrateReproducibility", options, ["x", "seed"]);
  const { x = new RandomState(42).randn(4, 8), seed = 42 } = options;
  const three = <T>(f: () => T): T[] => [f(), f(), f()];
  const layer = () => new ReproducibleDropout(0.5, { seed });

  const evaluated = layer().eval();
  const outputs = three(() => evaluated(x));

  const trained = layer();
  const run = () => {
    trained.reset(seed);
    return three(() => trained(x));
  };
  const [run1, run2] = [run(), run()];

  const seeded = layer();
  const [iteration100, iteration200, iteration100Again] = [100, 200, 100].map((iteration) =>
    seeded(x, { iteration })
  );
  return {
    x,
    inference: { outputs, same: outputs.every((output) => sameNumbers(output, outputs[0])) },
    training: { run1, run2, same: run1.every((output, i) => sameNumbers(output, run2[i])) },
    iterations: {
      iteration100,
      iteration200,
      iteration100Again,
      same: sameNumbers(iteration100, iteration100Again),
    },
  };
}

/** A point of the article's checklist. */
export interface ChecklistItem {
  /** What should hold. */
  item: string;
  /** What the article says about it. */
  detail: string;
}

/** The article's checklist for deployment. It checks nothing by itself; `auditModel` does. */
export const deploymentChecklist: readonly ChecklistItem[] = [
  { item: "Model set to eval mode", detail: "model.eval() called before inference" },
  { item: "Dropout disabled", detail: "Happens automatically in eval mode" },
  { item: "Same weights as training", detail: "Inverted dropout uses identical weights" },
  { item: "No randomness", detail: "Inference is fully deterministic" },
  { item: "Reproducible outputs", detail: "Same input → same output, always" },
];
