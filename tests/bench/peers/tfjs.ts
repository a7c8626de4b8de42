/**
 * TensorFlow.js, with its WebAssembly backend or its plain JavaScript one.
 * @module
 */

import * as tf from "@tensorflow/tfjs-core";
import type { FloatArray } from "../../../lib/mod.ts";
import type { Call, Given, Peer } from "../peer.ts";

const EPS = 1e-5;
/** Not among the project's imports, since nothing else needs it; not a literal, so that no type check downloads it. */
const WASM_BACKEND: string = "npm:@tensorflow/tfjs-backend-wasm@4.22.0";

/** TensorFlow.js on one backend, which `tf.ready` starts. */
export async function tensorflow(backend: "wasm" | "cpu"): Promise<Peer> {
  tf.enableProdMode();
  if (backend === "cpu") await import("@tensorflow/tfjs-backend-cpu");
  else (await import(WASM_BACKEND)).setThreadsCount(1);
  if (!await tf.setBackend(backend)) throw new Error(`TensorFlow.js cannot start its ${backend} backend`);
  return {
    versions: { "TensorFlow.js": tf.version_core },
    operations: {
      "dropout forward": dropoutForward,
      "dropout backward": dropoutBackward,
      "batch norm forward": (given) => batchNorm(given, false),
      "batch norm forward + backward": (given) => batchNorm(given, true),
      "matmul": matmul,
    },
  };
}

function dropoutForward({ x: data, p }: Given): Call<tf.Tensor> {
  const x = tf.tensor1d(float32(data));
  return { run: () => tf.dropout(x, p), ...reading };
}

/** The product that its automatic differentiation runs: the gradient with the scaled mask of the forward pass. */
function dropoutBackward({ x: data, p }: Given): Call<tf.Tensor> {
  const gradOutput = tf.tensor1d(float32(data));
  const scaledMask = tf.dropout(tf.onesLike(gradOutput), p);
  return { run: () => tf.mul(gradOutput, scaledMask), ...reading };
}

/** The backward pass by its formula: the package that is used here comes without gradients. */
function batchNorm(given: Given, withBackward: boolean): Call<tf.Tensor> {
  const shape = given.shape as [number, number];
  const x = tf.tensor2d(float32(given.x), shape);
  const weight = tf.tensor1d(float32(given.weight));
  const bias = tf.tensor1d(float32(given.bias));
  const forward = () => {
    const { mean, variance } = tf.moments(x, 0) as { mean: tf.Tensor1D; variance: tf.Tensor1D };
    return { output: tf.batchNorm(x, mean, variance, bias, weight, EPS), mean, variance };
  };
  if (!withBackward) return { run: () => tf.tidy(() => forward().output), ...reading };
  const gradOutput = tf.tensor2d(float32(given.y), shape);
  const both = () => {
    const { mean, variance } = forward();
    const reciprocal = tf.rsqrt(tf.add(variance, EPS));
    const normalized = tf.mul(tf.sub(x, mean), reciprocal);
    const meanGradBias = tf.mean(gradOutput, 0); // n times smaller than the gradients of β and γ
    const meanGradWeight = tf.mean(tf.mul(gradOutput, normalized), 0);
    const centered = tf.sub(tf.sub(gradOutput, meanGradBias), tf.mul(normalized, meanGradWeight));
    return tf.mul(centered, tf.mul(weight, reciprocal));
  };
  return { run: () => tf.tidy(both), ...reading };
}

function matmul({ x, y, shape: [n, k, m] }: Given): Call<tf.Tensor> {
  const a = tf.tensor2d(float32(x), [n, k]);
  const b = tf.tensor2d(float32(y), [k, m]);
  return { run: () => tf.matMul(a, b), ...reading };
}

const reading = {
  read: (output: tf.Tensor) => output.dataSync(),
  free: (output: tf.Tensor) => output.dispose(),
};

/** TensorFlow.js takes float64 arrays too, and rounds them. */
function float32(data: FloatArray): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error("has no float64");
}
