/**
 * The command behind `deno task notebooks`: runs notebooks in the real Deno kernel, and writes them back executed.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { parseArgs } from "@std/cli/parse-args";
import { findNotebooks, notebookName, NOTEBOOKS, runCommand, showPath, UsageError } from "./command.ts";
import { describeDifference } from "./difference.ts";
import { CellFailed, type CellStart, executeNotebook, type Execution } from "./execute.ts";
import { parseNotebook, serializeNotebook } from "./notebook.ts";
import { formatTable, Progress, type Screen, standardScreen } from "./progress.ts";

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
}

/** What became of one notebook. */
interface Result {
  path: string;
  status: "written" | "unchanged" | "differs" | "failed" | "stopped";
  seconds: number;
  execution?: Execution;
  /** What went wrong. */
  problem?: string;
}

const DEFAULT_TIMEOUT = 120;

const HELP = `Runs notebooks in the Deno kernel, from top to bottom, and writes them back with fresh outputs.

Usage: deno task notebooks [names…] [--check] [--timeout seconds]

  names      notebooks by name, by the beginning of a name ("01"), or by path; none means all
  --check    write nothing; fail if the outputs on disk are not those of a fresh run
  --timeout  how long one cell may take, in seconds (${DEFAULT_TIMEOUT})
  --help     show this text

A notebook is written only if all of its cells succeed.
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
    if (!task.check) await checkWritable(paths);
    const results = await runAll(paths, task, surroundings);
    screen.write(report(results, task));
    if (signal.aborted) return signal.reason.exitCode;
    return results.every(isGood) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof NotWritable)) throw error;
    screen.write(error.message + "\n");
    return error instanceof UsageError ? 2 : 1;
  }
}

// ---- Arguments ----

function parseTask(args: readonly string[]): Task {
  const flags = parseArgs([...args], {
    boolean: ["check", "help"],
    string: ["timeout", "_"],
    alias: { help: "h" },
    default: { timeout: String(DEFAULT_TIMEOUT) },
    unknown: (arg) => {
      if (arg.startsWith("-")) {
        throw new UsageError(`Unknown option ${arg}. Allowed are --check, --timeout and --help.`);
      }
    },
  });
  const timeout = Number(flags.timeout);
  if (!(timeout > 0 && timeout < Infinity)) {
    throw new UsageError(`--timeout must be a positive number of seconds, got "${flags.timeout}".`);
  }
  return { names: flags._.map(String), check: flags.check === true, help: flags.help === true, timeout };
}

// ---- Running ----

/** Runs the notebooks side by side, as many at a time as there are processors. */
async function runAll(paths: readonly string[], task: Task, surroundings: Surroundings): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = paths.entries();
  using progress = new Progress(surroundings.screen);
  const work = async () => {
    for (const [i, path] of waiting) results[i] = await runOne(path, task, surroundings, progress);
  };
  await Promise.all(Array.from({ length: Math.max(1, navigator.hardwareConcurrency) }, work));
  return results;
}

async function runOne(
  path: string,
  task: Task,
  surroundings: Surroundings,
  progress: Progress,
): Promise<Result> {
  const name = notebookName(path);
  const start = performance.now();
  progress.update(name, "starting");
  const onCell = ({ number, total }: CellStart) => progress.update(name, `cell ${number} of ${total}`);
  const outcome = await attempt(path, task, surroundings, onCell);
  progress.finish(name, outcome.status);
  return { path, seconds: (performance.now() - start) / 1000, ...outcome };
}

/** Every failure of a notebook becomes a result: the others go on. */
async function attempt(
  path: string,
  task: Task,
  surroundings: Surroundings,
  onCell: (cell: CellStart) => void,
): Promise<Omit<Result, "path" | "seconds">> {
  const { screen: _, directory: __, ...options } = surroundings;
  try {
    options.signal.throwIfAborted();
    const before = await Deno.readTextFile(path);
    const notebook = parseNotebook(before);
    const execution = await executeNotebook(notebook, {
      ...options,
      cwd: dirname(path),
      timeout: task.timeout,
      onCell,
    });
    const after = serializeNotebook(execution.notebook);
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

// ---- Writing ----

/** A folder does not let notebooks be written; better to know before they run. */
class NotWritable extends Error {
  override name = "NotWritable";
}

async function checkWritable(paths: readonly string[]): Promise<void> {
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    try {
      const probe = temporaryName(join(directory, "probe"));
      await Deno.writeTextFile(probe, "", { createNew: true });
      await Deno.remove(probe);
    } catch (error) {
      throw new NotWritable(
        `Notebooks cannot be written in ${showPath(directory)}: ${(error as Error).message}\n` +
          `Nothing was run. To run notebooks without writing them, use --check.`,
      );
    }
  }
}

/** Replaces a file in one step, so that at any moment there is the old one or the new one. */
async function replaceFile(path: string, before: string, after: string): Promise<void> {
  if (await Deno.readTextFile(path) !== before) {
    throw new Error("The file was changed while its cells ran. It was left as it is; run it again.");
  }
  const target = await Deno.realPath(path); // not the link, if it is one
  const temporary = temporaryName(target);
  try {
    const { mode } = await Deno.stat(target);
    await Deno.writeTextFile(temporary, after, { createNew: true, ...(mode !== null && { mode }) });
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // it may not exist
    throw error;
  }
}

/** A hidden file beside the other one: renaming works only within a file system. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${notebookName(path)}.${crypto.randomUUID()}.tmp`);
}

// ---- Reporting ----

function isGood({ status }: Result): boolean {
  return status === "written" || status === "unchanged";
}

function report(results: readonly Result[], task: Task): string {
  const headings = ["notebook", "cells", "figures", "claims", "seconds", "status"];
  const rows = results.map(({ path, execution, seconds, status }) => {
    const counts = [execution?.cells, execution?.figures, execution?.claims].map((n) => String(n ?? "–"));
    return [notebookName(path), ...counts, seconds.toFixed(1), status];
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
  return `Open ${showPath(results[0].path)} in Jupyter or VS Code.`;
}

if (import.meta.main) {
  await runCommand((signal) => main(Deno.args, { screen: standardScreen(), signal }));
}
