/**
 * What the kinds of dropout share: options, results, and a layer with a random stream and a memory of one pass.
 * @module
 */

import { Layer } from "../layer.ts";
import { checkDropProbability, type Mask } from "../mask.ts";
import { defaultRng, FastStream, type Generator, type RandomStream, type Seed } from "../random/mod.ts";
import { type OutOptions, type Shape, Tensor } from "../tensor/mod.ts";
import { describe, formatShape, sameShape } from "../tensor/tensor.ts";

/** Options of the functional forms. */
export interface DropoutOptions extends OutOptions {
  /** The stream that the mask is drawn from. Required while training. */
  rng?: RandomStream;
  /** True (default): a fresh mask is drawn and applied. */
  training?: boolean;
  /** Receives the mask, so that nothing is allocated. */
  mask?: Mask;
}

/** What a functional forward pass returns. */
export interface DropoutResult {
  /** Shaped like the input, of its type. */
  output: Tensor;
  /** The mask that was applied, for the backward pass; `null` if none was. */
  mask: Mask | null;
}

/** Options of the layers. */
export interface DropoutLayerOptions {
  /** Seed of the stream; by default fresh entropy. */
  seed?: Seed;
  /** Where masks come from: `"numpy"` (default) is NumPy's `default_rng`, `"fast"` a FastStream. */
  stream?: StreamName;
}

/** The streams that a layer can have. */
export type StreamName = "numpy" | "fast";

const STREAMS: Record<StreamName, (seed: Seed | undefined) => Generator | FastStream> = {
  numpy: (seed) => defaultRng(seed),
  fast: (seed) => new FastStream(seed),
};

/** A dropout layer: a drop probability, a random stream of its own, and what its last forward pass left behind. */
export abstract class DropoutLayer<Kept extends Mask | number | null> extends Layer {
  /** Drop probability. */
  readonly p: number;
  /** The seed given, which `resetRng()` goes back to. */
  readonly seed: Seed | undefined;
  /** Which kind of stream masks are drawn from. */
  readonly stream: StreamName;
  /** The stream that masks are drawn from. */
  protected rng: Generator | FastStream;
  #last: { shape: Shape; kept: Kept } | undefined;

  /**
   * Checks the probability and seeds the stream.
   *
   * @param p Drop probability, in [0, 1], or in [0, 1) if `open`.
   * @throws {RangeError} if `p` is NaN or outside, or the seed is negative or fractional.
   * @throws {TypeError} if `p` or the seed is not a number, or there is no such stream.
   */
  constructor(p: number, { seed, stream = "numpy" }: DropoutLayerOptions, open = false) {
    super();
    checkDropProbability(p, open);
    if (!Object.hasOwn(STREAMS, stream)) {
      throw new TypeError(`The stream must be "numpy" or "fast", got ${describe(stream)}`);
    }
    this.p = p;
    this.seed = seed;
    this.stream = stream;
    this.rng = STREAMS[stream](seed);
  }

  /**
   * Starts the random stream again.
   *
   * @param seed By default the seed that the layer was made with.
   */
  resetRng(seed: Seed | undefined = this.seed): void {
    this.rng = STREAMS[this.stream](seed);
  }

  /**
   * Remembers the random stream and the last pass.
   *
   * @returns Goes back to them, so that forward passes in between leave no trace.
   */
  snapshot(): () => void {
    const { rng } = this;
    const goBack = remember(rng);
    const last = this.#last;
    return () => {
      goBack();
      this.rng = rng;
      this.#last = last;
    };
  }

  /** The mask of the last forward pass: `null` if it had none, `undefined` before the first. */
  get mask(): Mask | null | undefined {
    const kept = this.#last?.kept;
    return typeof kept === "number" ? null : kept;
  }

  /** Keeps what the backward pass will need. */
  protected remember(shape: Shape, kept: Kept): void {
    this.#last = { shape, kept };
  }

  /** What the last forward pass kept, if there was one and the gradient has its shape. */
  protected recall(gradOutput: Tensor): Kept {
    checkTensor(gradOutput);
    if (this.#last === undefined) {
      throw new Error("backward needs a forward pass before it: call forward(x) first");
    }
    const { shape, kept } = this.#last;
    if (sameShape(gradOutput.shape, shape)) return kept;
    throw new TypeError(
      `The gradient must have the shape of the last forward pass, ${formatShape(shape)}, ` +
        `got ${formatShape(gradOutput.shape)}`,
    );
  }
}

/** @returns Brings the stream back to where it is now. */
function remember(rng: Generator | FastStream): () => void {
  if (rng instanceof FastStream) {
    const state = rng.getState();
    return () => rng.setState(state);
  }
  const state = rng.getState();
  return () => rng.setState(state);
}

/** @throws {TypeError} if `x` is not a tensor. */
export function checkTensor(x: unknown): asserts x is Tensor {
  if (!(x instanceof Tensor)) {
    throw new TypeError(`Dropout needs a Tensor, as tensor([…]) makes one, got ${describe(x)}`);
  }
}
