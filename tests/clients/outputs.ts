/**
 * Compares what notebook programs make of a notebook with the outputs in the project.
 * @module
 */

import { assertEquals } from "@std/assert";
import { isCode, type JsonObject, parseNotebook } from "../../lib/jupyter/executor/notebook.ts";

/** The outputs of each code cell, and how many ran before it; the same, however the file is laid out. */
export function outputsOf(notebook: string): JsonObject[] {
  return parseNotebook(notebook).cells.filter(isCode)
    .map(({ outputs, execution_count }) => ({ outputs, execution_count } as unknown as JsonObject));
}

/**
 * Asserts that two notebooks have the same outputs: none is missing, and none has come.
 *
 * @returns How many there are.
 */
export function assertSameOutputs(actual: string, expected: string): number {
  const [one, other] = [outputsOf(actual), outputsOf(expected)];
  const count = (cells: JsonObject[]) => cells.map(({ outputs }) => (outputs as JsonObject[]).length);
  assertEquals(count(one), count(other), "outputs of each cell");
  assertEquals(one, other);
  return count(other).reduce((sum, length) => sum + length, 0);
}
