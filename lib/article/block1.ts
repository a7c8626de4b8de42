/**
 * The article's first block of code, as it prints.
 * @module
 */

import { mean } from "../mod.ts";
import {
  compareStandardVsInverted,
  type Comparison,
  type SchemeResult,
} from "./compare_standard_vs_inverted.ts";

/**
 * The printed lines, byte for byte.
 *
 * @param comparison A result that was computed before; by default, it is computed.
 */
export function comparisonLines(comparison: Comparison = compareStandardVsInverted()): string[] {
  const { standard, inverted } = comparison;
  const gap = Math.abs(mean(standard.inference) - mean(inverted.inference));
  return [
    "Comparing Standard vs Inverted Dropout",
    "=".repeat(50),
    ...schemeLines("Standard", standard),
    ...schemeLines("Inverted", inverted),
    "",
    "Cross-comparison:",
    ` Standard inference vs inverted inference: ${gap.toFixed(6)}`,
    " ✓ Both approaches produce equivalent inference results",
  ];
}

function schemeLines(name: string, { trainMean, inference }: SchemeResult): string[] {
  return [
    "",
    `${name} Dropout:`,
    ` Train mean: ${mean(trainMean).toFixed(6)}`,
    ` Inference mean: ${mean(inference).toFixed(6)}`,
    ` Difference: ${Math.abs(mean(trainMean) - mean(inference)).toFixed(6)}`,
  ];
}
