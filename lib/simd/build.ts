/**
 * Compiles the kernels: `deno task build:simd` writes `module.ts`. The same sources give the same bytes everywhere.
 * @module
 */

// deno-lint-ignore no-import-prefix -- in deno.json it would be downloaded by every task
import asc from "npm:assemblyscript@0.28.20/asc";

import { matmulSource } from "./matmul_generator.ts";

const FOLDER = new URL("./assembly/", import.meta.url);
const OPTIONS = ["-O3", "--noAssert", "--runtime", "stub", "--use", "abort=", "--importMemory"];

/**
 * Compiles `assembly/`.
 *
 * @returns The WebAssembly module.
 * @throws {Error} with the compiler's words if a source is wrong.
 */
export async function compileKernels(): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ["index.ts", "--outFile", "kernels.wasm", ...OPTIONS, "--enable", "simd,bulk-memory"],
    {
      readFile: (name) =>
        name === "matmul.ts" ? matmulSource() : Deno.readTextFile(new URL(name, FOLDER)).catch(() => null), // it tries many names
      writeFile: (_, content) => void (binary = content as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`The kernels do not compile.\n${stderr}`, { cause: error });
  return binary;
}

/** The text of `module.ts`. */
export function moduleText(binary: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...binary)).match(/.{1,100}/g)!;
  return `/**
 * The kernels of \`assembly/\` as a WebAssembly module of ${binary.length} bytes, in base64. Made by \`deno task build:simd\`.
 * @module
 */

/** The module. */
export const KERNELS: string = \`
${lines.join("\n")}
\`;
`;
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("matmul.ts", FOLDER), matmulSource());
  const binary = await compileKernels();
  await Deno.writeTextFile(new URL("./module.ts", import.meta.url), moduleText(binary));
  console.log(`lib/simd/module.ts: ${binary.length} bytes of WebAssembly`);
}
