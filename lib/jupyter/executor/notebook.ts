/**
 * Notebook files, nbformat 4.5: read, checked, and written byte for byte as Jupyter writes them, so that saving a
 * notebook from JupyterLab changes nothing.
 *
 * Source: https://nbformat.readthedocs.io/en/stable/format_description.html
 *
 * @module
 */

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  /** A field's value; `undefined` fields are not written. */
  [field: string]: Json | undefined;
}

/** One output of a code cell. */
export interface Output extends JsonObject {
  /** `stream`, `display_data`, `execute_result` or `error`. */
  output_type: string;
}

/** One cell. Multi-line texts are plain strings here; only the file splits them into lines. */
export interface Cell extends JsonObject {
  /** `code`, `markdown` or `raw`. */
  cell_type: string;
  /** Unique in the notebook. */
  id: string;
  /** The cell's text. */
  source: string;
  /** Among others, the cell's tags. */
  metadata: JsonObject;
}

/** A cell that runs. */
export interface CodeCell extends Cell {
  /** Always `code`. */
  cell_type: "code";
  /** When it ran: 1 for the first cell; `null` if it has not run. */
  execution_count: number | null;
  /** What it showed. */
  outputs: Output[];
}

/** A notebook. Fields that are unknown here are kept as they are. */
export interface Notebook extends JsonObject {
  /** From top to bottom. */
  cells: Cell[];
  /** Among others, the kernel. */
  metadata: JsonObject;
  /** The format's major version: always 4. */
  nbformat: number;
  /** The format's minor version: 5 or later. */
  nbformat_minor: number;
}

/** The text is not a notebook that this project can run; the message says why. */
export class InvalidNotebook extends Error {
  /** The class, as messages name it. */
  override name = "InvalidNotebook";
}

const FORMAT = 4;
/** The first minor version in which each cell has an id. */
const MINOR_WITH_IDS = 5;
const CELL_TYPES = ["code", "markdown", "raw"];
const VALID_ID = /^[a-zA-Z0-9_-]{1,64}$/;
// deno-lint-ignore no-control-regex -- Python ends lines at some control characters, too
const AFTER_LINE_END = /(?<=\r\n|\r(?!\n)|[\n\v\f\x1c-\x1e\x85\u2028\u2029])/;

/**
 * Reads the text of a notebook's file.
 *
 * @param path An `.ipynb` file.
 * @returns Its text; a byte order mark stays, as U+FEFF.
 * @throws {InvalidNotebook} if it is not UTF-8: whoever wrote such a text back would lose what it stands for.
 */
export async function readNotebookText(path: string): Promise<string> {
  const bytes = await Deno.readFile(path);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InvalidNotebook("This is not UTF-8, as notebooks are. Save it with that encoding.");
  }
}

/**
 * Reads a notebook for the Deno kernel. A cell without an id gets one that follows from its position.
 *
 * @param text The content of an `.ipynb` file.
 * @throws {InvalidNotebook} if it is not JSON, not a notebook, older than nbformat 4, or another kernel's.
 */
export function parseNotebook(text: string): Notebook {
  const json = parseJson(text);
  checkFormat(json);
  checkKernel(json.metadata);
  const cells = json.cells.map((cell, i) => parseCell(cell, i + 1));
  giveIds(cells);
  const { signature: _, orig_nbformat: __, orig_nbformat_minor: ___, ...metadata } = json.metadata;
  return { ...json, cells, metadata, nbformat_minor: Math.max(json.nbformat_minor, MINOR_WITH_IDS) };
}

/**
 * Writes a notebook as Jupyter's `nbformat.write` does: sorted keys, an indent of 1, texts split into lines.
 *
 * @returns The content of an `.ipynb` file.
 */
export function serializeNotebook(notebook: Notebook): string {
  return writeJson({ ...notebook, cells: notebook.cells.map(splitCell) }) + "\n";
}

/** Tells whether a cell is code. */
export function isCode(cell: Cell): cell is CodeCell {
  return cell.cell_type === "code";
}

/** Lists the cells that a kernel is asked to run: code cells that are not blank. */
export function runnableCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter(isCode).filter((cell) => cell.source.trim() !== "");
}

/** Code in a text: an answer to an exercise, which readers paste into a cell. */
export interface Answer {
  /** TypeScript. */
  code: string;
  /** The cell's position in the notebook, from 1. */
  cell: number;
  /** The first line of the code within the cell, from 1. */
  line: number;
}

/** Lists the blocks of TypeScript in the notebook's texts, from top to bottom. */
export function listAnswers(notebook: Notebook): Answer[] {
  return notebook.cells.flatMap(({ cell_type, source }, i) =>
    cell_type !== "markdown" ? [] : [...source.matchAll(/^```ts\n(.*?)^```$/gms)].map((block) => ({
      code: block[1],
      cell: i + 1,
      line: source.slice(0, block.index).split("\n").length + 1,
    }))
  );
}

/** Tells whether a cell carries a tag. */
export function hasTag(cell: Cell, tag: string): boolean {
  const { tags } = cell.metadata;
  return Array.isArray(tags) && tags.includes(tag);
}

/**
 * Says what keeps an output from being part of a notebook.
 *
 * @param output As a kernel published it, with texts as strings or lists of lines.
 * @returns Such as "image/png must be a text, got 5"; `undefined` if all is well.
 */
export function describeInvalidOutput(output: Output): string | undefined {
  const { output_type: type, name, text, data, metadata, execution_count: count } = output;
  if (type === "stream") {
    if (typeof name !== "string") return `a stream's name must be a text, got ${writeJson(name)}`;
    return isText(text) ? undefined : `a stream's text must be a text, got ${excerpt(text)}`;
  }
  if (!isObject(data)) return `data must be an object, by media type, got ${excerpt(data)}`;
  if (!isObject(metadata)) return `metadata must be an object, got ${excerpt(metadata)}`;
  if (type === "execute_result" && count !== null && !(Number.isInteger(count) && Number(count) >= 0)) {
    return `execution_count must be a number of a cell or null, got ${excerpt(count)}`;
  }
  const [wrong] = Object.entries(data).filter(([type, value]) => !isJsonType(type) && !isText(value));
  return wrong && `${wrong[0]} must be a text, got ${excerpt(wrong[1])}`;
}

function excerpt(value: Json | undefined): string {
  const json = JSON.stringify(value ?? null);
  return json.length <= 60 ? json : json.slice(0, 60) + " …";
}

/**
 * Splits a text into lines that keep their ends, where Python's `str.splitlines` does.
 *
 * @returns No lines for an empty text.
 */
export function splitLines(text: string): string[] {
  return text === "" ? [] : text.split(AFTER_LINE_END);
}

// ---- Reading ----

type RawNotebook = JsonObject & {
  cells: Json[];
  metadata: JsonObject;
  nbformat: number;
  nbformat_minor: number;
};

function parseJson(text: string): Json {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""), keepSpelling);
  } catch (error) {
    throw new InvalidNotebook(`This is not JSON: ${(error as SyntaxError).message}`);
  }
}

/** Numbers that JavaScript would spell differently, such as 1.0, are written as they were read. */
function keepSpelling(_key: string, value: Json, context?: { source?: string }): Json {
  const isRespelled = typeof value === "number" && context?.source !== undefined &&
    context.source !== String(value);
  return isRespelled ? rawJson(context.source!) : value;
}

function checkFormat(json: Json): asserts json is RawNotebook {
  if (!isObject(json) || !("nbformat" in json) || !("cells" in json || "worksheets" in json)) {
    throw new InvalidNotebook(`This is not a notebook: its fields "cells" and "nbformat" are missing.`);
  }
  const { nbformat, nbformat_minor } = json;
  if (nbformat !== FORMAT) {
    throw new InvalidNotebook(
      `The notebook's format must be nbformat ${FORMAT}, got ${writeJson(nbformat)}.`,
    );
  }
  if (typeof nbformat_minor !== "number") {
    throw new InvalidNotebook(`"nbformat_minor" must be a number, got ${writeJson(nbformat_minor)}.`);
  }
  if (!Array.isArray(json.cells)) throw new InvalidNotebook(`"cells" must be a list.`);
  if (!isObject(json.metadata)) throw new InvalidNotebook(`"metadata" must be an object.`);
}

function checkKernel(metadata: JsonObject): void {
  const spec = metadata.kernelspec;
  if (!isObject(spec)) return; // a notebook that no kernel has claimed yet
  if (spec.name !== "deno") {
    throw new InvalidNotebook(
      `The notebook must be for the kernel "deno", but it is for ${writeJson(spec.name)}.`,
    );
  }
}

function parseCell(cell: Json, number: number): Cell {
  const expect = (condition: boolean, what: string): void => {
    if (!condition) throw new InvalidNotebook(`Cell ${number}: ${what}.`);
  };
  if (!isObject(cell)) throw new InvalidNotebook(`Cell ${number}: a cell must be an object.`);
  const { cell_type: type, source, metadata = {}, id = "" } = cell;
  expect(
    CELL_TYPES.includes(type as string),
    `"cell_type" must be one of ${CELL_TYPES.join(", ")}, got ${writeJson(type)}`,
  );
  expect(isText(source), `"source" must be a string or a list of strings`);
  expect(isObject(metadata), `"metadata" must be an object`);
  expect(
    id === "" || VALID_ID.test(String(id)),
    `"id" must be 1 to 64 letters, digits, - or _, got ${writeJson(id)}`,
  );
  const { trusted: _, ...kept } = metadata as JsonObject;
  const common = { ...cell, source: joinText(source as string), metadata: kept, id: id as string };
  const attachments = isObject(cell.attachments) && { attachments: mapBundles(cell.attachments, joinBundle) };
  if (type !== "code") return { ...common, ...attachments, cell_type: type as string };
  const { outputs = [], execution_count = null } = cell;
  expect(Array.isArray(outputs) && outputs.every(isOutput), `"outputs" must be a list of outputs`);
  return {
    ...common,
    ...attachments,
    cell_type: "code",
    outputs: (outputs as Output[]).map(joinOutput),
    execution_count,
  };
}

/** Fills in missing ids, and refuses doubled ones. */
function giveIds(cells: Cell[]): void {
  const owner = new Map<string, number>();
  cells.forEach(({ id }, i) => {
    if (owner.has(id)) {
      throw new InvalidNotebook(`Cells ${owner.get(id)} and ${i + 1} have the same id, "${id}".`);
    }
    if (id) owner.set(id, i + 1);
  });
  cells.forEach((cell, i) => {
    if (cell.id) return;
    let id = `cell-${i + 1}`;
    while (owner.has(id)) id += "-";
    owner.set(id, i + 1);
    cell.id = id;
  });
}

// ---- Texts: one string in memory, a list of lines in the file ----

function isText(value: Json | undefined): value is string | string[] {
  return typeof value === "string" ||
    (Array.isArray(value) && value.every((line) => typeof line === "string"));
}

function isOutput(value: Json): value is Output {
  return isObject(value) && typeof value.output_type === "string";
}

function joinText(text: string | string[]): string {
  return Array.isArray(text) ? text.join("") : text;
}

/** Puts the texts of an output in one piece. */
export function joinOutput(output: Output): Output {
  if (isObject(output.data)) return { ...output, data: joinBundle(output.data) };
  return isText(output.text) ? { ...output, text: joinText(output.text) } : output;
}

function splitCell(cell: Cell): JsonObject {
  const file: JsonObject = { ...cell, source: splitLines(cell.source) };
  if (isObject(cell.attachments)) file.attachments = mapBundles(cell.attachments, splitBundle);
  if (isCode(cell)) file.outputs = cell.outputs.map(splitOutput);
  return file;
}

function splitOutput(output: Output): Output {
  if (isObject(output.data)) return { ...output, data: splitBundle(output.data) };
  return typeof output.text === "string" ? { ...output, text: splitLines(output.text) } : output;
}

/** Data by media type: JSON stays as it is, texts and SVG are split, base64 stays in one piece. */
function splitBundle(bundle: JsonObject): JsonObject {
  return mapFields(bundle, (type, value) => {
    const isSplit = type.startsWith("text/") || type === "image/svg+xml" || type === "application/javascript";
    return isSplit && typeof value === "string" ? splitLines(value) : value;
  });
}

function joinBundle(bundle: JsonObject): JsonObject {
  return mapFields(bundle, (type, value) => {
    return !isJsonType(type) && isText(value) ? joinText(value) : value;
  });
}

function isJsonType(type: string): boolean {
  return /^application\/(.*\+)?json$/s.test(type);
}

function mapBundles(bundles: JsonObject, change: (bundle: JsonObject) => JsonObject): JsonObject {
  return mapFields(bundles, (_, bundle) => isObject(bundle) ? change(bundle) : bundle);
}

function mapFields(
  object: JsonObject,
  change: (field: string, value: Json | undefined) => Json | undefined,
): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([field, value]) => [field, change(field, value)]));
}

// ---- Writing ----

/** Writes JSON as Python's `json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)` does. */
function writeJson(value: Json | undefined, indent = "\n"): string {
  if (!(Array.isArray(value) || isObject(value))) return JSON.stringify(value ?? null);
  const inner = indent + " ";
  const parts = Array.isArray(value)
    ? value.map((item) => writeJson(item, inner))
    : sortedFields(value).map((field) => `${JSON.stringify(field)}: ${writeJson(value[field], inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return parts.length === 0 ? open + close : open + inner + parts.join("," + inner) + indent + close;
}

/** Sorted by code points, as Python does; JavaScript alone would sort by UTF-16 units, and integers first. */
function sortedFields(object: JsonObject): string[] {
  return Object.keys(object).filter((field) => object[field] !== undefined).sort(compareCodePoints);
}

function compareCodePoints(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  const i = x.findIndex((char, k) => char !== y[k]);
  if (i < 0) return x.length - y.length;
  return i < y.length ? x[i].codePointAt(0)! - y[i].codePointAt(0)! : 1;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawJson(value);
}

// TypeScript does not know these two functions of ES2026 yet.
const { rawJSON: rawJson, isRawJSON: isRawJson } = JSON as unknown as {
  rawJSON(source: string): Json;
  isRawJSON(value: unknown): boolean;
};
