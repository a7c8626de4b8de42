/**
 * What a cell shows: values, formulas, tables, verdicts.
 *
 * Each of these ends a cell with `await`: a cell's last value can reach the notebook after the kernel has said that
 * it is idle, and notebook programs then lose it.
 * @module
 */

/** A claim as a cell shows it; `lib/claims` computes such. */
export interface Settled {
  /** A short name, by which the summary refers to the claim. */
  id: string;
  /** Does it hold? */
  holds: string;
  /** How does one know? */
  known?: string;
  /** What is claimed. */
  claim: string;
  /** The condition, what is right, or what it would take. */
  but?: string;
  /** What was computed. */
  summary: string;
}

/** One row of a table: heading → entry. */
export type Row = Record<string, string | number | boolean | null>;

/**
 * Long enough for the message to leave the kernel before it reports idle, also on a busy machine: with six kernels on
 * two cores, nbclient lost 3 of 2400 outputs after 10 ms, and none of 2400 after 50.
 */
const PAUSE_MS = 50;

/** Shows a value as `console.log` would print it. */
export async function show(value: unknown): Promise<void> {
  const text = typeof value === "string"
    ? value
    : Deno.inspect(value, { colors: false, depth: 6, iterableLimit: 20, breakLength: 100 });
  await display({ "text/plain": text });
}

/**
 * Shows formulas, one below the other.
 *
 * @param lines TeX without dollar signs, such as `\frac{x}{1-p}`.
 */
export async function tex(...lines: string[]): Promise<void> {
  const body = lines.length === 1 ? lines[0] : `\\begin{gathered}\n${lines.join(" \\\\\n")}\n\\end{gathered}`;
  await display({ "text/latex": `$$${body}$$`, "text/plain": lines.join("\n") });
}

/** Shows Markdown, such as a table with links. */
export async function markdown(text: string): Promise<void> {
  await display({ "text/markdown": text, "text/plain": text });
}

/**
 * Shows rows under their headings.
 *
 * @param rows All with the same headings. Numbers are shown with up to 6 significant digits; give text for others.
 * @throws {TypeError} if there are no rows or their headings differ.
 */
export async function table(rows: readonly Row[]): Promise<void> {
  const cells = tableCells(rows);
  await display({ "text/html": toHtml(cells), "text/plain": toText(cells) });
}

/**
 * Shows whether a claim holds and how one knows, as in `await claim(scaledWeightsMatch({ p, seed }))`. If the evidence
 * does not support it for these values, the cell fails with what was found.
 *
 * @param settled The claim beside its evidence, or the promise of it.
 */
export async function claim(settled: Settled | Promise<Settled>): Promise<void> {
  const { id, holds, known, claim, but, summary } = await settled;
  const evidence = `${summary[0].toUpperCase()}${summary.slice(1)}.`;
  const verdict = known === undefined ? holds : `${holds}, ${known}`;
  const right = but === undefined ? "" : ` ${but}`;
  await display({
    "text/markdown": `**${verdict}** · \`${id}\` · “${claim}”${right}\n\n*Evidence:* ${evidence}`,
    "text/plain": `${verdict}: ${id}: “${claim}”${right}\nEvidence: ${evidence}`,
  });
}

/**
 * Goes through items one by one, and says how far it is and how long the rest will take, as in
 * `for await (const seed of progress([0, 1, 2])) …`. In the end, all that the cell has shown is cleared: nothing that
 * differs from run to run stays in the notebook. So let a cell show what it found after the loop.
 *
 * @param items What to go through.
 */
export async function* progress<T>(items: readonly T[]): AsyncGenerator<T, void> {
  const start = performance.now();
  try {
    for (const [done, item] of items.entries()) {
      const left = (performance.now() - start) / 1000 / done * (items.length - done);
      await clearOutput();
      await show(`${done} of ${items.length} done${done === 0 ? "" : `, about ${left.toFixed(0)} s left`}`);
      yield item;
    }
  } finally {
    await clearOutput();
  }
}

async function clearOutput(): Promise<void> {
  await kernel().broadcast("clear_output", { wait: false });
}

/**
 * Sends one output with several representations to the notebook.
 *
 * @param data MIME type → content.
 * @param metadata MIME type → metadata, such as a picture's size.
 * @throws {Error} outside a Jupyter kernel.
 */
export async function display(
  data: Record<string, string>,
  metadata: Record<string, unknown> = {},
): Promise<void> {
  await kernel().broadcast("display_data", { data, metadata, transient: {} });
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

interface KernelSide {
  broadcast(type: string, content: Record<string, unknown>): Promise<void>;
}

function kernel(): KernelSide {
  try {
    const { jupyter } = Deno as { jupyter?: KernelSide };
    if (jupyter !== undefined) return jupyter;
  } catch { // Deno throws outside a kernel
  }
  throw new Error(
    "figure, slider, show, tex, table, claim and progress work in a notebook's Deno kernel only",
  );
}

/** The entries of a table as text. */
export interface Cells {
  /** One for each column. */
  headings: string[];
  /** Which columns hold numbers only, and are aligned to the right. */
  numeric: boolean[];
  /** Row by row. */
  lines: string[][];
}

/** The entries as text. */
export function tableCells(rows: readonly Row[]): Cells {
  if (rows.length === 0) throw new TypeError("A table needs at least one row");
  const headings = Object.keys(rows[0]);
  for (const row of rows) {
    if (Object.keys(row).join("\n") !== headings.join("\n")) {
      throw new TypeError(
        `All rows need the headings ${headings.join(", ")}; got ${Object.keys(row).join(", ")}`,
      );
    }
  }
  return {
    headings,
    numeric: headings.map((heading) => rows.every((row) => typeof row[heading] === "number")),
    lines: rows.map((row) => headings.map((heading) => formatEntry(row[heading]))),
  };
}

function formatEntry(entry: Row[string]): string {
  if (entry === null) return "";
  if (typeof entry !== "number" || Number.isInteger(entry)) return String(entry);
  return String(Number(entry.toPrecision(6)));
}

function toHtml({ headings, numeric, lines }: Cells): string {
  const cell = (tag: string, text: string, column: number) =>
    `<${tag} style="text-align:${numeric[column] ? "right" : "left"}">${escapeHtml(text)}</${tag}>`;
  const line = (tag: string, texts: string[]) =>
    `<tr>${texts.map((text, i) => cell(tag, text, i)).join("")}</tr>`;
  return [
    "<table>",
    `<thead>${line("th", headings)}</thead>`,
    "<tbody>",
    ...lines.map((texts) => line("td", texts)),
    "</tbody>",
    "</table>",
  ].join("\n");
}

function toText({ headings, numeric, lines }: Cells): string {
  const all = [headings, ...lines];
  const widths = headings.map((_, i) => Math.max(...all.map((texts) => texts[i].length)));
  return all.map((texts) =>
    texts.map((text, i) => numeric[i] ? text.padStart(widths[i]) : text.padEnd(widths[i])).join("  ")
      .trimEnd()
  ).join("\n");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
