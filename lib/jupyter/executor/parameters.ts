/**
 * Other values for a notebook's parameters: the constants in the cell tagged `parameters`, as papermill has it.
 *
 * Source: https://papermill.readthedocs.io/en/stable/usage-parameterize.html
 *
 * @module
 */
import { hasTag, isCode, type Notebook } from "./notebook.ts";

/** A parameter has no such name, or cannot have that value; the message says what can. */
export class InvalidParameter extends Error {
  /** The class, as messages name it. */
  override name = "InvalidParameter";
}

/** `const name = literal;` on a line of its own; the literal is a number, a text, true or false, or a list. */
const DECLARATION =
  /^(const\s+([\w$]+)\s*(?::[^=\n]+)?=\s*)((?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\n"'])*?)(\s*;?\s*(?:\/\/[^\n]*)?)$/gm;

/**
 * Reads `name=value` as it stands on a command line.
 *
 * @returns Name and value, both as text.
 * @throws {InvalidParameter} if it is something else.
 */
export function parseSetting(text: string): [name: string, value: string] {
  const [, name, value] = text.match(/^([A-Za-z_$][\w$]*)=(.+)$/s) ?? [];
  if (name === undefined) {
    throw new InvalidParameter(`--set takes name=value, such as --set p=0.3, got "${text}".`);
  }
  return [name, value];
}

/**
 * Gives parameters other values.
 *
 * @param notebook Its cell tagged `parameters` holds lines such as `const p = 0.5;`. It is not changed.
 * @param settings Name → value as text: JSON, or for a text also without its quotation marks.
 * @returns A copy whose cell has the new values.
 * @throws {InvalidParameter} if there is no such parameter, or the value is of another kind than the one it replaces.
 */
export function setParameters(notebook: Notebook, settings: ReadonlyMap<string, string>): Notebook {
  const unknown = new Set(settings.keys());
  const known: string[] = [];
  const cells = notebook.cells.map((cell) => {
    if (!isCode(cell) || !hasTag(cell, "parameters")) return cell;
    const source = cell.source.replace(DECLARATION, (line, before, name, old, after) => {
      const value = settings.get(name);
      if (known.includes(name) && value !== undefined) {
        throw new InvalidParameter(`The parameter ${name} cannot be set: it is there more than once.`);
      }
      known.push(name);
      unknown.delete(name);
      if (value === undefined) return line;
      const kind = kindOf(readLiteral(old));
      if (kind === undefined) {
        throw new InvalidParameter(`The parameter ${name} cannot be set: ${old} is no plain value.`);
      }
      return before + writeValue(name, value, kind, old) + after;
    });
    return { ...cell, source };
  });
  if (unknown.size > 0) {
    const allowed = known.length > 0 ? `It has ${known.join(", ")}.` : "It has none: no cell is tagged so.";
    throw new InvalidParameter(`The notebook has no parameter ${[...unknown].join(", ")}. ${allowed}`);
  }
  return { ...notebook, cells };
}

/** @returns TypeScript. */
function writeValue(name: string, text: string, kind: string, old: string): string {
  const isText = kind === "a text" && typeof readLiteral(text) !== "string";
  if (isText) return JSON.stringify(text);
  if (kindOf(readLiteral(text)) === kind) return text; // as it was given, with all of its digits
  throw new InvalidParameter(`The parameter ${name} is ${kind}, such as ${old}, got ${text}.`);
}

/** @returns `undefined` for what is no literal. */
function readLiteral(text: string): unknown {
  const isNumber = /^[-+]?((0|[1-9](_?\d)*)(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text);
  if (isNumber) return Number(text.replaceAll("_", ""));
  try {
    return JSON.parse(text.replace(/^'([^'"\\]*)'$/, '"$1"').replace(/,\s*\]$/, "]"));
  } catch {
    return undefined;
  }
}

/** In words; `undefined` for what cannot be a parameter's value. */
function kindOf(value: unknown): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? "a number" : undefined;
  if (typeof value === "string") return "a text";
  if (typeof value === "boolean") return "true or false";
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const [first, ...others] = value.map(kindOf);
  const names: Record<string, string> = { "a number": "numbers", "a text": "texts" };
  return first !== undefined && first in names && others.every((kind) => kind === first)
    ? `a list of ${names[first]}`
    : undefined;
}
