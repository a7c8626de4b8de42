/**
 * The linear layer.
 * @module
 */

import { checkFlag, checkInteger, checkOptions, formatShape, recall } from "../check.ts";
import { Layer, type Parameter, parametersFrom } from "../layer.ts";
import type { StreamOptions } from "../random/mod.ts";
import { checkStream } from "../random/stream.ts";
import { streamFrom } from "../random/stream_options.ts";
import { add, type DType, matmul, type OutOptions, sum, Tensor } from "../tensor/mod.ts";
import { allocate, checkTensor, overlaps } from "../tensor/tensor.ts";

/** Options of the layer. */
export interface LinearOptions extends StreamOptions {
  /** False: no bias. Default true. */
  bias?: boolean;
  /** Type of the parameters and of the inputs. Default float64. */
  dtype?: DType;
}

/** A linear layer can be called with the options of its forward pass. */
export interface Linear {
  /** The forward pass. */
  (x: Tensor, options?: OutOptions): Tensor;
}

/**
 * y = x·Wᵀ + b, with W of shape [outFeatures, inFeatures] as in PyTorch.
 *
 * @example
 * ```ts
 * import { defaultRng, Linear, ones, TorchGenerator } from "../mod.ts";
 *
 * const linear = new Linear(4, 2, { rng: defaultRng(42) });
 * console.log(linear(ones([3, 4])).shape); // [3, 2]
 * const torch = new Linear(4, 2, { rng: new TorchGenerator(42), dtype: "float32" });
 * console.log(torch.weight); // what nn.Linear(4, 2) has after torch.manual_seed(42)
 * ```
 */
export class Linear extends Layer {
  /** Length of an input row. */
  readonly inFeatures: number;
  /** Length of an output row. */
  readonly outFeatures: number;
  /** W, of shape [outFeatures, inFeatures]; its numbers are set by `weight.data.set(…)`, or by `loadStateDict`. */
  readonly weight: Tensor;
  /** b, of shape [outFeatures]; `null` without bias. */
  readonly bias: Tensor | null;
  /** What the last forward pass left for the backward pass: a copy of its input. */
  protected pass: Tensor | undefined = undefined;

  /**
   * Draws weights, and then biases, from PyTorch's default distribution, uniform in ±1/√inFeatures.
   *
   * PyTorch writes the weights' bound as √3 · √(2/(1 + a²)) / √inFeatures with a = √5, which is the same. In float32, a
   * TorchGenerator gives what `nn.Linear` has, bit for bit.
   *
   * @param inFeatures Length of an input row, a positive integer.
   * @param outFeatures Length of an output row, a positive integer.
   * @param options.rng Any stream, or `options.seed`. Required: nothing here is random by itself.
   * @throws {RangeError} if a length is not a positive integer.
   * @throws {TypeError} if the stream is missing, or an option is not known.
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions) {
    super();
    checkInteger("Linear: inFeatures", inFeatures, 1);
    checkInteger("Linear: outFeatures", outFeatures, 1);
    checkOptions("Linear", options ?? {}, ["rng", "seed", "bias", "dtype"]);
    const { bias = true, dtype = "float64" } = options ?? {};
    checkFlag("Linear: bias", bias);
    const rng = streamFrom("Linear", options ?? {});
    checkStream("Linear", rng);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const size = outFeatures * inFeatures;
    // All at once: a KeyedStream would give weights and biases the same numbers, one after the other.
    const drawn = allocate(size + (bias ? outFeatures : 0), dtype);
    rng.fillUniform(drawn);
    const bound = dtype === "float32" ? Math.fround(1 / Math.sqrt(inFeatures)) : 1 / Math.sqrt(inFeatures);
    for (let i = 0; i < drawn.length; i++) drawn[i] = bound * (2 * drawn[i] - 1);
    this.weight = new Tensor(drawn.slice(0, size), [outFeatures, inFeatures]);
    this.bias = bias ? new Tensor(drawn.slice(size)) : null;
  }

  /** W, and b unless the layer was made without it. */
  override ownParameters(): readonly Parameter[] {
    const { weight, bias } = this;
    return parametersFrom({ weight, bias });
  }

  /**
   * x·Wᵀ + b.
   *
   * @param x Shape [N, inFeatures], of the layer's type. Copied, so that it may be changed before the backward pass.
   * @throws {TypeError} if shape or type do not fit.
   */
  override forward(x: Tensor, options: OutOptions = {}): Tensor {
    checkTensor("Linear", x);
    checkOptions("Linear", options, ["out"]);
    if (x.ndim !== 2 || x.shape[1] !== this.inFeatures || x.dtype !== this.weight.dtype) {
      throw new TypeError(
        `This Linear needs ${this.weight.dtype} of shape [N, ${this.inFeatures}], ` +
          `got ${x.dtype} of shape ${formatShape(x.shape)}`,
      );
    }
    if (options.out !== undefined && this.bias !== null && overlaps(options.out, this.bias)) {
      throw new TypeError("Linear: out shares memory with the bias; give it memory of its own");
    }
    const output = matmul(x, this.weight, { transposeB: true, ...options });
    this.pass = x.clone();
    return this.bias === null ? output : add(output, this.bias, { out: output });
  }

  /**
   * The gradient for the last input, with the weights as they are now; overwrites the gradients of W and b.
   *
   * @param gradOutput Shape [N, outFeatures].
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last output.
   */
  override backward(gradOutput: Tensor, options: OutOptions = {}): Tensor {
    checkOptions("Linear.backward", options, ["out"]);
    this.backwardParameters(gradOutput);
    return matmul(gradOutput, this.weight, options);
  }

  /** The gradients of W and b alone, half of the work of `backward`. */
  override backwardParameters(gradOutput: Tensor): void {
    const input = recall(this.pass);
    checkTensor("Linear.backward", gradOutput, [input.shape[0], this.outFeatures]);
    if (gradOutput.dtype !== input.dtype) {
      throw new TypeError(
        `Linear.backward needs a ${input.dtype} gradient, as the input was, got ${gradOutput.dtype}`,
      );
    }
    const [weight, bias] = this.ownParameters();
    matmul(gradOutput, input, { transposeA: true, out: weight.grad });
    bias?.grad.data.set(sum(gradOutput, { axis: 0 }).data);
  }

  /** Lengths, and whether there is a bias. */
  protected override extraRepr(): string {
    return `${this.inFeatures}, ${this.outFeatures}${this.bias === null ? ", bias=false" : ""}`;
  }
}
