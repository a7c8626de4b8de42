/**
 * What notebook cells import: figures, values, formulas, tables and verdicts, all to be awaited.
 * @module
 */
import { describeOldDeno } from "./version.ts";

export { claim, markdown, progress, type Row, type Settled, show, table, tex } from "./display.ts";
export { colors, drawFigure, figure, type FigureOptions, type Picture } from "./figure.ts";
export { label, type SampleOptions, samples } from "./marks.ts";
export { slider, type SliderOptions } from "./slider.ts";

// Figures use Uint8Array.toBase64.
const problem = describeOldDeno("2.5");
if (problem) throw new Error(`A notebook's kernel ${problem}.`);
