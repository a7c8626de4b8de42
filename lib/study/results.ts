/**
 * The study's results as lines of JSON: how a run is written, and read again.
 *
 * A file of results is sorted as text, line by line, so that `LC_ALL=C sort` merges the files of several machines.
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
export const RESULTS = new URL("./results.jsonl", import.meta.url);

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
    typeof experiment === "string" && Number.isInteger(version) && isObject(settings) && isObject(measured)
  ) {
    return { experiment, version, settings, measured };
  }
  throw new TypeError(
    `A run has an experiment, a version, settings and what was measured, got ${describe(run)}`,
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
  const lines = (await Deno.readTextFile(file)).split("\n").filter((line) => line !== "");
  const runs = lines.map(parseRun);
  const rows = runs.filter((run) => run.experiment === name)
    .map(({ settings, measured }) => ({ ...settings, ...measured }) as T);
  if (rows.length > 0) return rows;
  const names = [...new Set(runs.map((run) => run.experiment))];
  throw new RangeError(`The results have no runs of ${describe(name)}; they have ${names.join(", ")}`);
}
