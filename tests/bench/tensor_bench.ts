/** Times batch normalization, matrix products and reductions: `deno task bench:lib`. */

import { batchNorm, batchNormBackward, matmul, mean, sum, Tensor, variance, zeros } from "../../lib/mod.ts";
import { inputArray } from "./workloads.ts";

function input(...shape: number[]): Tensor {
  return new Tensor(inputArray(shape.reduce((product, length) => product * length, 1), "float32", 0), shape);
}

for (const shape of [[128, 64], [1024, 1024]]) {
  const group = `batch normalization, ${shape.join("×")}`;
  const x = input(...shape);
  const { pass } = batchNorm(x);
  Deno.bench({ name: "batchNorm", group, baseline: true }, () => {
    batchNorm(x);
  });
  Deno.bench({ name: "batchNormBackward", group }, () => {
    batchNormBackward(x, pass);
  });
}

for (const [n, k, m] of [[32, 100, 64], [128, 784, 256]]) {
  const [a, b] = [input(n, k), input(k, m)];
  const out = { out: zeros([n, m], "float32") };
  Deno.bench({ name: `matmul ${n}×${k}×${m}`, group: "matrix products" }, () => {
    matmul(a, b, out);
  });
}

const x = input(1000, 1000);
const group = "reductions of 10⁶ elements";
Deno.bench({ name: "sum", group, baseline: true }, () => {
  sum(x);
});
Deno.bench({ name: "sum of each column", group }, () => {
  sum(x, { axis: 0 });
});
Deno.bench({ name: "sum of each row", group }, () => {
  sum(x, { axis: 1 });
});
Deno.bench({ name: "mean", group }, () => {
  mean(x);
});
Deno.bench({ name: "variance", group }, () => {
  variance(x);
});
