/**
 * Writes the table of claims into the README: `deno task claims`.
 * @module
 */

import { claims, claimsTable, settle } from "./mod.ts";

const BEGIN = "<!-- claims -->";
const END = "<!-- /claims -->";

/**
 * The README with a fresh table between its two markers.
 *
 * @param readme The text as it is.
 * @param table The table to put there.
 * @throws {Error} if a marker is missing.
 */
export function replaceTable(readme: string, table: string): string {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) {
    throw new Error(`The README needs the lines ${BEGIN} and ${END}, in this order`);
  }
  return `${readme.slice(0, start + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

if (import.meta.main) {
  const settled = claims.map((claim) => {
    console.log(`${claim.verdict.padEnd(10)} ${claim.id}`);
    return settle(claim);
  });
  const path = new URL("../../README.md", import.meta.url);
  Deno.writeTextFileSync(path, replaceTable(Deno.readTextFileSync(path), claimsTable(settled, "notebooks/")));
}
