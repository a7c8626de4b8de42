/**
 * What the article's second block of code prints.
 * @module
 */

import { pytorchDropout } from "./pytorch_dropout.ts";

/** The printed lines, byte for byte. */
export function pytorchLines(): string[] {
  const { trainMeans, evalMeans, functional } = pytorchDropout();
  return [
    `Training mode outputs vary: ${pythonList(trainMeans)}`,
    `Eval mode outputs identical: ${pythonList(evalMeans)}`,
    "",
    "Functional dropout:",
    ` Train mean: ${functional.trainMean.toFixed(4)}`,
    ` Eval mean: ${functional.evalMean.toFixed(4)}`,
    ` Input mean: ${functional.inputMean.toFixed(4)}`,
  ];
}

/** A list of strings, as Python prints it. */
function pythonList(values: readonly number[]): string {
  return `[${values.map((value) => `'${value.toFixed(4)}'`).join(", ")}]`;
}
