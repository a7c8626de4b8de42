/** Times masks, streams and dropout: `deno task bench:lib`. */

import {
  defaultRng,
  FastStream,
  invertedDropout,
  invertedDropoutBackward,
  KeyedStream,
  Mask,
  RandomState,
  type RandomStream,
  Tensor,
  TorchGenerator,
  zeros,
} from "../../lib/mod.ts";
import { inputArray } from "./workloads.ts";

const N = 100_000;
const P = 0.5;

const streams: { [name: string]: RandomStream } = {
  FastStream: new FastStream(1),
  "defaultRng (NumPy's PCG64)": defaultRng(1),
  "RandomState (NumPy's MT19937)": new RandomState(1),
  "TorchGenerator": new TorchGenerator(1),
  "KeyedStream": new KeyedStream({ seed: 1, layer: 0, step: 0 }),
};

const bits = new Uint8Array(N / 8);
for (const [name, rng] of Object.entries(streams)) {
  Deno.bench({ name, group: "a mask of 10⁵ bits", baseline: name === "FastStream" }, () => {
    rng.bernoulliBits(1 - P, N, bits);
  });
}

for (const dtype of ["float32", "float64"] as const) {
  const x = new Tensor(inputArray(N, dtype, 0), [N]);
  const rng = new FastStream(1);
  const options = { rng, out: zeros([N], dtype), maskOut: new Mask(new Uint8Array(N / 8), [N]) };
  const { pass } = invertedDropout(x, P, { rng });
  const out = { out: zeros([N], dtype) };
  const group = `10⁵ elements, ${dtype}`;
  Deno.bench({ name: "invertedDropout", group }, () => {
    invertedDropout(x, P, { rng });
  });
  Deno.bench({ name: "invertedDropout with out and maskOut", group, baseline: true }, () => {
    invertedDropout(x, P, options);
  });
  Deno.bench({ name: "invertedDropoutBackward with out", group }, () => {
    invertedDropoutBackward(x, pass, out);
  });
}
