/**
 * Dropout: standard (as first proposed), inverted (as everybody uses it), reproducible and keyed; and its relatives with
 * Gaussian noise and for SELU networks. All as functions and as layers.
 *
 * All of them take a `noiseShape`, the shape in which decisions are drawn: 1 where elements share one, `null` where it
 * follows the input's size. It is aligned with the input at the end, as in broadcasting. What others have a name for:
 *
 * | elsewhere | input | `noiseShape` |
 * |---|---|---|
 * | PyTorch `Dropout1d` | [N, C, L] | `[null, null, 1]` |
 * | PyTorch `Dropout1d`, unbatched | [C, L] | `[null, 1]` |
 * | PyTorch `Dropout2d` | [N, C, H, W] | `[null, null, 1, 1]` |
 * | PyTorch `Dropout2d`, three axes | [N, C, L] | `[null, null, 1]` |
 * | PyTorch `Dropout3d` | [N, C, D, H, W] | `[null, null, 1, 1, 1]` |
 * | PyTorch `Dropout3d`, unbatched | [C, D, H, W] | `[null, 1, 1, 1]` |
 * | PyTorch `FeatureAlphaDropout` | [N, C, H, W] | `[null, null, 1, 1]` |
 * | Keras `SpatialDropout1D` | [N, L, C] | `[null, 1, null]` |
 * | Keras `SpatialDropout2D`, channels last | [N, H, W, C] | `[null, 1, 1, null]` |
 * | Keras `SpatialDropout2D`, channels first | [N, C, H, W] | `[null, null, 1, 1]` |
 * | Keras `SpatialDropout3D`, channels last | [N, D, H, W, C] | `[null, 1, 1, 1, null]` |
 * | Keras `SpatialDropout3D`, channels first | [N, C, D, H, W] | `[null, null, 1, 1, 1]` |
 * | Keras `noise_shape=(None, 1, None)` | [N, T, C] | `[null, 1, null]` |
 * | TF.js `spatialDropout1d` | [N, L, C] | `[null, 1, null]` |
 * | Flax `broadcast_dims=(1, 2)` | [N, H, W, C] | `[null, 1, 1, null]` |
 * | one mask for all T steps of a sequence | [N, T, C] | `[null, 1, null]` |
 * | the same, steps first | [T, N, C] | `[1, null, null]` |
 *
 * PyTorch 2.13 takes three axes for [N, C, L] in `Dropout2d`, and not for an image without a batch. One mask for all
 * steps is what Gal and Ghahramani (2016, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks")
 * derive for recurrent networks.
 *
 * @example
 * ```ts
 * import { defaultRng, InvertedDropout, invertedDropout, ones } from "../mod.ts";
 *
 * const rng = defaultRng(42);
 * const images = invertedDropout(ones([2, 3, 2, 2]), 0.5, { rng, noiseShape: [null, null, 1, 1] });
 * console.log(images.output.toArray()); // whole channels of zeros, or of twos
 * const sameForAllSteps = new InvertedDropout(0.5, { rng, noiseShape: [null, 1, null] });
 * console.log(sameForAllSteps(ones([2, 5, 4])).toArray());
 * ```
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
