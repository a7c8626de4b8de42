/**
 * One operation under six conventions: names, ranges, defaults and switches of PyTorch, Keras, Flax, TensorFlow.js, ONNX
 * and TensorFlow 1, as thin adapters over `invertedDropout`.
 *
 * | function | drops with | range | applies by default | at 1 | decisions shared by | mask |
 * |---|---|---|---|---|---|---|
 * | `torchDropout` | `p` | [0, 1] | yes | zeros | functions of their own | no |
 * | `kerasDropout` | `rate` | [0, 1] | no | zeros | `noiseShape` | no |
 * | `flaxDropout` | `rate` | not checked | must be said | zeros | `broadcastDims` | no |
 * | `tfjsDropout` | `rate` | clamped to [0, 1] | no | all kept | `noiseShape` | no |
 * | `onnxDropout` | `ratio` | [0, 1) | no | refused | – | yes |
 * | `tf1Dropout` | 1 − `keepProb` | (0, 1] | always | all kept | `noiseShape` | no |
 *
 * "At 1" is the number that each calls its own. The adapters refuse what lies outside [0, 1], whatever the range says.
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
export { tfjsDropout, type TfjsDropoutOptions } from "./tfjs.ts";
export { torchDropout, type TorchDropoutOptions } from "./torch.ts";
