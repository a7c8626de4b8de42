/**
 * Marks that figures here use again and again: samples with error bars, and labels in place of legends.
 * @module
 */

import * as Plot from "@observablehq/plot";

/** Which properties of a sample say where it lies and how sure it is. */
export interface SampleOptions<T> {
  /** Horizontal position. */
  x: keyof T & string;
  /** Vertical position. */
  y: keyof T & string;
  /** Standard error of y; the bar reaches two of them up and down. */
  standardError: keyof T & string;
  /** A colour, or the property that it is taken from. */
  fill: string;
  /** The facet, side by side, if there are several. */
  fx?: keyof T & string;
}

/** Samples as dots, with bars of ± 2 standard errors. */
export function samples<T>(data: readonly T[], options: SampleOptions<T>): Plot.Markish[] {
  const { x, y, standardError, fill, fx } = options;
  const facet = fx === undefined ? {} : { fx };
  const at = (errors: number) => (sample: T) => Number(sample[y]) + errors * Number(sample[standardError]);
  return [
    Plot.link(data, { x1: x, x2: x, y1: at(-2), y2: at(2), stroke: fill, ...facet }),
    Plot.dot(data, { x, y, fill, r: 3.5, ...facet }),
  ];
}

/** A label at a point of the drawing, in the colour of what it names. */
export function label(x: number, y: number, text: string, options: Plot.TextOptions = {}): Plot.Markish {
  return Plot.text([text], { x: [x], y: [y], text: [text], textAnchor: "start", ...options });
}
