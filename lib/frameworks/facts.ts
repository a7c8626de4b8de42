/**
 * What the frameworks do where they differ, as measured: `measured.json` holds the answers of the frameworks themselves,
 * with their versions, and `tests/fixtures/measure_frameworks.py` asks for them again.
 *
 * Three answers are faults of theirs. TensorFlow.js's `alphaDropout` sets what is dropped to −α′ in place of α′, so that
 * normal numbers get the mean 1.6 at rate ½. ONNX's reference implementation mixes the batch's statistics into evaluation
 * in opset 9, which ONNX Runtime does not. `tf.nn.dropout` takes NaN for a rate, and returns zeros.
 * @module
 */

import measured from "./measured.json" with { type: "json" };

/** The answer to one question. */
export interface Answer {
  /** What came, with NaN, infinities and −0 as text. */
  readonly value?: unknown;
  /** What was thrown, and the first line of its message. */
  readonly error?: { readonly type: string; readonly message: string };
  /** The first line of the first warning. */
  readonly warning?: string;
  /** Why the question could not be asked. */
  readonly notMeasured?: string;
}

/** The answers of one function or layer of a framework. */
export interface MeasuredFramework {
  /** As the framework calls it; for Keras, "on" its backend. */
  readonly framework: string;
  /** The version that was asked. */
  readonly version: string;
  /** Answers by their questions. */
  readonly answers: Readonly<Record<string, Answer>>;
}

/** When and where it was measured, and all answers. */
export const measuredFrameworks: {
  /** Day, as 2026-11-23. */
  readonly date: string;
  /** System, processor and Python. */
  readonly platform: string;
  /** One entry for each function or layer. */
  readonly frameworks: readonly MeasuredFramework[];
} = measured;

/** One row of the table of frameworks: what each does, in a few words. */
export interface FrameworkFacts {
  /** The function or layer. */
  framework: string;
  /** The version that was asked. */
  version: string;
  /** What a call does that does not say the mode. */
  modeNotSaid: string;
  /** What it does without a rate. */
  rateNotSaid: string;
  /** What it does while training when asked to drop all. */
  rate1: string;
  /** The same for a rate of −0.1, while training. */
  belowZero: string;
  /** The same for NaN. */
  nan: string;
  /** What stands in the place of a NaN that was dropped. */
  droppedNaN: string;
  /** Whether it returns the mask. */
  returnsMask: string;
}

/**
 * The table of frameworks: one row for each dropout that was measured, by the edges at which they part.
 *
 * @example
 * ```ts
 * import { frameworkFacts } from "./facts.ts";
 *
 * for (const { framework, version, rate1 } of frameworkFacts()) console.log(framework, version, rate1);
 * ```
 */
export function frameworkFacts(): FrameworkFacts[] {
  const dropouts = measuredFrameworks.frameworks.filter(({ answers }) => "rate not said" in answers);
  return dropouts.map((row) => ({
    framework: row.framework,
    version: row.version,
    modeNotSaid: inWords(row.answers["mode not said"]),
    rateNotSaid: inWords(row.answers["rate not said"]),
    rate1: inWords(row.answers["rate 1, training"]),
    belowZero: inWords(row.answers["rate -0.1, training"]),
    nan: inWords(row.answers["rate nan, training"]),
    droppedNaN: String((row.answers["what stands in a dropped place"].value as Record<string, unknown>).NaN),
    returnsMask: row.answers["returns the mask"].value ? "if asked" : "no",
  }));
}

/** What became of sixty-four ones. */
function inWords({ value, error, notMeasured }: Answer): string {
  if (notMeasured !== undefined) return "not measured";
  if (error !== undefined) return "error";
  const { all, survivors } = value as { all?: number | string; survivors?: number };
  if (all === undefined) return `drops, × ${survivors}`;
  if (all === 1) return "keeps all";
  return Number(all) === 0 ? "zeros" : typeof all === "number" ? `all × ${all.toFixed(3)}` : all;
}
