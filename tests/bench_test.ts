/** The benchmark's pure parts: order, medians, judgements, records, tables and figures. Nothing is timed here. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { drawFigure } from "../lib/jupyter/figure.ts";
import { batchNorm, batchNormBackward, defaultRng, invertedDropout, matmul, Tensor } from "../lib/mod.ts";
import { judge } from "./bench/check.ts";
import { type Asked, compare, peersFor } from "./bench/compare.ts";
import { apart, ratioFigure, scalingFigure } from "./bench/figures.ts";
import { measure, median, type Outcome, type Subject, turned } from "./bench/measure.ts";
import { given, type Peer } from "./bench/peer.ts";
import { peerNames, pythonPeers } from "./bench/peers/mod.ts";
import { loaders } from "./bench/peers/mod.ts";
import { memoryCopy } from "./bench/peers/memory_copy.ts";
import { ours, readable } from "./bench/peers/ours.ts";
import { oursAsTyped } from "./bench/peers/typed.ts";
import { readLines, readSample, sampleOf } from "./bench/protocol.ts";
import { formatMissing, formatRecords, formatTime, recordsOf, type Report } from "./bench/records.ts";
import { inputArray, isChosen, type Workload, workload, workloads } from "./bench/workloads.ts";

const PLAN = { rounds: 3, sampleNs: 100, limitNs: 1e9 };

/** A subject whose calls always take the same time, and which tells when it is asked. */
function clockwork(name: string, ns: number, log: string[] = []): Subject {
  return {
    name,
    run: (calls) => {
      log.push(`${name} ${calls}`);
      return Promise.resolve({ ns });
    },
  };
}

/** Peers that calculate here, in place of processes; who is not among them is missing. */
function local(peers: { [name: string]: Peer }): Asked {
  return {
    ask: async (request) => {
      const peer = peers[request.peer];
      if (peer === undefined) return { missing: "is not installed" };
      if (request.do !== "prepare") return { ns: 100 };
      const prepare = peer.operations[request.workload.operation];
      if (prepare === undefined) return { missing: peer.lacks ?? "does not offer it" };
      const call = prepare(given(request.workload));
      return { sample: sampleOf(await call.read(await call.run()), request.workload.dtype) };
    },
    forget: () => Promise.resolve(),
  };
}

/** One workload of each kind, small enough for a test. */
const small: Workload[] = [
  workload("dropout forward", [1000]),
  workload("dropout forward", [1000], { dtype: "float64", p: 0.2 }),
  workload("dropout backward", [1000]),
  workload("batch norm forward", [16, 8]),
  workload("batch norm forward + backward", [16, 8]),
  workload("batch norm forward + backward", [16, 8], { dtype: "float64" }),
  workload("matmul", [4, 5, 6]),
  workload("matmul", [4, 5, 6], { dtype: "float64" }),
];

// ---- Measuring ----

Deno.test("the median is the middle value, or lies between the two middle ones", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 30]), 3);
  assertEquals(median([10, 9, 100]), 10); // as numbers, not as texts
  assertThrows(() => median([]), RangeError, "at least one");
});

Deno.test("each round asks everyone once, and begins with another one", async () => {
  const log: string[] = [];
  await measure(["a", "b", "c"].map((name) => clockwork(name, 100, log)), PLAN);
  assertEquals(log.map((line) => line[0]).join(""), "abc" + "abc" + "bca" + "cab");
  assertEquals(turned([], 5), []);
});

Deno.test("a sample has as many calls as it takes to be long enough", async () => {
  const log: string[] = [];
  await measure([clockwork("fast", 1, log), clockwork("slow", 70, log)], { ...PLAN, rounds: 1 });
  assertEquals(log.at(-2), "fast 100");
  assertEquals(log.at(-1), "slow 2");
  const once: string[] = [];
  await measure([clockwork("process", 5, once)], { ...PLAN, sampleNs: 0, rounds: 2 });
  assertEquals(once, ["process 1", "process 1", "process 1"]);
});

Deno.test("who is too slow or fails is named, and the others go on", async () => {
  let calls = 0;
  const failing = {
    name: "failing",
    run: () => Promise.resolve(++calls < 3 ? { ns: 100 } : "its process ended"),
  };
  const subjects = [clockwork("endless", 2e9), failing, clockwork("good", 100)];
  const outcomes = await measure(subjects, PLAN);
  assertEquals(outcomes.get("endless"), { missing: "too slow: one call took 2.0 s" });
  assertEquals(outcomes.get("failing"), { missing: "its process ended" });
  assertEquals(outcomes.get("good"), { ns: [100, 100, 100], peakBytes: [] });
});

Deno.test("who takes more than a second is sampled three times at most", async () => {
  const plan = { ...PLAN, rounds: 7, limitNs: Infinity };
  const outcomes = await measure([clockwork("slow", 2e9), clockwork("fast", 100)], plan);
  assertEquals([...outcomes.values()].map((outcome) => "ns" in outcome && outcome.ns.length), [3, 7]);
});

// ---- Judging ----

Deno.test("our own peers pass, in all operations", async () => {
  for (const task of small) {
    const outcomes = await compare(task, local({ ours: ours(), readable: readable() }), PLAN);
    assertEquals(outcomes.get("ours"), { ns: [100, 100, 100], peakBytes: [] }, task.operation);
    assertEquals(outcomes.get("readable"), { ns: [100, 100, 100], peakBytes: [] }, task.operation);
  }
});

Deno.test("a peer that does the wrong thing is refused, in all operations", async () => {
  const wrong = (change: (value: number, i: number) => number): Peer => {
    const operations = Object.entries(ours().operations).map(([name, prepare]) => [name, (task: never) => {
      const call = prepare(task);
      return { ...call, read: async (output: unknown) => Array.from(await call.read(output), change) };
    }]);
    return { versions: {}, operations: Object.fromEntries(operations) };
  };
  const faults: { [fault: string]: (value: number, i: number) => number } = {
    "does nothing": () => 0,
    "is off by a thousandth": (value) => value * 1.001,
    "forgets an element": (value, i) => i === 7 ? 0.4 : value,
    "gives NaN": (value, i) => i === 3 ? NaN : value,
  };
  for (const task of small) {
    for (const [fault, change] of Object.entries(faults)) {
      const outcomes = await compare(task, local({ torch: wrong(change) }), PLAN);
      const { missing } = outcomes.get("torch") as { missing: string };
      assertStringIncludes(missing, "refused: ", `${task.operation}: ${fault}`);
    }
  }
});

Deno.test("dropout that keeps too much is refused", () => {
  const task = workload("dropout forward", [1000]);
  const x = new Tensor(inputArray(1000, "float32", 0), [1000]);
  const { data } = invertedDropout(x, 0.5, { rng: defaultRng(1) }).output;
  assertEquals(judge(task)("a peer", sampleOf(data, "float32")), undefined);
  const scaled = x.data.map((value) => 2 * value);
  assertStringIncludes(judge(task)("a peer", sampleOf(scaled, "float32"))!, "kept 1000 of 1000 at p = 0.5");
  assertStringIncludes(judge(task)("a peer", sampleOf(data.subarray(1), "float32"))!, "999 elements");
});

Deno.test("only the memory copy may copy", async () => {
  const outcomes = await compare(
    small[0],
    local({ "memory copy": memoryCopy(), torch: memoryCopy() }),
    PLAN,
  );
  assert("ns" in outcomes.get("memory copy")!);
  assertStringIncludes((outcomes.get("torch") as { missing: string }).missing, "neither 0 nor");
});

Deno.test("float32 calculations in another order are within the tolerance", () => {
  const [n, k, m] = [16, 784, 8];
  const task = workload("matmul", [n, k, m]);
  const { x, y } = given(task);
  const product = new Float32Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      // From the end, and rounded at each step.
      for (let l = k - 1; l >= 0; l--) product[i * m + j] += Math.fround(x[i * k + l] * y[l * m + j]);
    }
  }
  const exact = matmul(new Tensor(Float64Array.from(x), [n, k]), new Tensor(Float64Array.from(y), [k, m]));
  assert(product.some((value, i) => value !== Math.fround(exact.data[i])));
  assertEquals(judge(task)("a peer", sampleOf(product, "float32")), undefined);
});

Deno.test("float32 statistics are within the tolerance of batch normalization", () => {
  const task = workload("batch norm forward + backward", [128, 64]);
  const { x, y, weight, bias, shape } = given(task);
  const rounded = (data: ArrayLike<number>) =>
    Float64Array.from(data, (value) => Math.fround(value * (1 + 2 ** -22)));
  const { pass } = batchNorm(new Tensor(rounded(x), shape), {
    weight: new Tensor(rounded(weight), [64]),
    bias: new Tensor(rounded(bias), [64]),
  });
  const { gradInput } = batchNormBackward(new Tensor(rounded(y), shape), pass);
  assertEquals(judge(task)("a peer", sampleOf(gradInput.data, "float32")), undefined);
});

Deno.test("what people type first does its work, and is not asked beside those who are given room", async () => {
  const typed = (["dropout forward", "batch norm forward", "batch norm forward + backward"] as const).map(
    (operation) => workload(operation, [64, 8], { group: "as typed" }),
  );
  const step = workload("training step", [20, 6], { group: "as typed" });
  for (const task of [...typed, step]) {
    const { run, read } = oursAsTyped().operations[task.operation]!(given(task));
    const problemOf = judge(task);
    assertEquals(problemOf("ours, as typed", sampleOf(await read(await run()), "float32")), undefined);
    assertStringIncludes(
      problemOf("a peer", sampleOf(new Float32Array(task === step ? 1 : 512), "float32"))!,
      "refused",
    );
  }
  assert(!peersFor(workload("matmul", [2, 2, 2])).includes("ours, as typed"));
});

// ---- Workloads and what is sent ----

Deno.test("no two workloads have the same name, and all are for peers that exist", () => {
  const keys = workloads.map((task) => JSON.stringify(task));
  assertEquals(new Set(keys).size, keys.length);
  for (const { only = [] } of workloads) for (const name of only) assert(peerNames.includes(name), name);
  assertEquals(new Set([...Object.keys(loaders), ...pythonPeers]), new Set(peerNames));
});

Deno.test("inputs are between -½ and ½, not 0, exact in float32 and without repetition in a period", () => {
  const [narrow, wide] = [inputArray(65536, "float32", 0), inputArray(65536, "float64", 0)];
  assertEquals(Float64Array.from(narrow), wide);
  assertEquals(new Set(wide).size, 65536);
  assert(wide.every((value) => value !== 0 && Math.abs(value) < 0.5));
  assertEquals(Array.from(wide.subarray(0, 2)), [0.5 / 65536 - 0.5, 40503.5 / 65536 - 0.5]); // as peers.py computes
});

Deno.test("words choose the workloads that have one of them in their name", () => {
  assert(isChosen("matmul, 512×512×512, float32", []));
  assert(isChosen("matmul, 512×512×512, float32", ["dropout", "MatMul"]));
  assert(!isChosen("matmul, 512×512×512, float32", ["dropout"]));
});

Deno.test("a sample keeps its bits, and is taken from all parts of a long output", () => {
  for (const dtype of ["float32", "float64"] as const) {
    const data = inputArray(1000, dtype, 1);
    assertEquals(readSample(sampleOf(data, dtype), dtype), data);
  }
  const long = new Float32Array(3 * 2 ** 20).map((_, i) => i);
  const sample = readSample(sampleOf(long, "float32"), "float32");
  assertEquals([sample.length, sample[1], sample.at(-1)], [2 ** 20, 3, 3 * (2 ** 20 - 1)]);
});

Deno.test("lines are put together from the pieces in which they arrive", async () => {
  const stream = ReadableStream.from(["one\ntw", "o", "\n", "thr", "ee\n"]).pipeThrough(
    new TextEncoderStream(),
  );
  assertEquals(await Array.fromAsync(readLines(stream)), ["one", "two", "three"]);
});

Deno.test("a peer is found by its name; nobody answers to another", async () => {
  for (const name of ["ours", "ours, workspace", "readable"]) {
    assert((await loaders[name]()).operations["matmul"]);
  }
  await assertRejects(async () => await loaders["nobody"]());
});

// ---- Records, tables, figures ----

const outcomes = new Map<string, Outcome>([
  ["ours", { ns: [100, 300, 200], peakBytes: [5e6, 7e6, 6e6] }],
  ["torch", { ns: [500], peakBytes: [] }],
  ["jax-js", { missing: "is not installed" }],
]);
const task = { workload: "dropout forward, p = 0.5", dtype: "float32", size: "100" };

Deno.test("records hold medians, ratios to ours, and who is missing", () => {
  const { records, missing } = recordsOf({ ...task, elements: 100 }, outcomes);
  assertEquals(records, [
    {
      ...task,
      subject: "ours",
      median_ns: 200,
      fastest_ns: 100,
      ns_per_element: 2,
      ratio_to_ours: 1,
      peak_bytes: 6e6,
    },
    { ...task, subject: "torch", median_ns: 500, fastest_ns: 500, ns_per_element: 5, ratio_to_ours: 2.5 },
  ]);
  assertEquals(missing, [{ ...task, subject: "jax-js", reason: "is not installed" }]);
});

Deno.test("without ours there is no ratio", () => {
  const { records } = recordsOf(task, new Map([["torch", { ns: [500], peakBytes: [] }]]));
  assertEquals(records, [{
    ...task,
    subject: "torch",
    median_ns: 500,
    fastest_ns: 500,
    ratio_to_ours: null,
  }]);
});

Deno.test("everyone who is not installed is named", async () => {
  const { missing } = recordsOf(task, await compare(small[0], local({ ours: ours() }), PLAN));
  assertEquals(missing.map(({ subject }) => subject), peersFor(small[0]).filter((name) => name !== "ours"));
  assert(missing.every(({ reason }) => reason === "is not installed"));
});

Deno.test("the table names each workload once", () => {
  const { records, missing } = recordsOf({ ...task, elements: 100 }, outcomes);
  const lines = formatRecords(records).split("\n").map((line) => line.split(/ {2,}/));
  assertEquals(lines[1], ["dropout forward, p = 0.5, 100, float32", "ours", "200 ns", "2.00", "1.00", "6"]);
  assertEquals(lines[2], ["", "torch", "500 ns", "5.00", "2.50", "–"]);
  assertEquals(formatMissing(missing), "  jax-js: is not installed (dropout forward, p = 0.5, 100, float32)");
  assertStringIncludes(formatMissing([...missing, ...missing, ...missing]), "(3 workloads)");
});

Deno.test("times have the unit that suits them", () => {
  assertEquals([0.25, 12, 1234, 5.6e6, 7.89e10].map(formatTime), [
    "0.250 ns",
    "12.0 ns",
    "1.23 µs",
    "5.60 ms",
    "78.9 s",
  ]);
});

Deno.test("labels move apart, and no further than they must", () => {
  assertEquals(apart([0, 5, 10], 2), [0, 5, 10]);
  assertEquals(apart([1, 1, 10], 2), [0, 2, 10]);
  const moved = apart([0, 0, 0, 0.5], 1);
  assert(moved.every((value, i) => i === 0 || value - moved[i - 1] > 0.99));
});

Deno.test("the figures show what the records say", async () => {
  const report: Report = {
    machine: { cpu: "A processor", cores: 2, system: "linux x86_64" },
    versions: { Deno: "1", V8: "2" },
    rounds: 3,
    ...recordsOf({ ...task, size: "100000", elements: 100000 }, outcomes),
  };
  const ratios = ratioFigure(report);
  assertStringIncludes(ratios.alt, "Dropout, 10⁵ elements: torch 2.5");
  assertStringIncludes(ratios.caption!, "A processor, 2 cores, Deno 1.");
  const points = [100, 1000].flatMap((n) =>
    recordsOf(
      { ...task, workload: "scaling: dropout forward, p = 0.5", size: String(n), elements: n },
      outcomes,
    ).records
  );
  const scaling = scalingFigure({ ...report, records: points });
  assertStringIncludes(scaling.alt, "torch: from 5.00 ns per element at n = 100 to 0.500 at n = 1000");
  for (const options of [ratios, scaling]) assertEquals((await drawFigure(options)).width, options.width);
  assertThrows(() => ratioFigure({ ...report, records: [] }), RangeError, "no record");
  assertThrows(() => scalingFigure({ ...report, records: [] }), RangeError, "no record");
});
