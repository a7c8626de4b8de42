/**
 * Sliders: figures drawn beforehand, one for each value, in one output that switches between them.
 *
 * The Deno kernel takes no messages from widgets, and who only reads a notebook has no kernel. So all is in the
 * output: the figures as SVG, and a script that shows one of them at a time. Where scripts do not run (GitHub, a
 * notebook that JupyterLab does not trust), a line of text says so: show a figure above it.
 * @module
 */

import { checkFunction, checkOptions, describe } from "../check.ts";
import { display } from "./display.ts";
import { composeFigure, type FigureOptions } from "./figure.ts";

/** The largest output that a slider makes, in bytes of HTML. */
const LARGEST = 150_000;

/** What a slider needs. */
export interface SliderOptions<Value extends number | string> {
  /** What is moved, in words: "drop probability p". */
  label: string;
  /** The positions, from left to right; it begins at the first. Nine or ten figures are about what fits. */
  values: readonly Value[];
  /** The figure for a value. Give all the same axes, so that only what changes moves. */
  frame: (value: Value) => FigureOptions;
}

/**
 * Shows figures with a slider that switches between them: moved by mouse or by keys, and read aloud by screen readers.
 * The same options give the same bytes.
 *
 * @throws {TypeError} if the label is missing, there are fewer than 2 values, or a figure lacks its title or alt.
 * @throws {RangeError} if the output would be larger than 150 KB.
 */
export async function slider<Value extends number | string>(options: SliderOptions<Value>): Promise<void> {
  checkOptions("slider", options, ["label", "values", "frame"]);
  const { label, values, frame } = options;
  if (typeof label !== "string" || label.trim() === "") {
    throw new TypeError(`A slider needs a label, what is moved in words, got ${describe(label)}`);
  }
  if (!Array.isArray(values) || values.length < 2) {
    const got = Array.isArray(values) ? values.length : describe(values);
    throw new TypeError(`A slider needs an array of at least 2 values, got ${got}`);
  }
  checkFunction("slider's frame", frame);
  const steps = values.map((value) => {
    const figure = frame(value);
    return { value: String(value), alt: figure.alt, svg: withoutCounters(composeFigure(figure).markup) };
  });
  const html = await page(label, steps);
  const { size } = new Blob([html]);
  if (size > LARGEST) {
    const got = `these ${values.length} figures take ${Math.ceil(size / 1000)} KB`;
    throw new RangeError(
      `A slider takes at most ${LARGEST / 1000} KB, ${got}: give it fewer values, or figures of fewer marks`,
    );
  }
  await display({
    "text/html": html,
    "text/plain": [`Slider: ${label}`, ...steps.map(({ value, alt }) => `${value}: ${alt}`)].join("\n"),
  });
}

/** One position of a slider. */
interface Step {
  value: string;
  alt: string;
  svg: string;
}

/** Plot numbers the clips of all figures of a process: here, each figure's begin at 1. */
function withoutCounters(svg: string): string {
  const seen: string[] = [];
  return svg.replaceAll(/plot-clip-\d+/g, (id) => {
    if (!seen.includes(id)) seen.push(id);
    return `plot-clip-${seen.indexOf(id) + 1}`;
  });
}

/** The output: text, which the script replaces if it may run. */
async function page(label: string, steps: Step[]): Promise<string> {
  const json = JSON.stringify({ label, steps }).replaceAll("<", "\\u003c"); // "</script>" would end the script
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(json));
  const id = `slider-${new Uint8Array(digest, 0, 6).toHex()}`;
  return `<div id="${id}"><p>A slider belongs here, and scripts do not run: run the cell, or trust the notebook. ` +
    `The figure above shows one of its positions.</p></div>\n` +
    `<script>(${SCRIPT})(${JSON.stringify(id)}, ${json});</script>`;
}

/**
 * Runs in the reader's browser. An id occurs twice where a notebook is shown in two views: so all of its elements are
 * looked for. JupyterLab moves on to the next cell when it sees an arrow key: so it must not see the slider's.
 */
const SCRIPT = `(id, { label, steps }) => {
  const set = (element, attributes) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const make = (name, attributes) => set(document.createElement(name), attributes);
  for (const root of document.querySelectorAll("#" + id)) {
    if (root.querySelector("input")) continue;
    const caption = make("label", {});
    const range = make("input", { type: "range", min: 0, max: steps.length - 1, value: 0 });
    set(range, { style: "width:20em;max-width:60%;vertical-align:middle;margin:0 0.8em" });
    const shown = make("span", { "aria-hidden": true });
    const image = make("img", { style: "display:block;max-width:100%" });
    const show = () => {
      const { value, alt, svg } = steps[range.value];
      shown.textContent = value;
      set(range, { "aria-valuetext": value });
      set(image, { alt, src: "data:image/svg+xml," + encodeURIComponent(svg) });
    };
    range.addEventListener("input", show);
    window.addEventListener("keydown", (event) => {
      if (event.target === range) event.stopImmediatePropagation();
    }, true);
    show();
    caption.append(label, range, shown);
    root.replaceChildren(caption, image);
  }
}`;
