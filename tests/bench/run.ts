/**
 * The command behind `deno task bench`: measures this library beside others, all in turn, on this machine.
 * @module
 */

import { cpus } from "node:os";
import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../../lib/jupyter/executor/command.ts";
import { Progress, standardScreen } from "../../lib/jupyter/executor/progress.ts";
import { compare, peersFor } from "./compare.ts";
import { measure, type Outcome, type Plan, SAMPLE_NS } from "./measure.ts";
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
  const isAsked = (task: Task) => isChosen(nameOf(task), options.names);
  const chosen = workloads.filter((workload) =>
    isAsked(taskOf(workload)) && Math.max(...workload.shape) <= options.largest
  );
  const processes = (await processWorkloads(options)).filter(({ task }) => isAsked(task));
  if (chosen.length + processes.length === 0) {
    throw new UsageError(`No workload has one of these words in its name: ${options.names.join(", ")}`);
  }
  using progress = new Progress(standardScreen(() => Deno.exit(141))); // nobody reads any more, as for SIGPIPE
  await using peers = new Peers(options.python);
  const versions = await versionsOf(peers);
  const report: Report = { machine: machine(), versions, rounds: options.rounds, records: [], missing: [] };
  const planFor = (task: Task, plan: Omit<Plan, "onStep">) => {
    progress.update(nameOf(task), "starts");
    const isTerminal = Deno.stderr.isTerminal(); // elsewhere each step would be a line
    return { ...plan, onStep: (step: string) => isTerminal && progress.update(nameOf(task), step) };
  };
  const add = (task: Task, outcomes: ReadonlyMap<string, Outcome>) => {
    const { records, missing } = recordsOf(task, outcomes);
    report.records.push(...records);
    report.missing.push(...missing);
    progress.finish(nameOf(task), `${records.length} measured`);
    save(report, options); // each time, so that a run that is stopped leaves what it has
  };
  save(report, options); // first, so that a file that cannot be written is known before an hour has passed
  for (const workload of chosen) {
    const task = taskOf(workload);
    const plan = planFor(task, { rounds: options.rounds, sampleNs: SAMPLE_NS, limitNs: LIMIT_NS });
    add(task, nobodyFor(workload) ?? await compare(workload, peers, plan));
  }
  for (const { task, subjects } of processes) {
    // A figure takes seconds, and nobody else is measured beside it.
    const rounds = task.workload.includes("figure") ? Math.min(3, options.rounds) : options.rounds;
    add(task, await measure(subjects, planFor(task, { rounds, sampleNs: 0, limitNs: Infinity })));
  }
  return report;
}

function save(report: Report, { json }: Options): void {
  if (json !== undefined) Deno.writeTextFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
}

/** Which software there is. Who has none to show is missing, which each workload will say. */
async function versionsOf(peers: Peers): Promise<Report["versions"]> {
  const versions = { Deno: Deno.version.deno, V8: Deno.version.v8 };
  for (const peer of peerNames) {
    Object.assign(versions, (await peers.ask({ do: "versions", peer })).versions);
    await peers.forget(peer);
  }
  return versions;
}

/** A size that does not fit is missing for all; tried, it would make the system end some process, maybe another one. */
function nobodyFor(workload: Workload): Map<string, Outcome> | undefined {
  const needed = BYTES_PER_ELEMENT * Math.max(...workload.shape);
  const { available } = Deno.systemMemoryInfo();
  if (needed < available) return undefined;
  const [needs, has] = [needed, available].map((bytes) => (bytes / 1e9).toFixed(1));
  const missing = `needs ${needs} GB of free memory, and there are ${has}`;
  return new Map(peersFor(workload).map((peer) => [peer, { missing }]));
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

function parse(args: string[]): Options {
  const { _, quick, ...rest } = parseArgs(args, {
    boolean: ["quick"],
    string: ["_", "json", "python", "originals"],
    default: { python: "python3" },
  });
  const { json, python, originals, ...unknown } = rest as Partial<Options> & { python: string };
  if (Object.keys(unknown).length > 0) {
    throw new UsageError(`There is no option --${Object.keys(unknown)[0]}.\n\n${HELP}`);
  }
  return {
    names: _.map(String),
    rounds: quick ? 3 : 7,
    largest: quick ? 1e7 : Infinity,
    python,
    json,
    originals,
  };
}

function print({ records, missing, machine, versions }: Report): void {
  console.log(formatRecords(records));
  if (missing.length > 0) console.log(`\nMissing:\n${formatMissing(missing)}`);
  if (!hasGnuTime()) console.log("\nPeak memory is measured where GNU time is installed as /usr/bin/time.");
  const software = Object.entries(versions).map((entry) => entry.join(" "));
  console.log(`\n${[`${machine.cpu}, ${machine.cores} cores`, ...software].join(", ")}`);
}

if (import.meta.main) {
  try {
    if (Deno.args.includes("--help")) console.log(HELP);
    else print(await main(parse(Deno.args)));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
