/**
 * Where a cell failed. The kernel counts the lines of what it made of a cell: JavaScript without types, comments
 * and blank lines; and of a syntax error it tells nothing. So the cell is translated once more, with a source map.
 *
 * @module
 */
import module from "node:module"; // by name, an old Deno would not even load it
import { join, toFileUrl } from "@std/path";

/** What is known about a failure beyond what the kernel says; each part may be missing. */
export interface Position {
  /** The line within the cell, from 1. */
  line?: number;
  /** For a syntax error, what is wrong. */
  syntaxError?: string;
}

/** The kernel puts `"use strict"; void 0;` before a cell. */
const PREFIX_LENGTH = 21;

/**
 * Finds out where a cell failed, by means of `deno transpile`.
 *
 * @param code The cell.
 * @param traceback As the kernel gave it: empty for a syntax error.
 * @returns An empty object if it cannot be found out.
 */
export async function locateFailure(code: string, traceback: readonly string[]): Promise<Position> {
  const frame = outermostFrame(traceback);
  if (traceback.length > 0 && !frame) return {};
  const { success, stdout, stderr } = await transpile(code);
  if (!success) return readSyntaxError(stderr);
  return frame ? mapFrame(frame, stdout) : {};
}

/** Cells are anonymous scripts. The last frame is the failed cell; those before may be functions of other cells. */
function outermostFrame(traceback: readonly string[]): { line: number; column: number } | undefined {
  const match = [...traceback.join("\n").matchAll(/<anonymous>:(\d+):(\d+)/g)].at(-1);
  return match && { line: Number(match[1]), column: Number(match[2]) };
}

async function transpile(code: string): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const directory = await Deno.makeTempDir({ prefix: "deno_cell_" });
  try {
    const cell = join(directory, "cell.ts"), config = join(directory, "deno.json");
    await Deno.writeTextFile(cell, code);
    // The kernel, too, keeps imports that are not used.
    await Deno.writeTextFile(config, `{ "compilerOptions": { "verbatimModuleSyntax": true } }`);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["transpile", "--config", config, "--source-map", "inline", cell],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return {
      success,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr).replaceAll(toFileUrl(cell).href, "cell"),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function readSyntaxError(stderr: string): Position {
  const line = stderr.match(/at cell:(\d+):\d+/)?.[1];
  const syntaxError = stderr.match(/SyntaxError: (.+)/)?.[1];
  return { ...(line && { line: Number(line) }), ...(syntaxError && { syntaxError }) };
}

function mapFrame(frame: { line: number; column: number }, javaScript: string): Position {
  const encoded = javaScript.match(/\/\/# sourceMappingURL=data:application\/json;base64,(\S+)/)?.[1];
  if (!encoded) return {};
  const map = new module.SourceMap(JSON.parse(atob(encoded)));
  const column = frame.line === 1 ? frame.column - PREFIX_LENGTH : frame.column;
  const entry = map.findEntry(frame.line - 1, Math.max(column - 1, 0));
  return "originalLine" in entry ? { line: entry.originalLine + 1 } : {};
}
