/**
 * Dropout: standard (as first proposed) and inverted (as everybody uses it), as functions and as layers.
 * @module
 */

export { applyMask } from "./apply.ts";
export { InvertedDropout, invertedDropout, invertedDropoutBackward, survivorScale } from "./inverted.ts";
export {
  iterationSeed,
  ReproducibleDropout,
  type ReproducibleDropoutOptions,
  type ReproducibleForwardOptions,
} from "./reproducible.ts";
export { inferenceWeight, StandardDropout, standardDropout, standardDropoutBackward } from "./standard.ts";
export {
  DropoutLayer,
  type DropoutLayerOptions,
  type DropoutOptions,
  type DropoutResult,
  type StreamName,
} from "./layer.ts";
