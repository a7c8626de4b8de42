/**
 * Type-checks and lints the code cells of notebooks, which Deno itself does not: the kernel runs cells without
 * checking them, and a named import that does not exist is silently `undefined` there.
 *
 * @module
 */
import { dirname, join, toFileUrl } from "@std/path";
import { findNotebooks, notebookName, NOTEBOOKS, runCommand, showPath, UsageError } from "./command.ts";
import {
  InvalidNotebook,
  isCode,
  listAnswers,
  type Notebook,
  parseNotebook,
  readNotebookText,
  splitLines,
} from "./notebook.ts";

/** Something that is wrong with a cell, or with a notebook as a whole. */
export interface Problem {
  /** The whole message of the checker, with positions in cells in place of positions in files. */
  message: string;
}

/** The code cells of a notebook as one module. */
export interface CellModule {
  /** TypeScript. */
  code: string;
  /** For each line of the module, where it comes from; both numbers count from 1. */
  origins: { cell: number; line: number }[];
}

/** A module that lies beside its notebook for as long as it is checked. */
interface ModuleFile extends CellModule {
  notebook: string;
  path: string;
}

/**
 * Joins the code cells of a notebook into one module, as if they ran from top to bottom, and then the answers to its
 * exercises.
 *
 * @returns The module, with the origin of each of its lines.
 */
export function joinCells(notebook: Notebook): CellModule {
  const cells = notebook.cells.flatMap((cell, i) =>
    isCode(cell) ? [{ code: cell.source, cell: i + 1, line: 1 }] : []
  );
  const lines = [...cells, ...listAnswers(notebook)].flatMap(({ code, cell, line }) =>
    splitLines(code).map((text, k) => ({ text: text.replace(/[\r\n]+$/, ""), cell, line: line + k }))
  );
  // The last line makes it a module even if no cell imports anything.
  const code = [...lines.map(({ text }) => text), "export {};", ""].join("\n");
  return { code, origins: lines.map(({ cell, line }) => ({ cell, line })) };
}

/**
 * Checks the cells of notebooks, with one call of `deno check` and one of `deno lint` for all of them.
 *
 * @param paths The notebooks.
 * @param signal Stops the check when it aborts.
 * @returns What is wrong; nothing if all is well.
 */
export async function checkCells(paths: readonly string[], signal?: AbortSignal): Promise<Problem[]> {
  const files: ModuleFile[] = [];
  try {
    const unreadable: Problem[] = [];
    for (const path of paths) {
      const file = await writeModule(path);
      if ("message" in file) unreadable.push(file);
      else files.push(file);
    }
    const { problems, parsed } = await checkLint(files, signal);
    return [...unreadable, ...problems, ...await checkTypes(parsed, signal)];
  } finally {
    await Promise.all(files.map(({ path }) => Deno.remove(path)));
  }
}

/** Beside the notebook, so that the cells' relative imports and `deno.json` are found. */
async function writeModule(notebook: string): Promise<ModuleFile | Problem> {
  const name = `.${notebookName(notebook)}.${crypto.randomUUID()}.cells.ts`;
  const path = join(dirname(notebook), name);
  try {
    const module = joinCells(parseNotebook(await readNotebookText(notebook)));
    await Deno.writeTextFile(path, module.code, { createNew: true });
    return { ...module, notebook, path };
  } catch (error) {
    if (!(error instanceof InvalidNotebook)) throw error;
    return { message: `${showPath(notebook)}: ${error.message}` };
  }
}

async function checkTypes(files: readonly ModuleFile[], signal: AbortSignal | undefined): Promise<Problem[]> {
  if (files.length === 0) return [];
  const { success, stderr } = await deno(["check", "--quiet", ...files.map(({ path }) => path)], signal);
  if (success) return [];
  const text = files.reduce(
    (text, file) => text.replaceAll(positionsIn(file), (_, line, column) => place(file, line, column)),
    stderr,
  );
  // One paragraph per error; the last ones only count them.
  const paragraphs = text.split(/\n{2,}/).map((part) => part.trim());
  return paragraphs.filter((part) => part !== "" && !/^(Found \d+ errors|error: Type checking)/.test(part))
    .map((message) => ({ message }));
}

/** Matches `file:///…/.name.cells.ts:12:3`. */
function positionsIn({ path }: ModuleFile): RegExp {
  const url = toFileUrl(path).href.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`${url}:(\\d+):(\\d+)`, "g");
}

interface LintReport {
  diagnostics: {
    filename: string;
    range: { start: { line: number; col: number } };
    code: string;
    message: string;
    hint?: string;
  }[];
  errors: { file_path: string; message: string }[];
}

/** A file that cannot be parsed would keep the type check from looking at all others: `parsed` is without it. */
async function checkLint(
  files: readonly ModuleFile[],
  signal: AbortSignal | undefined,
): Promise<{ problems: Problem[]; parsed: ModuleFile[] }> {
  if (files.length === 0) return { problems: [], parsed: [] };
  const { stdout } = await deno(["lint", "--json", ...files.map(({ path }) => path)], signal);
  const { diagnostics, errors }: LintReport = JSON.parse(stdout);
  const fileOf = (name: string) => files.find(({ path }) => path === name || toFileUrl(path).href === name)!;
  const findings = diagnostics.map(({ filename, range: { start }, code, message, hint }) => ({
    message: `${code}: ${message}${hint ? `\n    ${hint}` : ""}\n    at ${
      place(fileOf(filename), start.line, start.col + 1)
    }`,
  }));
  const syntaxErrors = errors.map(({ file_path, message }) => {
    const [, line, column] = message.match(/:(\d+):(\d+)\s*$/) ?? [];
    return { message: `${message.split("\n")[0]}\n    at ${place(fileOf(file_path), line, column)}` };
  });
  const broken = new Set(errors.map(({ file_path }) => fileOf(file_path)));
  return { problems: [...syntaxErrors, ...findings], parsed: files.filter((file) => !broken.has(file)) };
}

/** @returns Such as `notebooks/01_intro.ipynb, cell 3, line 2:5`. */
function place({ notebook, origins }: ModuleFile, line: string | number, column: string | number): string {
  const origin = origins[Number(line) - 1];
  return showPath(notebook) + (origin ? `, cell ${origin.cell}, line ${origin.line}:${column}` : "");
}

async function deno(
  args: string[],
  signal: AbortSignal | undefined,
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    ...(signal && { signal }),
  }).output();
  signal?.throwIfAborted();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * The command: checks the notebooks that are named, or all.
 *
 * @param args Names, as {@linkcode findNotebooks} takes them.
 * @param surroundings Where the report goes, where notebooks are looked up, and what stops the check.
 * @returns The exit code: 0 if all is well, 1 if there are problems, 2 for a wrong command line.
 */
export async function main(
  args: readonly string[],
  surroundings: { write: (text: string) => void; signal: AbortSignal; directory?: string },
): Promise<number> {
  const { write, signal, directory = NOTEBOOKS } = surroundings;
  try {
    const option = args.find((arg) => arg.startsWith("-"));
    if (option) throw new UsageError(`Unknown option ${option}. Allowed are only names of notebooks.`);
    const paths = await findNotebooks(args, directory);
    const problems = await checkCells(paths, signal);
    for (const { message } of problems) write(message + "\n\n");
    const all = count(paths.length, "notebook");
    write(
      problems.length === 0
        ? `Checked the cells of ${all}.\n`
        : `${count(problems.length, "problem")} in ${all}.\n`,
    );
    return problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return signal.reason.exitCode;
    if (!(error instanceof UsageError)) throw error;
    write(error.message + "\n");
    return 2;
  }
}

function count(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}

if (import.meta.main) {
  await runCommand("2.8", (signal, { write }) => main(Deno.args, { write, signal }));
}
