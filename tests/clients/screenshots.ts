/**
 * Pictures of every notebook, to be looked at: deno run -A tests/clients/screenshots.ts FOLDER [names…]
 *
 * In JupyterLab, light and dark, window by window; 390 pixels wide; and printed, as nbconvert's HTML, which
 * JupyterLab prints, too.
 * @module
 */

import { basename, join } from "@std/path";
import { findNotebooks, NOTEBOOKS } from "../../lib/jupyter/executor/command.ts";
import { Browser, type Page } from "./browser.ts";
import { needChromium, Place, run } from "./environment.ts";
import { OpenNotebook, startLab } from "./lab.ts";

const PANEL = ".jp-WindowedPanel-outer";

/** One picture for each windowful of an opened notebook. */
async function photograph({ page }: OpenNotebook, name: string): Promise<void> {
  await page.evaluate(`document.querySelector("${PANEL}").scrollTop = 0`);
  for (let i = 0, end = false; !end; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300)); // formulas and editors come as they are scrolled to
    await Deno.writeFile(`${name}_${String(i).padStart(2, "0")}.png`, await page.screenshot());
    end = await page.evaluate(`(() => {
      const panel = document.querySelector("${PANEL}");
      const before = panel.scrollTop;
      panel.scrollTop += panel.clientHeight - 40;
      return panel.scrollTop === before;
    })()`);
  }
}

/** Wider than the window: which cells scroll sideways, and by how many pixels. */
async function overflow(page: Page): Promise<string> {
  return await page.evaluate(`panel.content.widgets.flatMap((cell, i) =>
    [...cell.node.querySelectorAll(".cm-scroller, .jp-OutputArea-output, .jp-RenderedMarkdown")]
      .filter((e) => e.scrollWidth > e.clientWidth + 1)
      .map((e) => "cell " + (i + 1) + ": " + (e.scrollWidth - e.clientWidth))).join(", ")`);
}

const [folder, ...names] = Deno.args;
if (folder === undefined) {
  console.error("Where to? deno run -A tests/clients/screenshots.ts FOLDER [names…]");
  Deno.exit(2);
}
const chromium = await needChromium();
await Deno.mkdir(folder, { recursive: true });
await using place = await Place.make();
await using lab = await startLab(place);
await using browser = await Browser.start(chromium);
for (const path of await findNotebooks(names, NOTEBOOKS)) {
  const file = basename(path);
  const name = (kind: string) => join(folder, `${file.slice(0, 2)}_${kind}`);
  const notebook = await OpenNotebook.open(browser, lab.url, `notebooks/${file}`);
  await notebook.page.resize(1400, 1000);
  await photograph(notebook, name("light"));
  console.log(`${file}, wider than the window: ${await overflow(notebook.page) || "nothing"}`);
  await notebook.setTheme("JupyterLab Dark");
  await photograph(notebook, name("dark"));
  await notebook.setTheme("JupyterLab Light");
  await notebook.page.resize(390, 844, 2);
  await notebook.command("application:toggle-left-area");
  await photograph(notebook, name("narrow"));
  await notebook.close();

  const html = join(place.path, "html");
  const copy = join(place.clone, "notebooks", file);
  await run("jupyter-nbconvert", ["--to", "html", "--output-dir", html, copy], { env: await place.env() });
  const page = await browser.page(1000, 1000);
  await page.open(`file://${join(html, file.replace(".ipynb", ".html"))}`);
  await page.until(`document.readyState === "complete"`);
  await Deno.writeFile(name("print.pdf"), await page.pdf());
  await page.close();
}
