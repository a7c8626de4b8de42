// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * MT19937: a block of 624 words at a time, and the numbers and bits that are made from such words.
 *
 * A state is 1249 words: the 624 that the recurrence is about, the 624 outputs that were made from them, and which of
 * these comes next, in [0, 624].
 *
 * Source: M. Matsumoto and T. Nishimura, ACM TOMACS 8 (1998).
 */

/** Words in a block. */
const N: i32 = 624;
/** The outputs lie so many bytes behind the words that they are made from. */
const OUTPUTS: usize = 4 * 624;
/** Each word is mixed with the one 397 places ahead, which is 227 places behind in a circle. */
const AHEAD: usize = 4 * 397;
const BEHIND: usize = OUTPUTS - AHEAD;
/** Where a state keeps the place of its next output. */
const POSITION: usize = 2 * OUTPUTS;

/** What a word becomes: from its own upper bit, the lower 31 of its successor, and the word ahead. */
// @ts-ignore: decorator
@inline
function twisted(upper: u32, lower: u32, ahead: u32): u32 {
  const y = (upper & 0x80000000) | (lower & 0x7fffffff);
  return ahead ^ (y >> 1) ^ ((0 - (y & 1)) & 0x9908b0df);
}

/** The same for four words from `p` on, in place: none depends on another of the four. */
// @ts-ignore: decorator
@inline
function twistFour(p: usize, ahead: usize, upper: v128, one: v128, matrix: v128): void {
  const y = v128.bitselect(v128.load(p), v128.load(p, 4), upper);
  const odd = i32x4.neg(v128.and(y, one));
  const mixed = v128.xor(v128.load(ahead), i32x4.shr_u(y, 1));
  v128.store(p, v128.xor(mixed, v128.and(odd, matrix)));
}

// @ts-ignore: decorator
@inline
function tempered(y: v128, b: v128, c: v128): v128 {
  y = v128.xor(y, i32x4.shr_u(y, 11));
  y = v128.xor(y, v128.and(i32x4.shl(y, 7), b));
  y = v128.xor(y, v128.and(i32x4.shl(y, 15), c));
  return v128.xor(y, i32x4.shr_u(y, 18));
}

/** Bits, each four times. They are read from memory, since engines write constants anew wherever they are used. */
const UPPER: usize = memory.data<u32>([0x80000000, 0x80000000, 0x80000000, 0x80000000]);
const ONE: usize = memory.data<u32>([1, 1, 1, 1]);
const MATRIX: usize = memory.data<u32>([0x9908b0df, 0x9908b0df, 0x9908b0df, 0x9908b0df]);
const TEMPER_B: usize = memory.data<u32>([0x9d2c5680, 0x9d2c5680, 0x9d2c5680, 0x9d2c5680]);
const TEMPER_C: usize = memory.data<u32>([0xefc60000, 0xefc60000, 0xefc60000, 0xefc60000]);

/** The next 624 words, in a circle, and their outputs. */
export function mt19937Block(state: usize): void {
  const upper = v128.load(UPPER), one = v128.load(ONE), matrix = v128.load(MATRIX);
  const b = v128.load(TEMPER_B), c = v128.load(TEMPER_C);
  const last = state + OUTPUTS - 4, wrap = state + BEHIND;
  let p = state;
  for (; p <= wrap - 16; p += 16) twistFour(p, p + AHEAD, upper, one, matrix);
  for (; p < wrap; p += 4) store<u32>(p, twisted(load<u32>(p), load<u32>(p, 4), load<u32>(p, AHEAD)));
  for (; p < last; p += 16) twistFour(p, p - BEHIND, upper, one, matrix);
  store<u32>(p, twisted(load<u32>(p), load<u32>(state), load<u32>(p - BEHIND)));
  for (p = state; p < state + OUTPUTS; p += 16) v128.store(p, tempered(v128.load(p), b, c), OUTPUTS);
}

// ---- Numbers of 53 bits, from two words each ----

/** 2⁻⁵³ and 2⁻²¹. */
const UNIT: f64 = 1.0 / 9007199254740992.0, UNIT_21: f64 = 1.0 / 2097152.0;

/** Two of them. NumPy takes the upper 27 and 26 bits of the words; PyTorch the lowest 53 of the first and the second. */
// @ts-ignore: decorator
@inline
function twoIntegers(words: v128, first: v128, lowest: bool): v128 {
  return lowest
    ? v128.or(i64x2.shl(v128.and(words, first), 32), i64x2.shr_u(words, 32))
    : v128.or(i64x2.shl(v128.and(words, first), 21), i64x2.shr_u(words, 38));
}

/** The bits of the first word that count: its lowest 21, or its upper 27. */
const LOWEST_21: usize = memory.data<u64>([0x1fffff, 0x1fffff]);
const UPPER_27: usize = memory.data<u64>([0xffffffe0, 0xffffffe0]);

/** The place of the next output, while a function draws. */
let position: i32 = 0;

function nextWord(state: usize): u64 {
  if (position == N) {
    mt19937Block(state);
    position = 0;
  }
  const at = state + OUTPUTS + (<usize> position << 2);
  position++;
  return load<u32>(at);
}

/** One of them, where a pair may lie on both sides of a block's end. */
function nextInteger(state: usize, lowest: bool): u64 {
  const first = nextWord(state), second = nextWord(state);
  return lowest ? ((first & 0x1fffff) << 32) | second : ((first >> 5) << 26) | (second >> 6);
}

/** x · 2⁻⁵³, from the upper 21 bits and the lower 32: each is exact, and so is their sum. */
// @ts-ignore: decorator
@inline
function twoDoubles(integers: v128): v128 {
  const low = v128.shuffle<i32>(integers, integers, 0, 2, 0, 2);
  const high = v128.shuffle<i32>(integers, integers, 1, 3, 1, 3);
  const upper = f64x2.mul(f64x2.convert_low_i32x4_u(high), f64x2.splat(UNIT_21));
  return f64x2.add(upper, f64x2.mul(f64x2.convert_low_i32x4_u(low), f64x2.splat(UNIT)));
}

// @ts-ignore: decorator
@inline
function doubles(state: usize, out: usize, n: i32, lowest: bool): void {
  const first = v128.load(lowest ? LOWEST_21 : UPPER_27);
  while (n > 0) {
    const steps = min(n >> 1, (N - position) >> 2);
    const words = state + OUTPUTS + (<usize> position << 2);
    for (let i = 0; i < steps; i++, out += 16) {
      v128.store(out, twoDoubles(twoIntegers(v128.load(words + (<usize> i << 4)), first, lowest)));
    }
    position += 4 * steps;
    n -= 2 * steps;
    if (n == 0) break;
    store<f64>(out, <f64> <i64> nextInteger(state, lowest) * UNIT);
    out += 8;
    n--;
  }
}

/** `n` doubles in [0, 1): multiples of 2⁻⁵³. */
export function mt19937Doubles(state: usize, out: usize, n: i32, lowest: bool): void {
  position = load<i32>(state, POSITION);
  if (lowest) doubles(state, out, n, true);
  else doubles(state, out, n, false);
  store<i32>(state, position, POSITION);
}

/** `n` floats in [0, 1), each the lowest 24 bits of a word. */
export function mt19937Floats(state: usize, out: usize, n: i32): void {
  const unit: f32 = 1.0 / 16777216.0;
  position = load<i32>(state, POSITION);
  while (n > 0) {
    const steps = min(n, N - position) >> 2;
    const words = state + OUTPUTS + (<usize> position << 2);
    for (let i = 0; i < steps; i++, out += 16) {
      const integers = v128.and(v128.load(words + (<usize> i << 4)), i32x4.splat(0xffffff));
      v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(integers), f32x4.splat(unit)));
    }
    position += 4 * steps;
    n -= 4 * steps;
    if (n == 0) break;
    store<f32>(out, <f32> <i32> (<u32> nextWord(state) & 0xffffff) * unit);
    out += 4;
    n--;
  }
  store<i32>(state, position, POSITION);
}

// @ts-ignore: decorator
@inline
function bits(state: usize, bits: usize, n: i32, last: i64, flip: u32, lowest: bool): void {
  const limit = i64x2.splat(last), first = v128.load(lowest ? LOWEST_21 : UPPER_27);
  for (; n > 0; n -= 8, bits++) {
    let byte: u32 = 0;
    if (n >= 8 && position + 16 <= N) {
      const words = state + OUTPUTS + (<usize> position << 2);
      byte = i64x2.bitmask(i64x2.le_s(twoIntegers(v128.load(words), first, lowest), limit)) |
        (i64x2.bitmask(i64x2.le_s(twoIntegers(v128.load(words, 16), first, lowest), limit)) << 2) |
        (i64x2.bitmask(i64x2.le_s(twoIntegers(v128.load(words, 32), first, lowest), limit)) << 4) |
        (i64x2.bitmask(i64x2.le_s(twoIntegers(v128.load(words, 48), first, lowest), limit)) << 6);
      position += 16;
    } else {
      for (let i = 0; i < min(n, 8); i++) byte |= u32(<i64> nextInteger(state, lowest) <= last) << i;
    }
    byte ^= flip;
    store<u8>(bits, n < 8 ? byte & ((1 << n) - 1) : byte);
  }
}

/** `n` bits: 1 (0 if `inverted`) where the double, times 2⁵³, is at most `last`. */
export function mt19937Bits(
  state: usize,
  out: usize,
  n: i32,
  last: f64,
  inverted: bool,
  lowest: bool,
): void {
  position = load<i32>(state, POSITION);
  const flip: u32 = inverted ? 0xff : 0;
  if (lowest) bits(state, out, n, <i64> last, flip, true);
  else bits(state, out, n, <i64> last, flip, false);
  store<i32>(state, position, POSITION);
}
