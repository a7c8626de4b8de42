/** Every notebook runs twice in one kernel, and gives the same outputs. */

import { assertEquals } from "@std/assert";
import { findNotebooks, notebookName, NOTEBOOKS } from "../../lib/jupyter/executor/command.ts";
import { executeNotebook } from "../../lib/jupyter/executor/execute.ts";
import { parseNotebook } from "../../lib/jupyter/executor/notebook.ts";

for (const path of await findNotebooks([], NOTEBOOKS)) {
  Deno.test(`${notebookName(path)} gives the same outputs when it runs twice in one kernel`, async () => {
    const { cells, ...rest } = parseNotebook(await Deno.readTextFile(path));
    const again = cells.map((cell) => ({ ...cell, id: `again-${cell.id}` }));
    const twice = { ...rest, cells: [...cells, ...again] };
    const { notebook } = await executeNotebook(twice, { cwd: NOTEBOOKS, timeout: 300 });
    const outputs = notebook.cells.map((cell) => cell.outputs);
    assertEquals(outputs.slice(cells.length), outputs.slice(0, cells.length));
  });
}
