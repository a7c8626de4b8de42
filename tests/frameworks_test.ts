/** The conventions of the frameworks, as adapters. */

import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  flaxDropout,
  kerasDropout,
  onnxDropout,
  tf1Dropout,
  tfjsDropout,
  torchDropout,
} from "../lib/frameworks/mod.ts";
import {
  applyMask,
  defaultRng,
  divide,
  invertedDropout,
  Mask,
  ones,
  type Tensor,
  TorchGenerator,
} from "../lib/mod.ts";
import { bytesOf, fixture, normals, probabilities } from "./helpers.ts";

/** Each convention, asked in its own words to drop with probability p. */
const conventions: Record<string, (x: Tensor, p: number, seed: number) => Tensor> = {
  torch: (x, p, seed) => torchDropout(x, { p, rng: defaultRng(seed) }),
  keras: (x, p, seed) => kerasDropout(x, { rate: p, training: true, rng: defaultRng(seed) }),
  flax: (x, p, seed) => flaxDropout(x, { rate: p, deterministic: false, rng: defaultRng(seed) }),
  tfjs: (x, p, seed) => tfjsDropout(x, { rate: p, training: true, rng: defaultRng(seed) }),
  onnx: (x, p, seed) => onnxDropout(x, { ratio: p, trainingMode: true, rng: defaultRng(seed) }).output,
};

Deno.test("five conventions are inverted dropout, bit for bit, in both types", () => {
  fc.assert(fc.property(
    probabilities(0.99),
    fc.nat(1000),
    fc.constantFrom("float32" as const, "float64" as const),
    (p, seed, dtype) => {
      const x = normals([5, 13], seed, dtype);
      const before = bytesOf(x);
      const expected = invertedDropout(x, p, { rng: defaultRng(seed) }).output;
      for (const dropout of Object.values(conventions)) {
        const output = dropout(x, p, seed);
        assertEquals([output.shape, output.dtype, output.data], [x.shape, dtype, expected.data]);
      }
      assertEquals(bytesOf(x), before);
    },
  ));
});

Deno.test("keepProb is the probability of keeping, and what is kept is divided by it, bit for bit", () => {
  for (const seed of [0, 1, 2]) {
    for (const keepProb of [0.1, 0.25, 0.5, 0.8, 1]) {
      const output = tf1Dropout(ones([10_000]), { keepProb, rng: defaultRng(seed) });
      const kept = output.data.filter((value) => value !== 0);
      // 15 samples, of which one misses by chance in 1 of 10,000 runs.
      assertLess(
        Math.abs(kept.length - 10_000 * keepProb),
        4.5 * Math.sqrt(10_000 * keepProb * (1 - keepProb)) + 1e-9,
      );
      for (const value of kept) assertEquals(value, 1 / keepProb);
    }
    for (const dtype of ["float32", "float64"] as const) {
      const x = normals([20, 30], seed, dtype);
      const before = bytesOf(x);
      // 1 − (1 − 0.1) is not 0.1, and 1/0.1 times a number is not always the number over 0.1.
      const output = tf1Dropout(x, { keepProb: 0.1, rng: defaultRng(seed) });
      const mask = new Mask(defaultRng(seed).bernoulliBits(0.1, x.size), x.shape);
      assertEquals(bytesOf(output), bytesOf(divide(applyMask(x, mask), 0.1)));
      assertEquals([output.shape, output.dtype, bytesOf(x)], [x.shape, dtype, before]);
    }
  }
  // The fault: read as a rate, 0.2 keeps 80 % in place of 20 %.
  const misread = torchDropout(ones([10_000]), { p: 0.2, rng: defaultRng(0) });
  assert(misread.data.filter((value) => value !== 0).length > 5000);
});

Deno.test("a call that says nothing about the mode: PyTorch drops, Keras, TF.js and ONNX keep, Flax refuses", () => {
  const x = normals([64]);
  assertNotEquals(torchDropout(x, { rng: defaultRng(1) }).data, x.data);
  assertStrictEquals(kerasDropout(x, { rate: 0.5 }), x);
  assertStrictEquals(tfjsDropout(x, { rate: 0.5 }), x);
  assertStrictEquals(onnxDropout(x).output, x);
  assertThrows(
    () => flaxDropout(x, { rate: 0.5 } as never),
    TypeError,
    "deterministic must be true or false",
  );
});

Deno.test("in evaluation every convention returns its input and needs no stream", () => {
  const x = normals([4, 5]);
  assertStrictEquals(torchDropout(x, { training: false }), x);
  assertStrictEquals(torchDropout(x, { p: 1, training: false }), x);
  assertStrictEquals(kerasDropout(x, { rate: 1, training: false }), x);
  assertStrictEquals(tfjsDropout(x, { rate: 0.5, training: false }), x);
  assertStrictEquals(flaxDropout(x, { rate: 1, deterministic: true }), x);
  assertStrictEquals(onnxDropout(x, { trainingMode: false }).output, x);
  assertStrictEquals(tf1Dropout(x, { keepProb: 1 }), x);
});

Deno.test("defaults of the rate: 0.5 for PyTorch and ONNX", () => {
  const x = ones([100]);
  assertEquals(
    torchDropout(x, { rng: defaultRng(3) }).data,
    torchDropout(x, { p: 0.5, rng: defaultRng(3) }).data,
  );
  const { output } = onnxDropout(x, { trainingMode: true, rng: defaultRng(3) });
  assertEquals(output.data, torchDropout(x, { p: 0.5, rng: defaultRng(3) }).data);
});

Deno.test("dropping everything: zeros in PyTorch, Keras and Flax, nothing in TF.js, refused by the others", () => {
  const x = normals([10]);
  const rng = defaultRng(1);
  assertEquals(torchDropout(x, { p: 1, rng }).data, new Float64Array(10));
  assertEquals(flaxDropout(x, { rate: 1, deterministic: false }).data, new Float64Array(10));
  assertEquals(kerasDropout(x, { rate: 1, training: true }).data, new Float64Array(10));
  assertStrictEquals(tfjsDropout(x, { rate: 1, training: true }), x);
  assertThrows(() => onnxDropout(x, { ratio: 1, trainingMode: true, rng }), RangeError, "in [0, 1), got 1");
  assertThrows(() => onnxDropout(x, { ratio: 1 }), RangeError, "in [0, 1), got 1");
  assertThrows(() => tf1Dropout(x, { keepProb: 0, rng }), RangeError, "in (0, 1], got 0");
});

Deno.test("at rate 1, Flax and Keras draw nothing and give +0, whatever comes in", () => {
  const x = ones([3], "float32").map((_, i) => [NaN, -1, Infinity][i]);
  for (
    const output of [
      flaxDropout(x, { rate: 1, deterministic: false }),
      kerasDropout(x, { rate: 1, training: true }),
    ]
  ) {
    assertEquals([output.dtype, ...output.data], ["float32", 0, 0, 0]);
    assert(output.data.every((value) => Object.is(value, 0)));
  }
});

Deno.test("numbers outside and things that are no numbers are refused in both modes, by the name that they have", () => {
  const x = ones([4]);
  const rng = defaultRng(1);
  for (const bad of [-0.1, 1.5, NaN, Infinity, "0.5", null] as number[]) {
    const error = typeof bad === "number" ? RangeError : TypeError;
    for (const training of [true, false]) {
      assertThrows(
        () => torchDropout(x, { p: bad, training, rng }),
        error,
        "F.dropout's p must be in [0, 1]",
      );
      assertThrows(() => kerasDropout(x, { rate: bad, training, rng }), error, "Keras's rate");
      assertThrows(() => flaxDropout(x, { rate: bad, deterministic: !training, rng }), error, "Flax's rate");
      assertThrows(
        () => tfjsDropout(x, { rate: bad, training, rng }),
        error,
        "TF.js's rate must be in [0, 1]",
      );
      assertThrows(() => onnxDropout(x, { ratio: bad, trainingMode: training, rng }), error, "ONNX's ratio");
    }
    assertThrows(() => tf1Dropout(x, { keepProb: bad, rng }), error, "the probability of keeping");
  }
});

Deno.test("a mode that is not a boolean is refused, and so is a missing stream", () => {
  const x = ones([4]);
  const bad = "false" as unknown as boolean;
  assertThrows(() => torchDropout(x, { training: bad }), TypeError, "training must be true or false");
  assertThrows(() => kerasDropout(x, { rate: 0.5, training: bad }), TypeError, "true or false");
  assertThrows(() => flaxDropout(x, { rate: 0.5, deterministic: bad }), TypeError, "true or false");
  assertThrows(() => tfjsDropout(x, { rate: 0.5, training: bad }), TypeError, "true or false");
  assertThrows(() => onnxDropout(x, { trainingMode: bad }), TypeError, "true or false");
  assertThrows(() => torchDropout(x), TypeError, "random stream");
  assertThrows(() => tf1Dropout(x, { keepProb: 0.5 }), TypeError, "random stream");
});

Deno.test("a word of another framework is refused, in place of being passed over", () => {
  const x = ones([4]);
  const rng = defaultRng(1);
  const calls: [(options: object) => unknown, object, string][] = [
    [
      (o) => torchDropout(x, o),
      { rate: 0.2, rng },
      'torchDropout has no option "rate"; its options are p, training, rng',
    ],
    [
      (o) => kerasDropout(x, { rate: 0.2, ...o }),
      { trainingMode: true, rng },
      'kerasDropout has no option "trainingMode"',
    ],
    [
      (o) => flaxDropout(x, { rate: 0.2, deterministic: true, ...o }),
      { training: true },
      'has no option "training"',
    ],
    [(o) => tfjsDropout(x, { rate: 0.2, ...o }), { p: 0.2 }, 'tfjsDropout has no option "p"'],
    [
      (o) => onnxDropout(x, o),
      { p: 0.2 },
      'onnxDropout has no option "p"; its options are ratio, trainingMode, rng',
    ],
    [(o) => tf1Dropout(x, { keepProb: 0.8, rng, ...o }), { rate: 0.2 }, 'tf1Dropout has no option "rate"'],
  ];
  for (const [call, options, message] of calls) assertThrows(() => call(options), TypeError, message);
});

Deno.test("shared decisions, asked in each framework's words, are those of invertedDropout's noise shape", () => {
  const x = normals([3, 4, 5]);
  for (const seed of [0, 1, 2]) {
    const rng = () => defaultRng(seed);
    for (const noiseShape of [[null, 1, null], [3, 4, 1], [1, null, 5], [1, 1, 1]]) {
      const { output } = invertedDropout(x, 0.4, { rng: rng(), noiseShape });
      const broadcastDims = [0, 1, 2].filter((axis) => noiseShape[axis] === 1);
      const asked = { rate: 0.4, training: true, noiseShape };
      assertEquals(kerasDropout(x, { ...asked, rng: rng() }), output);
      assertEquals(tfjsDropout(x, { ...asked, rng: rng() }), output);
      for (const dims of [broadcastDims, broadcastDims.map((axis) => axis - 3)]) {
        assertEquals(
          flaxDropout(x, { rate: 0.4, deterministic: false, rng: rng(), broadcastDims: dims }),
          output,
        );
      }
      const { pass } = invertedDropout(x, 0.5, { rng: rng(), noiseShape });
      assertEquals(
        tf1Dropout(x, { keepProb: 0.5, rng: rng(), noiseShape }),
        divide(applyMask(x, pass.mask!), 0.5),
      );
    }
    // The fault: an axis counted from the wrong end.
    assertNotEquals(
      flaxDropout(x, { rate: 0.4, deterministic: false, rng: rng(), broadcastDims: [0] }),
      flaxDropout(x, { rate: 0.4, deterministic: false, rng: rng(), broadcastDims: [-1] }),
    );
  }
});

Deno.test("noise shapes and axes that do not fit are refused in both modes and at every rate", () => {
  const x = ones([2, 3]);
  const rng = defaultRng(1);
  for (const rate of [0, 0.5, 1]) {
    for (const training of [true, false]) {
      for (const noiseShape of [[3, 1], [1, 2, 3], [2]]) {
        const message = "each length in noiseShape must be 1, null or the input's, which is [2, 3], got [";
        assertThrows(() => kerasDropout(x, { rate, training, rng, noiseShape }), TypeError, message);
        assertThrows(() => tfjsDropout(x, { rate, training, rng, noiseShape }), TypeError, message);
        assertThrows(() => tf1Dropout(x, { keepProb: 1 - rate / 2, rng, noiseShape }), TypeError, message);
      }
      for (const x of [ones([2, 3]), ones([1, 3])]) { // there, [null] is 2 and refused, or 1 and shared by all
        const message = `a noiseShape with null needs as many axes as the input, whose shape is [${
          x.shape.join(", ")
        }], got [null]`;
        const noiseShape = [null];
        assertThrows(() => kerasDropout(x, { rate, training, rng, noiseShape }), TypeError, message);
        assertThrows(() => tfjsDropout(x, { rate, training, rng, noiseShape }), TypeError, message);
        assertThrows(() => tf1Dropout(x, { keepProb: 1 - rate / 2, rng, noiseShape }), TypeError, message);
      }
      const flax = (broadcastDims: number[]) => () =>
        flaxDropout(x, { rate, deterministic: !training, rng, broadcastDims });
      const message =
        "Each of Flax's broadcastDims, for the shape [2, 3], must be an integer in [-2, 1], got ";
      for (const axis of [2, -3, 0.5]) assertThrows(flax([axis]), RangeError, message + axis);
      assertThrows(flax(["0"] as never), TypeError, message + '"0"');
      assertThrows(flax(1 as never), TypeError, "must be an array of axes such as [1], got 1");
    }
  }
});

Deno.test("ONNX's mask says what was kept, and is all ones if nothing was dropped", () => {
  for (const shape of [[], [1], [7], [8], [9], [3, 5], [0, 4]]) {
    const x = normals(shape);
    for (const { mask } of [onnxDropout(x), onnxDropout(x, { ratio: 0, trainingMode: true })]) {
      assertEquals([mask.shape, mask.kept], [x.shape, x.size]);
    }
  }
  const x = normals([200]);
  const { output, mask } = onnxDropout(x, { ratio: 0.3, trainingMode: true, rng: defaultRng(5) });
  output.data.forEach((value, i) => assertEquals(value !== 0, mask.get(i) === 1));
});

Deno.test("with PyTorch's stream, torchDropout keeps the fraction that F.dropout kept in the article", async () => {
  const { functional } = await fixture<{ functional: { keptFraction: number } }>("article_block2");
  const rng = new TorchGenerator(42);
  // The draws before it: weights and biases, the batch, and the masks of five passes.
  for (const [inputs, outputs] of [[784, 256], [256, 256], [256, 10]]) rng.rand(inputs * outputs + outputs);
  rng.randn(32 * 784);
  for (let pass = 0; pass < 10; pass++) torchDropout(ones([32, 256]), { rng });
  const dropped = torchDropout(ones([32, 784]), { rng });
  assertEquals(dropped.data.filter((value) => value !== 0).length / dropped.size, functional.keptFraction);
});
