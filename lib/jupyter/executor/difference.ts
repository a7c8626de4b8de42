/**
 * Says how a notebook on disk differs from the same notebook freshly executed.
 *
 * @module
 */
import { type Notebook, parseNotebook, serializeNotebook } from "./notebook.ts";

const EXCERPT_LENGTH = 90;
const EXCERPT_LINES = 4;

/**
 * Describes the first difference between two notebook files with the same cells.
 *
 * @param before The content on disk.
 * @param after The content that an execution would write.
 * @returns Which cell, what in it, and the first line that differs.
 */
export function describeDifference(before: string, after: string): string {
  const old = parseNotebook(serializeNotebook(parseNotebook(before))); // so that fields have the same order
  const fresh = parseNotebook(after);
  for (const [i, cell] of fresh.cells.entries()) {
    const fields = Object.keys(cell).filter((field) =>
      JSON.stringify(cell[field]) !== JSON.stringify(old.cells[i][field])
    );
    if (fields.length === 0) continue;
    return `cell ${i + 1} differs in ${fields.join(" and ")}\n${excerpt(alone(old, i), alone(fresh, i))}`;
  }
  return `the file is not formatted as Jupyter writes it\n${excerpt(before, after)}`;
}

/** The file that the notebook would be if it had only this cell. */
function alone(notebook: Notebook, cell: number): string {
  return serializeNotebook({ ...notebook, cells: [notebook.cells[cell]] });
}

function excerpt(before: string, after: string): string {
  const old = before.split("\n"), fresh = after.split("\n");
  const differs = fresh.findIndex((line, i) => line !== old[i]);
  const start = differs < 0 ? fresh.length : differs;
  return `  on disk:  ${linesFrom(old, start)}\n  executed: ${linesFrom(fresh, start)}`;
}

/** A few lines in one: the first that differs may be no more than a bracket. */
function linesFrom(lines: readonly string[], start: number): string {
  const text = lines.slice(start, start + EXCERPT_LINES).map((line) => line.trim()).join(" ") || "(nothing)";
  return text.length <= EXCERPT_LENGTH ? text : text.slice(0, EXCERPT_LENGTH) + " …";
}
