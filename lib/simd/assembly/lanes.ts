// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Zeros and ones for sixteen elements at a time: lanes of bytes, all ones (kept) or all zeros (dropped).
 */

/** Which bit of a byte a lane looks at; to be loaded once, since engines write constants anew wherever they are used. */
export const WHICH: usize = memory.data<u8>([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);

/** Lanes from 16 bits, of which the first belongs to the lowest lane; `which` is what lies at `WHICH`. */
// @ts-ignore: decorator
@inline
export function lanesOf(bits: u32, which: v128): v128 {
  const word = i32x4.splat(bits);
  const spread = v128.shuffle<i8>(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return i8x16.eq(v128.and(spread, which), which);
}

/** Sixteen elements at `x`, scaled where kept and +0 where not, to `y`. */
// @ts-ignore: decorator
@inline
export function put16<T>(x: usize, y: usize, kept: v128, scale: v128): void {
  const low = i16x8.extend_low_i8x16_s(kept), high = i16x8.extend_high_i8x16_s(kept);
  put4<T>(x, y, i32x4.extend_low_i16x8_s(low), scale);
  put4<T>(x + 4 * sizeof<T>(), y + 4 * sizeof<T>(), i32x4.extend_high_i16x8_s(low), scale);
  put4<T>(x + 8 * sizeof<T>(), y + 8 * sizeof<T>(), i32x4.extend_low_i16x8_s(high), scale);
  put4<T>(x + 12 * sizeof<T>(), y + 12 * sizeof<T>(), i32x4.extend_high_i16x8_s(high), scale);
}

// @ts-ignore: decorator
@inline
function put4<T>(x: usize, y: usize, kept: v128, scale: v128): void {
  if (sizeof<T>() == 4) {
    v128.store(y, v128.and(f32x4.mul(v128.load(x), scale), kept));
  } else {
    v128.store(y, v128.and(f64x2.mul(v128.load(x), scale), i64x2.extend_low_i32x4_s(kept)));
    v128.store(y, v128.and(f64x2.mul(v128.load(x, 16), scale), i64x2.extend_high_i32x4_s(kept)), 16);
  }
}
