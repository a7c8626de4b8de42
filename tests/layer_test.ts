/** What all layers share: names, saving, putting back, printing; and layers of one's own. */

import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  Adam,
  add,
  auditModel,
  BatchNorm,
  crossEntropy,
  defaultRng,
  DropoutLayer,
  dropoutOnly,
  type DropoutOptions,
  FastStream,
  gradcheck,
  InvertedDropout,
  KeyedDropout,
  KeyedStream,
  Layer,
  Linear,
  Mask,
  mean,
  multiply,
  normal,
  type NormalStream,
  ones,
  type Optimizer,
  type Parameter,
  parametersFrom,
  RandomState,
  type RandomStream,
  ReLU,
  ReproducibleDropout,
  Sequential,
  SGD,
  StandardDropout,
  sum,
  Tanh,
  type Tensor,
  tensor,
  TorchGenerator,
  variance,
} from "../lib/mod.ts";
import { normals } from "./helpers.ts";

const SEEDS = [0, 1, 2, 3, 4];

// A dropout of one's own, in two ways: all that it takes.

/** Multiplies by N(1, p/(1 − p)): it says only how it drops. */
class Blur extends DropoutLayer<Tensor> {
  protected override drop(x: Tensor, { rng, training }: DropoutOptions<Tensor>) {
    const { shape, dtype } = x;
    if (!training) return { output: x, pass: { shape, mask: null, scale: 1 } };
    const noise = normal(shape, { rng: rng as NormalStream, dtype });
    const mask = add(multiply(noise, Math.sqrt(this.p / (1 - this.p))), 1);
    return { output: multiply(x, mask), pass: { shape, mask, scale: 1 } };
  }
}

/** The same from nothing but `Layer`. */
class PlainBlur extends Layer {
  private noise: Tensor | null = null;
  constructor(readonly p: number, readonly rng: NormalStream) {
    super();
  }
  override forward(x: Tensor): Tensor {
    this.noise = this.training
      ? add(multiply(normal(x.shape, { rng: this.rng }), Math.sqrt(this.p / (1 - this.p))), 1)
      : null;
    return this.noise === null ? x : multiply(x, this.noise);
  }
  override backward(gradOutput: Tensor): Tensor {
    return this.noise === null ? gradOutput : multiply(gradOutput, this.noise);
  }
}

/** A planted fault: its gradient takes fresh noise. */
class Fresh extends PlainBlur {
  override backward(gradOutput: Tensor): Tensor {
    return super.backward((this.forward(gradOutput), gradOutput));
  }
}

const blurs = (seed: number): Layer[] => [
  new Blur(0.3, { seed }),
  new Blur(0.3, { rng: defaultRng(seed) }),
  new PlainBlur(0.3, new RandomState(seed)),
];

Deno.test("a dropout of one's own fits Sequential, train and eval, gradcheck, dropoutOnly and the audit", () => {
  for (const seed of SEEDS) {
    for (const blur of blurs(seed)) {
      const rng = defaultRng([seed, 1]);
      const model = new Sequential(
        new Linear(3, 4, { rng }),
        blur,
        new BatchNorm(4),
        new Linear(4, 2, { rng }),
      );
      const x = normals([5, 3], seed);
      assertNotEquals(model(x).data, model(x).data);
      assert(gradcheck(model, x).ok);
      const before = model.streamStates();
      const report = auditModel(model, x);
      assertEquals(report.random, [{ path: "1", name: blur.constructor.name }]);
      assert(!report.repeated.same && report.stillTraining.length === 5);
      assertEquals(model.streamStates(), before, "neither check nor audit leaves a trace");
      dropoutOnly(model);
      assertEquals([blur.training, model.children()[2].training], [true, false]);
      assertNotEquals(model(x).data, model(x).data);
      model.eval();
      assertEquals(model(x), model(x));
      assert(auditModel(model, x).ok);
    }
    const fresh = new Fresh(0.3, defaultRng(seed));
    assert(!gradcheck(fresh, normals([4, 4], seed)).ok, "a gradient through other noise is caught");
  }
});

Deno.test("dropoutOnly puts dropout layers, and nothing else, into training mode, however deep they lie", () => {
  const rng = defaultRng(1);
  const [norm, dropout] = [new BatchNorm(4), new InvertedDropout(0.5, { seed: 1 })];
  const model = new Sequential(new Linear(1, 4, { rng }), new Sequential(norm, dropout));
  dropoutOnly(model);
  assertEquals([dropout.training, norm.training, model.training], [true, false, false]);
  const before = norm.runningVar!.clone();
  model(normals([8, 1], 1));
  assertEquals(norm.runningVar, before);
});

Deno.test("its noise has mean 1 and variance p/(1 − p)", () => {
  const x = ones([400, 500]);
  for (const seed of SEEDS) {
    const y = new Blur(0.3, { seed })(x);
    // 200,000 numbers: a mean is known to σ/√n, a variance to σ²·√(2/n); 5 of those.
    assertAlmostEquals(mean(y), 1, 5 * Math.sqrt(0.3 / 0.7 / 2e5));
    assertAlmostEquals(variance(y), 0.3 / 0.7, 5 * (0.3 / 0.7) * Math.sqrt(2 / 2e5));
  }
});

Deno.test("a stream without normal numbers is refused by name where they are needed", () => {
  const blur = new Blur(0.3, { rng: new KeyedStream({ seed: 1, layer: 0, step: 0 }) });
  assertThrows(() => blur(ones([2])), TypeError, "got a KeyedStream, which has none");
});

// Streams

Deno.test("every stream serves every layer, and initial weights", () => {
  const streams = (seed: number): RandomStream[] => [
    defaultRng(seed),
    new RandomState(seed),
    new TorchGenerator(seed),
    new FastStream(seed),
    new KeyedStream({ seed, layer: 0, step: 0 }),
  ];
  for (const seed of SEEDS) {
    for (const dtype of ["float32", "float64"] as const) {
      for (const rng of streams(seed)) {
        const name = rng.constructor.name;
        const { weight, bias } = new Linear(50, 40, { rng, dtype });
        // 2000 uniform numbers in ±b: mean 0 ± b/√(3n), mean square b²/3 ± b²·√(4/45/n); 5 of those.
        const b = 1 / Math.sqrt(50);
        assert(weight.data.every((w) => Math.abs(w) <= b * (1 + 1e-7)), name);
        assertAlmostEquals(mean(weight), 0, 5 * b / Math.sqrt(3 * 2000), name);
        assertAlmostEquals(
          mean(multiply(weight, weight)),
          b * b / 3,
          5 * b * b * Math.sqrt(4 / 45 / 2000),
          name,
        );
        assertNotEquals(
          weight.data.slice(0, 40),
          bias!.data,
          `${name}: bias and weights have numbers of their own`,
        );
        for (const layer of [new InvertedDropout(0.3, { rng }), new StandardDropout(0.3, { rng })]) {
          layer(ones([100, 100], dtype));
          assert(Math.abs((layer.mask as Mask).kept - 7000) < 5 * Math.sqrt(10_000 * 0.21), name);
        }
      }
    }
  }
});

Deno.test("{ seed } is a fast stream of the layer's own; a stream that was given belongs to its owner", () => {
  const x = ones([10, 10]);
  for (const seed of SEEDS) {
    const layer = new InvertedDropout(0.5, { seed });
    assertEquals(layer(x), new InvertedDropout(0.5, { rng: new FastStream(seed) })(x));
    const second = layer(x);
    layer.resetRng();
    assertNotEquals(layer(x), second);
    assertEquals(layer(x), second);
    layer.resetRng(seed + 1);
    assertEquals(layer(x), new InvertedDropout(0.5, { seed: seed + 1 })(x));
    layer.resetRng();
    assertEquals(layer(x), new InvertedDropout(0.5, { seed })(x), "back to the seed that it was made with");
  }
  const entropy = new InvertedDropout(0.5);
  const first = entropy(x);
  entropy.resetRng();
  assertEquals(entropy(x), first);
  const given = new InvertedDropout(0.5, { rng: defaultRng(1) });
  const error = assertThrows(() => given.resetRng(2), TypeError);
  assert(error.message.includes("belongs to whoever made it"), error.message);
  assertThrows(() => new InvertedDropout(0.5, { rng: defaultRng(1), seed: 1 }), TypeError, "got both");
});

// Names

class Net extends Layer {
  readonly first = new Linear(3, 4, { seed: 1 });
  readonly blocks = [new Sequential(new Linear(4, 4, { seed: 2 }), new Tanh()), new BatchNorm(4)];
  private readonly last = new Linear(4, 2, { seed: 3 });
  readonly gain = ones([2]);
  readonly #own = parametersFrom({ gain: this.gain });
  private y: Tensor | undefined;
  override ownParameters(): readonly Parameter[] {
    return this.#own;
  }
  override forward(x: Tensor): Tensor {
    const inner = this.blocks.reduce((value: Tensor, layer: Layer) => layer(value), this.first(x));
    this.y = this.last(inner);
    return multiply(this.y, this.gain);
  }
  override backward(gradOutput: Tensor): Tensor {
    this.#own[0].grad.data.set(sum(multiply(gradOutput, this.y!), { axis: 0 }).data);
    const inner = this.last.backward(multiply(gradOutput, this.gain));
    return this.first.backward(
      this.blocks.reduceRight((g: Tensor, layer: Layer) => layer.backward(g), inner),
    );
  }
}

Deno.test("children are found in properties, names are unique, and buffers have PyTorch's names", () => {
  const net = new Net();
  const parameters = ["gain", "first.weight", "first.bias", "blocks.0.0.weight", "blocks.0.0.bias"];
  parameters.push("blocks.1.weight", "blocks.1.bias", "last.weight", "last.bias");
  assertEquals(net.parameters().map(({ name }) => name), parameters);
  assertEquals(
    Object.keys(net.stateDict()).toSorted(),
    [
      ...parameters,
      ...["running_mean", "running_var", "num_batches_tracked"].map((name) => `blocks.1.${name}`),
    ].toSorted(),
  );
  net.eval();
  assert([...net.namedLayers().values()].every((layer) => !layer.training));
  assertEquals([...net.namedLayers().keys()], [
    ...["", "first", "blocks.0", "blocks.0.0", "blocks.0.1", "blocks.1", "last"],
  ]);
  assert(gradcheck(net.train(), normals([6, 3])).ok);
});

Deno.test("a layer in two places is named once; in a row it is refused, however deep", () => {
  const tanh = new Tanh();
  for (
    const make of [
      () => new Sequential(tanh, tanh),
      () => new Sequential(tanh, new Sequential(tanh)),
      () => new Sequential(new Sequential(new ReLU(), tanh), new Sequential(tanh)),
    ]
  ) {
    assertThrows(make, TypeError, "are the same Tanh");
  }
  class Twice extends Layer {
    readonly a = new Linear(1, 1, { seed: 1 });
    readonly b = this.a;
    override forward(x: Tensor): Tensor {
      return x;
    }
    override backward(g: Tensor): Tensor {
      return g;
    }
  }
  assertEquals(new Twice().parameters().map((parameter) => parameter.name), ["a.weight", "a.bias"]);
});

Deno.test("a model prints as PyTorch prints it", () => {
  const model = new Sequential(
    new Linear(3, 4, { seed: 1 }),
    new Sequential(new ReLU(), new InvertedDropout(0.5)),
  );
  const expected = [
    "Sequential(",
    "  (0): Linear(3, 4)",
    "  (1): Sequential(",
    "    (0): ReLU()",
    "    (1): InvertedDropout(p=0.5)",
    "  )",
    ")",
  ].join("\n");
  assertEquals(String(model), expected);
  assertEquals(Deno.inspect(model), expected);
  assertEquals(String(new BatchNorm(2)), "BatchNorm(2, eps=0.00001, momentum=0.1, dtype=float64)");
});

// Checkpoints

function makeModel(seed: number): Sequential {
  return new Sequential(
    new Linear(4, 8, { rng: defaultRng(seed) }),
    new BatchNorm(8),
    new ReLU(),
    new InvertedDropout(0.5, { seed }),
    new Linear(8, 8, { rng: defaultRng(seed) }),
    new ReproducibleDropout(0.2, { seed }),
    new KeyedDropout(0.1, { seed, layer: 0 }),
    new Linear(8, 3, { rng: defaultRng(seed) }),
  );
}

const optimizers: ((parameters: readonly Parameter[]) => Optimizer)[] = [
  (parameters) => new Adam(parameters, { lr: 0.01, weightDecay: 0.01 }),
  (parameters) => new SGD(parameters, { lr: 0.05, momentum: 0.9 }),
];

function trainSteps(model: Sequential, optimizer: Optimizer, steps: number): void {
  const x = normals([16, 4], 7);
  const classes = Array.from({ length: 16 }, (_, i) => i % 3);
  for (let i = 0; i < steps; i++) {
    model.backward(crossEntropy(model(x), classes).grad);
    optimizer.step();
  }
}

Deno.test("training resumes bit for bit from a JSON file", () => {
  for (const seed of SEEDS) {
    for (const make of optimizers) {
      const model = makeModel(seed);
      const optimizer = make(model.parameters());
      trainSteps(model, optimizer, 7);
      const file = JSON.stringify({
        model: model.stateDict(),
        optimizer: optimizer.getState(),
        streams: model.streamStates(),
      });
      trainSteps(model, optimizer, 9);

      const saved = JSON.parse(file);
      const resumed = makeModel(seed + 100);
      const continued = make(resumed.parameters());
      resumed.loadStateDict(saved.model);
      continued.setState(saved.optimizer);
      resumed.loadStreamStates(saved.streams);
      trainSteps(resumed, continued, 9);
      assertEquals(resumed.stateDict(), model.stateDict());
      assertEquals(continued.getState(), optimizer.getState());

      // The planted fault: a fresh optimizer, or streams that start again.
      for (const forgotten of ["optimizer", "streams"]) {
        const wrong = makeModel(seed);
        const other = make(wrong.parameters());
        wrong.loadStateDict(saved.model);
        if (forgotten !== "optimizer") other.setState(saved.optimizer);
        if (forgotten !== "streams") wrong.loadStreamStates(saved.streams);
        trainSteps(wrong, other, 9);
        assertNotEquals(wrong.stateDict(), model.stateDict(), `without ${forgotten}`);
      }
    }
  }
});

Deno.test("numbers that JSON cannot write survive it", () => {
  for (const dtype of ["float32", "float64"] as const) {
    const x = tensor([[NaN, Infinity, -Infinity], [-0, 0, 1e-300], [Math.PI, 5e-324, 1.1]], dtype);
    const again = tensor(JSON.parse(JSON.stringify(x)));
    assertEquals([again.shape, again.dtype], [x.shape, dtype]);
    assert(x.data.every((value, i) => Object.is(value, again.data[i])));
  }
  assertThrows(() => tensor({ dtype: "float64", shape: [1], data: ["1"] }), TypeError, 'got "1"');
});

Deno.test("a state with other names, shapes or types is refused, and nothing is changed", () => {
  const model = makeModel(1);
  const before = model.stateDict();
  const state = makeModel(2).stateDict();
  const { "0.bias": _, ...less } = state;
  assertThrows(() => model.loadStateDict(less), TypeError, "lacks [0.bias]");
  assertThrows(() => model.loadStateDict({ ...state, extra: ones([1]) }), TypeError, "has besides [extra]");
  assertThrows(
    () => model.loadStateDict({ ...state, "0.bias": ones([3]) }),
    TypeError,
    "0.bias must be float64 of shape [8]",
  );
  assertThrows(
    () => model.loadStateDict({ ...state, "0.bias": ones([8], "float32") }),
    TypeError,
    "got float32",
  );
  assertThrows(() => model.loadStateDict(null as never), TypeError, "tensors by name");
  assertThrows(() => model.loadStreamStates({}), TypeError, "the streams of this model are [3.rng");
  const streams = model.streamStates();
  const elsewhere = makeModel(2).streamStates(); // the first stream is about to move when the second is refused
  assertNotEquals(elsewhere["3.rng"], streams["3.rng"]);
  const mixed = { ...elsewhere, "5.rng": streams["3.rng"] };
  assertThrows(() => model.loadStreamStates(mixed), TypeError, "PCG64");
  assertEquals(model.stateDict(), before);
  assertEquals(model.streamStates(), streams);
  const report = model.loadStateDict({ ...less, extra: ones([1]) }, { strict: false });
  assertEquals(report, { missingKeys: ["0.bias"], unexpectedKeys: ["extra"] });
  assertEquals(model.stateDict(), { ...state, "0.bias": before["0.bias"] });
});

Deno.test("PyTorch's own lists load: nested arrays take the model's type", () => {
  const linear = new Linear(2, 1, { seed: 1, dtype: "float32" });
  linear.loadStateDict({ weight: [[0.1, 0.2]], bias: [0.3] });
  assertEquals(Array.from(linear.weight.data), [0.1, 0.2].map(Math.fround));
  const norm = new BatchNorm(1);
  norm.loadStateDict({ weight: [2], bias: [1], running_mean: [3], running_var: [4], num_batches_tracked: 5 });
  assertEquals([norm.runningMean!.at(0), norm.numBatchesTracked], [3, 5]);
});

Deno.test("an optimizer's state fits the optimizer that it came from, and no other", () => {
  const model = makeModel(1);
  const [adam, sgd] = optimizers.map((make) => make(model.parameters()));
  assertThrows(() => sgd.setState(adam.getState()), TypeError, "Not a saved state of SGD");
  const other = new Adam(model.parameters(), { lr: 0.01 });
  assertThrows(() => other.setState(adam.getState()), TypeError, "has the options");
  const few = new Adam(model.parameters().slice(0, 2), { lr: 0.01, weightDecay: 0.01 });
  assertThrows(() => few.setState(adam.getState()), TypeError, "needs 2 tensors");
  assertThrows(() => adam.setState(null as never), TypeError, "Not a saved state of Adam");
  const mixed = [{ name: "w", value: ones([300], "float32"), grad: ones([300]) }];
  assertThrows(() => new Adam(mixed), TypeError, "float64 of shape [300] and float32 of shape [300]");
  const twice = [...model.parameters(), model.parameters()[0]];
  assertThrows(() => new SGD(twice, { lr: 1 }), TypeError, "positions 0 and");
});

Deno.test("a snapshot puts back modes, weights, gradients, buffers, streams and passes", () => {
  for (const make of optimizers) {
    const model = makeModel(3);
    const optimizer = make(model.parameters());
    trainSteps(model, optimizer, 2);
    const x = normals([16, 4], 9);
    const g = normals([16, 3], 10);
    model(x);
    const state = JSON.stringify([model.stateDict(), model.streamStates()]);
    const restore = model.snapshot();
    const gradient = model.backward(g).clone();
    trainSteps(model.eval().train(), optimizer, 3);
    model.eval()(normals([5, 4]));
    restore();
    assertEquals(JSON.stringify([model.stateDict(), model.streamStates()]), state);
    assert(model.training);
    assertEquals(model.backward(g), gradient, "the last pass, too, although the room for it was used again");
  }
});

// gradcheck of layers

Deno.test("gradcheck takes any layer in either mode, and a wrong parameter gradient is caught", () => {
  class Wrong extends Linear {
    override backward(gradOutput: Tensor): Tensor {
      const gradInput = super.backward(gradOutput);
      this.parameters()[1].grad.data[0] *= 1 + 1e-4;
      return gradInput;
    }
  }
  for (const seed of SEEDS) {
    const model = makeModel(seed);
    model.loadStateDict({
      ...model.stateDict(),
      "1.weight": normals([8], seed + 5),
      "1.bias": normals([8], seed + 6),
    });
    const x = normals([6, 4], seed);
    for (const training of [true, false]) {
      const report = gradcheck(model.train(training), x);
      assert(report.ok, report.summary);
      assertEquals(report.checked, 18 * (24 + 40 + 16 + 72 + 27));
    }
    const wrong = gradcheck(new Wrong(3, 2, { seed }), normals([4, 3], seed));
    assert(!wrong.ok);
    assertEquals([wrong.worst.of, wrong.worst.input], ["bias", 0]);
  }
  assertThrows(
    () => gradcheck(new Linear(2, 2, { seed: 1, dtype: "float32" }), ones([1, 2])),
    TypeError,
    "float64",
  );
});

Deno.test("gradcheck changes nothing, also if it is given a parameter's own tensor", () => {
  const layer = new Linear(3, 2, { seed: 1 });
  const x = normals([4, 3]);
  const before = layer.weight.clone();
  const forward = (weight: Tensor) => {
    layer.weight.data.set(weight.data);
    return layer(x);
  };
  const report = gradcheck(
    forward,
    (g) => (layer.backward(g), layer.parameters()[0].grad.clone()),
    layer.weight,
  );
  assert(report.ok, report.summary);
  layer.weight.data.set(before.data);
  const norm = new BatchNorm(3);
  const state = norm.stateDict();
  gradcheck(norm, x);
  assertEquals(norm.stateDict(), state, "running statistics stay");
  assertThrows(() => norm.backward(x), Error, "call forward(x) first");
});

// What people write

/** As the documentation says: parameters are named when they are asked for, streams and layers lie in properties. */
class Written extends Sequential {
  readonly gain = ones([2]);
  readonly streams = [new FastStream(1), defaultRng(2)];
  readonly head = new Linear(2, 2, { seed: 3 });
  override name = "encoder";
  override ownParameters(): readonly Parameter[] {
    return parametersFrom({ gain: this.gain });
  }
}

Deno.test("parameters keep their gradients, however often they are asked for", () => {
  const model = new Written(new ReLU());
  const optimizer = new SGD(model.parameters(), { lr: 1 });
  model.ownParameters()[0].grad.data.fill(0.25);
  optimizer.step();
  assertEquals(model.gain.toArray(), [0.75, 0.75]);
});

Deno.test("streams in arrays, layers beside those in the row, and a name of one's own are all kept", () => {
  const model = new Written(new Linear(2, 2, { seed: 4 }), new ReLU());
  const names = ["gain", "0.weight", "0.bias", "head.weight", "head.bias"];
  assertEquals(model.parameters().map(({ name }) => name), names);
  assertEquals(Object.keys(model.streamStates()), ["streams.0", "streams.1"]);
  assert(model.isRandom);
  assertEquals(model.name, "encoder");
  assert(!model.eval().head.training);
  assertEquals(new ReLU().name, "ReLU");
});

Deno.test("weights that are replaced are the model's weights, with gradients of their own", () => {
  const linear = new Linear(2, 2, { seed: 1 });
  (linear as { weight: Tensor }).weight = ones([2, 2]);
  assertEquals(linear.stateDict().weight.toArray(), [[1, 1], [1, 1]]);
  assert(gradcheck(linear, normals([3, 2])).ok);
});

Deno.test("what would be lost without a word is refused", () => {
  const model = new Written(new ReLU());
  assertThrows(() => JSON.stringify({ model }), TypeError, "save its stateDict()");
  const rng = new FastStream(1);
  const shared = new Sequential(new InvertedDropout(0.5, { rng }), new InvertedDropout(0.5, { rng }));
  const states = shared.streamStates();
  const other = { ...states, "1.rng": new FastStream(2).getState() };
  assertThrows(() => shared.loadStreamStates(other), TypeError, "0.rng and 1.rng are one stream here");
  const own = new InvertedDropout(0.5, { seed: 1 });
  own.rng = defaultRng(1);
  assertThrows(() => own.resetRng(), TypeError, "belongs to whoever made it");
  class Forgot extends DropoutLayer {
    protected override drop(x: Tensor) {
      return x as never;
    }
  }
  assertThrows(() => new Forgot(0.5, { seed: 1 })(ones([2])), TypeError, "drop must return { output, pass }");
  const optimizer = new Adam(new Linear(1, 1, { seed: 1 }).parameters());
  assertThrows(() => optimizer.lr = NaN, RangeError, "lr must be a number in [0, ∞), got NaN");
  const linear = new Linear(2, 2, { seed: 1, dtype: "float32" });
  linear(ones([1, 2], "float32"));
  assertThrows(() => linear.backward(ones([1, 2])), TypeError, "needs a float32 gradient");
});

/** A layer that counts what it sees, in everything that properties hold. */
class Counting extends Layer {
  readonly counts = [0];
  readonly stats = { seen: 0 };
  readonly buffer = new Float64Array(2);
  list: number[] = [];
  override forward(x: Tensor): Tensor {
    this.counts[0]++;
    this.stats.seen++;
    this.buffer[1]++;
    this.list.push(1);
    return x;
  }
  override backward(gradOutput: Tensor): Tensor {
    return gradOutput;
  }
}

Deno.test("an audit puts back what a layer counts, in numbers, lists, objects and arrays", () => {
  const layer = new Counting().eval();
  assert(auditModel(layer, ones([2]), { runs: 3 }).ok);
  assertEquals([layer.counts, layer.stats.seen, layer.buffer[1], layer.list], [[0], 0, 0, []]);
});

Deno.test("what is loaded may be the model's own tensors", () => {
  const model = new Sequential(new Linear(2, 2, { seed: 1 }), new Linear(2, 2, { seed: 2 }));
  const [a, b] = ["0.weight", "1.weight"].map((name) =>
    model.parameters().find((parameter) => parameter.name === name)!.value
  );
  const before = [a.toArray(), b.toArray()];
  model.loadStateDict({ "0.weight": b, "1.weight": a }, { strict: false });
  assertEquals([b.toArray(), a.toArray()], before);
});

// Gradients of parameters alone

/** A planted fault: what is asked for alone differs from what comes with the rest. */
class Half extends Linear {
  override backwardParameters(gradOutput: Tensor): void {
    super.backwardParameters(multiply(gradOutput, 0.5));
  }
}

function gradientsOf(model: Sequential, backward: (g: Tensor) => void): number[][] {
  const output = model(normals([5, 4], 1));
  model.parameters().forEach(({ grad }) => grad.data.fill(NaN));
  backward(normals(output.shape, 2));
  return model.parameters().map(({ grad }) => Array.from(grad.data));
}

Deno.test("the gradients of backwardParameters are those of backward, bit for bit, in any nesting", () => {
  const linear = (inputs: number, outputs: number, seed: number) => new Linear(inputs, outputs, { seed });
  const models: (() => Sequential)[] = [
    () => new Sequential(linear(4, 3, 1), new ReLU(), linear(3, 2, 2)),
    () => new Sequential(new Tanh(), new InvertedDropout(0, { seed: 1 }), linear(4, 2, 1), new Tanh()),
    () =>
      new Sequential(
        new Sequential(new ReLU()),
        new Sequential(new Tanh(), linear(4, 2, 1)),
        linear(2, 2, 3),
      ),
    () => new Sequential(new BatchNorm(4), linear(4, 2, 1), new BatchNorm(2)),
    () => new Sequential(new ReLU()),
  ];
  for (const make of models) {
    const [one, other] = [make(), make()];
    const alone = gradientsOf(one, (g) => one.backwardParameters(g));
    assertEquals(alone, gradientsOf(other, (g) => other.backward(g)));
    assert(alone.flat().every(Number.isFinite), "each gradient was written");
  }
  const make = () => new Sequential(new Half(4, 2, { seed: 1 }));
  const [one, other] = [make(), new Sequential(linear(4, 2, 1))];
  assertNotEquals(
    gradientsOf(one, (g) => one.backwardParameters(g)),
    gradientsOf(other, (g) => other.backward(g)),
  );
});
