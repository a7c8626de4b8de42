/**
 * One operation under five conventions: names, ranges, defaults and switches of PyTorch, Keras, Flax, ONNX and
 * TensorFlow 1, as thin adapters over `invertedDropout`.
 *
 * | function | drops with | range | applies by default | at 1 | mask |
 * |---|---|---|---|---|---|
 * | `torchDropout` | `p` | [0, 1] | yes | zeros | no |
 * | `kerasDropout` | `rate` | [0, 1] | no | refused while training | no |
 * | `flaxDropout` | `rate` | not checked | must be said | zeros | no |
 * | `onnxDropout` | `ratio` | [0, 1) | no | refused | yes |
 * | `tf1Dropout` | 1 − `keepProb` | (0, 1] | always | all kept | no |
 *
 * With the same stream, they draw the same mask: they differ in how they are asked, not in what they do.
 *
 * @example
 * ```ts
 * import { kerasDropout, torchDropout } from "./mod.ts";
 * import { defaultRng, ones } from "../mod.ts";
 *
 * const x = ones([4]);
 * console.log(torchDropout(x, { p: 0.5, rng: defaultRng(42) }).toArray()); // zeros and twos
 * console.log(kerasDropout(x, { rate: 0.5 }).toArray()); // ones: training is false by default
 * ```
 * @module
 */

export { flaxDropout, type FlaxDropoutOptions } from "./flax.ts";
export { kerasDropout, type KerasDropoutOptions } from "./keras.ts";
export { onnxDropout, type OnnxDropoutOptions, type OnnxDropoutResult } from "./onnx.ts";
export { tf1Dropout, type Tf1DropoutOptions } from "./tf1.ts";
export { torchDropout, type TorchDropoutOptions } from "./torch.ts";
