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
  onStep?: (step: string) => unknown;
}

/** What became of one subject. */
export type Outcome = { ns: number[]; peakBytes: number[] } | { missing: string };

/** A sample should take this long: enough for the clock, few enough to be interrupted seldom. */
export const SAMPLE_NS = 25e6;

/** Who takes longer than this for one call is sampled three times at most: noise is shorter than that. */
const SLOW_NS = 1e9;
const SLOW_ROUNDS = 3;

/** Warms up and calibrates all subjects, then takes samples of each, in turn. */
export async function measure(subjects: readonly Subject[], plan: Plan): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const taking: Sampled[] = [];
  for (const subject of subjects) {
    plan.onStep?.(`${subject.name}, warming up`);
    const sampled = await calibrate(subject, plan);
    outcomes.set(subject.name, typeof sampled === "string" ? { missing: sampled } : sampled.outcome);
    if (typeof sampled !== "string") taking.push(sampled);
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const { subject, calls, rounds, outcome } of turned(taking, round)) {
      if (round >= rounds || outcomes.get(subject.name) !== outcome) continue; // done, or failed
      plan.onStep?.(`${subject.name}, round ${round + 1} of ${plan.rounds}`);
      const timing = await subject.run(calls);
      if (typeof timing === "string") outcomes.set(subject.name, { missing: timing });
      else {
        outcome.ns.push(timing.ns);
        if (timing.peakBytes !== undefined) outcome.peakBytes.push(timing.peakBytes);
      }
    }
  }
  return outcomes;
}

/** A subject of which samples are taken. */
interface Sampled {
  subject: Subject;
  /** How many calls make a sample. */
  calls: number;
  /** How many samples are taken. */
  rounds: number;
  /** What came out so far. */
  outcome: { ns: number[]; peakBytes: number[] };
}

/** The same subjects, each round beginning with another one, so that nobody always comes first. */
export function turned<T>(subjects: readonly T[], round: number): T[] {
  const start = subjects.length === 0 ? 0 : round % subjects.length;
  return [...subjects.slice(start), ...subjects.slice(0, start)];
}

/** Calls ever more often, until a sample takes long enough; that also warms the subject up. */
async function calibrate(subject: Subject, { sampleNs, limitNs, rounds }: Plan): Promise<Sampled | string> {
  for (let calls = 1;;) {
    const timing = await subject.run(calls);
    if (typeof timing === "string") return timing;
    const { ns } = timing;
    if (ns > limitNs) return `too slow: one call took ${(ns / 1e9).toFixed(1)} s`;
    // A last guess that was too short is made up for by a tenth.
    if (ns * calls >= 0.9 * sampleNs) {
      return {
        subject,
        calls: Math.max(1, Math.ceil(sampleNs / ns)),
        rounds: ns > SLOW_NS ? Math.min(SLOW_ROUNDS, rounds) : rounds,
        outcome: { ns: [], peakBytes: [] },
      };
    }
    // At most tenfold, since the first calls are slower than the later ones.
    calls = Math.min(10 * calls, Math.ceil(1.1 * sampleNs / ns));
  }
}

/** The middle value; between the two middle ones if there are two. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("The median needs at least one value, got none");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
