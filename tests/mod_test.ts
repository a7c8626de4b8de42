import { assert, assertEquals } from "@std/assert";
import * as library from "../lib/mod.ts";

Deno.test("mod.ts exports the names of the field", () => {
  const names = "InvertedDropout StandardDropout invertedDropout invertedDropoutBackward standardDropout " +
    "standardDropoutBackward inferenceWeight Mask drawMask Layer RandomState Generator defaultRng SeedSequence " +
    "Tensor tensor zeros ones full add subtract multiply divide matmul transpose sum mean variance " +
    "standardDeviation numericalGradient gradcheck enumerateMasks exactExpectation monteCarlo";
  const exported = new Set(Object.keys(library));
  assertEquals(names.split(" ").filter((name) => !exported.has(name)), []);
});

Deno.test("importing mod.ts loads no package: neither computer algebra nor figures", () => {
  const seen = new Set<string>();
  const visit = (url: URL) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    const text = Deno.readTextFileSync(url);
    for (const [, specifier] of text.matchAll(/^(?:import|export|\}).*? from "(.*)";$/gm)) {
      assert(specifier.startsWith("."), `${url.pathname} imports ${specifier}`);
      visit(new URL(specifier, url));
    }
    assert(!/\bimport\("(?!node:crypto"\))|^import "/m.test(text), `${url.pathname} imports at run time`);
  };
  visit(new URL("../lib/mod.ts", import.meta.url));
  assert(seen.size > 20);
  assert(![...seen].some((path) => /symbolic|jupyter|experiments|article|claims/.test(path)));
});

Deno.test("the example in mod.ts holds", () => {
  const { InvertedDropout, mean, ones } = library;
  const dropout = new InvertedDropout(0.5, { seed: 42 });
  const x = ones([1000, 1000]);
  // The mean of 10⁶ zeros and twos has a standard error of 10⁻³; beyond 5 of them lies a chance of 6·10⁻⁷.
  assert(Math.abs(mean(dropout(x)) - 1) < 5e-3);
  assertEquals(mean(dropout.eval()(x)), 1);
});
