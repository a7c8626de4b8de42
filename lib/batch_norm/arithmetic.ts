/**
 * The arithmetic of batch normalization: what the kernels compute, in plain TypeScript, which serves where they cannot.
 *
 * One number for each channel is float64. Everything else is in the type of the input, as NumPy and PyTorch have it.
 * @module
 */

import * as simd from "../simd/batch_norm.ts";
import { type FloatArray, sum, Tensor } from "../tensor/mod.ts";

/** The axes as [N, C, everything else]. */
export interface Layout {
  /** How many samples. */
  samples: number;
  /** How many channels. */
  channels: number;
  /** How many values a sample has in each channel. */
  inner: number;
}

/** Rows of float32 that are added up in float32, before their sum is added in float64. */
const ROWS = 4;

/** Fills in mean and variance unless they are given, then the deviation, `normalized` and `y`. */
export function forward(layout: Layout, pass: simd.Forward): void {
  const { samples, channels, inner } = layout;
  if (inner === 1 && simd.forward([samples, channels], pass)) return;
  const { x, given, eps, mean, variance, deviation } = pass;
  if (!given) moments(layout, x, mean, variance);
  for (let c = 0; c < channels; c++) deviation[c] = Math.sqrt(variance[c] + eps);
  const normalize = x instanceof Float32Array ? normalizeSingle : normalizeDouble;
  normalize(layout, pass);
}

/** normalized = (x − mean) / deviation, y = weight · normalized + bias. */
function normalizeDouble({ channels, inner }: Layout, pass: simd.Forward): void {
  for (let i = 0; i < pass.x.length; i += inner) normalizeValues((i / inner) % channels, i, i + inner, pass);
}

/** The same for values of one channel that lie side by side. */
function normalizeValues(c: number, start: number, end: number, pass: simd.Forward): void {
  const { x, normalized, y, weight, bias, mean, deviation } = pass;
  for (let j = start; j < end; j++) {
    // Divided, not multiplied by the reciprocal: this is what the article's NumPy code does, digit for digit.
    const value = (x[j] - mean[c]) / deviation[c];
    normalized[j] = value;
    y[j] = weight[c] * value + bias[c];
  }
}

/**
 * The same in float32: each step is rounded, and a reciprocal takes the place of the division, as in PyTorch. Where a
 * channel is too wide for that, only its results are rounded.
 */
function normalizeSingle({ channels, inner }: Layout, pass: simd.Forward): void {
  const { x, normalized, y } = pass;
  const [w, b, m] = [pass.weight, pass.bias, pass.mean].map((vector) => new Float32Array(vector));
  const r = new Float32Array(pass.deviation.map((value) => 1 / value));
  const wide = Array.from(pass.variance, simd.isWide);
  for (let i = 0; i < x.length; i += inner) {
    const c = (i / inner) % channels;
    if (wide[c]) {
      normalizeValues(c, i, i + inner, pass);
      continue;
    }
    for (let j = i; j < i + inner; j++) {
      const value = Math.fround(Math.fround(x[j] - m[c]) * r[c]);
      normalized[j] = value;
      y[j] = Math.fround(w[c] * value) + b[c];
    }
  }
}

/** Mean and biased variance of each channel: NumPy's `x.mean(axis=0)` and `x.var(axis=0)`, also for more axes. */
function moments(layout: Layout, x: FloatArray, mean: Float64Array, variance: Float64Array): void {
  if (layout.inner !== 1 || !(x instanceof Float32Array)) return momentsInDouble(layout, x, mean, variance);
  momentsOfRows(layout, x, mean, variance);
  if (!variance.some(simd.isWide)) return;
  const [exactMean, exactVariance] = [new Float64Array(mean.length), new Float64Array(mean.length)];
  momentsInDouble(layout, x, exactMean, exactVariance);
  for (let c = 0; c < mean.length; c++) {
    if (simd.isWide(variance[c])) [mean[c], variance[c]] = [exactMean[c], exactVariance[c]];
  }
}

function momentsInDouble(layout: Layout, x: FloatArray, mean: Float64Array, variance: Float64Array): void {
  const { samples, channels, inner } = layout;
  const n = samples * inner;
  mean.set(channelSums(layout, x).map((total) => total / n));
  const squares = new Float64Array(x.length);
  for (let i = 0; i < x.length; i += inner) {
    const center = mean[(i / inner) % channels];
    for (let j = i; j < i + inner; j++) squares[j] = (x[j] - center) * (x[j] - center);
  }
  variance.set(channelSums(layout, squares).map((total) => total / n));
}

/**
 * Mean and variance of float32 in one pass, since memory is the limit: with d = x − (first row), the mean is
 * (first row) + E[d], the variance E[d²] − E[d]².
 *
 * A sum over four rows is float32. So the variance is right to about 10·2⁻²⁴·E[d²], which is as good as float32 allows
 * unless the first row is an outlier.
 */
function momentsOfRows(
  { samples, channels }: Layout,
  x: Float32Array,
  mean: Float64Array,
  variance: Float64Array,
): void {
  const d = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) d[i] = x[i] - x[i % channels];
  sumRows(channels, d, (i) => d[i], mean);
  sumRows(channels, d, (i) => Math.fround(d[i] * d[i]), variance);
  for (let c = 0; c < channels; c++) {
    const [first, second] = [mean[c] / samples, variance[c] / samples];
    mean[c] = x[c] + first;
    variance[c] = Math.max(second - first * first, 0);
  }
}

/** Σ of a float32 term over the rows, for each column: four rows in float32, and those sums in float64. */
function sumRows(columns: number, x: FloatArray, term: (i: number) => number, to: Float64Array): void {
  to.fill(0);
  for (let start = 0; start < x.length; start += ROWS * columns) {
    const end = Math.min(start + ROWS * columns, x.length);
    for (let c = 0; c < columns; c++) {
      let total = term(start + c);
      for (let i = start + columns + c; i < end; i += columns) total = Math.fround(total + term(i));
      to[c] += total;
    }
  }
}

/** gradInput = weight/deviation · (g − gradBias/n − normalized · gradWeight/n), with the sums that it needs. */
export function backward(layout: Layout, pass: simd.Backward): void {
  const { samples, channels, inner } = layout;
  if (inner === 1 && simd.backward([samples, channels], pass)) return;
  const { g, normalized, weight, deviation, gradWeight, gradBias, n, gradInput } = pass;
  addUpGradients(layout, g, normalized, gradWeight, gradBias);
  const scale = inTypeOf(g, weight.map((value, c) => value / deviation[c]));
  const throughMean = inTypeOf(g, gradBias.map((total) => total / n));
  const throughVariance = inTypeOf(g, gradWeight.map((total) => total / n));
  const single = g instanceof Float32Array;
  const round = (value: number) => single ? Math.fround(value) : value;
  for (let i = 0; i < g.length; i += inner) {
    const c = (i / inner) % channels;
    for (let j = i; j < i + inner; j++) {
      const centered = round(g[j] - throughMean[c]);
      gradInput[j] = scale[c] * round(centered - round(normalized[j] * throughVariance[c]));
    }
  }
}

/** Σ normalized · g and Σ g of each channel. */
function addUpGradients(
  layout: Layout,
  g: FloatArray,
  normalized: FloatArray,
  gradWeight: Float64Array,
  gradBias: Float64Array,
): void {
  const { channels, inner } = layout;
  if (inner === 1 && g instanceof Float32Array) {
    sumRows(channels, g, (i) => Math.fround(normalized[i] * g[i]), gradWeight);
    sumRows(channels, g, (i) => g[i], gradBias);
    return;
  }
  const products = new Float64Array(g.length);
  for (let i = 0; i < g.length; i++) products[i] = normalized[i] * g[i];
  gradWeight.set(channelSums(layout, products));
  gradBias.set(channelSums(layout, g));
}

/** The sum of each channel in float64: first over what lies inside it, then over the samples, one after the other. */
function channelSums({ samples, channels, inner }: Layout, values: FloatArray): FloatArray {
  const x = new Tensor(values instanceof Float64Array ? values : new Float64Array(values));
  const rows = inner === 1
    ? x.reshape([samples, channels])
    : sum(x.reshape([samples, channels, inner]), { axis: 2 });
  return sum(rows, { axis: 0 }).data;
}

/** A vector of float64, rounded to the type of an array. */
function inTypeOf(x: FloatArray, vector: Float64Array): FloatArray {
  return x instanceof Float32Array ? new Float32Array(vector) : vector;
}
