/** Every claim is derived again; what is said of it here, in the notebooks and in the README is the same. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  type Claim,
  claims,
  claimsInBrief,
  claimsTable,
  conditionsTable,
  notebooks,
} from "../lib/claims/mod.ts";
import { defineClaim, type Evidence, type SettledClaim } from "../lib/claims/claim.ts";
import { replaceBrief } from "../lib/claims/readme.ts";

const settled = new Map<string, Promise<SettledClaim>>();

function settle(claim: Claim): Promise<SettledClaim> {
  if (!settled.has(claim.id)) settled.set(claim.id, claim());
  return settled.get(claim.id)!;
}

for (const claim of claims) {
  Deno.test(`${claim.id}: ${claim.holds}${claim.known === undefined ? "" : `, ${claim.known}`}`, async () => {
    const { summary } = await settle(claim);
    if (claim.holds !== "open") assertMatch(summary, /\d/); // evidence has numbers
    assert(!summary.endsWith("."), summary);
  });
}

Deno.test("claims have names of their own and a section, and say what a word alone does not", () => {
  assertEquals(new Set(claims.map(({ id }) => id)).size, claims.length);
  for (const { id, section, claim, holds, known, but } of claims) {
    assertMatch(id, /^[a-z0-9-]+$/);
    assert(section >= 1 && section <= notebooks.length);
    assertMatch(claim, /^\S.*[.?]$/, id);
    assertEquals(known === undefined, holds === "open", `${id}: how does one know?`);
    if (holds !== "holds") {
      assertMatch(but ?? "", /\S\.$/, `${id} needs a condition, what is right, or what it takes`);
    }
  }
  const sections = claims.map(({ section }) => section);
  assertEquals(sections, [...sections].sort((a, b) => a - b));
});

const STATEMENT = {
  id: "two",
  section: 1,
  by: "here",
  claim: "2 is 2.",
  holds: "holds",
  known: "proved",
} as const;

function claimWith(evidence: Evidence): Claim {
  return defineClaim(STATEMENT, (_: { p?: number } = {}) => evidence);
}

Deno.test("evidence that does not support its claim is an error, which names the values", async () => {
  const wrong = claimWith({ supports: false, summary: "2 is not 3" });
  await assertRejects(
    () => wrong({ p: 0.5 }),
    Error,
    `"two" (holds) is not supported for {"p":0.5}: 2 is not 3`,
  );
  await assertRejects(() => wrong(), Error, `"two" (holds) is not supported: 2 is not 3`);
});

Deno.test("numbers in a summary are written as people write them", async () => {
  const summary = "x = -0.5, 1 - p, 1e-15, 2.2e-16, 3e12 and -4e-7; Philox4x32-10, an 11e-2, two-fold";
  assertEquals(
    (await claimWith({ supports: true, summary })()).summary,
    "x = −0.5, 1 − p, 10⁻¹⁵, 2.2·10⁻¹⁶, 3·10¹² and −4·10⁻⁷; Philox4x32-10, an 11·10⁻², two-fold",
  );
});

Deno.test("each claim is shown once, in its section's notebook, and nothing else is", () => {
  const sourceOf = (notebook: string) => {
    const path = new URL(`../notebooks/${notebook}.ipynb`, import.meta.url);
    const { cells } = JSON.parse(Deno.readTextFileSync(path)) as {
      cells: { cell_type: string; outputs?: { data?: Record<string, string[]> }[] }[];
    };
    const outputs = cells.flatMap(({ outputs = [] }) => outputs);
    return outputs.flatMap(({ data = {} }) =>
      (data["text/markdown"] ?? []).join("").match(/^\*\*[^`]+\*\* · `([^`]+)`/)?.[1] ?? []
    );
  };
  for (const [i, notebook] of notebooks.entries()) {
    const own = claims.filter(({ section }) => section === i + 1).map(({ id }) => id);
    assertEquals(
      sourceOf(notebook).sort(),
      own.sort(),
      `${notebook}: is each in its section's list, and in a cell?`,
    );
  }
});

Deno.test("the table has a row for each claim, and counts and false claims are the article's", () => {
  const one = (changes: Partial<SettledClaim>): SettledClaim => ({
    ...STATEMENT,
    summary: "a | b",
    ...changes,
  });
  const false_ = one({ by: "article", holds: "false", claim: "2 is 3.", but: "2 is 2." });
  const all = [one({}), one({ by: "article", holds: "open", but: "Time." }), false_];
  assertEquals(claimsTable(all, "").split("\n").length, 2 + all.length);
  assert(claimsTable(all, "").includes("A \\| b. (`two`)"));
  const [, , first, ...others] = conditionsTable(
    [...all, one({ holds: "holds if", but: "If |2| is 2." })],
    "",
  ).split("\n");
  assert(first.endsWith("| 2 is 3. | **false** | 2 is 2. |"));
  assertEquals(others.length, 2);
  assert(others[0].endsWith("| **holds if** | If \\|2\\| is 2. |"));
  const brief = claimsInBrief(all, "notebooks/");
  assertMatch(
    brief,
    /^Of 2 claims of the article, 0 hold, 0 hold under a condition, 1 are false and 1 are open/,
  );
  assert(brief.endsWith(`- [1](notebooks/${notebooks[0]}.ipynb): "2 is 3". 2 is 2.`));
});

Deno.test("the README says what the evidence gives", async () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  const brief = claimsInBrief(await Promise.all(claims.map(settle)), "notebooks/");
  assertEquals(words(readme), words(replaceBrief(readme, brief)), "bring it up to date: deno task claims");
  assertThrows(() => replaceBrief("no marker", brief), Error, "The README needs the lines");
});

/** Without the line breaks that the formatter adds. */
function words(text: string): string[] {
  return text.split(/\s+/);
}
