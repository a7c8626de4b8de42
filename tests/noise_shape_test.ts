/** Shared decisions: which elements, by which of the names that others have for them, and at what cost to the stream. */

import { assert, assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  AlphaDropout,
  alphaDropout,
  defaultRng,
  drawMask,
  type DropoutLayer,
  type DropoutLayerOptions,
  FastStream,
  GaussianDropout,
  gaussianDropout,
  gradcheck,
  InvertedDropout,
  invertedDropout,
  invertedDropoutBackward,
  KeyedDropout,
  KeyedStream,
  Mask,
  multiply,
  type NoiseShape,
  ones,
  ReproducibleDropout,
  StandardDropout,
  standardDropout,
  Tensor,
  tensor,
  TorchGenerator,
} from "../lib/mod.ts";
import { docTable, fixture, normals, numbers, type TorchRun } from "./helpers.ts";

/** The table in the doc comment of lib/dropout/mod.ts. */
const rows = (await docTable("dropout/mod.ts", "| elsewhere | input |")).map(([name, input, noiseShape]) => ({
  name,
  input: input.slice(1, -1).split(", "),
  noiseShape: JSON.parse(noiseShape) as NoiseShape,
}));

/** Each input in the table has channels; that 40 of them get the same decision has a chance of 2⁻³⁹. */
const SIZES: Record<string, number> = { N: 5, T: 4, L: 4, C: 40, D: 3, H: 4, W: 5 };

/** The axes along which zeros and others never change. */
function sharedAxes({ data, shape }: Tensor): number[] {
  return shape.flatMap((length, axis) => {
    const stride = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    const isShared = data.every((value, i) => {
      const first = i - stride * (Math.floor(i / stride) % length);
      return (value === 0) === (data[first] === 0);
    });
    return isShared ? [axis] : [];
  });
}

Deno.test("each row of the table shares what the framework that it names shares, as measured", async () => {
  const { calls } = await fixture<{
    calls: Record<string, { input: string[]; sharedAxes: number[] }>;
  }>("shared_decisions");
  const defined = { // by the paper, and not by a framework
    "one mask for all T steps of a sequence": { input: ["N", "T", "C"], sharedAxes: [1] },
    "the same, steps first": { input: ["T", "N", "C"], sharedAxes: [0] },
  };
  const measured = Object.entries(calls).map(([name, call]) => [name.replaceAll("`", ""), call]);
  const expected: typeof calls = { ...Object.fromEntries(measured), ...defined };
  assertEquals(rows.map(({ name }) => name).toSorted(), Object.keys(expected).toSorted());
  for (const { name, input, noiseShape } of rows) {
    const shape = input.map((letter) => SIZES[letter]);
    for (const seed of [1, 2, 3]) {
      const { output } = invertedDropout(ones(shape), 0.5, { rng: defaultRng(seed), noiseShape });
      assertEquals({ input, sharedAxes: sharedAxes(output) }, expected[name], name);
    }
  }
});

Deno.test("planted: channels first for channels last shares other axes", () => {
  const noiseShape = [null, null, 1, 1]; // of [N, H, W, C]
  const { output } = invertedDropout(ones([5, 4, 5, 6]), 0.5, { rng: defaultRng(1), noiseShape });
  assertNotEquals(sharedAxes(output), [1, 2]);
});

Deno.test("PyTorch's Dropout1d, 2d and 3d, batched and not: the same channels with the same seed, and gradients", async () => {
  const { runs } = await fixture<{ runs: TorchRun[] }>("torch_dropout_family");
  const features = runs.filter(({ name }) => /^dropout\dd$/.test(name));
  for (const { name, shape, p, seed, dtype, x, y, gradOutput, gradInput } of features) {
    const row = rows.find((row) =>
      row.name.startsWith(`PyTorch D${name.slice(1)}`) && row.input.length === shape.length
    )!;
    const { noiseShape } = row;
    const input = tensor(numbers(x), dtype).reshape(shape);
    const { output, pass } = invertedDropout(input, p, { rng: new TorchGenerator(seed), noiseShape });
    // PyTorch drops by multiplying with 0, which keeps signs: −0 + 0 is +0. At these p, 1 − p is exact in both types.
    const plus = (values: ArrayLike<number>) => Array.from(values, (value) => value + 0);
    assertEquals(plus(output.data), plus(numbers(y)), name);
    const g = tensor(numbers(gradOutput), dtype).reshape(shape);
    assertEquals(plus(invertedDropoutBackward(g, pass).data), plus(numbers(gradInput)), name);
  }
  assertEquals(features.length, 24);
});

// The laws

/** A shape of one to four axes, and a noise shape that fits: shorter or not, with 1, null or the length itself. */
const anyShapes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    fc.tuple(...shape.map((length) => fc.constantFrom(1, null, length))).chain((noise) =>
      fc.nat(shape.length).map((cut): NoiseShape => noise.slice(cut))
    ),
  )
);

Deno.test("it is a drawn mask of that shape, broadcast: bits, numbers, gradients and the stream's end are the same", () => {
  fc.assert(fc.property(anyShapes, fc.nat(), fc.constantFrom(0.3, 0.5, 1), ([shape, noiseShape], seed, p) => {
    const drawn = noiseShape.map((length, axis) => length ?? shape[shape.length - noiseShape.length + axis]);
    const [x, g] = [normals(shape, seed), normals(shape, seed + 1)];
    for (const make of [() => defaultRng(seed), () => new FastStream(seed), () => new TorchGenerator(seed)]) {
      for (const dropout of [invertedDropout, standardDropout, alphaDropout]) {
        const [rng, twin] = [make(), make()];
        const mask = drawMask(drawn, p, { rng: twin });
        const expected = dropout(x, p, { mask });
        const { output, pass } = dropout(x, p, { rng, noiseShape });
        assertEquals(output, expected.output);
        assertEquals([pass.mask!.shape, pass.mask!.bits], [drawn, mask.bits]);
        assertEquals(invertedDropoutBackward(g, pass), invertedDropoutBackward(g, expected.pass));
        assertEquals(rng.getState(), twin.getState(), "one draw per decision");
        const maskOut = new Mask(new Uint8Array(mask.bits.length), drawn);
        const received = dropout(x, p, { rng: make(), noiseShape, maskOut });
        assertStrictEquals(received.pass.mask, maskOut);
        assertEquals(received.output, output);
      }
    }
  }));
});

Deno.test("a noise shape that is the input's changes no bit, and [] is one decision for all", () => {
  for (const seed of [1, 2, 3]) {
    const x = normals([7, 9], seed, "float32");
    for (const make of [() => defaultRng(seed), () => new FastStream(seed)]) {
      const plain = invertedDropout(x, 0.4, { rng: make() });
      for (const noiseShape of [[7, 9], [null, null], [7, null]]) {
        assertEquals(invertedDropout(x, 0.4, { rng: make(), noiseShape }), plain);
      }
      const { output, pass } = invertedDropout(x, 0.5, { rng: make(), noiseShape: [] });
      assertEquals([pass.mask!.shape, pass.mask!.size], [[], 1]);
      assertEquals(output, multiply(x, 2 * pass.mask!.kept).map((value) => value + 0));
    }
  }
});

Deno.test("layers of each kind draw in their noise shape, forward and backward, and say so", () => {
  const noiseShape = [null, 1, null];
  const make: ((options: DropoutLayerOptions) => DropoutLayer | GaussianDropout)[] = [
    (options) => new InvertedDropout(0.5, { seed: 3, ...options }),
    (options) => new StandardDropout(0.5, { seed: 3, ...options }),
    (options) => new AlphaDropout(0.5, { seed: 3, ...options }),
    ({ noiseShape }) => new GaussianDropout(0.5, { seed: 3, noiseShape }),
    ({ noiseShape }) => new ReproducibleDropout(0.5, { seed: 3, noiseShape }),
    ({ noiseShape }) => new KeyedDropout(0.5, { seed: 3, layer: 0, noiseShape }),
  ];
  for (const layer of make.map((make) => make({ noiseShape }))) {
    layer(normals([3, 4, 5]));
    assertEquals(layer.mask!.shape, [3, 1, 5], layer.constructor.name);
    assert(gradcheck(layer, normals([2, 2, 3])).ok, layer.constructor.name);
    assertEquals(String(layer), `${layer.constructor.name}(p=0.5, noiseShape=[null, 1, null])`);
    assertThrows(() => layer(ones([3])), TypeError, "must be 1, null or the input's, which is [3]");
    assertThrows(() => layer.eval()(ones([3])), TypeError, "must be 1, null or the input's");
  }
  assertEquals(String(make[0]({})), "InvertedDropout(p=0.5)");
});

/** A planted fault: a mask for each element in the backward pass. */
class Unshared extends InvertedDropout {
  override backward(gradOutput: Tensor): Tensor {
    return invertedDropout(gradOutput, this.p, { rng: this.rng }).output;
  }
}

Deno.test("planted: a backward pass that shares nothing fails gradcheck", () => {
  assertEquals(
    gradcheck(new Unshared(0.5, { seed: 1, noiseShape: [null, 1] }), normals([4, 5])).ok,
    false,
  );
});

Deno.test("a keyed layer with shared decisions: an offset counts decisions, and its mask is drawn again", () => {
  const options = { seed: 7, layer: 3, noiseShape: [null, null, 1] };
  const [layer, part] = [new KeyedDropout(0.5, options), new KeyedDropout(0.5, options)];
  const x = normals([6, 4, 5]);
  part.offset = 2 * 4;
  assertEquals(part(new Tensor(x.data.slice(2 * 20), [4, 4, 5])).data, layer(x).data.slice(2 * 20));
  const rng = new KeyedStream({ seed: 7, layer: 3, step: 0 });
  assertEquals(layer.mask, drawMask([6, 4, 1], 0.5, { rng }));
});

Deno.test("an iteration of a reproducible layer has one mask for its noise shape, and a given mask takes its place", () => {
  const layer = new ReproducibleDropout(0.5, { seed: 1, noiseShape: [null, 1] });
  const first = layer(ones([20, 3]), { iteration: 5 });
  assertEquals(
    layer(ones([20, 7]), { iteration: 5 }).data.filter((_, i) => i % 7 === 0),
    first.data.filter((_, i) => i % 3 === 0),
  );
  const mask = Mask.of(1, 0, 1);
  assertEquals(layer(ones([2, 3]), { mask }).toArray(), [[2, 0, 2], [2, 0, 2]]);
});

// Checks

Deno.test("what does not broadcast is refused in every mode and at every rate; the stream is as it was then", () => {
  const x = ones([2, 3]);
  for (const dropout of [invertedDropout, standardDropout, alphaDropout, gaussianDropout]) {
    const { name } = dropout;
    for (const rng of [defaultRng(1), new FastStream(1)]) {
      const state = JSON.stringify(rng.getState());
      for (const p of [0, 0.5]) {
        for (const training of [true, false]) {
          const run = (noiseShape: unknown, more: object = {}) => () =>
            dropout(x, p, { rng, training, noiseShape: noiseShape as NoiseShape, ...more });
          for (
            const [wrong, text] of [[[3, 1], "[3, 1]"], [[null, 2], "[null, 2]"], [[1, 2, 3], "[1, 2, 3]"], [
              [0, 3],
              "[0, 3]",
            ]] as const
          ) {
            const message =
              `${name}: each length in noiseShape must be 1, null or the input's, which is [2, 3], got ${text}`;
            assertEquals(assertThrows(run(wrong), TypeError).message, message);
          }
          for (
            const [wrong, text] of [
              [null, "null"],
              [1, "1"],
              ["11", '"11"'],
              [[-1, 3], "[-1, 3]"],
              [[0.5], "[0.5]"],
              [["1"], '["1"]'],
              [[undefined, 1], "[undefined, 1]"],
              [Array(2), "[undefined, undefined]"],
              [tensor([1, 3]), "a Tensor"],
            ]
          ) {
            const message = `${name}: noiseShape must be an array of lengths such as [null, 1], got ${text}`;
            assertEquals(assertThrows(run(wrong), TypeError).message, message);
          }
          const mask = name === "gaussianDropout" ? ones([3]) : Mask.of(1, 0, 1);
          assertThrows(
            run([null, 1], { mask }),
            TypeError,
            `${name}: noiseShape is the shape of a mask that is drawn, but one was given`,
          );
          const maskOut = name === "gaussianDropout"
            ? ones([2, 3])
            : drawMask([2, 3], 0, { rng: defaultRng(1) });
          assertThrows(run([null, 1], { maskOut }), TypeError, `${name}: maskOut`);
        }
      }
      assertEquals(JSON.stringify(rng.getState()), state);
    }
  }
  for (const wrong of [1, [-1], "x", [0.5, null]] as never[]) {
    for (const Dropout of [InvertedDropout, StandardDropout, AlphaDropout, GaussianDropout]) {
      assertThrows(
        () => new Dropout(0.5, { seed: 1, noiseShape: wrong }),
        TypeError,
        `${Dropout.name}: noiseShape must be an array of lengths such as [null, 1], got `,
      );
    }
  }
});

Deno.test("a layer keeps its noise shape, whatever becomes of the array that it was given", () => {
  const noiseShape = [null, 1];
  const layer = new InvertedDropout(0.5, { seed: 1, noiseShape });
  noiseShape.pop();
  assertEquals(layer.noiseShape, [null, 1]);
  assert(Object.isFrozen(layer.noiseShape));
});
