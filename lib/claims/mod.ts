/**
 * The article's claims, each with a verdict and the evidence that computes it.
 *
 * @example
 * ```ts
 * import { sameWeights } from "./equivalence.ts";
 *
 * const { claim, holds, known, summary } = await sameWeights({ p: 0.3 });
 * console.log(claim, holds, known, summary);
 * ```
 * @module
 */

import { batchNormClaims } from "./batch_norm.ts";
import type { Claim, Holds, SettledClaim } from "./claim.ts";
import { determinismClaims } from "./determinism.ts";
import { equivalenceClaims } from "./equivalence.ts";
import { frameworkClaims } from "./frameworks.ts";
import { gradientClaims } from "./gradient.ts";
import { implementationClaims } from "./implementation.ts";
import { originalClaims } from "./original.ts";
import { uncertaintyClaims } from "./uncertainty.ts";

export {
  type Claim,
  type Evidence,
  type Holds,
  type Known,
  type SettledClaim,
  type Statement,
} from "./claim.ts";

/** Every claim, in the order of the article. */
export const claims: readonly Claim[] = [
  ...originalClaims,
  ...equivalenceClaims,
  ...implementationClaims,
  ...frameworkClaims,
  ...gradientClaims,
  ...batchNormClaims,
  ...determinismClaims,
  ...uncertaintyClaims,
];

/** The notebook of each section, from 1; the name of a file in `notebooks/`, without `.ipynb`. */
export const notebooks: readonly string[] = [
  "01_original_dropout",
  "02_mathematical_equivalence",
  "03_implementation",
  "04_framework_patterns",
  "05_gradient_flow",
  "06_batch_norm_interaction",
  "07_deterministic_inference",
  "08_summary",
];

/**
 * Claims as a Markdown table: section, claim, does it hold, how one knows, evidence.
 *
 * @param settled Claims whose evidence has been computed.
 * @param folder Path of the notebooks, as links from the page need it: "notebooks/" or "".
 */
export function claimsTable(settled: readonly SettledClaim[], folder: string): string {
  const rows = settled.map((claim) => {
    const { section, holds, known = "" } = claim;
    return toLine([linkTo(section, folder), claim.claim, `**${holds}**`, known, explain(claim)]);
  });
  return [
    "| § | claim | does it hold? | how known | what was found |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ]
    .join("\n");
}

/**
 * The claims that do not simply hold, as a Markdown table: the false ones with what is right, those that hold under a
 * condition with it, and the open ones with what it would take.
 *
 * @param folder Path of the notebooks, as links from the page need it: "notebooks/" or "".
 */
export function conditionsTable(settled: readonly SettledClaim[], folder: string): string {
  const order: Holds[] = ["false", "holds if", "open"];
  const rows = order.flatMap((holds) => settled.filter((claim) => claim.holds === holds)).map((claim) =>
    toLine([linkTo(claim.section, folder), claim.claim, `**${claim.holds}**`, claim.but!])
  );
  return [
    toLine(["§", "claim", "does it hold?", "what is right, the condition, or what it would take"]),
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

/** What became of the article's claims, counted, and the false ones, a line each: Markdown for the README. */
export function claimsInBrief(settled: readonly SettledClaim[], folder: string): string {
  const own = settled.filter(({ by }) => by === "article");
  const count = (holds: Holds) => own.filter((claim) => claim.holds === holds).length;
  const lines = own.filter(({ holds }) => holds === "false").map(({ section, claim, but }) =>
    `- ${linkTo(section, folder)}: "${claim.replace(/\.$/, "")}". ${
      but!.split(/; |(?<=\.) /)[0].replace(/\.?$/, ".")
    }`
  );
  return `Of ${own.length} claims of the article, ${count("holds")} hold, ${
    count("holds if")
  } hold under a ` +
    `condition, ${count("false")} are false and ${
      count("open")
    } are open. The false ones, and what is right:\n\n` +
    lines.join("\n");
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
}

function linkTo(section: number, folder: string): string {
  return `[${section}](${folder}${notebooks[section - 1]}.ipynb)`;
}

/** The evidence, and what the statement adds to it. */
function explain({ id, summary, but }: SettledClaim): string {
  return `${summary[0].toUpperCase()}${summary.slice(1)}.${but === undefined ? "" : ` ${but}`} (\`${id}\`)`;
}
