/**
 * Figures: drawn by Observable Plot, shown as PNG, which every notebook program and converter displays.
 * @module
 */

import * as Plot from "@observablehq/plot";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import resvgWasm from "@resvg/resvg-wasm/index_bg.wasm" with { type: "bytes" };
import regular from "dejavu-fonts-ttf/ttf/DejaVuSans.ttf" with { type: "bytes" };
import bold from "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf" with { type: "bytes" };
import { parseHTML } from "linkedom";
import { display } from "./display.ts";

/** What a figure needs beside the options of `Plot.plot`. */
export interface FigureOptions extends Plot.PlotOptions {
  /** What the figure shows, in words, for those who do not see it. */
  alt: string;
  /** Above the drawing: what it shows. */
  title: string;
  /** Below the drawing: how it was made (n, seed, ± standard error). */
  caption?: string;
}

/** A figure as bytes. */
export interface Picture {
  /** PNG, at two pixels per unit. */
  png: Uint8Array<ArrayBuffer>;
  /** Width in CSS pixels. */
  width: number;
  /** Height in CSS pixels. */
  height: number;
}

/** Colours that colour-blind readers can tell apart (M. Okabe and K. Ito, 2008); text in them is drawn darker. */
export const colors = {
  blue: "#0072B2",
  orange: "#D55E00",
  green: "#009E73",
  pink: "#CC79A7",
  sky: "#56B4E9",
  gold: "#E69F00",
  grey: "#666666",
} as const;

const FONT = "DejaVu Sans";
const FAMILY = `${FONT}, sans-serif`;
const MARGIN = 16;
const TITLE = { size: 15, line: 20, weight: "bold", fill: "#222", unit: 10 };
const CAPTION = { size: 11, line: 15, weight: "normal", fill: "#555", unit: 6.6 };

let ready: Promise<unknown> | undefined;

/**
 * Draws a figure and shows it in the notebook.
 *
 * @param options `alt`, `title`, `caption`, and everything that `Plot.plot` takes. Titles, captions and legends of
 *   Plot's own are HTML and would be lost in a picture: use these, and text marks at the lines.
 */
export async function figure(options: FigureOptions): Promise<void> {
  const { png, width, height } = await drawFigure(options);
  const text = describeFigure(options);
  await display({ "image/png": toBase64(png), "text/plain": text }, {
    "image/png": { width, height, alt: text }, // where nbconvert looks for it; VS Code reads the text
  });
}

/** What there is to read in a figure, and what there is to see: title, alt text and caption, a line each. */
export function describeFigure({ alt, title, caption = "" }: FigureOptions): string {
  return [title, alt, caption].filter((line) => line !== "").join("\n");
}

/**
 * Draws a figure: the same options give the same bytes on every machine, since font and renderer come along.
 *
 * @throws {TypeError} if alt or title is missing.
 */
export async function drawFigure(options: FigureOptions): Promise<Picture> {
  const svg = composeFigure(options);
  ready ??= initWasm(resvgWasm);
  await ready;
  const image = new Resvg(svg.markup, {
    font: {
      loadSystemFonts: false,
      fontBuffers: [regular, bold],
      defaultFontFamily: FONT,
      sansSerifFamily: FONT,
    },
    fitTo: { mode: "zoom", value: 2 },
  });
  const rendered = image.render();
  const png = new Uint8Array(rendered.asPng());
  rendered.free();
  image.free();
  return { png, width: svg.width, height: svg.height };
}

/** A figure as markup. */
export interface Drawing {
  /** SVG, which names the font and does not hold it: where that is missing, another one without serifs serves. */
  markup: string;
  /** Width in CSS pixels. */
  width: number;
  /** Height in CSS pixels. */
  height: number;
}

/**
 * Title, drawing and caption in one SVG, which is a picture in a browser, too.
 *
 * @throws {TypeError} if alt or title is missing.
 */
export function composeFigure({ alt, title, caption = "", ...plot }: FigureOptions): Drawing {
  if (!alt?.trim() || !title?.trim()) {
    throw new TypeError("A figure needs a title, and alt: what it shows, in words");
  }
  const { width = 640, height = 340 } = plot;
  const titleLines = wrap(title, (width - 2 * MARGIN) / TITLE.unit);
  const captionLines = wrap(caption, (width - 2 * MARGIN) / CAPTION.unit);
  const top = 12 + titleLines.length * TITLE.line;
  const bottom = captionLines.length * CAPTION.line + (captionLines.length > 0 ? 10 : 0);
  const total = top + height + bottom;
  const markup =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}">` +
    `<rect width="100%" height="100%" fill="#fff"/>` +
    textLines(titleLines, 26, TITLE) +
    `<g transform="translate(0,${top})" color="#222" fill="#222">${drawing(plot, width, height)}</g>` +
    textLines(captionLines, top + height + 14, CAPTION) +
    `</svg>`;
  return { markup, width, height: total };
}

/** Plot's own SVG, without the style sheet that the renderer would not understand. */
function drawing(plot: Plot.PlotOptions, width: number, height: number): string {
  const { document } = parseHTML("<!doctype html><html></html>") as unknown as Required<Plot.PlotOptions>;
  const svg = Plot.plot({
    marginTop: 28,
    marginBottom: 44,
    marginLeft: 56,
    ...plot,
    width,
    height,
    document,
    figure: false,
    style: { fontFamily: FAMILY, fontSize: "12px", color: "#222", background: "#fff" },
  } as Plot.PlotOptions);
  svg.querySelector("style")?.remove();
  for (const mark of svg.querySelectorAll('[aria-label="text"]')) darken(mark);
  for (const label of svg.querySelectorAll('[aria-label="y-axis label"]')) alignWithTitle(label);
  return svg.outerHTML.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ');
}

/** As much of linkedom's elements as is used here. */
interface SvgElement {
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  querySelector(selector: string): SvgElement | null;
  querySelectorAll(selector: string): Iterable<SvgElement>;
}

/** Text as thin as a letter needs more contrast than a line or a dot. */
function darken(mark: SvgElement): void {
  for (const element of [mark, ...mark.querySelectorAll("text")]) {
    const fill = element.getAttribute("fill") ?? "";
    if (Object.values<string>(colors).includes(fill)) element.setAttribute("fill", textColor(fill));
  }
}

/** The least contrast of text that WCAG 2.2 asks for, §1.4.3. */
const LEAST_CONTRAST = 4.5;

/**
 * The colour for text that names what is drawn in a colour: the same hue, dark enough on white.
 *
 * @param color As `#rrggbb`.
 */
export function textColor(color: string): string {
  const channels = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  for (let percent = 100;; percent--) {
    const darker = channels.map((value) => Math.round(value * percent / 100));
    if (1.05 / (luminance(darker) + 0.05) >= LEAST_CONTRAST) {
      return "#" + darker.map((value) => value.toString(16).padStart(2, "0")).join("");
    }
  }
}

/** Relative luminance of sRGB, from 0 to 1. Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(channels: readonly number[]): number {
  const [r, g, b] = channels.map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Moves the label above an axis to where the title begins. */
function alignWithTitle(label: SvgElement): void {
  const x = Number(label.querySelector("text")?.getAttribute("transform")?.match(/\(([^,]+),/)?.[1]);
  const moved = label.getAttribute("transform")?.replace(/\([^,]+,/, `(${MARGIN - x},`);
  if (moved && label.getAttribute("text-anchor") === "start") label.setAttribute("transform", moved);
}

function textLines(lines: string[], y: number, style: typeof TITLE): string {
  return lines.map((line, i) =>
    `<text x="${MARGIN}" y="${y + i * style.line}" font-family="${FAMILY}" font-size="${style.size}" ` +
    `font-weight="${style.weight}" fill="${style.fill}">${escapeXml(line)}</text>`
  ).join("");
}

/** Breaks at spaces, so that no line is wider than `limit` average letters. */
function wrap(text: string, limit: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    const extended = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && widthOf(extended) <= limit) lines[lines.length - 1] = extended;
    else lines.push(word);
  }
  return lines;
}

/** Roughly, in average letters of DejaVu Sans: capitals and signs are wider, thin letters and points narrower. */
function widthOf(text: string): number {
  return [...text].reduce(
    (width, letter) =>
      width + (/[A-Zmw%@…→√]/.test(letter) ? 1.3 : /[ijlt.,:;'|! ()⁰-⁹]/.test(letter) ? 0.6 : 1),
    0,
  );
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function toBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}
