/** Every notebook: built as a lesson, type-checked, and executed to the bytes on disk in a real kernel. */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { basename, fromFileUrl, join } from "@std/path";
import { checkCells } from "../lib/jupyter/executor/cells.ts";
import { findNotebooks, notebookName, NOTEBOOKS } from "../lib/jupyter/executor/command.ts";
import { describeDifference } from "../lib/jupyter/executor/difference.ts";
import { executeNotebook } from "../lib/jupyter/executor/execute.ts";
import {
  type Cell,
  type CodeCell,
  hasTag,
  isCode,
  type JsonObject,
  listAnswers,
  type Notebook,
  parseNotebook,
  runnableCells,
  serializeNotebook,
} from "../lib/jupyter/executor/notebook.ts";

const paths = await findNotebooks([], NOTEBOOKS);

/** Each notebook with the answers of its exercises behind it, executed once; as many at a time as there are cores. */
const executions = new Map<string, Promise<Notebook>>();
{
  const waiting = paths.map((path) => {
    const { promise, resolve, reject } = Promise.withResolvers<Notebook>();
    promise.catch(() => {}); // the test that waits for it reports it
    executions.set(path, promise);
    return { path, resolve, reject };
  });
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await executeWithAnswers(next.path).then(next.resolve, next.reject);
    }
  };
  for (let core = 0; core < navigator.hardwareConcurrency; core++) work();
}

async function executeWithAnswers(path: string): Promise<Notebook> {
  const notebook = parseNotebook(await Deno.readTextFile(path));
  const answers = listAnswers(notebook).map(({ code }, i) => codeCell(`answer-${i + 1}`, code));
  const extended = { ...notebook, cells: [...notebook.cells, ...answers] };
  return (await executeNotebook(extended, { cwd: NOTEBOOKS, timeout: 300 })).notebook;
}

Deno.test("the cells and answers of all notebooks pass the type check and the linter", async () => {
  assertEquals(await checkCells(paths), []);
});

Deno.test("all notebooks are formatted as `deno fmt` formats them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const path of paths) await Deno.copyFile(path, join(folder, basename(path)));
    const config = fromFileUrl(new URL("../deno.json", import.meta.url));
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["fmt", "--quiet", `--config=${config}`, folder],
    }).output();
    assert(success);
    for (const path of paths) {
      const formatted = await Deno.readTextFile(join(folder, basename(path)));
      assert(formatted === await Deno.readTextFile(path), `${path}: run deno fmt`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const path of paths) {
  const name = notebookName(path);
  const text = Deno.readTextFileSync(path);
  const notebook = parseNotebook(text);

  Deno.test(`${name} begins with a title, a claim, what one needs, and one cell of imports`, () => {
    const [title, imports] = notebook.cells;
    assertMatch(title.source, /^# \d · .+\n\n> .+/);
    assertMatch(title.source, /You need .+minutes.+seconds/s);
    assertMatch(imports.source, /^import /);
    for (const cell of codeCells(notebook).slice(1)) assert(!/^import /m.test(cell.source), cell.source);
    for (const [, from] of text.matchAll(/from \\"([^"]+)\\"/g)) {
      assertMatch(
        from,
        /^(@std\/assert|@observablehq\/plot|@tensorflow\/tfjs-(core|layers|backend-cpu)|@jax-js\/jax|\.\.\/lib\/.+\.ts)$/,
      );
    }
  });

  Deno.test(`${name} has short cells, none of which ends in a bare value`, () => {
    for (const { source } of codeCells(notebook)) {
      assert(source.split("\n").length <= 20, `a cell of ${source.split("\n").length} lines:\n${source}`);
      const last = statements(source).at(-1)!;
      assertMatch(last, /^(await |const |function |for |assert)/, `a cell ends in:\n${last}`);
    }
  });

  Deno.test(`${name} asks before it computes: at least four predictions`, () => {
    const predictions = notebook.cells.filter((cell) => /^_Predict:_/m.test(cell.source));
    assert(predictions.length >= 4, `${predictions.length} predictions`);
  });

  Deno.test(`${name} shows at least four figures, each with a size and a description`, () => {
    const figures = outputsOf(notebook).filter(({ data }) =>
      (data as JsonObject)?.["image/png"] !== undefined
    );
    assert(figures.length >= 4, `${figures.length} figures`);
    for (const { data, metadata } of figures as { data: JsonObject; metadata: JsonObject }[]) {
      assert(String(data["text/plain"]).length > 20);
      assertNotEquals(metadata["image/png"], undefined);
    }
    const sources = codeCells(notebook).map(({ source }) => source).filter((source) =>
      source.includes("figure({")
    );
    for (const source of sources) assertMatch(source, /title: .*caption:.* x: .*y: /s);
  });

  Deno.test(`${name} asserts each claim that it states, and its summary names every claim`, () => {
    const claims = codeCells(notebook).filter((cell) => hasTag(cell, "claim"));
    assert(claims.length >= 3);
    const ids = claims.map(({ source }) => source.match(/await claim\(\s*"([a-z0-9-]+)"/)![1]);
    assertEquals(new Set(ids).size, ids.length);
    for (const { source } of claims) assertMatch(source, /^ *assert|[ {]assert\w*\(/m);
    const summary = notebook.cells.at(-1)!.source;
    const bullets = summary.split(/^- /m).slice(1);
    assertEquals(bullets.length, 5);
    for (const bullet of bullets) assertMatch(bullet, /`[a-z0-9-]+`/);
    for (const id of ids) assert(summary.includes(`\`${id}\``), `the summary does not name ${id}`);
    const named = [...summary.matchAll(/\(((?:see )?`[^)]+)\)/g)].flatMap(([, list]) =>
      list.match(/`([a-z0-9-]+)`/g)!
    );
    for (const id of named) assert(ids.includes(id.slice(1, -1)), `no cell claims ${id}`);
  });

  Deno.test(`${name} has three exercises, predict, modify, derive, with folded answers that assert`, () => {
    const exercises = notebook.cells.find((cell) => cell.source.startsWith("## Exercises"))!.source;
    assertEquals(exercises.match(/^### .*/gm), ["### 1. Predict", "### 2. Modify", "### 3. Derive"]);
    assertEquals(exercises.match(/^<details><summary>Answer<\/summary>\n$/gm)?.length, 3);
    assertEquals(exercises.match(/^<\/details>$/gm)?.length, 3);
    assertEquals(listAnswers(notebook).length, 3);
    for (const { code } of listAnswers(notebook)) assertMatch(code, /assert/);
  });

  Deno.test(`${name} links only to files that exist`, () => {
    for (const { source } of notebook.cells.filter((cell) => !isCode(cell))) {
      for (const [, target] of source.matchAll(/\]\(([^)#:]+)\)/g)) {
        assert(Deno.statSync(join(NOTEBOOKS, target)).isFile);
      }
    }
  });

  Deno.test({
    name: `${name} executes to the bytes on disk, and its answers hold`,
    sanitizeOps: false, // the notebooks after it are running already
    sanitizeResources: false,
    async fn() {
      const executed = await executions.get(path)!;
      const first: Notebook = { ...executed, cells: executed.cells.slice(0, notebook.cells.length) };
      const fresh = serializeNotebook(first);
      assert(fresh === text, `${name}, ${fresh === text ? "" : describeDifference(text, fresh)}`);
      assertEquals(
        runnableCells(first).map((cell) => cell.execution_count),
        runnableCells(first).map((_, i) => i + 1),
      );
    },
  });
}

function codeCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter(isCode);
}

function outputsOf(notebook: Notebook): JsonObject[] {
  return codeCells(notebook).flatMap((cell) => cell.outputs);
}

function codeCell(id: string, source: string): Cell {
  return { id, cell_type: "code", source, metadata: {}, outputs: [], execution_count: null };
}

/** The lines that begin a statement at the outermost level, each with what follows it. */
function statements(source: string): string[] {
  return source.split(/\n(?=[^\s)}\]])/);
}
