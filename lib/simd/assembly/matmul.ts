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

export function matmulF32(
  m: i32, n: i32, k: i32, a: usize, transposeA: bool, b: usize, transposeB: bool, c: usize, panels: usize,
): void {
  matmul<f32>(m, n, k, a, transposeA, b, transposeB, c, panels);
}

export function matmulF64(
  m: i32, n: i32, k: i32, a: usize, transposeA: bool, b: usize, transposeB: bool, c: usize, panels: usize,
): void {
  matmul<f64>(m, n, k, a, transposeA, b, transposeB, c, panels);
}

/**
 * c [m, n] = a [m, k] · b [k, n]; transposed, a lies in memory as [k, m], b as [n, k]. `panels`: 2 MiB for a tile and for
 * blocks of a and b in the order of their use.
 */
function matmul<T>(
  m: i32, n: i32, k: i32, a: usize, transposeA: bool, b: usize, transposeB: bool, c: usize, panels: usize,
): void {
  const tile = panels, panelA = panels + 1024, panelB = panelA + M_BLOCK * K_BLOCK * sizeof<T>();
  // How many bytes apart neighbours in a row are, and neighbours in a column.
  const aRight: i32 = (transposeA ? m : 1) * sizeof<T>(), aDown: i32 = (transposeA ? 1 : k) * sizeof<T>();
  const bRight: i32 = (transposeB ? k : 1) * sizeof<T>(), bDown: i32 = (transposeB ? 1 : n) * sizeof<T>();
  memory.fill(c, 0, m * n * sizeof<T>());
  for (let j = 0; j < n; j += N_BLOCK) {
    const columns = min(N_BLOCK, n - j);
    for (let l = 0; l < k; l += K_BLOCK) {
      const depth = min(K_BLOCK, k - l);
      const corner = b + l * bDown + j * bRight;
      if (transposeB) packTransposedColumns<T>(corner, bRight, depth, columns, panelB);
      else packColumns<T>(corner, bDown, depth, columns, panelB);
      for (let i = 0; i < m; i += M_BLOCK) {
        const rows = min(M_BLOCK, m - i);
        packRows<T>(a + i * aDown + l * aRight, aRight, aDown, rows, depth, panelA);
        multiplyPanels<T>(rows, columns, depth, panelA, panelB, c + (i * n + j) * sizeof<T>(), n, tile);
      }
    }
  }
}

/** Strips of as many columns as a tile has, each read from top to bottom; missing columns are 0. */
function packColumns<T>(b: usize, down: i32, depth: i32, columns: i32, to: usize): void {
  const wide = tileColumns<T>();
  for (let j = 0; j < columns; j += wide) {
    let from = b + j * sizeof<T>();
    const whole = j + wide <= columns;
    for (let l = 0; l < depth; l++, from += down, to += 32) {
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

/** The same strips of a matrix whose columns lie in memory one after the other. */
function packTransposedColumns<T>(b: usize, right: i32, depth: i32, columns: i32, to: usize): void {
  const wide = tileColumns<T>();
  for (let j = 0; j < columns; j += wide, to += depth * 32) {
    const there = min(wide, columns - j);
    if (there < wide) memory.fill(to, 0, depth * 32);
    let c = 0;
    if (sizeof<T>() == 4) {
      for (; c + 4 <= there; c += 4) packFourColumns(b + (j + c) * right, right, depth, to + c * 4);
    }
    for (; c < there; c++) {
      let from = b + (j + c) * right, at = to + c * sizeof<T>();
      for (const end = from + depth * sizeof<T>(); from < end; from += sizeof<T>(), at += 32) {
        store<T>(at, load<T>(from));
      }
    }
  }
}

/** Four columns of float32, four rows at a time: a square is transposed in registers. */
function packFourColumns(b: usize, right: i32, depth: i32, to: usize): void {
  let l = 0;
  for (; l + 4 <= depth; l += 4, b += 16, to += 128) {
    const c0 = v128.load(b), c1 = v128.load(b + right), c2 = v128.load(b + 2 * right), c3 = v128.load(b + 3 * right);
    const low01 = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5), high01 = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7);
    const low23 = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5), high23 = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
    v128.store(to, v128.shuffle<i64>(low01, low23, 1, 3), 32);
    v128.store(to, v128.shuffle<i64>(high01, high23, 0, 2), 64);
    v128.store(to, v128.shuffle<i64>(high01, high23, 1, 3), 96);
  }
  for (; l < depth; l++, b += 4, to += 32) {
    for (let c = 0; c < 4; c++) store<f32>(to + c * 4, load<f32>(b + c * right));
  }
}

/** Strips of as many rows as a tile has, each read from left to right; missing rows are 0. */
function packRows<T>(a: usize, right: i32, down: i32, rows: i32, depth: i32, to: usize): void {
  for (let i = 0; i < rows; i += ROWS) {
    let from = a + i * down;
    const there = min(ROWS, rows - i);
    for (let l = 0; l < depth; l++, from += right, to += ROWS * sizeof<T>()) {
      if (there == ROWS) {
        copyColumn<T>(from, down, to);
      } else {
        for (let r = 0; r < ROWS; r++) store<T>(to + r * sizeof<T>(), r < there ? load<T>(from + r * down) : 0);
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
