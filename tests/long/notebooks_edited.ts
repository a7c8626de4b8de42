/** A reader changes the seed or the rate of a notebook: it runs through, and nothing in it keeps the old value. */

import { assertEquals } from "@std/assert";
import { findNotebooks, notebookName, NOTEBOOKS } from "../../lib/jupyter/executor/command.ts";
import { executeNotebook } from "../../lib/jupyter/executor/execute.ts";
import { parseNotebook } from "../../lib/jupyter/executor/notebook.ts";
import { setParameters } from "../../lib/jupyter/executor/parameters.ts";
import { findStrangers, outputTexts, readParameters } from "../mentions.ts";

const EDITS = [
  ...[1, 2, 3, 7, 123].map((seed) => ["seed", String(seed)]),
  ...[0.1, 0.3, 0.9].map((p) => ["p", String(p)]),
];

/** As many kernels at a time as there are cores. */
const waiting: (() => Promise<void>)[] = [];
for (const path of await findNotebooks([], NOTEBOOKS)) {
  for (const [name, value] of EDITS) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {}); // the test that waits for it reports it
    waiting.push(() => runEdited(path, name, value).then(resolve, reject));
    Deno.test({
      name: `${notebookName(path)} with ${name} = ${value}`,
      sanitizeOps: false, // others run meanwhile
      sanitizeResources: false,
      fn: () => promise,
    });
  }
}
const work = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
};
for (let core = 0; core < navigator.hardwareConcurrency; core++) work();

async function runEdited(path: string, name: string, value: string): Promise<void> {
  const edited = setParameters(parseNotebook(await Deno.readTextFile(path)), new Map([[name, value]]));
  const { notebook } = await executeNotebook(edited, { cwd: NOTEBOOKS, timeout: 300 });
  assertEquals(findStrangers(outputTexts(notebook), readParameters(notebook)), []);
}
