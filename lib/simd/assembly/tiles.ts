// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * A tile of a matrix product, which stays in registers. Written by `tile_generator.ts`; change that, and run
 * `deno task build:simd`.
 */

/** Rows of a tile, and registers for each of them. */
export const ROWS: i32 = 4, REGISTERS: i32 = 2;

/** The elements of one column of a, which lie `row` bytes apart, side by side. */
// @ts-ignore: decorator
@inline
export function copyColumn<T>(from: usize, row: usize, to: usize): void {
  store<T>(to, load<T>(from + 0 * row), 0 * sizeof<T>());
  store<T>(to, load<T>(from + 1 * row), 1 * sizeof<T>());
  store<T>(to, load<T>(from + 2 * row), 2 * sizeof<T>());
  store<T>(to, load<T>(from + 3 * row), 3 * sizeof<T>());
}

export function tileF32(depth: i32, a: usize, b: usize, c: usize, row: usize): void {
  let c00 = v128.load(c + 0 * row, 0);
  let c01 = v128.load(c + 0 * row, 16);
  let c10 = v128.load(c + 1 * row, 0);
  let c11 = v128.load(c + 1 * row, 16);
  let c20 = v128.load(c + 2 * row, 0);
  let c21 = v128.load(c + 2 * row, 16);
  let c30 = v128.load(c + 3 * row, 0);
  let c31 = v128.load(c + 3 * row, 16);
  let l = 0, element: v128, b0: v128, b1: v128;
  for (; l + 2 <= depth; l += 2) {
    b0 = v128.load(b, 0); b1 = v128.load(b, 16);
    element = v128.load32_splat(a, 0);
    c00 = f32x4.add(c00, f32x4.mul(element, b0)); c01 = f32x4.add(c01, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(element, b0)); c11 = f32x4.add(c11, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(element, b0)); c21 = f32x4.add(c21, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(element, b0)); c31 = f32x4.add(c31, f32x4.mul(element, b1));
    b0 = v128.load(b, 32); b1 = v128.load(b, 48);
    element = v128.load32_splat(a, 16);
    c00 = f32x4.add(c00, f32x4.mul(element, b0)); c01 = f32x4.add(c01, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 20);
    c10 = f32x4.add(c10, f32x4.mul(element, b0)); c11 = f32x4.add(c11, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 24);
    c20 = f32x4.add(c20, f32x4.mul(element, b0)); c21 = f32x4.add(c21, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 28);
    c30 = f32x4.add(c30, f32x4.mul(element, b0)); c31 = f32x4.add(c31, f32x4.mul(element, b1));
    a += 32;
    b += 64;
  }
  for (; l < depth; l += 1) {
    b0 = v128.load(b, 0); b1 = v128.load(b, 16);
    element = v128.load32_splat(a, 0);
    c00 = f32x4.add(c00, f32x4.mul(element, b0)); c01 = f32x4.add(c01, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(element, b0)); c11 = f32x4.add(c11, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(element, b0)); c21 = f32x4.add(c21, f32x4.mul(element, b1));
    element = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(element, b0)); c31 = f32x4.add(c31, f32x4.mul(element, b1));
    a += 16;
    b += 32;
  }
  v128.store(c + 0 * row, c00, 0);
  v128.store(c + 0 * row, c01, 16);
  v128.store(c + 1 * row, c10, 0);
  v128.store(c + 1 * row, c11, 16);
  v128.store(c + 2 * row, c20, 0);
  v128.store(c + 2 * row, c21, 16);
  v128.store(c + 3 * row, c30, 0);
  v128.store(c + 3 * row, c31, 16);
}

export function tileF64(depth: i32, a: usize, b: usize, c: usize, row: usize): void {
  let c00 = v128.load(c + 0 * row, 0);
  let c01 = v128.load(c + 0 * row, 16);
  let c10 = v128.load(c + 1 * row, 0);
  let c11 = v128.load(c + 1 * row, 16);
  let c20 = v128.load(c + 2 * row, 0);
  let c21 = v128.load(c + 2 * row, 16);
  let c30 = v128.load(c + 3 * row, 0);
  let c31 = v128.load(c + 3 * row, 16);
  let l = 0, element: v128, b0: v128, b1: v128;
  for (; l + 2 <= depth; l += 2) {
    b0 = v128.load(b, 0); b1 = v128.load(b, 16);
    element = v128.load64_splat(a, 0);
    c00 = f64x2.add(c00, f64x2.mul(element, b0)); c01 = f64x2.add(c01, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 8);
    c10 = f64x2.add(c10, f64x2.mul(element, b0)); c11 = f64x2.add(c11, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 16);
    c20 = f64x2.add(c20, f64x2.mul(element, b0)); c21 = f64x2.add(c21, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 24);
    c30 = f64x2.add(c30, f64x2.mul(element, b0)); c31 = f64x2.add(c31, f64x2.mul(element, b1));
    b0 = v128.load(b, 32); b1 = v128.load(b, 48);
    element = v128.load64_splat(a, 32);
    c00 = f64x2.add(c00, f64x2.mul(element, b0)); c01 = f64x2.add(c01, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 40);
    c10 = f64x2.add(c10, f64x2.mul(element, b0)); c11 = f64x2.add(c11, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 48);
    c20 = f64x2.add(c20, f64x2.mul(element, b0)); c21 = f64x2.add(c21, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 56);
    c30 = f64x2.add(c30, f64x2.mul(element, b0)); c31 = f64x2.add(c31, f64x2.mul(element, b1));
    a += 64;
    b += 64;
  }
  for (; l < depth; l += 1) {
    b0 = v128.load(b, 0); b1 = v128.load(b, 16);
    element = v128.load64_splat(a, 0);
    c00 = f64x2.add(c00, f64x2.mul(element, b0)); c01 = f64x2.add(c01, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 8);
    c10 = f64x2.add(c10, f64x2.mul(element, b0)); c11 = f64x2.add(c11, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 16);
    c20 = f64x2.add(c20, f64x2.mul(element, b0)); c21 = f64x2.add(c21, f64x2.mul(element, b1));
    element = v128.load64_splat(a, 24);
    c30 = f64x2.add(c30, f64x2.mul(element, b0)); c31 = f64x2.add(c31, f64x2.mul(element, b1));
    a += 32;
    b += 32;
  }
  v128.store(c + 0 * row, c00, 0);
  v128.store(c + 0 * row, c01, 16);
  v128.store(c + 1 * row, c10, 0);
  v128.store(c + 1 * row, c11, 16);
  v128.store(c + 2 * row, c20, 0);
  v128.store(c + 2 * row, c21, 16);
  v128.store(c + 3 * row, c30, 0);
  v128.store(c + 3 * row, c31, 16);
}
