/**
 * Runs the cells of a notebook, from top to bottom, in a kernel of its own.
 *
 * @module
 */
import { CellTimeout, type ExecuteReply, Kernel, KernelDied, type Published } from "./kernel.ts";
import {
  type Cell,
  type CodeCell,
  describeInvalidOutput,
  hasTag,
  isCode,
  joinOutput,
  type JsonObject,
  type Notebook,
  type Output,
  runnableCells,
} from "./notebook.ts";
import { locateFailure, type Position } from "./position.ts";
import { TornStream } from "./zmtp.ts";

/** How to run a notebook. */
export interface NotebookOptions {
  /** The kernel's working directory: the notebook's folder. */
  cwd: string;
  /** How long each cell may take, in seconds; no limit by default. */
  timeout?: number;
  /** Called before each cell that runs. */
  onCell?: (cell: CellStart) => void;
  /** Stops the execution, and kills the kernel, when it aborts. */
  signal?: AbortSignal;
  /** The kernel's Deno executable; by default, the one that is running. */
  deno?: string;
  /** How long the kernel may take to start, in seconds. */
  startTimeout?: number;
}

/** Which cell starts. */
export interface CellStart {
  /** Its number among the cells that run, from 1. */
  number: number;
  /** How many cells run. */
  total: number;
  /** 1, or 2 in the run after one whose outputs the kernel has mixed. */
  attempt: number;
}

/** What came out of a notebook. */
export interface Execution {
  /** A copy of the notebook, with fresh outputs and execution counts. */
  notebook: Notebook;
  /** How many cells ran. */
  cells: number;
  /** How many pictures they showed. */
  figures: number;
  /** How many of them assert a claim: they carry the tag `claim`. */
  claims: number;
}

/** A cell failed: it threw, did not compile, took too long, or took its kernel with it. */
export class CellFailed extends Error {
  /** The class, as messages name it. */
  override name = "CellFailed";
  /** The cell's position in the notebook, from 1, texts included. */
  readonly cell: number;
  /** The cell's number among the cells that run, from 1. */
  readonly codeCell: number;
  /** The line within the cell, from 1, if it is known. */
  readonly line: number | undefined;
  /** The text of that line. */
  readonly sourceLine: string | undefined;

  /**
   * Says what happened, and where.
   *
   * @param message What happened.
   * @param where The cell, and the line within it if it is known.
   */
  constructor(
    message: string,
    where: { cell: number; codeCell: number; line?: number | undefined; source: string },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.cell = where.cell;
    this.codeCell = where.codeCell;
    this.line = where.line;
    this.sourceLine = where.line === undefined ? undefined : where.source.split("\n")[where.line - 1];
  }
}

/** The kernel mixes its messages at some moments only: the next run will most likely be whole. */
const ATTEMPTS = 2;

/**
 * Runs every cell of a notebook that is not blank. If the kernel mixes its messages, as it may when outputs are large,
 * all of it runs once more in another kernel.
 *
 * @returns A new notebook; the one given is not changed.
 * @throws {CellFailed} at the first cell that fails.
 * @throws {KernelNeverStarted} if there is no kernel to run them.
 */
export async function executeNotebook(notebook: Notebook, options: NotebookOptions): Promise<Execution> {
  for (let attempt = 1;; attempt++) {
    try {
      return await executeOnce(notebook, options, attempt);
    } catch (error) {
      const isTorn = error instanceof CellFailed && error.cause instanceof TornStream;
      if (!isTorn || attempt === ATTEMPTS) throw error;
    }
  }
}

async function executeOnce(
  notebook: Notebook,
  options: NotebookOptions,
  attempt: number,
): Promise<Execution> {
  const total = runnableCells(notebook).length;
  const displays: Displays = new Map();
  const outputs = new Map<Cell, CellOutputs>();
  await using kernel = await Kernel.start(options);
  for (const cell of runnableCells(notebook)) {
    const number = outputs.size + 1;
    const collected = new CellOutputs(displays);
    outputs.set(cell, collected);
    options.onCell?.({ number, total, attempt });
    await runCell(kernel, cell, collected, options.timeout, {
      cell: notebook.cells.indexOf(cell) + 1,
      codeCell: number,
      source: cell.source,
    });
  }
  return summarize(notebook, outputs);
}

/** The cell that is running. */
interface Place {
  cell: number;
  codeCell: number;
  source: string;
}

async function runCell(
  kernel: Kernel,
  cell: CodeCell,
  outputs: CellOutputs,
  timeout: number | undefined,
  where: Place,
): Promise<void> {
  const onPublished = (published: Published) => outputs.add(published);
  let reply: ExecuteReply;
  try {
    reply = await kernel.execute(cell.source, { onPublished, ...(timeout !== undefined && { timeout }) });
  } catch (error) {
    if (error instanceof TornStream) throw new CellFailed(MIXED, where, { cause: error });
    const isCells = error instanceof CellTimeout || error instanceof KernelDied;
    throw isCells ? new CellFailed(error.message, where, { cause: error }) : error;
  }
  if (reply.status !== "ok") throw await explain(reply, where);
  if (outputs.problem !== undefined) throw new CellFailed(outputs.problem, where);
}

const MIXED =
  `Deno's kernel mixed its messages while a large output was on its way, in ${ATTEMPTS} runs, so that ` +
  `outputs of this cell are lost. Outputs below 1 MB avoid it.`;

const UNCAUGHT = {
  promise:
    "A promise that nobody awaited was rejected with this while the cell ran; an earlier cell may have made it.",
  callback: "A timer or an event listener threw this while the cell ran; it may be an earlier cell's.",
};

/** The reply is what counts: for a syntax error, the kernel publishes nothing. */
async function explain(reply: ExecuteReply, where: Place): Promise<CellFailed> {
  const { ename, evalue, traceback = [], from } = reply;
  const message = `${ename}: ${evalue}`;
  if (from) return new CellFailed(`${stripColors(message)}\n  ${UNCAUGHT[from]}`, where);
  const isCompiled = traceback.length > 0 || evalue !== "Execution failed";
  const isPlaced = traceback.length > 0 || !isCompiled;
  // A position is good to have, no more: it takes a temporary file, which may not be there to be had.
  const { line, syntaxError }: Position = isPlaced
    ? await locateFailure(where.source, traceback).catch(() => ({}))
    : {};
  const what = isCompiled || syntaxError === undefined ? message : `SyntaxError: ${syntaxError}`;
  return new CellFailed(stripColors(what).trimEnd(), { ...where, line });
}

function summarize(notebook: Notebook, outputs: Map<Cell, CellOutputs>): Execution {
  let count = 0;
  const cells = notebook.cells.map((cell) => {
    if (!isCode(cell)) return cell;
    const collected = outputs.get(cell);
    return { ...cell, execution_count: collected ? ++count : null, outputs: collected?.finish() ?? [] };
  });
  const executed = cells.filter(isCode);
  return {
    notebook: { ...notebook, cells },
    cells: count,
    figures: executed.flatMap((cell) => cell.outputs).filter(isFigure).length,
    claims: executed.filter((cell) => hasTag(cell, "claim")).flatMap(({ outputs }) => outputs).length,
  };
}

function isFigure(output: Output): boolean {
  return (output.data as JsonObject | undefined)?.["image/png"] !== undefined;
}

// ---- Outputs, put together as Jupyter does ----

/** The outputs that carry a display id, and so may be updated, also by later cells. */
type Displays = Map<string, Output[]>;

/** The outputs of one cell, while they arrive. */
class CellOutputs {
  #outputs: Output[] = [];
  #clearsBeforeNext = false;
  readonly #displays: Displays;
  /** Why the cell fails although its code has run to the end. */
  problem: string | undefined;

  constructor(displays: Displays) {
    this.#displays = displays;
  }

  add({ type, content, buffers }: Published): void {
    if (buffers > 0) this.problem ??= "The cell shows binary buffers, which no notebook holds.";
    const fields = content as JsonObject;
    if (type === "clear_output") this.#clear(fields.wait === true);
    else if (type === "update_display_data") this.#update(fields);
    else if (type === "stream") this.#append(fields);
    else if (type === "display_data" || type === "execute_result") this.#display(type, fields);
    else if (type === "error") this.problem ??= stripColors(`${fields.ename}: ${fields.evalue}`);
    // Not kept: "execute_input", the echo of the cell.
  }

  /** @returns The outputs without colour codes; these may be split between two chunks of a stream. */
  finish(): Output[] {
    return this.#outputs.map((output) => {
      const { text, data } = joinOutput(output) as Output & { text?: string; data?: JsonObject };
      if (text !== undefined) return { ...output, text: stripColors(text) };
      const plain = data?.["text/plain"];
      return {
        ...output,
        data: { ...data, ...(typeof plain === "string" && { "text/plain": stripColors(plain) }) },
      };
    });
  }

  #clear(wait: boolean): void {
    this.#clearsBeforeNext = wait;
    if (!wait) this.#outputs = [];
  }

  #push(output: Output): void {
    this.#check(output);
    if (this.#clearsBeforeNext) this.#clear(false);
    this.#outputs.push(output);
  }

  #check(output: Output): void {
    const problem = describeInvalidOutput(output);
    if (problem) this.problem ??= `The cell shows what a notebook cannot hold: ${problem}.`;
  }

  #append({ name, text: lines }: JsonObject): void {
    const text = Array.isArray(lines) ? lines.join("") : lines;
    const last = this.#clearsBeforeNext ? undefined : this.#outputs.at(-1);
    if (last?.output_type === "stream" && last.name === name && typeof text === "string") {
      last.text = `${last.text}${text}`;
    } else this.#push({ output_type: "stream", name, text });
  }

  #display(type: string, { data, metadata, execution_count, transient }: JsonObject): void {
    const count = type === "execute_result" && { execution_count };
    const output = { output_type: type, data, metadata: metadata ?? {}, ...count };
    this.#push(output);
    const id = displayId(transient);
    if (id !== undefined) this.#displays.set(id, [...this.#displays.get(id) ?? [], output]);
  }

  #update({ data, metadata, transient }: JsonObject): void {
    const outputs = this.#displays.get(displayId(transient) ?? "") ?? [];
    const content = { data, metadata: metadata ?? {} };
    this.#check({ output_type: "update_display_data", ...content });
    for (const output of outputs) Object.assign(output, content);
  }
}

function displayId(transient: JsonObject[string]): string | undefined {
  return (transient as { display_id?: string } | null | undefined)?.display_id;
}

function stripColors(text: string): string {
  // deno-lint-ignore no-control-regex -- ESC begins a colour code
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
