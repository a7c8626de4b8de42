import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { dirname, join } from "@std/path";
import fc from "fast-check";
import { CellTimeout, Kernel, KernelDied, type Published } from "../../lib/jupyter/executor/kernel.ts";
import { KernelNeverStarted } from "../../lib/jupyter/executor/process.ts";
import { decodeMessage, encodeMessage, sign } from "../../lib/jupyter/executor/message.ts";
import { isAlive, LEAVE_PID, TemporaryFolder, until } from "./helpers.ts";

const isPosix = Deno.build.os !== "windows";

/** Runs a cell, and returns what it published of the given types. */
async function publishedBy(
  kernel: Kernel,
  code: string,
  ...types: string[]
): Promise<Published["content"][]> {
  const contents: Published["content"][] = [];
  const reply = await kernel.execute(code, {
    onPublished: ({ type, content }) => void (types.includes(type) && contents.push(content)),
  });
  assertEquals(reply.status, "ok");
  return contents;
}

const plainText = (content: Published["content"]) => (content.data as Record<string, string>)["text/plain"];

// ---- Messages ----

Deno.test("a signature is the HMAC-SHA256 of all parts together", () => {
  const parts = ["The quick brown fox ", "", "jumps over the lazy dog"];
  assertEquals(sign("key", parts), "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
});

Deno.test("a message that was signed can be read; one that was changed or cut is ignored", () => {
  const encoder = new TextEncoder();
  const content = fc.dictionary(fc.string(), fc.string());
  fc.assert(fc.property(content, fc.string(), fc.nat(), (content, type, position) => {
    const texts = encodeMessage("secret", { id: "1", session: "2", type }, content);
    const frames = ["an address", ...texts].map((text) => encoder.encode(text));
    assertEquals(decodeMessage("secret", frames), { type, parentId: undefined, content, buffers: 0 });
    assertEquals(decodeMessage("another secret", frames), undefined);
    assertEquals(decodeMessage("secret", frames.slice(0, position % frames.length)), undefined);
    const changed = frames.with(3, encoder.encode(texts[2] + " "));
    assertEquals(decodeMessage("secret", changed), undefined);
  }));
});

// ---- Cells ----

Deno.test("a kernel keeps its state, numbers the cells, and answers how they went", async () => {
  await using kernel = await Kernel.start();
  const replies = [];
  for (
    const code of ["const answer: number = 42;", "answer", "throw new TypeError('no')", "let = ;", "answer"]
  ) {
    const { status, execution_count, ename, evalue } = await kernel.execute(code);
    replies.push([status, execution_count, ename, evalue].filter((part) => part !== undefined).join(" "));
  }
  assertEquals(replies, ["ok 1", "ok 2", "error 3 TypeError no", "error 4 Error Execution failed", "ok 5"]);
});

Deno.test("a kernel runs in the folder that it is given", async () => {
  using folder = new TemporaryFolder();
  await using kernel = await Kernel.start({ cwd: folder.path });
  assertEquals((await kernel.execute(LEAVE_PID)).status, "ok");
  assertEquals(folder.list(), ["pid"]);
});

Deno.test("no last value is lost, although the kernel may publish it after it is idle", async () => {
  await using kernel = await Kernel.start();
  for (let i = 0; i < 100; i++) {
    const results = await publishedBy(
      kernel,
      `console.log("a"); console.error("b"); ${i}`,
      "execute_result",
      "stream",
    );
    assertEquals(results.map((content) => content.text ?? plainText(content)), ["a\n", "b\n", `${i}`]);
  }
});

Deno.test("several kernels at once deliver all outputs in order, long ones too", async () => {
  const code = `for (let i = 0; i < 100; i++) {
    await Deno.jupyter.broadcast("display_data", { data: { "text/plain": i + "x".repeat(i * 1000) }, metadata: {} });
  }`;
  const expected = Array.from({ length: 100 }, (_, i) => i + "x".repeat(i * 1000));
  await Promise.all(Array.from({ length: 4 }, async () => {
    await using kernel = await Kernel.start();
    const outputs = await publishedBy(kernel, code, "display_data");
    assert(outputs.every((content, i) => plainText(content) === expected[i]));
    assertEquals(outputs.length, 100);
  }));
});

Deno.test("large outputs arrive whole on both streams, also from a cell that replaces console", async () => {
  await using kernel = await Kernel.start();
  const cells: [string, number][] = [
    [`console.log("x".repeat(20e6));`, 20e6 + 1],
    [`console.error("x".repeat(20e6));`, 20e6 + 1],
    [`console.log("x".repeat(8e6)); console.error("x".repeat(8e6)); console.log("x");`, 16e6 + 4],
    [`console.log(Array(1e6).fill("x").join("\\n"));`, 2e6],
    [
      `const say = console.log; console = null; globalThis.setTimeout = undefined; say("x".repeat(10e6));`,
      10e6 + 1,
    ],
    [`say("x".repeat(10e6)); await fetch("data:text/plain,a"); say("x");`, 10e6 + 3], // it ends while that is written
  ];
  for (const [code, length] of cells) {
    const published = await publishedBy(kernel, code, "stream");
    assertEquals(published.map(({ text }) => String(text).length).reduce((a, b) => a + b), length, code);
  }
});

Deno.test("a last value that takes its time to be formatted is waited for", async () => {
  await using kernel = await Kernel.start();
  const slow = `({ async [Symbol.for("Jupyter.display")]() {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { "text/plain": "late" };
  } })`;
  assertEquals((await publishedBy(kernel, slow, "execute_result")).map(plainText), ["late"]);
});

Deno.test("what was printed keeps its place: nothing of the next cell, nothing of the executor", async () => {
  await using kernel = await Kernel.start();
  for (let i = 0; i < 20; i++) {
    const published: string[] = [];
    const onPublished = ({ type, content }: Published) =>
      void (type !== "execute_input" && published.push(`${type} ${content.text}`));
    await kernel.execute(`console.log(${i}); console.error(${i}); console.log(); const x${i} = 1;`, {
      onPublished,
    });
    assertEquals(published, [`stream ${i}\n`, `stream ${i}\n`, "stream \n"]);
  }
});

Deno.test("a reply counts only if it comes from the kernel's shell", async () => {
  await using kernel = await Kernel.start();
  const { status, evalue } = await kernel.execute(`
    Deno.jupyter.broadcast("execute_reply", { status: "ok", execution_count: 1 });
    Deno.jupyter.broadcast("status", { execution_state: "idle" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error("in truth");`);
  assertEquals([status, evalue], ["error", "in truth"]);
});

Deno.test("what a timer throws, or a promise leaves unhandled, is a failure, at once", async () => {
  const lost: [string, string, string, string][] = [
    [
      `setTimeout(() => { throw new RangeError("late"); }, 5); await new Promise(() => {});`,
      "callback",
      "RangeError",
      "late",
    ],
    [`Promise.reject(new TypeError("lost")); 1`, "promise", "TypeError", "lost"],
    [`Promise.reject("a text")`, "promise", "Error", "a text"],
    [`(async () => { await 0; throw Object.create(null); })(); 1`, "promise", "Error", "cannot be shown"],
  ];
  for (const [code, from, name, message] of lost) {
    await using kernel = await Kernel.start();
    const reply = await kernel.execute(code, { timeout: 20 });
    assertEquals([reply.status, reply.from, reply.ename], ["error", from, name]);
    assert(reply.evalue!.includes(message), reply.evalue);
  }
});

Deno.test("what a notebook handles itself is no failure", async () => {
  await using kernel = await Kernel.start();
  const cells = [
    `addEventListener("unhandledrejection", (event) => event.preventDefault());
     addEventListener("error", (event) => event.preventDefault());`,
    `Promise.reject(new Error("expected"));`,
    `setTimeout(() => { throw new Error("expected"); }, 0); await new Promise((done) => setTimeout(done, 20));`,
    `const late = Promise.reject(new Error("caught")); late.catch(() => {}); await Promise.allSettled([late]);`,
  ];
  for (const code of cells) assertEquals((await kernel.execute(code)).status, "ok", code);
});

Deno.test("after an error that nothing caught, the kernel can go on", async () => {
  await using kernel = await Kernel.start();
  assertEquals((await kernel.execute(`Promise.reject(1)`)).status, "error");
  assertEquals((await kernel.execute("2")).status, "ok");
});

// ---- Cells that do not end ----

Deno.test("a loop that never ends is interrupted, and the kernel goes on", async () => {
  await using kernel = await Kernel.start();
  await assertRejects(
    () => kernel.execute("while (true) {}", { timeout: 0.3 }),
    CellTimeout,
    "more than 0.3 s and was interrupted",
  );
  assertEquals((await kernel.execute("1")).status, "ok");
});

Deno.test("a loop can be interrupted by hand", async () => {
  await using kernel = await Kernel.start();
  const running = kernel.execute("console.log('now'); while (true) {}", {
    onPublished: ({ type }) => void (type === "stream" && kernel.interrupt()),
  });
  assertEquals((await running).status, "error");
});

Deno.test("an await that never ends costs the kernel its life, soon after the time is up", async () => {
  using folder = new TemporaryFolder();
  const kernel = await Kernel.start({ cwd: folder.path });
  await kernel.execute(LEAVE_PID);
  const start = performance.now();
  await assertRejects(
    () => kernel.execute("await new Promise(() => {})", { timeout: 0.3 }),
    CellTimeout,
    "its kernel was killed",
  );
  assertLess(performance.now() - start, 6000);
  if (isPosix) assertFalse(isAlive(Number(folder.read("pid"))));
  await assertRejects(() => kernel.execute("1"), KernelDied);
});

Deno.test("a cell whose timers keep the kernel busy does not run past its time", async () => {
  const kernel = await Kernel.start();
  const start = performance.now();
  await assertRejects(
    () => kernel.execute("setTimeout(() => { while (true) {} }, 0);", { timeout: 0.5 }),
    CellTimeout,
  );
  assertLess(performance.now() - start, 8000);
  await kernel.kill();
});

// ---- Kernels that end ----

Deno.test("a kernel that ends in a cell is reported with its exit code", async () => {
  await using kernel = await Kernel.start();
  await assertRejects(() => kernel.execute("Deno.exit(3)"), KernelDied, "exit code 3");
});

Deno.test({
  name: "a kernel that is killed from outside is reported with the signal",
  ignore: !isPosix,
  fn: async () => {
    await using kernel = await Kernel.start();
    await assertRejects(
      () => kernel.execute("Deno.kill(Deno.pid, 'SIGKILL'); while (true) {}"),
      KernelDied,
      "SIGKILL",
    );
  },
});

Deno.test("neither process nor waiting cell survives an abort, a kill or a shutdown", async () => {
  using folder = new TemporaryFolder();
  const busy = `${LEAVE_PID} while (true) {}`;
  const ways: [string, (kernel: Kernel, controller: AbortController) => unknown][] = [
    ["enough", (_, controller) => controller.abort(new Error("enough"))],
    ["shut down", (kernel) => kernel.kill()],
    ["ended|shut down", (kernel) => kernel.shutdown()],
  ];
  for (const [reason, end] of ways) {
    const controller = new AbortController();
    await using kernel = await Kernel.start({ cwd: folder.path, signal: controller.signal });
    const failing = assertRejects(() => kernel.execute(busy));
    await until(() => folder.list().includes("pid") && folder.read("pid") !== "");
    await end(kernel, controller);
    assertMatch((await failing).message, new RegExp(reason));
    const pid = Number(folder.read("pid"));
    assertGreater(pid, 0);
    if (isPosix) await until(() => !isAlive(pid));
    Deno.removeSync(`${folder.path}/pid`);
  }
});

Deno.test("processes that a cell leaves behind end with their kernel", { ignore: !isPosix }, async () => {
  const start = `const { pid } = new Deno.Command("sleep", { args: ["600"] }).spawn(); ${
    LEAVE_PID.replace("Deno.pid", "pid")
  }`;
  for (const code of [start, `${start} Deno.exit(3);`]) {
    using folder = new TemporaryFolder();
    const kernel = await Kernel.start({ cwd: folder.path });
    await kernel.execute(code).catch(() => {});
    const pid = Number(folder.read("pid"));
    assertGreater(pid, 0);
    await kernel.shutdown();
    await until(() => !isAlive(pid));
  }
});

Deno.test("a kernel does not outlive the program that started it", { ignore: !isPosix }, async () => {
  using folder = new TemporaryFolder();
  const path = folder.add("01", `${LEAVE_PID} await new Promise(() => {});`);
  const run = join(import.meta.dirname!, "..", "..", "lib", "jupyter", "executor", "run.ts");
  const executor = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", run, path],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    env: { TMPDIR: folder.path }, // it cannot tidy up
  }).spawn();
  await until(() => folder.list().includes("pid") && folder.read("pid") !== "");
  const pid = Number(folder.read("pid"));
  executor.kill("SIGKILL");
  await executor.status;
  await until(() => !isAlive(pid));
});

Deno.test("a temporary folder that is full is said to be so, and nothing is left in it", async () => {
  const write = Deno.writeTextFile;
  let folder = "";
  Deno.writeTextFile = (path) => {
    folder = dirname(String(path));
    throw new Error("No space left on device");
  };
  try {
    await assertRejects(() => Kernel.start(), KernelNeverStarted, "No space left on device");
  } finally {
    Deno.writeTextFile = write;
  }
  await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
});

// ---- Kernels that do not start ----

Deno.test("a missing executable is named", async () => {
  await assertRejects(
    () => Kernel.start({ deno: "/no/such/deno" }),
    KernelNeverStarted,
    "/no/such/deno could not be",
  );
});

Deno.test("a kernel that ends at once is reported with what it said", async () => {
  using folder = new TemporaryFolder();
  folder.write("deno.json", "{ this is not JSON");
  await assertRejects(() => Kernel.start({ cwd: folder.path }), KernelNeverStarted, "deno.json");
});

Deno.test("a kernel that does not answer in time is given up", async () => {
  await assertRejects(() => Kernel.start({ startTimeout: 0.001 }), KernelNeverStarted, "within 0.001 s");
});

Deno.test("a port that another program takes at the last moment costs a second attempt, not the kernel", async () => {
  using stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const hangUp = (async () => {
    for await (const connection of stranger) connection.close();
  })();
  const listen = Deno.listen;
  for (const position of [0, 1, 2]) { // the shell, the control and the iopub channel
    let calls = 0;
    // The port given out is the stranger's; closing it is the stranger's business.
    const taken = { addr: stranger.addr, close: () => {} } as unknown as Deno.TcpListener;
    Deno.listen = ((options: Deno.TcpListenOptions) =>
      calls++ === position ? taken : listen(options)) as typeof Deno.listen;
    try {
      await using kernel = await Kernel.start();
      assertGreater(calls, 5); // the first five ports did not serve
      assertEquals((await kernel.execute("1")).status, "ok");
    } finally {
      Deno.listen = listen;
    }
  }
  stranger.close();
  await hangUp.catch(() => {});
});

Deno.test("another kernel at one of the ports, whose signatures are others, costs a second attempt", async () => {
  const connect = Deno.connect;
  for (const strangers of [1, Infinity]) {
    const changed = new Set<number>(); // ports where one signature was changed
    Deno.connect = (async (options: Deno.ConnectOptions) => {
      const connection = await connect(options);
      const read = connection.read.bind(connection);
      connection.read = async (buffer) => {
        const count = await read(buffer);
        const start = new TextDecoder("latin1").decode(buffer.subarray(0, count ?? 0)).indexOf("<IDS|MSG>");
        if (start >= 0 && changed.size < strangers && !changed.has(options.port)) {
          changed.add(options.port);
          buffer[start + 15] ^= 1; // behind the delimiter, flags and length
        }
        return count;
      };
      return connection;
    }) as typeof Deno.connect;
    try {
      if (strangers === 1) {
        await using kernel = await Kernel.start();
        assertEquals((await kernel.execute("1")).status, "ok");
        assertEquals(changed.size, 1);
      } else {
        await assertRejects(() => Kernel.start(), KernelNeverStarted, "signature");
      }
    } finally {
      Deno.connect = connect;
    }
  }
});

Deno.test("a start can be aborted, before and while it happens", async () => {
  const enough = new Error("enough");
  await assertRejects(() => Kernel.start({ signal: AbortSignal.abort(enough) }), Error, "enough");
  const controller = new AbortController();
  const starting = assertRejects(() => Kernel.start({ signal: controller.signal }), Error, "enough");
  setTimeout(() => controller.abort(enough), 5);
  await starting;
});
