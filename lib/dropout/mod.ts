/**
 * Dropout: standard (as first proposed), inverted (as everybody uses it), reproducible and keyed, as functions and as
 * layers.
 * @module
 */

export { applyMask, type DropoutOptions, type DropoutPass, type DropoutResult } from "./apply.ts";
export { InvertedDropout, invertedDropout, invertedDropoutBackward, survivorScale } from "./inverted.ts";
export { inferenceWeight, StandardDropout, standardDropout, standardDropoutBackward } from "./standard.ts";
export { iterationSeed, ReproducibleDropout } from "./reproducible.ts";
export { type ReproducibleDropoutOptions, type ReproducibleForwardOptions } from "./reproducible.ts";
export { KeyedDropout, type KeyedDropoutOptions } from "./keyed.ts";
export { GaussianDropout, gaussianDropout, gaussianDropoutBackward } from "./gaussian.ts";
export { type GaussianDropoutLayerOptions, type GaussianDropoutOptions } from "./gaussian.ts";
export { AlphaDropout, alphaDropout, alphaDropoutBackward } from "./alpha.ts";
export { DropoutLayer, dropoutOnly } from "./layer.ts";
export { type DropoutForwardOptions, type DropoutLayerOptions } from "./layer.ts";
export { type NoiseShape } from "./noise_shape.ts";
