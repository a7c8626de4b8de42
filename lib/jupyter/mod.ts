/**
 * What notebook cells import: figures, values, formulas, tables and verdicts, all to be awaited.
 * @module
 */

export { claim, markdown, progress, type Row, show, table, tex, type Verdict } from "./display.ts";
export { colors, drawFigure, figure, type FigureOptions, type Picture } from "./figure.ts";
export { label, type SampleOptions, samples } from "./marks.ts";
export { slider, type SliderOptions } from "./slider.ts";
