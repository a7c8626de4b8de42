// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * PCG64 (XSL-RR 128/64): doubles, bits and raw words in bulk.
 *
 * State and increment are 128 bits each, the lower 64 first. WebAssembly has no product of 64 × 64 bits, so that one is
 * put together from four of 32 × 32.
 *
 * Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms" (2014).
 */

const MULTIPLIER_HIGH: u64 = 0x2360ED051FC65DA4;
const MULTIPLIER_LOW: u64 = 0x4385DF649FCCF645;
const A0: u64 = MULTIPLIER_LOW & 0xffffffff;
const A1: u64 = MULTIPLIER_LOW >> 32;
/** 2⁻⁵³. */
const UNIT: f64 = 1.0 / 9007199254740992.0;

/** The upper 64 of the 128 bits of x · MULTIPLIER_LOW. */
// @ts-ignore: decorator
@inline
function upperProduct(x: u64): u64 {
  const x0 = x & 0xffffffff, x1 = x >> 32;
  const middle = x1 * A0 + ((x0 * A0) >> 32); // at most (2³² − 1)² + 2³² − 1: no overflow
  return x1 * A1 + (middle >> 32) + ((x0 * A1 + (middle & 0xffffffff)) >> 32);
}

/** Fills `out` with `n` of T: f64 are numbers in [0, 1), u64 raw words, u8 eight bits each as `pcg64Bits` says. */
// @ts-ignore: decorator
@inline
function draw<T>(state: usize, increment: usize, out: usize, n: i32, last: i64, flip: u32): void {
  let low = load<u64>(state), high = load<u64>(state, 8), byte: u32 = 0;
  const addLow = load<u64>(increment), addHigh = load<u64>(increment, 8);
  for (let i = 0; i < n; i++) {
    const product = low * MULTIPLIER_LOW;
    high = high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH + upperProduct(low) + addHigh;
    low = product + addLow;
    high += u64(low < product);
    const word = rotr<u64>(high ^ low, high >> 58);
    if (sizeof<T>() == 1) {
      byte |= u32(<i64> (word >> 11) <= last) << (i & 7);
      if ((i & 7) == 7) {
        store<u8>(out++, byte ^ flip);
        byte = 0;
      }
    } else {
      if (isFloat<T>()) store<f64>(out, <f64> <i64> (word >> 11) * UNIT);
      else store<u64>(out, word);
      out += 8;
    }
  }
  if (sizeof<T>() == 1 && n & 7) store<u8>(out, (byte ^ flip) & ((1 << (n & 7)) - 1));
  store<u64>(state, low), store<u64>(state, high, 8);
}

/** `n` doubles in [0, 1): multiples of 2⁻⁵³. */
export function pcg64Doubles(state: usize, increment: usize, out: usize, n: i32): void {
  draw<f64>(state, increment, out, n, 0, 0);
}

/** `n` outputs of 64 bits. */
export function pcg64Words(state: usize, increment: usize, out: usize, n: i32): void {
  draw<u64>(state, increment, out, n, 0, 0);
}

/** `n` bits: 1 (0 if `inverted`) where the double, times 2⁵³, is at most `last`. */
export function pcg64Bits(
  state: usize,
  increment: usize,
  out: usize,
  n: i32,
  last: f64,
  inverted: bool,
): void {
  draw<u8>(state, increment, out, n, <i64> last, inverted ? 0xff : 0);
}
