/**
 * What the commands of this folder share: how they find notebooks, and how they are stopped.
 *
 * @module
 */
import { basename, join, relative, resolve } from "@std/path";
import { describeOldDeno } from "../version.ts";
import { type Screen, standardScreen } from "./progress.ts";

/** The command was called in a way that it does not understand; the message says what it does. */
export class UsageError extends Error {
  /** The class, as messages name it. */
  override name = "UsageError";
}

/** Somebody asked the command to stop. */
export class Stopped extends Error {
  /** The class, as messages name it. */
  override name = "Stopped";
  /** By convention 128 plus the signal's number. */
  readonly exitCode: number;

  /**
   * Says what stopped the command.
   *
   * @param signal Such as `SIGINT`, which is Ctrl-C, or `SIGPIPE`, when nobody reads what is printed.
   */
  constructor(signal: Deno.Signal) {
    super(signal === "SIGINT" ? "Stopped by Ctrl-C." : `Stopped by ${signal}.`);
    this.exitCode = STOP_CODES[signal] ?? 130;
  }
}

const STOP_CODES: Partial<Record<Deno.Signal, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGPIPE: 141,
  SIGTERM: 143,
};

/** The signals that ask a program to stop; Windows has only two of them. */
const STOP_SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a command, and exits with its exit code; also after Ctrl-C only when the command has cleaned up.
 *
 * @param leastDeno The oldest Deno that the command works with, such as "2.5".
 * @param command Gets a signal that aborts, with {@linkcode Stopped} as its reason, when it shall stop, and the screen.
 */
export async function runCommand(
  leastDeno: string,
  command: (signal: AbortSignal, screen: Screen) => Promise<number>,
): Promise<never> {
  const stop = new AbortController();
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, () => stop.abort(new Stopped(name)));
  const screen = standardScreen(() => stop.abort(new Stopped("SIGPIPE")));
  const problem = describeOldDeno(leastDeno);
  if (problem) {
    screen.write(`This command ${problem}.\n`);
    Deno.exit(1);
  }
  Deno.exit(await command(stop.signal, screen));
}

/** The folder `notebooks` of this project. */
export const NOTEBOOKS: string = join(import.meta.dirname!, "..", "..", "..", "notebooks");

/**
 * Finds the notebooks that are meant.
 *
 * @param names Each is a notebook's name, the beginning of just one, or the path of an `.ipynb` file. None: all.
 * @param directory Where names are looked up.
 * @returns Paths, without repetition.
 * @throws {UsageError} if a name fits no notebook, or several.
 */
export async function findNotebooks(names: readonly string[], directory: string): Promise<string[]> {
  const all = await listNotebooks(directory);
  if (names.length > 0) {
    const found = await Promise.all(names.map((name) => findNotebook(name, all, directory)));
    const files = await Promise.all(found.map((path) => Deno.realPath(path))); // two links may lead to one
    return found.filter((_, i) => files.indexOf(files[i]) === i);
  }
  if (all.length === 0) throw new UsageError(`There are no notebooks in ${showPath(directory)}.`);
  return all;
}

/** Shortens a path for people: as seen from the current directory, if that is shorter. */
export function showPath(path: string): string {
  const seen = relative(Deno.cwd(), path);
  return seen !== "" && seen.length < path.length ? seen : path;
}

/** Takes the name of a notebook from its path: the file's, without extension. */
export function notebookName(path: string): string {
  return basename(path, ".ipynb");
}

async function listNotebooks(directory: string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (isFile && name.endsWith(".ipynb") && !name.startsWith(".")) paths.push(join(directory, name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return paths.sort();
}

async function findNotebook(name: string, all: string[], directory: string): Promise<string> {
  if (name.endsWith(".ipynb") && await isFile(name)) return resolve(name);
  const wanted = notebookName(name);
  const exact = all.filter((path) => notebookName(path) === wanted);
  const fitting = exact.length > 0 ? exact : all.filter((path) => notebookName(path).startsWith(wanted));
  if (fitting.length === 1 && wanted !== "") return fitting[0];
  const problem = fitting.length > 1
    ? `${fitting.length} notebooks begin with "${name}":`
    : `No notebook is named "${name}". A name is one of these, its beginning, or the path of an .ipynb file:`;
  const choices = fitting.length > 1 ? fitting : all;
  const list = choices.map((path) => `\n  ${notebookName(path)}`).join("") ||
    `\n  (none in ${showPath(directory)})`;
  throw new UsageError(problem + list);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
