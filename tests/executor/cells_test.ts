import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import fc from "fast-check";
import { checkCells, joinCells, main } from "../../lib/jupyter/executor/cells.ts";
import { Stopped } from "../../lib/jupyter/executor/command.ts";
import { notebookOf, notebookText, TemporaryFolder } from "./helpers.ts";

const never = new AbortController().signal;

async function messages(folder: TemporaryFolder, ...paths: string[]): Promise<string> {
  const files = folder.list();
  const problems = await checkCells(paths);
  assertEquals(folder.list(), files); // nothing is left beside the notebooks
  return problems.map(({ message }) => message).join("\n\n");
}

Deno.test("the module has every line of the cells, and knows where it comes from", () => {
  const line = fc.stringMatching(/^[a-z ]{0,8}$/);
  const source = fc.array(line, { minLength: 1 }).map((lines) => lines.join("\n"));
  fc.assert(fc.property(fc.array(source), (sources) => {
    const { code, origins } = joinCells(notebookOf(...sources));
    const lines = code.split("\n");
    origins.forEach(({ cell, line }, i) => assertEquals(lines[i], sources[cell - 1].split("\n")[line - 1]));
    const written = sources.flatMap((source) => source.replace(/\n$/, "").split("\n")).filter((text) =>
      text !== ""
    );
    assertEquals(lines.filter((text) => text !== ""), [...written, "export {};"]);
  }));
});

Deno.test("cells that are right pass, with imports beside the notebook and a top-level await", async () => {
  using folder = new TemporaryFolder();
  folder.write("lib.ts", "export const half = (x: number): number => x / 2;\n");
  const good = folder.add(
    "good",
    `import { half } from "./lib.ts";`,
    `const quarter = half(await Promise.resolve(0.5));`,
    "console.log(quarter);",
  );
  const other = folder.add("other", `const quarter = "of another notebook";`, "console.log(quarter);");
  const empty = folder.add("empty");
  assertEquals(await messages(folder, good, other, empty), "");
  assertEquals(await checkCells([]), []);
});

Deno.test("what is wrong is reported with notebook, cell, line and column", async () => {
  using folder = new TemporaryFolder();
  folder.write("lib.ts", "export const half = (x: number): number => x / 2;\n");
  const wrong = folder.add(
    "wrong",
    `import { half, nothere } from "./lib.ts";`,
    `// a comment\nconst a: number = "text";`,
    `const b = 1;`,
    `const b = 2;\nconsole.log(half(a), b, nothere);`,
    `let c = 3 as any;\nconsole.log(c);`,
  );
  const found = await messages(folder, wrong);
  const expected = [
    [`has no exported member 'nothere'`, "wrong.ipynb, cell 1, line 1:16"],
    [`Type 'string' is not assignable to type 'number'`, "wrong.ipynb, cell 2, line 2:7"],
    [`Cannot redeclare block-scoped variable 'b'`, "wrong.ipynb, cell 4, line 1:7"],
    ["prefer-const", "wrong.ipynb, cell 5, line 1:5"],
    ["no-explicit-any", "wrong.ipynb, cell 5, line 1:14"],
  ];
  for (const parts of expected) {
    const matches = found.split("\n\n").filter((message) => parts.every((part) => message.includes(part)));
    assertEquals(matches.length, 1, `${parts.join(" at ")} in:\n${found}`);
  }
  assert(!found.includes(".cells.ts"), found);
});

Deno.test("a syntax error in one notebook does not hide the errors of another, nor does a broken file", async () => {
  using folder = new TemporaryFolder();
  const found = await messages(
    folder,
    folder.add("syntax", "1;", "const a = ;"),
    folder.write("broken.ipynb", "{"),
    folder.add("types", `export const a: number = "text";`),
  );
  assertStringIncludes(found, "SyntaxError: Expression expected");
  assertStringIncludes(found, "syntax.ipynb, cell 2, line 1:11");
  assertStringIncludes(found, "broken.ipynb: This is not JSON");
  assertStringIncludes(found, "types.ipynb, cell 1, line 1:14");
});

Deno.test("a check that is stopped leaves nothing behind", async () => {
  using folder = new TemporaryFolder();
  const path = folder.add("some", "1;");
  await assertRejects(() => checkCells([path], AbortSignal.abort(new Error("enough"))), Error, "enough");
  assertEquals(folder.list(), ["some.ipynb"]);
  const signal = AbortSignal.abort(new Stopped("SIGINT"));
  assertEquals(await main(["some"], { write: () => {}, signal, directory: folder.path }), 130);
});

Deno.test("a folder that cannot be read, or written, is an error and leaves nothing behind", async () => {
  using folder = new TemporaryFolder();
  const path = folder.add("some", "1;");
  await assertRejects(() => checkCells([path, join(folder.path, "missing.ipynb")]), Deno.errors.NotFound);
  assertEquals(folder.list(), ["some.ipynb"]);
});

Deno.test("the command checks what is named, or all, and tells by its exit code", async () => {
  using folder = new TemporaryFolder();
  folder.write("01_good.ipynb", notebookText("console.log(1);"));
  folder.write("02_bad.ipynb", notebookText("let a = 1;\nconsole.log(a);"));
  const run = async (...args: string[]) => {
    let output = "";
    const code = await main(args, { write: (text) => output += text, signal: never, directory: folder.path });
    return [code, output] as const;
  };
  assertEquals(await run("01"), [0, "Checked the cells of 1 notebook.\n"]);
  const [code, output] = await run();
  assertEquals(code, 1);
  assertStringIncludes(output, "02_bad.ipynb, cell 1, line 1:5");
  assertStringIncludes(output, "1 problem in 2 notebooks.");
  assertEquals((await run("03"))[0], 2);
  assertEquals(await run("--fast"), [2, "Unknown option --fast. Allowed are only names of notebooks.\n"]);
});
