/**
 * A claim: whether it holds, how one knows, and the one function that computes its evidence.
 * @module
 */

/** Does the claim hold? "holds if" comes with its condition, "false" with what is right, "open" with what it would take. */
export type Holds = "holds" | "holds if" | "false" | "open";

/**
 * How does one know? "proved": by algebra; a claim is disproved by one exact counterexample. "enumerated": over all masks.
 * "tested": by running it, and comparing bits, or numbers up to their rounding or standard errors. "cited": from a paper.
 */
export type Known = "proved" | "enumerated" | "tested" | "cited";

/** What is claimed, and what became of it. */
export interface Statement {
  /** A short name, by which the notebook's summary refers to the claim. */
  id: string;
  /** Section of the article, from 1; also the notebook's number. */
  section: number;
  /** Whose claim it is: the article's, in our words, or one that was added here. */
  by: "article" | "here";
  /** The claim, no broader than its evidence. */
  claim: string;
  /** Does it hold? */
  holds: Holds;
  /** How does one know? Missing where the claim is open. */
  known?: Known;
  /** The condition (holds if), what is right (false), or what it would take (open), in one sentence. */
  but?: string;
}

/** What was computed. */
export interface Evidence {
  /** True if it supports the statement; for a false claim, if the counterexample stands. */
  supports: boolean;
  /** What was computed, for which values and with which result, in one sentence without its full stop. */
  summary: string;
}

/** A statement beside the evidence that was computed for it. */
export interface SettledClaim extends Statement {
  /** {@linkcode Evidence.summary}, its numbers written as people write them: −0.5 and 2·10⁻⁶. */
  summary: string;
}

/** What a reader may change, and most evidence is computed for. Where a claim takes no values, it says whose they are. */
export interface Values {
  /** Drop probability, in [0, 1); some claims need it to be above 0. */
  p?: number;
  /** Seed of inputs, weights and masks. */
  seed?: number;
}

/** A statement that can be called: it computes its evidence afresh, for the values that it is given. */
export type Claim<Options = Values> = Readonly<Statement> & ((options?: Options) => Promise<SettledClaim>);

/**
 * Ties a statement to the function that computes its evidence.
 *
 * @param statement What is claimed, and what became of it.
 * @param evidence Takes the values that a reader may change, such as `p` and `seed`, each with a default.
 * @returns The claim. Called, it rejects with an `Error` if the evidence does not support the statement.
 */
export function defineClaim<Options>(
  statement: Statement,
  evidence: (options?: Options) => Evidence | Promise<Evidence>,
): Claim<Options> {
  const settle = async (options?: Options): Promise<SettledClaim> => {
    const { supports, summary } = await evidence(options);
    if (!supports) {
      const values = options === undefined ? "" : ` for ${JSON.stringify(options)}`;
      throw new Error(
        `"${statement.id}" (${statement.holds}) is not supported${values}: ${typeset(summary)}`,
      );
    }
    return { ...statement, summary: typeset(summary) };
  };
  return Object.assign(settle, statement);
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
