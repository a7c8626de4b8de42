/** Workers for the tests of `deno task study`, and experiments that take no time. */

import { answer } from "../lib/study/pool.ts";
import type { Experiment, Values } from "../lib/study/experiment.ts";

function experiment(name: string, version: number, run: (settings: Values) => Values): Experiment {
  const grid = (seeds: number) =>
    [0.5, 0.25].flatMap((p) => Array.from({ length: seeds }, (_, seed) => ({ seed, p })));
  return { name, version, grid, run };
}

/** Two that work. */
export const working: readonly Experiment[] = [
  experiment(
    "sum",
    1,
    ({ seed, p }) => ({ sum: Number(seed) + Number(p), third: Number(seed) / 3, none: NaN }),
  ),
  experiment("curve", 4, ({ seed }) => ({ curve: [0, Number(seed) * Math.PI, Infinity] })),
];

/** And one that fails. */
export const experiments: readonly Experiment[] = [
  ...working,
  experiment("broken", 1, ({ seed }) => {
    if (seed === 3) throw new RangeError("three is too much");
    return { seen: true };
  }),
];

answer(experiments);
