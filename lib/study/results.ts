/**
 * The study's results as lines of JSON: how a run is written, read again, and kept while a study goes on.
 *
 * A file of results is sorted as text, line by line, so that `LC_ALL=C sort -u` merges the files of several machines.
 * @module
 */

import { describe } from "../check.ts";
import type { Experiment, Values } from "./experiment.ts";

/** One run, as its line has it. */
export interface Run {
  /** The experiment's name. */
  experiment: string;
  /** The experiment's version, when the run was made. */
  version: number;
  /** What the run was a function of. */
  settings: Values;
  /** What it gave. */
  measured: Values;
}

/** The results that are part of the project. */
export const RESULTS: URL = new URL("./results.jsonl", import.meta.url);

// ---- Lines ----

/** What a line begins with: it tells one run from another. */
export function runKey({ name, version }: Experiment, settings: Values): string {
  return JSON.stringify({ experiment: name, version, settings }).slice(0, -1);
}

/** A run as a line, without its end. Measured numbers get six significant digits; those not finite become `null`. */
export function formatRun(experiment: Experiment, settings: Values, measured: Values): string {
  return `${runKey(experiment, settings)},"measured":${JSON.stringify(measured, round)}}`;
}

function round(_key: string, value: unknown): unknown {
  return typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}

/** The run in a line. @throws {SyntaxError | TypeError} if there is none. */
export function parseRun(line: string): Run {
  const run = JSON.parse(line);
  const { experiment, version, settings, measured } = run ?? {};
  if (
    typeof experiment === "string" && Number.isInteger(version) && isObject(settings) && isObject(measured) &&
    Object.keys(measured).length > 0
  ) {
    return { experiment, version, settings, measured };
  }
  throw new TypeError(
    `A run is an experiment, a version, settings and what was measured, got ${describe(run)}`,
  );
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The results of one experiment, as rows of settings and measurements together.
 *
 * @param name Such as "why".
 * @param file Default: the project's own results.
 * @returns One row for each run, in the order of the file. Say what is in it: `readStudy<WhyRow>("why")`.
 * @throws {RangeError} if there is no run of that name.
 */
export async function readStudy<T extends Values = Values>(
  name: string,
  file: string | URL = RESULTS,
): Promise<T[]> {
  const runs = completeLines(await Deno.readTextFile(file)).map(parseRun);
  const rows = runs.filter((run) => run.experiment === name)
    .map(({ settings, measured }) => ({ ...settings, ...measured }) as T);
  if (rows.length > 0) return rows;
  const names = [...new Set(runs.map((run) => run.experiment))];
  throw new RangeError(`The results have no runs of ${describe(name)}; they have ${names.join(", ")}`);
}

/** All lines that have an end: one without was being written when something stopped the writer. */
function completeLines(text: string): string[] {
  return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").slice(0, -1);
}

// ---- The file of a study ----

/** A file of results cannot be gone on with; the message says why, and what to do. */
export class Refused extends Error {
  /** The class, as messages name it. */
  override name = "Refused";
}

/** A file of results that a study adds to: each run at once, and all of them in order when it is closed. */
export class ResultsFile implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #lines = new Map<string, string>();

  /**
   * Opens the file, or makes it, and reads the runs that it has.
   *
   * @param path Its folder has to exist.
   * @param experiments All that there are.
   * @param wanted The runs that are asked for, by key, for each experiment that is asked for by name.
   * @throws {Refused} if it holds something else than runs of these experiments and settings, or is being written to.
   */
  constructor(path: string, experiments: readonly Experiment[], wanted: ReadonlyMap<string, Set<string>>) {
    this.#path = path;
    this.#file = openFile(path);
    try {
      if (!this.#file.tryLockSync(true)) {
        throw new Refused(`Another study is writing to ${path}. Wait for it, or give --out another file.`);
      }
      const text = Deno.readTextFileSync(path);
      const lines = completeLines(text);
      checkTail(text.slice(text.lastIndexOf("\n") + 1), path);
      lines.forEach((line, i) => this.#accept(line, `${path}, line ${i + 1}`, experiments, wanted));
      this.#file.truncateSync(new TextEncoder().encode(lines.map((line) => line + "\n").join("")).length);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  #accept(
    line: string,
    place: string,
    experiments: readonly Experiment[],
    wanted: ReadonlyMap<string, Set<string>>,
  ): void {
    const advice = "Give --out another file, or take such lines out of this one.";
    let run;
    try {
      run = parseRun(line);
    } catch (error) {
      throw new Refused(`${place}: this is not a result: ${(error as Error).message}. ${advice}`);
    }
    const experiment = experiments.find(({ name }) => name === run.experiment);
    if (experiment === undefined) {
      throw new Refused(`${place}: there is no experiment ${describe(run.experiment)}. ${advice}`);
    }
    if (run.version !== experiment.version) {
      throw new Refused(
        `${place}: made by version ${run.version} of ${experiment.name}, which is now version ` +
          `${experiment.version}, with other results. ${advice}`,
      );
    }
    const key = runKey(experiment, run.settings);
    if (wanted.get(experiment.name)?.has(key) === false) {
      throw new Refused(
        `${place}: a run of ${experiment.name} with settings that were not asked for, ` +
          `${JSON.stringify(run.settings)}. ${advice}`,
      );
    }
    if ((this.#lines.get(key) ?? line) !== line) {
      throw new Refused(`${place}: the same run as in another line, with another result. ${advice}`);
    }
    this.#lines.set(key, line);
  }

  /** True if the run was made before. */
  has(key: string): boolean {
    return this.#lines.has(key);
  }

  /** Adds a run, which is then on the disk, whatever happens later. */
  add(key: string, line: string): void {
    this.#lines.set(key, line);
    const bytes = new TextEncoder().encode(line + "\n");
    for (let start = 0; start < bytes.length;) start += this.#file.writeSync(bytes.subarray(start));
  }

  /** Puts the lines in order, in one step: at any moment there is the old file or the new one. */
  [Symbol.dispose](): void {
    const target = Deno.realPathSync(this.#path); // not the link, if it is one
    this.#file.close(); // Windows replaces no file that is open
    if (this.#lines.size === 0) Deno.removeSync(target);
    else replaceFile(target, [...this.#lines.values()].sort().map((line) => line + "\n").join(""));
  }
}

/** What has no end is cut off: it must be a run that was being written, and nothing else. */
function checkTail(tail: string, path: string): void {
  const start = '{"experiment":"';
  if (tail.startsWith(start) || start.startsWith(tail)) return;
  throw new Refused(
    `${path} ends in something else than a result: ${
      describe(tail.slice(0, 60))
    }. Give --out another file, or take such lines out of this one.`,
  );
}

function openFile(path: string): Deno.FsFile {
  try {
    const isOther = Deno.statSync(path).isFile === false;
    if (isOther) throw new Refused(`${path} is no file. Give --out another one.`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    return Deno.openSync(path, { read: true, append: true, create: true });
  } catch (error) {
    throw new Refused(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/** Writes a file beside the other, and renames it. */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    Deno.writeTextFileSync(temporary, text, { createNew: true });
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch { // it may not exist
    }
    throw error;
  }
}
