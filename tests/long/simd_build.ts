/** The kernels that are shipped are those of the sources. Part of `deno task test:long`, since it needs a compiler. */

import { assert, assertEquals } from "@std/assert";
import { compileKernels, moduleText } from "../../lib/simd/build.ts";
import { KERNELS } from "../../lib/simd/compiled_kernels.ts";
import { tilesSource } from "../../lib/simd/tile_generator.ts";

const shipped = Uint8Array.from(atob(KERNELS), (character) => character.charCodeAt(0));

Deno.test("the sources give the module that is shipped, byte for byte", async () => {
  const built = await compileKernels();
  assertEquals(built.length, shipped.length);
  assert(built.every((byte, i) => byte === shipped[i]), "run deno task build:simd");
  assertEquals(
    moduleText(built),
    await Deno.readTextFile(new URL("../../lib/simd/compiled_kernels.ts", import.meta.url)),
  );
});

Deno.test("the tiles are what their generator writes", async () => {
  const tiles = await Deno.readTextFile(new URL("../../lib/simd/assembly/tiles.ts", import.meta.url));
  assertEquals(tiles, tilesSource());
});

Deno.test("the module exports what kernel_signatures.ts declares, and nothing else but its memory", async () => {
  const text = await Deno.readTextFile(new URL("../../lib/simd/kernel_signatures.ts", import.meta.url));
  const kernels = text.slice(text.indexOf("export interface KernelFunctions"));
  const declared = Array.from(kernels.matchAll(/^ {2}(\w+)(?:\(|: KernelFunctions\[)/gm), ([, name]) => name);
  const exported = WebAssembly.Module.exports(new WebAssembly.Module(shipped)).map(({ name }) => name);
  assertEquals(exported.sort(), [...declared, "memory"].sort());
});
