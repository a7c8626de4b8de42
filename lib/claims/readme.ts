/**
 * Writes what became of the claims into the README, and its picture: `deno task claims`.
 * @module
 */

import { claims, claimsInBrief, type SettledClaim } from "./mod.ts";

const BEGIN = "<!-- claims -->";
const END = "<!-- /claims -->";

/**
 * The README with a fresh text between its two markers.
 *
 * @param readme The text as it is.
 * @param brief The text to put there.
 * @throws {Error} if a marker is missing.
 */
export function replaceBrief(readme: string, brief: string): string {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) {
    throw new Error(`The README needs the lines ${BEGIN} and ${END}, in this order`);
  }
  return `${readme.slice(0, start + BEGIN.length)}\n\n${brief}\n\n${readme.slice(end)}`;
}

/** The README's picture: what a cell of the first notebook shows, as PNG. */
export function readPicture(): Uint8Array<ArrayBuffer> {
  const path = new URL("../../notebooks/01_original_dropout.ipynb", import.meta.url);
  const { cells } = JSON.parse(Deno.readTextFileSync(path)) as {
    cells: { id: string; outputs: { data: { "image/png": string } }[] }[];
  };
  const [figure] = cells.find(({ id }) => id === "curve-figure")!.outputs;
  return Uint8Array.from(atob(figure.data["image/png"]), (byte) => byte.charCodeAt(0));
}

/** Where {@linkcode readPicture}'s picture stands. */
export const PICTURE: URL = new URL("../../.github/why.png", import.meta.url);

if (import.meta.main) {
  const settled: SettledClaim[] = [];
  for (const claim of claims) {
    console.log(`${claim.holds.padEnd(10)} ${claim.id}`);
    settled.push(await claim());
  }
  const path = new URL("../../README.md", import.meta.url);
  const brief = claimsInBrief(settled, "notebooks/");
  Deno.writeTextFileSync(path, replaceBrief(Deno.readTextFileSync(path), brief));
  Deno.writeFileSync(PICTURE, readPicture());
}
