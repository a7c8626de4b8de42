/** Every notebook through nbclient, which `jupyter execute` and `nbconvert --execute` use, three times. */

import { assert, assertGreater, assertThrows } from "@std/assert";
import { basename, join } from "@std/path";
import { findNotebooks, NOTEBOOKS } from "../../lib/jupyter/executor/command.ts";
import { parseNotebook, serializeNotebook } from "../../lib/jupyter/executor/notebook.ts";
import { needPython, Place, run } from "./environment.ts";
import { assertSameOutputs } from "./outputs.ts";

const RUNS = 3;

Deno.test(`nbclient: every notebook ${RUNS} times, with all outputs, in valid files`, async () => {
  const python = join(await needPython(), "python");
  const names = (await findNotebooks([], NOTEBOOKS)).map((path) => basename(path));
  await using place = await Place.make();
  const [script, out] = [join(import.meta.dirname!, "nbclient_runs.py"), join(place.path, "out")];
  const { success, text } = await run(
    python,
    [script, join(place.clone, "notebooks"), out, String(RUNS)],
    { env: await place.env() },
  );
  assert(success, text);
  let count = 0;
  for (let i = 1; i <= RUNS; i++) {
    for (const name of names) {
      const [actual, expected] = [join(out, String(i), name), join(NOTEBOOKS, name)];
      count += assertSameOutputs(
        await Deno.readTextFile(actual),
        await Deno.readTextFile(expected),
        `${name}, run ${i}`,
      );
    }
  }
  console.log(`${count} outputs of ${RUNS * names.length} runs, none missing`);
});

Deno.test("an output that is missing, or another one, would be noticed", async () => {
  const [path] = await findNotebooks(["03"], NOTEBOOKS);
  const text = await Deno.readTextFile(path);
  assertGreater(assertSameOutputs(text, text, "03"), 0);
  const { cells, ...rest } = parseNotebook(text);
  const last = cells.findLastIndex(({ outputs }) => Array.isArray(outputs) && outputs.length > 0);
  for (const outputs of [[], [{ output_type: "stream", name: "stdout", text: "another" }]]) {
    const changed = cells.map((cell, i) => i === last ? { ...cell, outputs } : cell);
    assertThrows(
      () => assertSameOutputs(serializeNotebook({ ...rest, cells: changed }), text, "03"),
      Error,
      "03",
    );
  }
});
