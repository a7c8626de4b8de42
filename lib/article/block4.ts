/**
 * What the article's fourth block of code prints.
 * @module
 */

import { analyzeVarianceShift, type Shift, type VarianceShift } from "./variance_shift.ts";

/**
 * The printed lines, the article's check mark included, whatever the numbers above it say.
 *
 * @param result What was measured; by default the article's run.
 */
export function varianceShiftLines(result: VarianceShift = analyzeVarianceShift()): string[] {
  const { dropoutFirst, batchNormFirst } = result;
  return [
    "Variance Shift Analysis: Dropout and BatchNorm",
    "=".repeat(60),
    ...setupLines("Setup 1: Dropout → BatchNorm", dropoutFirst.output),
    ...setupLines("Setup 2: BatchNorm → Dropout", batchNormFirst.output),
    "",
    "-".repeat(60),
    "Summary:",
    ` Dropout→BN variance shift: ${percent(dropoutFirst.output.shift)}`,
    ` BN→Dropout variance shift: ${percent(batchNormFirst.output.shift)}`,
    "",
    " ✓ BN→Dropout has less train/inference mismatch",
  ];
}

function setupLines(title: string, { train, evaluation, ratio }: Shift): string[] {
  return [
    "",
    title,
    ` Training variance: ${train.toFixed(4)}`,
    ` Inference variance: ${evaluation.toFixed(4)}`,
    ` Variance ratio: ${ratio.toFixed(2)}x`,
  ];
}

/** Python's format `.1%`. */
function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)}%`;
}
