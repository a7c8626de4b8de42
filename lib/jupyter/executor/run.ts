/**
 * The command behind `deno task notebooks`: runs notebooks in the real Deno kernel, and writes them back executed.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { parseArgs } from "@std/cli/parse-args";
import { findNotebooks, notebookName, NOTEBOOKS, runCommand, showPath, UsageError } from "./command.ts";
import { describeDifference } from "./difference.ts";
import { CellFailed, type CellStart, executeNotebook, type Execution } from "./execute.ts";
import { parseNotebook, readNotebookText, serializeNotebook } from "./notebook.ts";
import { InvalidParameter, parseSetting, setParameters } from "./parameters.ts";
import { formatTable, printable, Progress, type Screen } from "./progress.ts";
import { checkWritable, NotWritable, replaceFile, writeFile } from "./writing.ts";

/** What the command finds around it; tests bring their own. */
export interface Surroundings {
  /** Where progress and results are shown. */
  screen: Screen;
  /** Stops the command when it aborts. */
  signal: AbortSignal;
  /** Where notebooks are looked up by name; by default, the project's `notebooks`. */
  directory?: string;
  /** The kernel's Deno executable; by default, the one that is running. */
  deno?: string;
  /** How long a kernel may take to start, in seconds. */
  startTimeout?: number;
}

/** What the arguments ask for. */
interface Task {
  names: string[];
  check: boolean;
  help: boolean;
  /** Seconds per cell. */
  timeout: number;
  /** Parameter → value, as text. */
  settings: Map<string, string>;
  /** The folder that gets executed copies; `undefined` if the notebooks themselves are written. */
  out: string | undefined;
}

/** One notebook that runs. */
interface Job {
  path: string;
  /** What it is called: its name or, where another has the same, its path. */
  label: string;
  /** The file that is written. */
  target: string;
}

/** What became of one notebook. */
interface Result extends Job {
  status: "written" | "unchanged" | "differs" | "failed" | "stopped";
  seconds: number;
  execution?: Execution;
  /** What went wrong. */
  problem?: string;
}

const DEFAULT_TIMEOUT = 120;

const HELP = `Runs notebooks in the Deno kernel, from top to bottom, and writes them back with fresh outputs.

Usage: deno task notebooks [names…] [--check] [--timeout seconds] [--set name=value]… [--out folder]

  names      notebooks by name, by the beginning of a name ("01"), or by path; none means all
  --check    write nothing; fail if the outputs on disk are not those of a fresh run
  --timeout  how long one cell may take, in seconds (${DEFAULT_TIMEOUT})
  --set      another value for a constant in the cell tagged "parameters", such as --set p=0.3; needs --out
  --out      write executed copies to this folder, and leave the notebooks as they are
  --help     show this text

A notebook is written only if all of its cells succeed and all that they have shown has arrived. What a cell writes
past the kernel (Deno.stdout, console.log in a worker or a child process) no Jupyter client sees, and what it leaves
running when the last cell has ended is not waited for.
A notebook is a program: its cells run with all permissions, as in every Deno kernel. The permissions of this task
are those of the program that drives the kernels, not of the cells. Run only notebooks that you trust.
`;

/**
 * Runs the command.
 *
 * @param args The command line.
 * @returns The exit code: 0 if all is well, 1 if a notebook failed or differs, 2 for a wrong command line, and
 * the signal's own code if the command was stopped.
 */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { screen, signal } = surroundings;
  try {
    const task = parseTask(args);
    if (task.help) {
      screen.write(HELP);
      return 0;
    }
    const paths = await findNotebooks(task.names, surroundings.directory ?? NOTEBOOKS);
    const jobs = await plan(paths, task);
    if (!task.check) await checkWritable(jobs.map(({ target }) => target), task.out !== undefined);
    const results = await runAll(jobs, task, surroundings);
    screen.write(printable(report(results, task)));
    if (signal.aborted) return signal.reason.exitCode;
    return results.every(isGood) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof NotWritable)) throw error;
    screen.write(printable(error.message) + "\n");
    return error instanceof UsageError ? 2 : 1;
  }
}

// ---- Arguments ----

function parseTask(args: readonly string[]): Task {
  const flags = parseArgs([...args], {
    boolean: ["check", "help"],
    string: ["timeout", "set", "out", "_"],
    collect: ["set"],
    alias: { help: "h" },
    default: { timeout: String(DEFAULT_TIMEOUT) },
    unknown: (arg) => {
      if (arg.startsWith("-")) {
        throw new UsageError(
          `Unknown option ${arg}. Allowed are --check, --timeout, --set, --out and --help.`,
        );
      }
    },
  });
  const timeout = Number(flags.timeout);
  if (!(timeout > 0 && timeout < Infinity)) {
    throw new UsageError(`--timeout must be a positive number of seconds, got "${flags.timeout}".`);
  }
  const { check = false, help = false, set = [], out } = flags as {
    check?: boolean;
    help?: boolean;
    set?: string[];
    out?: string;
  };
  const settings = parseSettings(set);
  if (out === "") throw new UsageError("--out takes a folder.");
  if (settings.size > 0 && out === undefined) {
    throw new UsageError("--set runs a copy: say with --out where it shall be written.");
  }
  if (check && out !== undefined) {
    throw new UsageError("--check writes nothing, --out does: use one of them.");
  }
  return { names: flags._.map(String), check, help, timeout, settings, out };
}

function parseSettings(texts: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const text of texts) {
    const [name, value] = asUsage(() => parseSetting(text));
    if (settings.has(name)) throw new UsageError(`--set gives ${name} two values.`);
    settings.set(name, value);
  }
  return settings;
}

function asUsage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof InvalidParameter ? new UsageError(error.message) : error;
  }
}

/** Says what runs and what is written, before anything does. */
async function plan(paths: readonly string[], { settings, out }: Task): Promise<Job[]> {
  const isUnique = (path: string) =>
    paths.filter((other) => notebookName(other) === notebookName(path)).length === 1;
  const jobs = paths.map((path) => ({
    path,
    label: isUnique(path) ? notebookName(path) : showPath(path),
    target: out === undefined ? path : join(resolve(out), basename(path)),
  }));
  if (out === undefined) return jobs;
  for (const { path, target } of jobs) {
    if (!isUnique(path)) {
      throw new UsageError(`Two notebooks are named ${notebookName(path)}: --out cannot hold both.`);
    }
    if (await Deno.realPath(target).catch(() => target) === await Deno.realPath(path)) {
      throw new UsageError(`--out ${out} is the folder of ${showPath(path)} itself: choose another.`);
    }
    if (settings.size === 0) continue;
    const notebook = await readNotebookText(path).then(parseNotebook).catch(() => undefined); // told when it runs
    if (notebook) asUsage(() => setParameters(notebook, settings));
  }
  await Deno.mkdir(out, { recursive: true }).catch((error) => {
    throw new NotWritable(`The folder ${out} cannot be made: ${error.message}`);
  });
  return jobs;
}

// ---- Running ----

/** Runs the notebooks side by side, as many at a time as there are processors. */
async function runAll(jobs: readonly Job[], task: Task, surroundings: Surroundings): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = jobs.entries();
  using progress = new Progress(surroundings.screen);
  const work = async () => {
    for (const [i, job] of waiting) results[i] = await runOne(job, task, surroundings, progress);
  };
  await Promise.all(Array.from({ length: Math.max(1, navigator.hardwareConcurrency) }, work));
  return results;
}

async function runOne(
  job: Job,
  task: Task,
  surroundings: Surroundings,
  progress: Progress,
): Promise<Result> {
  const start = performance.now();
  progress.update(job.label, "starting");
  const onCell = ({ number, total, attempt }: CellStart) =>
    progress.update(job.label, `cell ${number} of ${total}${attempt > 1 ? ", once more" : ""}`);
  const outcome = await attempt(job, task, surroundings, onCell);
  progress.finish(job.label, outcome.status);
  return { ...job, seconds: (performance.now() - start) / 1000, ...outcome };
}

/** Every failure of a notebook becomes a result: the others go on. */
async function attempt(
  { path, target }: Job,
  task: Task,
  surroundings: Surroundings,
  onCell: (cell: CellStart) => void,
): Promise<Omit<Result, keyof Job | "seconds">> {
  const { screen: _, directory: __, ...options } = surroundings;
  try {
    options.signal.throwIfAborted();
    const before = await readNotebookText(path);
    const execution = await executeNotebook(setParameters(parseNotebook(before), task.settings), {
      ...options,
      cwd: dirname(path), // also of a copy: its imports are relative to it
      timeout: task.timeout,
      onCell,
    });
    const after = serializeNotebook(execution.notebook);
    if (task.out !== undefined) {
      await writeFile(target, after);
      return { status: "written", execution };
    }
    if (after === before) return { status: "unchanged", execution };
    if (task.check) {
      return {
        status: "differs",
        execution,
        problem: `${showPath(path)}, ${describeDifference(before, after)}`,
      };
    }
    await replaceFile(path, before, after);
    return { status: "written", execution };
  } catch (error) {
    if (options.signal.aborted) return { status: "stopped" };
    return { status: "failed", problem: showPath(path) + describeFailure(error) };
  }
}

function describeFailure(error: unknown): string {
  if (!(error instanceof CellFailed)) return `: ${error instanceof Error ? error.message : error}`;
  const { cell, codeCell, line, sourceLine, message } = error;
  const place = `, cell ${cell} (code cell ${codeCell})${line === undefined ? "" : `, line ${line}`}`;
  return `${place}: ${message}${sourceLine === undefined ? "" : `\n  ${line} | ${sourceLine}`}`;
}

// ---- Reporting ----

function isGood({ status }: Result): boolean {
  return status === "written" || status === "unchanged";
}

function report(results: readonly Result[], task: Task): string {
  const headings = ["notebook", "cells", "figures", "claims", "seconds", "status"];
  const rows = results.map(({ label, execution, seconds, status }) => {
    const counts = [execution?.cells, execution?.figures, execution?.claims].map((n) => String(n ?? "–"));
    return [label, ...counts, seconds.toFixed(1), status];
  });
  const problems = results.flatMap(({ problem }) => problem ? [problem] : []);
  const parts = [formatTable([headings, ...rows]), ...problems, advice(results, task)];
  return `\n${parts.join("\n\n")}\n`;
}

/** What to do next. */
function advice(results: readonly Result[], task: Task): string {
  const has = (status: Result["status"]) => results.some((result) => result.status === status);
  if (has("stopped")) return "Stopped. Notebooks that were not finished are as they were before.";
  if (has("failed")) {
    return "A notebook that failed is as it was before. Correct what is said above, and run again.";
  }
  if (has("differs")) return "Nothing was written. To bring the outputs up to date: deno task notebooks";
  if (task.check) return "All outputs are those of a fresh run.";
  return `Open ${showPath(results[0].target)} in Jupyter or VS Code.`;
}

if (import.meta.main) {
  // Its kernels would do with 2.5. Since 2.8 node:module has SourceMap, without which a failure has no line.
  await runCommand("2.8", (signal, screen) => main(Deno.args, { screen, signal }));
}
