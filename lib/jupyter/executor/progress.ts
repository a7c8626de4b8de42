/**
 * Tells people how far the notebooks are: lines that are redrawn in place on a terminal, plain lines elsewhere.
 *
 * @module
 */

/** Where progress is shown. */
export interface Screen {
  /** Writes text as it is. */
  write(text: string): void;
  /** The width of the terminal in characters; `undefined` if this is not a terminal. */
  columns?: number;
}

/**
 * Opens the screen behind standard error.
 *
 * @param onClosed Called when nobody reads any more, as after `| head`; what is written then is lost.
 */
export function standardScreen(onClosed: () => void): Screen {
  const encoder = new TextEncoder();
  const write = (text: string) => {
    try {
      writeAll(encoder.encode(text));
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      onClosed();
    }
  };
  return Deno.stderr.isTerminal() ? { write, columns: Deno.consoleSize().columns } : { write };
}

function writeAll(bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length;) start += Deno.stderr.writeSync(bytes.subarray(start));
}

/**
 * Makes text from cells and file names harmless for a terminal, which would obey escape codes in it.
 *
 * @returns The text with control characters written out, such as `\\x1b`; line ends and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

const REDRAW_INTERVAL = 250;

/** What several tasks are doing right now. */
export class Progress implements Disposable {
  readonly #screen: Screen;
  readonly #tasks = new Map<string, { doing: string; since: number }>();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #linesDrawn = 0;

  /**
   * Starts to show progress.
   *
   * @param screen Where to show it.
   */
  constructor(screen: Screen) {
    this.#screen = screen;
    if (screen.columns !== undefined) this.#timer = setInterval(() => this.#draw(), REDRAW_INTERVAL);
  }

  /** A task starts, or goes on to something else. */
  update(task: string, doing: string): void {
    const since = this.#tasks.get(task)?.since ?? performance.now();
    this.#tasks.set(task, { doing, since });
    if (this.#screen.columns === undefined) this.#screen.write(this.#line(task) + "\n");
    else this.#draw();
  }

  /** A task is over; its last line stays. */
  finish(task: string, outcome: string): void {
    this.#erase();
    this.#screen.write(`${this.#line(task, outcome)}\n`);
    this.#tasks.delete(task);
    this.#draw();
  }

  /** Removes what is not finished from the terminal. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #line(task: string, outcome?: string): string {
    const { doing, since } = this.#tasks.get(task) ?? { doing: "", since: performance.now() };
    return `${printable(task)}: ${outcome ?? doing}, ${((performance.now() - since) / 1000).toFixed(1)} s`;
  }

  #draw(): void {
    const { columns } = this.#screen;
    if (columns === undefined) return;
    this.#erase();
    // A line that wraps would be two, and could not be erased as one.
    const lines = [...this.#tasks.keys()].map((task) => this.#line(task).slice(0, columns - 1) + "\n");
    this.#screen.write(lines.join(""));
    this.#linesDrawn = lines.length;
  }

  #erase(): void {
    if (this.#linesDrawn > 0) this.#screen.write(`\x1b[${this.#linesDrawn}A\x1b[J`);
    this.#linesDrawn = 0;
  }
}

/**
 * Lays out a table: numbers to the right, words to the left.
 *
 * @param rows The first holds the headings.
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const isNumber = (text: string) => /^[\d.–]+$/.test(text);
  const formatRow = (row: readonly string[]) =>
    row.map((text, column) => {
      const toRight = rows.slice(1).every((other) => isNumber(other[column]));
      return toRight ? text.padStart(widths[column]) : text.padEnd(widths[column]);
    }).join("  ").trimEnd();
  return rows.map(formatRow).join("\n");
}
