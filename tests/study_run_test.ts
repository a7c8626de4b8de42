/** `deno task study`, with experiments that take no time: it stops, goes on, divides and merges without losing a run. */

import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../lib/study/run.ts";
import { TemporaryFolder } from "./executor/helpers.ts";
import { experiments, working } from "./study_worker.ts";

const WORKER = new URL("./study_worker.ts", import.meta.url);

/** Runs the command in a folder; `stopAfter` finished runs, it is stopped. */
async function study(
  folder: TemporaryFolder,
  args: string,
  options: { stop?: AbortController; all?: typeof experiments } = {},
): Promise<{ code: number; screen: string }> {
  const { stop = new AbortController(), all = working } = options;
  let screen = "";
  const write = (text: string) => void (screen += text);
  const words = args.replaceAll("DIR", folder.path).split(" ");
  const surroundings = { write, terminal: false, signal: stop.signal, experiments: all, worker: WORKER };
  return { code: await main(words, surroundings), screen };
}

const lines = (text: string) => text.split("\n").slice(0, -1);

/** What all of both experiments give, with three seeds. */
async function complete(): Promise<string> {
  using folder = new TemporaryFolder();
  await study(folder, "--seeds 3 --out DIR/all.jsonl");
  return folder.read("all.jsonl");
}

Deno.test("each run is a line; lines are sorted, and the same each time", async () => {
  const text = await complete();
  assertEquals(lines(text).length, 2 * 2 * 3);
  assertEquals(lines(text), lines(text).toSorted());
  assertEquals(
    lines(text)[7],
    '{"experiment":"sum","version":1,"settings":{"seed":0,"p":0.5},"measured":{"sum":0.5,"third":0,"none":null}}',
  );
  assertStringIncludes(text, '"settings":{"seed":1,"p":0.25},"measured":{"curve":[0,3.14159,null]}');
  assertEquals(await complete(), text);
});

Deno.test("experiments may be made one by one, and seeds added", async () => {
  using folder = new TemporaryFolder();
  assertMatch(
    (await study(folder, "sum --seeds 1 --out DIR/a.jsonl")).screen,
    /^sum: 2 runs, 2 of them new/m,
  );
  assertMatch(
    (await study(folder, "curve --seeds 3 --out DIR/a.jsonl")).screen,
    /^curve: 6 runs, 6 of them new/m,
  );
  assertMatch(
    (await study(folder, "sum --seeds 3 --out DIR/a.jsonl")).screen,
    /^sum: 6 runs, 4 of them new/m,
  );
  const { code, screen } = await study(folder, "--seeds 3 --out DIR/a.jsonl");
  assertEquals(code, 0);
  assertMatch(screen, /^sum: 6 runs, 0 of them new.*\ncurve: 6 runs, 0 of them new/m);
  assertEquals(folder.read("a.jsonl"), await complete());
  assertEquals(folder.list(), ["a.json", "a.jsonl"]);
});

Deno.test("parts have no run in common, and sorted together are the whole", async () => {
  for (const n of [2, 4, 5]) {
    using folder = new TemporaryFolder();
    for (let i = 0; i < n; i++) {
      const { code } = await study(folder, `--seeds 3 --part ${i}/${n} --out DIR/${i}.jsonl`);
      assertEquals(code, 0);
    }
    const parts = Array.from({ length: n }, (_, i) => lines(folder.read(`${i}.jsonl`)));
    assertEquals(Math.max(...parts.map((part) => part.length)), Math.ceil(12 / n));
    const merged = parts.flat().toSorted().map((line) => line + "\n").join(""); // LC_ALL=C sort
    assertEquals(merged, await complete());
    folder.write("merged.jsonl", merged);
    assertMatch(
      (await study(folder, "--seeds 3 --out DIR/merged.jsonl")).screen,
      /sum: 6 runs, 0 of them new/,
    );
  }
});

Deno.test("a study that is stopped says so, keeps what was done, and goes on from there", async () => {
  using folder = new TemporaryFolder();
  const stopped = new AbortController();
  stopped.abort(new Error("Stopped"));
  const { code, screen } = await study(folder, "--seeds 3 --out DIR/a.jsonl", { stop: stopped });
  assertEquals(code, 130);
  assertStringIncludes(screen, "Stopped.\n0 of 12 runs are in");
  assertEquals(folder.list(), []); // not even an empty file
  const whole = lines(await complete());
  folder.write(
    "a.jsonl",
    whole.filter((_, i) => i % 3 === 0).toReversed().map((line) => line + "\n").join(""),
  );
  await study(folder, "--seeds 3 --out DIR/a.jsonl", { stop: stopped });
  assertEquals(lines(folder.read("a.jsonl")), whole.filter((_, i) => i % 3 === 0));
  assertMatch((await study(folder, "--seeds 3 --out DIR/a.jsonl")).screen, /6 runs, 4 of them new/);
  assertEquals(lines(folder.read("a.jsonl")), whole);
});

Deno.test("a line that was cut off is made again", async () => {
  const whole = await complete();
  for (const missing of [1, 2, 40]) {
    using folder = new TemporaryFolder();
    folder.write("a.jsonl", whole.slice(0, -missing));
    assertMatch((await study(folder, "--seeds 3 --out DIR/a.jsonl")).screen, /sum: 6 runs, 1 of them new/);
    assertEquals(folder.read("a.jsonl"), whole);
  }
});

Deno.test("each run is in the file as soon as it is done, also if the next one fails", async () => {
  using folder = new TemporaryFolder();
  const { code, screen } = await study(folder, "broken sum --seeds 9 --out DIR/a.jsonl", {
    all: experiments,
  });
  assertEquals(code, 1);
  assertMatch(screen, /broken \{"seed":3,"p":0\.\d+\}: three is too much\n\d+ of 36 runs are in .*a\.jsonl/);
  const kept = lines(folder.read("a.jsonl")).length;
  assertGreater(kept, 0);
  assertEquals(screen.match(/(\d+) of 36 runs/)?.[1], String(kept));
});

Deno.test("a file with something else is refused, and left as it is", async () => {
  const line = (change: (text: string) => string) =>
    change(
      '{"experiment":"sum","version":1,"settings":{"seed":0,"p":0.5},"measured":{"sum":0.5,"third":0,"none":null}}',
    ) + "\n";
  const same = line((text) => text);
  const refused: [text: string, message: RegExp][] = [
    [
      line((text) => text.replace('n":1', 'n":2')),
      /line 1: made by version 2 of sum, which is now version 1/,
    ],
    [line((text) => text.replace('"sum"', '"total"')), /line 1: there is no experiment "total"/],
    [
      same + line((text) => text.replace("0.5}", "0.75}")),
      /line 2: a run of sum with settings that were not asked/,
    ],
    [line((text) => text.replace('"seed":0', '"seed":3')), /not asked for, \{"seed":3,"p":0.5\}/],
    [line((text) => text.replace('"seed":0,"p":0.5', '"p":0.5,"seed":0')), /not asked for/],
    [same + line((text) => text.replace(":0.5,", ":0.6,")), /line 2: the same run as in another line/],
    ["step,loss\n", /line 1: this is not a result/],
    [
      "{}\n",
      /line 1: this is not a result: A run is an experiment, a version, settings and what was measured/,
    ],
    ["\n", /line 1: this is not a result/],
    [line((text) => text.replace(/"measured":.*/, '"measured":{}}')), /line 1: this is not a result/],
    ["notes without an end of line", /ends in something else than a result: "notes without/],
    [same + '{"mine": 1}', /ends in something else than a result/],
  ];
  for (const [text, message] of refused) {
    using folder = new TemporaryFolder();
    folder.write("a.jsonl", text);
    const { code, screen } = await study(folder, "--seeds 3 --out DIR/a.jsonl");
    assertEquals(code, 2);
    assertMatch(screen, message);
    assertMatch(screen, /Give --out another file, or take such lines out of this one\.\n$/);
    assertEquals(folder.read("a.jsonl"), text);
    assertEquals(folder.list(), ["a.jsonl"]);
  }
});

Deno.test("what other experiments left in the file stays, whatever seeds they had", async () => {
  using folder = new TemporaryFolder();
  await study(folder, "curve --seeds 3 --out DIR/a.jsonl");
  const { code } = await study(folder, "sum --seeds 2 --out DIR/a.jsonl");
  assertEquals(code, 0);
  assertEquals(lines(folder.read("a.jsonl")).length, 6 + 4);
});

Deno.test("two studies cannot write to one file", async () => {
  using folder = new TemporaryFolder();
  const first = study(folder, "--seeds 200 --out DIR/a.jsonl");
  const second = await study(folder, "--seeds 200 --out DIR/a.jsonl");
  assertEquals(second.code, 2);
  assertMatch(
    second.screen,
    /^Another study is writing to .*a\.jsonl\. Wait for it, or give --out another file\.\n$/,
  );
  assertEquals((await first).code, 0);
  assertEquals(lines(folder.read("a.jsonl")).length, 800);
});

Deno.test("a file that cannot be written is no reason to run anything", async () => {
  using folder = new TemporaryFolder();
  const { code, screen } = await study(folder, "--out DIR/none/a.jsonl");
  assertEquals(code, 2);
  assertMatch(screen, /none\/a\.jsonl cannot be written: No such file/);
});

Deno.test("beside the results stands what made them", async () => {
  using folder = new TemporaryFolder();
  await study(folder, "--seeds 3 --out DIR/a.jsonl");
  const { sum, curve } = JSON.parse(folder.read("a.json"));
  assertEquals(sum.settings, { seed: [0, 1, 2], p: [0.5, 0.25] });
  assertEquals([sum.version, curve.version, sum.runs], [1, 4, 6]);
  assertEquals(sum.deno, Deno.version.deno);
  assertMatch(sum.date, /^\d{4}-\d\d-\d\d$/);
  assertMatch(sum.kernels, /^SHA-256 [0-9a-f]{64}$/);
  const before = folder.read("a.json");
  await study(folder, "--seeds 3 --out DIR/a.jsonl"); // nothing new
  assertEquals(folder.read("a.json"), before);

  // Runs that were merged from elsewhere: what is there holds for other settings, and who made them is not known.
  folder.write("b.json", JSON.stringify({ sum: { ...sum, runs: 2 }, curve }));
  folder.write("b.jsonl", folder.read("a.jsonl"));
  await study(folder, "--seeds 3 --out DIR/b.jsonl");
  const merged = JSON.parse(folder.read("b.json"));
  assertEquals([merged.sum.runs, merged.sum.date, merged.sum.deno], [6, undefined, undefined]);
  assertEquals(merged.curve, curve);

  for (const other of ["null", "// a comment", "[1]"]) {
    folder.write("c.json", other);
    const { code, screen } = await study(folder, "--seeds 3 --out DIR/c.jsonl");
    assertEquals(code, 2);
    assertMatch(screen, /c\.json should say what made the results, and is something else/);
    assertEquals(folder.read("c.json"), other);
  }
});

Deno.test("a command line that makes no sense is explained", async () => {
  using folder = new TemporaryFolder();
  const wrong: [args: string, message: string][] = [
    ["average", 'There is no experiment "average"; there are sum, curve.'],
    ["--seed 3", "Unknown option --seed. Allowed are --seeds, --part, --out and --help."],
    ["--seeds 0", '--seeds must be a positive integer, got "0".'],
    ["--seeds 1.5", '--seeds must be a positive integer, got "1.5".'],
    ["--part 0/4", "A part needs a file of its own: --out FILE."],
    ["--part 4/4 --out DIR/a.jsonl", '--part must be i/n with i from 0 to n − 1, got "4/4".'],
    ["--part 1 --out DIR/a.jsonl", '--part must be i/n with i from 0 to n − 1, got "1".'],
    ["--part 1/0 --out DIR/a.jsonl", "--part must be i/n"],
  ];
  for (const [args, message] of wrong) {
    const { code, screen } = await study(folder, args);
    assertEquals(code, 2, args);
    assertStringIncludes(screen, message);
  }
  const { code, screen } = await study(folder, "--help");
  assertEquals(code, 0);
  assertStringIncludes(screen, "names   experiments, of these: sum, curve; none means all");
  assertEquals(folder.list(), []);
});

const ctrlC = {
  name: "Ctrl-C ends the real command at once, with what was done in order",
  ignore: Deno.build.os === "windows",
};

Deno.test(ctrlC, async () => { // Windows has no way to send it to one process
  using folder = new TemporaryFolder();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "lib/study/run.ts", "schemes", "--seeds", "4", "--out", `${folder.path}/a.jsonl`],
    cwd: new URL("..", import.meta.url),
    stderr: "piped",
  }).spawn();
  const until = performance.now() + 60_000;
  const written = () => folder.list().includes("a.jsonl") && lines(folder.read("a.jsonl")).length > 0;
  while (!written()) {
    assert(performance.now() < until, "no run was done within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  command.kill("SIGINT");
  const { code, stderr } = await command.output();
  assertEquals(code, 130);
  const kept = lines(folder.read("a.jsonl"));
  assertEquals(kept, kept.toSorted());
  assertStringIncludes(new TextDecoder().decode(stderr), `Stopped.\n${kept.length} of 16 runs are in`);
  assertEquals(folder.list(), ["a.jsonl"]);
});
