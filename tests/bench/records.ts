/**
 * What a run leaves behind: one record for each subject of each workload, and who was missing.
 * @module
 */

import { formatTable } from "../../lib/jupyter/executor/progress.ts";
import { median, type Outcome } from "./measure.ts";

/** Of what a workload consists, as far as records know. */
export interface Task {
  /** Such as "dropout forward, p = 0.5". */
  workload: string;
  /** Element type, or "" for whole processes. */
  dtype: string;
  /** Such as "100000", "128×64", or the name of a notebook. */
  size: string;
  /** By what a time is divided to give the time for an element, if that makes sense. */
  elements?: number;
}

/** One measured subject. */
export interface Measurement {
  /** Such as "dropout forward, p = 0.5". */
  workload: string;
  /** Element type, or "" for whole processes. */
  dtype: string;
  /** Such as "100000", "128×64", or the name of a notebook. */
  size: string;
  /** Who did it. */
  subject: string;
  /** Median over the rounds, for one call. */
  median_ns: number;
  /** The fastest of the rounds: how long it takes where nothing is in its way. */
  fastest_ns: number;
  /** For each element, of a matrix product for each multiplication. */
  ns_per_element?: number;
  /** The median divided by that of "ours"; `null` if there is none. */
  ratio_to_ours: number | null;
  /** Median over the rounds of the most memory that a process held. */
  peak_bytes?: number;
}

/** Somebody who was not measured. */
export interface Missing extends Pick<Measurement, "workload" | "dtype" | "size" | "subject"> {
  /** Why not. */
  reason: string;
}

/** A whole run. */
export interface Report {
  /** On what. */
  machine: { cpu: string; cores: number; system: string };
  /** With which software. */
  versions: { [software: string]: string };
  /** How many samples each median is taken from, at most. */
  rounds: number;
  /** What was measured. */
  records: Measurement[];
  /** What was not. */
  missing: Missing[];
}

/** The records of one workload, and who is missing from it. */
export function recordsOf(
  task: Task,
  outcomes: ReadonlyMap<string, Outcome>,
): Pick<Report, "records" | "missing"> {
  const { elements, ...place } = task;
  const medians = new Map<string, number>();
  for (const [subject, outcome] of outcomes) {
    if ("ns" in outcome) medians.set(subject, median(outcome.ns));
  }
  const ours = medians.get("ours") ?? medians.get("ours, as typed");
  const records: Measurement[] = [];
  const missing: Missing[] = [];
  for (const [subject, outcome] of outcomes) {
    if ("missing" in outcome) {
      missing.push({ ...place, subject, reason: outcome.missing });
      continue;
    }
    const ns = medians.get(subject)!;
    records.push({
      ...place,
      subject,
      median_ns: ns,
      fastest_ns: Math.min(...outcome.ns),
      ...(elements !== undefined && { ns_per_element: ns / elements }),
      ratio_to_ours: ours === undefined ? null : ns / ours,
      ...(outcome.peakBytes.length > 0 && { peak_bytes: median(outcome.peakBytes) }),
    });
  }
  return { records, missing };
}

/** The table for a terminal; each workload is named once. */
export function formatRecords(records: readonly Measurement[]): string {
  let before = "";
  const rows = records.map((record) => {
    const { subject, median_ns, ns_per_element, ratio_to_ours, peak_bytes } = record;
    const name = nameOf(record);
    const shown = name === before ? "" : name;
    before = name;
    return [
      shown,
      subject,
      formatTime(median_ns),
      ns_per_element === undefined ? "–" : formatNumber(ns_per_element),
      ratio_to_ours === null ? "–" : formatNumber(ratio_to_ours),
      peak_bytes === undefined ? "–" : (peak_bytes / 1e6).toFixed(0),
    ];
  });
  return formatTable([["workload", "subject", "median", "ns/element", "ratio to ours", "peak MB"], ...rows]);
}

/** Who is missing and why, one line for each subject and reason, with the workloads if they are few. */
export function formatMissing(missing: readonly Missing[]): string {
  const byReason = Map.groupBy(missing, ({ subject, reason }) => `${subject}: ${reason}`);
  return [...byReason].map(([what, where]) =>
    `  ${what} (${where.length > 2 ? `${where.length} workloads` : where.map(nameOf).join("; ")})`
  ).join("\n");
}

/** Workload, size and type in one line. */
export function nameOf({ workload, size, dtype }: Pick<Measurement, "workload" | "size" | "dtype">): string {
  return [workload, size, dtype].filter((part) => part !== "").join(", ");
}

/** A time with the unit that suits it. */
export function formatTime(ns: number): string {
  const [unit, length] = ([["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]] as const)
    .find(([, length]) => ns >= length) ?? ["ns", 1];
  return `${formatNumber(ns / length)} ${unit}`;
}

/** Three digits that count, without an exponent. */
export function formatNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
