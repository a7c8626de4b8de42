/**
 * numpy-ts: NumPy's interface in TypeScript, with WebAssembly below.
 * @module
 */

import type { Call, Given, Peer } from "../peer.ts";

const VERSION = "1.7.0";
/** Not among the project's imports, since nothing else needs it; not a literal, so that no type check downloads it. */
const NUMPY_TS: string = `npm:numpy-ts@${VERSION}`;

/** As much of an array as is used here. */
interface NDArray {
  data: Float32Array | Float64Array;
  astype(dtype: string): NDArray;
  dispose(): void;
}

/** An array, or a number that stands for one. */
type Operand = NDArray | number;

/** As much of the package as is used here. */
interface NumpyTs {
  configureWasm(options: { maxMemory: number }): void;
  array(values: number[], dtype: string): NDArray;
  reshape(x: NDArray, shape: number[]): NDArray;
  add(a: Operand, b: Operand): NDArray;
  subtract(a: Operand, b: Operand): NDArray;
  multiply(a: Operand, b: Operand): NDArray;
  divide(a: Operand, b: Operand): NDArray;
  sqrt(x: NDArray): NDArray;
  sum(x: NDArray, axis: number): NDArray;
  mean(x: NDArray, axis: number): NDArray;
  variance(x: NDArray, axis: number): NDArray;
  greater_equal(a: NDArray, b: number): NDArray;
  matmul(a: NDArray, b: NDArray): NDArray;
  random: { default_rng(seed: number): { random(shape: number[]): NDArray } };
}

/** numpy-ts, asked as its documentation advises: intermediate arrays are disposed of. */
export async function numpyTs(): Promise<Peer> {
  const np: NumpyTs = await import(NUMPY_TS);
  np.configureWasm({ maxMemory: 2 ** 31 }); // the default is too small for 10⁷ elements

  const reading = { read: (output: NDArray) => output.data, free: (output: NDArray) => output.dispose() };

  /** Runs work in which `keep` marks what has to be disposed of behind it. */
  function call(work: (keep: (x: NDArray) => NDArray) => NDArray): Call<NDArray> {
    const run = () => {
      const kept: NDArray[] = [];
      const output = work((x) => (kept.push(x), x));
      kept.forEach((x) => x.dispose());
      return output;
    };
    return { run, ...reading };
  }

  function array({ dtype }: Given, data: ArrayLike<number>, shape: number[] = [data.length]): NDArray {
    return np.reshape(np.array(Array.from(data), dtype), shape);
  }

  /** The fastest of four ways that were tried: uniform numbers compared with p; `binomial` takes twice as long. */
  function dropoutForward(given: Given): Call<NDArray> {
    const { p, shape, dtype } = given;
    const x = array(given, given.x);
    const scale = array(given, [1 / (1 - p)]);
    const rng = np.random.default_rng(1);
    return call((keep) => {
      const kept = keep(np.greater_equal(keep(rng.random(shape)), p));
      return np.multiply(x, keep(np.multiply(keep(kept.astype(dtype)), scale)));
    });
  }

  function dropoutBackward(given: Given): Call<NDArray> {
    const { p, shape, dtype } = given;
    const gradOutput = array(given, given.x);
    const kept = np.greater_equal(np.random.default_rng(1).random(shape), p).astype(dtype);
    const scaledMask = np.multiply(kept, array(given, [1 / (1 - p)]));
    return call(() => np.multiply(gradOutput, scaledMask));
  }

  function batchNorm(given: Given, withBackward: boolean): Call<NDArray> {
    const x = array(given, given.x, given.shape);
    const gradOutput = withBackward ? array(given, given.y, given.shape) : x;
    const [weight, bias] = [array(given, given.weight), array(given, given.bias)];
    const n = given.shape[0];
    return call((keep) => {
      const deviation = keep(np.sqrt(keep(np.add(keep(np.variance(x, 0)), 1e-5))));
      const normalized = keep(np.divide(keep(np.subtract(x, keep(np.mean(x, 0)))), deviation));
      const output = np.add(keep(np.multiply(normalized, weight)), bias);
      if (!withBackward) return output;
      keep(output);
      const meanGradBias = keep(np.divide(keep(np.sum(gradOutput, 0)), n));
      const meanGradWeight = keep(np.divide(keep(np.sum(keep(np.multiply(gradOutput, normalized)), 0)), n));
      const throughVariance = keep(np.multiply(normalized, meanGradWeight));
      const inner = keep(np.subtract(keep(np.subtract(gradOutput, meanGradBias)), throughVariance));
      return np.multiply(inner, keep(np.divide(weight, deviation)));
    });
  }

  function matmul(given: Given): Call<NDArray> {
    const [n, k, m] = given.shape;
    const [a, b] = [array(given, given.x, [n, k]), array(given, given.y, [k, m])];
    return call(() => np.matmul(a, b));
  }

  return {
    versions: { "numpy-ts": VERSION },
    operations: {
      "dropout forward": dropoutForward,
      "dropout backward": dropoutBackward,
      "batch norm forward": (given) => batchNorm(given, false),
      "batch norm forward + backward": (given) => batchNorm(given, true),
      "matmul": matmul,
    },
  };
}
