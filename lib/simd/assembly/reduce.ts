// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Sums in the order that NumPy 1 uses: chunks of 8192 one after the other, pairwise inside a chunk, eight sums side by
 * side in the smallest parts. `lib/tensor/reduce.ts` is the readable form.
 */

const CHUNK: i32 = 8192;
/** What is added up: the numbers, or the squares of their distances from a centre. */
const NUMBERS = 0, SQUARES = 1;

export function sumF32(x: usize, n: i32): f32 {
  return total<f32>(x, n, NUMBERS, 0);
}

export function sumF64(x: usize, n: i32): f64 {
  return total<f64>(x, n, NUMBERS, 0);
}

export function squaresF32(x: usize, n: i32, center: f32): f32 {
  return total<f32>(x, n, SQUARES, center);
}

export function squaresF64(x: usize, n: i32, center: f64): f64 {
  return total<f64>(x, n, SQUARES, center);
}

function total<T>(x: usize, n: i32, what: i32, center: T): T {
  let sum: T = 0;
  for (let start = 0; start < n; start += CHUNK) {
    sum += pairwise<T>(x + start * sizeof<T>(), min(CHUNK, n - start), what, center);
  }
  return sum;
}

function pairwise<T>(x: usize, n: i32, what: i32, center: T): T {
  if (n > 128) {
    const half = (n >> 1) & ~7;
    return pairwise<T>(x, half, what, center) + pairwise<T>(x + half * sizeof<T>(), n - half, what, center);
  }
  let sum: T = 0, i = 0;
  if (n >= 8) {
    i = n & ~7;
    sum = what == NUMBERS ? octets<T>(x, i, center) : squaredOctets<T>(x, i, center);
  }
  for (; i < n; i++) {
    const value = load<T>(x + i * sizeof<T>());
    sum += what == NUMBERS ? value : (value - center) * (value - center);
  }
  return sum;
}

/** Eight interleaved sums, then ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). */
function octets<T>(x: usize, n: i32, center: T): T {
  if (sizeof<T>() == 4) {
    let low = v128.load(x), high = v128.load(x, 16);
    for (const end = x + n * 4; (x += 32) < end;) {
      low = f32x4.add(low, v128.load(x));
      high = f32x4.add(high, v128.load(x, 16));
    }
    return <T> foldF32(low, high);
  } else {
    let a = v128.load(x), b = v128.load(x, 16), c = v128.load(x, 32), d = v128.load(x, 48);
    for (const end = x + n * 8; (x += 64) < end;) {
      a = f64x2.add(a, v128.load(x));
      b = f64x2.add(b, v128.load(x, 16));
      c = f64x2.add(c, v128.load(x, 32));
      d = f64x2.add(d, v128.load(x, 48));
    }
    return <T> foldF64(a, b, c, d);
  }
}

function squaredOctets<T>(x: usize, n: i32, center: T): T {
  if (sizeof<T>() == 4) {
    const middle = f32x4.splat(<f32> center);
    let low = squareF32(x, middle), high = squareF32(x + 16, middle);
    for (const end = x + n * 4; (x += 32) < end;) {
      low = f32x4.add(low, squareF32(x, middle));
      high = f32x4.add(high, squareF32(x + 16, middle));
    }
    return <T> foldF32(low, high);
  } else {
    const middle = f64x2.splat(<f64> center);
    let a = squareF64(x, middle), b = squareF64(x + 16, middle);
    let c = squareF64(x + 32, middle), d = squareF64(x + 48, middle);
    for (const end = x + n * 8; (x += 64) < end;) {
      a = f64x2.add(a, squareF64(x, middle));
      b = f64x2.add(b, squareF64(x + 16, middle));
      c = f64x2.add(c, squareF64(x + 32, middle));
      d = f64x2.add(d, squareF64(x + 48, middle));
    }
    return <T> foldF64(a, b, c, d);
  }
}

// @ts-ignore: decorator
@inline
function squareF32(x: usize, center: v128): v128 {
  const distance = f32x4.sub(v128.load(x), center);
  return f32x4.mul(distance, distance);
}

// @ts-ignore: decorator
@inline
function squareF64(x: usize, center: v128): v128 {
  const distance = f64x2.sub(v128.load(x), center);
  return f64x2.mul(distance, distance);
}

function foldF32(low: v128, high: v128): f32 {
  const a = f32x4.extract_lane(low, 0) + f32x4.extract_lane(low, 1);
  const b = f32x4.extract_lane(low, 2) + f32x4.extract_lane(low, 3);
  const c = f32x4.extract_lane(high, 0) + f32x4.extract_lane(high, 1);
  const d = f32x4.extract_lane(high, 2) + f32x4.extract_lane(high, 3);
  return a + b + (c + d);
}

function foldF64(a: v128, b: v128, c: v128, d: v128): f64 {
  return f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1) +
    (f64x2.extract_lane(b, 0) + f64x2.extract_lane(b, 1)) +
    (f64x2.extract_lane(c, 0) + f64x2.extract_lane(c, 1) +
      (f64x2.extract_lane(d, 0) + f64x2.extract_lane(d, 1)));
}
