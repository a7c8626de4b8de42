/**
 * Streams of random numbers: NumPy's legacy RandomState, its Generator, PyTorch's CPU stream, a fast one (which a layer's `{ seed }` stands for), and keyed streams whose
 * numbers depend on nothing but seed, layer, step and element.
 *
 * @example
 * ```ts
 * import { defaultRng, RandomState } from "./mod.ts";
 *
 * console.log(new RandomState(42).randn()); // 0.4967141530112327, as np.random.seed(42); np.random.randn()
 * console.log(defaultRng(42).random()); // 0.7739560485559633, as np.random.default_rng(42).random()
 * ```
 * @module
 */

export { RandomState, type RandomStateState } from "./random_state.ts";
export { defaultRng, Generator, type GeneratorState } from "./generator.ts";
export { SeedSequence } from "./seed_sequence.ts";
export { type Seed } from "./seed.ts";
export { type Size } from "./size.ts";
export { TorchGenerator, type TorchGeneratorState, type TorchOptions } from "./torch_generator.ts";
export { FastStream, type FastStreamState } from "./fast_stream.ts";
export {
  type KeyedPlace,
  KeyedStream,
  type KeyedStreamOptions,
  type KeyedStreamState,
} from "./keyed_stream.ts";
export { type NormalStream, NumpyStream, type RandomStream } from "./stream.ts";
export { normal, type StreamOptions, uniform } from "./stream_options.ts";
