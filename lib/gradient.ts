/**
 * Gradients by central differences, and a check of a backward pass against them.
 * @module
 */

import { checkFunction, checkOptions, checkRange, describe } from "./check.ts";
import { Layer } from "./layer.ts";
import { Tensor, zeros } from "./tensor/mod.ts";
import { checkTensor, sameNumbers } from "./tensor/tensor.ts";

/** Options of `gradcheck`. */
export interface GradcheckOptions {
  /** Largest relative error that passes. Default 10⁻⁶. */
  tolerance?: number;
  /**
   * Step of the differences, for entries of size 1. Default ∛ε ≈ 6·10⁻⁶, which balances rounding and curvature. Where an
   * entry is tiny beside the others, steps of up to 250 times as much are taken, too.
   */
  step?: number;
}

/** One entry of the Jacobian, as the two methods see it. */
export interface GradientEntry {
  /** What the output is differentiated by: "input", or the name of a parameter. */
  of: string;
  /** Flat index of the element of that. */
  input: number;
  /** Flat index of the output element. */
  output: number;
  /** What the backward pass says. */
  analytic: number;
  /** What the differences say; at a kink, the nearest slope between the two sides. */
  numeric: number;
  /** Their distance beyond rounding, relative to the larger of them. */
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

/** How much wider the steps of a second look are: ε^⅕ is best once curvature cancels. */
const WIDER = Number.EPSILON ** 0.2 / STEP;

/** Entries below this fraction of the largest are small enough for rounding to hide errors: they are looked at twice. */
const SMALL = 1e-4;

/** Slopes to the left and to the right that differ by more than this fraction show a kink, not curvature. */
const KINK = 1e-3;

/**
 * The gradient of `f` at `x` by central differences, (f(x+h) − f(x−h)) / 2h for each element.
 *
 * @example
 * ```ts
 * import { multiply, numericalGradient, sum, tensor } from "./mod.ts";
 *
 * console.log(numericalGradient((x) => sum(multiply(x, x)), tensor([1, 2])).toArray()); // close to [2, 4]
 * ```
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
  options: { step?: number } = {},
): Tensor {
  checkFunction("numericalGradient", f);
  checkFloat64("numericalGradient", x);
  checkOptions("numericalGradient", options, ["step"]);
  const { step = STEP } = options;
  checkStep("numericalGradient: step", step);
  const gradient = zeros(x.shape);
  for (let i = 0; i < x.size; i++) {
    const [left, right] = neighbours(x, i, step);
    const [low, high] = [f(left.x), f(right.x)];
    if (typeof low !== "number" || typeof high !== "number") {
      throw new TypeError(`numericalGradient needs a function that gives a number, got ${describe(low)}`);
    }
    gradient.data[i] = (high - low) / (right.at - left.at);
  }
  return gradient;
}

/**
 * Compares a backward pass with central differences, entry by entry of the Jacobian.
 *
 * A layer is checked for its input and for all parameters in it, in the mode that it is in. Masks and statistics are
 * frozen: before each forward pass all streams and buffers are put back, and in the end everything is.
 *
 * @example
 * ```ts
 * import { defaultRng, gradcheck, InvertedDropout, Linear, normal, Sequential, Tanh } from "./mod.ts";
 *
 * const rng = defaultRng(42);
 * const model = new Sequential(new Linear(4, 3, { rng }), new Tanh(), new InvertedDropout(0.5, { seed: 1 }));
 * console.log(gradcheck(model, normal([2, 4], { rng })).summary); // passed: 138 entries …
 * ```
 *
 * @param layer All its parameters are float64, and its streams can go back (`getState`, `setState`).
 * @param x float64, a shape that the layer takes.
 * @returns A report; nothing is thrown if the gradients disagree.
 * @throws {TypeError} if `x` or a parameter is not float64, or a gradient does not have the shape of its tensor.
 * @throws {Error} if two forward passes give different outputs for `x`.
 */
export function gradcheck(layer: Layer, x: Tensor, options?: GradcheckOptions): GradcheckReport;
/**
 * The same for a function and its backward pass.
 *
 * @param forward Must give the same output for the same input: for dropout, hold the mask fixed.
 * @param backward Gradient with respect to the output ↦ gradient with respect to the input, at the last `forward`.
 * @param x float64, any shape.
 */
export function gradcheck(
  forward: (x: Tensor) => Tensor | number,
  backward: (gradOutput: Tensor) => Tensor,
  x: Tensor,
  options?: GradcheckOptions,
): GradcheckReport;
export function gradcheck(...args: unknown[]): GradcheckReport {
  if (args[0] instanceof Layer && typeof args[1] !== "function") { // a layer may also stand for its forward function
    const [layer, x, options = {}] = args as [Layer, Tensor, GradcheckOptions?];
    checkFloat64("gradcheck", x);
    const restore = layer.snapshot();
    try {
      return check(ofLayer(layer, x, restore), options);
    } finally {
      restore();
    }
  }
  const [forward, backward, x, options = {}] = args as [
    (x: Tensor) => Tensor | number,
    (gradOutput: Tensor) => Tensor,
    Tensor,
    GradcheckOptions?,
  ];
  checkFunction("gradcheck: forward", forward);
  checkFunction("gradcheck: backward", backward);
  checkFloat64("gradcheck", x);
  return check({
    variables: [{ name: "input", value: x.clone() }], // a copy: `forward` may write to the tensor that was given
    forward: ([value]) => asTensor(forward(value)),
    backward: (gradOutput) => [backward(gradOutput)],
  }, options);
}

/** What is checked: an output as a function of several tensors, and the gradients for each of them. */
interface Checked {
  variables: { name: string; value: Tensor }[];
  forward: (values: Tensor[]) => Tensor;
  backward: (gradOutput: Tensor) => Tensor[];
}

function ofLayer(layer: Layer, x: Tensor, restore: () => void): Checked {
  const parameters = layer.parameters();
  for (const { name, value } of parameters) checkFloat64(`gradcheck: ${name}`, value);
  return {
    variables: [{ name: "input", value: x }, ...parameters].map(({ name, value }) => ({
      name,
      value: value.clone(),
    })),
    forward: ([input, ...values]) => {
      restore();
      parameters.forEach(({ value }, i) => value.data.set(values[i].data));
      return asTensor(layer.forward(input.clone()).clone()); // layers may write to what they get and gave
    },
    backward: (gradOutput) => {
      const gradInput = layer.backward(gradOutput).clone();
      return [gradInput, ...parameters.map(({ grad }) => grad.clone())];
    },
  };
}

function check(checked: Checked, options: GradcheckOptions): GradcheckReport {
  checkOptions("gradcheck", options, ["tolerance", "step"]);
  const { tolerance = 1e-6, step = STEP } = options;
  checkRange("gradcheck: tolerance", tolerance);
  checkStep("gradcheck: step", step);
  const { variables } = checked;
  const values = variables.map(({ value }) => value);
  const output = checked.forward(values);
  requireRepeatable(output, checked.forward(values));
  const analytic = analyticJacobian(checked, output);
  const rounding = 4 * Number.EPSILON * largestSize(output.data);
  const largest = largestSize(analytic.flat().map(largestSize));
  let worst: GradientEntry = { of: "input", input: 0, output: 0, analytic: 0, numeric: 0, relativeError: -1 };
  let kinks = 0;
  variables.forEach(({ name, value }, v) => {
    const forward = (moved: Tensor) => checked.forward(values.map((other, w) => v === w ? moved : other));
    for (let i = 0; i < value.size; i++) {
      const slopes = oneSidedSlopes(forward, value, i, output, step, rounding);
      let closer: ((j: number) => Slope) | undefined;
      const lookTwice = (j: number) => (closer ??= secondLook(forward, value, i, output, step, rounding))(j);
      for (let j = 0; j < output.size; j++) {
        const exact = analytic[j][v][i];
        const found = compare(exact, slopes[j], rounding, SMALL * largest, () => lookTwice(j));
        if (slopes[j].kink) kinks++;
        if (found.relativeError > worst.relativeError) {
          worst = { of: name, input: i, output: j, analytic: exact, ...found };
        }
      }
    }
  });
  const checkedEntries = output.size * values.reduce((total, { size }) => total + size, 0);
  const ok = checkedEntries > 0 && worst.relativeError <= tolerance;
  const summary = summarize(ok, worst, checkedEntries, kinks, tolerance);
  return { ok, worst, checked: checkedEntries, kinks, tolerance, summary };
}

/** A slope, and how far it may be off. */
interface Slope {
  numeric: number;
  noise: number;
}

/** One entry of the Jacobian beside its differences: a small one with a second look, if that is the surer one. */
function compare(
  exact: number,
  { left, right, h, kink }: Slopes,
  rounding: number,
  small: number,
  lookTwice: () => Slope,
): { numeric: number; relativeError: number } {
  let slope = { numeric: kink ? nearest(exact, left, right) : (left + right) / 2, noise: rounding / h };
  let floor = Number.MIN_VALUE;
  const isSmall = Math.max(Math.abs(exact), Math.abs(slope.numeric)) < small;
  if (isSmall && exact !== slope.numeric) {
    const look = kink ? undefined : lookTwice();
    const isSurer = look !== undefined && look.noise < slope.noise &&
      Math.abs(look.numeric - slope.numeric) <= look.noise + slope.noise;
    if (isSurer) slope = look;
    else floor = small; // at a kink, or where nothing is known so exactly
  }
  const distance = Math.max(0, Math.abs(exact - slope.numeric) - slope.noise);
  const scale = Math.max(Math.abs(exact), Math.abs(slope.numeric), floor);
  // NaN or Infinity in either gradient must not pass: it compares as the worst.
  return { numeric: slope.numeric, relativeError: Number.isFinite(distance) ? distance / scale : Infinity };
}

/**
 * The slopes at element i by Richardson's extrapolation from the steps h/2, h and 2h: their curvature cancels, so that h
 * may be a hundred times wider, and rounding matters a hundred times less.
 *
 * @returns For each output the slope, with what rounding, the rest of the curvature (how far two extrapolations differ)
 *   and a kink between the steps (second differences that do not shrink with the step) may have done to it.
 */
function secondLook(
  forward: (x: Tensor) => Tensor,
  x: Tensor,
  i: number,
  center: Tensor,
  step: number,
  rounding: number,
): (j: number) => Slope {
  const [half, once, twice] = [0.5, 1, 2].map((factor) => {
    const [below, above] = neighbours(x, i, factor * step * WIDER);
    const [low, high] = [forward(below.x).data, forward(above.x).data];
    const h = above.at - below.at;
    return {
      h,
      slope: (j: number) => (high[j] - low[j]) / h,
      bend: (j: number) => (high[j] - center.data[j] + (low[j] - center.data[j])) / h,
    };
  });
  return (j) => {
    const [near, middle, far] = [half.slope(j), once.slope(j), twice.slope(j)];
    const numeric = near + (near - middle) / 3;
    const curvature = Math.abs(numeric - (middle + (middle - far) / 3));
    const kink = Math.abs(once.bend(j) - 2 * half.bend(j));
    return { numeric, noise: 4 * rounding / half.h + curvature + kink };
  };
}

function summarize(
  ok: boolean,
  worst: GradientEntry,
  checked: number,
  kinks: number,
  tolerance: number,
): string {
  if (checked === 0) return "nothing to check: the input or the output is empty";
  const entry = `∂output[${worst.output}]/∂${worst.of}[${worst.input}]`;
  return `${ok ? "passed" : "FAILED"}: ${checked} entries${
    kinks > 0 ? ` (${kinks} at a kink)` : ""
  }; worst ${entry}: ` +
    `backward ${worst.analytic}, differences ${worst.numeric}, ` +
    `relative error ${worst.relativeError.toExponential(1)} (tolerance ${tolerance.toExponential(0)})`;
}

/** For output j, by one backward pass each: the gradients of all variables. */
function analyticJacobian({ variables, backward }: Checked, output: Tensor): Float64Array[][] {
  return Array.from({ length: output.size }, (_, j) => {
    const oneHot = zeros(output.shape);
    oneHot.data[j] = 1;
    return backward(oneHot).map((gradient, v) => {
      const { name, value } = variables[v];
      checkTensor(`gradcheck: the gradient of ${name}, as backward gives it,`, gradient, value.shape);
      return Float64Array.from(gradient.data);
    });
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
  forward: (x: Tensor) => Tensor,
  x: Tensor,
  i: number,
  center: Tensor,
  step: number,
  rounding: number,
): Slopes[] {
  const slopes = (size: number): Slopes[] => {
    const [below, above] = neighbours(x, i, size);
    const [low, high] = [forward(below.x), forward(above.x)];
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
  checkFloat64("gradcheck: the output", value);
  return value;
}

function checkFloat64(where: string, x: unknown): asserts x is Tensor {
  checkTensor(where, x);
  if (x.dtype !== "float64") {
    throw new TypeError(
      `${where} needs a float64 tensor, since differences of float32 keep 3 digits; got a ${x.dtype} tensor`,
    );
  }
}

function requireRepeatable(first: Tensor, second: Tensor): void {
  if (!sameNumbers(first, second)) {
    throw new Error(
      "gradcheck needs a function that repeats: two calls with the same input differ. Hold the mask fixed.",
    );
  }
}

function checkStep(name: string, step: unknown): void {
  checkRange(name, step);
  if (step === 0) throw new RangeError(`${name} must be greater than 0, got 0`);
}
