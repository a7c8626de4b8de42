/**
 * The article's claims, each with a verdict and the evidence that computes it.
 *
 * @example
 * ```ts
 * import { claims, settle } from "./mod.ts";
 *
 * const { verdict, found } = settle(claims.find(({ id }) => id === "same-weights")!);
 * console.log(verdict, found.summary);
 * ```
 * @module
 */

import { batchNormClaims } from "./batch_norm.ts";
import type { Claim, SettledClaim } from "./claim.ts";
import { determinismClaims } from "./determinism.ts";
import { equivalenceClaims } from "./equivalence.ts";
import { frameworkClaims } from "./frameworks.ts";
import { gradientClaims } from "./gradient.ts";
import { implementationClaims } from "./implementation.ts";
import { originalClaims } from "./original.ts";

export { type Claim, type Evidence, settle, type SettledClaim, type Verdict } from "./claim.ts";

/** Every claim, in the order of the article. */
export const claims: readonly Claim[] = [
  ...originalClaims,
  ...equivalenceClaims,
  ...implementationClaims,
  ...frameworkClaims,
  ...gradientClaims,
  ...batchNormClaims,
  ...determinismClaims,
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
 * Claims as a Markdown table: section, claim, verdict, evidence.
 *
 * @param settled Claims whose evidence has been computed.
 * @param folder Path of the notebooks, as links from the page need it: "notebooks/" or "".
 */
export function claimsTable(settled: readonly SettledClaim[], folder: string): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = settled.map(({ id, section, claim, verdict, instead, found }) => {
    const link = `[${section}](${folder}${notebooks[section - 1]}.ipynb)`;
    const right = instead === undefined ? "" : ` ${instead}`;
    return `| ${link} | ${cell(claim)} | **${verdict}** | ${
      cell(`${found.summary[0].toUpperCase()}${found.summary.slice(1)}.${right}`)
    } (\`${id}\`) |`;
  });
  return ["| § | claim | verdict | how one knows |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
