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
 * @param name Which notebook it is, for the message.
 * @returns How many there are.
 */
export function assertSameOutputs(actual: string, expected: string, name: string): number {
  const [one, other] = [outputsOf(actual), outputsOf(expected)];
  assertEquals(one.length, other.length, `code cells of ${name}`);
  let count = 0;
  for (const [i, { outputs }] of other.entries()) {
    const [got, wanted] = [one[i].outputs as unknown[], outputs as unknown[]];
    const message = `${name}, code cell ${i + 1} has ${got.length} outputs, not ${wanted.length}:\n` +
      got.map((output) => JSON.stringify(output).slice(0, 200)).join("\n");
    assertEquals(got.length, wanted.length, message);
    assertEquals(one[i], other[i], `${name}, code cell ${i + 1}`);
    count += wanted.length;
  }
  return count;
}
