/** The adapters do what their frameworks did when they were asked, but for a list of exceptions. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  flaxDropout,
  frameworkFacts,
  kerasDropout,
  type MeasuredFramework,
  measuredFrameworks,
  onnxDropout,
  tf1Dropout,
  tfjsDropout,
  torchDropout,
} from "../lib/frameworks/mod.ts";
import {
  alphaDropout,
  BatchNorm,
  type BatchNormLayerOptions,
  defaultRng,
  type Generator,
  ones,
  type Tensor,
  tensor,
} from "../lib/mod.ts";
import { docTable } from "./helpers.ts";
import {
  type Answer,
  type Answers,
  ask,
  askBroadcastDims,
  askDropout,
  askNoiseShapes,
  type Drop,
  NotMeasured,
  same,
  what,
} from "./fixtures/dropout_questions.ts";

/** An adapter, asked in its own words; what is undefined is not said. */
interface Adapter {
  /** The frameworks that it is held to. */
  frameworks: string[];
  call: (x: Tensor, rate?: number, training?: boolean, rng?: Generator) => Tensor;
  /** What it shares decisions with. */
  more?: (x: Tensor, rng: Generator) => Answers;
}

/** Options without what is not said. */
// deno-lint-ignore no-explicit-any
function said(options: Record<string, unknown>): any {
  return Object.fromEntries(Object.entries(options).filter(([_, value]) => value !== undefined));
}

/** The noise shapes that an adapter takes. */
function noiseShapes(dropout: (x: Tensor, options: never) => Tensor, rate: object) {
  return (x: Tensor, rng: Generator) =>
    askNoiseShapes((noiseShape) => dropout(x, { ...rate, rng, noiseShape } as never).data);
}

const adapters: Record<string, Adapter> = {
  torchDropout: {
    frameworks: ["torch.nn.functional.dropout"],
    call: (x, p, training, rng) => torchDropout(x, said({ p, training, rng })),
  },
  kerasDropout: {
    frameworks: ["torch", "jax", "tensorflow"].map((backend) => `keras.layers.Dropout on ${backend}`),
    call: (x, rate, training, rng) => kerasDropout(x, said({ rate, training, rng })),
    more: noiseShapes(kerasDropout, { rate: 0.5, training: true }),
  },
  flaxDropout: {
    frameworks: ["flax.linen.Dropout"],
    call: (x, rate, training, rng) =>
      flaxDropout(x, said({ rate, deterministic: training === undefined ? undefined : !training, rng })),
    more: (x, rng) =>
      askBroadcastDims((broadcastDims) =>
        flaxDropout(x, { rate: 0.5, deterministic: false, broadcastDims, rng }).data
      ),
  },
  tfjsDropout: {
    frameworks: ["tf.js layers.dropout"],
    call: (x, rate, training, rng) => tfjsDropout(x, said({ rate, training, rng })),
    more: noiseShapes(tfjsDropout, { rate: 0.5, training: true }),
  },
  onnxDropout: {
    frameworks: ["onnxruntime Dropout"],
    call: (x, ratio, trainingMode, rng) => onnxDropout(x, said({ ratio, trainingMode, rng })).output,
    more: (x, rng) => {
      const answers: Answers = {};
      const { output, mask } = onnxDropout(x, { trainingMode: true, rng });
      ask(
        answers,
        "the mask is true where kept",
        () => output.data.every((y, i) => (y !== 0) === !!mask.get(i)),
      );
      ask(
        answers,
        "the mask in evaluation",
        () => what(ones([64]).data.map((_, i) => onnxDropout(x).mask.get(i))),
      );
      return answers;
    },
  },
  tf1Dropout: {
    frameworks: ["tf.compat.v1.nn.dropout"],
    call: (x, rate, training, rng) => {
      if (training === false) throw new NotMeasured("it has no switch");
      return tf1Dropout(x, said({ keepProb: rate === undefined ? undefined : 1 - rate, rng }));
    },
    more: noiseShapes(tf1Dropout, { keepProb: 0.5 }),
  },
};

/** All answers of an adapter. */
function answersOf({ call, more }: Adapter): Answers {
  const drop: Drop = (x, rate, training, seed) =>
    call(tensor(x, "float32"), rate, training, defaultRng(seed)).data;
  const answers = { ...askDropout(drop), ...more?.(ones([4, 5, 6], "float32"), defaultRng(1)) };
  const rng = defaultRng(1);
  const draw = () => call(ones([64], "float32"), 0.5, true, rng).data;
  ask(answers, "called twice after one seed", () => same(draw(), draw()));
  ask(answers, "no stream, training", () => what(call(ones([64]), 0.5, true).data));
  ask(
    answers,
    "returns the mask",
    () => "mask" in onnxDropout(ones([1])) && call === adapters.onnxDropout.call,
  );
  return answers;
}

function measuredOf(name: string): MeasuredFramework {
  const found = measuredFrameworks.frameworks.find(({ framework }) => framework === name);
  assert(found, `${name} was measured`);
  return found;
}

/** Refused by both, in whatever words; or the same value. */
function agree(ours: Answer, theirs: Answer): boolean {
  if (theirs.error !== undefined) return ["RangeError", "TypeError"].includes(ours.error?.type ?? "");
  if (theirs.notMeasured !== undefined) return ours.notMeasured !== undefined;
  return JSON.stringify(ours.value) === JSON.stringify(theirs.value);
}

/** Questions of a framework that an adapter has no words for. */
const WITHOUT_WORDS = ["a global seed set again, layers without a seed", "rate 0.8 in a graph"];

/** Which questions an adapter answers otherwise than one of its frameworks did. */
function deviationsOf(name: string): string[] {
  const ours = answersOf(adapters[name]);
  return adapters[name].frameworks.flatMap((framework) =>
    Object.entries(measuredOf(framework).answers).flatMap(([question, theirs]) => {
      if (WITHOUT_WORDS.includes(question)) return [];
      assert(question in ours, `${name} was not asked: ${question}`);
      return agree(ours[question], theirs) ? [] : [`${name}: ${question}`];
    })
  );
}

Deno.test("each adapter answers as its framework did, but for the exceptions that the docs list, all of which are ones", async () => {
  const listed = (await docTable("frameworks/mod.ts", "| adapter | question |")).flatMap((
    [names, questions],
  ) => names.split(", ").flatMap((name) => questions.split("; ").map((question) => `${name}: ${question}`)));
  const found = new Set(Object.keys(adapters).flatMap(deviationsOf));
  assertEquals([...found].sort(), listed.sort());
});

Deno.test("the questions of Python and of TypeScript are the same, and nothing is compared with nothing", () => {
  for (const { frameworks } of Object.values(adapters)) {
    for (const framework of frameworks) assert(Object.keys(measuredOf(framework).answers).length >= 20);
  }
  assert(!agree({ value: { all: 0 } }, { value: { all: 1 } }));
  assert(!agree({ value: { all: 0 } }, { error: { type: "ValueError", message: "" } }));
  assert(!agree({ error: { type: "Error", message: "" } }, { error: { type: "ValueError", message: "" } }));
  assert(!agree({ error: { type: "RangeError", message: "" } }, { value: { all: 1 } }));
});

Deno.test("a fault is found: PyTorch's convention asked of Keras, and a rate that is not checked", () => {
  const keras = measuredOf("keras.layers.Dropout on torch").answers;
  const torch = answersOf(adapters.torchDropout);
  assert(!agree(torch["mode not said"], keras["mode not said"]));
  assert(!agree(torch["rate not said"], keras["rate not said"]));
  const unchecked: Drop = (x, rate = 0.5) => x.map((value) => value / (1 - rate));
  const answers = askDropout(unchecked);
  assert(!agree(answers["rate -0.1, training"], keras["rate -0.1, training"]));
});

Deno.test("the table of frameworks names a version in each row, and what it says was measured", async () => {
  const rows = frameworkFacts();
  for (const { framework, version } of rows) {
    assertEquals(version, measuredOf(framework).version);
    assert(/^\d+\.\d+\.\d+/.test(version));
  }
  const docs = await Deno.readTextFile(new URL("../lib/frameworks/mod.ts", import.meta.url));
  for (const { frameworks } of Object.values(adapters)) {
    for (const framework of frameworks) {
      assert(docs.includes(` ${measuredOf(framework).version.split("+")[0]}`));
    }
  }
  const row = (name: string) => rows.find(({ framework }) => framework === name)!;
  assertEquals(row("keras.layers.Dropout on tensorflow").rate1, "zeros");
  assertEquals(row("onnx.reference Dropout").rate1, "NaN");
  assertEquals(row("onnxruntime Dropout").rate1, "error");
  assertEquals(row("tf.js layers.dropout").nan, "keeps all");
  assertEquals(row("flax.linen.Dropout").belowZero, "all × 0.909");
  assertEquals(rows.filter(({ returnsMask }) => returnsMask !== "no").length, 2);
});

/** The layer that does as a measured batch norm did, by the table in batch_norm's docs. */
async function batchNormOptions(framework: string, version: string) {
  const prefixes = { torch: "PyTorch", keras: "Keras", flax: "Flax", "tf.js": "TF.js", onnx: "ONNX" };
  const [, name] = Object.entries(prefixes).find(([prefix]) => framework.startsWith(prefix))!;
  const rows = await docTable("batch_norm/mod.ts", "| framework | channels |");
  const row = rows.find(([cell]) => cell.startsWith(`${name} `))!;
  // ONNX Runtime has versions of its own, and no row.
  assert(row[0].includes(version.split("+")[0]) || framework.startsWith("onnxruntime"), row[0]);
  return JSON.parse(row.at(-1)!) as { momentum?: number; eps?: number; unbiased?: boolean };
}

Deno.test("one training step of batch norm gives the numbers of every framework, in its convention", async () => {
  const x = tensor([[1, 10], [2, 20], [6, 60]]);
  const close = (ours: Tensor, theirs: unknown) =>
    // Their float32: a variance from squares loses 1 + mean²/variance of its places, 3 here; 16 roundings in all.
    ours.data.every((value, i) =>
      Math.abs(value - (theirs as number[]).flat()[i]) <= 16 * 2 ** -24 * Math.max(1, Math.abs(value))
    );
  const measured = measuredFrameworks.frameworks.filter(({ answers }) => "default eps" in answers);
  assertEquals(measured.length, 9);
  for (const { framework, version, answers } of measured) {
    const documented = await batchNormOptions(framework, version);
    const { momentum = 0.1, eps = 1e-5, unbiased = true } = documented;
    assert(
      [momentum, 1 - momentum].some((m) => Math.abs(m - Number(answers["default momentum"].value)) < 1e-9),
    );
    assertEquals(answers["default eps"].value, eps);
    const theirs = answers["one training step"].value as Record<string, unknown>;
    const step = (options: BatchNormLayerOptions) => {
      const layer = new BatchNorm(2, options);
      const output = layer(x);
      return close(output, theirs.output) && close(layer.runningMean!, theirs.mean) &&
        close(layer.runningVar!, theirs.variance);
    };
    assert(step(documented), framework);
    // The faults: the other variance, and the momentum read as the weight of the old.
    assert(!step({ momentum, eps, unbiased: !unbiased }));
    assert(!step({ momentum: 1 - momentum, eps, unbiased }));
  }
});

Deno.test("one row is too few for batch norm here, as in PyTorch; the others return zeros", () => {
  assertThrows(() => new BatchNorm(2)(tensor([[1, 10]])), RangeError);
  const measured = measuredFrameworks.frameworks.filter(({ answers }) => "default eps" in answers);
  for (const { framework, answers } of measured) {
    const { error, value } = answers["one training step on one row"];
    assertEquals(error?.type, framework.startsWith("torch") ? "ValueError" : undefined);
    if (error === undefined) assertEquals((value as { output: unknown }).output, [[0, 0]]);
  }
});

Deno.test("alpha dropout of ones has PyTorch's two values to the last bit; TensorFlow.js has the sign of one wrong", () => {
  const values = (p: number) => {
    const { output } = alphaDropout(ones([64], "float32"), p, { rng: defaultRng(1) });
    return [...new Set(output.data)].sort((a, b) => a - b);
  };
  for (const p of [0, 0.5, 1]) {
    const { value } = measuredOf("torch.nn.functional.alpha_dropout").answers[`rate ${p}, training`];
    assertEquals(values(p), value);
  }
  const keras = measuredOf("keras.layers.AlphaDropout on jax").answers["rate 0.5, training"]
    .value as number[];
  values(0.5).forEach((value, i) => assert(Math.abs(value - keras[i]) <= 4 * 2 ** -24));
  const tfjs = measuredOf("tf.js layers.alphaDropout").answers["rate 0.5, training"].value as number[];
  // a·1 + b is right; what is dropped is −a·α′ + b in place of a·α′ + b.
  const [dropped, kept] = values(0.5);
  assertEquals(tfjs[0], kept);
  const b = kept - 1 / Math.sqrt(0.5 * (1 + 0.5 * 1.7580993408473766 ** 2));
  assert(Math.abs(tfjs[1] - (2 * b - dropped)) < 8 * 2 ** -24);
  assertNotEquals(tfjs[1], dropped);
  const moments = (framework: string) => measuredOf(framework).answers["normal numbers at rate 0.5"].value;
  assertEquals(moments("torch.nn.functional.alpha_dropout"), { mean: 0, deviation: 1 });
  assertEquals(moments("tf.js layers.alphaDropout"), { mean: 1.6, deviation: 1 });
});

Deno.test("the faults that the docs name were measured", () => {
  const evaluation = "evaluation in opset 9, of mean 0 and variance 1";
  const output = (framework: string) =>
    (measuredOf(framework).answers[evaluation].value as { output: number[][] }).output[0][0];
  assert(Math.abs(output("onnxruntime BatchNormalization") - 1) < 1e-4); // (1 − 0)/√1
  // A tenth of the batch's mean, 3, and of its variance, 14/3, is mixed in.
  const mixed = (1 - 0.3) / Math.sqrt(0.9 + 0.1 * 14 / 3 + 1e-5);
  assert(Math.abs(output("onnx.reference BatchNormalization") - mixed) < 1e-5);
  assertEquals(measuredOf("tf.nn.dropout").answers["rate nan, training"].value, { all: 0 });
});
