/**
 * Dropout as ONNX's operator takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import { Mask } from "../mask.ts";
import type { RandomStream } from "../random/mod.ts";
import type { Shape, Tensor } from "../tensor/mod.ts";

/** Inputs of `onnxDropout`. */
export interface OnnxDropoutOptions {
  /** Drop probability, in [0, 1). Default 0.5. */
  ratio?: number;
  /** Default **false**: an operator that says nothing does not drop. */
  trainingMode?: boolean;
  /** The stream that the mask is drawn from; the operator has an attribute `seed` for it. */
  rng?: RandomStream;
}

/** Outputs of `onnxDropout`. */
export interface OnnxDropoutResult {
  /** Shaped like the input, of its type. */
  output: Tensor;
  /** True (1) where kept; all ones if nothing was dropped. */
  mask: Mask;
}

/**
 * The operator `Dropout` of ONNX since opset 12: `output = scale · data · mask` with `scale = 1/(1 − ratio)`.
 *
 * Of these frameworks it alone returns the mask, as an optional second output. Up to opset 11, `ratio` was an
 * attribute and inference the only mode.
 *
 * Source: https://onnx.ai/onnx/operators/onnx__Dropout.html
 *
 * @throws {RangeError} if `ratio` is NaN or outside [0, 1), in both modes, as ONNX Runtime checks it.
 * @throws {TypeError} if `ratio` is not a number, `trainingMode` not a boolean, or the stream is missing while training.
 */
export function onnxDropout(x: Tensor, options: OnnxDropoutOptions = {}): OnnxDropoutResult {
  checkOptions("onnxDropout", options, ["ratio", "trainingMode", "rng"]);
  const { ratio = 0.5, trainingMode = false, rng } = options;
  checkProbability("ONNX's ratio", ratio, "[0, 1)");
  checkFlag("ONNX's trainingMode", trainingMode);
  const { output, pass } = inverted("onnxDropout", x, ratio, { training: trainingMode, rng });
  return { output, mask: pass.mask ?? keepAll(x.shape) };
}

/** A mask of ones. */
function keepAll(shape: Shape): Mask {
  const size = shape.reduce((product, length) => product * length, 1);
  const bits = new Uint8Array(Math.ceil(size / 8)).fill(0xff);
  if (size % 8 !== 0) bits[bits.length - 1] = (1 << (size % 8)) - 1; // unused bits are 0
  return new Mask(bits, shape);
}
