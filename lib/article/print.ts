/**
 * Prints what the article's code prints, byte for byte: `deno task article [n …]`.
 *
 * The article's check marks are printed as they stand there, whatever the numbers above them say. This command
 * reproduces; the notebooks judge.
 * @module
 */

import { comparisonLines } from "./block1.ts";
import { pytorchLines } from "./block2.ts";
import { gradientFlowLines } from "./block3.ts";
import { varianceShiftLines } from "./block4.ts";
import { reproducibilityLines } from "./block5.ts";

/** The printed lines of the article's blocks of code, by number. */
export const blocks: ReadonlyMap<number, () => string[]> = new Map([
  [1, () => comparisonLines()],
  [2, pytorchLines],
  [3, gradientFlowLines],
  [4, () => varianceShiftLines()],
  [5, reproducibilityLines],
]);

/**
 * Prints the blocks asked for, or all.
 *
 * @param args Numbers of blocks.
 * @param print Receives one line at a time.
 * @throws {RangeError} if there is no such block.
 */
export function printArticle(args: readonly string[], print: (line: string) => void): void {
  const known = [...blocks.keys()];
  for (const arg of args) {
    if (!known.includes(Number(arg))) {
      throw new RangeError(`The block must be one of ${known.join(", ")}, got "${arg}"`);
    }
  }
  for (const n of args.length > 0 ? args.map(Number) : known) blocks.get(n)!().forEach((line) => print(line));
}

if (import.meta.main) {
  try {
    printArticle(Deno.args, (line) => console.log(line));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
