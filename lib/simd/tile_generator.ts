/**
 * Writes `assembly/tiles.ts`: the innermost loop of a matrix product keeps a tile of it in registers, so that it has to
 * be written out once for each register and each type. `deno task build:simd` runs it.
 * @module
 */

/** How one type is spelled. */
interface Spelling {
  type: "f32" | "f64";
  vector: "f32x4" | "f64x2";
  bytes: number;
}

/** Rows and registers per row of a tile: 8 sums hide the time of an addition, and fit the batches that people use. */
const ROWS = 4;
const REGISTERS = 2;
/** Steps of the innermost loop between two checks of its end. */
const STEPS = 2;

/** The source of `assembly/tiles.ts`. */
export function tilesSource(): string {
  return `// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * A tile of a matrix product, which stays in registers. Written by \`tile_generator.ts\`; change that, and run
 * \`deno task build:simd\`.
 */

/** Rows of a tile, and registers for each of them. */
export const ROWS: i32 = ${ROWS}, REGISTERS: i32 = ${REGISTERS};

/** The elements of one column of a, which lie \`row\` bytes apart, side by side. */
// @ts-ignore: decorator
@inline
export function copyColumn<T>(from: usize, row: usize, to: usize): void {
${lines((i) => `store<T>(to, load<T>(from + ${i} * row), ${i} * sizeof<T>());`)}
}

${microKernel({ type: "f32", vector: "f32x4", bytes: 4 })}
${microKernel({ type: "f64", vector: "f64x2", bytes: 8 })}`;
}

/** The innermost loop: each step multiplies a column of a strip of a by a row of a strip of b. */
function microKernel({ type, vector, bytes }: Spelling): string {
  const sums = Array.from({ length: ROWS }, (_, i) => Array.from({ length: REGISTERS }, (_, j) => ({ i, j })))
    .flat();
  const eachSum = (indent: number, text: (sum: string, at: string, i: number, j: number) => string) =>
    sums.map(({ i, j }) => " ".repeat(indent) + text(`c${i}${j}`, `c + ${i} * row, ${16 * j}`, i, j)).join(
      "\n",
    );
  const loop = (condition: string, steps: number) => {
    const body = Array.from({ length: steps }, (_, step) => oneStep(vector, bytes, step)).join("\n");
    return `  for (; ${condition}; l += ${steps}) {
${body}
    a += ${steps * ROWS * bytes};
    b += ${steps * 16 * REGISTERS};
  }`;
  };
  return `export function tile${type.toUpperCase()}(depth: i32, a: usize, b: usize, c: usize, row: usize): void {
${eachSum(2, (sum, at) => `let ${sum} = v128.load(${at});`)}
  let l = 0, element: v128, ${Array.from({ length: REGISTERS }, (_, j) => `b${j}: v128`).join(", ")};
${loop(`l + ${STEPS} <= depth`, STEPS)}
${loop("l < depth", 1)}
${eachSum(2, (sum, at) => `v128.store(${at.replace(",", `, ${sum},`)});`)}
}
`;
}

/** A column of a times a row of b, `step` places on. */
function oneStep(vector: string, bytes: number, step: number): string {
  const columns = Array.from({ length: REGISTERS }, (_, j) => j);
  const load = columns.map((j) => `b${j} = v128.load(b, ${16 * (step * REGISTERS + j)});`).join(" ");
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const updates = columns.map((j) =>
      `c${i}${j} = ${vector}.add(c${i}${j}, ${vector}.mul(element, b${j}));`
    );
    return `element = v128.load${8 * bytes}_splat(a, ${bytes * (step * ROWS + i)});\n    ${
      updates.join(" ")
    }`;
  });
  return `    ${[load, ...rows].join("\n    ")}`;
}

/** A line of code for each row of a tile. */
function lines(line: (i: number) => string): string {
  return Array.from({ length: ROWS }, (_, i) => `  ${line(i)}`).join("\n");
}
