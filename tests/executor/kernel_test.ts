import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import fc from "fast-check";
import {
  CellTimeout,
  Kernel,
  KernelDied,
  KernelNeverStarted,
  type Published,
} from "../../lib/jupyter/executor/kernel.ts";
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
    assertEquals(decodeMessage("secret", frames), { type, parentId: undefined, content });
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

Deno.test("a start can be aborted, before and while it happens", async () => {
  const enough = new Error("enough");
  await assertRejects(() => Kernel.start({ signal: AbortSignal.abort(enough) }), Error, "enough");
  const controller = new AbortController();
  const starting = assertRejects(() => Kernel.start({ signal: controller.signal }), Error, "enough");
  setTimeout(() => controller.abort(enough), 5);
  await starting;
});
