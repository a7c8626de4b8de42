/** The marks that figures share. */

import { assertEquals, assertNotEquals } from "@std/assert";
import { colors, drawFigure, label, samples } from "../lib/jupyter/mod.ts";

const options = { alt: "marks under test", title: "Marks", x: { domain: [0, 10] }, y: { domain: [0, 10] } };

/** The picture of some marks; the same marks give the same bytes. */
async function picture(marks: unknown[]): Promise<Uint8Array> {
  return (await drawFigure({ ...options, marks: marks as never })).png;
}

Deno.test("samples draws a dot for each sample, and a bar of two standard errors to each side", async () => {
  const at = (standardError: number) => [{ x: 5, y: 5, standardError }];
  const draw = (data: ReturnType<typeof at>) =>
    picture([samples(data, { x: "x", y: "y", standardError: "standardError", fill: colors.blue })]);
  assertEquals(samples(at(1), { x: "x", y: "y", standardError: "standardError", fill: "red" }).length, 2);
  assertEquals(await draw(at(1)), await draw(at(1)));
  assertNotEquals(await draw(at(1)), await draw(at(2)));
  assertNotEquals(await draw(at(1)), await draw([]));
});

Deno.test("samples takes its bars from the properties that are named", () => {
  const [bar] = samples([{ a: 1, b: 2, c: 0.5 }], { x: "a", y: "b", standardError: "c", fill: "red" });
  const { channels } = bar as unknown as { channels: Record<string, { value: (d: unknown) => number }> };
  const ends = [channels.y1, channels.y2].map(({ value }) => value({ a: 1, b: 2, c: 0.5 }));
  assertEquals(ends, [1, 3]);
});

Deno.test("label writes its text at its point", async () => {
  assertEquals(await picture([label(5, 5, "here")]), await picture([label(5, 5, "here")]));
  assertNotEquals(await picture([label(5, 5, "here")]), await picture([label(5, 5, "there")]));
  assertNotEquals(await picture([label(5, 5, "here")]), await picture([label(2, 5, "here")]));
});
