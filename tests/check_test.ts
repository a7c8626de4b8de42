/** What the library says of bad input, everywhere: what was asked, what is allowed, what came. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkInteger, checkOptions, checkProbability, checkRange, describe } from "../lib/check.ts";
import * as frameworks from "../lib/frameworks/mod.ts";
import * as library from "../lib/mod.ts";

const { defaultRng, InvertedDropout, Mask, ones, tensor } = library;

/** What people give by mistake. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  3,
  -1,
  0.5,
  NaN,
  "x",
  true,
  {},
  [],
  [1, 2],
  () => 0,
];

/** What an engine says when nobody checked: it names code that the reader has never seen. */
const RAW =
  /cannot read|is not a function|is not iterable|undefined \(|not a constructor|call stack|destructure|Invalid typed array|Invalid array length|Cannot convert|not an object/i;

/** Runs `work`, and returns the message of what it throws, if it throws. */
function messageOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    assert(error instanceof Error, `threw ${String(error)}`);
    assert(["Error", "TypeError", "RangeError"].includes(error.name), error.name);
    return error.message;
  }
}

/** All ways to give wrong values in one place of good arguments, or in all of them. */
function* spoiled(good: readonly unknown[]): Generator<unknown[]> {
  for (const wrong of WRONG) {
    yield good.map(() => wrong);
    for (let place = 0; place < good.length; place++) yield good.toSpliced(place, 1, wrong);
  }
  yield [];
}

/** Good arguments of each exported function and class: every export has to stand here. */
function goodArguments(): Record<string, unknown[]> {
  const rng = defaultRng(1);
  const x = tensor([[1, 2], [3, 4]]);
  const layer = new library.Linear(2, 2, { rng });
  const parameters = layer.parameters();
  const mask = Mask.of(1, 0);
  const { pass } = library.invertedDropout(x, 0.5, { rng });
  const normalized = library.batchNorm(x);
  const norm = () => new library.Sequential(new library.BatchNorm(2));
  const one = { step: 1e-5 };
  return {
    add: [x, x, {}],
    subtract: [x, x, {}],
    multiply: [x, x, {}],
    divide: [x, x, {}],
    matmul: [x, x, {}],
    transpose: [x],
    sum: [x, {}],
    mean: [x, {}],
    variance: [x, {}],
    standardDeviation: [x, {}],
    argmax: [x],
    take: [x, [0, 1]],
    full: [[2], 1, "float32"],
    ones: [[2], "float32"],
    zeros: [[2], "float32"],
    tensor: [[1, 2], "float32"],
    Tensor: [new Float64Array(2), [2]],
    RandomState: [1],
    Generator: [new library.SeedSequence(1)],
    SeedSequence: [1, []],
    defaultRng: [1],
    TorchGenerator: [1],
    FastStream: [1],
    KeyedStream: [{ seed: 1, layer: 0, step: 0 }],
    NumpyStream: [],
    normal: [[2], { rng }],
    uniform: [[2], { rng }],
    drawMask: [[2], 0.5, { rng }],
    Mask: [new Uint8Array(1), [2]],
    Workspace: [1024],
    Layer: [],
    parametersFrom: [{ weight: x }],
    applyMask: [x, mask, 1, {}],
    invertedDropout: [x, 0.5, { rng }],
    invertedDropoutBackward: [x, pass, {}],
    standardDropout: [x, 0.5, { rng }],
    standardDropoutBackward: [x, pass, {}],
    inferenceWeight: [x, 0.5, {}],
    gaussianDropout: [x, 0.5, { rng }],
    gaussianDropoutBackward: [x, library.gaussianDropout(x, 0.5, { rng }).pass, {}],
    alphaDropout: [x, 0.5, { rng }],
    alphaDropoutBackward: [x, library.alphaDropout(x, 0.5, { rng }).pass, {}],
    GaussianDropout: [0.5, { rng }],
    AlphaDropout: [0.5, { rng }],
    survivorScale: [0.5],
    iterationSeed: [42, 1],
    InvertedDropout: [0.5, { rng }],
    StandardDropout: [0.5, { rng }],
    ReproducibleDropout: [0.5, { seed: 1 }],
    KeyedDropout: [0.5, { seed: 1, layer: 0 }],
    DropoutLayer: [0.5, {}],
    dropoutOnly: [layer],
    BatchNorm: [2, {}],
    batchNorm: [x, {}],
    batchNormBackward: [x, normalized.pass, {}],
    reestimateStatistics: [norm(), [x]],
    ActivationLayer: [],
    ReLU: [],
    Sigmoid: [],
    Tanh: [],
    Linear: [2, 2, { rng }],
    crossEntropy: [x, [0, 1], {}],
    mseLoss: [x, x],
    softmax: [x],
    Optimizer: [parameters, 0.1, 0, []],
    SGD: [parameters, { lr: 0.1 }],
    Adam: [parameters, {}],
    Sequential: [layer, new library.ReLU()],
    numericalGradient: [() => 0, x, one],
    gradcheck: [layer, x, one],
    enumerateMasks: [2, 0.5],
    exactExpectation: [() => 0, 2, 0.5],
    monteCarlo: [() => 0, 2],
    auditModel: [layer, x, {}],
    flaxDropout: [x, { rate: 0.5, deterministic: false, rng }],
    frameworkFacts: [],
    kerasDropout: [x, { rate: 0.5, rng }],
    onnxDropout: [x, { rng }],
    tf1Dropout: [x, { keepProb: 0.5, rng }],
    tfjsDropout: [x, { rate: 0.5, rng }],
    torchDropout: [x, { rng }],
  };
}

/** Calls a function or a class; what a generator does happens when it is asked. */
function use(exported: unknown, args: unknown[]): void {
  const isClass = /^class/.test(Function.prototype.toString.call(exported));
  if (isClass) {
    const Base = exported as new (...args: unknown[]) => object;
    class Concrete extends Base {} // abstract classes, too
    new Concrete(...args);
    return;
  }
  const result = (exported as (...args: unknown[]) => unknown)(...args);
  if (typeof (result as Iterator<unknown> | undefined)?.next === "function") {
    (result as Iterator<unknown>).next();
  }
}

Deno.test("no export answers wrong arguments with the engine's words", () => {
  const exported = { ...library, ...frameworks };
  const good = goodArguments();
  const functions = Object.keys(exported).filter((name) =>
    typeof exported[name as keyof typeof exported] === "function"
  );
  assertEquals(functions.filter((name) => !(name in good)), [], "every export has arguments here");
  const raw: string[] = [];
  let refused = 0;
  for (const name of functions) {
    const target = exported[name as keyof typeof exported];
    use(target, goodArguments()[name]);
    for (const args of spoiled(good[name])) {
      const message = messageOf(() => use(target, args));
      if (message === undefined) continue;
      refused++;
      if (RAW.test(message)) raw.push(`${name}(${args.map((arg) => describe(arg)).join(", ")}): ${message}`);
    }
  }
  assertEquals(raw, []);
  assert(refused > 1000, `${refused} refusals`);
});

Deno.test("no method of a layer, stream, mask, tensor or optimizer does either", () => {
  const rng = () => defaultRng(1);
  const x = tensor([[1, 2], [3, 4]]);
  const model = () =>
    new library.Sequential(new library.Linear(2, 2, { rng: rng() }), new library.BatchNorm(2));
  const makers: (() => object)[] = [
    rng,
    () => new library.RandomState(1),
    () => new library.TorchGenerator(1),
    () => new library.FastStream(1),
    () => new library.KeyedStream({ seed: 1, layer: 0, step: 0 }),
    () => Mask.of(1, 0),
    () => tensor([[1, 2], [3, 4]]),
    model,
    () => new InvertedDropout(0.5, { seed: 1 }),
    () => new library.StandardDropout(0.5, { rng: rng() }),
    () => new library.ReproducibleDropout(0.5, { seed: 1 }),
    () => new library.KeyedDropout(0.5, { seed: 1, layer: 0 }),
    () => new library.GaussianDropout(0.5, { rng: rng() }),
    () => new library.AlphaDropout(0.5, { seed: 1, noiseShape: [null, 1] }),
    () => new library.BatchNorm(2),
    () => new library.Linear(2, 2, { rng: rng() }),
    () => new library.ReLU(),
    () => new library.Adam(model().parameters(), {}),
    () => new library.SGD(model().parameters(), { lr: 1 }),
    () => new library.Workspace(1024),
  ];
  const inherited = new Set(["constructor", "call", "apply", "bind", "toString", "valueOf"]);
  const raw: string[] = [];
  let called = 0;
  for (const make of makers) {
    const names = new Set<string>();
    for (let at = Object.getPrototypeOf(make()); at !== null; at = Object.getPrototypeOf(at)) {
      if (at === Object.prototype || at === Function.prototype) break;
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
        if (typeof value === "function" && !inherited.has(name)) names.add(name);
      }
    }
    for (const name of names) {
      for (const args of [...spoiled([x, {}]), ...spoiled([1, 2, 3])]) {
        const target = make() as Record<string, (...args: unknown[]) => unknown>;
        // Not for users: subclasses are told what to give these.
        if (
          ["drop", "draw", "activate", "propagate", "momentOf", "options", "freshStream", "extraRepr"]
            .includes(
              name,
            )
        ) break;
        if (name === "map" && typeof args[0] !== "function") continue; // the engine's own contract
        called++;
        const message = messageOf(() => target[name](...args));
        if (message !== undefined && RAW.test(message)) {
          raw.push(
            `${target.constructor.name}.${name}(${args.map((arg) => describe(arg)).join(", ")}): ${message}`,
          );
        }
      }
    }
  }
  assertEquals(raw, []);
  assert(called > 5000, `${called} calls`);
});

Deno.test("an option that nobody knows is refused by every function that takes options", () => {
  const exported = { ...library, ...frameworks };
  const takers = Object.entries(goodArguments()).filter(([name, args]) => {
    const last = args.at(-1);
    return typeof last === "object" && Object.getPrototypeOf(last) === Object.prototype &&
        name !== "parametersFrom" &&
        !["invertedDropoutBackward", "standardDropoutBackward", "batchNormBackward"].includes(name) ||
      name.endsWith("Backward");
  });
  assert(takers.length > 30);
  for (const [name, args] of takers) {
    const options = { ...args.at(-1) as object, sead: 42 };
    const error = assertThrows(
      () => use(exported[name as keyof typeof exported], args.with(-1, options)),
      TypeError,
    );
    assert(error.message.includes('no option "sead"'), `${name}: ${error.message}`);
    for (const wrong of [new library.FastStream(1), new Map([["seed", 1]]), new library.TorchGenerator(1)]) {
      const refused = () => use(exported[name as keyof typeof exported], args.with(-1, wrong));
      assertThrows(refused, TypeError, "the last argument holds options");
    }
  }
});

Deno.test("calling a layer hands its options on, and those that it does not know are refused", () => {
  const x = ones([2, 2]);
  const rng = defaultRng(1);
  const layers = [
    new InvertedDropout(0.5, { rng }),
    new library.BatchNorm(2),
    new library.Linear(2, 2, { rng }),
    new library.ReLU(),
  ];
  for (const layer of layers) {
    const out = library.zeros([2, 2]);
    assert(layer(x, { out }) === out);
    assertThrows(() => layer(x, { iteration: 1 } as never), TypeError, 'has no option "iteration"');
    assertThrows(() => layer(x, 3 as never), TypeError, "the last argument holds options");
  }
  assertThrows(() => new library.Sequential(layers[0])(x, { out: x }), TypeError, "it takes no options");
});

Deno.test("sizes may be shapes: streams answer with a tensor of that shape, as NumPy does", () => {
  const numpy = defaultRng(0);
  assertEquals(numpy.random([2, 3]).shape, [2, 3]);
  assertEquals(defaultRng(0).random([2, 3]).data, defaultRng(0).random(6));
  assertEquals(defaultRng(0).standardNormal([2, 3]).data, defaultRng(0).standardNormal(6));
  assertEquals(defaultRng(0).integers(0, 5, [2, 3]).data, defaultRng(0).integers(0, 5, 6));
  assertEquals(defaultRng(0).binomial(1, 0.5, [2, 3]).toArray(), [
    Array.from(defaultRng(0).binomial(1, 0.5, 6).slice(0, 3)),
    Array.from(defaultRng(0).binomial(1, 0.5, 6).slice(3)),
  ]);
  const { RandomState, TorchGenerator, FastStream } = library;
  assertEquals(new RandomState(0).randn(2, 3).data, new RandomState(0).randn(6));
  assertEquals(new TorchGenerator(0).randn([4, 5]).data, new TorchGenerator(0).randn(20));
  assertEquals(new TorchGenerator(0).rand([2, 3]).dtype, "float32");
  assertEquals(new FastStream(0).standardNormal([2, 3]).data, new FastStream(0).standardNormal(6));
  assertThrows(() => new RandomState(0).randn([2, 3] as never), TypeError, "one by one, as in randn(2, 3)");
  const untyped = numpy as unknown as Record<string, (...lengths: number[]) => void>;
  for (const method of ["random", "standardNormal"]) {
    assertThrows(
      () => untyped[method](2, 3),
      TypeError,
      "takes one size: a number such as 6, or a shape such as [2, 3]",
    );
  }
  for (const size of [2.5, -1, NaN, Infinity]) {
    assertThrows(
      () => defaultRng(0).standardNormal(size),
      RangeError,
      `must be a non-negative integer, got ${size}`,
    );
    assertThrows(() => defaultRng(0).random(size), RangeError, `got ${size}`);
    assertThrows(() => defaultRng(0).integers(0, 5, size), RangeError, `got ${size}`);
    assertThrows(() => new RandomState(0).randn(size), RangeError, `got ${size}`);
  }
});

Deno.test("the checks name the interval, and tell a wrong type from a wrong value", () => {
  for (
    const [value, Kind] of [[2, RangeError], [NaN, RangeError], ["0.5", TypeError], [
      null,
      TypeError,
    ]] as const
  ) {
    assertThrows(() => checkProbability("p", value), Kind, "p must be in [0, 1], got");
    assertThrows(
      () => checkInteger("n", value === 2 ? -2 : value),
      Kind,
      "n must be a non-negative integer, got",
    );
    assertThrows(() => checkRange("lr", value, 1), Kind, "lr must be a number in [0, 1), got");
  }
  for (
    const [value, interval, ok] of [[0, "(0, 1]", false], [1, "(0, 1]", true], [1, "[0, 1)", false]] as const
  ) {
    assertEquals(messageOf(() => checkProbability("p", value, interval)) === undefined, ok);
  }
  assertThrows(
    () => checkOptions("f", { a: 1 }, ["b", "c"]),
    TypeError,
    'f has no option "a"; its options are b, c',
  );
  assertThrows(() => checkOptions("f", null, ["b"]), TypeError, "{ b: … }, got null");
});
