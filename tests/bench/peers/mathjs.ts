/**
 * mathjs, whose matrices are nested arrays of JavaScript numbers (float64, whatever the workload asks for).
 * @module
 */

import { all, create, type Matrix } from "mathjs";
import type { Call, Given, Peer } from "../peer.ts";

/** mathjs with its own random numbers and its own `map`. */
export function mathJs(): Peer {
  const math = create(all, { randomSeed: "1" });

  function dropoutForward({ x: data, p }: Given): Call<Matrix> {
    const x = math.matrix(Array.from(data));
    const scale = 1 / (1 - p);
    return { run: () => math.map(x, (value: number) => math.random() < p ? 0 : value * scale), read };
  }

  function dropoutBackward({ x, p }: Given): Call<Matrix> {
    const gradOutput = math.matrix(Array.from(x));
    const scaledMask = math.matrix(Array.from(x, () => math.random() < p ? 0 : 1 / (1 - p)));
    return { run: () => math.dotMultiply(gradOutput, scaledMask), read };
  }

  function matmul({ x, y, shape: [n, k, m] }: Given): Call<Matrix> {
    const a = math.reshape(math.matrix(Array.from(x)), [n, k]);
    const b = math.reshape(math.matrix(Array.from(y)), [k, m]);
    return { run: () => math.multiply(a, b), read };
  }

  return {
    versions: { "mathjs": math.version },
    lacks: "has no batch normalization",
    operations: {
      "dropout forward": dropoutForward,
      "dropout backward": dropoutBackward,
      "matmul": matmul,
    },
  };
}

function read(output: Matrix): number[] {
  return (output.toArray() as number[][]).flat();
}
