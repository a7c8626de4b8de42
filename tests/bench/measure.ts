/**
 * Measures subjects in turn, round by round, so that what slows the machine for a while slows all of them.
 * @module
 */

/** Something that can be timed. */
export interface Subject {
  /** As tables call it. */
  name: string;
  /** Does its work `iterations` times. Returns nanoseconds per call, or why it cannot be done. */
  run(iterations: number): Promise<Timing | string>;
}

/** What came out of one sample. */
export interface Timing {
  /** Nanoseconds per call. */
  ns: number;
  /** The most memory that it held, if that was measured. */
  peakBytes?: number;
}

/** How to measure. */
export interface Plan {
  /** How many samples of each subject. */
  rounds: number;
  /** How long a sample should take, in nanoseconds; 0: always one call, as for whole processes. */
  sampleNs: number;
  /** Who takes longer than this for one call is not asked again, in nanoseconds. */
  limitNs: number;
  /** Told what goes on. */
  onStep?: (step: string) => void;
}

/** What became of one subject. */
export type Outcome = { ns: number[]; peakBytes: number[] } | { missing: string };

/** A sample should take this long: enough for the clock, few enough to be interrupted seldom. */
export const SAMPLE_NS = 25e6;

/** Warms up and calibrates all subjects, then takes `rounds` samples of each, in turn. */
export async function measure(subjects: readonly Subject[], plan: Plan): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const iterations = new Map<Subject, number>();
  for (const subject of subjects) {
    plan.onStep?.(`${subject.name}, warming up`);
    const calibrated = await calibrate(subject, plan);
    if (typeof calibrated === "string") outcomes.set(subject.name, { missing: calibrated });
    else {
      iterations.set(subject, calibrated);
      outcomes.set(subject.name, { ns: [], peakBytes: [] });
    }
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const subject of turned([...iterations.keys()], round)) {
      plan.onStep?.(`${subject.name}, round ${round + 1} of ${plan.rounds}`);
      const timing = await subject.run(iterations.get(subject)!);
      if (typeof timing === "string") {
        outcomes.set(subject.name, { missing: timing });
        iterations.delete(subject);
        continue;
      }
      const { ns, peakBytes } = outcomes.get(subject.name) as { ns: number[]; peakBytes: number[] };
      ns.push(timing.ns);
      if (timing.peakBytes !== undefined) peakBytes.push(timing.peakBytes);
    }
  }
  return outcomes;
}

/** The same subjects, each round beginning with another one, so that nobody always comes first. */
export function turned<T>(subjects: readonly T[], round: number): T[] {
  const start = subjects.length === 0 ? 0 : round % subjects.length;
  return [...subjects.slice(start), ...subjects.slice(0, start)];
}

/**
 * Calls ever more often, until a sample takes long enough; that also warms the subject up.
 *
 * @returns The number of calls for one sample, or why there cannot be one.
 */
async function calibrate(subject: Subject, { sampleNs, limitNs }: Plan): Promise<number | string> {
  for (let calls = 1;;) {
    const timing = await subject.run(calls);
    if (typeof timing === "string") return timing;
    if (timing.ns > limitNs) return `too slow: one call took ${(timing.ns / 1e9).toFixed(1)} s`;
    // A last guess that was too short is made up for by a tenth.
    if (timing.ns * calls >= 0.9 * sampleNs) return Math.max(1, Math.ceil(sampleNs / timing.ns));
    // At most tenfold, since the first calls are slower than the later ones.
    calls = Math.min(10 * calls, Math.ceil(1.1 * sampleNs / timing.ns));
  }
}

/** The middle value; between the two middle ones if there are two. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("The median needs at least one value, got none");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
