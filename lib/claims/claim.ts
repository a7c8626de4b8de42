/**
 * A claim of the article, what became of it, and how one knows.
 * @module
 */

/** How a claim was settled. */
export type Verdict = "proved" | "enumerated" | "tested" | "refuted" | "open";

/** What the evidence came to. */
export interface Evidence {
  /** True if the computation supports the verdict: for a refuted claim, if the counterexample stands. */
  holds: boolean;
  /** What was computed, with its numbers, in one sentence. */
  summary: string;
}

/** One claim of the article. */
export interface Claim {
  /** A short name; the section's notebook has a cell that claims the same. */
  id: string;
  /** Section of the article, from 1; also the notebook's number. */
  section: number;
  /** What the article says, in our words. */
  claim: string;
  /** What became of it. */
  verdict: Verdict;
  /** What holds instead, where the claim was refuted; why it is not settled, where it is open. */
  instead?: string;
  /** Computes the evidence afresh. */
  evidence: () => Evidence;
}

/** A claim beside the evidence that was computed for it. */
export interface SettledClaim extends Claim {
  /** What the evidence came to. */
  found: Evidence;
}

/**
 * Computes a claim's evidence. In its summary, numbers are written as people write them: −0.5 and 2·10⁻⁶.
 *
 * @throws {Error} if the evidence does not support the verdict.
 */
export function settle(claim: Claim): SettledClaim {
  const found = claim.evidence();
  if (!found.holds) {
    throw new Error(`The evidence does not support "${claim.id}: ${claim.verdict}": ${found.summary}`);
  }
  return { ...claim, found: { ...found, summary: typeset(found.summary) } };
}

/** A minus sign for a hyphen before a number or between two terms, and powers of ten for exponents. */
function typeset(text: string): string {
  return text
    .replaceAll(/(?<![\w.])1e(-?\d+)/g, (_, exponent) => `10${superscript(exponent)}`)
    .replaceAll(/(?<=\d)e(-?\d+)/g, (_, exponent) => `·10${superscript(exponent)}`)
    .replaceAll(/(?<![\w-])-(?=\d)/g, "−")
    .replaceAll(" - ", " − ");
}

function superscript(digits: string): string {
  return digits.replaceAll(/./g, (digit) => digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
}

/** A number for people: `digits` significant digits. */
export function show(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits)));
}
