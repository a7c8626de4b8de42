import { assertEquals, assertRejects } from "@std/assert";
import { CellFailed, executeNotebook } from "../../lib/jupyter/executor/execute.ts";
import { isCode, type JsonObject } from "../../lib/jupyter/executor/notebook.ts";
import { notebookOf, TemporaryFolder } from "./helpers.ts";

const IMPORT = `import { progress, show } from ${
  JSON.stringify(new URL("../../lib/jupyter/display.ts", import.meta.url).href)
};`;

/** Executes cells; the texts that each leaves in the notebook. */
async function texts(...sources: string[]): Promise<unknown[][]> {
  using folder = new TemporaryFolder();
  const { notebook } = await executeNotebook(notebookOf(IMPORT, ...sources), { cwd: folder.path });
  return notebook.cells.filter(isCode).slice(1)
    .map(({ outputs }) => outputs.map((output) => output.text ?? (output.data as JsonObject)["text/plain"]));
}

Deno.test("of progress, nothing stays in the notebook; of what comes after it, all does", async () => {
  const loop = `const seen = []; for await (const item of progress([5, 6, 7])) seen.push(item);`;
  assertEquals(
    await texts(`${loop} await show(seen);`, `for await (const _ of progress([])); await show(1);`),
    [
      ["[ 5, 6, 7 ]"],
      ["1"],
    ],
  );
});

Deno.test("while it lasts, progress is shown: without the end of the loop, it would stay", async () => {
  const step = `const steps = progress([5, 6]); const first = await steps.next();`;
  assertEquals(await texts(step), [["0 of 2 done"]]);
  const [[text]] = await texts(`${step} const second = await steps.next();`);
  assertEquals(String(text).replace(/\d+ s/, "n s"), "1 of 2 done, about n s left");
});

Deno.test("a loop that is left, or fails, clears its progress, too", async () => {
  assertEquals(await texts(`for await (const _ of progress([5, 6])) break;`), [[]]);
  const failing = texts(`for await (const _ of progress([5, 6])) throw new Error("no");`);
  await assertRejects(() => failing, CellFailed, "no");
});
