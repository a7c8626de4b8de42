/** Every claim is derived again; the verdicts here, in the notebooks and in the README are the same. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Claim, claims, claimsTable, notebooks, settle, type SettledClaim } from "../lib/claims/mod.ts";

const settled = new Map<string, SettledClaim>();

for (const claim of claims) {
  Deno.test(`${claim.id}: ${claim.verdict}`, () => {
    const result = settle(claim);
    assert(result.found.holds);
    assertMatch(result.found.summary, /\d/); // evidence has numbers
    settled.set(claim.id, result);
  });
}

Deno.test("claims have names of their own, a section, and what is right where they were refuted", () => {
  assertEquals(new Set(claims.map(({ id }) => id)).size, claims.length);
  assert(claims.length >= 20);
  for (const { id, section, verdict, instead } of claims) {
    assertMatch(id, /^[a-z0-9-]+$/);
    assert(section >= 1 && section <= 7);
    if (verdict === "refuted" || verdict === "open") {
      assert(instead !== undefined, `${id} needs what is right`);
    }
  }
  const sections = claims.map(({ section }) => section);
  assertEquals(sections, [...sections].sort((a, b) => a - b));
});

Deno.test("evidence that does not support its verdict is an error", () => {
  const wrong: Claim = { ...claims[0], evidence: () => ({ holds: false, summary: "2 is not 3" }) };
  assertThrows(() => settle(wrong), Error, "2 is not 3");
});

Deno.test("numbers in a summary are written as people write them", () => {
  const summary = "x = -0.5, 1 - p, 1e-15, 2.2e-16, 3e12 and -4e-7; Philox4x32-10, an 11e-2, two-fold";
  const { found } = settle({ ...claims[0], evidence: () => ({ holds: true, summary }) });
  assertEquals(
    found.summary,
    "x = −0.5, 1 − p, 10⁻¹⁵, 2.2·10⁻¹⁶, 3·10¹² and −4·10⁻⁷; Philox4x32-10, an 11·10⁻², two-fold",
  );
});

Deno.test("each claim stands with the same verdict in its section's notebook", () => {
  for (const { id, section, verdict } of claims) {
    const path = new URL(`../notebooks/${notebooks[section - 1]}.ipynb`, import.meta.url);
    const { cells } = JSON.parse(Deno.readTextFileSync(path)) as { cells: { source: string[] }[] };
    const sources = cells.map(({ source }) => source.join(""));
    const pattern = new RegExp(`await claim\\(\\s*"${id}",\\s*"(\\w+)"`);
    const found = sources.map((source) => source.match(pattern)?.[1]).filter((word) => word !== undefined);
    assertEquals(found, [verdict], `${id} in ${notebooks[section - 1]}`);
  }
});

Deno.test("the README's table is the one that the evidence gives", () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  const [, table] = readme.match(/<!-- claims -->\n+([^]*?)\n+<!-- \/claims -->/)!;
  const expected = claimsTable(claims.map((claim) => settled.get(claim.id) ?? settle(claim)), "notebooks/");
  assertEquals(normalize(table), normalize(expected), "bring it up to date: deno task claims");
});

/** Without the padding that the formatter adds to a table. */
function normalize(table: string): string {
  return table.replaceAll(/ +\|/g, " |").replaceAll(/-{3,}/g, "---");
}
