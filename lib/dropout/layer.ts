/**
 * What dropout layers share: a drop probability, a random stream, and a memory of one pass.
 * @module
 */

import { checkInstance, checkOptions, type Interval, recall } from "../check.ts";
import { Layer } from "../layer.ts";
import { checkDropProbability, type Mask } from "../mask.ts";
import { FastStream, type RandomStream, type Seed, type StreamOptions } from "../random/mod.ts";
import { streamFrom } from "../random/stream_options.ts";
import { type OutOptions, Tensor } from "../tensor/mod.ts";
import { dropoutBackward, type DropoutOptions, type DropoutPass, type DropoutResult } from "./apply.ts";
import { checkNoiseShape, formatNoiseShape, type NoiseShape } from "./noise_shape.ts";

/** Options of the layers: a stream, or a seed; by default a fast stream with fresh entropy. */
export interface DropoutLayerOptions extends StreamOptions {
  /** The shape in which decisions are drawn: 1 where elements share one, `null` where it follows the input's. */
  noiseShape?: NoiseShape | undefined;
}

/** Options of one forward pass. A given mask takes the place of the drawn one, whatever the layer's noise shape is. */
export type DropoutForwardOptions<Noise extends Mask | Tensor = Mask> = Pick<
  DropoutOptions<Noise>,
  "mask" | "out" | "maskOut"
>;

/** A dropout layer can be called with the options of its forward pass. */
export interface DropoutLayer<Noise extends Mask | Tensor = Mask> {
  /** The forward pass. */
  (x: Tensor, options?: DropoutForwardOptions<Noise>): Tensor;
}

/**
 * Base of the dropout layers. One of your own has to say only how it drops:
 *
 * @example
 * ```ts
 * import { add, DropoutLayer, type DropoutOptions, multiply, type Tensor, uniform } from "../mod.ts";
 *
 * class UniformNoise extends DropoutLayer<Tensor> { // of mean 1 and variance p/(1 − p)
 *   protected override drop(x: Tensor, { rng, training, out }: DropoutOptions<Tensor>) {
 *     const { shape, dtype } = x;
 *     if (!training) return { output: multiply(x, 1, { out }), pass: { shape, mask: null, scale: 1 } };
 *     const width = Math.sqrt(12 * this.p / (1 - this.p));
 *     const noise = add(multiply(uniform(shape, { rng: rng!, dtype }), width), 1 - width / 2);
 *     return { output: multiply(x, noise, { out }), pass: { shape, mask: noise, scale: 1 } };
 *   }
 * }
 * console.log(new UniformNoise(0.2, { seed: 42 })); // UniformNoise(p=0.2)
 * ```
 */
export abstract class DropoutLayer<Noise extends Mask | Tensor = Mask> extends Layer {
  /** Drop probability. */
  readonly p: number;
  /** The shape in which decisions are drawn; by default that of the input. */
  readonly noiseShape: NoiseShape | undefined;
  /** The stream that masks are drawn from. */
  rng: RandomStream;
  /** What the last forward pass left for the backward pass. */
  protected pass: DropoutPass<Noise> | undefined = undefined;
  readonly #seed: Seed | undefined;
  /** The layer's own stream, and where it began. */
  #own: { rng: RandomStream; start: object } | undefined;

  /**
   * A layer in training mode.
   *
   * @param p Drop probability. Default 0.5.
   * @param interval Where `p` has to lie. Default "[0, 1)".
   * @param options.rng Any stream; it belongs to whoever made it.
   * @param options.seed Short for a FastStream of the layer's own with that seed; by default fresh entropy.
   * @param options.noiseShape The shape in which decisions are drawn; by default that of the input.
   * @throws {RangeError} if `p` is NaN or outside, or the seed is negative or fractional.
   * @throws {TypeError} if `p` or the seed is not a number, or an option is not known or does not fit.
   */
  constructor(p = 0.5, options: DropoutLayerOptions = {}, interval: Interval = "[0, 1)") {
    super();
    checkOptions(this.constructor.name, options, ["rng", "seed", "noiseShape"]);
    checkDropProbability(p, interval);
    const { seed, noiseShape } = options;
    if (noiseShape !== undefined) checkNoiseShape(this.constructor.name, noiseShape);
    this.p = p;
    this.noiseShape = noiseShape && Object.freeze([...noiseShape]);
    this.#seed = seed;
    this.rng = streamFrom(this.constructor.name, options, (seed) => this.freshStream(seed)) ??
      this.freshStream();
    this.#own = options.rng === undefined ? { rng: this.rng, start: this.rng.getState() } : undefined;
  }

  /** The seed given, if there was one. */
  get seed(): Seed | undefined {
    return this.#seed;
  }

  /** The stream that a seed stands for; without one, with fresh entropy. */
  protected freshStream(seed?: Seed): RandomStream {
    return new FastStream(seed);
  }

  /** Drops: draws from `options.rng` if `options.training`, and returns the output with the pass that leads back. */
  protected abstract drop(x: Tensor, options: DropoutOptions<Noise>): DropoutResult<Noise>;

  /** The mask of the last forward pass: `null` if it had none, `undefined` before the first. */
  get mask(): Noise | null | undefined {
    return this.pass?.mask;
  }

  /** True if masks differ: not at p = 0, nor at p = 1. */
  override get isRandom(): boolean {
    return this.p > 0 && this.p < 1;
  }

  /**
   * Starts the layer's own stream again.
   *
   * @param seed By default the seed (or the entropy) that the layer was made with.
   * @throws {TypeError} if the layer draws from a stream that was given to it.
   * @throws {RangeError} if the seed is negative or fractional; nothing is changed then.
   */
  resetRng(seed?: Seed): void {
    if (this.#own?.rng !== this.rng) {
      throw new TypeError(
        `This ${this.constructor.name} draws from a stream that was given to it, and that belongs to whoever made it: ` +
          "reset it there with setState(…), or make the layer with { seed }",
      );
    }
    if (seed === undefined) return this.rng.setState(this.#own.start);
    this.rng = this.freshStream(seed);
    this.#own = { ...this.#own, rng: this.rng };
  }

  /**
   * Drops in training mode.
   *
   * @param x Any shape. Not changed, unless it is also given as `out`.
   * @param options.mask Use this mask in place of a fresh one.
   * @param options.out Receives the output; may be `x` itself.
   * @param options.maskOut Receives the mask, so that nothing is allocated.
   * @throws {TypeError} if `x` is not a tensor, or an option is not known or does not fit.
   */
  override forward(x: Tensor, options: DropoutForwardOptions<Noise> = {}): Tensor {
    checkOptions(this.constructor.name, options, ["mask", "out", "maskOut"]);
    return this.draw(x, options, this.rng);
  }

  /** A forward pass with masks from this stream. */
  protected draw(x: Tensor, options: DropoutForwardOptions<Noise>, rng: RandomStream): Tensor {
    const noiseShape = options.mask === undefined ? this.noiseShape : undefined;
    const { output, pass } = this.drop(x, { ...options, noiseShape, rng, training: this.training });
    if (!(output instanceof Tensor) || pass === undefined) {
      throw new TypeError(`${this.constructor.name}: drop must return { output, pass }`);
    }
    this.pass = pass;
    return output;
  }

  /**
   * The gradient that belongs to the last forward pass, through its mask and scale, whatever the mode is now.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, options: OutOptions = {}): Tensor {
    return dropoutBackward(`${this.constructor.name}.backward`, gradOutput, recall(this.pass), options);
  }

  /** The drop probability, and the noise shape if there is one. */
  protected override extraRepr(): string {
    const { p, noiseShape } = this;
    return noiseShape === undefined ? `p=${p}` : `p=${p}, noiseShape=${formatNoiseShape(noiseShape)}`;
  }
}

/**
 * Puts a model into evaluation mode, and only its dropout layers into training mode: masks are drawn, but batch
 * normalization keeps to its running statistics, as Monte Carlo dropout needs it.
 *
 * @example
 * ```ts
 * import { BatchNorm, dropoutOnly, InvertedDropout, Sequential } from "../mod.ts";
 *
 * const model = dropoutOnly(new Sequential(new BatchNorm(4), new InvertedDropout(0.5, { seed: 1 })));
 * console.log(model.children().map((layer) => layer.training)); // [false, true]
 * ```
 *
 * @param model Any layer. Dropout layers are those that extend `DropoutLayer`, or have a stream of their own.
 * @returns The model.
 * @throws {TypeError} if it is not a layer.
 */
export function dropoutOnly<Model extends Layer>(model: Model): Model {
  checkInstance("dropoutOnly", model, Layer, "a layer");
  for (const layer of model.namedLayers().values()) { // parents first, since a mode is passed on to children
    layer.train(layer instanceof DropoutLayer || layer.isRandom);
  }
  return model;
}
