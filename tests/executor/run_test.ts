import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join, relative } from "@std/path";
import { findNotebooks, showPath, Stopped, UsageError } from "../../lib/jupyter/executor/command.ts";
import { describeDifference } from "../../lib/jupyter/executor/difference.ts";
import { parseNotebook, serializeNotebook } from "../../lib/jupyter/executor/notebook.ts";
import { formatTable, Progress } from "../../lib/jupyter/executor/progress.ts";
import { main, type Surroundings } from "../../lib/jupyter/executor/run.ts";
import { isAlive, LEAVE_PID, notebookText, TemporaryFolder, until } from "./helpers.ts";

const isWindows = Deno.build.os === "windows";
const RUN = join(import.meta.dirname!, "..", "..", "lib", "jupyter", "executor", "run.ts");

/** Runs the command in this process. */
async function run(folder: TemporaryFolder, args: string[], more: Partial<Surroundings> = {}) {
  let output = "";
  const screen = { write: (text: string) => void (output += text) };
  const signal = new AbortController().signal;
  const code = await main(args, { screen, signal, directory: folder.path, ...more });
  return { code, output };
}

/** Runs the command as people do, in a process of its own. */
function spawn(args: string[], flags = ["-A"], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, RUN, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

const GOOD = ["const a = 1;", "console.log(a);"];

// ---- Success ----

Deno.test("notebooks are written executed, and a second run changes no byte", async () => {
  using folder = new TemporaryFolder();
  for (const name of ["01_one", "02_two", "03_three"]) folder.add(name, ...GOOD);
  const first = await run(folder, []);
  assertEquals(first.code, 0, first.output);
  const texts = folder.list().map((name) => folder.read(name));
  for (const text of texts) {
    assertEquals(serializeNotebook(parseNotebook(text)), text);
    assertEquals(parseNotebook(text).cells[1].execution_count, 2);
  }
  const second = await run(folder, []);
  assertEquals(second.code, 0);
  assertEquals(folder.list().map((name) => folder.read(name)), texts);
  assertMatch(first.output, /01_one +2 +0 +0 +[\d.]+ +written/);
  assertMatch(second.output, /01_one +2 +0 +0 +[\d.]+ +unchanged/);
  assertStringIncludes(first.output, "01_one: cell 2 of 2");
  assertStringIncludes(first.output, "01_one.ipynb in Jupyter or VS Code.");
});

Deno.test("only the notebooks that are named run", async () => {
  using folder = new TemporaryFolder();
  const [one, two] = ["01_one", "02_two"].map((name) => folder.add(name, ...GOOD));
  const before = folder.read("02_two.ipynb");
  assertEquals((await run(folder, ["01", one])).code, 0);
  assertEquals(folder.read("02_two.ipynb"), before);
  assertEquals((await run(folder, [relative(Deno.cwd(), two)])).code, 0);
  assertFalse(folder.read("02_two.ipynb") === before);
});

Deno.test("--check writes nothing, and tells what differs first", async () => {
  using folder = new TemporaryFolder();
  folder.add("01_one", ...GOOD);
  const before = folder.read("01_one.ipynb");
  const check = await run(folder, ["--check"]);
  assertEquals(check.code, 1);
  assertEquals(folder.read("01_one.ipynb"), before);
  assertStringIncludes(check.output, "01_one.ipynb, cell 1 differs in execution_count");
  assertStringIncludes(check.output, "Nothing was written");
  await run(folder, []);
  const written = folder.read("01_one.ipynb");
  assertEquals((await run(folder, ["--check"])).code, 0);
  folder.write("01_one.ipynb", written.replace(`"1\\n"`, `"2\\n"`));
  const changed = await run(folder, ["--check"]);
  assertEquals(changed.code, 1);
  assertStringIncludes(changed.output, "cell 2 differs in outputs");
});

Deno.test("a link stays a link, and the file's permissions stay, too", { ignore: isWindows }, async () => {
  using folder = new TemporaryFolder();
  using elsewhere = new TemporaryFolder();
  const target = elsewhere.add("target", ...GOOD);
  Deno.chmodSync(target, 0o640);
  Deno.symlinkSync(target, join(folder.path, "01_link.ipynb"));
  assertEquals((await run(folder, [join(folder.path, "01_link.ipynb")])).code, 0);
  assert(Deno.lstatSync(join(folder.path, "01_link.ipynb")).isSymlink);
  assertEquals(Deno.statSync(target).mode! & 0o777, 0o640);
  assertEquals(elsewhere.list(), ["target.ipynb"]);
  assertEquals(parseNotebook(elsewhere.read("target.ipynb")).cells[1].execution_count, 2);
});

Deno.test("a file that is not UTF-8 is refused and stays as it is; a byte order mark is understood", async () => {
  using folder = new TemporaryFolder();
  const latin = folder.write("latin.ipynb", "");
  Deno.writeFileSync(latin, Uint8Array.from(notebookText(`"caf\u00e9"`), (char) => char.charCodeAt(0)));
  const before = Deno.readFileSync(latin);
  const refused = await run(folder, ["latin"]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.output, "latin.ipynb: This is not UTF-8");
  assertEquals(Deno.readFileSync(latin), before);

  const marked = folder.write("marked.ipynb", "\ufeff" + notebookText(`console.log("caf\u00e9")`));
  assertEquals((await run(folder, ["marked"])).code, 0);
  assertEquals(Deno.readFileSync(marked)[0], "{".charCodeAt(0)); // Jupyter writes none
  assertStringIncludes(Deno.readTextFileSync(marked), `"caf\u00e9\\n"`);
});

Deno.test("notebooks of one name in two folders are told apart", async () => {
  using one = new TemporaryFolder();
  using two = new TemporaryFolder();
  const paths = [one.add("same", "1"), two.add("same", "throw 1")];
  const { output } = await run(one, [...paths, one.add("other", "2")]);
  const [first, second] = paths.map(showPath);
  assertStringIncludes(output, `${first}: cell 1 of 1`);
  assertMatch(output, new RegExp(`\n${first} .* written\n`));
  assertMatch(output, new RegExp(`\n${second} .* failed\n`));
  assertMatch(output, /\nother .* written\n/);
});

// ---- Copies with other parameters ----

const PARAMETERS = `// What you may change
const p = 0.5; // drop probability
const seed: number = 42;
const name = "a//b"; // a text
const rates = [0.1, 0.2];
const n = 2 ** 3;`;

/** A notebook whose first cell is tagged. */
function addWithParameters(folder: TemporaryFolder, name = "01"): string {
  const file = JSON.parse(notebookText(PARAMETERS, "console.log(p, seed, name, rates, n, Deno.cwd());"));
  file.cells[0].metadata.tags = ["parameters"];
  return folder.write(`${name}.ipynb`, JSON.stringify(file));
}

Deno.test("--set and --out run a copy with other values, in the original's folder, and leave the original", async () => {
  using folder = new TemporaryFolder();
  using elsewhere = new TemporaryFolder();
  const before = Deno.readTextFileSync(addWithParameters(folder));
  const out = join(elsewhere.path, "new", "folder");
  const settings = ["p=0.9", "seed=18446744073709551615", "name=b=c", "rates=[1, 2, 3]"];
  const { code, output } = await run(folder, [
    "01",
    "--out",
    out,
    ...settings.flatMap((text) => ["--set", text]),
  ]);
  assertEquals(code, 0, output);
  assertEquals(folder.list(), ["01.ipynb"]);
  assertEquals(folder.read("01.ipynb"), before);
  const { cells } = parseNotebook(Deno.readTextFileSync(join(out, "01.ipynb")));
  assertEquals(
    cells[0].source,
    PARAMETERS.replace("0.5", "0.9").replace("42", "18446744073709551615").replace(`"a//b"`, `"b=c"`)
      .replace("[0.1, 0.2]", "[1, 2, 3]"),
  );
  assertEquals(
    (cells[1].outputs as { text: string }[])[0].text,
    `0.9 18446744073709552000 b=c [ 1, 2, 3 ] 8 ${Deno.realPathSync(folder.path)}\n`,
  );
  assertStringIncludes(output, showPath(join(out, "01.ipynb")));
  assertEquals((await run(folder, ["--out", out])).code, 0); // over the copy of before
  assertStringIncludes(Deno.readTextFileSync(join(out, "01.ipynb")), "0.5 42 a//b [ 0.1, 0.2 ] 8");
});

Deno.test("what cannot be set is refused before anything runs or is written", async () => {
  using folder = new TemporaryFolder();
  using elsewhere = new TemporaryFolder();
  addWithParameters(folder);
  folder.add("plain", "const p = 0.5;");
  folder.write("twice.ipynb", folder.read("01.ipynb").replace("// What you", "const p = 1;\\n// What you"));
  const out = join(elsewhere.path, "out");
  const before = folder.read("01.ipynb");
  const wrong: [string[], ...string[]][] = [
    [["01", "--set", "q=1"], "no parameter q", "p, seed, name, rates, n"],
    [["01", "--set", "p=often"], "p is a number, such as 0.5, got often"],
    [["01", "--set", `p="0.5"`], "p is a number", `got "0.5"`],
    [["01", "--set", "p=NaN"], "got NaN"],
    [["01", "--set", "p=1; await evil()"], "got 1; await evil()"],
    [["01", "--set", "p=007"], "got 007"],
    [["twice", "--set", "p=1"], "p cannot be set: it is there more than once"],
    [["01", "--set", "rates=[true]"], "rates is a list of numbers"],
    [["01", "--set", "n=9"], "n cannot be set: 2 ** 3 is no plain value"],
    [["01", "--set", "p"], "name=value", `got "p"`],
    [["01", "--set", "p=1", "--set", "p=2"], "p two values"],
    [["plain", "--set", "p=1"], "no parameter p", "no cell is tagged"],
  ];
  for (const [args, ...parts] of wrong) {
    const { code, output } = await run(folder, [...args, "--out", out]);
    assertEquals(code, 2, output);
    for (const part of parts) assertStringIncludes(output, part);
  }
  const uses: [string[], string][] = [
    [["01", "--set", "p=1"], "say with --out"],
    [["01", "--out", folder.path], "is the folder of"],
    [["01", "--out", out, "--check"], "use one of them"],
    [["01", "--out"], "--out takes a folder"],
  ];
  for (const [args, part] of uses) {
    const { code, output } = await run(folder, args);
    assertEquals(code, 2, output);
    assertStringIncludes(output, part);
  }
  assertEquals(elsewhere.list(), []);
  assertEquals(folder.read("01.ipynb"), before);
});

// ---- Command line ----

Deno.test("a wrong command line is answered with what is allowed, and exit code 2", async () => {
  using folder = new TemporaryFolder();
  for (const name of ["01_one", "02_two", "02_three"]) folder.add(name, ...GOOD);
  const wrong: [string[], ...string[]][] = [
    [["--fast"], "Unknown option --fast", "--check, --timeout, --set, --out and --help"],
    [["--timeout", "soon"], "positive number of seconds", `got "soon"`],
    [["--timeout", "0"], `got "0"`],
    [["--timeout=-1"], `got "-1"`],
    [["--timeout"], `got ""`],
    [["03"], `No notebook is named "03"`, "01_one", "02_three"],
    [["missing.ipynb"], `No notebook is named "missing.ipynb"`],
    [["02"], `2 notebooks begin with "02"`, "02_two", "02_three"],
  ];
  const before = folder.list().map((name) => folder.read(name));
  for (const [args, ...parts] of wrong) {
    const { code, output } = await run(folder, args);
    assertEquals(code, 2, output);
    for (const part of parts) assertStringIncludes(output, part);
  }
  assertEquals(folder.list().map((name) => folder.read(name)), before);
});

Deno.test("--help tells how to use the command", async () => {
  using folder = new TemporaryFolder();
  for (const option of ["--help", "-h"]) {
    const { code, output } = await run(folder, [option]);
    assertEquals(code, 0);
    for (
      const part of [
        "deno task notebooks",
        "--check",
        "--timeout",
        "120",
        "--set",
        "--out",
        "all permissions",
      ]
    ) {
      assertStringIncludes(output, part);
    }
  }
});

Deno.test("a folder without notebooks, or no folder, is said to be so", async () => {
  using folder = new TemporaryFolder();
  assertEquals((await run(folder, [])).code, 2);
  assertStringIncludes((await run(folder, ["01"])).output, "none in");
  const { code, output } = await run(folder, [], { directory: join(folder.path, "missing") });
  assertEquals([code, output.includes("no notebooks in")], [2, true]);
});

Deno.test("a whole name is that notebook, even if others begin with it", async () => {
  using folder = new TemporaryFolder();
  const paths = ["01", "01_more", "01_most"].map((name) => folder.add(name, "1"));
  assertEquals(await findNotebooks(["01", "01_mor"], folder.path), paths.slice(0, 2));
  assertEquals(await findNotebooks([], folder.path), paths);
  let error: unknown;
  await findNotebooks(["01_mo"], folder.path).catch((reason) => error = reason);
  assert(error instanceof UsageError);
});

// ---- Failures lose nothing ----

Deno.test("each failure is told, the file stays as it was, and the other notebooks go on", async () => {
  using folder = new TemporaryFolder();
  const failing: Record<string, [content: string, ...told: string[]]> = {
    throws: [
      notebookText("1", "const a = 1;\n\nthrow new TypeError('no');"),
      "throws.ipynb, cell 2 (code cell 2), line 3: TypeError: no",
      "  3 | throw new TypeError('no');",
    ],
    syntax: [
      notebookText("const b = ;"),
      "syntax.ipynb, cell 1 (code cell 1), line 1: SyntaxError: Expression expected",
      "  1 | const b = ;",
    ],
    loop: [
      notebookText("while (true) {}"),
      "loop.ipynb, cell 1 (code cell 1): The cell ran for more than 1 s",
    ],
    never: [notebookText("await new Promise(() => {});"), "never.ipynb, cell 1", "its kernel was killed"],
    exit: [notebookText("1", "Deno.exit(3)"), "exit.ipynb, cell 2", "exit code 3"],
    not_json: ["{,", "not_json.ipynb: This is not JSON", "position 1"],
    not_notebook: ["[1]", "not_notebook.ipynb: This is not a notebook"],
    python: [
      notebookText("1").replace(`"name":"deno"`, `"name":"python3"`),
      `python.ipynb: `,
      `it is for "python3"`,
    ],
  };
  for (const [name, [content]] of Object.entries(failing)) folder.write(`${name}.ipynb`, content);
  folder.add("good", ...GOOD);
  const files = folder.list();
  const { code, output } = await run(folder, ["--timeout", "1"]);
  assertEquals(code, 1);
  assertEquals(folder.list(), files);
  for (const [name, [content, ...told]] of Object.entries(failing)) {
    assertEquals(folder.read(`${name}.ipynb`), content);
    assertMatch(output, new RegExp(`\n${name} +– +– +– +[\\d.]+ +failed\n`));
    for (const part of told) assertStringIncludes(output, part);
  }
  assertMatch(output, /\ngood +2 +0 +0 +[\d.]+ +written\n/);
  assertStringIncludes(output, "Correct what is said above");
});

Deno.test("a kernel that does not start is told, and the file stays as it was", async () => {
  using folder = new TemporaryFolder();
  folder.add("01", ...GOOD);
  const before = folder.read("01.ipynb");
  const missing = await run(folder, [], { deno: "/no/such/deno" });
  const silent = await run(folder, [], { startTimeout: 0.001 });
  folder.write("deno.json", "{ not JSON");
  const ending = await run(folder, []);
  assertEquals([missing.code, silent.code, ending.code], [1, 1, 1]);
  assertStringIncludes(missing.output, "/no/such/deno could not be started");
  assertStringIncludes(silent.output, "did not answer within 0.001 s");
  assertStringIncludes(ending.output, "deno.json");
  assertEquals(folder.read("01.ipynb"), before);
  assertEquals(folder.list(), ["01.ipynb", "deno.json"]);
});

Deno.test("a notebook that somebody saves while its cells run is not overwritten", async () => {
  using folder = new TemporaryFolder();
  const saved = notebookText("2");
  folder.add("01", `Deno.writeTextFileSync("01.ipynb", ${JSON.stringify(saved)});`);
  const { code, output } = await run(folder, []);
  assertEquals(code, 1);
  assertStringIncludes(output, "was changed while its cells ran");
  assertEquals(folder.read("01.ipynb"), saved);
});

Deno.test(
  "a file that cannot be replaced leaves no temporary file behind",
  { ignore: isWindows },
  async () => {
    using folder = new TemporaryFolder();
    // After the cell has run, a folder stands where the file was read: it cannot be replaced by a file.
    folder.add("01", `Deno.removeSync("01.ipynb"); Deno.mkdirSync("01.ipynb");`);
    const { code } = await run(folder, ["01"]);
    assertEquals(code, 1);
    assertEquals(folder.list(), ["01.ipynb"]);
  },
);

Deno.test("a folder that may not be written is told before any cell runs", async () => {
  using folder = new TemporaryFolder();
  using temporary = new TemporaryFolder();
  const path = folder.add("01", LEAVE_PID);
  const flags = ["--allow-read", `--allow-write=${temporary.path}`, "--allow-run", "--allow-net=127.0.0.1"];
  const { code, stderr } = await spawn([path], flags).output();
  const output = new TextDecoder().decode(stderr);
  assertEquals(code, 1, output);
  assertStringIncludes(output, "Notebooks cannot be written in");
  assertStringIncludes(output, folder.path);
  assertStringIncludes(output, "Nothing was run");
  assertEquals(folder.list(), ["01.ipynb"]);
});

Deno.test("a read-only folder is told before any cell runs", { ignore: isWindows }, async () => {
  using folder = new TemporaryFolder();
  folder.add("01", LEAVE_PID);
  Deno.chmodSync(folder.path, 0o555);
  const { code, output } = await run(folder, []);
  Deno.chmodSync(folder.path, 0o755);
  if (code === 0) return; // for root, no folder is read-only
  assertStringIncludes(output, "Notebooks cannot be written");
  assertEquals(folder.list(), ["01.ipynb"]);
});

Deno.test("a link into a folder that may not be written is told before any cell runs", async () => {
  using folder = new TemporaryFolder();
  using elsewhere = new TemporaryFolder();
  using temporary = new TemporaryFolder();
  const link = join(folder.path, "01.ipynb");
  Deno.symlinkSync(elsewhere.add("target", LEAVE_PID), link);
  const flags = [
    "--allow-read",
    `--allow-write=${temporary.path},${folder.path}`,
    "--allow-run",
    "--allow-net=127.0.0.1",
  ];
  const { code, stderr } = await spawn([link], flags).output();
  const output = new TextDecoder().decode(stderr);
  assertEquals(code, 1, output);
  assertStringIncludes(output, "Notebooks cannot be written in");
  assertStringIncludes(output, "Nothing was run");
  assertEquals(folder.list(), ["01.ipynb"]);
});

Deno.test("escape codes in errors and in names do not reach the terminal", async () => {
  using folder = new TemporaryFolder();
  folder.add("a\x1b[2Jb", `throw new Error("\\x1b]0;title\\x07 \\x9b31m" + "\x1b[31mred");`);
  const { code, output } = await run(folder, []);
  assertEquals(code, 1);
  assertStringIncludes(output, "a\\x1b[2Jb");
  assertStringIncludes(output, "\\x1b]0;title\\x07 \\x9b31m");
  assertFalse(/[^\P{Cc}\n]/u.test(output));
});

// ---- Being stopped ----

Deno.test(
  "when nobody reads what it prints, it stops and leaves nothing behind",
  { ignore: isWindows },
  async () => {
    using folder = new TemporaryFolder();
    using temporary = new TemporaryFolder();
    const path = folder.add("01", LEAVE_PID, "1", "2", "await new Promise(() => {});");
    const process = spawn([path], ["-A"], { TMPDIR: temporary.path });
    const reader = process.stderr.getReader();
    await reader.read();
    await reader.cancel();
    await process.stdout.cancel();
    const { code } = await process.status;
    assertEquals(code, 141);
    assertEquals(temporary.list(), []);
    if (folder.list().includes("pid")) assertFalse(isAlive(Number(folder.read("pid"))));
  },
);

for (const [name, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(
    `${name} kills all kernels, leaves no files, and ends with ${exitCode}`,
    { ignore: isWindows },
    async () => {
      using folder = new TemporaryFolder();
      using temporary = new TemporaryFolder(); // where the command puts its temporary files
      const cell = (n: number) => `Deno.writeTextFileSync("pid${n}", String(Deno.pid)); while (true) {}`;
      const paths = [1, 2].map((n) => folder.add(`0${n}`, cell(n)));
      const before = [folder.read("01.ipynb"), folder.read("02.ipynb")];
      const process = spawn(paths, ["-A"], { TMPDIR: temporary.path });
      const running = Math.min(2, navigator.hardwareConcurrency);
      await until(() => folder.list().filter((file) => file.startsWith("pid")).length === running);
      process.kill(name);
      const { code, stderr } = await process.output();
      assertEquals(code, exitCode);
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        "Stopped. Notebooks that were not finished are as they were",
      );
      assertEquals([folder.read("01.ipynb"), folder.read("02.ipynb")], before);
      assertEquals(temporary.list(), []);
      assertFalse(folder.list().some((file) => file.endsWith(".tmp")));
      for (const file of folder.list().filter((file) => file.startsWith("pid"))) {
        assertFalse(isAlive(Number(folder.read(file))));
      }
    },
  );
}

Deno.test("no temporary folder and no process outlive failures", { ignore: isWindows }, async () => {
  using folder = new TemporaryFolder();
  using temporary = new TemporaryFolder();
  folder.add("syntax", "const a = ;");
  folder.add("never", `${LEAVE_PID} await new Promise(() => {});`);
  folder.add("throws", "throw new Error('no');");
  const paths = ["syntax", "never", "throws"].map((name) => join(folder.path, `${name}.ipynb`));
  const { code } = await spawn([...paths, "--timeout", "1"], ["-A"], { TMPDIR: temporary.path }).output();
  assertEquals(code, 1);
  assertEquals(temporary.list(), []);
  assertFalse(isAlive(Number(folder.read("pid"))));
});

Deno.test("after a stop, notebooks that wait are not started, and the exit code is the signal's", async () => {
  using folder = new TemporaryFolder();
  for (let i = 0; i < 20; i++) folder.add(`0${i}`, "while (true) {}");
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Stopped("SIGINT")), 700);
  const { code, output } = await run(folder, [], { signal: controller.signal });
  assertEquals(code, 130);
  assertEquals(output.match(/ stopped\n/g)?.length, 20);
  assertMatch(new Stopped("SIGTERM").message, /SIGTERM/);
});

// ---- What is shown ----

Deno.test("the first difference is that of the first cell that differs", () => {
  const text = serializeNotebook(parseNotebook(notebookText("1", "2")));
  const change = (change: (cells: Record<string, unknown>[]) => void) => {
    const file = JSON.parse(text);
    change(file.cells);
    return serializeNotebook(parseNotebook(JSON.stringify(file)));
  };
  const cases: [string, string, ...string[]][] = [
    [
      text,
      change(([, cell]) => cell.execution_count = 7),
      "cell 2",
      "execution_count",
      `"execution_count": 7`,
    ],
    [text, change(([cell]) => cell.metadata = { a: "b".repeat(500) }), "cell 1", "metadata", "bbb …"],
    [text.trimEnd(), text, "not formatted", "on disk:  (nothing)"],
    [JSON.stringify(JSON.parse(text)), text, "not formatted", "executed: {"],
  ];
  for (const [before, after, ...parts] of cases) {
    for (const part of parts) assertStringIncludes(describeDifference(before, after), part);
  }
  assertThrows(() => describeDifference("", text));
});

Deno.test("on a terminal, what is going on is redrawn in place; elsewhere it is plain lines", () => {
  for (const columns of [30, undefined]) {
    let output = "";
    const screen = { write: (text: string) => void (output += text), ...(columns && { columns }) };
    {
      using progress = new Progress(screen);
      progress.update("a", "cell 1 of 2");
      progress.update("b", "cell 1 of 9 " + "long ".repeat(20));
      progress.finish("a", "written");
    }
    assertEquals(output.includes("\x1b["), columns !== undefined);
    assertMatch(output, /a: written, \d+\.\d s\n/);
    // deno-lint-ignore no-control-regex -- what moves the cursor takes no space
    const visible = output.replace(/\x1b\[\d*[AJ]/g, "");
    if (columns) assert(visible.split("\n").every((line) => line.length < columns));
    if (columns) assert(output.endsWith("\x1b[1A\x1b[J")); // what was not finished is erased
  }
});

Deno.test("in a table, numbers stand to the right and words to the left", () => {
  const table = formatTable([["name", "n"], ["a", "1"], ["longer", "100"]]);
  assertEquals(table, "name      n\na         1\nlonger  100");
});
