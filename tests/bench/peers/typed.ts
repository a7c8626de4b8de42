/**
 * This library as people type it first: layers with a seed, whose outputs are new each time.
 * @module
 */

import {
  Adam,
  BatchNorm,
  crossEntropy,
  defaultRng,
  InvertedDropout,
  Linear,
  ReLU,
  Sequential,
  Tensor,
} from "../../../lib/mod.ts";
import type { Call, Given, Peer } from "../peer.ts";

/** The first path. */
export function oursAsTyped(): Peer {
  return {
    versions: {},
    lacks: "is asked for what layers do",
    operations: {
      "dropout forward": dropoutForward,
      "batch norm forward": (given) => batchNorm(given, false),
      "batch norm forward + backward": (given) => batchNorm(given, true),
      "training step": (given) => trainingStep(given, (model, grad) => model.backward(grad)),
    },
  };
}

function dropoutForward({ x: data, shape, p }: Given): Call<Tensor> {
  const [dropout, x] = [new InvertedDropout(p, { seed: 1 }), new Tensor(data, shape)];
  return { run: () => dropout(x), read: ({ data }) => data };
}

function batchNorm({ x: data, y, weight, bias, shape, dtype }: Given, withBackward: boolean): Call<Tensor> {
  const x = new Tensor(data, shape);
  const norm = new BatchNorm(shape[1], { dtype });
  norm.weight!.data.set(weight);
  norm.bias!.data.set(bias);
  const read = ({ data }: Tensor) => data;
  if (!withBackward) return { run: () => norm(x), read };
  const gradOutput = new Tensor(y, shape);
  return { run: () => (norm(x), norm.backward(gradOutput)), read };
}

/**
 * A step of Adam for a network of 784, 256, 256 and 10 units with dropout before each layer, in float32.
 *
 * @param backward How gradients are asked for.
 * @returns A call whose output is the loss before the step.
 */
export function trainingStep(
  { x: data, shape: [n, features] }: Given,
  backward: (model: Sequential, grad: Tensor) => void,
): Call<number> {
  const rng = defaultRng(1);
  const linear = (inputs: number, outputs: number) => new Linear(inputs, outputs, { rng, dtype: "float32" });
  const model = new Sequential(
    ...[new InvertedDropout(0.2, { seed: 1 }), linear(features, 256), new ReLU()],
    ...[new InvertedDropout(0.5, { seed: 2 }), linear(256, 256), new ReLU()],
    ...[new InvertedDropout(0.5, { seed: 3 }), linear(256, 10)],
  );
  const optimizer = new Adam(model.parameters());
  const x = new Tensor(data, [n, features]);
  const classes = Array.from({ length: n }, (_, i) => i % 10);
  const run = () => {
    const { loss, grad } = crossEntropy(model(x), classes);
    backward(model, grad);
    optimizer.step();
    return loss;
  };
  return { run, read: (loss) => [loss] };
}
