/**
 * What a notebook's texts say of its parameters: a reader who changes one must not be told the old value.
 * @module
 */

import { hasTag, isCode, type JsonObject, type Notebook } from "../lib/jupyter/executor/notebook.ts";

/** A line in which a value of another's stands says whose it is. */
const ANOTHERS = /article's|study's|fixed/;
const NUMBER = "(½|[−-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e-?\\d+)?)";

/** The plain numbers in the cell tagged `parameters`: name → value. */
export function readParameters(notebook: Notebook): Map<string, number> {
  const cell = notebook.cells.find((cell) => isCode(cell) && hasTag(cell, "parameters"));
  const lines = cell?.source.matchAll(/^const (\w+) = ([-\d._e]+);/gm) ?? [];
  return new Map(Array.from(lines, ([, name, value]) => [name, Number(value.replaceAll("_", ""))]));
}

/** The texts of all outputs, and those in pictures. */
export function outputTexts(notebook: Notebook): string[] {
  return notebook.cells.filter(isCode).flatMap(({ outputs }) => outputs).flatMap(({ data = {}, text = "" }) =>
    [(data as JsonObject)["text/plain"] ?? "", text].map((part) =>
      Array.isArray(part) ? part.join("") : `${part}`
    )
  );
}

/**
 * Lists lines such as "p = 0.5" or "seed 42" that name another value than the parameter's, and do not say whose it
 * is: "the article's", "the study's", or "fixed".
 */
export function findStrangers(texts: readonly string[], parameters: ReadonlyMap<string, number>): string[] {
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => !ANOTHERS.test(line));
  return [...parameters].flatMap(([name, value]) => {
    const mention = new RegExp(
      `(?<![−-] ?|[\\w.])${name}(?: = |=|${name === "seed" ? " " : " = "})${NUMBER}`,
      "g",
    );
    return lines.filter((line) => [...line.matchAll(mention)].some(([, number]) => read(number) !== value));
  });
}

/** Lists lines of Markdown that name a parameter's value: they would stay as they are when it is changed. */
export function findOwnValues(notebook: Notebook): string[] {
  const texts = notebook.cells.filter((cell) => !isCode(cell)).map(({ source }) =>
    source.replaceAll(/```.*?```/gs, "")
  );
  return [...readParameters(notebook)].filter(([name]) => ["p", "seed", "n"].includes(name)).flatMap((
    [name, value],
  ) =>
    texts.flatMap((text) => text.split("\n")).filter((line) =>
      !ANOTHERS.test(line) && findStrangers([line], new Map([[name, NaN]])).length > 0 &&
      findStrangers([line], new Map([[name, value]])).length === 0
    )
  );
}

function read(number: string): number {
  return number === "½" ? 0.5 : Number(number.replace("−", "-"));
}
