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
 *
 * ## Where an adapter differs from its framework
 *
 * The frameworks were asked (`facts.ts`): PyTorch 2.13.0, Keras 3.15.1 on three backends, Flax 0.12.8 (`linen`), the layer
 * of TensorFlow.js 4.22.0, ONNX Runtime 1.32.0, and `tf.compat.v1` of TensorFlow 2.21.0. The adapters answer as they did,
 * refusals in their own words, except here:
 *
 * | adapter | question | there | here |
 * |---|---|---|---|
 * | `torchDropout`, `tfjsDropout`, `onnxDropout` | what stands in a dropped place | x · 0: NaN for NaN and infinity, −0 for negative numbers | +0: dropped is dropped |
 * | `torchDropout` | rate 1, training, of NaN, Infinity, -1, -0 | x · 0 | +0 |
 * | `torchDropout`, `kerasDropout`, `flaxDropout`, `tfjsDropout`, `onnxDropout` | how a survivor is rounded, float32 | 1 − p is rounded before it divides (Keras: not on TensorFlow) | the scale is rounded once |
 * | `tf1Dropout` | how a survivor is rounded, float32 | multiplied by 1/(1 − rate) | divided by keepProb itself: 1 − rate is rounded |
 * | `flaxDropout`, `tfjsDropout` | rate -0.1, training; rate -0.1, evaluation; rate 1.5, training; rate 1.5, evaluation; rate nan, training; rate nan, evaluation | no error: Flax divides by 1.1 at −0.1 and gives zeros at 1.5 and NaN, TensorFlow.js keeps all | refused: no such rate is meant |
 * | `tfjsDropout` | rate not said | keeps all | refused |
 * | `tfjsDropout` | called twice after one seed | a seeded layer repeats its mask | a stream goes on |
 * | `tf1Dropout` | rate nan, training | zeros | refused |
 *
 * ## What the frameworks' own tests assert
 *
 * Their published tests of dropout, its relatives and batch norm on a CPU, as data with origins
 * (`tests/fixtures/published_cases.json`), asked of this library:
 *
 * | tests of | followed | of |
 * |---|---|---|
 * | PyTorch | 73 | 81 |
 * | Keras | 61 | 75 |
 * | Flax | 29 | 33 |
 * | TensorFlow.js | 72 | 106 |
 * | ONNX | 21 | 21 |
 *
 * The others are not followed:
 *
 * | why not | cases |
 * |---|---|
 * | a noise shape is aligned at the end, as NumPy aligns, and takes inputs of more axes, too | PyTorch 1, TensorFlow.js 2 |
 * | there are no warnings: a noise shape does what it says, or is refused | PyTorch 5 |
 * | whether statistics are tracked is chosen when the layer is made | PyTorch 1 |
 * | there is no forward-mode differentiation | PyTorch 1 |
 * | noise that is added, whatever the input is, is no dropout | Keras 2, TensorFlow.js 3 |
 * | there are two types, float32 and float64 | Keras 3 |
 * | a frozen layer is one in evaluation; there is no other flag | Keras 1 |
 * | there are no masks of time steps | Keras 3, Flax 1 |
 * | there is no batch renormalization | Keras 5 |
 * | there are no complex numbers | Flax 2 |
 * | a layer has one mode; train() and eval() switch it | Flax 1 |
 * | functions take tensors; tensor(array) makes one | TensorFlow.js 4 |
 * | it does not broadcast to the input; tf.dropout refuses it, too, a step later | TensorFlow.js 1 |
 * | a seed means something only in one implementation | TensorFlow.js 1 |
 * | the test compares the first output with itself; two calls of a stream differ | TensorFlow.js 2 |
 * | Gaussian dropout has no rate 1: its variance would be infinite | TensorFlow.js 1 |
 * | statistics are one for each channel | TensorFlow.js 12 |
 * | channels are on one axis; reshape joins several | TensorFlow.js 2 |
 * | a layer has both or neither; batchNorm takes either | TensorFlow.js 2 |
 * | the default is axis 1, as PyTorch's | TensorFlow.js 1 |
 * | a layer is made with its number of channels | TensorFlow.js 1 |
 * | there are no convolutions | TensorFlow.js 2 |
 * @module
 */

export {
  type Answer,
  type FrameworkFacts,
  frameworkFacts,
  type MeasuredFramework,
  measuredFrameworks,
} from "./facts.ts";
export { flaxDropout, type FlaxDropoutOptions } from "./flax.ts";
export { kerasDropout, type KerasDropoutOptions } from "./keras.ts";
export { onnxDropout, type OnnxDropoutOptions, type OnnxDropoutResult } from "./onnx.ts";
export { tf1Dropout, type Tf1DropoutOptions } from "./tf1.ts";
export { tfjsDropout, type TfjsDropoutOptions } from "./tfjs.ts";
export { torchDropout, type TorchDropoutOptions } from "./torch.ts";
