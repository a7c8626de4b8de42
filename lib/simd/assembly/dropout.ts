// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Dropout: with the fast stream in one pass, and with bits that are there already.
 *
 * Sizes are in elements, `bits` holds one bit per element, the first in the lowest bit of byte 0. `x` and `y` may be the
 * same. Loops take 32 elements at a time; the rest goes through `TAIL`, so that nothing beyond an array is touched.
 */
import { GENERATOR, keptA, keptB, settleBlock } from "./fast_stream";
import { lanesOf, put16, WHICH } from "./lanes";

/** Room for 32 elements of 8 bytes and their bits. */
const TAIL: usize = memory.data(32 * 8 + 8, 16);
const TAIL_BITS: usize = TAIL + 32 * 8;

/** Loaded once, since engines write constants anew wherever they are used. */
const ONES: usize = memory.data<u32>([1, 1, 1, 1]);

/** Draws a bit for each element, 1 where its number of 32 bits lies below the threshold; drops and scales if T is a float. */
// @ts-ignore: decorator
@inline
function drawBlocks<T>(
  x: usize,
  y: usize,
  n: i32,
  state: usize,
  threshold: u32,
  scale: v128,
  bits: usize,
): void {
  const A = state, B = state + GENERATOR, one = v128.load(ONES);
  const first = i8x16.splat(<i8> (threshold >> 24));
  const open = i8x16.splat(threshold & 0xffffff ? -1 : 0); // no further byte decides if the threshold has none
  let a = v128.load(A), b = v128.load(A, 16), c = v128.load(A, 32), d = v128.load(A, 48);
  let e = v128.load(B), f = v128.load(B, 16), g = v128.load(B, 32), h = v128.load(B, 48);
  for (let i = 0; i < n; i += 32) {
    const r = i32x4.add(i32x4.add(a, b), d);
    a = v128.xor(b, i32x4.shr_u(b, 9));
    b = i32x4.add(c, i32x4.shl(c, 3));
    c = i32x4.add(v128.or(i32x4.shl(c, 21), i32x4.shr_u(c, 11)), r);
    d = i32x4.add(d, one);
    const q = i32x4.add(i32x4.add(e, f), h);
    e = v128.xor(f, i32x4.shr_u(f, 9));
    f = i32x4.add(g, i32x4.shl(g, 3));
    g = i32x4.add(v128.or(i32x4.shl(g, 21), i32x4.shr_u(g, 11)), q);
    h = i32x4.add(h, one);
    let k = i8x16.lt_u(r, first), l = i8x16.lt_u(q, first);
    const tiedA = v128.and(i8x16.eq(r, first), open), tiedB = v128.and(i8x16.eq(q, first), open);
    if (v128.any_true(v128.or(tiedA, tiedB))) {
      settleBlock(k, tiedA, l, tiedB, state, threshold);
      k = keptA;
      l = keptB;
    }
    if (sizeof<T>() > 1) {
      put16<T>(x, y, k, scale);
      put16<T>(x + 16 * sizeof<T>(), y + 16 * sizeof<T>(), l, scale);
      x += 32 * sizeof<T>();
      y += 32 * sizeof<T>();
    }
    store<u32>(bits, i8x16.bitmask(k) | (i8x16.bitmask(l) << 16));
    bits += 4;
  }
  v128.store(A, a), v128.store(A, b, 16), v128.store(A, c, 32), v128.store(A, d, 48);
  v128.store(B, e), v128.store(B, f, 16), v128.store(B, g, 32), v128.store(B, h, 48);
}

// @ts-ignore: decorator
@inline
function draw<T>(x: usize, y: usize, n: i32, state: usize, threshold: u32, scale: v128, bits: usize): void {
  const whole = n & ~31, rest = n & 31;
  drawBlocks<T>(x, y, whole, state, threshold, scale, bits);
  if (rest) {
    const size = sizeof<T>() > 1 ? sizeof<T>() : 0;
    memory.copy(TAIL, x + whole * size, rest * size);
    drawTail<T>(state, threshold, scale);
    store<u32>(TAIL_BITS, load<u32>(TAIL_BITS) & ((1 << rest) - 1));
    memory.copy(y + whole * size, TAIL, rest * size);
    memory.copy(bits + (whole >> 3), TAIL_BITS, (rest + 7) >> 3);
  }
}

function drawTail<T>(state: usize, threshold: u32, scale: v128): void {
  drawBlocks<T>(TAIL, TAIL, 32, state, threshold, scale, TAIL_BITS);
}

export function fastBits(n: i32, state: usize, threshold: u32, bits: usize): void {
  draw<u8>(0, 0, n, state, threshold, i32x4.splat(0), bits);
}

export function fastDropoutF32(
  x: usize,
  y: usize,
  n: i32,
  state: usize,
  threshold: u32,
  scale: f32,
  bits: usize,
): void {
  draw<f32>(x, y, n, state, threshold, f32x4.splat(scale), bits);
}

export function fastDropoutF64(
  x: usize,
  y: usize,
  n: i32,
  state: usize,
  threshold: u32,
  scale: f64,
  bits: usize,
): void {
  draw<f64>(x, y, n, state, threshold, f64x2.splat(scale), bits);
}

// ---- With given bits: any other stream's forward pass, and every backward pass ----

function apply<T>(x: usize, y: usize, n: i32, bits: usize, scale: v128): void {
  if (sizeof<T>() == 4) return applySingle(x, y, n, bits, scale);
  const which = v128.load(WHICH);
  for (let i = 0; i < n; i += 32) {
    const word = load<u32>(bits);
    put16<T>(x, y, lanesOf(word, which), scale);
    put16<T>(x + 16 * sizeof<T>(), y + 16 * sizeof<T>(), lanesOf(word >> 16, which), scale);
    x += 32 * sizeof<T>();
    y += 32 * sizeof<T>();
    bits += 4;
  }
}

const PATTERNS: usize = memory.data<u32>([
  1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13,
  1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24, 1 << 25, 1 << 26,
  1 << 27, 1 << 28, 1 << 29, 1 << 30, 1 << 31,
]);

/** In float32 a lane has room for the word of 32 bits: eight patterns pick the four bits of each register. */
function applySingle(x: usize, y: usize, n: i32, bits: usize, scale: v128): void {
  const a = v128.load(PATTERNS), b = v128.load(PATTERNS, 16), c = v128.load(PATTERNS, 32), d = v128.load(PATTERNS, 48);
  const e = v128.load(PATTERNS, 64), f = v128.load(PATTERNS, 80), g = v128.load(PATTERNS, 96), h = v128.load(PATTERNS, 112);
  for (const end = bits + (n >> 3); bits < end; bits += 4, x += 128, y += 128) {
    const word = v128.load32_splat(bits);
    putFour(x, y, word, a, scale);
    putFour(x + 16, y + 16, word, b, scale);
    putFour(x + 32, y + 32, word, c, scale);
    putFour(x + 48, y + 48, word, d, scale);
    putFour(x + 64, y + 64, word, e, scale);
    putFour(x + 80, y + 80, word, f, scale);
    putFour(x + 96, y + 96, word, g, scale);
    putFour(x + 112, y + 112, word, h, scale);
  }
}

// @ts-ignore: decorator
@inline
function putFour(x: usize, y: usize, word: v128, pattern: v128, scale: v128): void {
  const kept = i32x4.eq(v128.and(word, pattern), pattern);
  v128.store(y, v128.and(f32x4.mul(v128.load(x), scale), kept));
}

// @ts-ignore: decorator
@inline
function applyAll<T>(x: usize, y: usize, n: i32, bits: usize, scale: v128): void {
  const whole = n & ~31, rest = n & 31;
  apply<T>(x, y, whole, bits, scale);
  if (rest) {
    memory.copy(TAIL, x + whole * sizeof<T>(), rest * sizeof<T>());
    memory.copy(TAIL_BITS, bits + (whole >> 3), (rest + 7) >> 3);
    apply<T>(TAIL, TAIL, 32, TAIL_BITS, scale);
    memory.copy(y + whole * sizeof<T>(), TAIL, rest * sizeof<T>());
  }
}

export function applyBitsF32(x: usize, y: usize, n: i32, bits: usize, scale: f32): void {
  applyAll<f32>(x, y, n, bits, f32x4.splat(scale));
}

export function applyBitsF64(x: usize, y: usize, n: i32, bits: usize, scale: f64): void {
  applyAll<f64>(x, y, n, bits, f64x2.splat(scale));
}
