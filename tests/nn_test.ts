/** Linear layer, activations, losses, optimizers, layers in a row: PyTorch's numbers, gradients, and a real training. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { BatchNorm } from "../lib/batch_norm/mod.ts";
import { InvertedDropout } from "../lib/dropout/mod.ts";
import { gradcheck, numericalGradient } from "../lib/gradient.ts";
import type { Layer, Parameter } from "../lib/layer.ts";
import {
  Adam,
  crossEntropy,
  Linear,
  type LinearOptions,
  mseLoss,
  ReLU,
  Sequential,
  SGD,
  type SGDOptions,
  Sigmoid,
  softmax,
  Tanh,
} from "../lib/nn/mod.ts";
import { defaultRng, RandomState } from "../lib/random/mod.ts";
import {
  add,
  full,
  matmul,
  mean,
  multiply,
  ones,
  subtract,
  sum,
  Tensor,
  tensor,
  transpose,
  variance,
  zeros,
} from "../lib/tensor/mod.ts";
import { bytesOf, fixture, normals, numbers } from "./helpers.ts";

interface Reference {
  linear: Record<"x" | "weight" | "bias" | "y" | "gradY" | "gradX" | "gradWeight" | "gradBias", string>;
  crossEntropy: {
    shape: number[];
    logits: string;
    classes: number[];
    cases: { labelSmoothing: number; loss: number; grad: string }[];
  };
  optimizers: {
    optimizer: "SGD" | "Adam";
    options: { lr: number; momentum: number; betas: [number, number]; eps: number; weightDecay: number };
    start: string;
    gradients: string[];
    path: string[];
  }[];
}
const reference = await fixture<Reference>("nn");

const SEEDS = [1, 2, 3];
const ACTIVATIONS = [ReLU, Tanh, Sigmoid];
const linear = (inputs: number, outputs: number, seed = 0, options: Partial<LinearOptions> = {}) =>
  new Linear(inputs, outputs, { rng: defaultRng(seed), ...options });

function assertClose(actual: Tensor, expected: Tensor, tolerance: number, message = ""): void {
  assertEquals(actual.shape, expected.shape, message);
  const gap = Math.max(0, ...subtract(actual, expected).data.map(Math.abs));
  assert(gap <= tolerance, `${message}: they differ by ${gap}, allowed ${tolerance}`);
}

/** One parameter at `start`, as optimizers see it. */
function parameter(start: number[], name = "weight"): Parameter {
  return { name, value: tensor(start), grad: zeros([start.length]) };
}

// Linear

Deno.test("Linear reproduces PyTorch, forward and backward", () => {
  const { x, weight, bias, y, gradY, gradX, gradWeight, gradBias } = reference.linear;
  const layer = linear(4, 3);
  layer.weight.data.set(numbers(weight));
  layer.bias!.data.set(numbers(bias));
  const tolerance = 10 * 8 * 2 ** -53; // sums of at most five products, below 10 in size
  assertClose(layer(tensor(numbers(x)).reshape([5, 4])), tensor(numbers(y)).reshape([5, 3]), tolerance);
  const gradInput = layer.backward(tensor(numbers(gradY)).reshape([5, 3]));
  assertClose(gradInput, tensor(numbers(gradX)).reshape([5, 4]), tolerance);
  const [w, b] = layer.parameters();
  assertClose(w.grad, tensor(numbers(gradWeight)).reshape([3, 4]), tolerance);
  assertClose(b.grad, tensor(numbers(gradBias)), tolerance);
});

Deno.test("initial weights and biases are uniform in ±1/√in", () => {
  for (const seed of SEEDS) {
    for (const [inputs, outputs] of [[100, 200], [4, 5000]]) {
      const layer = linear(inputs, outputs, seed);
      const bound = 1 / Math.sqrt(inputs);
      const w = layer.weight;
      assertEquals([w.shape, layer.bias!.shape], [[outputs, inputs], [outputs]]);
      assert(w.data.every((value) => Math.abs(value) <= bound));
      assert(layer.bias!.data.every((value) => Math.abs(value) <= bound));
      // 20,000 uniform values: mean ± bound/√(3·20,000), variance bound²/3 ± 0.63 %; 4.5 standard errors.
      assertLess(Math.abs(mean(w)), 4.5 * bound / Math.sqrt(60_000));
      assertLess(Math.abs(variance(w) / (bound * bound / 3) - 1), 4.5 * 0.0064);
      // Planted: U(0, bound), and the bound of He's initialization.
      assert(Math.abs(mean(w.map(Math.abs))) > 4.5 * bound / Math.sqrt(60_000));
      assert(Math.abs(variance(multiply(w, Math.sqrt(6))) / (bound * bound / 3) - 1) > 4.5 * 0.0064);
    }
  }
});

Deno.test("the stream decides the weights: first the weights, row by row, then the biases", () => {
  const rng = defaultRng(7);
  const expected = Array.from(rng.random(8), (u) => 0.5 * (2 * u - 1)); // 1/√4
  const layer = linear(4, 1, 7);
  assertEquals([...layer.weight.data, ...layer.bias!.data], expected.slice(0, 5));
  assertEquals(linear(4, 1, 7).weight, layer.weight);
  assertNotEquals(linear(4, 1, 8).weight, layer.weight);
  assertEquals(linear(4, 2, 7, { bias: false }).weight.data, Float64Array.from(expected));
  assertEquals(new Linear(2, 2, { rng: new RandomState(1) }).weight.shape, [2, 2]);
});

Deno.test("Linear passes gradcheck; its parameters' gradients are those of the differences", () => {
  for (const seed of SEEDS) {
    for (const bias of [true, false]) {
      const layer = linear(3, 2, seed, { bias });
      assertEquals(layer.parameters().map(({ name }) => name), bias ? ["weight", "bias"] : ["weight"]);
      const x = normals([4, 3], seed);
      const report = gradcheck(layer, x);
      assert(report.ok, report.summary);
      checkParameters(layer, x, seed);
    }
  }
});

/** Compares the gradient of each parameter of ⟨layer(x), g⟩ with differences. */
function checkParameters(layer: Layer, x: Tensor, seed: number): void {
  const g = normals(layer(x).shape, seed + 100);
  layer.backward(g);
  for (const { name, value, grad } of layer.parameters()) {
    const [saved, analytic] = [value.clone(), grad.clone()];
    const numeric = numericalGradient((at) => {
      value.data.set(at.data);
      return sum(multiply(layer(x), g));
    }, saved);
    value.data.set(saved.data);
    assertClose(analytic, numeric, 1e-7, name);
  }
}

Deno.test("planted: a weight used untransposed fails gradcheck", () => {
  const layer = linear(3, 3, 1);
  const backward = (g: Tensor) => matmul(g, transpose(layer.weight));
  assertEquals(gradcheck((x) => layer(x), backward, normals([2, 3])).ok, false);
});

Deno.test("an empty batch passes through, with zero gradients", () => {
  const layer = linear(3, 2);
  assertEquals(layer(zeros([0, 3])).shape, [0, 2]);
  assertEquals(layer.backward(zeros([0, 2])).shape, [0, 3]);
  assertEquals(layer.parameters()[0].grad, zeros([2, 3]));
});

// Activations

Deno.test("activations have their values, also where exponentials overflow", () => {
  const x = tensor([-1000, -1, 0, 2, 1000]);
  assertEquals(new ReLU()(x), tensor([0, 0, 0, 2, 1000]));
  assertEquals(new Tanh()(x), tensor([-1, Math.tanh(-1), 0, Math.tanh(2), 1]));
  assertEquals(new Sigmoid()(x), tensor([0, 1 / (1 + Math.E), 0.5, 1 / (1 + Math.exp(-2)), 1]));
  for (const Activation of ACTIVATIONS) {
    const layer = new Activation();
    assert(Number.isNaN(layer(tensor([NaN])).data[0]), "NaN must not disappear");
    layer(x);
    assert(layer.backward(ones([5])).data.every(Number.isFinite));
  }
});

Deno.test("activations pass gradcheck; ReLU's slope at 0 is 0", () => {
  for (const seed of SEEDS) {
    for (const Activation of ACTIVATIONS) {
      const layer = new Activation();
      const report = gradcheck(layer, normals([2, 3], seed));
      assert(report.ok, `${Activation.name}: ${report.summary}`);
    }
  }
  const relu = new ReLU();
  relu(tensor([0, -0, 1]));
  assertEquals(relu.backward(ones([3])), tensor([0, 0, 1]));
});

Deno.test("a gradient of another type than the output passes where the output is above zero", () => {
  for (const [type, other] of [["float32", "float64"], ["float64", "float32"]] as const) {
    const relu = new ReLU();
    const y = relu(tensor(normals([1000], 1).data, [1000], type));
    const g = tensor(normals([1000], 2).data, [1000], other);
    const expected = g.data.map((value, i) => y.data[i] > 0 ? value : 0);
    assertEquals(relu.backward(g), new Tensor(expected, [1000]));
  }
});

Deno.test("sigmoid(x) = (1 + tanh(x/2))/2, and sigmoid(−x) = 1 − sigmoid(x)", () => {
  fc.assert(fc.property(fc.double({ min: -30, max: 30, noNaN: true }), (x) => {
    const [y] = new Sigmoid()(tensor([x])).data;
    assertAlmostEquals(y, (1 + Math.tanh(x / 2)) / 2, 4 * Number.EPSILON);
    assertAlmostEquals(y, 1 - new Sigmoid()(tensor([-x])).data[0], 4 * Number.EPSILON);
  }));
});

Deno.test("a backward pass belongs to its forward pass, even if input and output are changed since", () => {
  for (const layer of [linear(3, 3), ...ACTIVATIONS.map((Activation) => new Activation())]) {
    const [x, g] = [normals([4, 3], 1), normals([4, 3], 2)];
    const before = bytesOf(x);
    const output = layer(x);
    assertEquals(bytesOf(x), before, "inputs are not changed");
    const expected = layer.backward(g);
    const grads = layer.parameters().map(({ grad }) => grad.clone());
    x.data.fill(0);
    output.data.fill(-1);
    layer.eval();
    assertEquals(layer.backward(g), expected);
    assertEquals(layer.parameters().map(({ grad }) => grad), grads, "overwritten, not added");
  }
});

Deno.test("float32 goes in and comes out", () => {
  const model = new Sequential(
    linear(3, 4, 1, { dtype: "float32" }),
    new BatchNorm(4, { dtype: "float32" }),
    new Tanh(),
  );
  const output = model(normals([5, 3], 1, "float32"));
  const { loss, grad } = mseLoss(output, zeros([5, 4], "float32"));
  assertEquals([output.dtype, grad.dtype, model.backward(grad).dtype], ["float32", "float32", "float32"]);
  assert(
    model.parameters().every(({ value, grad }) => value.dtype === "float32" && grad.dtype === "float32"),
  );
  assert(loss > 0);
  assertEquals(crossEntropy(output, [0, 1, 2, 3, 0]).grad.dtype, "float32");
});

// Losses

Deno.test("crossEntropy reproduces PyTorch, with and without label smoothing", () => {
  const { shape, logits, classes, cases } = reference.crossEntropy;
  for (const { labelSmoothing, loss, grad } of cases) {
    const result = crossEntropy(tensor(numbers(logits)).reshape(shape), classes, { labelSmoothing });
    assertAlmostEquals(result.loss, loss, 1e-15 * 20);
    assertClose(result.grad, tensor(numbers(grad)).reshape(shape), 1e-15);
  }
  assertEquals(cases.map(({ labelSmoothing }) => labelSmoothing), [0, 0.1]);
});

Deno.test("the gradients of the losses are those of the differences; a forgotten mean is caught", () => {
  for (const seed of SEEDS) {
    const [x, y] = [normals([4, 3], seed), normals([4, 3], seed + 1)];
    const losses = [
      (at: Tensor) => mseLoss(at, y),
      (at: Tensor) => crossEntropy(at, [0, 2, 1, 2]),
      (at: Tensor) => crossEntropy(at, Uint8Array.of(0, 2, 1, 2), { labelSmoothing: 0.3 }),
    ];
    for (const loss of losses) {
      const numeric = numericalGradient((at) => loss(at).loss, x);
      const { grad } = loss(x);
      assertClose(grad, numeric, 1e-9);
      assertThrows(() => assertClose(multiply(grad, 4), numeric, 1e-9));
    }
  }
});

Deno.test("crossEntropy forgets a shift of a row, its gradient adds up to 0, and uniform logits cost log C", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: -50, max: 50 }),
      fc.integer({ min: 0, max: 10 }),
      (seed, shift, i) => {
        const labelSmoothing = i / 10;
        const logits = multiply(normals([3, 4], seed), 2);
        const { loss, grad } = crossEntropy(logits, [0, 1, 3], { labelSmoothing });
        assertAlmostEquals(crossEntropy(add(logits, shift), [0, 1, 3], { labelSmoothing }).loss, loss, 1e-13);
        assertClose(sum(grad, { axis: 1 }), zeros([3]), 1e-15);
        assertAlmostEquals(
          crossEntropy(full([3, 4], shift), [0, 1, 3], { labelSmoothing }).loss,
          Math.log(4),
          1e-15,
        );
        // The loss is linear in the smoothing.
        const [none, all] = [0, 1].map((s) => crossEntropy(logits, [0, 1, 3], { labelSmoothing: s }).loss);
        assertAlmostEquals(loss, (1 - labelSmoothing) * none + labelSmoothing * all, 1e-13);
      },
    ),
  );
});

Deno.test("crossEntropy neither overflows nor makes NaN of an impossible class", () => {
  const { loss, grad } = crossEntropy(tensor([[1000, -1000, -Infinity], [0, 0, 0]]), [0, 2]);
  assertAlmostEquals(loss, Math.log(3) / 2, 1e-15);
  assert(grad.data.every(Number.isFinite));
  assertEquals(crossEntropy(tensor([[0, -1000]]), [1]).loss, 1000);
});

Deno.test("mseLoss is the mean square, its gradient 2·error/n", () => {
  assertEquals(mseLoss(tensor([[1, 2]]), tensor([[0, 4]])), { loss: 2.5, grad: tensor([[1, -2]]) });
});

Deno.test("losses refuse what does not fit", () => {
  assertThrows(() => mseLoss(ones([2, 1]), ones([2])), TypeError, "one shape, got [2, 1] and [2]");
  assertThrows(() => mseLoss(ones([0]), ones([0])), RangeError, "mseLoss needs elements, got shape [0]");
  assertThrows(() => mseLoss(1 as unknown as Tensor, ones([2])), TypeError, "mseLoss needs a Tensor");
  assertThrows(() => mseLoss(ones([2]), [1, 1] as unknown as Tensor), TypeError, "got an array");
  const logits = ones([2, 3]);
  assertThrows(() => crossEntropy(ones([3]), [0]), TypeError, "logits of shape [N, C], got [3]");
  assertThrows(() => crossEntropy(ones([0, 3]), []), RangeError, "got logits of shape [0, 3]");
  assertThrows(() => crossEntropy(logits, [0]), TypeError, "one class for each of the 2 samples, got 1");
  assertThrows(() => crossEntropy(logits, 1 as unknown as number[]), TypeError, "samples, got 1");
  assertThrows(() => crossEntropy(logits, undefined as unknown as number[]), TypeError, "got undefined");
  for (const wrong of [3, -1, 0.5, NaN]) {
    const message = `Classes must be integers in [0, 3), got ${wrong} for sample 1`;
    assertEquals(assertThrows(() => crossEntropy(logits, [0, wrong]), RangeError).message, message);
  }
  for (const labelSmoothing of [-0.1, 1.1, NaN]) {
    assertThrows(
      () => crossEntropy(logits, [0, 1], { labelSmoothing }),
      RangeError,
      "labelSmoothing must be in",
    );
  }
});

// Optimizers

Deno.test("SGD and Adam follow the reference path", () => {
  for (const { optimizer, options, start, gradients, path } of reference.optimizers) {
    const p = parameter(numbers(start));
    const other = parameter([1], "bias"); // a second parameter, with a state of its own
    const stepper = optimizer === "SGD" ? new SGD([p, other], options) : new Adam([p, other], options);
    gradients.forEach((gradient, i) => {
      p.grad.data.set(numbers(gradient));
      stepper.step();
      // Another order of operations: some ten roundings per step of numbers below 4.
      assertClose(p.value, tensor(numbers(path[i])), 4 * 10 * (i + 1) * 2 ** -53, `${optimizer}, step ${i}`);
    });
  }
  assertEquals(reference.optimizers.map(({ optimizer }) => optimizer).join(" "), "SGD SGD SGD Adam Adam");
});

Deno.test("planted: PyTorch's momentum is not an average of gradients, and its Adam is not AdamW", () => {
  const [, withMomentum] = reference.optimizers;
  const p = parameter(numbers(withMomentum.start));
  // v ← m·v + (1 − m)·g, the other convention, takes steps of a tenth.
  const averaged = new SGD([p], { ...withMomentum.options, lr: 0.1 * withMomentum.options.lr });
  p.grad.data.set(numbers(withMomentum.gradients[0]));
  averaged.step();
  assertThrows(() => assertClose(p.value, tensor(numbers(withMomentum.path[0])), 1e-3));
  const decayed = parameter([1, -1]);
  new Adam([decayed], { lr: 0.1, weightDecay: 0.01 }).step(); // the gradient is 0, so that only the penalty acts
  assertClose(decayed.value, tensor([0.9, -0.9]), 1e-6, "a full step, not lr · weightDecay");
});

Deno.test("on ½·a·x², plain SGD shrinks x by 1 − lr·a; weight decay adds to a", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 9 }), (i, j) => {
    const [a, weightDecay] = [i / 5, j / 5];
    const p = parameter([3]);
    const optimizer = new SGD([p], { lr: 0.1, weightDecay });
    for (let step = 0; step < 10; step++) {
      p.grad.data[0] = a * p.value.data[0];
      optimizer.step();
    }
    assertAlmostEquals(p.value.data[0], 3 * (1 - 0.1 * (a + weightDecay)) ** 10, 3 * 40 * Number.EPSILON);
  }));
});

Deno.test("Adam's first step is lr in each direction, whatever the gradient's size", () => {
  const p = parameter([0, 0, 0]);
  p.grad.data.set([1e-3, -1, 1e6]);
  new Adam([p]).step();
  assertClose(p.value, tensor([-1e-3, 1e-3, -1e-3]), 1e-3 * 1.1e-5); // eps/|g| = 10⁻⁵ for the smallest
});

Deno.test("the learning rate may change between steps; with 0 nothing moves", () => {
  for (
    const make of [(p: Parameter) => new SGD([p], { lr: 0.5 }), (p: Parameter) => new Adam([p], { lr: 0.5 })]
  ) {
    const p = parameter([1]);
    p.grad.data[0] = 1;
    const optimizer = make(p);
    optimizer.lr = 0;
    optimizer.step();
    assertEquals(p.value.data[0], 1);
    optimizer.lr = 0.25;
    optimizer.step();
    assertAlmostEquals(p.value.data[0], 0.75, 1e-8);
  }
});

Deno.test("optimizers refuse what is out of range", () => {
  const p = parameter([1]);
  assertThrows(
    () => new SGD([], { lr: 1 }),
    RangeError,
    "An optimizer needs a list of at least one parameter",
  );
  assertThrows(() => new Adam(undefined as unknown as Parameter[]), RangeError, "at least one parameter");
  assertThrows(
    () => new SGD([p], undefined as unknown as SGDOptions),
    TypeError,
    "SGD: the last argument holds options, as { lr: … }, got undefined",
  );
  for (const lr of [-1, NaN, Infinity]) {
    assertThrows(() => new SGD([p], { lr }), RangeError, `lr must be a number in [0, ∞), got ${lr}`);
    assertThrows(() => new Adam([p], { lr }), RangeError, "lr must be");
  }
  for (const lr of [undefined, "1"] as unknown as number[]) {
    assertThrows(() => new SGD([p], { lr }), TypeError, "lr must be a number in [0, ∞), got ");
  }
  assertThrows(() => new Adam([p], { lr: "1" as unknown as number }), TypeError, 'got "1"');
  assertThrows(() => new SGD([p, parameter([2]), p], { lr: 1 }), TypeError, "positions 0 and 2 are the same");
  assertThrows(
    () => new Adam([p], { learningRate: 1 } as object),
    TypeError,
    'Adam has no option "learningRate"; its options are lr, betas, eps, weightDecay',
  );
  const message = "momentum must be a number in [0, 1), got 1";
  assertEquals(assertThrows(() => new SGD([p], { lr: 1, momentum: 1 }), RangeError).message, message);
  assertThrows(() => new SGD([p], { lr: 1, weightDecay: -1 }), RangeError, "weightDecay must be");
  assertThrows(
    () => new Adam([p], { betas: [1, 0.9] }),
    RangeError,
    "betas[0] must be a number in [0, 1), got 1",
  );
  assertThrows(() => new Adam([p], { betas: [0.9, NaN] }), RangeError, "betas[1] must be");
  assertThrows(() => new Adam([p], { eps: -1 }), RangeError, "eps must be");
});

// Layers in a row

/** A net with everything in it. The dropout's stream starts again at each pass, so that its mask is held. */
class Repeatable extends InvertedDropout {
  override forward(x: Tensor): Tensor {
    this.resetRng();
    return super.forward(x);
  }
}

function everything(seed: number): Sequential {
  const rng = defaultRng(seed);
  return new Sequential(
    new Linear(3, 4, { rng }),
    new BatchNorm(4),
    new Tanh(),
    new Repeatable(0.3, { seed }),
    new Sequential(new Linear(4, 3, { rng, bias: false }), new Sigmoid()),
  );
}

Deno.test("a net with every kind of layer passes gradcheck in both modes, and so do its parameters", () => {
  for (const seed of SEEDS) {
    for (const training of [true, false]) {
      const net = everything(seed).train(training);
      const x = normals([4, 3], seed);
      const report = gradcheck(net, x);
      assert(report.ok, report.summary);
      checkParameters(net, x, seed);
    }
  }
});

Deno.test("Sequential passes its mode on, and names parameters as PyTorch does", () => {
  const net = everything(1);
  const layers = (layer: Layer): Layer[] => [layer, ...layer.children().flatMap(layers)];
  assertEquals(layers(net).length, 8);
  assertStrictEquals(net.eval(), net);
  assert(layers(net).every((layer) => !layer.training));
  assert(layers(net.train()).every((layer) => layer.training));
  assertEquals(net.parameters().map(({ name }) => name), [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "4.0.weight",
  ]);
  assertStrictEquals(net.parameters()[0].value, (net.children()[0] as Linear).weight);
  const x = normals([2, 2]);
  assertStrictEquals(new Sequential()(x), x, "an empty row changes nothing");
});

Deno.test("layers refuse what does not fit", () => {
  const relu = new ReLU();
  const twice =
    "Sequential needs each layer once, since a layer remembers one forward pass; 0 and 2 are the same ReLU";
  assertThrows(() => new Sequential(relu, new Tanh(), relu), TypeError, twice);
  const text = "relu" as unknown as Layer;
  assertThrows(
    () => new Sequential(relu, text),
    TypeError,
    'Sequential, at position 1, needs a layer, got "relu"',
  );
  const rng = defaultRng(0);
  assertThrows(() => new Linear(0, 1, { rng }), RangeError, "inFeatures must be a positive integer, got 0");
  assertThrows(
    () => new Linear(1, 1.5, { rng }),
    RangeError,
    "outFeatures must be a positive integer, got 1.5",
  );
  const missing = undefined as unknown as LinearOptions;
  assertThrows(
    () => new Linear(1, 1, missing),
    TypeError,
    "Linear needs a random stream, such as { rng: defaultRng(seed) }, got undefined",
  );
  const layer = linear(3, 2);
  assertThrows(() => layer.backward(ones([1, 2])), Error, "backward needs a forward pass before it");
  const needs = "This Linear needs float64 of shape [N, 3], got ";
  assertEquals(assertThrows(() => layer(ones([3])), TypeError).message, `${needs}float64 of shape [3]`);
  assertThrows(() => layer(ones([2, 4])), TypeError, `${needs}float64 of shape [2, 4]`);
  assertThrows(() => layer(ones([2, 3], "float32")), TypeError, `${needs}float32 of shape [2, 3]`);
  assertThrows(() => layer(1 as unknown as Tensor), TypeError, "Linear needs a Tensor");
  layer(ones([5, 3]));
  const shape = "Linear.backward needs a tensor of shape [5, 2], got [5, 3]";
  assertEquals(assertThrows(() => layer.backward(ones([5, 3])), TypeError).message, shape);
  assertThrows(() => relu.backward(ones([1])), Error, "backward needs a forward pass before it");
  assertThrows(
    () => relu([1] as unknown as Tensor),
    TypeError,
    "ReLU needs a Tensor, as tensor([…]) makes one",
  );
  relu(ones([2]));
  assertThrows(
    () => relu.backward(ones([3])),
    TypeError,
    "ReLU.backward needs a tensor of shape [2], got [3]",
  );
  assertThrows(() => relu.backward(1 as unknown as Tensor), TypeError, "ReLU.backward needs a Tensor");
});

// Training

/** Two interleaved spirals, which no line separates. */
function spirals(samples: number, seed: number): { x: Tensor; classes: number[] } {
  const rng = defaultRng(seed);
  const classes = Array.from({ length: samples }, (_, i) => i % 2);
  const rows = classes.map((k) => {
    const t = 0.5 + 2.5 * rng.random();
    const angle = 2 * t + Math.PI * k;
    return [
      t * Math.cos(angle) + 0.05 * rng.standardNormal(),
      t * Math.sin(angle) + 0.05 * rng.standardNormal(),
    ];
  });
  return { x: tensor(rows), classes };
}

function accuracy(net: Layer, { x, classes }: { x: Tensor; classes: number[] }): number {
  const logits = net.eval()(x);
  net.train();
  return classes.filter((k, i) => logits.at(i, k) > logits.at(i, 1 - k)).length / classes.length;
}

function train(seed: number, steps: number): { net: Sequential; losses: number[] } {
  const rng = defaultRng(seed);
  const net = new Sequential(
    new Linear(2, 48, { rng }),
    new BatchNorm(48),
    new ReLU(),
    new Linear(48, 48, { rng }),
    new ReLU(),
    new InvertedDropout(0.1, { rng: defaultRng(seed) }),
    new Linear(48, 2, { rng }),
  );
  const optimizer = new Adam(net.parameters(), { lr: 0.01 });
  const { x, classes } = spirals(128, seed);
  const losses = Array.from({ length: steps }, () => {
    const { loss, grad } = crossEntropy(net(x), classes);
    net.backward(grad);
    optimizer.step();
    return loss;
  });
  return { net, losses };
}

Deno.test("a net with batch normalization and dropout learns two spirals that no line separates", () => {
  for (const seed of SEEDS) {
    const { net, losses } = train(seed, 150);
    assertLess(losses.at(-1)!, 0.3 * losses[0]);
    assert(accuracy(net, spirals(200, seed + 100)) > 0.9, "on new samples");
    assertEquals(train(seed, 3).losses, losses.slice(0, 3), "and again the same way");
  }
});

Deno.test("SGD with momentum fits a line: the weights of the least squares", () => {
  const x = normals([64, 3], 1);
  const truth = tensor([[2], [-1], [0.5]]);
  const y = add(matmul(x, truth), 0.25);
  const layer = linear(3, 1, 2);
  const optimizer = new SGD(layer.parameters(), { lr: 0.1, momentum: 0.5 });
  for (let i = 0; i < 300; i++) {
    const { grad } = mseLoss(layer(x), y);
    layer.backward(grad);
    optimizer.step();
  }
  assertClose(layer.weight, transpose(truth), 1e-10);
  assertAlmostEquals(layer.bias!.data[0], 0.25, 1e-10);
});

Deno.test("softmax gives probabilities: rows add up to 1, a shift changes nothing, and large logits do not overflow", () => {
  for (const dtype of ["float32", "float64"] as const) {
    const x = normals([5, 7], 1, dtype);
    const y = softmax(x);
    const tolerance = 8 * (dtype === "float32" ? 2 ** -24 : Number.EPSILON);
    sum(y, { axis: 1 }).data.forEach((total) => assertAlmostEquals(total, 1, tolerance));
    softmax(x.map((value) => value + 3)).data.forEach((p, i) =>
      assertAlmostEquals(p, y.data[i], 4 * tolerance)
    );
    // log softmax is what cross-entropy takes: its loss is −log of the class's probability.
    const { loss } = crossEntropy(x, [0, 1, 2, 3, 4]);
    const mine = [0, 1, 2, 3, 4].map((c, i) => -Math.log(y.at(i, c))).reduce((a, b) => a + b) / 5;
    assertAlmostEquals(loss, mine, 10 * tolerance);
  }
  assertEquals(softmax(tensor([[1000, 0], [-1e308, -1e308]])).toArray(), [[1, 0], [0.5, 0.5]]);
  assertThrows(() => softmax(tensor(1)), TypeError, "at least one axis");
});
