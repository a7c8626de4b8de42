/** The audit before deployment: what it finds, what it cannot see, and that it leaves no trace. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { auditModel, type AuditReport } from "../lib/audit.ts";
import { InvertedDropout, invertedDropout, StandardDropout } from "../lib/dropout/mod.ts";
import { ReproducibleDropout } from "../lib/dropout/reproducible.ts";
import { Layer } from "../lib/layer.ts";
import { defaultRng } from "../lib/random/mod.ts";
import { add, mean, multiply, ones, Tensor, tensor, zeros } from "../lib/tensor/mod.ts";
import { bytesOf, normals } from "./helpers.ts";

/** Layers one after the other: the smallest container. */
class Row extends Layer {
  readonly row: readonly Layer[];

  constructor(...row: Layer[]) {
    super();
    this.row = row;
  }

  override forward(x: Tensor): Tensor {
    return this.row.reduce((value, layer) => layer.forward(value), x);
  }

  override backward(gradOutput: Tensor): Tensor {
    return this.row.reduceRight((gradient, layer) => layer.backward(gradient), gradOutput);
  }
}

/** A layer that is nothing but a function, in both modes. */
class Apply extends Layer {
  readonly #f: (x: Tensor, pass: number) => Tensor;
  #pass = 0;

  constructor(f: (x: Tensor, pass: number) => Tensor) {
    super();
    this.#f = f;
  }

  override forward(x: Tensor): Tensor {
    return this.#f(x, ++this.#pass);
  }

  override backward(gradOutput: Tensor): Tensor {
    return gradOutput;
  }
}

/** Running statistics like those of batch normalization, without the normalization. */
class Running extends Layer {
  readonly runningMean = zeros([1]);
  /** Replaced in each pass, where the mean is changed in place. */
  runningVar = ones([1]);
  numBatchesTracked = 0;

  override forward(x: Tensor): Tensor {
    if (this.training) {
      this.runningMean.data[0] = 0.9 * this.runningMean.data[0] + 0.1 * mean(x);
      this.runningVar = multiply(this.runningVar, 0.9);
      this.numBatchesTracked++;
    }
    return add(x, this.runningMean.data[0]);
  }

  override backward(gradOutput: Tensor): Tensor {
    return gradOutput;
  }
}

const SEEDS = [0, 1, 2, 3, 4];
const double = () => new Apply((x) => multiply(x, 2));
const model = (seed = 42) =>
  new Row(
    new Row(
      double(),
      new InvertedDropout(0.5, { rng: defaultRng(seed) }),
      new StandardDropout(0, { rng: defaultRng(seed) }),
    ),
    new ReproducibleDropout(0.5, { seed }),
  );

/** Paths of what the audit found. */
const paths = ({ stillTraining, random }: AuditReport) => [
  stillTraining.map(({ path }) => path),
  random.map(({ path }) => path),
];

Deno.test("a model in evaluation mode passes", () => {
  const report = auditModel(model().eval(), normals([4, 16]));
  assertEquals(report, {
    ok: true,
    stillTraining: [],
    random: [],
    repeated: { runs: 2, same: true, difference: null },
    summary: ["ok: 6 layers in evaluation mode, none random, 2 passes agree bit for bit"],
  });
  assertEquals(auditModel(double().eval(), ones([1]), { runs: 3 }).summary, [
    "ok: 1 layer in evaluation mode, none random, 3 passes agree bit for bit",
  ]);
});

Deno.test("a model in training mode fails, with paths, names and the first element that differs", () => {
  for (const seed of SEEDS) {
    const x = normals([4, 16], seed);
    const report = auditModel(model(seed), x);
    assertEquals(report.ok, false);
    const row = ["row.0.row.0", "row.0.row.1", "row.0.row.2"];
    assertEquals(paths(report), [["", "row.0", ...row, "row.1"], [row[1], "row.1"]]); // p = 0 is not random
    assertEquals(report.random.map(({ name }) => name), ["InvertedDropout", "ReproducibleDropout"]);
    // Three of four elements are zero; two passes over 64 agree with probability (1 − 6/16)⁶⁴ < 10⁻¹².
    const twin = model(seed);
    const [first, later] = [twin(x), twin(x)];
    const at = first.data.findIndex((value, i) => value !== later.data[i]);
    assertEquals(report.repeated, {
      runs: 2,
      same: false,
      difference: {
        run: 2,
        index: [Math.floor(at / 16), at % 16],
        first: first.data[at],
        later: later.data[at],
      },
    });
  }
});

Deno.test("the summary names what to do", () => {
  const row = new Row(double(), new InvertedDropout(0.5, { rng: defaultRng(0) })).eval();
  row.children()[1].train();
  const forgotten = auditModel(row, ones([64]));
  const { index, first, later } = forgotten.repeated.difference!;
  assertEquals(forgotten.summary, [
    "still training (eval() is missing): row.1 (InvertedDropout)",
    "random in this mode: row.1 (InvertedDropout)",
    `pass 2 differs from pass 1, first at [${index}]: ${first}, then ${later}`,
  ]);
  const harmless = auditModel(new Row(double()), ones([2]));
  assertEquals(harmless.summary, [
    "still training (eval() is missing): the model (Row), row.0 (Apply)",
    "2 passes agree bit for bit",
  ]);
  assertEquals([harmless.ok, harmless.repeated.same], [false, true]);
});

Deno.test("dropout as a function in a forward pass is seen by the passes only", () => {
  for (const seed of SEEDS) {
    const rng = defaultRng(seed);
    const hidden = new Row(double(), new Apply((x) => invertedDropout(x, 0.5, { rng }).output)).eval();
    const report = auditModel(hidden, ones([64])); // chance of two equal masks: 2⁻⁶⁴
    assertEquals(paths(report), [[], []]);
    assertEquals([report.ok, report.repeated.same], [false, false]);
    assert(
      report.summary[0].endsWith("; no dropout layer explains it: a forward draws, or remembers, by itself"),
      report.summary[0],
    );
  }
});

Deno.test("more runs find what fewer miss", () => {
  const third = () => new Apply((x, pass) => pass === 3 ? add(x, 1) : x).eval();
  assertEquals(auditModel(third(), ones([2])).ok, true);
  const { ok, repeated } = auditModel(third(), ones([2, 1]), { runs: 3 });
  assertEquals([ok, repeated.difference], [false, { run: 3, index: [0, 0], first: 1, later: 2 }]);
});

Deno.test("passes are compared bit for bit: 0 and −0 differ, NaN is NaN", () => {
  const signed = new Apply((_, pass) => tensor([1, pass === 1 ? 0 : -0])).eval();
  assertEquals(auditModel(signed, ones([2])).repeated.difference, {
    run: 2,
    index: [1],
    first: 0,
    later: -0,
  });
  assertEquals(auditModel(new Apply(() => tensor([NaN])).eval(), ones([1])).ok, true);
  const scalar = new Apply((_, pass) => tensor(pass)).eval();
  assertEquals(auditModel(scalar, ones([1])).repeated.difference, { run: 2, index: [], first: 1, later: 2 });
});

Deno.test("a model that writes into its input, or reuses the memory of its output, does not deceive the audit", () => {
  const x = ones([3]);
  const greedy = new Apply((x) => add(x, 1, { out: x })).eval();
  assertEquals(auditModel(greedy, x).ok, true);
  assertEquals(x, ones([3]));
  const memory = zeros([1]);
  const counting = new Apply((_, pass) => {
    memory.data[0] = pass;
    return memory;
  });
  assertEquals(auditModel(counting.eval(), x).repeated.same, false);
});

Deno.test("an audit leaves no trace: modes, masks, streams, counts, gradients and input are as before", () => {
  for (const seed of SEEDS) {
    const x = normals([4, 16], seed);
    const before = bytesOf(x);
    const [audited, twin] = [model(seed), model(seed)];
    [audited, twin].forEach((row) => {
      row.children()[0].eval(); // one part in each mode
      row(x);
    });
    assertEquals(auditModel(audited, x, { runs: 3 }).repeated.same, false);
    assertEquals(bytesOf(x), before);
    const modes = (row: Row) =>
      [row, ...row.children(), ...row.children()[0].children()].map((l) => l.training);
    assertEquals(modes(audited), modes(twin));
    const [layer, other] = [audited.children()[1], twin.children()[1]] as ReproducibleDropout[];
    assertEquals([layer.mask, layer.callCount, layer.baseSeed], [other.mask, 1, seed]);
    assertEquals(audited.backward(x), twin.backward(x), "the gradient of the pass before the audit");
    assertEquals(audited(x), twin(x), "the next mask of the stream");
  }
});

Deno.test("running statistics are put back, whether changed in place or replaced", () => {
  const running = new Running();
  running(ones([4]));
  const [average, spread] = [running.runningMean.clone(), running.runningVar.clone()];
  const { repeated } = auditModel(new Row(running), ones([4]));
  assertEquals(repeated.same, false, "the passes did change them");
  assertEquals([running.runningMean, running.runningVar, running.numBatchesTracked], [average, spread, 1]);
});

Deno.test("a pass that throws is not hidden, and leaves no trace either", () => {
  const layer = new InvertedDropout(0.5, { rng: defaultRng(1) });
  const failing = new Apply(() => {
    throw new Error("no luck");
  });
  assertThrows(() => auditModel(new Row(layer, failing), ones([64])), Error, "no luck");
  assertStrictEquals(layer.mask, undefined);
  assertEquals(layer(ones([64])), new InvertedDropout(0.5, { rng: defaultRng(1) })(ones([64])));
});

Deno.test("what cannot be audited is refused, with what came", () => {
  const refused = (f: () => unknown, kind: typeof TypeError | typeof RangeError, message: string) =>
    assertEquals(assertThrows(f, kind).message, message);
  for (const runs of [1, 2.5, NaN]) {
    refused(
      () => auditModel(double(), ones([1]), { runs }),
      RangeError,
      `auditModel: runs, to compare passes, must be an integer of at least 2, got ${runs}`,
    );
  }
  const plain = { forward: () => ones([1]) } as unknown as Layer;
  refused(() => auditModel(plain, ones([1])), TypeError, "auditModel needs a layer, got a Object");
  refused(
    () => auditModel(double(), [1] as unknown as Tensor),
    TypeError,
    "auditModel needs a Tensor, as tensor([…]) makes one, got an array",
  );
  refused(
    () => auditModel(double(), zeros([0])),
    RangeError,
    "An audit needs an output to compare, got one without elements",
  );
  refused(
    () => auditModel(new Apply((_, pass) => ones([pass])), ones([1])),
    TypeError,
    "Passes with the same input must give the same shape, got [1], then [2]",
  );
});

Deno.test("at p = 0 and at p = 1 nothing is random, but the layer is still training", () => {
  for (const p of [0, 1]) {
    const report = auditModel(new StandardDropout(p, { seed: 1 }), ones([3, 4]));
    assertEquals([report.random, report.stillTraining.length, report.repeated.same], [[], 1, true]);
    assert(!report.ok);
  }
  assertEquals(auditModel(new StandardDropout(0.5, { seed: 1 }), ones([30, 4])).random.length, 1);
});
