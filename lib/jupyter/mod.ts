/**
 * What notebook cells import: figures, values, formulas, tables and verdicts, all to be awaited.
 * @module
 */

export { claim, markdown, progress, type Row, type Settled, show, table, tex } from "./display.ts";
export { colors, drawFigure, figure, type FigureOptions, type Picture } from "./figure.ts";
export { label, type SampleOptions, samples } from "./marks.ts";
