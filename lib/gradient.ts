/**
 * Gradients by central differences, and a check of a backward pass against them.
 * @module
 */

import { Tensor, zeros } from "./tensor/mod.ts";
import { describe, formatShape, sameShape } from "./tensor/tensor.ts";

/** Options of `gradcheck`. */
export interface GradcheckOptions {
  /** Largest relative error that passes. Default 10⁻⁶. */
  tolerance?: number;
  /** Step of the differences, for entries of size 1. Default ∛ε ≈ 6·10⁻⁶, which balances rounding and curvature. */
  step?: number;
}

/** One entry of the Jacobian, as the two methods see it. */
export interface GradientEntry {
  /** Flat index of the input element. */
  input: number;
  /** Flat index of the output element. */
  output: number;
  /** What the backward pass says. */
  analytic: number;
  /** What the differences say; at a kink, the nearest slope between the two sides. */
  numeric: number;
  /** Their distance beyond rounding, relative to the larger of them (but at least 10⁻⁴ of the largest entry). */
  relativeError: number;
}

/** What `gradcheck` found. */
export interface GradcheckReport {
  /** True if every entry agrees within the tolerance. */
  ok: boolean;
  /** The entry that agrees least. */
  worst: GradientEntry;
  /** How many entries of the Jacobian were compared. */
  checked: number;
  /** How many of them lie on a kink, where any slope between the two one-sided ones is accepted. */
  kinks: number;
  /** The tolerance applied. */
  tolerance: number;
  /** The report in one sentence. */
  summary: string;
}

/** ∛ε for float64: the step at which rounding (ε/h) and curvature (h²) cost the same. */
const STEP = Math.cbrt(Number.EPSILON);

/** Slopes to the left and to the right that differ by more than this fraction show a kink, not curvature. */
const KINK = 1e-3;

/**
 * The gradient of `f` at `x` by central differences, (f(x+h) − f(x−h)) / 2h for each element.
 *
 * @param f A smooth function that gives the same number each time.
 * @param x float64, any shape. Not changed.
 * @param options.step For elements of size 1; larger elements get proportionally larger steps.
 * @returns A tensor shaped like `x`; its error is about 10⁻¹⁰ relative to f and its third derivative.
 * @throws {TypeError} if `x` is not float64.
 */
export function numericalGradient(
  f: (x: Tensor) => number,
  x: Tensor,
  { step = STEP }: { step?: number } = {},
): Tensor {
  requireFloat64("numericalGradient", x);
  const gradient = zeros(x.shape);
  for (let i = 0; i < x.size; i++) {
    const [left, right] = neighbours(x, i, step);
    gradient.data[i] = (f(right.x) - f(left.x)) / (right.at - left.at);
  }
  return gradient;
}

/**
 * Compares a backward pass with central differences, entry by entry of the Jacobian.
 *
 * @param forward Must give the same output for the same input: for dropout, hold the mask fixed.
 * @param backward Gradient with respect to the output ↦ gradient with respect to the input, at the last `forward`.
 * @param x float64, any shape.
 * @returns A report; nothing is thrown if the gradients disagree.
 * @throws {TypeError} if `x` is not float64, or a gradient does not have the input's shape.
 * @throws {Error} if `forward` gives two different outputs for `x`.
 */
export function gradcheck(
  forward: (x: Tensor) => Tensor | number,
  backward: (gradOutput: Tensor) => Tensor,
  x: Tensor,
  { tolerance = 1e-6, step = STEP }: GradcheckOptions = {},
): GradcheckReport {
  requireFloat64("gradcheck", x);
  const output = asTensor(forward(x));
  requireRepeatable(output, asTensor(forward(x)));
  const analytic = analyticJacobian(backward, x, output);
  const rounding = 4 * Number.EPSILON * largestSize(output.data);
  const slopes = Array.from(
    { length: x.size },
    (_, i) => oneSidedSlopes(forward, x, i, output, step, rounding),
  );
  const largest = Math.max(0, ...analytic.map(largestSize));
  let worst: GradientEntry = { input: 0, output: 0, analytic: 0, numeric: 0, relativeError: -1 };
  let kinks = 0;
  for (let i = 0; i < x.size; i++) {
    for (let j = 0; j < output.size; j++) {
      const { left, right, h, kink } = slopes[i][j];
      const numeric = kink ? nearest(analytic[j][i], left, right) : (left + right) / 2;
      const distance = Math.max(0, Math.abs(analytic[j][i] - numeric) - rounding / h);
      const scale = Math.max(Math.abs(analytic[j][i]), Math.abs(numeric), 1e-4 * largest, Number.MIN_VALUE);
      // NaN or Infinity in either gradient must not pass: it compares as the worst.
      const relativeError = Number.isFinite(distance) ? distance / scale : Infinity;
      if (kink) kinks++;
      if (relativeError > worst.relativeError) {
        worst = { input: i, output: j, analytic: analytic[j][i], numeric, relativeError };
      }
    }
  }
  const checked = x.size * output.size;
  const ok = checked > 0 && worst.relativeError <= tolerance;
  return { ok, worst, checked, kinks, tolerance, summary: summarize(ok, worst, checked, kinks, tolerance) };
}

function summarize(
  ok: boolean,
  worst: GradientEntry,
  checked: number,
  kinks: number,
  tolerance: number,
): string {
  if (checked === 0) return "nothing to check: the input or the output is empty";
  const entry = `∂output[${worst.output}]/∂input[${worst.input}]`;
  return `${ok ? "passed" : "FAILED"}: ${checked} entries${
    kinks > 0 ? ` (${kinks} at a kink)` : ""
  }; worst ${entry}: ` +
    `backward ${worst.analytic}, differences ${worst.numeric}, ` +
    `relative error ${worst.relativeError.toExponential(1)} (tolerance ${tolerance.toExponential(0)})`;
}

/** Row j: the gradient of output j, by one backward pass each. */
function analyticJacobian(backward: (g: Tensor) => Tensor, x: Tensor, output: Tensor): Float64Array[] {
  return Array.from({ length: output.size }, (_, j) => {
    const oneHot = zeros(output.shape);
    oneHot.data[j] = 1;
    const gradInput = backward(oneHot);
    if (!sameShape(gradInput.shape, x.shape)) {
      throw new TypeError(
        `backward must return the input's shape, ${formatShape(x.shape)}, got ${
          formatShape(gradInput.shape)
        }`,
      );
    }
    return Float64Array.from(gradInput.data);
  });
}

/** The largest absolute value, 0 if there is none. */
function largestSize(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

interface Slopes {
  left: number;
  right: number;
  /** The step that they were taken with. */
  h: number;
  /** True if left and right differ by more than curvature and rounding explain. */
  kink: boolean;
}

/** For each output: the slope to the left and to the right of input i; with a smaller step if they disagree. */
function oneSidedSlopes(
  forward: (x: Tensor) => Tensor | number,
  x: Tensor,
  i: number,
  center: Tensor,
  step: number,
  rounding: number,
): Slopes[] {
  const slopes = (size: number): Slopes[] => {
    const [below, above] = neighbours(x, i, size);
    const [low, high] = [asTensor(forward(below.x)), asTensor(forward(above.x))];
    const h = above.at - x.data[i];
    return Array.from(center.data, (middle, j) => {
      const left = (middle - low.data[j]) / (x.data[i] - below.at);
      const right = (high.data[j] - middle) / h;
      const jump = Math.abs(right - left);
      return { left, right, h, kink: jump > KINK * Math.max(Math.abs(left), Math.abs(right)) + rounding / h };
    });
  };
  const wide = slopes(step);
  if (!wide.some(({ kink }) => kink)) return wide;
  const narrow = slopes(step / 100);
  return wide.map((slope, j) => slope.kink ? lookCloser(slope, narrow[j]) : slope);
}

/** What disagreed with the wide step: a kink at x, a kink beside x, or a smooth extremum. */
function lookCloser(wide: Slopes, narrow: Slopes): Slopes {
  if (!narrow.kink) return narrow; // the kink lies beside x
  const curvature = Math.abs(narrow.right - narrow.left) < 0.1 * Math.abs(wide.right - wide.left);
  return curvature ? { ...wide, kink: false } : narrow; // curvature shrinks with the step, a kink does not
}

/** The number between `a` and `b` that is nearest to `value`. */
function nearest(value: number, a: number, b: number): number {
  return Math.min(Math.max(value, Math.min(a, b)), Math.max(a, b));
}

/** `x` with element i moved down and up, and where the element really is after rounding. */
function neighbours(x: Tensor, i: number, step: number): { x: Tensor; at: number }[] {
  const h = step * Math.max(1, Math.abs(x.data[i]));
  return [-h, h].map((move) => {
    const moved = x.clone();
    moved.data[i] += move;
    return { x: moved, at: moved.data[i] };
  });
}

function asTensor(value: Tensor | number): Tensor {
  if (typeof value === "number") return new Tensor(Float64Array.of(value), []);
  requireFloat64("gradcheck", value);
  return value;
}

function requireFloat64(name: string, x: Tensor): void {
  if (!(x instanceof Tensor) || x.dtype !== "float64") {
    const came = x instanceof Tensor ? `a ${x.dtype} tensor` : describe(x);
    throw new TypeError(
      `${name} needs a float64 tensor, since differences of float32 keep 3 digits; got ${came}`,
    );
  }
}

function requireRepeatable(first: Tensor, second: Tensor): void {
  if (first.data.some((value, j) => !Object.is(value, second.data[j]))) {
    throw new Error(
      "gradcheck needs a function that repeats: two calls with the same input differ. Hold the mask fixed.",
    );
  }
}
