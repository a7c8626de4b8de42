import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  hasTag,
  InvalidNotebook,
  isCode,
  type Json,
  type Notebook,
  parseNotebook,
  runnableCells,
  serializeNotebook,
  splitLines,
} from "../../lib/jupyter/executor/notebook.ts";
import { notebookText } from "./helpers.ts";

/** What Jupyter's own nbformat 5 wrote, with all that is special about it. */
const WRITTEN_BY_JUPYTER = String.raw`{
 "cells": [
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "a",
   "metadata": {
    "10": 1,
    "9": 2,
    "tags": [
     "claim"
    ],
    "x": 1.5,
    "�": 2,
    "😀": 1
   },
   "outputs": [
    {
     "name": "stdout",
     "output_type": "stream",
     "text": [
      "x\n",
      "y"
     ]
    },
    {
     "data": {
      "application/json": {
       "a": [
        "x",
        "y"
       ],
       "e": {},
       "f": []
      },
      "image/png": "abc\ndef\n",
      "image/svg+xml": [
       "<svg>\n",
       "</svg>"
      ],
      "text/plain": [
       "ab\n",
       "c"
      ]
     },
     "metadata": {
      "image/png": {
       "width": 640
      }
     },
     "output_type": "display_data"
    },
    {
     "ename": "E",
     "evalue": "é",
     "output_type": "error",
     "traceback": [
      "a\nb"
     ]
    }
   ],
   "source": [
    "a\r\n",
    "c\r",
    "d\u000b",
    "f\u001c",
    "g\n",
    "\n"
   ]
  },
  {
   "attachments": {
    "a.png": {
     "image/png": "xx",
     "text/plain": [
      "a\n",
      "b"
     ]
    }
   },
   "cell_type": "markdown",
   "id": "b",
   "metadata": {},
   "source": []
  },
  {
   "cell_type": "raw",
   "id": "c",
   "metadata": {},
   "source": [
    "q\n",
    "w"
   ]
  }
 ],
 "metadata": {
  "ctl": "\u0001\"\\/\b",
  "f": 1.0,
  "g": [
   1e-07,
   12345678901234567890,
   -0.0,
   1e+16
  ],
  "kernelspec": {
   "display_name": "Deno",
   "language": "typescript",
   "name": "deno"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`;

// ---- Any notebook ----

const text = fc.array(
  fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("\n", "\r\n", "\r", "\u2028", "\v", "\x85")),
)
  .map((parts) => parts.join(""));
const json = fc.jsonValue({ noUnicodeString: false }).map((value) =>
  JSON.parse(JSON.stringify(value)) as Json
);
const metadata = fc.dictionary(fc.string().filter((key) => key !== "trusted"), json);
const bundle = fc.record({
  "text/plain": text,
  "image/svg+xml": text,
  "image/png": text,
  "application/json": json,
}, {
  requiredKeys: [],
});
const output = fc.oneof(
  fc.record({ output_type: fc.constant("stream"), name: fc.constantFrom("stdout", "stderr"), text }),
  fc.record({ output_type: fc.constant("display_data"), data: bundle, metadata }),
  fc.record({ output_type: fc.constant("error"), ename: text, evalue: text, traceback: fc.array(text) }),
);
const codeCell = fc.record({
  cell_type: fc.constant("code"),
  source: text,
  metadata,
  outputs: fc.array(output),
  execution_count: fc.option(fc.nat()),
});
const textCell = fc.record({
  cell_type: fc.constantFrom("markdown", "raw"),
  source: text,
  metadata,
  attachments: fc.dictionary(fc.string(), bundle),
});
const notebook = fc.record({
  cells: fc.array(fc.oneof(codeCell, textCell)),
  metadata: fc.record({ unknown: json, kernelspec: fc.constant({ name: "deno" }) }),
  nbformat: fc.constant(4),
  nbformat_minor: fc.integer({ min: 5, max: 9 }),
  unknown: json,
}).map((notebook) => {
  const cells = notebook.cells.map((cell, i) => ({ ...cell, id: `cell_${i}` }));
  return { ...notebook, cells } as unknown as Notebook;
});

Deno.test("what is written can be read: nothing is lost", () => {
  fc.assert(fc.property(notebook, (notebook) => {
    // A list of texts and a text are the same to Jupyter where texts are split, hence "reads as" and not "is".
    const once = parseNotebook(serializeNotebook(notebook));
    assertEquals(JSON.parse(serializeNotebook(once)), JSON.parse(serializeNotebook(notebook)));
    assertEquals(once.cells.map(({ source }) => source), notebook.cells.map(({ source }) => source));
  }));
});

Deno.test("what was written stays the same byte for byte when it is read and written again", () => {
  fc.assert(fc.property(notebook, (notebook) => {
    const canonical = serializeNotebook(notebook);
    assertEquals(serializeNotebook(parseNotebook(canonical)), canonical);
  }));
});

Deno.test("how a file was formatted makes no difference to what is written", () => {
  const indent = fc.constantFrom(0, 1, 2, "\t");
  fc.assert(fc.property(notebook, indent, (notebook, indent) => {
    const canonical = serializeNotebook(notebook);
    const reversed = (_: string, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value;
    const other = JSON.stringify(JSON.parse(canonical), reversed, indent);
    assertEquals(serializeNotebook(parseNotebook(other)), canonical);
  }));
});

Deno.test("lines keep their ends, and together are the text", () => {
  fc.assert(fc.property(text, (text) => {
    const lines = splitLines(text);
    assertEquals(lines.join(""), text);
    assertFalse(lines.includes(""));
    const isEnd = (char: string) => "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029".includes(char);
    for (const line of lines.slice(0, -1)) assert(isEnd(line.at(-1)!));
    for (const line of lines) assertFalse([...line.replace(/\r\n$/, "\n")].slice(0, -1).some(isEnd));
    lines.forEach((line, i) => assertFalse(line.endsWith("\r") && lines[i + 1] === "\n"));
  }));
  assertEquals(splitLines("a\r\nb\rc\n\nd"), ["a\r\n", "b\r", "c\n", "\n", "d"]);
  assertEquals(splitLines(""), []);
});

// ---- As Jupyter does it ----

Deno.test("a file that Jupyter wrote stays as it is", () => {
  assertEquals(serializeNotebook(parseNotebook(WRITTEN_BY_JUPYTER)), WRITTEN_BY_JUPYTER);
});

Deno.test("marks that Jupyter does not keep in files are left out", () => {
  const file = JSON.parse(notebookText("1"));
  const clean = serializeNotebook(parseNotebook(JSON.stringify(file)));
  file.metadata.signature = "x";
  file.metadata.orig_nbformat = 3;
  file.cells[0].metadata.trusted = true;
  assertEquals(serializeNotebook(parseNotebook(JSON.stringify(file))), clean);
});

Deno.test("a cell without id gets one that depends only on the notebook, and differs from all others", () => {
  const file = JSON.parse(notebookText("1", "2", "3"));
  delete file.cells[0].id;
  delete file.cells[2].id;
  file.cells[1].id = "cell-3";
  file.nbformat_minor = 4;
  const { cells, nbformat_minor } = parseNotebook(JSON.stringify(file));
  assertEquals(cells.map(({ id }) => id), ["cell-1", "cell-3", "cell-3-"]);
  assertEquals(nbformat_minor, 5);
});

Deno.test("code cells without outputs are completed; blank ones do not run", () => {
  const file = JSON.parse(notebookText("1", " \n", "3"));
  delete file.cells[0].outputs;
  delete file.cells[0].execution_count;
  delete file.cells[0].metadata;
  file.cells[2].metadata.tags = ["claim"];
  const notebook = parseNotebook(JSON.stringify(file));
  const [first, , third] = notebook.cells;
  assert(isCode(first));
  assertEquals([first.outputs, first.execution_count, first.metadata], [[], null, {}]);
  assertEquals(runnableCells(notebook), [first, third]);
  assertEquals([hasTag(first, "claim"), hasTag(third, "claim")], [false, true]);
});

// ---- What is not a notebook ----

Deno.test("a file that cannot be run is refused with the reason", () => {
  const file = () => JSON.parse(notebookText("1", "2"));
  const changed = (change: (notebook: ReturnType<typeof file>) => void) => {
    const notebook = file();
    change(notebook);
    return JSON.stringify(notebook);
  };
  const refused: [string, string][] = [
    ["", "not JSON: Unexpected end"],
    [
      `{"cells": [],\n}`,
      "not JSON: Expected double-quoted property name in JSON at position 14 (line 2 column 1)",
    ],
    ["[]", "not a notebook"],
    ["{}", "not a notebook"],
    [changed((n) => n.nbformat = 3), "nbformat 4, got 3"],
    [`{"worksheets": [], "nbformat": 3}`, "nbformat 4, got 3"],
    [changed((n) => delete n.nbformat_minor), `"nbformat_minor" must be a number, got null`],
    [changed((n) => n.cells = {}), `"cells" must be a list`],
    [changed((n) => n.metadata = []), `"metadata" must be an object`],
    [changed((n) => n.metadata.kernelspec.name = "python3"), `kernel "deno", but it is for "python3"`],
    [changed((n) => n.cells[1] = 2), "Cell 2: a cell must be an object"],
    [changed((n) => n.cells[1].cell_type = "heading"), `code, markdown, raw, got "heading"`],
    [changed((n) => n.cells[1].source = 7), `Cell 2: "source" must be a string or a list of strings`],
    [changed((n) => n.cells[1].metadata = 7), `Cell 2: "metadata" must be an object`],
    [
      changed((n) => n.cells[1].id = "a b"),
      `Cell 2: "id" must be 1 to 64 letters, digits, - or _, got "a b"`,
    ],
    [changed((n) => n.cells[1].outputs = [1]), `Cell 2: "outputs" must be a list of outputs`],
    [changed((n) => n.cells[1].id = n.cells[0].id), `Cells 1 and 2 have the same id, "c0"`],
  ];
  for (const [text, reason] of refused) assertThrows(() => parseNotebook(text), InvalidNotebook, reason);
});

Deno.test("a notebook that no kernel has claimed is accepted", () => {
  const file = JSON.parse(notebookText("1"));
  delete file.metadata.kernelspec;
  assertEquals(parseNotebook(JSON.stringify(file)).cells.length, 1);
});
