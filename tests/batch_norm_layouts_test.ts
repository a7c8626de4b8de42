/** Where batch normalization finds its channels, and the conventions of frameworks for its running statistics. */

import { assert, assertEquals, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BatchNorm,
  batchNorm,
  batchNormBackward,
  type BatchNormLayerOptions,
  type BatchNormOptions,
  gradcheck,
  ones,
  type Shape,
  Tensor,
  tensor,
} from "../lib/mod.ts";
import { docTable, fixture, normals, numbers } from "./helpers.ts";

/** The same numbers with axis `from` moved to `to`. */
function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const order = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  order.splice(to, 0, from);
  const shape = order.map((axis) => x.shape[axis]);
  const data = x.data.slice();
  data.forEach((_, flat) => {
    const index: number[] = [];
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[order[axis]] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    data[flat] = x.at(...index);
  });
  return new Tensor(data, shape);
}

interface TorchStep {
  training: boolean;
  x: string;
  y: string;
  gradY: string;
  gradX: string;
  gradWeight: string;
  gradBias: string;
  runningMean: string;
  runningVar: string;
}
interface TorchRun {
  shape: number[];
  momentum: number | null;
  eps: number;
  weight: string;
  bias: string;
  steps: TorchStep[];
}

function distance(actual: Tensor, expected: ArrayLike<number>): number {
  assertEquals(actual.size, expected.length);
  return Math.max(...actual.data.map((value, i) => Math.abs(value - expected[i])));
}

Deno.test("PyTorch's numbers for one to three inner axes, with channels on axis 1, last, first and between", async () => {
  const { runs } = await fixture<{ runs: TorchRun[] }>("batch_norm_layouts");
  for (const { shape, momentum, eps, weight, bias, steps } of runs) {
    const channels = shape[1];
    const values = shape.reduce((product, length) => product * length, 1) / channels;
    // Numbers below 12 in size, twenty roundings each, another order of addition.
    const tolerance = 12 * 20 * values * 2 ** -53;
    for (let at = 0; at < shape.length; at++) {
      for (const axis of [at, at - shape.length]) {
        const norm = new BatchNorm(channels, { momentum, eps, axis });
        norm.weight!.data.set(numbers(weight));
        norm.bias!.data.set(numbers(bias));
        for (const step of steps) {
          norm.train(step.training);
          const there = (text: string) => moveAxis(tensor(numbers(text)).reshape(shape), 1, at);
          const close = (actual: Tensor, expected: Tensor) => {
            assertEquals(actual.shape, expected.shape);
            assertLess(distance(actual, expected.data), tolerance, `[${shape}], axis ${axis}`);
          };
          close(norm(there(step.x)), there(step.y));
          close(norm.backward(there(step.gradY)), there(step.gradX));
          const [gradWeight, gradBias] = norm.parameters().map(({ grad }) => grad);
          close(gradWeight, tensor(numbers(step.gradWeight)));
          close(gradBias, tensor(numbers(step.gradBias)));
          close(norm.runningMean!, tensor(numbers(step.runningMean)));
          close(norm.runningVar!, tensor(numbers(step.runningVar)));
        }
      }
    }
  }
  assertEquals(runs.map(({ shape, momentum }) => [shape.length, momentum]), [
    [2, 0.1],
    [3, null],
    [4, 0.3],
    [4, null],
    [5, 0.1],
  ]);
});

/** The table in the doc comment of lib/batch_norm/mod.ts. */
const rows = (await docTable("batch_norm/mod.ts", "| framework | channels |")).map(
  ([framework, channels, momentum, weightOf, divisor, options]) => ({
    framework,
    channels,
    momentum: parseFloat(momentum),
    weightOf,
    divisor,
    options: JSON.parse(options) as BatchNormLayerOptions,
  }),
);

interface Conventions {
  batches: string[];
  oneValue: Record<string, string>;
  runs: Record<
    string,
    { shape: number[]; training: string; evaluation: string; runningMean: string; runningVar: string }
  >;
}
const { batches, oneValue, runs } = await fixture<Conventions>("batch_norm_conventions");

/** How far a layer with these options lies from what a framework gave, at most. */
function distanceFrom(framework: string, options: BatchNormLayerOptions): number {
  const { shape, training, evaluation, runningMean, runningVar } = runs[framework];
  const norm = new BatchNorm(3, { dtype: "float32", ...options });
  const inputs = batches.map((text) => tensor(numbers(text), "float32").reshape(shape));
  const output = inputs.map((x) => norm(x).clone()).at(-1)!;
  return Math.max(
    distance(output, numbers(training)),
    distance(norm.runningMean!, numbers(runningMean)),
    distance(norm.runningVar!, numbers(runningVar)),
    distance(norm.eval()(inputs[0]), numbers(evaluation)),
  );
}

/** Numbers below 8 in size (16 as squares); mean, variance, deviation and quotient: ten roundings of float32 each. */
const TOLERANCE = 16 * 10 * 2 ** -24;

Deno.test("each row of the table: a layer with its options gives what the framework gave", () => {
  assertEquals(rows.map(({ framework }) => framework).toSorted(), Object.keys(runs).toSorted());
  for (const { framework, channels, momentum, weightOf, divisor, options } of rows) {
    assertLess(distanceFrom(framework, options), TOLERANCE, framework);
    const norm = new BatchNorm(3, options);
    assertEquals(norm.axis === 1 ? "axis 1" : "last", channels);
    assertLess(Math.abs(norm.momentum! - (weightOf === "the new" ? momentum : 1 - momentum)), 1e-15);
    assertEquals(norm.unbiased ? "n − 1" : "n", divisor);
  }
});

Deno.test("planted: momentum the other way, the other variance, the other axis and the other eps are seen", () => {
  for (const { framework, options } of rows) {
    const { momentum = 0.1, unbiased = true, axis = 1, eps = 1e-5 } = options;
    const faults: BatchNormLayerOptions[] = [
      { momentum: 1 - momentum! },
      { unbiased: !unbiased },
      { eps: eps === 1e-5 ? 1e-3 : 1e-5 },
    ];
    for (const fault of faults) {
      assert(distanceFrom(framework, { ...options, ...fault }) > 2 * TOLERANCE, JSON.stringify(fault));
    }
    const swapped = { ...options, axis: axis === 1 ? -1 : 1 };
    assertThrows(() => distanceFrom(framework, swapped), TypeError, "This BatchNorm needs a tensor of shape");
  }
});

Deno.test("one value per channel is refused in training, by PyTorch and here; the others give β", () => {
  const { "PyTorch 2.13.0": torch, ...others } = oneValue;
  assert(torch.startsWith("ValueError: Expected more than 1 value per channel when training"));
  assertEquals(Object.values(others).map(numbers), Array(4).fill([7, 7]));
  assertThrows(() => new BatchNorm(2)(tensor([[3, 4]])), RangeError, "more than 1 value per channel");
});

// The laws

const anyLayout = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 })
  .filter((shape) => shape.every((_, axis) => shape.toSpliced(axis, 1).some((length) => length > 1)))
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

Deno.test("moving the channels moves the output, and nothing else, forward and backward, in both types and modes", () => {
  fc.assert(fc.property(anyLayout, fc.nat(), fc.boolean(), ([shape, axis], seed, given) => {
    for (const dtype of ["float64", "float32"] as const) {
      const [x, g] = [normals(shape, seed, dtype), normals(shape, seed + 1, dtype)];
      const c = shape[axis];
      const [weight, bias] = [normals([c], 3), normals([c], 4)];
      const statistics = given ? { mean: normals([c], 5), variance: ones([c]) } : undefined;
      const options: BatchNormOptions = { weight, bias, statistics, eps: 1 }; // the deviation is at least 1
      const here = batchNorm(x, { ...options, axis });
      const there = batchNorm(moveAxis(x, axis, 1), options);
      // Sums may be taken in another order. Squares stay below 144 and have ten roundings; γ and x̂ stay below 6 each:
      // 144 · 10 · 36 / 2 < 2¹⁵ roundings.
      const tolerance = 2 ** 15 * (dtype === "float32" ? 2 ** -24 : 2 ** -53);
      assertLess(distance(here.output, moveAxis(there.output, 1, axis).data), tolerance);
      assertEquals(here.output.shape, shape);
      const [back, backThere] = [
        batchNormBackward(g, here.pass),
        batchNormBackward(moveAxis(g, axis, 1), there.pass),
      ];
      assertLess(distance(back.gradInput, moveAxis(backThere.gradInput, 1, axis).data), 6 * tolerance);
      assertLess(distance(back.gradWeight, backThere.gradWeight.data), 64 * tolerance);
      assertLess(distance(back.gradBias, backThere.gradBias.data), 64 * tolerance);
    }
  }));
});

Deno.test("channels last is [N·H·W, C] to the bit, and a negative axis is the same one counted from the end", () => {
  for (const dtype of ["float64", "float32"] as const) {
    for (const seed of [1, 2, 3]) {
      const [x, g] = [normals([3, 5, 2, 8], seed, dtype), normals([3, 5, 2, 8], seed + 1, dtype)];
      const last = batchNorm(x, { axis: -1 });
      const rows = batchNorm(x.reshape([30, 8]));
      assertEquals(last.output.data, rows.output.data);
      assertEquals(last.statistics, rows.statistics);
      assertEquals(
        batchNormBackward(g, last.pass).gradInput.data,
        batchNormBackward(g.reshape([30, 8]), rows.pass).gradInput.data,
      );
      assertEquals(batchNorm(x, { axis: 3 }).output, last.output);
      assertEquals(batchNorm(x, { axis: -3 }).output, batchNorm(x).output);
      assertNotEquals(batchNorm(x, { axis: 2 }).output, last.output);
    }
  }
});

Deno.test("gradcheck passes with channels on every axis; a pass that forgets its axis fails", () => {
  for (const axis of [0, 1, 2, -1]) {
    const norm = new BatchNorm(3, { axis });
    norm.weight!.data.set([0.5, -1, 2]);
    for (const training of [true, false]) assert(gradcheck(norm.train(training), normals([3, 3, 3], 2)).ok);
  }
  let pass = batchNorm(normals([3, 3, 3]), { axis: -1 }).pass;
  const forward = (x: Tensor) => {
    const result = batchNorm(x, { axis: -1 });
    pass = result.pass;
    return result.output;
  };
  const backward = (forgets: boolean) => (g: Tensor) =>
    batchNormBackward(g, forgets ? { ...pass, axis: 1 } : pass).gradInput;
  assert(gradcheck(forward, backward(false), normals([3, 3, 3])).ok);
  assertEquals(gradcheck(forward, backward(true), normals([3, 3, 3])).ok, false);
});

// Checks

Deno.test("an axis that is none, or has other channels, is refused by name", () => {
  for (const axis of [2, -3, 0.5, NaN]) {
    assertThrows(
      () => batchNorm(ones([2, 3]), { axis }),
      RangeError,
      `axis must be an integer in [-2, 1], got ${axis}`,
    );
  }
  assertThrows(() => batchNorm(ones([2, 3]), { axis: "1" as never }), TypeError, 'got "1"');
  assertThrows(() => new BatchNorm(3, { axis: 0.5 }), RangeError, "axis must be an integer, got 0.5");
  assertThrows(
    () => new BatchNorm(3, { axis: null as never }),
    TypeError,
    "axis must be an integer, got null",
  );
  const refused = (axis: number, shape: Shape, message: string) => {
    const error = assertThrows(() => new BatchNorm(3, { axis })(ones(shape)), TypeError);
    assertEquals(error.message, `This BatchNorm needs a tensor of shape ${message}`);
  };
  refused(-1, [2, 3, 4], "[N, 3] or [N, …, 3], got [2, 3, 4]");
  refused(-1, [3], "[N, 3] or [N, …, 3], got [3]");
  refused(2, [2, 3], "[N, …] with 3 channels on axis 2, got [2, 3]");
  refused(-4, [2, 3], "[N, …] with 3 channels on axis -4, got [2, 3]");
  assertThrows(() => batchNorm(ones([1, 1, 3]), { axis: -1 }), RangeError, "more than 1 value per channel");
  assertEquals(String(new BatchNorm(3)), "BatchNorm(3, eps=0.00001, momentum=0.1, dtype=float64)");
  assertEquals(
    String(new BatchNorm(3, { axis: -1, momentum: null })),
    "BatchNorm(3, eps=0.00001, momentum=null, dtype=float64, axis=-1)",
  );
});

Deno.test("a counter that was loaded and is none is refused before anything is written", () => {
  for (const count of [-1, 0.5, NaN]) {
    const layer = new BatchNorm(2, { momentum: null });
    const state = layer.stateDict();
    const name = Object.keys(state).find((key) => key.includes("num_batches_tracked"))!;
    layer.loadStateDict({ ...state, [name]: tensor([count]).reshape(state[name].shape) });
    const x = tensor([[1, 2], [3, 5]]);
    assertThrows(() => layer(x, { out: x }), Error, "num_batches_tracked");
    assertEquals(x.toArray(), [[1, 2], [3, 5]]);
    assertEquals([...layer.runningVar!.data], [1, 1]);
  }
});
