/**
 * What the tests of PyTorch, Keras, Flax, TensorFlow.js and ONNX assert of dropout and batch norm, asked of this library.
 *
 * The cases are data, each with its origin; the laws that they name are below. A case that is not followed says why, and
 * is asked all the same where it can be: it must fail.
 */

import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import * as frameworks from "../lib/frameworks/mod.ts";
import { Linear, mseLoss } from "../lib/nn/mod.ts";
import {
  AlphaDropout,
  alphaDropout,
  alphaDropoutBackward,
  BatchNorm,
  batchNorm,
  batchNormBackward,
  type BatchNormLayerOptions,
  type BatchNormOptions,
  defaultRng,
  type DropoutPass,
  type DType,
  GaussianDropout,
  gaussianDropout,
  gaussianDropoutBackward,
  InvertedDropout,
  invertedDropout,
  invertedDropoutBackward,
  mean,
  type NoiseShape,
  ones,
  RandomState,
  type RandomStream,
  type Shape,
  sum,
  Tensor,
  tensor,
  variance,
} from "../lib/mod.ts";
import { bytesOf, docTable, fixture, normals, numbers } from "./helpers.ts";

/** A published assertion. */
interface Case {
  id: string;
  peer: string;
  file: string;
  test: string;
  asserts: string;
  law?: string;
  // deno-lint-ignore no-explicit-any
  given: any;
  notFollowed?: string;
}

const { cases } = await fixture<{ cases: Case[] }>("published_cases");
const SEEDS = [1, 2, 3];

/** An input: numbers that are given, or a shape to fill. */
interface Input {
  values?: never[];
  shape?: number[];
  /** The numbers of the shape, separated by spaces. */
  flat?: string;
  fill?: number | "normal" | "uniform";
  /** Seed of NumPy's `randn`. */
  randn?: number;
  object?: true;
  dtype?: DType;
}

function inputOf(given: Input, seed = 1): Tensor {
  const { values, shape = [], flat, fill, randn, dtype = "float64" } = given;
  if (values !== undefined) return tensor(values, dtype);
  if (flat !== undefined) return tensor(numbers(flat), dtype).reshape(shape);
  if (randn !== undefined) {
    return tensor(Array.from(new RandomState(randn).randn(60) as Float64Array), "float32").reshape(shape);
  }
  if (fill === "normal") return normals(shape, 1000 + seed, dtype);
  if (fill === "uniform") return uniform(shape, seed);
  if (fill === undefined) return {} as Tensor; // what the case means: no tensor
  return ones(shape, dtype).map(() => fill);
}

function uniform(shape: Shape, seed: number): Tensor {
  const x = ones(shape);
  defaultRng(seed).fillUniform(x.data);
  return x;
}

interface Call {
  function: string;
  // deno-lint-ignore no-explicit-any
  options: any;
}

type Family = (x: Tensor, p: number, options: object) => { output: Tensor; pass: DropoutPass };
const family: Record<string, [Family, (g: Tensor, pass: DropoutPass) => Tensor]> = {
  invertedDropout: [invertedDropout as Family, invertedDropoutBackward],
  alphaDropout: [alphaDropout as Family, alphaDropoutBackward],
  gaussianDropout: [gaussianDropout as Family, gaussianDropoutBackward],
};

/** Calls a function of the family, or an adapter, with a stream of this seed (or none). */
function drop(call: Call, x: Tensor, rng: RandomStream | undefined, more: object = {}): Tensor {
  const options = { ...call.options, ...more, ...(rng && { rng }) };
  if (call.function in family) {
    const { p, ...rest } = options;
    return family[call.function][0](x, p, rest).output;
  }
  const adapter = frameworks[call.function as "torchDropout"] as (x: Tensor, options: object) => unknown;
  const result = adapter(x, options) as Tensor | { output: Tensor };
  return result instanceof Tensor ? result : result.output;
}

const stream = (seed: number, seedless?: boolean) => seedless ? undefined : defaultRng(seed);
const layers = { InvertedDropout, AlphaDropout, GaussianDropout };
const std = (x: Tensor) => Math.sqrt(variance(x));
const refused = (error: unknown) =>
  assert(error instanceof RangeError || error instanceof TypeError, `${error}`);

/** Relative where numbers are large, absolute where they are small, as the frameworks' own `allclose`. */
function close(ours: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assertEquals(ours.length, expected.length);
  for (let i = 0; i < ours.length; i++) {
    assertAlmostEquals(ours[i], expected[i], tolerance * Math.max(1, Math.abs(expected[i])));
  }
}

// deno-lint-ignore no-explicit-any
const flat = (nested: any): number[] => Array.isArray(nested) ? nested.flat(Infinity) as number[] : [nested];

/** What each case can be asked, with what the case gives. */
// deno-lint-ignore no-explicit-any
const laws: Record<string, (given: any) => void> = {
  identity: ({ call, input, seedless }) => {
    const x = inputOf(input);
    const output = drop(call, x, stream(1, seedless));
    assertEquals([output.shape, output.dtype, output.data], [x.shape, x.dtype, x.data]);
  },
  zeros: ({ call, input }) => {
    const x = inputOf(input);
    assertEquals([...drop(call, x, stream(1)).data], Array(x.size).fill(0));
  },
  throws: ({ call, input, seedless }) =>
    refused(assertThrows(() => drop(call, inputOf(input), stream(1, seedless)))),
  constructorThrows: ({ layer, p, options }) =>
    refused(assertThrows(() => new layers[layer as "InvertedDropout"](p, { seed: 1, ...options }))),
  constructs: ({ layer, rates }) => {
    for (const p of rates) assertEquals(new layers[layer as "InvertedDropout"](p, { seed: 1 }).p, p);
  },
  keepsNoiseShape: ({ options, frozen }) => {
    const layer = new InvertedDropout(0.5, { seed: 1, ...options });
    assertEquals(layer.noiseShape, options.noiseShape);
    if (frozen) assertThrows(() => (layer.noiseShape as number[]).push(1), TypeError);
  },
  dtypeThrows: ({ dtype }) => refused(assertThrows(() => tensor([1, 2], dtype))),
  valuesNear: ({ call, input, expected, tolerance }) => {
    const x = inputOf(input);
    close(drop(call, x, stream(1)).data, Array(x.size).fill(expected), tolerance);
  },
  survivors: ({ call, input, scale, tolerance, drops }) => {
    for (const seed of SEEDS) {
      const x = inputOf(input, seed);
      const output = drop(call, x, stream(seed));
      assertEquals([output.shape, output.dtype], [x.shape, x.dtype]);
      output.data.forEach((y, i) => y === 0 || assertAlmostEquals(y, scale * x.data[i], tolerance));
      if (drops) assert(output.data.some((y) => y === 0));
    }
  },
  shared: ({ call, input, axes, scale }) => {
    const outcomes = new Set<number>();
    for (const seed of [...SEEDS, 4, 5, 6, 7, 8, 9, 10]) {
      const x = inputOf(input);
      const output = drop(call, x, stream(seed));
      decisionsBy(output, x, axes).forEach((decisions) => {
        assertEquals(decisions.size, 1);
        outcomes.add([...decisions][0]);
      });
    }
    assertEquals(outcomes.size, 2); // some are dropped, some kept
    if (scale !== undefined) assertEquals([...outcomes].sort(), [0, scale]);
  },
  sameDecisions: ({ shapes, noiseShapes, p }) => {
    for (const seed of SEEDS) {
      const run = (i: number) => {
        const x = ones(shapes[i]);
        return invertedDropout(x, p, { noiseShape: noiseShapes[i], rng: defaultRng(seed), out: x }).output
          .data;
      };
      assertEquals(run(0), run(1));
      assertNotEquals(run(0), ones(shapes[0]).data);
    }
  },
  maxIs: ({ call, input, expected, zeros }) => {
    for (const seed of SEEDS) {
      const { data } = drop(call, inputOf(input), stream(seed));
      assertEquals(Math.max(...data), expected);
      assert(data.filter((y) => y === 0).length >= zeros);
    }
  },
  meanNear: ({ call, input, expected, tolerance, backward, inPlace, changes }) => {
    for (const seed of SEEDS) {
      const x = inputOf(input);
      const before = bytesOf(x);
      const output = drop(call, x, stream(seed), inPlace ? { out: x } : {});
      assert(Math.abs(mean(output) - expected) < tolerance, `${mean(output)}`);
      if (inPlace) assert(output === x);
      if (changes) assertNotEquals(bytesOf(output), before);
      if (backward) {
        const { p, ...options } = call.options;
        const [forward, back] = family[call.function];
        const g = inputOf(input);
        const { pass } = forward(g, p, { ...options, rng: defaultRng(seed) });
        assert(Math.abs(mean(back(g, pass)) - expected) < tolerance);
      }
    }
  },
  stdNear: ({ call, input, expected, tolerance }) => {
    for (const seed of SEEDS) {
      const deviation = std(drop(call, inputOf(input), stream(seed)));
      assert(Math.abs(deviation - expected) < tolerance, `${deviation}`);
    }
  },
  keepsMoments: ({ call, input, tolerance }) => {
    const x = inputOf(input);
    const output = drop(call, x, stream(1));
    assert(Math.abs(mean(output) - mean(x)) < tolerance, `mean ${mean(output)}`);
    assert(Math.abs(std(output) - std(x)) < tolerance, `std ${std(output)}`);
  },
  keptFraction: ({ call, input, trials, expected, sigmas }) => {
    const rng = defaultRng(1);
    let [kept, n] = [0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const { data } = drop(call, inputOf(input), rng);
      kept += data.filter((y) => y > 0).length;
      n += data.length;
    }
    assert(Math.abs(kept / n - expected) < sigmas * Math.sqrt(expected * (1 - expected) / n));
  },
  seeds: ({ call, input, seeds, same }) => {
    const [a, b] = seeds.map((seed: number) => [...drop(call, inputOf(input), stream(seed)).data].join());
    assertEquals(a === b, same);
  },
  layersAgree: ({ seeds, same }) => {
    const own = new InvertedDropout(0.5, { seed: seeds[0] });
    const given = new InvertedDropout(0.5, { rng: new InvertedDropout(0.5, { seed: seeds[1] }).rng });
    const [first, second] = [own, own].map((layer) => [...layer(ones([1, 100])).data]);
    assertNotEquals(first, second);
    assertEquals(first.join() === [...given(ones([1, 100])).data].join(), same);
    assertEquals(second.join() === [...given(ones([1, 100])).data].join(), same);
  },
  differsFromInput: ({ call, input }) => {
    const x = inputOf(input);
    const output = drop(call, x, stream(1));
    assertEquals([output.shape, output.dtype], [x.shape, x.dtype]);
    assertNotEquals(output.data, x.data);
  },
  callsAgree: ({ call, input }) => {
    const rng = stream(1);
    assertEquals(drop(call, inputOf(input), rng).data, drop(call, inputOf(input), rng).data);
  },
  arrayIsTaken: () => {
    drop({ function: "tfjsDropout", options: { rate: 0 } }, [1, 2, 2, 1] as unknown as Tensor, undefined);
  },
  gradientAtOne: ({ shape }) => {
    const { pass } = invertedDropout(ones(shape), 1, { rng: defaultRng(1) });
    assert(invertedDropoutBackward(ones(shape), pass).data.every((g) => g === 0));
  },
  noiseShapeIs: ({ shape, noiseShape, expected }) => {
    const { pass } = invertedDropout(ones(shape), 0.5, {
      rng: defaultRng(1),
      ...(noiseShape && { noiseShape: noiseShape as NoiseShape }),
    });
    assertEquals((pass.mask as { shape: Shape }).shape, expected);
  },
  onnx: ({ input, options, seed, expected, tolerance }) => {
    const x = inputOf(input);
    const { output, mask } = frameworks.onnxDropout(x, {
      ...options,
      ...(options.trainingMode && { rng: new OnnxStream(seed) }),
    });
    if (expected === "input") {
      assertEquals([output.data, mask.kept], [x.data, x.size]);
      return;
    }
    assertEquals(Array.from(x.data, (_, i) => mask.get(i)).join(""), expected.kept);
    close(output.data, x.data.map((value, i) => value * mask.get(i) * expected.scale), tolerance);
  },
  normValues: ({ input, options, expected, flat: stored, tolerance }) => {
    const { output } = batchNorm(inputOf(input), normOptions(options));
    close(output.data, stored === undefined ? flat(expected) : numbers(stored), tolerance);
  },
  normBatch: ({ input, axis, eps, expected, mean, variance, tolerance }) => {
    const { output, statistics } = batchNorm(inputOf(input), { axis, eps });
    close(output.data, flat(expected), tolerance);
    close(statistics.mean.data, mean, tolerance);
    close(statistics.variance.data, variance, tolerance);
  },
  normGradients: ({ input, options, gradOutput, gradInput, gradWeight, gradBias, tolerance }) => {
    const { pass } = batchNorm(inputOf(input), normOptions(options));
    const gradients = batchNormBackward(inputOf(gradOutput), pass);
    close(gradients.gradInput.data, flat(gradInput), tolerance);
    close(gradients.gradWeight.data, gradWeight, tolerance);
    close(gradients.gradBias.data, gradBias, tolerance);
  },
  normThrows: ({ input, options }) =>
    refused(assertThrows(() => batchNorm(inputOf(input), normOptions(options)))),
  normShapes: ({ shape, axis, affine }) => {
    const layer = new BatchNorm(shape.at(axis), { axis, affine });
    assertEquals(layer(normals(shape)).shape, shape);
    assertEquals(layer.parameters().length, affine ? 2 : 0);
    assertEquals([layer.runningMean!.shape, layer.runningVar!.shape], [[shape.at(axis)], [shape.at(axis)]]);
  },
  normCorrect: ({ shape, axis, options, start, tolerance }) => {
    const layer = new BatchNorm(shape.at(axis), { axis, ...options });
    layer.runningMean!.data.fill(start.mean);
    layer.runningVar!.data.fill(start.variance);
    const x = normals(shape).map((value) => 5 + 10 * value);
    const evaluated = () => {
      const output = layer.eval()(x).data.slice();
      layer.train();
      return output;
    };
    const output = layer(layer(layer(x)));
    for (const [center, spread] of channelMoments(output, axis)) {
      assert(Math.abs(center) < tolerance && Math.abs(Math.sqrt(spread) - 1) < tolerance);
    }
    close(layer.runningMean!.data, Array(shape.at(axis)).fill(0), tolerance);
    close(layer.runningVar!.data, Array(shape.at(axis)).fill(1), tolerance);
    const before = evaluated();
    const trained = layer(x).data.slice();
    assert(before.some((value, i) => Math.abs(value - trained[i]) > 1e-3));
    close(evaluated(), trained, 1e-6);
  },
  normNormalizes: ({ shape, axis, options, steps, loc, scale, tolerance }) => {
    const layer = new BatchNorm(shape.at(axis), { axis, ...options });
    const x = normals(shape).map((value) => loc + scale * value);
    for (let step = 1; step < steps; step++) layer(x);
    for (const [center, spread] of channelMoments(layer(x), axis)) {
      assert(Math.abs(center) < tolerance && Math.abs(Math.sqrt(spread) - 1) < tolerance);
    }
  },
  normConstant: ({ shape, axis, options, tolerance }) => {
    const layer = new BatchNorm(shape.at(axis), { axis, ...options });
    const output = layer(ones(shape));
    close(output.data, Array(output.size).fill(0), tolerance);
    close(layer.runningMean!.data, Array(shape.at(axis)).fill(1), tolerance);
    close(layer.runningVar!.data, Array(shape.at(axis)).fill(0), tolerance);
  },
  normRunning: ({ shape, axis, options, tolerance }) => {
    const layer = new BatchNorm(shape.at(axis), { axis, ...options });
    const x = normals(shape);
    for (const [center, spread] of channelMoments(layer(x), axis)) {
      assert(Math.abs(center) < tolerance && Math.abs(spread - 1) < tolerance);
    }
    const moments = channelMoments(x, axis);
    const { momentum } = options;
    close(layer.runningMean!.data, moments.map(([center]) => momentum * center), tolerance);
    close(layer.runningVar!.data, moments.map(([_, spread]) => 1 - momentum + momentum * spread), tolerance);
  },
  normTwice: ({ shape, axis, tolerance }) => {
    const layer = new BatchNorm(shape.at(axis), { axis });
    const once = layer(normals(shape));
    const twice = layer(once);
    once.data.forEach((value, i) => assert(Math.abs(twice.data[i] - value) <= tolerance * Math.abs(value)));
  },
  normUpdates: ({ shape }) => {
    const layer = new BatchNorm(shape[1]);
    const state = () => [layer.numBatchesTracked, ...layer.runningMean!.data, ...layer.runningVar!.data];
    const start = state();
    layer(uniform(shape, 1));
    const trained = state();
    assertEquals(trained[0], 1);
    trained.forEach((value, i) => assertNotEquals(value, start[i]));
    layer.eval()(uniform(shape, 2));
    assertEquals(state(), trained);
  },
  normEvaluates: ({ shape, options, startsTraining }) => {
    const layer = new BatchNorm(shape[1], options as BatchNormLayerOptions);
    if (!startsTraining) layer.eval();
    const [x, g] = [uniform(shape, 1), uniform(shape, 2)];
    const run = () => [layer(x).data.slice(), layer.backward(g).data.slice()];
    const first = run();
    layer.eval();
    assertEquals(run(), first);
  },
  normAffine: ({ shape }) => {
    const [x, g] = [uniform(shape, 1), ones(shape)];
    const run = (affine: boolean) => {
      const layer = new BatchNorm(shape[1], { affine });
      return [layer(x).data, layer.backward(g).data];
    };
    assertEquals(run(true), run(false));
  },
  normAverages: ({ shape, tolerance }) => {
    const layer = new BatchNorm(shape[1], { momentum: null });
    const state = () => [...layer.runningMean!.data, ...layer.runningVar!.data];
    const start = state();
    const seen = [1, 2].map((seed) => {
      layer(uniform(shape, seed));
      const after = state();
      layer.resetRunningStats();
      assertEquals(state(), start);
      return after;
    });
    for (const seed of [1, 2]) layer(uniform(shape, seed));
    close(state(), seen[0].map((value, i) => (value + seen[1][i]) / 2), tolerance);
  },
  normGradcheck: ({ shape, eps, training }) => {
    const count = (n: number, from = 0) => tensor(Array.from({ length: n }, (_, i) => from + i));
    const c = shape[1];
    const x = count(shape[0] * c * shape[2]).reshape(shape);
    const statistics = { mean: count(c).map((i) => 1 - i), variance: count(c).map((i) => 2 * i) };
    const at = { x, weight: count(c, 1), bias: count(c) };
    const g = normals(shape);
    const run = ({ x, weight, bias }: typeof at) =>
      batchNorm(x, { weight, bias, eps, ...(!training && { statistics }) });
    const gradients = batchNormBackward(g, run(at).pass);
    const loss = () => sum(run(at).output.map((y, i) => y * g.data[i]));
    const analytic = { x: gradients.gradInput, weight: gradients.gradWeight, bias: gradients.gradBias };
    for (const name of ["x", "weight", "bias"] as const) {
      const { data } = at[name];
      for (let i = 0; i < data.length; i++) {
        const value = data[i];
        const h = 1e-4; // the loss is at most cubic here: h² and 10⁻¹⁶·loss/h are both below the tolerance
        const sides = [value + h, value - h].map((moved) => (data[i] = moved, loss()));
        data[i] = value;
        const numerical = (sides[0] - sides[1]) / (2 * h);
        assertAlmostEquals(analytic[name].data[i], numerical, 1e-5 * Math.max(1, Math.abs(numerical)));
      }
    }
  },
  normLayoutsAgree: ({ shape, tolerance }) => {
    const run = (last: boolean) => {
      const layer = new BatchNorm(shape[1], { axis: last ? -1 : 1 });
      layer.weight!.data.set(uniform([shape[1]], 3).data);
      layer.bias!.data.set(uniform([shape[1]], 4).data);
      const arrange = (x: Tensor) => last ? channelsLast(x) : x;
      const output = layer(arrange(normals(shape, 1)));
      const gradient = layer.backward(arrange(normals(shape, 2)));
      return [output, gradient, ...layer.parameters().map(({ grad }) => grad)];
    };
    const [first, last] = [run(false), run(true)];
    first.forEach((expected, i) => {
      close(last[i].data, (i < 2 ? channelsLast(expected) : expected).data, tolerance);
    });
  },
  normInference: ({ input, axis, options, tolerance, buffers }) => {
    const x = inputOf(input);
    const layer = new BatchNorm(x.shape.at(axis)!, { axis, ...options }).eval();
    layer(x).data.forEach((value, i) => assert(Math.abs(value - x.data[i]) < tolerance));
    if (!buffers) return;
    assertEquals(layer.parameters().length, 0);
    assertEquals([...layer.runningMean!.data, ...layer.runningVar!.data], [0, 0, 1, 1]);
  },
  normFit: ({ input, steps, lr, losses, weight, bias, mean, variance, tolerance }) => {
    const x = inputOf(input);
    const norm = kerasNorm(x.shape.at(-1)!);
    for (let step = 0; step < steps; step++) {
      const output = norm(x);
      const { loss, grad } = mseLoss(output, output.map(() => 0));
      assertAlmostEquals(loss, losses[step], tolerance);
      norm.backward(grad);
      descend(norm, lr);
    }
    const state = [norm.weight!, norm.bias!, norm.runningMean!, norm.runningVar!];
    [weight, bias, mean, variance].forEach((expected, i) => close(state[i].data, expected, tolerance));
  },
  normFitBetween: ({ input, steps, lr, losses, first, last, weight, bias, mean, variance, tolerance }) => {
    const x = inputOf(input);
    const rng = defaultRng(1);
    const [into, out] = [new Linear(4, 4, { bias: false, rng }), new Linear(4, 1, { bias: false, rng })];
    for (const linear of [into, out]) linear.weight.data.fill(1);
    const norm = kerasNorm(4);
    for (let step = 0; step < steps; step++) {
      const output = out.forward(norm(into.forward(x)));
      const { loss, grad } = mseLoss(output, output.map(() => 0));
      assertAlmostEquals(loss, losses[step], tolerance);
      into.backward(norm.backward(out.backward(grad)));
      for (const layer of [into, norm, out]) descend(layer, lr);
    }
    // Weights are [out, in] here and [in, out] there; the output's is one row.
    close(into.weight.data, flat(first).map((_, i) => first[i % 4][Math.floor(i / 4)]), tolerance);
    close(out.weight.data, flat(last), tolerance);
    const state = [norm.weight!, norm.bias!, norm.runningMean!, norm.runningVar!];
    [weight, bias, mean, variance].forEach((expected, i) => close(state[i].data, expected, tolerance));
  },
  onnxNorm: ({ seed, shape, eps, training, expected, mean, variance, tolerance }) => {
    const rng = new RandomState(seed);
    const draw = (n: number) => tensor(Array.from(rng.randn(n) as Float64Array, Math.fround));
    const x = draw(shape.reduce((a: number, b: number) => a * b)).reshape(shape);
    const [scale, shift, center, spread] = [0, 1, 2, 3].map(() => draw(shape[1]));
    const layer = new BatchNorm(shape[1], { eps, momentum: 1 - 0.9, unbiased: false });
    layer.weight!.data.set(scale.data);
    layer.bias!.data.set(shift.data);
    layer.runningMean!.data.set(center.data);
    layer.runningVar!.data.set(spread.data.map(Math.abs));
    if (!training) layer.eval();
    close(layer(x).data, expected, tolerance);
    if (!training) return;
    close(layer.runningMean!.data, mean, tolerance);
    close(layer.runningVar!.data, variance, tolerance);
  },
};

/** ONNX's reference implementation keeps where NumPy's uniform number is at least the ratio. */
class OnnxStream extends RandomState {
  override bernoulliBits(
    q: number,
    n: number,
    out: Uint8Array = new Uint8Array(Math.ceil(n / 8)),
  ): Uint8Array {
    const u = new Float64Array(n);
    this.fillUniform(u);
    out.fill(0);
    u.forEach((value, i) => out[i >> 3] |= value >= 1 - q ? 1 << (i & 7) : 0);
    return out;
  }
}

/** The decisions that fall on the elements which differ on these axes only: one set for each such group. */
function decisionsBy(output: Tensor, x: Tensor, axes: number[]): Set<number>[] {
  const groups = new Map<string, Set<number>>();
  output.data.forEach((value, i) => {
    const index = indexOf(i, output.shape).filter((_, axis) => !axes.includes(axis)).join();
    if (!groups.has(index)) groups.set(index, new Set());
    groups.get(index)!.add(value / x.data[i]);
  });
  return [...groups.values()];
}

function indexOf(position: number, shape: Shape): number[] {
  return shape.map((length, axis) => {
    const stride = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    return Math.floor(position / stride) % length;
  });
}

/** Mean and biased variance of each channel. */
function channelMoments(x: Tensor, axis: number): [number, number][] {
  const channels: number[][] = Array.from({ length: x.shape.at(axis)! }, () => []);
  x.data.forEach((value, i) => channels[indexOf(i, x.shape).at(axis)!].push(value));
  return channels.map((values) => [mean(tensor(values)), variance(tensor(values))]);
}

/** From [N, C, …] to [N, …, C]. */
function channelsLast(x: Tensor): Tensor {
  const [n, c, ...rest] = x.shape;
  const inner = x.size / (n * c);
  const data = x.data.map((_, i) => {
    const [sample, place, channel] = [Math.floor(i / (inner * c)), Math.floor(i / c) % inner, i % c];
    return x.data[(sample * c + channel) * inner + place];
  });
  return new Tensor(data as Float64Array<ArrayBuffer>, [n, ...rest, c]);
}

/** Keras's layer: momentum 0.99 is the weight of the old, eps 0.001, variance biased. */
function kerasNorm(channels: number): BatchNorm {
  return new BatchNorm(channels, { momentum: 1 - 0.99, eps: 1e-3, axis: -1, unbiased: false });
}

/** One step of gradient descent. */
function descend(layer: BatchNorm | Linear, lr: number): void {
  for (const { value, grad } of layer.parameters()) {
    value.data.forEach((_, i) => value.data[i] -= lr * grad.data[i]);
  }
}

/** Options with tensors where the case has numbers. */
// deno-lint-ignore no-explicit-any
function normOptions({ weight, bias, statistics, ...rest }: any): BatchNormOptions {
  return {
    ...rest,
    ...(weight && { weight: inputOf(weight) }),
    ...(bias && { bias: inputOf(bias) }),
    ...(statistics && {
      statistics: { mean: inputOf(statistics.mean), variance: inputOf(statistics.variance) },
    }),
  };
}

const peers = [...new Set(cases.map(({ peer }) => peer))];

for (const peer of peers) {
  const own = cases.filter((one) => one.peer === peer);
  const followed = own.filter(({ notFollowed }) => notFollowed === undefined);
  Deno.test(`${peer}: ${followed.length} of ${own.length} published cases are followed`, async (t) => {
    for (const { id, law, given, notFollowed } of own) {
      if (notFollowed === undefined) await t.step(id, () => laws[law!](given));
      else if (law !== undefined) {
        await t.step(`${id} is not followed`, () => void assertThrows(() => laws[law](given)));
      }
    }
  });
}

Deno.test("each case has an origin, a name of its own and a law or a reason; no law stands idle", () => {
  assertEquals(new Set(cases.map(({ id }) => id)).size, cases.length);
  for (const { id, file, test, asserts, law, notFollowed } of cases) {
    assert(file && test && asserts && (law ?? notFollowed), id);
    if (law !== undefined) assert(law in laws, `${id} names the law ${law}`);
  }
  assertEquals(new Set(cases.flatMap(({ law }) => law ?? [])), new Set(Object.keys(laws)));
});

Deno.test("the tables in the docs are the count of the cases", async () => {
  const scores = peers.map((peer) => {
    const own = cases.filter((one) => one.peer === peer);
    return [peer, `${own.filter(({ notFollowed }) => notFollowed === undefined).length}`, `${own.length}`];
  });
  assertEquals(await docTable("frameworks/mod.ts", "| tests of | followed |"), scores);
  const reasons = Map.groupBy(
    cases.filter((one) => one.notFollowed !== undefined),
    (one) => one.notFollowed!,
  );
  const rows = [...reasons].map(([reason, ofIt]) => {
    const counts = Map.groupBy(ofIt, ({ peer }) => peer);
    return [reason, [...counts].map(([peer, { length }]) => `${peer} ${length}`).join(", ")];
  });
  assertEquals(await docTable("frameworks/mod.ts", "| why not | cases |"), rows);
});

/** Cases with a fault planted into what is asked, or what is expected; each must fail. */
// deno-lint-ignore no-explicit-any
const faults: Record<string, (given: any) => void> = {
  "torch-dropout-eval": ({ call }) => call.options.training = true,
  "torch-corner-1-true": ({ call }) => call.options.p = 0.5,
  "torch-invalid-F-1.1": ({ call }) => call.options.p = 0.5,
  "torch-invalid-2d--0.1": (given) => given.p = 0.1,
  "torch-dropout-p-1e-10": ({ call }) => call.options.p = 0.5,
  "torch-alpha-0.5": ({ call }) => call.function = "invertedDropout", // keeps the mean, not the deviation
  "torch-dropout-mean": (given) => given.expected = 0.64, // standard dropout
  "torch-dropout1d-no-batch": (given) => given.noiseShapes[0] = [null, null],
  "torch-dropout2d-channels": ({ call }) => call.options.noiseShape = [null, null, 1, null],
  "torch-bn-weight-9": ({ options }) => options.weight.shape = [10],
  "torch-bn-eval-2": (given) => given.startsTraining = true,
  "keras-rescaling-max": ({ call }) => call.options.rate = 0.6,
  "keras-noise-dynamic": ({ call }) => call.options.noiseShape = [null, null, 1],
  "keras-gaussian-std": ({ call }) => call.options.p = 0.33,
  "keras-alpha-noise-static": ({ call }) => call.options.noiseShape = [20, 5, 10],
  "keras-bn-correct-last-3-mean-0-var-0": ({ options }) => options.unbiased = true,
  "keras-bn-ten-steps": ({ options }) => options.eps = 1,
  "flax-rate-0.5": ({ call }) => call.options.rate = 0.51,
  "flax-keys": (given) => given.seeds = [1, 1],
  "nnx-internal": (given) => given.seeds = [0, 1],
  "flax-broadcast-3-1": ({ call }) => call.options.broadcastDims = [2],
  "flax-batch-norm": ({ options }) => options.unbiased = true,
  "tfjs-1d-0.75": (given) => given.scale = 1,
  "tfjs-noise-one": (given) => given.noiseShape = [1, 3],
  "tfjs-alphaDropout-train": ({ call }) => call.options.training = false,
  "tfjs-bn-2d-all": ({ options }) => options.eps = 0.1,
  "tfjs-bn-4d-gradients": ({ options }) => options.statistics.mean.values = [0, 2],
  "tfjs-layers-bn-2d": (given) => given.eps = 0.1,
  "tfjs-layers-bn-inference-2d-axis--1": ({ options }) => options.eps = 0.1,
  "tfjs-layers-bn-fit-2d": (given) => given.lr = 0.02,
  "tfjs-layers-bn-fit-dense": (given) => given.lr = 0.05,
  "onnx-training": (given) => given.seed = 1,
  "onnx-bn-epsilon-training-mode": (given) => given.eps = 1e-5, // as ONNX's own test once computed it
};

Deno.test("a fault that is planted into a case makes it fail", () => {
  for (const [id, plant] of Object.entries(faults)) {
    const { law, given } = cases.find((one) => one.id === id)!;
    const faulty = structuredClone(given);
    plant(faulty);
    let caught = false;
    try {
      laws[law!](faulty);
    } catch {
      caught = true;
    }
    assert(caught, `${id} passes with its fault`);
  }
});
