/** Batch normalization: PyTorch's and NumPy's numbers, the laws, gradients, running statistics, and faults it must show. */

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
import {
  BatchNorm,
  batchNorm,
  batchNormBackward,
  type BatchNormLayerOptions,
  type BatchNormOptions,
  type BatchNormPass,
  reestimateStatistics,
} from "../lib/batch_norm/mod.ts";
import { InvertedDropout } from "../lib/dropout/mod.ts";
import { gradcheck, numericalGradient } from "../lib/gradient.ts";
import { Layer } from "../lib/layer.ts";
import { Workspace } from "../lib/mod.ts";
import { Sequential } from "../lib/nn/mod.ts";
import { defaultRng } from "../lib/random/mod.ts";
import { withoutSimd } from "../lib/simd/kernels.ts";
import {
  add,
  full,
  mean,
  multiply,
  ones,
  type Shape,
  subtract,
  sum,
  Tensor,
  tensor,
  variance,
  zeros,
} from "../lib/tensor/mod.ts";
import { bytesOf, fixture, normals, numbers } from "./helpers.ts";

interface TorchStep {
  x: string;
  gradY: string;
  y: string;
  gradX: string;
  gradWeight: string | null;
  gradBias: string | null;
}
interface Reference {
  pytorch: {
    shape: number[];
    momentum: number;
    eps: number;
    affine: boolean;
    weight?: string;
    bias?: string;
    steps: (TorchStep & { runningMean: string; runningVar: string; numBatchesTracked: number })[];
    eval: TorchStep;
  }[];
  numpy: {
    shape: number[];
    momentum: number | null;
    eps: number;
    steps: { training: boolean; x: string; y: string; runningMean: string; runningVar: string }[];
  }[];
}
const reference = await fixture<Reference>("batch_norm");

const vector = (text: string, shape?: Shape) =>
  tensor(numbers(text)).reshape(shape ?? [numbers(text).length]);
const SEEDS = [1, 2, 3];

function assertClose(actual: Tensor, expected: Tensor, tolerance: number, message = ""): void {
  assertEquals(actual.shape, expected.shape);
  const gap = Math.max(0, ...subtract(actual, expected).data.map(Math.abs));
  assert(gap <= tolerance, `${message}: they differ by ${gap}, allowed ${tolerance}`);
}

// Other implementations

Deno.test("PyTorch's three training steps and evaluation are reproduced, forward and backward", () => {
  for (const { shape, momentum, eps, affine, weight, bias, steps, eval: evaluation } of reference.pytorch) {
    const norm = new BatchNorm(shape[1], { momentum, eps, affine });
    if (weight) norm.weight!.data.set(numbers(weight));
    if (bias) norm.bias!.data.set(numbers(bias));
    // Values below 10, six per channel, some twenty roundings each, another order of addition.
    const tolerance = 10 * 20 * 6 * 2 ** -53;
    const check = (step: TorchStep) => {
      assertClose(norm(vector(step.x, shape)), vector(step.y, shape), tolerance, "output");
      assertClose(
        norm.backward(vector(step.gradY, shape)),
        vector(step.gradX, shape),
        tolerance,
        "gradInput",
      );
      const grads = norm.parameters().map(({ grad }) => grad);
      const expected = affine ? [step.gradWeight, step.gradBias] : [];
      grads.forEach((grad, i) => assertClose(grad, vector(expected[i]!), tolerance, "parameters"));
      assertEquals(grads.length, expected.length);
    };
    for (const step of steps) {
      check(step);
      assertClose(norm.runningMean!, vector(step.runningMean), tolerance, "running mean");
      assertClose(norm.runningVar!, vector(step.runningVar), tolerance, "running variance");
      assertEquals(norm.numBatchesTracked, step.numBatchesTracked);
    }
    norm.eval();
    check(evaluation);
    assertClose(norm.runningMean!, vector(steps[2].runningMean), tolerance, "evaluation changes nothing");
  }
  assertEquals(reference.pytorch.map(({ affine }) => affine), [true, false]);
});

/** How far the layer's numbers lie from those of one of NumPy's runs, at most. */
function distanceFromNumpy(run: Reference["numpy"][number], norm: BatchNorm): number {
  let worst = 0;
  const compare = (actual: Tensor, text: string) =>
    actual.data.forEach((value, i) => worst = Math.max(worst, Math.abs(value - numbers(text)[i])));
  for (const { training, x, y, runningMean, runningVar } of run.steps) {
    compare(norm.train(training)(vector(x, run.shape)), y);
    compare(norm.runningMean!, runningMean);
    compare(norm.runningVar!, runningVar);
  }
  return worst;
}

Deno.test("the article's NumPy code is reproduced digit for digit; images to rounding", () => {
  for (const run of reference.numpy) {
    const { shape, momentum, eps } = run;
    const distance = distanceFromNumpy(run, new BatchNorm(shape[1], { momentum, eps, unbiased: false }));
    // Over three axes NumPy adds in another order: 18 values, up to 100 in size before the root.
    if (shape.length === 2) assertEquals(distance, 0, `shape [${shape}], momentum ${momentum}`);
    else assertLess(distance, 100 * 18 * 2 ** -53);
  }
  assertEquals(reference.numpy.map(({ shape }) => shape.length), [2, 2, 2, 4]);
});

Deno.test("planted: momentum read as the weight of the old value, and the other variance, differ from NumPy", () => {
  const [run] = reference.numpy;
  const distance = (options: BatchNormLayerOptions) =>
    distanceFromNumpy(run, new BatchNorm(run.shape[1], { eps: run.eps, ...options }));
  assert(distance({ momentum: 0.9, unbiased: false }) > 0.1);
  assert(distance({ momentum: 0.1, unbiased: true }) > 0.01);
});

// The laws

/** Shapes with one to four channels and at least two values in each. */
const anyShape = fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 4 })).chain(([n, c]) =>
  fc.constantFrom([n, c], [n, c, 3], [n, c, 2, 3], [1, c, 2, n])
);

Deno.test("in training each channel has mean 0 and variance v/(v + eps); the input is not changed", () => {
  fc.assert(fc.property(anyShape, fc.nat(), (shape, seed) => {
    const x = add(multiply(normals(shape, seed), 3), 5);
    const before = bytesOf(x);
    const { output, statistics } = batchNorm(x);
    assertEquals(bytesOf(x), before);
    for (let c = 0; c < shape[1]; c++) {
      const channel = tensor(channelOf(output, c));
      const v = variance(tensor(channelOf(x, c)));
      // Values below 20, and their mean, are known to a few roundings; relative to the deviation, that is more.
      const rounding = 8 * 20 * 2 ** -53 / Math.sqrt(v);
      assertLess(Math.abs(statistics.variance.data[c] / v - 1), 4 * rounding);
      assertLess(Math.abs(mean(channel)), rounding);
      assertLess(Math.abs(variance(channel) - v / (v + 1e-5)), 4 * rounding);
    }
  }));
});

/** The values of channel `c`, sample by sample. */
function channelOf(x: Tensor, c: number): number[] {
  const inner = x.shape.slice(2).reduce((product, length) => product * length, 1);
  return Array.from(x.data).filter((_, i) => Math.floor(i / inner) % x.shape[1] === c);
}

Deno.test("with eps = 0, scaling the input changes nothing, a minus flips signs, a shift is forgotten", () => {
  fc.assert(fc.property(anyShape, fc.nat(), (shape, seed) => {
    const x = normals(shape, seed);
    const { output, pass } = batchNorm(x, { eps: 0 });
    assertEquals(batchNorm(multiply(x, 4), { eps: 0 }).output, output, "a power of two rounds nothing");
    assertEquals(batchNorm(multiply(x, -4), { eps: 0 }).output, multiply(output, -1));
    const shifted = batchNorm(add(multiply(x, 3), 7), { eps: 0 }).output;
    // |3x + 7| is below 32; its rounding, and that of its mean, is divided by the deviation.
    assertClose(shifted, output, 32 * 20 * 2 ** -53 / Math.min(...pass.deviation.data));
  }));
});

Deno.test("[N, C, H, W] is [N·H·W, C] with the same statistics", () => {
  const x = normals([3, 2, 2, 4], 5);
  const rows = tensor(Array.from({ length: 24 }, (_, i) => [channelOf(x, 0)[i], channelOf(x, 1)[i]]));
  const [image, flat] = [batchNorm(x), batchNorm(rows)];
  assertClose(image.statistics.mean, flat.statistics.mean, 1e-15);
  assertClose(image.statistics.variance, flat.statistics.variance, 1e-15);
  const columns = [0, 1].map((c) => tensor(channelOf(image.output, c)));
  columns.forEach((column, c) => assertClose(column, tensor(channelOf(flat.output, c)), 1e-14));
});

Deno.test("float32 rounds each step: all errors stay within a few roundings of the float64 result", () => {
  const UNIT = 2 ** -24; // of one rounding, relative
  for (const seed of SEEDS) {
    const [single, g] = [normals([100, 4], seed, "float32"), normals([100, 4], seed + 1, "float32")];
    const widen = (x: Tensor) => new Tensor(Float64Array.from(x.data), x.shape);
    const [narrow, wide] = [new BatchNorm(4, { dtype: "float32" }), new BatchNorm(4)];
    // Mean and deviation, difference and quotient are rounded; inputs are below 5, deviations about 1.
    assertClose(widen(narrow(single)), wide(widen(single)), 5 * 16 * UNIT);
    assertClose(widen(narrow.backward(g)), wide.backward(widen(g)), 5 * 16 * UNIT);
    // A sum over four rows has three roundings, its terms two; squares of d = x − (first row) are below 100.
    assertClose(widen(narrow.runningVar!), wide.runningVar!, 0.1 * 10 * 20 * UNIT + UNIT);
    narrow.parameters().forEach(({ grad }, i) =>
      assertClose(widen(grad), wide.parameters()[i].grad, 100 * 25 * 10 * UNIT)
    );
  }
});

// Gradients

/** A layer with γ and β of its own, and running statistics that are not 0 and 1. */
function lived(channels: number, seed: number, options: BatchNormLayerOptions = {}): BatchNorm {
  const norm = new BatchNorm(channels, options);
  norm.weight?.data.set(normals([channels], seed).data);
  norm.bias?.data.set(normals([channels], seed + 1).data);
  norm(add(multiply(normals([10, channels], seed + 2), 2), 1));
  return norm;
}

Deno.test("both modes pass gradcheck, for rows and images, with and without γ and β", () => {
  for (const seed of SEEDS) {
    for (const shape of [[4, 2], [2, 1, 2, 2]]) {
      for (const affine of [true, false]) {
        for (const training of [true, false]) {
          const norm = lived(shape[1], seed, { affine }).train(training);
          const report = gradcheck(norm, normals(shape, seed));
          assert(report.ok, `[${shape}], training ${training}, affine ${affine}: ${report.summary}`);
        }
      }
    }
  }
});

Deno.test("the gradients of γ and β are those of the differences, in both modes", () => {
  for (const seed of SEEDS) {
    for (const training of [true, false]) {
      const norm = lived(3, seed).train(training);
      const [x, g] = [normals([5, 3], seed + 5), normals([5, 3], seed + 6)];
      norm(x);
      norm.backward(g);
      for (const { name, value, grad } of norm.parameters()) {
        const saved = value.clone();
        const expected = numericalGradient((at) => {
          value.data.set(at.data);
          return sum(multiply(norm(x), g));
        }, saved);
        value.data.set(saved.data);
        assertClose(grad, expected, 1e-8, name);
      }
    }
  }
});

/** Backward passes that forget something; all of them look right at a glance. */
const faults: Record<string, (g: Tensor, pass: BatchNormPass) => Tensor> = {
  "no term through the variance": (g, pass) => {
    const scale = scaleOf(pass);
    return multiply(subtract(g, mean(g, { axis: 0 })), scale);
  },
  "no term through the mean": (g, pass) => {
    const { gradInput } = batchNormBackward(g, pass);
    return add(gradInput, multiply(mean(g, { axis: 0 }), scaleOf(pass)));
  },
  "statistics taken as constants": (g, pass) => batchNormBackward(g, { ...pass, ofBatch: false }).gradInput,
  "γ forgotten": (g, pass) => batchNormBackward(g, { ...pass, weight: full([2], 1) }).gradInput,
};
const scaleOf = ({ weight, deviation }: BatchNormPass) => weight.map((w, c) => w / deviation.data[c]);

for (const [fault, backward] of Object.entries(faults)) {
  Deno.test(`planted: ${fault}, fails gradcheck`, () => {
    for (const seed of SEEDS) {
      const weight = add(normals([2], seed), 3);
      let pass: BatchNormPass;
      const forward = (x: Tensor) => {
        const result = batchNorm(x, { weight });
        pass = result.pass;
        return result.output;
      };
      const x = normals([5, 2], seed);
      assert(gradcheck(forward, (g) => batchNormBackward(g, pass).gradInput, x).ok);
      assertEquals(gradcheck(forward, (g) => backward(g, pass), x).ok, false);
    }
  });
}

Deno.test("in training no gradient moves a channel's mean, nor (eps = 0) its scale", () => {
  for (const seed of SEEDS) {
    const x = normals([7, 3], seed);
    const { pass } = batchNorm(x, { eps: 0 });
    const { gradInput } = batchNormBackward(normals([7, 3], seed + 9), pass);
    assertClose(sum(gradInput, { axis: 0 }), zeros([3]), 1e-14);
    assertClose(sum(multiply(gradInput, pass.normalized), { axis: 0 }), zeros([3]), 1e-14);
  }
});

Deno.test("a backward pass belongs to its forward pass, whatever has changed since", () => {
  for (const training of [true, false]) {
    const [x, g] = [normals([6, 2], 1), normals([6, 2], 2)];
    const norm = lived(2, 3).train(training);
    const output = norm(x);
    const expected = norm.backward(g);
    norm.train(!training);
    assertEquals(norm.backward(g), expected, "the mode");
    norm.weight!.data.fill(9);
    norm.resetRunningStats();
    x.data.fill(0);
    output.data.fill(0);
    assertEquals(norm.backward(g), expected, "weight, running statistics, input and output");
  }
});

// Running statistics

Deno.test("momentum 1 keeps the last batch, 0 nothing, null the average of all", () => {
  const batches = SEEDS.map((seed) => add(normals([9, 2], seed), seed));
  const after = (momentum: number | null) => {
    const norm = new BatchNorm(2, { momentum });
    batches.forEach((batch) => norm(batch));
    return norm;
  };
  const unbiased = batches.map((batch) => variance(batch, { axis: 0, correction: 1 }));
  assertClose(after(1).runningMean!, mean(batches[2], { axis: 0 }), 1e-15);
  assertClose(after(1).runningVar!, unbiased[2], 1e-15);
  assertEquals([after(0).runningMean, after(0).runningVar], [zeros([2]), ones([2])]);
  const average = (tensors: Tensor[]) => multiply(tensors.reduce((a, b) => add(a, b)), 1 / tensors.length);
  assertClose(after(null).runningMean!, average(batches.map((batch) => mean(batch, { axis: 0 }))), 1e-15);
  assertClose(after(null).runningVar!, average(unbiased), 1e-15);
  assertEquals(after(null).numBatchesTracked, 3);
});

Deno.test("the default momentum gives the new batch a tenth, and reset starts again", () => {
  const norm = new BatchNorm(1, { unbiased: false });
  norm(tensor([[10], [20]]));
  assertEquals([norm.runningMean!.data[0], norm.runningVar!.data[0]], [1.5, 0.9 + 0.1 * 25]);
  norm.resetRunningStats();
  assertEquals([norm.runningMean, norm.runningVar, norm.numBatchesTracked], [zeros([1]), ones([1]), 0]);
});

Deno.test("the running variance is unbiased: n/(n − 1) times the one divided by n", () => {
  for (const shape of [[2, 1], [5, 1], [3, 1, 2, 2]]) {
    const x = normals(shape, 4);
    const run = (unbiased: boolean) => {
      const norm = new BatchNorm(1, { momentum: 1, unbiased });
      norm(x);
      return norm.runningVar!.data[0];
    };
    assertAlmostEquals(run(true) / run(false), x.size / (x.size - 1), 1e-15);
  }
});

Deno.test("a batch that is refused leaves the running statistics alone", () => {
  const norm = new BatchNorm(2);
  assertThrows(() => norm(ones([1, 2])));
  assertEquals([norm.runningMean, norm.runningVar, norm.numBatchesTracked], [zeros([2]), ones([2]), 0]);
});

Deno.test("without running statistics, evaluation uses the batch too", () => {
  const norm = new BatchNorm(2, { trackRunningStats: false });
  const x = normals([5, 2]);
  const output = norm(x);
  assertEquals(norm.eval()(x), output);
  assertEquals([norm.runningMean, norm.runningVar, norm.numBatchesTracked], [null, null, 0]);
  norm.resetRunningStats(); // nothing to reset, nothing to fail
  assert(gradcheck(norm, x).ok);
  assertThrows(() => norm(ones([1, 2])), RangeError, "more than 1 value per channel");
});

Deno.test("a single sample can be evaluated, but not trained on; an image of one sample can", () => {
  const norm = new BatchNorm(2);
  const message =
    "Batch normalization needs more than 1 value per channel while training, got an input of shape [";
  assertEquals(assertThrows(() => norm(ones([1, 2])), RangeError).message, `${message}1, 2]`);
  assertEquals(assertThrows(() => norm(ones([1, 2, 1, 1])), RangeError).message, `${message}1, 2, 1, 1]`);
  assertThrows(() => norm(zeros([0, 2])), RangeError, "got an input of shape [0, 2]");
  assertEquals(norm(normals([1, 2, 2, 2])).shape, [1, 2, 2, 2]);
  assertEquals(norm.eval()(ones([1, 2])).shape, [1, 2]);
  assertEquals(norm(zeros([0, 2])).shape, [0, 2]);
});

Deno.test("a constant channel gives β, and finite gradients", () => {
  const norm = new BatchNorm(1);
  norm.bias!.data[0] = 3;
  assertEquals(norm(full([4, 1], 7)), full([4, 1], 3));
  assert(norm.backward(normals([4, 1])).data.every(Number.isFinite));
});

// Checks

Deno.test("the options are checked, and the message says what is allowed", () => {
  for (const n of [0, -1, 1.5, NaN]) {
    assertThrows(() => new BatchNorm(n), RangeError, `numFeatures must be a positive integer, got ${n}`);
  }
  const text = "3" as unknown as number;
  assertThrows(() => new BatchNorm(text), TypeError, 'numFeatures must be a positive integer, got "3"');
  for (const momentum of [-0.1, 1.1, NaN]) {
    const message = `momentum, the weight of the new batch (or null), must be in [0, 1], got ${momentum}`;
    assertEquals(assertThrows(() => new BatchNorm(2, { momentum }), RangeError).message, message);
    assertThrows(() => new BatchNorm(2).momentum = momentum, RangeError, message);
  }
  assertThrows(() => new BatchNorm(2, { momentum: "0.1" as unknown as number }), TypeError, 'got "0.1"');
  for (const eps of [-1, NaN, Infinity]) {
    assertThrows(() => new BatchNorm(2, { eps }), RangeError, `eps must be a number in [0, ∞), got ${eps}`);
    assertThrows(() => batchNorm(ones([2, 2]), { eps }), RangeError, "eps must be");
  }
  assertThrows(() => new BatchNorm(2, { dtype: "int8" as "float32" }), TypeError, "The dtype must be");
  for (const name of ["affine", "trackRunningStats", "unbiased"]) {
    assertThrows(() => new BatchNorm(2, { [name]: 1 }), TypeError, `${name} must be true or false, got 1`);
  }
  const misspelt = { momentun: 0.2 } as object;
  assertThrows(
    () => new BatchNorm(2, misspelt),
    TypeError,
    'BatchNorm has no option "momentun"; its options are',
  );
  assertThrows(() => batchNorm(ones([2, 2]), misspelt), TypeError, 'batchNorm has no option "momentun"');
});

Deno.test("inputs and gradients of the wrong shape or type are refused", () => {
  const norm = new BatchNorm(3);
  assertThrows(() => norm.backward(ones([2, 3])), Error, "backward needs a forward pass before it");
  const message = "This BatchNorm needs a tensor of shape [N, 3] or [N, 3, …], got ";
  const noTensor =
    "This BatchNorm, made for [N, 3] or [N, 3, …], needs a Tensor, as tensor([…]) makes one, got ";
  assertEquals(assertThrows(() => norm(ones([3])), TypeError).message, `${message}[3]`);
  assertEquals(assertThrows(() => norm(ones([3, 2])), TypeError).message, `${message}[3, 2]`);
  assertThrows(() => norm([1] as unknown as Tensor), TypeError, `${noTensor}an array`);
  assertThrows(() => norm(ones([2, 3], "float32")), TypeError, "made for float64, got a float32 tensor");
  norm(normals([2, 3]));
  const shape = "batchNormBackward needs a tensor of shape [2, 3], got ";
  assertThrows(() => norm.backward(ones([3, 2])), TypeError, `${shape}[3, 2]`);
  assertThrows(() => norm.backward(1 as unknown as Tensor), TypeError, "batchNormBackward needs a Tensor");
  assertThrows(() => batchNorm(ones([3])), TypeError, "needs a tensor of shape [N, C] or [N, C, …], got [3]");
  assertThrows(() => batchNorm(1 as unknown as Tensor), TypeError, "got 1");
  const wrong = "batchNorm: weight needs a ";
  assertThrows(
    () => batchNorm(ones([2, 3]), { weight: ones([2]) }),
    TypeError,
    `${wrong}tensor of shape [3], got [2]`,
  );
  assertThrows(
    () => batchNorm(ones([2, 3]), { weight: 1 as unknown as Tensor }),
    TypeError,
    `${wrong}Tensor`,
  );
  const noPass = Object.create(null) as BatchNormPass;
  assertThrows(
    () => batchNormBackward(ones([2, 3]), noPass),
    TypeError,
    "needs the pass that batchNorm returned",
  );
});

Deno.test("parameters are γ and β, and there are none without affine", () => {
  const norm = new BatchNorm(2);
  assertEquals(norm.parameters().map(({ name }) => name), ["weight", "bias"]);
  assertStrictEquals(norm.parameters()[0].value, norm.weight);
  assertStrictEquals(norm.parameters()[1].value, norm.bias);
  assertEquals([norm.weight, norm.bias], [ones([2]), zeros([2])]);
  const bare = new BatchNorm(2, { affine: false });
  assertEquals([bare.weight, bare.bias, bare.parameters().length], [null, null, 0]);
});

// Re-estimation

/** Layers inside layers, written as a user would. */
class Row extends Layer {
  readonly row: readonly Layer[];
  constructor(...row: Layer[]) {
    super();
    this.row = row;
  }
  forward(x: Tensor): Tensor {
    return this.row.reduce((value, layer) => layer.forward(value), x);
  }
  backward(gradOutput: Tensor): Tensor {
    return this.row.reduceRight((g, layer) => layer.backward(g), gradOutput);
  }
}

Deno.test("re-estimated statistics are the averages over the batches with dropout off", () => {
  for (const [seed, Rows] of [[1, Row], [2, Sequential], [3, Row], [4, Sequential]] as const) {
    const rng = defaultRng(seed);
    const batches = [1, 2, 3, 4].map(() => new Tensor(rng.standardNormal(64 * 3), [64, 3]));
    const dropout = new InvertedDropout(0.5, { rng: defaultRng(seed) });
    const norm = new BatchNorm(3, { momentum: 0.2 });
    const model = new Rows(new Rows(dropout), norm);
    for (let i = 0; i < 50; i++) model(batches[i % 4]);
    const stream = new InvertedDropout(0.5, { rng: defaultRng(seed) });
    for (let i = 0; i < 50; i++) stream(batches[0]);
    assert(mean(norm.runningVar!) > 1.5, "trained behind dropout: about twice too large");
    dropout.eval(); // mixed modes must come back as they were
    reestimateStatistics(model, batches.values());
    const average = (of: (batch: Tensor) => Tensor) =>
      multiply(batches.map(of).reduce((a, b) => add(a, b)), 1 / 4);
    assertClose(norm.runningMean!, average((batch) => mean(batch, { axis: 0 })), 1e-15);
    assertClose(norm.runningVar!, average((batch) => variance(batch, { axis: 0, correction: 1 })), 1e-15);
    assertEquals([norm.numBatchesTracked, norm.momentum], [4, 0.2]);
    assertEquals([model.training, norm.training, dropout.training], [true, true, false]);
    assertEquals(dropout.train()(batches[0]), stream(batches[0]), "nothing was drawn from dropout's stream");
    assertEquals([norm.weight, norm.bias], [ones([3]), zeros([3])]);
  }
});

Deno.test("planted: with dropout left on, the re-estimated variance stays twice too large", () => {
  const batches = SEEDS.map((seed) => normals([256, 3], seed));
  const norm = new BatchNorm(3, { momentum: null });
  const dropout = new InvertedDropout(0.5, { rng: defaultRng(1) });
  batches.forEach((batch) => norm(dropout(batch)));
  assert(mean(norm.runningVar!) > 1.5);
  reestimateStatistics(new Row(dropout, norm), batches);
  assertLess(Math.abs(mean(norm.runningVar!) - 1), 0.2);
});

Deno.test("if re-estimation fails, everything is as before", () => {
  const norm = lived(2, 1);
  const state =
    () => [norm.runningMean!.clone(), norm.runningVar!.clone(), norm.numBatchesTracked, norm.momentum];
  const before = state();
  const model = new Row(norm).eval();
  norm.train(); // mixed modes must come back as they were
  const fails = (batches: Tensor[]) => () => reestimateStatistics(model, batches);
  assertThrows(fails([]), RangeError, "reestimateStatistics needs at least one batch, got none");
  assertThrows(fails([normals([4, 2]), normals([4, 3])]), TypeError, "got [4, 3]");
  assertEquals(state(), before);
  assertEquals([model.training, norm.training], [false, true]);
  const bare = new Row(new BatchNorm(2, { trackRunningStats: false }));
  assertThrows(
    () => reestimateStatistics(bare, [ones([2, 2])]),
    RangeError,
    "at least one BatchNorm that keeps",
  );
  reestimateStatistics(norm, [normals([4, 2])]); // the model may be the layer itself
  assertEquals(norm.numBatchesTracked, 1);
});

// Kernels

const bits = (x: Tensor) => Array.from(x.data, (value) => Object.is(value, -0) ? "-0" : String(value));

/** Everything that a forward and a backward pass give, to the bit. */
function bothPasses(x: Tensor, g: Tensor, options: BatchNormOptions): string[][] {
  const { output, statistics, pass } = batchNorm(x, options);
  const { gradInput, gradWeight, gradBias } = batchNormBackward(g, pass);
  const { mean, variance } = statistics;
  return [output, mean, variance, pass.normalized, pass.deviation, gradInput, gradWeight, gradBias].map(bits);
}

Deno.test("kernels give the readable form's bits: any number of rows, both types and modes, arrays and workspaces", () => {
  for (const dtype of ["float32", "float64"] as const) {
    for (
      const [rows, columns] of [[2, 4], [3, 8], [7, 4], [8, 4], [9, 12], [33, 64], [100, 3], [1200, 36], [
        3,
        8192,
      ]]
    ) {
      const shape = [rows, columns];
      const [x, g] = [normals(shape, rows, dtype), normals(shape, columns, dtype)];
      const [weight, bias] = [normals([columns], 3), normals([columns], 4)];
      const statistics = { mean: normals([columns], 5), variance: multiply(weight, weight) };
      for (const options of [{}, { weight, bias }, { weight, statistics }, { eps: 0 }]) {
        const expected = withoutSimd(() => bothPasses(x, g, options));
        assertEquals(bothPasses(x, g, options), expected, `${dtype} [${shape}]`);
        using workspace = new Workspace(2 ** 21);
        const room = () => workspace.zeros(shape, dtype);
        const there = { ...options, out: room(), normalized: room() };
        assertEquals(
          bothPasses(workspace.copy(x), workspace.copy(g), there),
          expected,
          `workspace, ${dtype} [${shape}]`,
        );
      }
    }
  }
});

Deno.test("what is not a number stays in its channel, with kernels and without", () => {
  for (const dtype of ["float32", "float64"] as const) {
    for (const odd of [NaN, Infinity, -Infinity, 1e300]) {
      const x = normals([9, 8], 1, dtype);
      x.data[8 * 4 + 3] = odd;
      const g = normals([9, 8], 2, dtype);
      const found = bothPasses(x, g, {});
      assertEquals(found, withoutSimd(() => bothPasses(x, g, {})), `${odd}`);
      const others = batchNorm(x).output.data.filter((_, i) => i % 8 !== 3);
      assert(others.every(Number.isFinite));
    }
  }
});

Deno.test("planted: one row left out of a sum is seen in the bits", () => {
  const x = normals([9, 8], 1, "float32");
  const shorter = new Tensor(x.data.slice(0, 64), [8, 8]);
  assertNotEquals(bits(batchNorm(x).statistics.mean), bits(batchNorm(shorter).statistics.mean));
});

Deno.test("out and normalized receive what they are for, and are refused where they would destroy something", () => {
  const [x, g] = [normals([6, 4], 1), normals([6, 4], 2)];
  const [out, normalized] = [zeros([6, 4]), zeros([6, 4])];
  const { output, pass } = batchNorm(x, { out, normalized });
  assertStrictEquals(output, out);
  assertStrictEquals(pass.normalized, normalized);
  assertEquals(output, batchNorm(x).output);
  const gradient = batchNormBackward(g, pass).gradInput;
  assertStrictEquals(batchNormBackward(g, pass, { out: g }).gradInput, g);
  assertEquals(g, gradient);
  assertThrows(() => batchNorm(x, { normalized: x }), TypeError, "normalized needs memory of its own");
  assertThrows(() => batchNorm(x, { out, normalized: out }), TypeError, "normalized needs memory of its own");
  assertThrows(() => batchNorm(x, { out: zeros([4, 6]) }), TypeError, "out must be float64 of shape [6, 4]");
  assertThrows(
    () => batchNormBackward(x, pass, { out: normalized }),
    TypeError,
    "memory apart from what the forward",
  );
  const single = normals([6, 4], 1, "float32");
  assertThrows(
    () => batchNormBackward(single, pass),
    TypeError,
    "The gradient must be float64 as the input was",
  );
});

Deno.test("float32 rows too large for float32 squares are normalized all the same, with kernels and without", () => {
  for (const columns of [4, 3]) { // by kernels, or by the readable form
    for (const size of [1e18, 1e19, 3e38]) {
      const x = full([6, columns], size, "float32");
      for (let i = 0; i < x.size; i += 2 * columns) x.data.fill(-size, i, i + columns);
      for (const out of [undefined, x.clone()]) {
        const input = out ?? x; // also in place
        for (
          const run of [
            batchNorm,
            (y: Tensor, options: BatchNormOptions) => withoutSimd(() => batchNorm(y, options)),
          ]
        ) {
          if (out !== undefined) out.data.set(x.data);
          const { output, statistics, pass } = run(input, { out });
          // Mean 0, deviation = size: x̂ = ±1, to the rounding of float32.
          output.data.forEach((y, i) => assertAlmostEquals(y, Math.sign(x.data[i]), 2 ** -22));
          statistics.variance.data.forEach((v) => assertAlmostEquals(v / Math.fround(size) ** 2, 1, 1e-6));
          const gradient = batchNormBackward(ones([6, columns], "float32"), pass).gradInput;
          gradient.data.forEach((g) => assertAlmostEquals(g, 0, 1e-7)); // a shift of all rows changes nothing
        }
      }
    }
  }
});

Deno.test("in place, forward and backward give the numbers that they give elsewhere", () => {
  for (const shape of [[7, 3], [8, 4], [3, 2, 5]]) {
    for (const dtype of ["float32", "float64"] as const) {
      const [x, g] = [normals(shape, 1, dtype), normals(shape, 2, dtype)];
      const { output, pass } = batchNorm(x);
      const gradient = batchNormBackward(g, pass).gradInput;
      const there = x.clone();
      assertEquals(batchNorm(there, { out: there }).output, output);
      assertEquals(batchNormBackward(g, pass, { out: g }).gradInput, gradient);
    }
  }
});

Deno.test("a channel that float32 is too narrow for, or that holds a NaN, changes no bit of the others", () => {
  for (const [odd, at] of [[NaN, 1], [Infinity, 6], [1e25, 5], [3e38, 2]]) {
    for (const shape of [[8, 4], [9, 3]]) {
      const x = normals(shape, 1, "float32");
      const spoiled = x.clone();
      spoiled.data[at] = odd;
      for (const run of [batchNorm, (y: Tensor) => withoutSimd(() => batchNorm(y))]) {
        const [clean, other] = [run(x).output.data, run(spoiled).output.data];
        clean.forEach((value, i) => {
          if (i % shape[1] !== at % shape[1]) assertStrictEquals(other[i], value);
        });
      }
    }
  }
});

Deno.test("one huge value among many: rows and images of float32 agree with float64", () => {
  const values = [3.2e38, ...Array(7).fill(-3.2e38)];
  const expected = batchNorm(tensor(values).reshape([8, 1])).output.data;
  for (const shape of [[8, 1], [4, 1, 2]]) {
    const { output } = batchNorm(tensor(values, "float32").reshape(shape));
    output.data.forEach((y, i) => assertAlmostEquals(y, expected[i], 1e-5));
  }
});
