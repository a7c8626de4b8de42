/**
 * The command behind `deno task study`: makes the runs of the experiments that a file of results does not have yet.
 *
 * An array of jobs divides them: with Slurm, `sbatch --array=0-3 --wrap 'deno task study --part
 * $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT --out part-$SLURM_ARRAY_TASK_ID.jsonl'`, then
 * `LC_ALL=C sort -u part-*.jsonl > results.jsonl`, which are the bytes that one machine alone would have written. The
 * same command with `--out results.jsonl` and no part then says whether a run is missing.
 * @module
 */

import { fromFileUrl } from "@std/path";
import { parseArgs } from "@std/cli/parse-args";
import { defaultRng } from "../mod.ts";
import { KERNELS } from "../simd/compiled_kernels.ts";
import type { Experiment, Values } from "./experiment.ts";
import { EXPERIMENTS } from "./mod.ts";
import { runTasks, type Task } from "./pool.ts";
import { formatRun, Refused, replaceFile, RESULTS, ResultsFile, runKey } from "./results.ts";

/** What the command finds around it; tests bring their own. */
export interface Surroundings {
  /** Shows text. */
  write: (text: string) => void;
  /** True if lines can be written over, as on a terminal. */
  terminal: boolean;
  /** Stops the command when it aborts. */
  signal: AbortSignal;
  /** All that there are. */
  experiments?: readonly Experiment[];
  /** The module of the workers, which knows the same experiments. */
  worker?: URL;
}

/** What the arguments ask for. */
interface Request {
  experiments: readonly Experiment[];
  seeds: number;
  /** Every `of`-th run, from this one on, counted from 0. */
  part: number;
  of: number;
  out: string;
  help: boolean;
}

/** A run that is asked for, and what its line begins with. */
interface PlannedRun extends Task {
  key: string;
}

/** The command was called in a way that it does not understand; the message says what it does. */
class UsageError extends Error {}

const SEEDS = 10;

const HELP = `Makes the study's runs, and keeps what they give in a file, a line for each.

Usage: deno task study [names…] [--seeds n] [--part i/n] [--out FILE]

  names   experiments, of these: NAMES; none means all
  --seeds how many seeds every setting gets (${SEEDS})
  --part  only every n-th run, from run i on, counted from 0; needs --out
  --out   where results are kept (lib/study/results.jsonl, which is part of the project)
  --help  show this text

Ctrl-C stops it, and the same command goes on: what the file has already is not run again.
`;

/**
 * Runs the command.
 *
 * @param args The command line.
 * @returns The exit code: 0 if the file has all that was asked for, 1 if a run failed, 2 if the command line or the file
 * is refused, 130 if it was stopped.
 */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { write, experiments = EXPERIMENTS } = surroundings;
  try {
    const request = parseRequest(args, experiments);
    if (request.help) {
      write(HELP.replace("NAMES", experiments.map(({ name }) => name).join(", ")));
      return 0;
    }
    return await study(request, surroundings);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof Refused)) throw error;
    write(error.message + "\n");
    return 2;
  }
}

// ---- Arguments ----

function parseRequest(args: readonly string[], all: readonly Experiment[]): Request {
  const flags = parseArgs([...args], {
    boolean: ["help"],
    string: ["seeds", "part", "out", "_"],
    alias: { help: "h" },
    default: { seeds: String(SEEDS) },
    unknown: (arg) => {
      if (arg.startsWith("-")) {
        throw new UsageError(`Unknown option ${arg}. Allowed are --seeds, --part, --out and --help.`);
      }
    },
  });
  const names = flags._.map(String);
  const unknown = names.find((name) => !all.some((experiment) => experiment.name === name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(", ");
    throw new UsageError(`There is no experiment "${unknown}"; there are ${known}.`);
  }
  const seeds = Number(flags.seeds);
  if (!(Number.isInteger(seeds) && seeds >= 1)) {
    throw new UsageError(`--seeds must be a positive integer, got "${flags.seeds}".`);
  }
  if (flags.part !== undefined && !flags.out) {
    throw new UsageError("A part needs a file of its own: --out FILE.");
  }
  return {
    experiments: names.length === 0 ? all : all.filter(({ name }) => names.includes(name)),
    seeds,
    ...parsePart(flags.part === undefined ? "0/1" : String(flags.part)),
    out: flags.out ? String(flags.out) : fromFileUrl(RESULTS),
    help: flags.help === true,
  };
}

function parsePart(text: string): { part: number; of: number } {
  const [part, of] = /^\d+\/\d+$/.test(text) ? text.split("/").map(Number) : [NaN, NaN];
  if (part < of) return { part, of };
  throw new UsageError(`--part must be i/n with i from 0 to n − 1, got "${text}".`);
}

// ---- Running ----

async function study(request: Request, surroundings: Surroundings): Promise<number> {
  const { write, signal, experiments = EXPERIMENTS, worker = new URL("./worker.ts", import.meta.url) } =
    surroundings;
  const all = request.experiments.flatMap((experiment) =>
    experiment.grid(request.seeds).map((settings): PlannedRun => (
      { experiment: experiment.name, settings, key: runKey(experiment, settings) }
    ))
  );
  const wanted = new Map(
    Object.entries(Object.groupBy(all, (run) => run.experiment))
      .map(([name, runs]) => [name, new Set(runs!.map(({ key }) => key))]),
  );
  using file = new ResultsFile(request.out, experiments, wanted);
  const mine = all.filter((_, i) => i % request.of === request.part);
  const missing = mine.filter(({ key }) => !file.has(key));
  const before = request.of === 1 ? await readDescription(request.out) : {};
  const progress = new Progress(missing.length, surroundings);
  const seconds = new Map<string, number[]>();
  const onDone = (run: PlannedRun, measured: Values, took: number) => {
    const experiment = experiments.find(({ name }) => name === run.experiment)!;
    file.add(run.key, formatRun(experiment, run.settings, measured));
    seconds.set(run.experiment, [...seconds.get(run.experiment) ?? [], took]);
    progress.advance();
  };
  try {
    await runTasks(shuffle(missing), {
      worker,
      signal,
      onDone: (task, ...result) => onDone(task as PlannedRun, ...result),
    });
  } catch (error) {
    write(`\n${signal.aborted ? "Stopped." : (error as Error).message}\n`);
    const kept = mine.filter(({ key }) => file.has(key)).length;
    write(`${kept} of ${mine.length} runs are in ${request.out}; the same command goes on from there.\n`);
    return signal.aborted ? 130 : 1;
  }
  write(report(mine, seconds, request.out));
  if (request.of === 1) await describeResults(request, seconds, before);
  return 0;
}

/** Long runs among short ones, so that the time left can be told from the time that it took so far. */
function shuffle<T>(items: readonly T[]): T[] {
  return Array.from(defaultRng(0).permutation(items.length), (i) => items[i]);
}

/** Says how far a study is: on one line of a terminal, elsewhere with a line every ten seconds. */
class Progress {
  readonly #start = performance.now();
  #done = 0;
  #shown = 0;

  constructor(readonly total: number, readonly surroundings: Surroundings) {}

  advance(): void {
    this.#done++;
    const { write, terminal } = this.surroundings;
    const seconds = (performance.now() - this.#start) / 1000;
    const last = this.#done === this.total;
    if (!last && seconds - this.#shown < (terminal ? 0.25 : 10)) return;
    this.#shown = seconds;
    const left = seconds / this.#done * (this.total - this.#done);
    const line = `${this.#done} of ${this.total} runs, ${duration(seconds)}, about ${duration(left)} left`;
    write(terminal ? `\r${line}\x1b[K${last ? "\n" : ""}` : `${line}\n`);
  }
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// ---- Reporting ----

function report(runs: readonly PlannedRun[], seconds: ReadonlyMap<string, number[]>, out: string): string {
  const lines = Object.entries(Object.groupBy(runs, ({ experiment }) => experiment)).map(([name, own]) => {
    const times = seconds.get(name) ?? [];
    const total = times.reduce((sum, time) => sum + time, 0);
    return `${name}: ${own!.length} runs, ${times.length} of them new, in ${
      total.toFixed(1)
    } s of one processor`;
  });
  return `${lines.join("\n")}\nAll are in ${out}.\n`;
}

/** The file beside the results, which says what made them. */
function descriptionPath(out: string): string {
  return out.replace(/(\.jsonl)?$/, ".json");
}

/** What is there of it, by experiment. */
async function readDescription(out: string): Promise<Record<string, { version?: number; runs?: number }>> {
  const path = descriptionPath(out);
  try {
    const description = JSON.parse(await Deno.readTextFile(path));
    if (typeof description === "object" && description !== null && !Array.isArray(description)) {
      return description;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Refused(
    `${path} should say what made the results, and is something else. Move it, or give --out another file.`,
  );
}

/** Writes beside the results what made them. */
async function describeResults(
  { experiments, seeds, out }: Request,
  seconds: ReadonlyMap<string, number[]>,
  before: Record<string, { version?: number; runs?: number }>,
): Promise<void> {
  const path = descriptionPath(out);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(KERNELS));
  const made = {
    date: new Date().toISOString().slice(0, 10),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    machine: Deno.build.target,
    kernels: `SHA-256 ${new Uint8Array(digest).toHex()}`,
  };
  const entries = experiments.map((experiment) => {
    const runs = experiment.grid(seeds);
    const times = seconds.get(experiment.name);
    const old = before[experiment.name];
    if (times === undefined && old?.version === experiment.version && old.runs === runs.length) {
      return [experiment.name, old];
    }
    const settings = Object.keys(runs[0]).map((name) => [name, [...new Set(runs.map((run) => run[name]))]]);
    const secondsPerRun = times &&
      Number((times.reduce((sum, time) => sum + time) / times.length).toPrecision(3));
    const { version } = experiment;
    return [experiment.name, {
      version,
      ...(times && made), // of runs that were merged from elsewhere, nothing is known
      runs: runs.length,
      secondsPerRun,
      settings: Object.fromEntries(settings),
    }];
  });
  replaceFile(path, JSON.stringify({ ...before, ...Object.fromEntries(entries) }, null, 2) + "\n");
}

if (import.meta.main) {
  const stop = new AbortController();
  for (const signal of Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(new Error("Stopped")));
  }
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));
  Deno.exit(await main(Deno.args, { write, terminal: Deno.stderr.isTerminal(), signal: stop.signal }));
}
