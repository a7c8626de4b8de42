/**
 * jax-js with its WebAssembly backend, everything compiled by its `jit`.
 * @module
 */

import type { Array as JaxArray } from "@jax-js/jax";
import type { FloatArray } from "../../../lib/mod.ts";
import type { Call, Given, Peer } from "../peer.ts";

/** jax-js does not say which version it is, but its address does. */
const VERSION = import.meta.resolve("@jax-js/jax").match(/\d+\.\d+\.\d+/)?.[0] ?? "of unknown version";

/** jax-js on one thread: without shared memory it starts no workers, and waits for none. */
export async function jaxJs(): Promise<Peer> {
  Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
  const jax = await import("@jax-js/jax");
  const { numpy: np, random } = jax;
  await jax.init("wasm");
  jax.defaultDevice("wasm");

  // A call takes its arguments over, `ref` keeps them; what comes back has to be disposed of.
  const reading = {
    read: (output: JaxArray) => output.ref.data() as Promise<Float32Array | Float64Array>,
    free: (output: JaxArray) => output.dispose(),
  };

  /** Work on arrays, which stay as they are. */
  function compile(work: (...inputs: JaxArray[]) => JaxArray, ...inputs: JaxArray[]): Call<JaxArray> {
    const compiled = jax.jit(work);
    return { run: () => jax.blockUntilReady(compiled(...inputs.map((input) => input.ref))), ...reading };
  }

  function array(data: ArrayLike<number>, shape: number[] = [data.length]): JaxArray {
    return np.array(data as Float32Array<ArrayBuffer>, { shape });
  }

  /** 1 − p in the type of the input; numbers would be float32. */
  function keepProb({ p, x }: Given): JaxArray {
    return array(x.subarray(0, 1).map(() => 1 - p) as FloatArray);
  }

  /** Flax's formula; a new key for each call, as in training. */
  function dropoutForward(given: Given): Call<JaxArray> {
    const { p, shape } = given;
    const [x, q] = [array(given.x), keepProb(given)];
    const dropout = jax.jit((x: JaxArray, q: JaxArray, key: JaxArray) =>
      np.where(random.bernoulli(key, 1 - p, shape), x.div(q), 0)
    );
    let seed = 0;
    // What random.key(seed) returns; by itself that takes longer than dropout of 10⁴ elements.
    const nextKey = () => np.array(new Uint32Array([0, seed++]));
    return { run: () => jax.blockUntilReady(dropout(x.ref, q.ref, nextKey())), ...reading };
  }

  function dropoutBackward(given: Given): Call<JaxArray> {
    const mask = random.bernoulli(random.key(1), 1 - given.p, given.shape);
    const backward = (gradOutput: JaxArray, q: JaxArray, mask: JaxArray) =>
      np.where(mask, gradOutput.div(q), 0);
    return compile(backward, array(given.x), keepProb(given), mask);
  }

  function normalize(x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray {
    const centered = x.ref.sub(np.mean(x, 0, { keepdims: true }));
    const variance = np.mean(np.square(centered.ref), 0, { keepdims: true });
    return centered.div(np.sqrt(variance.add(1e-5))).mul(weight).add(bias);
  }

  function batchNormForward({ x, weight, bias, shape }: Given): Call<JaxArray> {
    return compile(normalize, array(x, shape), array(weight), array(bias));
  }

  /** With respect to x, γ and β; the gradient of Σ output · gradOutput is what gradOutput becomes on its way back. */
  function batchNormBoth({ x, y, weight, bias, shape }: Given): Call<JaxArray> {
    const loss = (x: JaxArray, weight: JaxArray, bias: JaxArray, gradOutput: JaxArray) =>
      np.sum(normalize(x, weight, bias).mul(gradOutput));
    const gradients = jax.jit(
      jax.grad(loss, { argnums: [0, 1, 2] }) as unknown as (...of: JaxArray[]) => JaxArray[],
    );
    const inputs = [array(x, shape), array(weight), array(bias), array(y, shape)];
    const run = async () => {
      const [gradInput, ...others] = await jax.blockUntilReady(
        gradients(...inputs.map((input) => input.ref)),
      );
      others.forEach((gradient) => gradient.dispose());
      return gradInput;
    };
    return { run, ...reading };
  }

  function matmul({ x, y, shape: [n, k, m] }: Given): Call<JaxArray> {
    return compile((a, b) => np.matmul(a, b), array(x, [n, k]), array(y, [k, m]));
  }

  return {
    versions: { "jax-js": VERSION },
    operations: {
      "dropout forward": dropoutForward,
      "dropout backward": dropoutBackward,
      "batch norm forward": batchNormForward,
      "batch norm forward + backward": batchNormBoth,
      "matmul": matmul,
    },
  };
}
