/**
 * What the article's fifth block of code prints, line by line, if its input is drawn with seed 42.
 * @module
 */

import { mean, type Tensor } from "../mod.ts";
import { demonstrateReproducibility, deploymentChecklist, type Reproducibility } from "./reproducibility.ts";

/** The lines of block 5, as Python prints them after `np.random.seed(42)`. */
export function reproducibilityLines(): string[] {
  return [
    "Inverted Dropout Reproducibility",
    "=".repeat(50),
    ...scenarioLines(demonstrateReproducibility()),
    "",
    "=".repeat(50),
    "Production Deployment Checklist",
    "=".repeat(50),
    ...deploymentChecklist.flatMap(({ item, detail }) => [` ✓ ${item}`, ` ${detail}`]),
    "",
    " Key insight: Inverted dropout requires NO modifications",
    " for production deployment. Just switch to eval mode.",
  ];
}

function scenarioLines({ inference, training, iterations }: Reproducibility): string[] {
  const six = (output: Tensor) => mean(output).toFixed(6);
  return [
    "",
    "1. Deterministic Inference:",
    ...inference.outputs.map((output, i) => ` Output ${i + 1} mean: ${six(output)}`),
    ` All identical: ${python(inference.same)}`,
    "",
    "2. Reproducible Training (with reset):",
    ` Run 1: ${list(training.run1)}`,
    ` Run 2: ${list(training.run2)}`,
    ` Runs match: ${python(training.same)}`,
    "",
    "3. Iteration-Specific Seeds:",
    ` Iteration 100: ${six(iterations.iteration100)}`,
    ` Iteration 200: ${six(iterations.iteration200)}`,
    ` Iteration 100 again: ${six(iterations.iteration100Again)}`,
    ` Iter 100 reproducible: ${python(iterations.same)}`,
  ];
}

/** Python's list of strings. */
function list(outputs: readonly Tensor[]): string {
  return `[${outputs.map((output) => `'${mean(output).toFixed(4)}'`).join(", ")}]`;
}

/** Python's spelling of a truth value. */
function python(value: boolean): string {
  return value ? "True" : "False";
}
