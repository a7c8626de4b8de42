/**
 * The article's second demonstration: PyTorch's dropout in training and in evaluation mode.
 * @module
 */

import { add, invertedDropout, matmul, mean, Tensor, transpose } from "../mod.ts";
import { TorchGenerator } from "../random/torch_generator.ts";

/** How to run the demonstration; the defaults are the article's. */
export interface PytorchDropoutOptions {
  /** Seed of `torch.manual_seed`, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probability, in [0, 1]. Default 0.5. */
  p?: number;
  /** Passes in each mode. Default 5. */
  passes?: number;
}

/** What the demonstration found. */
export interface PytorchDropout {
  /** Mean of the outputs of each pass in training mode: each has masks of its own. */
  trainMeans: number[];
  /** Mean of the outputs of each pass in evaluation mode. */
  evalMeans: number[];
  /** True if all passes in evaluation mode gave the same numbers, bit for bit. */
  evalOutputsIdentical: boolean;
  /** Dropout of the input by itself, as `F.dropout`. */
  functional: {
    /** Mean of the input after dropout with `training=True`. */
    trainMean: number;
    /** Mean of the input after dropout with `training=False`. */
    evalMean: number;
    /** Mean of the input. */
    inputMean: number;
    /** Fraction of the input's elements that training kept. */
    keptFraction: number;
  };
  /** The outputs of all passes, each of shape [32, 10] in float32. */
  outputs: { train: Tensor[]; eval: Tensor[] };
}

/** A fully connected layer: x·Wᵀ + b. */
export interface Linear {
  /** Shape [outputs, inputs]. */
  weight: Tensor;
  /** Shape [outputs]. */
  bias: Tensor;
}

const BATCH = 32;
const SIZES = [784, 256, 256, 10];

/**
 * Passes a batch of random numbers through a network of 784–256–256–10 units with dropout after each ReLU, first in
 * training mode, then in evaluation mode, and applies dropout to the batch itself.
 *
 * The random numbers are drawn in the order of the article's code: weights and biases layer by layer, the batch, the
 * masks. They are those of PyTorch without MKL; means agree with its own to some 10⁻⁸, since sums are rounded elsewhere.
 */
export function pytorchDropout(options: PytorchDropoutOptions = {}): PytorchDropout {
  const { seed = 42, p = 0.5, passes = 5 } = options;
  const rng = new TorchGenerator(seed);
  const layers = SIZES.slice(1).map((units, i) => initializeLinear(rng, SIZES[i], units));
  const x = new Tensor(rng.randn(BATCH * SIZES[0]), [BATCH, SIZES[0]]);
  const dropout = (training: boolean) => (y: Tensor) => invertedDropout(y, p, { rng, training });
  const run = (training: boolean) =>
    Array.from({ length: passes }, () => forward(layers, x, (y) => dropout(training)(y).output));

  const outputs = { train: run(true), eval: run(false) };
  const dropped = dropout(true)(x);
  return {
    trainMeans: outputs.train.map(preciseMean),
    evalMeans: outputs.eval.map(preciseMean),
    evalOutputsIdentical: outputs.eval.every((output) => sameNumbers(output, outputs.eval[0])),
    functional: {
      trainMean: preciseMean(dropped.output),
      evalMean: preciseMean(dropout(false)(x).output),
      inputMean: preciseMean(x),
      keptFraction: (dropped.mask?.kept ?? x.size) / x.size,
    },
    outputs,
  };
}

/**
 * A layer as `nn.Linear` starts: uniform in ±1/√inputs, the weight first.
 *
 * PyTorch writes the weight's bound as √3 · √(2/(1 + a²)) / √inputs with a = √5 (`kaiming_uniform_`), which is the same.
 */
export function initializeLinear(rng: TorchGenerator, inputs: number, outputs: number): Linear {
  const bound = 1 / Math.sqrt(inputs);
  return {
    weight: new Tensor(rng.uniform(outputs * inputs, -bound, bound), [outputs, inputs]),
    bias: new Tensor(rng.uniform(outputs, -bound, bound)),
  };
}

/** Linear, ReLU, dropout; linear, ReLU, dropout; linear. */
function forward(layers: readonly Linear[], x: Tensor, dropout: (y: Tensor) => Tensor): Tensor {
  return layers.reduce((input, { weight, bias }, i) => {
    const output = add(matmul(input, transpose(weight)), bias);
    return i === layers.length - 1 ? output : dropout(output.map((value) => Math.max(0, value)));
  }, x);
}

/** The mean of float32 numbers, added up in float64, so that it does not depend on the order. */
function preciseMean(x: Tensor): number {
  return mean(new Tensor(Float64Array.from(x.data)));
}

function sameNumbers(a: Tensor, b: Tensor): boolean {
  return a.data.every((value, i) => Object.is(value, b.data[i]));
}
