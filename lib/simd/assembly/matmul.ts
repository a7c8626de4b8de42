// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Matrix product, in blocks that stay in the cache and tiles that stay in registers (`tiles.ts`).
 *
 * Each element of the product is summed from the first to the last k, in the type of the inputs, without fused
 * operations: the order and the rounding of the readable form in `lib/tensor/matmul.ts`.
 */
import { copyColumn, REGISTERS, ROWS, tileF32, tileF64 } from "./tiles";

/** Blocks that stay in the cache: of rows of a, of the sum over k, of columns of b. */
const M_BLOCK: i32 = 16 * ROWS, K_BLOCK: i32 = 256, N_BLOCK: i32 = 512;

// @ts-ignore: decorator
@inline
function tileColumns<T>(): i32 {
  return REGISTERS * 16 / sizeof<T>();
}

export function matmulF32(m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, panels: usize): void {
  matmul<f32>(m, n, k, a, b, c, panels);
}

export function matmulF64(m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, panels: usize): void {
  matmul<f64>(m, n, k, a, b, c, panels);
}

/** c [m, n] = a [m, k] · b [k, n]. `panels`: 2 MiB for a tile and for blocks of a and b in the order of their use. */
function matmul<T>(m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, panels: usize): void {
  const tile = panels, panelA = panels + 1024, panelB = panelA + M_BLOCK * K_BLOCK * sizeof<T>();
  memory.fill(c, 0, m * n * sizeof<T>());
  for (let j = 0; j < n; j += N_BLOCK) {
    const columns = min(N_BLOCK, n - j);
    for (let l = 0; l < k; l += K_BLOCK) {
      const depth = min(K_BLOCK, k - l);
      packColumns<T>(b + (l * n + j) * sizeof<T>(), n, depth, columns, panelB);
      for (let i = 0; i < m; i += M_BLOCK) {
        const rows = min(M_BLOCK, m - i);
        packRows<T>(a + (i * k + l) * sizeof<T>(), k, rows, depth, panelA);
        multiplyPanels<T>(rows, columns, depth, panelA, panelB, c + (i * n + j) * sizeof<T>(), n, tile);
      }
    }
  }
}

/** Strips of as many columns as a tile has, each read from top to bottom; missing columns are 0. */
function packColumns<T>(b: usize, stride: i32, depth: i32, columns: i32, to: usize): void {
  const wide = tileColumns<T>();
  for (let j = 0; j < columns; j += wide) {
    let from = b + j * sizeof<T>();
    const whole = j + wide <= columns;
    for (let l = 0; l < depth; l++, from += stride * sizeof<T>(), to += 32) {
      if (whole) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
      } else {
        memory.fill(to, 0, 32);
        memory.copy(to, from, (columns - j) * sizeof<T>());
      }
    }
  }
}

/** Strips of as many rows as a tile has, each read from left to right; missing rows are 0. */
function packRows<T>(a: usize, stride: i32, rows: i32, depth: i32, to: usize): void {
  for (let i = 0; i < rows; i += ROWS) {
    let from = a + i * stride * sizeof<T>();
    const there = min(ROWS, rows - i), row = stride * sizeof<T>();
    for (let l = 0; l < depth; l++, from += sizeof<T>(), to += ROWS * sizeof<T>()) {
      if (there == ROWS) {
        copyColumn<T>(from, row, to);
      } else {
        for (let r = 0; r < ROWS; r++) store<T>(to + r * sizeof<T>(), r < there ? load<T>(from + r * row) : 0);
      }
    }
  }
}

/** Adds the product of two panels to c. A tile that sticks out goes through memory of its own. */
function multiplyPanels<T>(
  rows: i32, columns: i32, depth: i32, panelA: usize, panelB: usize, c: usize, stride: i32, tile: usize,
): void {
  const wide = tileColumns<T>(), row = stride * sizeof<T>();
  for (let j = 0; j < columns; j += wide) {
    const b = panelB + j * depth * sizeof<T>();
    for (let i = 0; i < rows; i += ROWS) {
      const a = panelA + i * depth * sizeof<T>(), to = c + i * row + j * sizeof<T>();
      const high = min(ROWS, rows - i), across = min(wide, columns - j);
      if (high == ROWS && across == wide) {
        multiplyTile<T>(depth, a, b, to, row);
      } else {
        for (let r = 0; r < high; r++) memory.copy(tile + r * 32, to + r * row, across * sizeof<T>());
        multiplyTile<T>(depth, a, b, tile, 32);
        for (let r = 0; r < high; r++) memory.copy(to + r * row, tile + r * 32, across * sizeof<T>());
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function multiplyTile<T>(depth: i32, a: usize, b: usize, c: usize, row: usize): void {
  if (sizeof<T>() == 4) tileF32(depth, a, b, c, row);
  else tileF64(depth, a, b, c, row);
}
