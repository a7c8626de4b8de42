/**
 * The linear layer.
 * @module
 */

import { Layer, type Parameter } from "../layer.ts";
import type { NumpyStream } from "../random/mod.ts";
import { add, type DType, matmul, sum, Tensor, transpose, zeros } from "../tensor/mod.ts";
import { describe, formatShape } from "../tensor/tensor.ts";
import { checkCount, checkGradient, checkTensor, recall } from "./check.ts";

/** Options of the layer. */
export interface LinearOptions {
  /** Where the initial weights, and then the biases, are drawn from; such as `defaultRng(seed)`. */
  rng: NumpyStream;
  /** False: no bias. Default true. */
  bias?: boolean;
  /** Type of the parameters and of the inputs. Default float64. */
  dtype?: DType;
}

/** y = x·Wᵀ + b, with W of shape [outFeatures, inFeatures] as in PyTorch. */
export class Linear extends Layer {
  /** Length of an input row. */
  readonly inFeatures: number;
  /** Length of an output row. */
  readonly outFeatures: number;
  /** W, of shape [outFeatures, inFeatures]. */
  readonly weight: Tensor;
  /** b, of shape [outFeatures]; `null` without bias. */
  readonly bias: Tensor | null;
  readonly #parameters: readonly Parameter[];
  #input: Tensor | undefined;

  /**
   * Draws weights and biases from PyTorch's default distribution, uniform in ±1/√inFeatures.
   *
   * @param inFeatures Length of an input row, a positive integer.
   * @param outFeatures Length of an output row, a positive integer.
   * @param options.rng Required: nothing here is random by itself.
   * @throws {RangeError} if a length is not a positive integer.
   * @throws {TypeError} if the stream is missing.
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions) {
    super();
    checkCount("inFeatures", inFeatures);
    checkCount("outFeatures", outFeatures);
    const { rng, bias = true, dtype = "float64" } = options ?? {};
    if (typeof rng?.random !== "function") {
      throw new TypeError(
        `Linear needs a random stream for its weights, such as { rng: defaultRng(seed) }, got ${
          describe(rng)
        }`,
      );
    }
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = uniform([outFeatures, inFeatures], 1 / Math.sqrt(inFeatures), rng, dtype);
    this.bias = bias ? uniform([outFeatures], 1 / Math.sqrt(inFeatures), rng, dtype) : null;
    this.#parameters = Object.entries({ weight: this.weight, bias: this.bias }).flatMap(([name, value]) =>
      value === null ? [] : [{ name, value, grad: zeros(value.shape, dtype) }]
    );
  }

  /** W, and b unless the layer was made without it. */
  override parameters(): readonly Parameter[] {
    return this.#parameters;
  }

  /**
   * x·Wᵀ + b.
   *
   * @param x Shape [N, inFeatures], of the layer's type. Copied, so that it may be changed before the backward pass.
   * @throws {TypeError} if shape or type do not fit.
   */
  override forward(x: Tensor): Tensor {
    checkTensor("Linear", x);
    if (x.ndim !== 2 || x.shape[1] !== this.inFeatures || x.dtype !== this.weight.dtype) {
      throw new TypeError(
        `This Linear needs ${this.weight.dtype} of shape [N, ${this.inFeatures}], ` +
          `got ${x.dtype} of shape ${formatShape(x.shape)}`,
      );
    }
    this.#input = x.clone();
    const output = matmul(x, transpose(this.weight));
    return this.bias === null ? output : add(output, this.bias, { out: output });
  }

  /**
   * The gradient for the last input, with the weights as they are now; overwrites the gradients of W and b.
   *
   * @param gradOutput Shape [N, outFeatures].
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last output.
   */
  override backward(gradOutput: Tensor): Tensor {
    const input = recall(this.#input);
    checkGradient("Linear", gradOutput, [input.shape[0], this.outFeatures]);
    for (const { name, grad } of this.#parameters) {
      const fresh = name === "weight" ? matmul(transpose(gradOutput), input) : sum(gradOutput, { axis: 0 });
      grad.data.set(fresh.data);
    }
    return matmul(gradOutput, this.weight);
  }
}

function uniform(shape: number[], bound: number, rng: NumpyStream, dtype: DType): Tensor {
  const result = zeros(shape, dtype);
  for (let i = 0; i < result.size; i++) result.data[i] = bound * (2 * rng.random() - 1);
  return result;
}
