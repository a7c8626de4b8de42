/**
 * What the article's third block of code prints, line by line.
 * @module
 */

import type { Tensor } from "../mod.ts";
import {
  analyzeGradientVariance,
  demonstrateGradientFlow,
  type GradientFlow,
  type GradientSpread,
} from "./gradient_flow.ts";

/**
 * The lines of block 3, as Python prints them. The check mark stands there as in the article, although the norm that
 * it vouches for has grown by a third.
 */
export function gradientFlowLines(): string[] {
  const flow = demonstrateGradientFlow();
  return [
    "Gradient Flow Through Inverted Dropout",
    "=".repeat(55),
    "",
    `Input: ${row(flow.x)}`,
    `Mask: [[${flow.mask.toTensor().data.join(" ")}]]`,
    `Scale: ${flow.scale.toFixed(1)}`,
    `Output: ${row(flow.output)}`,
    "",
    `Grad output: ${row(flow.gradOutput)}`,
    `Grad input: ${row(flow.gradInput)}`,
    "",
    "Analysis:",
    ...featureLines(flow),
    "",
    "Expected Gradient Analysis:",
    ` Original grad magnitude: ${flow.originalNorm.toFixed(4)}`,
    ` Actual grad magnitude: ${flow.actualNorm.toFixed(4)}`,
    ` Average grad magnitude (${flow.sampledNorm.n} trials): ${flow.sampledNorm.mean.toFixed(4)}`,
    " ✓ Inverted scaling preserves expected gradient magnitude",
    "", // the article prints one empty line between both parts, and one as the second begins
    "",
    ...varianceLines(analyzeGradientVariance().spreads),
  ];
}

function featureLines({ mask, gradOutput, scale }: GradientFlow): string[] {
  return Array.from(gradOutput.data, (grad, i) => {
    if (mask.get(i) === 0) return ` Feature ${i}: DROPPED - gradient = 0`;
    const product = (grad * scale).toFixed(3);
    return ` Feature ${i}: KEPT - gradient = ${grad.toFixed(2)} × ${scale.toFixed(2)} = ${product}`;
  });
}

function varianceLines(spreads: readonly GradientSpread[]): string[] {
  return [
    "Gradient Variance Analysis",
    "=".repeat(45),
    columns("Dropout Rate", "Mean Grad", "Std Grad"),
    "-".repeat(45),
    ...spreads.map(({ p, meanGrad, stdGrad }) =>
      columns(p.toFixed(1), meanGrad.toFixed(6), stdGrad.toFixed(6))
    ),
    "",
    "Insight: Higher dropout → higher gradient variance",
    "This variance acts as regularization (noisy gradients)",
  ];
}

/** Columns 15 wide; spaces fill the last one too, as in the article. */
function columns(...cells: string[]): string {
  return cells.map((cell) => cell.padEnd(15)).join(" ");
}

/**
 * A tensor of shape [1, n] as NumPy prints it: `[[0.  0.4 0.6 0.8 0. ]]`. The decimal points stand in line, and
 * spaces take the place of zeros at the end. Only for numbers that need no exponent and at most 8 decimals.
 */
function row(x: Tensor): string {
  const parts = Array.from(x.data, (value) => String(value).split("."));
  const wholes = Math.max(...parts.map(([whole]) => whole.length));
  const fractions = Math.max(...parts.map(([, fraction = ""]) => fraction.length));
  const cells = parts.map(([whole, fraction = ""]) =>
    `${whole.padStart(wholes)}.${fraction.padEnd(fractions)}`
  );
  return `[[${cells.join(" ")}]]`;
}
