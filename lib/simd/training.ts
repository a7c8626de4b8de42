/**
 * What a step of training does element by element, by kernels. Each function returns false, and does nothing, where the
 * readable path has to serve.
 * @module
 */

import { type FloatArray, input, kernelsForPieces, output, update } from "./kernels.ts";
import { cut, inPieces } from "./pieces.ts";

/** Fewer elements than this are computed before they would be copied. */
const FEWEST = 256;

/** y = max(0, x), NaN for NaN. @param y As long as `x`, of its type; may be `x`. */
export function relu(x: FloatArray, y: FloatArray): boolean {
  const kernels = x.length < FEWEST ? undefined : kernelsForPieces(x, y);
  if (kernels === undefined) return false;
  const { reluF32, reluF64 } = kernels.functions;
  const kernel = x instanceof Float32Array ? reluF32 : reluF64;
  inPieces(kernels, [x, y], x.length, (start, end) => {
    kernels.call(
      [input(cut(x, start, end)), output(cut(y, start, end))],
      (x, y) => kernel(x, y, end - start),
    );
  });
  return true;
}

/** to = g where y > 0, else +0. @param y As long as `g`, of its type, like `to`, which may be `g`. */
export function reluGradient(g: FloatArray, y: FloatArray, to: FloatArray): boolean {
  const isOneType = y.constructor === g.constructor;
  const kernels = g.length < FEWEST || !isOneType ? undefined : kernelsForPieces(g, y, to);
  if (kernels === undefined) return false;
  const { reluGradientF32, reluGradientF64 } = kernels.functions;
  const kernel = g instanceof Float32Array ? reluGradientF32 : reluGradientF64;
  inPieces(kernels, [g, y, to], g.length, (start, end) => {
    const operands = [input(cut(g, start, end)), input(cut(y, start, end)), output(cut(to, start, end))];
    kernels.call(operands, (g, y, to) => kernel(g, y, to, end - start));
  });
  return true;
}

/** The numbers that a step of Adam needs, each rounded to float32. */
export interface AdamStep {
  /** The learning rate, corrected for the number of steps. */
  lr: number;
  /** Decay of the mean. */
  beta1: number;
  /** 1 − beta1. */
  alpha1: number;
  /** Decay of the mean square. */
  beta2: number;
  /** 1 − beta2. */
  alpha2: number;
  /** What the root of the mean square is divided by, for the number of steps. */
  root: number;
  /** Added to the root. */
  eps: number;
  /** Weight of the penalty. */
  decay: number;
}

/** A step of Adam in float32; all arrays but `g` change. */
export function adam(
  w: Float32Array,
  g: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  { lr, beta1, alpha1, beta2, alpha2, root, eps, decay }: AdamStep,
): boolean {
  const kernels = w.length < FEWEST ? undefined : kernelsForPieces(w, g, mean, square);
  if (kernels === undefined) return false;
  const { adamF32 } = kernels.functions;
  inPieces(kernels, [w, g, mean, square], w.length, (start, end) => {
    const [here, ...changed] = [g, w, mean, square].map((array) => cut(array, start, end));
    kernels.call([input(here), ...changed.map(update)], (g, w, mean, square) => {
      adamF32(w, g, mean, square, end - start, lr, beta1, alpha1, beta2, alpha2, root, eps, decay);
    });
  });
  return true;
}
