/** Every notebook in JupyterLab: as opened from a clone, and after Run All; and sliders. */

import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { basename, join } from "@std/path";
import { findNotebooks, NOTEBOOKS } from "../../lib/jupyter/executor/command.ts";
import { executeNotebook } from "../../lib/jupyter/executor/execute.ts";
import { drawFigure } from "../../lib/jupyter/figure.ts";
import { type JsonObject, parseNotebook, serializeNotebook } from "../../lib/jupyter/executor/notebook.ts";
import { notebookText } from "../executor/helpers.ts";
import { Browser } from "./browser.ts";
import { needChromium, Place, run, type Server } from "./environment.ts";
import { assertPainted, OpenNotebook, SHIFTED, type ShownCell, startLab, worstDifference } from "./lab.ts";
import { assertSameOutputs } from "./outputs.ts";

let place: Place, lab: Server, browser: Browser;

Deno.test.beforeAll(async () => {
  const chromium = await needChromium();
  place = await Place.make();
  lab = await startLab(place);
  browser = await Browser.start(chromium);
});

Deno.test.afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const open = (path: string) => OpenNotebook.open(browser, lab.url, path);

async function showCells(notebook: OpenNotebook, cells: readonly JsonObject[]): Promise<ShownCell[]> {
  const shown = [];
  for (const i of cells.keys()) shown.push(await notebook.cell(i));
  return shown;
}

/** Asserts that all formulas of all cells were typeset, that there is no error, and that every figure is painted. */
async function assertReadable(notebook: OpenNotebook, cells: readonly JsonObject[]): Promise<ShownCell[]> {
  const shown = await showCells(notebook, cells);
  assertEquals(shown.flatMap(({ badFormulas }) => badFormulas), []);
  assertEquals(shown.flatMap(({ errors }) => errors), []);
  for (const [i, cell] of cells.entries()) {
    const formulas = ((cell.outputs ?? []) as JsonObject[]).filter(({ data }) =>
      (data as JsonObject)?.["text/latex"] !== undefined
    );
    assertEquals(shown[i].formulaOutputs, formulas.length, `formulas of cell ${i + 1}`);
    assert(shown[i].formulas >= formulas.length, `cell ${i + 1} has formulas that were not typeset`);
  }
  assertGreater(await assertPainted(notebook, cells), 0);
  assertEquals(await notebook.dialogs(), []);
  assertEquals(notebook.page.exceptions, []);
  return shown;
}

for (const path of await findNotebooks([], NOTEBOOKS)) {
  const file = basename(path);
  Deno.test(`${file} in JupyterLab`, async (t) => {
    const text = await Deno.readTextFile(path);
    const { cells } = parseNotebook(text);
    const notebook = await open(`notebooks/${file}`);
    await t.step("asks for no kernel: it is Deno's", async () => {
      assertEquals(await notebook.kernel(), "Deno");
    });
    await t.step("opened from a clone, which JupyterLab does not trust: all is there", async () => {
      const shown = await assertReadable(notebook, cells);
      assertEquals(shown.filter(({ trusted }) => trusted), []);
    });
    await t.step("Run All gives the outputs of the file", async () => {
      await notebook.runAll();
      assertSameOutputs(JSON.stringify(await notebook.content()), text, file);
    });
    await t.step("after Run All, in dark colours: all is there", async () => {
      await notebook.setTheme("JupyterLab Dark");
      await assertReadable(notebook, cells);
      await notebook.setTheme("JupyterLab Light");
    });
    await t.step("saved, the file is as it was", async () => {
      await notebook.command("docmanager:save");
      assertEquals(await place.changes(), "");
    });
    await notebook.close();
  });
}

// What is wrong would be noticed

Deno.test("a blank picture, a picture of something else and a smaller one are not taken for the figure", async () => {
  const options = { alt: "a", title: "A line of text, as figures have one", marks: [] };
  const [{ png }, { png: other }, { png: white }] = [
    await drawFigure(options),
    await drawFigure({ ...options, title: "Another line of text" }),
    await drawFigure({ ...options, title: ".", axis: null }),
  ];
  assertEquals(await worstDifference(png, png), 0);
  for (const wrong of [other, white]) assertGreater(await worstDifference(wrong, png), SHIFTED);
});

Deno.test("pictures that are hidden, covered or another cell's fail", async () => {
  const notebook = await open("notebooks/03_implementation.ipynb");
  const { cells } = await notebook.content();
  const count = await assertPainted(notebook, cells);
  const pictures = `[...document.querySelectorAll(".jp-RenderedImage img")]`;
  const faults = {
    hidden: `${pictures}[1].style.opacity = 0`,
    covered: `${pictures}[1].style.filter = "brightness(0)"`,
    "another's": `${pictures}[1].src = ${pictures}[0].src`,
    missing: `${pictures}[1].remove()`,
  };
  for (const [fault, make] of Object.entries(faults)) {
    await notebook.page.evaluate(`{ const image = ${pictures}[1]; globalThis.before = image.outerHTML;
      globalThis.parent = image.parentNode; ${make}; }`);
    const error = await assertRejects(() => assertPainted(notebook, cells), Error, "picture", fault);
    assert(!error.message.startsWith("Not true"), error.message);
    await notebook.page.evaluate("parent.innerHTML = before");
  }
  assertEquals(await assertPainted(notebook, cells), count);
  await notebook.close();
});

Deno.test("formulas with an error, and cells that fail, are noticed", async () => {
  const formulas = ["\\nosuchcommand{x}", "\\frac{x}", "\\frac{x", "\\frac{x}{y}"];
  const sources = formulas.map((tex) => {
    const data = { "text/latex": `$$${tex}$$` };
    return `await Deno.jupyter.display(${JSON.stringify(data)}, { raw: true })`;
  });
  const path = await place.write(
    "inverted-dropout/notebooks/faulty.ipynb",
    notebookText(...sources, `throw new Error("on purpose")`),
  );
  const notebook = await open("notebooks/faulty.ipynb");
  await notebook.runAll().catch(() => {}); // the command fails with the cell
  const shown = await showCells(notebook, (await notebook.content()).cells);
  assertEquals(shown.map(({ badFormulas }) => badFormulas.length > 0), [true, true, true, false, false]);
  assertEquals(shown.map(({ errors }) => errors.length), [0, 0, 0, 0, 1]);
  await notebook.close();
  await Deno.remove(path);
});

// Sliders

const SLIDER = `
import * as Plot from "@observablehq/plot";
import { figure, slider } from "../lib/jupyter/mod.ts";
const frame = (p: number) => ({
  alt: \`p is \${p}\`, title: "A slider", marks: [Plot.line([[0, 0], [1, p]])], y: { domain: [0, 1] },
});
await figure(frame(0.25));
await slider({ label: "p", values: [0.25, 0.5, 1], frame });`;

const STATE = `(() => {
  const { value, ariaValueText } = document.querySelector("input[type=range]");
  const image = document.querySelector("[id^=slider-] img");
  return [value, ariaValueText, image.alt, image.naturalWidth];
})()`;

/** Moves the slider by keys, and asserts that it follows. */
async function assertSlides(page: OpenNotebook["page"]): Promise<void> {
  await page.until(`document.querySelector("[id^=slider-] img")?.complete`);
  const state = () => page.evaluate(STATE);
  assertEquals(await state(), ["0", "0.25", "p is 0.25", 640]);
  const { x, y, width, height } = await page.evaluate<DOMRectLike>(`(() => {
    const range = document.querySelector("input[type=range]");
    range.scrollIntoView({ block: "center" });
    return range.getBoundingClientRect().toJSON();
  })()`);
  await page.click(x + width - 5, y + height / 2);
  await page.until(`document.querySelector("input[type=range]").value === "2"`, 5);
  assertEquals(await state(), ["2", "1", "p is 1", 640]);
  for (
    const [key, expected] of [["ArrowLeft", "1"], ["ArrowDown", "0"], ["ArrowRight", "1"], ["ArrowUp", "2"]]
  ) {
    await page.press(key);
    assertEquals((await state() as string[])[0], expected, key);
  }
  await page.press("Home");
  assertEquals(await state(), ["0", "0.25", "p is 0.25", 640]);
}

interface DOMRectLike {
  x: number;
  y: number;
  width: number;
  height: number;
}

Deno.test("a slider: text in a notebook that is not trusted; after Run All and in nbconvert's HTML it slides", async (t) => {
  const path = join(place.clone, "notebooks", "slider.ipynb");
  const { notebook: executed } = await executeNotebook(parseNotebook(notebookText(SLIDER)), {
    cwd: join(place.clone, "notebooks"),
  });
  await Deno.writeTextFile(path, serializeNotebook(executed));
  const notebook = await open("notebooks/slider.ipynb");
  await t.step("not trusted: the figure, and a line of text", async () => {
    assertEquals(await assertPainted(notebook, executed.cells), 1);
    const text = await notebook.page.evaluate(
      `panel.content.node.querySelector(".jp-RenderedHTML").innerText`,
    );
    assert(String(text).startsWith("A slider belongs here, and scripts do not run"), String(text));
    assertEquals(await notebook.page.evaluate(`document.querySelectorAll("input[type=range]").length`), 0);
  });
  await t.step("after Run All", async () => {
    await notebook.runAll();
    await assertSlides(notebook.page);
    assertEquals(await notebook.page.evaluate("panel.content.activeCellIndex"), 0);
  });
  await notebook.close();
  await t.step("nbconvert's HTML", async () => {
    const made = await run("jupyter-nbconvert", ["--to", "html", path], { env: await place.env() });
    assert(made.success, made.text);
    const page = await browser.page(1000, 800);
    await page.open(`file://${path.replace(".ipynb", ".html")}`);
    await assertSlides(page);
    await page.close();
  });
});
