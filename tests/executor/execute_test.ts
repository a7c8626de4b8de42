import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { CellFailed, executeNotebook, type Execution } from "../../lib/jupyter/executor/execute.ts";
import { CellTimeout, KernelDied } from "../../lib/jupyter/executor/kernel.ts";
import {
  isCode,
  type JsonObject,
  type Notebook,
  serializeNotebook,
} from "../../lib/jupyter/executor/notebook.ts";
import { locateFailure } from "../../lib/jupyter/executor/position.ts";
import { KernelNeverStarted } from "../../lib/jupyter/executor/process.ts";
import { TornStream } from "../../lib/jupyter/executor/zmtp.ts";
import { notebookOf, TemporaryFolder } from "./helpers.ts";

async function execute(...sources: string[]): Promise<Execution> {
  using folder = new TemporaryFolder();
  return await executeNotebook(notebookOf(...sources), { cwd: folder.path });
}

async function failure(timeout: number, ...sources: string[]): Promise<CellFailed> {
  using folder = new TemporaryFolder();
  const executing = () => executeNotebook(notebookOf(...sources), { cwd: folder.path, timeout });
  return await assertRejects(executing, CellFailed);
}

const outputs = ({ cells }: Notebook) => cells.filter(isCode).map((cell) => cell.outputs);

/** Each output in short: a stream's name and text, or a display's plain text. */
const shorthand = (notebook: Notebook) =>
  outputs(notebook).map((list) =>
    list.map((output) =>
      output.output_type === "stream"
        ? `${output.name}: ${output.text}`
        : `${output.output_type}: ${(output.data as JsonObject)["text/plain"]}`
    )
  );

const broadcast = (type: string, content: unknown) =>
  `await Deno.jupyter.broadcast("${type}", ${JSON.stringify(content)});`;
const display = (text: string, id?: string) =>
  broadcast("display_data", {
    data: { "text/plain": text },
    metadata: {},
    ...(id && { transient: { display_id: id } }),
  });

// ---- Success ----

Deno.test("cells run from top to bottom; counts go from 1 to n over those that are not blank", async () => {
  using folder = new TemporaryFolder();
  const notebook = notebookOf("const a = 1;", "", "a + 1", "  \n", "a + 2");
  notebook.cells.splice(1, 0, { cell_type: "markdown", id: "text", source: "Words", metadata: {} });
  const before = structuredClone(notebook);
  const started: string[] = [];
  const { notebook: executed, ...counts } = await executeNotebook(notebook, {
    cwd: folder.path,
    onCell: ({ number, total }) => started.push(`${number}/${total}`),
  });
  assertEquals(executed.cells.map((cell) => cell.execution_count), [1, undefined, null, 2, null, 3]);
  assertEquals(shorthand(executed), [[], [], ["execute_result: 2"], [], ["execute_result: 3"]]);
  assertEquals(started, ["1/3", "2/3", "3/3"]);
  assertEquals(counts, { cells: 3, figures: 0, claims: 0 });
  assertEquals(notebook, before);
  assertStrictEquals(executed.cells[1], notebook.cells[1]);
});

Deno.test("figures and claims are counted", async () => {
  const notebook = notebookOf(
    `for (let i = 0; i < 2; i++) await Deno.jupyter.display({ "image/png": "AAAA", "text/plain": "x" }, { raw: true });`,
    `await Deno.jupyter.display({ "text/plain": "no figure" }, { raw: true });`,
    "1",
  );
  notebook.cells[2].metadata = { tags: ["claim", "other"] };
  const { figures, claims } = await executeNotebook(notebook, { cwd: Deno.cwd() });
  assertEquals({ figures, claims }, { figures: 2, claims: 1 });
});

Deno.test("outputs keep their order, and neighbours in one stream become one", async () => {
  const { notebook } = await execute(
    `console.log("a"); console.log("b"); console.error("c"); console.log("d"); ${
      display("e")
    } console.log("f"); 7`,
  );
  assertEquals(shorthand(notebook), [[
    "stdout: a\nb\n",
    "stderr: c\n",
    "stdout: d\n",
    "display_data: e",
    "stdout: f\n",
    "execute_result: 7",
  ]]);
});

Deno.test("outputs are cleared at once, or when the next one comes", async () => {
  const print = (text: string) => `console.log("${text}"); await new Promise((done) => setTimeout(done, 5));`;
  const clear = (wait: boolean) => broadcast("clear_output", { wait });
  const { notebook } = await execute(
    print("a") + clear(false),
    print("a") + clear(false) + print("b"),
    print("a") + clear(true),
    print("a") + clear(true) + print("b") + print("c"),
    print("a") + clear(true) + display("b"),
  );
  assertEquals(shorthand(notebook), [[], ["stdout: b\n"], ["stdout: a\n"], ["stdout: b\nc\n"], [
    "display_data: b",
  ]]);
});

Deno.test("a display is updated wherever it is shown, also by a later cell", async () => {
  const update = (id: string) =>
    broadcast("update_display_data", {
      data: { "text/plain": "new" },
      metadata: {},
      transient: { display_id: id },
    });
  const { notebook } = await execute(
    display("old", "x") + display("old", "y"),
    display("old", "x"),
    update("x") + update("unknown"),
  );
  assertEquals(shorthand(notebook), [["display_data: new", "display_data: old"], ["display_data: new"], []]);
});

Deno.test("colour codes are taken out, even when two chunks share one", async () => {
  const { notebook } = await execute(
    `console.log("\\x1b[31mred\\x1b[0m");`,
    `Deno.stdout; console.log("a\\x1b"); console.log("b");`,
    display("\x1b[1;32mgreen\x1b[39m"),
  );
  assertEquals(shorthand(notebook), [["stdout: red\n"], ["stdout: a\x1b\nb\n"], ["display_data: green"]]);
});

Deno.test("a hundred displays in each of several cells all arrive, in order", async () => {
  const many =
    `for (let i = 0; i < 100; i++) await Deno.jupyter.display({ "text/plain": String(i) }, { raw: true });`;
  const { notebook } = await execute(many, many, many);
  const expected = Array.from({ length: 100 }, (_, i) => `display_data: ${i}`);
  assertEquals(shorthand(notebook), [expected, expected, expected]);
});

Deno.test("two runs write the same bytes", async () => {
  const cells = [
    `console.log(1); console.error(2);`,
    `${display("x")} console.log(3);`,
    `({ a: [1, 2] })`,
    `"last"`,
  ];
  const [one, two] = await Promise.all([execute(...cells), execute(...cells)]);
  assertEquals(serializeNotebook(one.notebook), serializeNotebook(two.notebook));
});

Deno.test("executing what was executed changes nothing", async () => {
  using folder = new TemporaryFolder();
  const once = await executeNotebook(notebookOf("1", "console.log(2)"), { cwd: folder.path });
  const twice = await executeNotebook(once.notebook, { cwd: folder.path });
  assertEquals(twice.notebook, once.notebook);
});

// ---- Failure ----

Deno.test("a cell that throws is reported with its place, its line and the message", async () => {
  const throwing =
    `interface Unused {\n  a: number;\n}\n\n// Why\nconst list = [\n  1,\n];\nthrow new RangeError("no");`;
  const notebook = notebookOf("1", throwing, "3");
  notebook.cells.unshift({ cell_type: "markdown", id: "text", source: "Words", metadata: {} });
  const error = await assertRejects(() => executeNotebook(notebook, { cwd: Deno.cwd() }), CellFailed);
  const { message, cell, codeCell, line, sourceLine } = error;
  assertEquals({ message, cell, codeCell, line, sourceLine }, {
    message: "RangeError: no",
    cell: 3,
    codeCell: 2,
    line: 9,
    sourceLine: `throw new RangeError("no");`,
  });
});

Deno.test("the line is that of the cell which failed, not of a function in an earlier one", async () => {
  const error = await failure(
    10,
    `async function check(x: number): Promise<void> {\n  await 1;\n\n\n  if (x > 1) throw new Error("large");\n}`,
    `import { join } from "node:path";\n\nconst path = join("a", "b");\nfor (const x of [1, 2]) {\n  // why\n  await check(x);\n}`,
  );
  assertEquals([error.message, error.codeCell, error.line], ["Error: large", 2, 6]);
});

Deno.test("a syntax error, of which the kernel says nothing, is reported with line and reason", async () => {
  const { message, cell, line, sourceLine } = await failure(10, "1", "const a = 1;\n\nconst b = ;");
  assertEquals([message, cell, line, sourceLine], ["SyntaxError: Expression expected", 2, 3, "const b = ;"]);
});

Deno.test("what cannot be compiled for another reason is still a failure", async () => {
  const { message, line } = await failure(10, "let a = 1;\nlet a = 2;");
  assertEquals([message.startsWith("SyntaxError: "), line], [true, undefined]);
});

Deno.test("a rejected await, a thrown text and a missing module fail the cell", async () => {
  assertEquals((await failure(10, `await Promise.reject(new Error("no"));`)).message, "Error: no");
  const text = await failure(10, `throw "just a text";`);
  assertEquals(text.message, "Error: just a text");
  const module = await failure(10, `1;\nimport { x } from "./missing.ts"; x;`);
  assertEquals(module.message.startsWith("TypeError: Module not found"), true);
});

Deno.test("what is thrown without saying where is shown as it is, and not called a syntax error", async () => {
  for (
    const [code, message] of [
      ["throw Object.create(null);", "Error: (none)"],
      ["throw null;", "Error: null"],
      [`const e = new Error("no stack"); e.stack = ""; throw e;`, "Error: no stack"],
    ]
  ) assertEquals((await failure(10, code)).message, message);
});

Deno.test("an error that no cell catches is reported with the cell that was running", async () => {
  const timer = await failure(
    20,
    `setTimeout(() => { throw new Error("late"); }, 50);`,
    "await new Promise(() => {});",
  );
  assertEquals([timer.cell, timer.message.split("\n")[0]], [2, "Error: late"]);
  assertStringIncludes(timer.message, "A timer or an event listener threw this");
  const promise = await failure(20, "1", `Promise.reject(new TypeError("lost")); 2`, "3");
  assertEquals([promise.cell, promise.message.split("\n")[0]], [2, "TypeError: lost"]);
  assertStringIncludes(promise.message, "A promise that nobody awaited");
});

Deno.test("a last value that cannot be shown fails its cell", async () => {
  const { message } = await failure(
    10,
    `({ [Symbol.for("Jupyter.display")]() { throw new Error("no picture"); } })`,
  );
  assertEquals(message, "Error: no picture");
});

Deno.test("outputs that no notebook can hold are refused, and what Jupyter allows is kept", async () => {
  const shown = (data: unknown, metadata: unknown = {}) =>
    broadcast("display_data", { data, metadata, transient: {} });
  const refused: [string, string][] = [
    [shown({ "image/png": 5 }), "image/png must be a text, got 5"],
    [shown({ "text/plain": null }), "text/plain must be a text, got null"],
    [shown({ "text/html": ["a", 1] }), `text/html must be a text, got ["a",1]`],
    [shown({ "image/svg+xml": {} }), "image/svg+xml must be a text, got {}"],
    [shown("text"), `data must be an object, by media type, got "text"`],
    [shown(null), "data must be an object"],
    [shown({}, 5), "metadata must be an object, got 5"],
    [broadcast("stream", { name: "stdout", text: 5 }), "a stream's text must be a text, got 5"],
    [broadcast("display_data", null), "data must be an object"],
    [
      broadcast("execute_result", { data: {}, metadata: {} }),
      "execution_count must be a number of a cell or null",
    ],
    [broadcast("execute_result", { data: {}, metadata: {}, execution_count: "7" }), `got "7"`],
    [broadcast("stream", 5), "a stream's name must be a text"],
    [broadcast("stream", { text: "a" }), "a stream's name must be a text, got null"],
    [
      display("a", "x") +
      broadcast("update_display_data", { data: 1, metadata: {}, transient: { display_id: "x" } }),
      "data must be",
    ],
  ];
  for (const [code, reason] of refused) {
    const { message } = await failure(10, code);
    assertStringIncludes(message, "The cell shows what a notebook cannot hold");
    assertStringIncludes(message, reason);
  }
  const buffers =
    `await Deno.jupyter.broadcast("display_data", { data: {}, metadata: {} }, { buffers: [new Uint8Array(9)] });`;
  assertEquals(
    (await failure(10, buffers)).message,
    "The cell shows binary buffers, which no notebook holds.",
  );
  const lines = broadcast("stream", { name: "stdout", text: ["a\n", "b\n"] }) + `console.log("c");`;
  assertEquals(shorthand((await execute(lines)).notebook), [["stdout: a\nb\nc\n"]]);
  const allowed = shown({
    "application/json": 5,
    "application/vnd.x+json": [1],
    "text/plain": ["a", "b"],
    "image/png": "AAAA",
  });
  assertEquals(outputs((await execute(allowed)).notebook)[0][0].data, {
    "application/json": 5,
    "application/vnd.x+json": [1],
    "text/plain": "ab",
    "image/png": "AAAA",
  });
});

/** Kernels whose connections lose a byte once much has come over them, as if two messages had been mixed. */
async function withTornStreams<T>(kernels: number, work: () => Promise<T>): Promise<T> {
  const connect = Deno.connect;
  const torn = new Set<number>(); // the ports of the kernels that were torn
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    const connection = await connect(options);
    const read = connection.read.bind(connection);
    let total = 0;
    connection.read = async (buffer) => {
      const count = await read(buffer);
      total += count ?? 0;
      if (count !== null && total > 1e6 && torn.size < kernels && !torn.has(options.port)) {
        torn.add(options.port);
        buffer[count - 1] ^= 1;
      }
      return count;
    };
    return connection;
  }) as typeof Deno.connect;
  try {
    return await work();
  } finally {
    Deno.connect = connect;
  }
}

Deno.test("a kernel that mixes its messages costs a second run; when it does so again, the cell is named", async () => {
  const cells = ["1", `console.log("x".repeat(3e6));`, "3"];
  using folder = new TemporaryFolder();
  const attempts: number[] = [];
  const run = () =>
    executeNotebook(notebookOf(...cells), {
      cwd: folder.path,
      timeout: 30,
      onCell: ({ attempt }) => attempts.push(attempt),
    });
  const { notebook } = await withTornStreams(1, run);
  assertEquals(attempts, [1, 1, 2, 2, 2]);
  assertEquals(outputs(notebook)[1][0].text, "x".repeat(3e6) + "\n");

  const error = await withTornStreams(2, () => assertRejects(run, CellFailed));
  assertEquals(error.cell, 2);
  assertInstanceOf(error.cause, TornStream);
  assertStringIncludes(error.message, "Deno's kernel mixed its messages");
});

Deno.test("a failure that cannot be placed has no line", async () => {
  assertEquals(await locateFailure("1", ["Error: no", "    at elsewhere.ts:1:2"]), {});
  assertEquals(await locateFailure("1", []), {});
  assertEquals(await locateFailure("1", ["at <anonymous>:99:1"]), {});
});

Deno.test("cells that never end, and cells that end their kernel, are failures", async () => {
  const [loop, never, exit] = await Promise.all([
    failure(1, "while (true) {}"),
    failure(1, "await new Promise(() => {});"),
    failure(10, "1", "Deno.exit(3);"),
  ]);
  assertInstanceOf(loop.cause, CellTimeout);
  assertInstanceOf(never.cause, CellTimeout);
  assertInstanceOf(exit.cause, KernelDied);
  assertEquals([loop.cell, never.cell, exit.cell], [1, 1, 2]);
});

Deno.test("a kernel that never starts, and a stop, fail the notebook as a whole", async () => {
  const options = { cwd: Deno.cwd(), deno: "/no/such/deno" };
  await assertRejects(() => executeNotebook(notebookOf("1"), options), KernelNeverStarted);
  const controller = new AbortController();
  await assertRejects(
    () =>
      executeNotebook(notebookOf("await new Promise(() => {});"), {
        cwd: Deno.cwd(),
        signal: controller.signal,
        onCell: () => controller.abort(new Error("enough")),
      }),
    Error,
    "enough",
  );
});
