import { assert, assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import {
  applyMask,
  InvertedDropout,
  invertedDropout,
  invertedDropoutBackward,
  survivorScale,
} from "../lib/dropout/mod.ts";
import { gradcheck, numericalGradient } from "../lib/gradient.ts";
import { drawMask } from "../lib/mask.ts";
import { Linear, ReLU, Sequential, Sigmoid, Tanh } from "../lib/nn/mod.ts";
import { defaultRng } from "../lib/random/mod.ts";
import { full, matmul, multiply, sum, Tensor, tensor, transpose, zeros } from "../lib/tensor/mod.ts";
import { bytesOf, normals } from "./helpers.ts";

/** ∛ε, the step that both functions take for entries of size 1. */
const STEP = Math.cbrt(Number.EPSILON);

/**
 * How far a central difference may lie from the derivative: the curvature's h²/6 · |f‴|, and the rounding of two
 * values of f, each `operations` roundings of 2⁻⁵³ · |f|, divided by 2h.
 */
function differenceError(f: number, third: number, operations: number): number {
  return (STEP ** 2 / 6) * third + (operations * 2 ** -53 * f) / STEP;
}

// Numerical gradients

Deno.test("central differences give a polynomial's derivative up to h²/6 · f‴ and rounding", () => {
  const x = tensor([[-1, 0.5], [0, 0.25]]);
  const cubic = (x: Tensor) => sum(x.map((v) => v ** 3 - 2 * v));
  const gradient = numericalGradient(cubic, x);
  assertEquals(gradient.shape, [2, 2]);
  // |f| ≤ 3.5 in all partial sums; f‴ = 6; three operations an entry and four additions.
  const bound = differenceError(3.5, 6, 16);
  gradient.data.forEach((slope, i) => assertLess(Math.abs(slope - (3 * x.data[i] ** 2 - 2)), bound));
  // The same bound catches a derivative that is off by one part in 10⁶.
  assert(Math.abs(gradient.data[0] - (1 + 1e-6)) > bound);
});

Deno.test("a quadratic has no curvature error: central differences are exact but for rounding, at any step", () => {
  const x = tensor([3]);
  const gradient = numericalGradient((x) => x.data[0] ** 2, x, { step: 2 ** -10 });
  assertEquals(gradient.data[0], 6); // 3 ± 3·2⁻¹⁰ and their squares are exact in float64
});

Deno.test("large entries get larger steps", () => {
  const moved: number[] = [];
  numericalGradient((x) => moved.push(x.data[0]), tensor([1e6]));
  assertLess(Math.abs(Math.abs(moved[1] - moved[0]) / (2 * STEP * 1e6) - 1), 1e-3);
});

Deno.test("neither function changes x", () => {
  const x = normals([3]);
  const before = bytesOf(x);
  numericalGradient(sum, x);
  gradcheck((x) => x.clone(), (g) => g.clone(), x);
  assertEquals(bytesOf(x), before);
});

Deno.test("float32 and what is no tensor are refused", () => {
  const x = zeros([2], "float32");
  assertThrows(() => numericalGradient(sum, x), TypeError, "numericalGradient needs a float64 tensor");
  assertThrows(() => gradcheck(sum, () => x, x), TypeError, "got a float32 tensor");
  const array = [1] as unknown as Tensor;
  assertThrows(
    () => gradcheck(sum, () => x, array),
    TypeError,
    "gradcheck needs a Tensor, as tensor([…]) makes one",
  );
});

// Right gradients pass

const x34 = normals([3, 4], 1);
const weight = normals([4, 2], 2);
const mask = drawMask([3, 4], 0.4, { rng: defaultRng(3) });
const { pass } = invertedDropout(x34, 0.4, { mask });
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));

const RIGHT: Record<string, [(x: Tensor) => Tensor | number, (g: Tensor) => Tensor]> = {
  "x²": [(x) => x.map((v) => v * v), (g) => multiply(g, multiply(x34, 2))],
  "eˣ": [(x) => x.map(Math.exp), (g) => multiply(g, x34.map(Math.exp))],
  "σ(x)": [(x) => x.map(sigmoid), (g) => multiply(g, x34.map((v) => sigmoid(v) * (1 - sigmoid(v))))],
  "xW": [(x) => matmul(x, weight), (g) => matmul(g, transpose(weight))],
  "Σx": [sum, (g) => full([3, 4], g.at())],
  "a constant": [() => 5, () => zeros([3, 4])],
  "10⁶ + 10⁻³x: rounding is not taken for an error": [
    (x) => x.map((v) => 1e6 + 1e-3 * v),
    (g) => multiply(g, 1e-3),
  ],
  "dropout with its mask held": [
    (x) => applyMask(x, mask, survivorScale(0.4)),
    (g) => invertedDropoutBackward(g, pass),
  ],
};

Deno.test("gradcheck passes right gradients", () => {
  for (const [name, [forward, backward]] of Object.entries(RIGHT)) {
    const report = gradcheck(forward, backward, x34);
    assert(report.ok, `${name}: ${report.summary}`);
    assertStringIncludes(report.summary, "passed: ");
    const outputs = forward(x34);
    assertEquals(report.checked, 12 * (typeof outputs === "number" ? 1 : outputs.size));
  }
});

Deno.test("gradcheck passes a dropout layer whose stream is set back, and an evaluated one", () => {
  const layer = new InvertedDropout(0.5, { seed: 0 });
  const forward = (x: Tensor) => {
    layer.resetRng();
    return layer(x);
  };
  assert(gradcheck(forward, (g) => layer.backward(g), x34).ok);
  layer.eval();
  assert(gradcheck(layer, (g) => layer.backward(g), x34).ok);
});

/** A planted fault: the first entry of the bias's gradient is too large. */
class Biased extends Linear {
  override backward(gradOutput: Tensor): Tensor {
    const gradInput = super.backward(gradOutput);
    this.parameters()[1].grad.data[0] *= 1 + 1e-4;
    return gradInput;
  }
}

Deno.test("a layer is checked for its input and all parameters in it, with masks held, and is as before", () => {
  for (const [Layer, right] of [[Linear, true], [Biased, false]] as const) {
    const rng = defaultRng(1);
    const model = new Sequential(new Layer(4, 2, { rng }), new InvertedDropout(0.3, { rng }));
    model.backward(model(x34));
    const state = () => JSON.stringify([model.stateDict(), model.streamStates(), model.parameters()]);
    const before = state();
    const { ok, checked, worst } = gradcheck(model, x34);
    assertEquals([ok, checked], [right, (12 + 4 * 2 + 2) * 6]);
    if (!right) assertEquals([worst.of, worst.input], ["0.bias", 0]);
    assertEquals(state(), before);
  }
});

// Wrong gradients fail

Deno.test("gradcheck fails a gradient that is off by a factor of 1 + 10⁻⁴", () => {
  for (const [name, [forward, backward]] of Object.entries(RIGHT)) {
    if (name === "a constant") continue; // 0 times anything is right
    const report = gradcheck(forward, (g) => multiply(backward(g), 1 + 1e-4), x34);
    // Beside 10⁶, a derivative of 10⁻³ is known to 4·ε·10⁶/h ≈ 10⁻⁴ only.
    if (name.startsWith("10⁶")) assert(report.ok);
    else assertEquals(report.ok, false, name);
  }
});

Deno.test("gradcheck fails one wrong entry, and says which", () => {
  const report = gradcheck((x) => x.map((v) => v * v), (g) => {
    const gradient = multiply(g, multiply(x34, 2));
    gradient.data[7] *= -1;
    return gradient;
  }, x34);
  assertEquals([report.ok, report.worst.input, report.worst.output, report.tolerance], [false, 7, 7, 1e-6]);
  assertLess(Math.abs(report.worst.numeric + report.worst.analytic), 1e-6);
  assertStringIncludes(report.summary, "FAILED: 144 entries; worst ∂output[7]/∂input[7]: backward");
});

Deno.test("gradcheck fails a transposed weight, and dropout without its scale", () => {
  const square = normals([4, 4], 5);
  assertEquals(gradcheck((x) => matmul(x, square), (g) => matmul(g, square), x34).ok, false);
  const unscaled = gradcheck(
    (x) => applyMask(x, mask, survivorScale(0.4)),
    (g) => applyMask(g, mask, 1),
    x34,
  );
  assertEquals(unscaled.ok, false);
});

Deno.test("gradcheck fails NaN and infinite gradients, on either side", () => {
  const linear = (x: Tensor) => sum(x);
  for (const bad of [NaN, Infinity, -Infinity]) {
    const gradient = tensor([1, bad]);
    const report = gradcheck(linear, () => gradient, tensor([1, 2]));
    assertEquals([report.ok, report.worst.input], [false, 1], String(bad));
    assertEquals(gradcheck(() => bad, () => zeros([2]), tensor([1, 2])).ok, false, `f = ${bad}`);
  }
});

Deno.test("gradcheck fails a zero gradient where the true one is tiny, down to 10⁻⁹", () => {
  const report = gradcheck((x) => multiply(x, 1e-9), () => zeros([2]), tensor([1, 2]));
  assertEquals(report.ok, false);
  assertEquals(gradcheck((x) => multiply(x, 1e-9), (g) => multiply(g, 1e-9), tensor([1, 2])).ok, true);
});

Deno.test("nothing to check is not a success", () => {
  const report = gradcheck((x) => x, (g) => g, zeros([0]));
  assertEquals([report.ok, report.checked], [false, 0]);
  assertStringIncludes(report.summary, "nothing to check");
});

Deno.test("the tolerance decides", () => {
  const slightlyWrong = (tolerance: number) =>
    gradcheck(sum, () => full([2], 1 + 1e-5), tensor([1, 2]), { tolerance }).ok;
  assertEquals([slightlyWrong(1e-4), slightlyWrong(1e-6)], [true, false]);
});

Deno.test("a Jacobian of many entries does not exhaust the stack", () => {
  // 400 × 400 entries are more than a function takes as arguments.
  const report = gradcheck((x) => multiply(x, 3), (g) => multiply(g, 3), normals([400]));
  assertEquals([report.ok, report.checked], [true, 160000]);
});

// Kinks

const relu = (x: Tensor) => x.map((v) => Math.max(v, 0));
/** The gradient of ReLU, with the slope that is chosen at 0. */
const reluBackward = (x: Tensor, atZero: number) => (g: Tensor) =>
  multiply(g, x.map((v) => v > 0 ? 1 : v < 0 ? 0 : atZero));

Deno.test("at a kink every slope between the two sides is accepted, and none outside", () => {
  const x = tensor([-1, 0, 2]);
  for (const atZero of [0, 0.5, 1]) {
    const report = gradcheck(relu, reluBackward(x, atZero), x);
    assert(report.ok, report.summary);
    assertEquals(report.kinks, 1);
    assertStringIncludes(report.summary, "(1 at a kink)");
  }
  for (const atZero of [-0.01, 1.01]) assertEquals(gradcheck(relu, reluBackward(x, atZero), x).ok, false);
  const abs = (slope: number) => gradcheck((x) => x.map(Math.abs), (g) => multiply(g, slope), tensor([0])).ok;
  assertEquals([-1.01, -1, 0, 1, 1.01].map(abs), [false, true, true, true, false]);
});

Deno.test("near a kink, but not on it, only the true slope is accepted", () => {
  // 10⁻⁷ is nearer than the step of 6·10⁻⁶, but not than a hundredth of it.
  for (const [x, slope] of [[1e-7, 1], [-1e-7, 0]]) {
    const at = tensor([x]);
    assert(gradcheck(relu, (g) => multiply(g, slope), at).ok);
    assertEquals(gradcheck(relu, (g) => multiply(g, 1 - slope), at).ok, false, `x = ${x}`);
    assertEquals(gradcheck(relu, (g) => multiply(g, 0.5), at).ok, false);
    assertEquals(gradcheck(relu, (g) => multiply(g, slope), at).kinks, 0);
  }
});

// Misuse

Deno.test("a function that does not repeat is an error that says what to do", () => {
  const layer = new InvertedDropout(0.5, { rng: defaultRng(0) });
  const message =
    "gradcheck needs a function that repeats: two calls with the same input differ. Hold the mask";
  assertThrows(() => gradcheck(layer, (g) => layer.backward(g), x34), Error, message);
});

Deno.test("backward must return the input's shape", () => {
  const message =
    "gradcheck: the gradient of input, as backward gives it, needs a tensor of shape [3, 4], got [12]";
  assertThrows(() => gradcheck((x) => x, (g) => g.reshape([12]), x34), TypeError, message);
});

Deno.test("an error of 10⁻⁵ is caught in every entry down to 10⁻⁶ of the largest", () => {
  const missed: number[] = [];
  let planted = 0;
  for (const seed of [1, 2, 3, 4]) {
    const x = normals([10], seed);
    const sizes = Array.from({ length: 100 }, (_, i) => 10 ** -(6 * i / 99)); // from 1 down to 10⁻⁶
    const jacobian = (values: Tensor) => sizes.map((size, i) => size * Math.cos(values.data[i % 10]));
    const forward = (values: Tensor) =>
      new Tensor(
        Float64Array.from({ length: 10 }, (_, j) =>
          sizes.slice(10 * j, 10 * j + 10).reduce((total, size, i) =>
            total + size * Math.sin(values.data[i]), 0)),
      );
    const backward = (wrong: number) => (g: Tensor) => {
      const result = zeros([10]);
      jacobian(x).forEach((entry, k) =>
        result.data[k % 10] += g.data[Math.floor(k / 10)] * entry * (k === wrong ? 1 + 1e-5 : 1)
      );
      return result;
    };
    const report = gradcheck(forward, backward(-1), x);
    assert(report.ok, report.summary);
    const entries = jacobian(x).map(Math.abs);
    for (let wrong = 0; wrong < 100; wrong++) {
      if (entries[wrong] < 1e-6 * Math.max(...entries)) continue; // rounding hides it
      planted++;
      const { ok, worst } = gradcheck(forward, backward(wrong), x);
      const found = !ok && worst.output === Math.floor(wrong / 10) && worst.input === wrong % 10;
      if (!found) missed.push(entries[wrong]);
    }
  }
  assertEquals(missed, []);
  assert(planted > 380);
});

Deno.test("wide steps raise no alarm: not at quick waves, nor where a kink lies among them", () => {
  // Beside a slope of 1, slopes of about 10⁻⁶ are small: rounding hides them, so that they are looked at twice.
  const passes = (f: (x: number) => number, slope: number) =>
    gradcheck(
      ({ data: [x] }) => tensor([1 + f(x), x]),
      ({ data: [g, h] }) => tensor([g * slope + h]),
      tensor([0]),
    );
  for (let waves = 10; waves <= 1000; waves *= 1.1) {
    const report = passes((x) => 1e-6 / waves * Math.sin(waves * x), 1e-6);
    assert(report.ok, `sin(${waves}·x): ${report.summary}`);
  }
  for (let place = 1e-5; place <= 2e-3; place *= 1.1) {
    const report = passes((x) => 1e-6 * x + 4e-10 * Math.max(0, x - place), 1e-6);
    assert(report.ok, `a kink at ${place}: ${report.summary}`);
  }
  assert(!passes((x) => 1e-6 * x, 1.001e-6).ok, "an error of 10⁻³ is caught at this size");
});

Deno.test("the worst entry is one that was compared, also if all agree", () => {
  const { ok, worst } = gradcheck((x) => multiply(x, 2), (g) => multiply(g, 2), tensor([1, 2]));
  assertEquals([ok, worst.analytic, worst.of], [true, 2, "input"]);
  assert(worst.relativeError >= 0 && worst.relativeError <= 1e-6);
});

Deno.test("right gradients of networks pass at inputs of every size, where most entries are tiny", () => {
  const nets: Record<string, (seed: number) => Sequential> = {
    tanh: (seed) =>
      new Sequential(new Linear(3, 4, { seed }), new Tanh(), new Linear(4, 2, { seed: seed + 1 })),
    sigmoid: (seed) =>
      new Sequential(new Linear(3, 4, { seed }), new Sigmoid(), new Linear(4, 2, { seed: seed + 1 })),
    relu: (seed) =>
      new Sequential(new Linear(3, 4, { seed }), new ReLU(), new Linear(4, 2, { seed: seed + 1 })),
  };
  for (const [name, make] of Object.entries(nets)) {
    for (const size of [1e-3, 0.03, 1, 30, 100]) {
      for (let seed = 0; seed < 12; seed++) {
        const report = gradcheck(make(10 * seed), multiply(normals([3, 3], seed), size));
        assert(report.ok, `${name}, inputs of size ${size}, seed ${seed}: ${report.summary}`);
      }
    }
  }
});

Deno.test("no step leaves what the caller's step allows: 250 of them at most", () => {
  const squares = (x: Tensor) =>
    x.map((value) => {
      if (value <= 0) throw new RangeError(`got ${value}`);
      return value * value;
    });
  const x = tensor([1e-3, 1000]);
  const report = gradcheck(squares, (g) => multiply(g, multiply(x, 2)), x, { step: 1e-8 });
  assert(report.worst.relativeError < 1e-3, report.summary);
  for (const step of [0, -1, NaN]) {
    assertThrows(() => gradcheck(squares, (g) => g, x, { step }), RangeError, "gradcheck: step must be");
  }
});
