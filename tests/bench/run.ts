/**
 * The command behind `deno task bench`: measures this library beside others, all in turn, on this machine.
 * @module
 */

import { cpus } from "node:os";
import { parseArgs } from "@std/cli/parse-args";
import { Progress, standardScreen } from "../../lib/jupyter/executor/progress.ts";
import { compare, peersFor } from "./compare.ts";
import { measure, type Outcome, SAMPLE_NS } from "./measure.ts";
import { peerNames } from "./peers/mod.ts";
import { hasGnuTime, processWorkloads } from "./processes.ts";
import { formatMissing, formatRecords, nameOf, recordsOf, type Report, type Task } from "./records.ts";
import { Peers } from "./remote.ts";
import { elementsOf, isChosen, sizeOf, titleOf, type Workload, workloads } from "./workloads.ts";

const HELP = `Measures this library beside others, all in turn, one thread each.

Usage: deno task bench [names…] [--quick] [--json FILE] [--python PATH] [--originals FOLDER]

  names        only workloads with one of these words in their name, such as "matmul" or "scaling"
  --quick      3 rounds in place of 7, and nothing with 10⁸ elements
  --json       writes the records to a file, from which deno task bench:figures draws
  --python     the Python that has NumPy and PyTorch; python3 by default
  --originals  a folder with the article's Python, block1….py to block5….py
`;

/** What the arguments ask for. */
interface Options {
  names: string[];
  rounds: number;
  /** Workloads with more elements are left out. */
  largest: number;
  json: string | undefined;
  python: string;
  originals: string | undefined;
}

/** Nanoseconds for one call, above which a subject is not asked again. */
const LIMIT_NS = 15e9;
/** Bytes for each element of the largest arrays, over all subjects: they hold their arrays at the same time. */
const BYTES_PER_ELEMENT = 80;

async function main(options: Options): Promise<Report> {
  const report: Report = {
    machine: machine(),
    versions: {},
    rounds: options.rounds,
    records: [],
    missing: [],
  };
  using progress = new Progress(standardScreen());
  const add = (task: Task, outcomes: ReadonlyMap<string, Outcome>) => {
    const { records, missing } = recordsOf(task, outcomes);
    report.records.push(...records);
    report.missing.push(...missing);
    progress.finish(nameOf(task), `${records.length} measured`);
  };
  const follow = (task: Task) => {
    progress.update(nameOf(task), "starts");
    return (step: string) => {
      if (Deno.stderr.isTerminal()) progress.update(nameOf(task), step);
    };
  };
  await using peers = new Peers(options.python);
  report.versions = await versionsOf(peers);
  for (const workload of workloads) {
    const task = taskOf(workload);
    if (!isChosen(nameOf(task), options.names) || Math.max(...workload.shape) > options.largest) continue;
    const plan = { rounds: options.rounds, sampleNs: SAMPLE_NS, limitNs: LIMIT_NS, onStep: follow(task) };
    const reason = whyTooLarge(workload);
    const nobody = new Map(peersFor(workload).map((peer) => [peer, { missing: reason ?? "" }]));
    add(task, reason === undefined ? await compare(workload, peers, plan) : nobody);
  }
  for (const { task, subjects } of await processWorkloads(options)) {
    if (!isChosen(nameOf(task), options.names)) continue;
    // A figure takes seconds, and nobody else is measured beside it.
    const rounds = task.workload.includes("figure") ? Math.min(3, options.rounds) : options.rounds;
    add(task, await measure(subjects, { rounds, sampleNs: 0, limitNs: Infinity, onStep: follow(task) }));
  }
  return report;
}

/** Which software there is. Who has none to show is missing, which each workload will say. */
async function versionsOf(peers: Peers): Promise<Report["versions"]> {
  const versions = { Deno: Deno.version.deno, V8: Deno.version.v8 };
  for (const peer of peerNames) Object.assign(versions, (await peers.ask({ do: "versions", peer })).versions);
  return versions;
}

/** Sizes that do not fit are named, not tried: the system would end some process, and not always the right one. */
function whyTooLarge({ shape }: Workload): string | undefined {
  const needed = BYTES_PER_ELEMENT * Math.max(...shape);
  const { available } = Deno.systemMemoryInfo();
  if (needed < available) return undefined;
  return `needs ${(needed / 1e9).toFixed(1)} GB of free memory, and there are ${
    (available / 1e9).toFixed(1)
  }`;
}

function taskOf(workload: Workload): Task {
  return {
    workload: titleOf(workload),
    dtype: workload.dtype,
    size: sizeOf(workload),
    elements: elementsOf(workload),
  };
}

function machine(): Report["machine"] {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? "unknown",
    cores: all.length,
    system: `${Deno.build.os} ${Deno.build.arch}`,
  };
}

function parse(args: string[]): Options | undefined {
  const { _, quick, help, ...rest } = parseArgs(args, {
    boolean: ["quick", "help"],
    string: ["_", "json", "python", "originals"],
    default: { python: "python3" },
  });
  const { json, python, originals, ...unknown } = rest as Partial<Options> & { python: string };
  if (Object.keys(unknown).length > 0) {
    console.error(`There is no option --${Object.keys(unknown)[0]}.\n\n${HELP}`);
    Deno.exit(2);
  }
  if (help) return undefined;
  return {
    names: _.map(String),
    rounds: quick ? 3 : 7,
    largest: quick ? 1e7 : Infinity,
    python,
    json,
    originals,
  };
}

if (import.meta.main) {
  const options = parse(Deno.args);
  if (options === undefined) {
    console.log(HELP);
    Deno.exit(0);
  }
  const report = await main(options);
  console.log(formatRecords(report.records));
  if (report.missing.length > 0) console.log(`\nMissing:\n${formatMissing(report.missing)}`);
  if (!hasGnuTime()) console.log("\nPeak memory is measured where GNU time is installed as /usr/bin/time.");
  console.log(
    `\n${report.machine.cpu}, ${report.machine.cores} cores; ${
      Object.entries(report.versions).map((entry) => entry.join(" ")).join(", ")
    }`,
  );
  if (options.json !== undefined) {
    await Deno.writeTextFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  Deno.exit(0);
}
