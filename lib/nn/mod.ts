/**
 * Just enough to train a real network: a linear layer, activations, losses, optimizers, and layers in a row, with
 * PyTorch's names and conventions.
 *
 * A step of training is: forward, loss, backward, step. Each backward pass overwrites the gradients, so that there is
 * nothing to set to zero. `backward` also gives the gradient for the input; `backwardParameters` leaves that out.
 *
 * @example
 * ```ts
 * import { defaultRng, Linear, mseLoss, ReLU, Sequential, SGD, tensor } from "../mod.ts";
 *
 * const rng = defaultRng(42);
 * const model = new Sequential(new Linear(2, 8, { rng }), new ReLU(), new Linear(8, 1, { rng }));
 * const optimizer = new SGD(model.parameters(), { lr: 0.1 });
 * const [x, y] = [tensor([[0, 1], [1, 0]]), tensor([[1], [-1]])];
 * for (let i = 0; i < 100; i++) {
 *   const { loss, grad } = mseLoss(model(x), y);
 *   model.backwardParameters(grad);
 *   optimizer.step();
 *   if (i % 20 === 0) console.log(loss); // falls
 * }
 * ```
 * @module
 */

export { ActivationLayer, ReLU, Sigmoid, Tanh } from "./activations.ts";
export { Linear, type LinearOptions } from "./linear.ts";
export { crossEntropy, type CrossEntropyOptions, type LossResult, mseLoss } from "./losses.ts";
export {
  Adam,
  type AdamOptions,
  Optimizer,
  type OptimizerState,
  SGD,
  type SGDOptions,
} from "./optimizers.ts";
export { Sequential } from "./sequential.ts";
export { softmax } from "./softmax.ts";
