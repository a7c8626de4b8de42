/** The README: one screen first, no dead link, no command that does not exist; `.ci/run` runs its `sh` blocks. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PICTURE, readPicture } from "../lib/claims/readme.ts";

const ROOT = new URL("../", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
const blocks = [...readme.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map(([, kind, text]) => ({ kind, text }));
const { tasks } = JSON.parse(
  Deno.readTextFileSync(new URL("deno.json", ROOT)).replaceAll(/^\s*\/\/.*$/gm, ""),
) as { tasks: Record<string, unknown> };

Deno.test("the README is short, and begins with what it is, a picture and the commands", () => {
  assert(new TextEncoder().encode(readme).length <= 12 * 1024);
  const firstScreen = readme.split("\n").slice(0, 25).join("\n");
  assertMatch(firstScreen, /^# .+\n\n[^]+!\[[^]+?\]\([^]+```sh\n/);
});

Deno.test("the README's picture is what the first notebook shows", () => {
  assert(readme.includes(".github/why.png"));
  assertEquals(Deno.readFileSync(PICTURE), readPicture(), "bring it up to date: deno task claims");
});

Deno.test("each block says what it is, and commands that no test runs say so", () => {
  for (const { kind, text } of blocks) {
    assertMatch(kind, /^(sh|ts|sh not tested|python)$/);
    if (kind === "sh") {
      for (const line of text.trim().split("\n")) assertMatch(line, /^npx -y deno@2\.9\.6 task /);
    }
  }
  assert(blocks.some(({ kind }) => kind === "sh"));
});

Deno.test("tasks that the README names exist", () => {
  const named = [...readme.matchAll(/deno(?:@2\.9\.6)? task ([a-z][\w:]*)/g)].map(([, name]) => name);
  assert(named.length > 5);
  assertEquals(named.filter((name) => !(name in tasks)), []);
});

Deno.test("links of the READMEs lead to files and headings that exist", () => {
  for (const path of ["README.md", "lib/README.md", "tests/bench/README.md"]) {
    const url = new URL(path, ROOT);
    const text = Deno.readTextFileSync(url);
    for (const [, target, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const there = target === "" ? url : new URL(target, url);
      assert(Deno.statSync(there), `${path}: ${target}`);
      if (anchor === undefined) continue;
      const headings = [...Deno.readTextFileSync(there).matchAll(/^#+ (.*)$/gm)]
        .map(([, heading]) => heading.toLowerCase().replaceAll(/[^\w -]/g, "").replaceAll(" ", "-"));
      assert(headings.includes(anchor), `${path}: #${anchor}`);
    }
  }
});
