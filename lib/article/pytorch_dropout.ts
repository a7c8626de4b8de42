/**
 * The article's second demonstration: PyTorch's dropout in training and in evaluation mode.
 * @module
 */

import { checkOptions } from "../check.ts";
import {
  InvertedDropout,
  invertedDropout,
  Linear,
  mean,
  ReLU,
  Sequential,
  type Tensor,
  tensor,
  TorchGenerator,
} from "../mod.ts";
import { sameNumbers } from "../tensor/tensor.ts";

/** How to run the demonstration; the defaults are the article's. */
export interface PytorchDropoutOptions {
  /** Seed of `torch.manual_seed`, in [0, 2³²). Default 42. */
  seed?: number;
  /** Drop probability, in [0, 1). Default 0.5. */
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

const [BATCH, FEATURES] = [32, 784];

/**
 * Passes a batch of random numbers through a network of 784–256–256–10 units with dropout after each ReLU, first in
 * training mode, then in evaluation mode, and applies dropout to the batch itself.
 *
 * The random numbers are drawn in the order of the article's code: weights and biases layer by layer, the batch, the
 * masks. Means agree with those of PyTorch 1.13 to some 10⁻⁸, since sums are rounded elsewhere.
 */
export function pytorchDropout(options: PytorchDropoutOptions = {}): PytorchDropout {
  checkOptions("pytorchDropout", options, ["seed", "p", "passes"]);
  const { seed = 42, p = 0.5, passes = 5 } = options;
  const rng = new TorchGenerator(seed);
  const linear = (inputs: number, outputs: number) => new Linear(inputs, outputs, { rng, dtype: "float32" });
  const dropout = () => new InvertedDropout(p, { rng });
  const model = new Sequential(
    ...[linear(FEATURES, 256), new ReLU(), dropout()],
    ...[linear(256, 256), new ReLU(), dropout()],
    linear(256, 10),
  );
  const x = rng.randn([BATCH, FEATURES]);
  const run = (training: boolean) => Array.from({ length: passes }, () => model.train(training)(x));

  const outputs = { train: run(true), eval: run(false) };
  const dropped = invertedDropout(x, p, { rng });
  return {
    trainMeans: outputs.train.map(preciseMean),
    evalMeans: outputs.eval.map(preciseMean),
    evalOutputsIdentical: outputs.eval.every((output) => sameNumbers(output, outputs.eval[0])),
    functional: {
      trainMean: preciseMean(dropped.output),
      evalMean: preciseMean(invertedDropout(x, p, { training: false }).output),
      inputMean: preciseMean(x),
      keptFraction: (dropped.pass.mask?.kept ?? x.size) / x.size,
    },
    outputs,
  };
}

/** The mean of float32 numbers, added up in float64, so that it does not depend on the order. */
function preciseMean(x: Tensor): number {
  return mean(tensor(x.data, x.shape, "float64"));
}
