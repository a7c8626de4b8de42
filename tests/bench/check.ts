/**
 * Whether a subject did the work: judged once, before it is timed.
 * @module
 */

import { batchNorm, batchNormBackward, type FloatArray, matmul, Tensor } from "../../lib/mod.ts";
import { type Given, given } from "./peer.ts";
import { readSample, sampleStride } from "./protocol.ts";
import type { Workload } from "./workloads.ts";

/** Half the distance from 1 to the next number. */
const UNIT_ROUNDOFF = { float32: 2 ** -24, float64: 2 ** -53 };

/** Makes a judge for a workload, who says what is wrong with a sample of a peer's output, or nothing. */
export function judge(workload: Workload): (peer: string, sample: string) => string | undefined {
  const inputs = given(workload);
  const judgement = expectation(inputs);
  return (peer, sample) => {
    const judge = ["memory copy", "fresh copy"].includes(peer) ? near(inputs.x, 0) : judgement;
    const problem = judge(readSample(sample, workload.dtype));
    return problem && `refused: ${problem}`;
  };
}

type Judgement = (sample: FloatArray) => string | undefined;

function expectation(inputs: Given): Judgement {
  switch (inputs.operation) {
    case "dropout forward":
    case "dropout backward":
      return (sample) => checkDropout(sample, inputs);
    case "batch norm forward":
    case "batch norm forward + backward":
      return expectedBatchNorm(inputs);
    case "matmul":
      return expectedProduct(inputs);
    case "training step":
      return checkLoss;
  }
}

/** The loss of a network that has learned nothing yet is close to ln 10, that of ten classes with equal chances. */
function checkLoss(sample: FloatArray): string | undefined {
  if (Math.abs(sample[0] - Math.log(10)) < 0.5) return undefined;
  return `its first loss is ${sample[0]} in place of about ${Math.log(10)}`;
}

/** Each element is 0 or x/(1 − p), and about as many are kept as should be: a right output fails 1 time in 10⁶. */
export function checkDropout(sample: FloatArray, { x, p, dtype }: Given): string | undefined {
  const stride = sampleStride(x.length);
  const n = Math.ceil(x.length / stride);
  if (sample.length !== n) return `its output has ${sample.length} elements in place of ${n}`;
  let kept = 0;
  for (let i = 0; i < n; i++) {
    if (sample[i] === 0) continue;
    kept++;
    const scaled = x[i * stride] / (1 - p);
    // Rounded at 1 − p, at the scale, and at the product.
    if (!(Math.abs(sample[i] - scaled) <= 4 * UNIT_ROUNDOFF[dtype] * Math.abs(scaled))) {
      return `element ${i * stride} is ${sample[i]}, neither 0 nor ${scaled}`;
    }
  }
  const sigmas = (kept - n * (1 - p)) / Math.sqrt(n * p * (1 - p));
  return Math.abs(sigmas) <= 5 ? undefined : `kept ${kept} of ${n} at p = ${p}, ${sigmas.toFixed(1)} σ off`;
}

/**
 * Against ours in float64. With n values per channel, any order of summation leaves a mean within n·u·½ (inputs are
 * below ½) and a variance within a relative n·u; σ is about 0.29 and γ below 1.5. All terms added up, that is less than
 * 8·n·u in the output and 32·n·u in the gradient.
 */
function expectedBatchNorm({ x, y, weight, bias, shape, dtype, operation }: Given): Judgement {
  const forward = batchNorm(wide(x, shape), { weight: wide(weight), bias: wide(bias) });
  const error = shape[0] * UNIT_ROUNDOFF[dtype];
  if (operation === "batch norm forward") return near(forward.output.data, 8 * error);
  return near(batchNormBackward(wide(y, shape), forward.pass).gradInput.data, 32 * error);
}

/** Against ours in float64: k products of at most ¼, each rounded at most k times, in any order. */
function expectedProduct({ x, y, shape: [n, k, m], dtype }: Given): Judgement {
  return near(matmul(wide(x, [n, k]), wide(y, [k, m])).data, (k + 1) * UNIT_ROUNDOFF[dtype] * k / 4);
}

function near(expected: FloatArray, tolerance: number): Judgement {
  const stride = sampleStride(expected.length);
  return (sample) => {
    if (sample.length !== Math.ceil(expected.length / stride)) return "its output has another size";
    const wrong = sample.findIndex((value, i) => !(Math.abs(value - expected[i * stride]) <= tolerance));
    if (wrong < 0) return undefined;
    return `element ${wrong * stride} is ${sample[wrong]} in place of ${expected[wrong * stride]}`;
  };
}

function wide(data: FloatArray, shape: number[] = [data.length]): Tensor {
  return new Tensor(Float64Array.from(data), shape);
}
