/**
 * A notebook in JupyterLab, as its reader sees it.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { JsonObject } from "../../lib/jupyter/executor/notebook.ts";
import { pixels } from "../png.ts";
import type { Box, Browser, Page } from "./browser.ts";
import { freePort, type Place, Server } from "./environment.ts";

/** Options that any JupyterLab of these tests gets, also behind JupyterHub. */
export const LAB_OPTIONS: readonly string[] = [
  "--LabApp.expose_app_in_browser=True", // so that a script can give the commands of the menus
  ...(Deno.uid() === 0 ? ["--ServerApp.allow_root=True"] : []),
];

/** `deno task lab` in the place's copy of the project; it can be opened without a password. */
export async function startLab(place: Place): Promise<Server> {
  const port = freePort();
  const options = ["--no-browser", `--ServerApp.port=${port}`, "--IdentityProvider.token=", ...LAB_OPTIONS];
  return await Server.start(
    [Deno.execPath(), "task", "lab", ...options],
    `http://127.0.0.1:${port}/lab`,
    { cwd: place.clone, env: await place.env(), log: join(place.path, "lab.log") },
  );
}

/** What an opened notebook shows in one cell. */
export interface ShownCell {
  /** Whether its outputs may run scripts. */
  trusted: boolean;
  /** "[3]:", or "[*]:" while it runs; "" for text. */
  prompt: string;
  /** How many formulas were typeset, and how many outputs are formulas. */
  formulas: number;
  formulaOutputs: number;
  /** Formulas with an error, or with a command that MathJax does not know, and TeX that was not typeset. */
  badFormulas: string[];
  /** Errors of the cell, or of what shows it. */
  errors: string[];
  /** How many pictures there are. */
  pictures: number;
}

type Theme = "JupyterLab Light" | "JupyterLab Dark";

/** An opened notebook. */
export class OpenNotebook {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens a notebook in a page of its own, which is as wide as a laptop's window, at two pixels per unit. */
  static async open(browser: Browser, lab: string, path: string): Promise<OpenNotebook> {
    const page = await browser.page(1400, 1000, 2);
    await page.open(`${lab}/workspaces/w${crypto.randomUUID().slice(0, 8)}/tree/${path}`);
    return await OpenNotebook.opened(page);
  }

  /** The notebook that a page is about to show, when it is there and its kernel has been chosen. */
  static async opened(page: Page): Promise<OpenNotebook> {
    await page.until("globalThis.jupyterapp?.shell.currentWidget?.context?.isReady");
    await page.evaluate(`(async () => {
      globalThis.panel = jupyterapp.shell.currentWidget;
      await panel.revealed;
      await panel.sessionContext.ready;
    })()`);
    return new OpenNotebook(page);
  }

  /** Gives a command of JupyterLab's menus, and waits until it is done. */
  async command(name: string, args: JsonObject = {}): Promise<void> {
    await this.page.evaluate(`jupyterapp.commands.execute(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
  }

  /** Run > Run All Cells; waits until all have run. */
  async runAll(): Promise<void> {
    await this.command("notebook:run-all-cells");
    await this.page.until(
      "panel.content.widgets.every((cell) => !cell.promptNode?.textContent.includes('*'))",
    );
  }

  async setTheme(theme: Theme): Promise<void> {
    await this.command("apputils:change-theme", { theme });
    await this.page.until(`document.body.dataset.jpThemeName === ${JSON.stringify(theme)}`);
  }

  /** The notebook as JupyterLab would save it. */
  async content(): Promise<{ cells: JsonObject[] }> {
    return await this.page.evaluate("panel.content.model.toJSON()");
  }

  /** The name of the kernel, as the notebook's corner shows it. */
  async kernel(): Promise<string> {
    return await this.page.evaluate("panel.sessionContext.kernelDisplayName");
  }

  /** Questions that JupyterLab asks before anything else can be done. */
  async dialogs(): Promise<string[]> {
    return await this.page.evaluate(`[...document.querySelectorAll(".jp-Dialog")].map((e) => e.innerText)`);
  }

  /** Scrolls to a cell, and tells what it shows once it has been drawn. */
  async cell(index: number): Promise<ShownCell> {
    return await this.page.evaluate(`(async () => {
      const cell = panel.content.widgets[${index}];
      await panel.content.scrollToItem(${index}, "start");
      await cell.ready;
      const all = (selector) => [...cell.node.querySelectorAll(selector)];
      const formulas = ".jp-RenderedLatex";
      const typeset = () => all(formulas).every((e) => e.querySelector("mjx-container"));
      for (let i = 0; i < 100 && !typeset(); i++) await new Promise((go) => setTimeout(go, 50));
      await Promise.all(all(".jp-RenderedImage img").map((image) => image.decode().catch(() => {})));
      const texts = all(".jp-RenderedMarkdown, " + formulas);
      return {
        trusted: cell.model.trusted,
        prompt: cell.promptNode?.textContent ?? "",
        formulas: all("mjx-container").length,
        formulaOutputs: all(formulas).length,
        badFormulas: [
          ...all("mjx-merror, [data-mjx-error], mtext[mathcolor=red]").map((e) => e.textContent),
          ...texts.map((e) => e.innerText.match(/\\$[^$\\n]+\\$/)?.[0]).filter((text) => text),
        ],
        errors: all("[data-mime-type*=error], [data-mime-type*=stderr], .jp-RenderedHTMLCommon .jp-mod-error")
          .map((e) => e.innerText),
        pictures: all(".jp-RenderedImage img").length,
      };
    })()`);
  }

  /** Scrolls to a picture; where it is in the window. */
  async picture(cell: number, index: number): Promise<Box> {
    return await this.page.evaluate(`(async () => {
      const image = panel.content.widgets[${cell}].node.querySelectorAll(".jp-RenderedImage img")[${index}];
      image.scrollIntoView({ block: "center" });
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
      const { x, y, width, height } = image.getBoundingClientRect();
      return { x, y, width, height };
    })()`);
  }

  /** Ends the notebook's kernel and closes the page. */
  async close(): Promise<void> {
    await this.page.evaluate("panel.sessionContext.shutdown()");
    await this.page.close();
  }
}

/** Squares of the comparison, in pixels of the screen. */
const SQUARE = 32;

/**
 * How far the brightest or darkest part of a painted picture is from what it should be.
 *
 * @returns The largest difference between the mean brightness of two squares of 32 pixels, from 0 to 255. A shift by a
 *   fraction of a pixel in each direction changes at most 2 of 32 rows and columns: 16 at worst.
 */
export async function worstDifference(
  painted: Uint8Array<ArrayBuffer>,
  png: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const [one, other] = [await pixels(painted), await pixels(png)];
  const [columns, rows] = [one, other].map(({ width, height }) =>
    [width / SQUARE, height / SQUARE].map(Math.floor)
  )
    .reduce(([a, b], [c, d]) => [Math.min(a, c), Math.min(b, d)]);
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = [column * SQUARE, row * SQUARE] as const;
      worst = Math.max(worst, Math.abs(brightness(one, ...at) - brightness(other, ...at)));
    }
  }
  return worst;
}

function brightness({ rgba, width }: { rgba: Uint8Array; width: number }, x: number, y: number): number {
  let sum = 0;
  for (let row = y; row < y + SQUARE; row++) {
    for (let i = 4 * (row * width + x), end = i + 4 * SQUARE; i < end; i += 4) {
      sum += rgba[i] + rgba[i + 1] + rgba[i + 2];
    }
  }
  return sum / (3 * SQUARE * SQUARE);
}

/** The largest difference that a shift by a fraction of a pixel explains. */
export const SHIFTED = 16;

/** Asserts that every picture of the cells is painted as its file says, and returns how many there are. */
export async function assertPainted(notebook: OpenNotebook, cells: readonly JsonObject[]): Promise<number> {
  let count = 0;
  for (const [i, cell] of cells.entries()) {
    const pngs = picturesOf(cell);
    if (pngs.length === 0) continue;
    assertEquals((await notebook.cell(i)).pictures, pngs.length, `pictures of cell ${i + 1}`);
    for (const [k, png] of pngs.entries()) {
      const box = await notebook.picture(i, k);
      const difference = await worstDifference(await notebook.page.screenshot(box), png);
      assert(
        difference <= SHIFTED,
        `cell ${i + 1}, picture ${k + 1}: painted otherwise, by ${difference} of 255`,
      );
      count++;
    }
  }
  return count;
}

/** The pictures among a cell's outputs. */
export function picturesOf(cell: JsonObject): Uint8Array<ArrayBuffer>[] {
  const outputs = (cell.outputs ?? []) as { data?: Record<string, string> }[];
  return outputs.map((output) => output.data?.["image/png"]).filter((png) => png !== undefined)
    .map((png) => Uint8Array.fromBase64(png.replaceAll("\n", "")));
}
