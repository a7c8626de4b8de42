/**
 * Compiles the kernels: `deno task build:simd` writes `compiled_kernels.ts`. The same sources give the same bytes everywhere.
 * @module
 */

import { tilesSource } from "./tile_generator.ts";

/**
 * The compiler, 100 MB with what it needs. It is named here and not in an import, and has a lock file of its own, since
 * every task would download it otherwise.
 */
const COMPILER = "npm:assemblyscript@0.28.20/asc";
const FOLDER = new URL("./assembly/", import.meta.url);
const OPTIONS = ["-O3", "--noAssert", "--runtime", "stub", "--use", "abort=", "--importMemory"];

/** What is used of the compiler. Source: https://www.assemblyscript.org/compiler.html#programmatic-usage */
interface Compiler {
  main(
    options: string[],
    files: {
      readFile: (name: string) => string | Promise<string | null>;
      writeFile: (name: string, content: string | Uint8Array) => void;
      listFiles: () => string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

/**
 * Compiles `assembly/`.
 *
 * @returns The WebAssembly module.
 * @throws {Error} with the compiler's words if a source is wrong.
 */
export async function compileKernels(): Promise<Uint8Array> {
  const { default: asc }: { default: Compiler } = await import(COMPILER);
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ["index.ts", "--outFile", "kernels.wasm", ...OPTIONS, "--enable", "simd,bulk-memory"],
    {
      readFile: (name) => Deno.readTextFile(new URL(name, FOLDER)).catch(() => null), // it tries many names
      writeFile: (_, content) => void (binary = content as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`The kernels do not compile.\n${stderr}`, { cause: error });
  return binary;
}

/** The text of `compiled_kernels.ts`. */
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
  await Deno.writeTextFile(new URL("tiles.ts", FOLDER), tilesSource());
  const binary = await compileKernels();
  await Deno.writeTextFile(new URL("./compiled_kernels.ts", import.meta.url), moduleText(binary));
  console.log(`lib/simd/compiled_kernels.ts: ${binary.length} bytes of WebAssembly`);
}
