/** Every notebook: built as a lesson, type-checked, and executed to the bytes on disk in a real kernel. */

import { assert, assertEquals, assertMatch } from "@std/assert";
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
import { findOwnValues, findStrangers, outputTexts, readParameters } from "./mentions.ts";

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
  const nonsense = nonsenseCells(notebook).map((source, i) => codeCell(`nonsense-${i + 1}`, source));
  const extended = { ...notebook, cells: [...notebook.cells, ...answers, ...nonsense] };
  return (await executeNotebook(extended, { cwd: NOTEBOOKS, timeout: 300 })).notebook;
}

/** The cell to try things in, with values that mean nothing: each must be refused in a sentence that names it. */
function nonsenseCells(notebook: Notebook): string[] {
  const { source } = codeCells(notebook).find((cell) => hasTag(cell, "try-it"))!;
  const values = [["tryP", "1.5"], ["tryP", '"0.5"'], ["tryP", "NaN"], ["trySeed", "-1"]];
  return values.map(([name, value]) => {
    const changed = source.replace(new RegExp(`(const ${name} = )[^;]+`), `$1${value}`);
    const refusal = `refused instanceof Error && /\\bgot\\b.*${
      value.replaceAll('"', "")
    }/.test(refused.message)`;
    return `{ let refused; try {\n${changed}\n} catch (error) { refused = error; }\n` +
      `if (!(${refusal})) throw new Error(${
        JSON.stringify(`${name} = ${value} was answered with `)
      } + refused); }`;
  });
}

/** Lines of code that are not blank, and those among them that do not import, draw, show, claim or assert. */
function countLines(notebook: Notebook): { subject: number; all: number } {
  const parts = codeCells(notebook).flatMap(({ source }) => statements(source));
  const linesOf = (text: string) => text.split("\n").filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
  const isSubject = (part: string) =>
    !/^import |^await (figure|slider|table|show|tex|markdown|claim)\(|^assert|^for [^]*\bassert\w*\(/.test(
      part,
    );
  const count = (own: string[]) => own.reduce((sum, part) => sum + linesOf(part), 0);
  return { subject: count(parts.filter(isSubject)), all: count(parts) };
}

Deno.test("the cells and answers of all notebooks pass the type check and the linter", async () => {
  assertEquals(await checkCells(paths), []);
});

Deno.test("a text that names another value than the parameter's is found, unless it says whose it is", () => {
  const parameters = new Map([["p", 0.3], ["seed", 7]]);
  const lies = ["n = 5, p = 0.5", "p = ½", "seed 42 · p = 0.3", "p=.5", "seed = 42"];
  const truths = [
    "p = 0.3, seed 7",
    "the study's p = 0.5",
    "1 − p = 0.7",
    "seeds 0 to 9",
    "exp = 2",
    "the fixed p = 0.5",
  ];
  assertEquals(findStrangers([...lies, ...truths], parameters), [
    "n = 5, p = 0.5",
    "p = ½",
    "p=.5",
    "seed 42 · p = 0.3",
    "seed = 42",
  ]);
});

Deno.test("prose that names a parameter's own value is found, and other values are left alone", () => {
  const prose = [
    "At p = 0.3 half of it goes.",
    "At the study's p = 0.3 it holds, at p = 0.5 it does not.",
    "With seed 7 it fails.",
  ];
  const cells: Cell[] = [
    { ...codeCell("values", "const p = 0.3;\nconst seed = 7;"), metadata: { tags: ["parameters"] } },
    { id: "prose", cell_type: "markdown", source: prose.join("\n"), metadata: {} },
  ];
  const notebook = { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 };
  assertEquals(findOwnValues(notebook), [prose[0], prose[2]]);
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

  Deno.test(`${name} begins with a title, a claim, what one needs, imports, and the parameters`, () => {
    const [title, imports, parameters] = notebook.cells;
    assertMatch(title.source, /^# \d · .+\n\n> .+/);
    const [, minutes] = title.source.match(/You need .+?(\d+) minutes.+?seconds/s)!;
    assert(Number(minutes) <= 25, `${minutes} minutes`);
    assertMatch(title.source, /\]\(\.\.\/README\.md#something-is-wrong\)/); // opened alone, it finds no library
    assertMatch(imports.source, /^import /);
    for (const cell of codeCells(notebook).slice(1)) assert(!/^import /m.test(cell.source), cell.source);
    for (const [, from] of text.matchAll(/from \\"([^"]+)\\"/g)) {
      assertMatch(
        from,
        /^(@std\/assert|@observablehq\/plot|@tensorflow\/tfjs-(core|layers|backend-cpu)|@jax-js\/jax|\.\.\/lib\/.+\.ts)$/,
      );
    }
    assertEquals(codeCells(notebook).filter((cell) => hasTag(cell, "parameters")), [parameters]);
    const names = [...readParameters(notebook).keys()];
    for (const needed of ["seed", "p"]) assert(names.includes(needed), `${names} lacks ${needed}`);
  });

  Deno.test(`${name} is short: cells, lines, bytes, and at least half of its code is the subject`, () => {
    const cells = codeCells(notebook);
    assert(cells.length <= 30, `${cells.length} code cells`);
    assert(text.length <= 1e6, `${text.length} bytes`);
    for (const { source } of cells) {
      const lines = source.split("\n");
      assert(lines.length <= 20, `a cell of ${lines.length} lines:\n${source}`);
      assert(lines.every((line) => line.length <= 110), `a line of more than 110 characters:\n${source}`);
      const last = statements(source).at(-1)!;
      assertMatch(last, /^(import |await |const |function |class |for |assert)/, `a cell ends in:\n${last}`);
    }
    const { subject, all } = countLines(notebook);
    assert(subject >= all / 2, `${subject} of ${all} lines of code are the subject`);
  });

  Deno.test(`${name} asks before it computes, and says in figures what and how`, () => {
    assert(notebook.cells.some((cell) => /^_Predict:_/m.test(cell.source)));
    const figures = outputsOf(notebook).filter(({ data }) =>
      (data as JsonObject)?.["image/png"] !== undefined
    );
    for (const { metadata } of figures as { metadata: JsonObject }[]) {
      const { alt } = metadata["image/png"] as { alt: string };
      assert(alt.split("\n").length >= 2 && alt.length > 60, `a figure says only: ${alt}`);
    }
    const sources = codeCells(notebook).map(({ source }) => source).filter((s) => s.includes("figure({"));
    for (const source of sources) assertMatch(source, /title: .*caption: ?.*/s);
  });

  Deno.test(`${name} shows its claims by calling them, and its summary names every one`, () => {
    const ids = codeCells(notebook).filter((cell) => hasTag(cell, "claim")).flatMap((cell) => {
      assertMatch(cell.source, /^await claim\(\w+\(.*\)\);$/ms);
      return cell.outputs.map(({ data }) => (data as JsonObject)["text/plain"] as string);
    }).map((text) => text.match(/^[^:]+: ([a-z0-9-]+): /)![1]);
    assert(ids.length >= 3);
    const others = codeCells(notebook).filter((cell) => !hasTag(cell, "claim"));
    for (const { source } of others) {
      assert(!source.includes("await claim("), "this cell needs the tag claim");
    }
    const summary = notebook.cells.at(-1)!.source;
    assertMatch(summary, /^## Summary/);
    const named = [...summary.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)+)`/g)].map(([, id]) => id);
    for (const bullet of summary.split(/^- /m).slice(1)) assertMatch(bullet, /`[a-z0-9]+(-[a-z0-9]+)+`/);
    for (const id of ids) assert(named.includes(id), `the summary does not name ${id}`);
    for (const id of named) assert(ids.includes(id), `no cell claims ${id}`);
  });

  Deno.test(`${name} has three exercises, predict, build, derive, with folded answers that assert`, () => {
    const start = notebook.cells.findIndex((cell) => cell.source.startsWith("## Exercises"));
    const exercises = notebook.cells.slice(start);
    const prose = exercises.filter((cell) => !isCode(cell)).map(({ source }) => source).join("\n");
    assertEquals(prose.match(/^### .*/gm), ["### 1. Predict", "### 2. Build", "### 3. Derive"]);
    assertEquals(prose.match(/^<details><summary>Answer<\/summary>\n$/gm)?.length, 3);
    assertEquals(prose.match(/^<\/details>$/gm)?.length, 3);
    assertEquals(listAnswers(notebook).length, 3);
    for (const { code } of listAnswers(notebook)) assertMatch(code, /assert/);
    assertEquals(exercises.filter((cell) => hasTag(cell, "exercise")).length, 1); // the reader writes code here
  });

  Deno.test(`${name} has one cell to try things in: its values on top, one figure below`, () => {
    const [{ source }, ...others] = codeCells(notebook).filter((cell) => hasTag(cell, "try-it"));
    assertEquals(others, []);
    assertMatch(source, /^const try[A-Z]\w* = /m);
    for (const needed of ["tryP", "trySeed"]) assert(source.includes(`const ${needed} = `), `no ${needed}`);
    assertEquals(source.match(/await (figure|slider)\(/g)?.length, 1);
  });

  Deno.test(`${name} leaves it to outputs to name the values of its parameters`, () => {
    assertEquals(findOwnValues(notebook), []);
    assertEquals(findStrangers(outputTexts(notebook), readParameters(notebook)), []);
  });

  Deno.test(`${name} links only to files that exist`, () => {
    for (const { source } of notebook.cells.filter((cell) => !isCode(cell))) {
      for (const [, target] of source.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
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
