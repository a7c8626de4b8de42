// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Batch normalization of x, of shape [N, C], C a multiple of 4. `lib/batch_norm/arithmetic.ts` is the readable form.
 *
 * One number per channel is f64, whatever x is; `scratch` takes such numbers in the type of x.
 */

// ---- Mean and biased variance of each column ----

/** In float64 as NumPy: two passes, one row after the other; four at a time, so that the sums are read and written less. */
export function momentsF64(x: usize, rows: i32, columns: i32, mean: usize, variance: usize): void {
  const row = columns * 8;
  memory.fill(mean, 0, row);
  for (let i = 0; i < rows; i += 4) {
    for (let c = 0; c < row; c += 16) addColumn(x + i * row + c, min(4, rows - i), row, mean + c);
  }
  divide(mean, columns, rows);
  memory.fill(variance, 0, row);
  for (let i = 0; i < rows; i += 4) {
    for (let c = 0; c < row; c += 16) {
      addSquares(x + i * row + c, min(4, rows - i), row, mean + c, variance + c);
    }
  }
  divide(variance, columns, rows);
}

// @ts-ignore: decorator
@inline
function addColumn(x: usize, rows: i32, row: usize, to: usize): void {
  let sum = f64x2.add(v128.load(to), v128.load(x));
  if (rows == 4) {
    sum = f64x2.add(sum, v128.load(x + row));
    sum = f64x2.add(sum, v128.load(x + 2 * row));
    sum = f64x2.add(sum, v128.load(x + 3 * row));
  } else {
    for (let i = 1; i < rows; i++) sum = f64x2.add(sum, v128.load(x + i * row));
  }
  v128.store(to, sum);
}

// @ts-ignore: decorator
@inline
function addSquares(x: usize, rows: i32, row: usize, mean: usize, to: usize): void {
  const center = v128.load(mean);
  let sum = f64x2.add(v128.load(to), squareF64(x, center));
  if (rows == 4) {
    sum = f64x2.add(sum, squareF64(x + row, center));
    sum = f64x2.add(sum, squareF64(x + 2 * row, center));
    sum = f64x2.add(sum, squareF64(x + 3 * row, center));
  } else {
    for (let i = 1; i < rows; i++) sum = f64x2.add(sum, squareF64(x + i * row, center));
  }
  v128.store(to, sum);
}

// @ts-ignore: decorator
@inline
function squareF64(x: usize, center: v128): v128 {
  const distance = f64x2.sub(v128.load(x), center);
  return f64x2.mul(distance, distance);
}

function divide(sums: usize, columns: i32, count: i32): void {
  const n = f64x2.splat(<f64> count);
  for (const end = sums + columns * 8; sums < end; sums += 16) {
    v128.store(sums, f64x2.div(v128.load(sums), n));
  }
}

/**
 * In float32 one pass: of d = x − (first row), sums of d and d² over four rows are float32, and over those float64.
 * Then mean = (first row) + E[d], variance = E[d²] − E[d]².
 */
export function momentsF32(x: usize, rows: i32, columns: i32, mean: usize, variance: usize): void {
  const row = columns * 4, n = f64x2.splat(<f64> rows);
  memory.fill(mean, 0, columns * 8);
  memory.fill(variance, 0, columns * 8);
  for (let i = 0; i < rows; i += 4) {
    const some = min(4, rows - i);
    for (let c = 0; c < columns; c += 4) {
      const first = v128.load(x + c * 4);
      let from = x + i * row + c * 4;
      let d = f32x4.sub(v128.load(from), first);
      let sum = d, squares = f32x4.mul(d, d);
      // Written out for four rows, the common case; a loop over so few takes twice as long.
      if (some == 4) {
        d = f32x4.sub(v128.load(from += row), first), sum = f32x4.add(sum, d), squares = plusSquare(squares, d);
        d = f32x4.sub(v128.load(from += row), first), sum = f32x4.add(sum, d), squares = plusSquare(squares, d);
        d = f32x4.sub(v128.load(from += row), first), sum = f32x4.add(sum, d), squares = plusSquare(squares, d);
      } else {
        for (let r = 1; r < some; r++) {
          d = f32x4.sub(v128.load(from += row), first), sum = f32x4.add(sum, d), squares = plusSquare(squares, d);
        }
      }
      addWide(mean + c * 8, sum);
      addWide(variance + c * 8, squares);
    }
  }
  for (let c = 0; c < columns; c += 2) {
    const d = f64x2.div(v128.load(mean + c * 8), n);
    const squares = f64x2.div(v128.load(variance + c * 8), n);
    v128.store(mean + c * 8, f64x2.add(f64x2.promote_low_f32x4(v128.load64_zero(x + c * 4)), d));
    const difference = f64x2.sub(squares, f64x2.mul(d, d));
    v128.store(variance + c * 8, f64x2.max(difference, f64x2.splat(0)));
  }
}

// @ts-ignore: decorator
@inline
function plusSquare(squares: v128, d: v128): v128 {
  return f32x4.add(squares, f32x4.mul(d, d));
}

/** Adds four numbers to four sums of f64. */
// @ts-ignore: decorator
@inline
function addWide(to: usize, values: v128): void {
  const high = v128.shuffle<i32>(values, values, 2, 3, 2, 3);
  v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(values)));
  v128.store(to, f64x2.add(v128.load(to, 16), f64x2.promote_low_f32x4(high)), 16);
}

// ---- Forward ----

/**
 * `channels`: weight, bias, mean and variance of each channel, and room for deviation = √(variance + eps).
 * normalized = (x − mean) / deviation, y = weight · normalized + bias.
 */
export function normalizeF64(
  x: usize, rows: i32, columns: i32, eps: f64, channels: usize, normalized: usize, y: usize,
): void {
  const row = columns * 8;
  const weight = channels, bias = weight + row, mean = bias + row, variance = mean + row, deviation = variance + row;
  deviate(variance, eps, columns, deviation);
  for (let i = 0; i < rows; i++, x += row, normalized += row, y += row) {
    for (let c = 0; c < row; c += 16) {
      const value = f64x2.div(f64x2.sub(v128.load(x + c), v128.load(mean + c)), v128.load(deviation + c));
      v128.store(normalized + c, value);
      v128.store(y + c, f64x2.add(f64x2.mul(v128.load(weight + c), value), v128.load(bias + c)));
    }
  }
}

/** In float32 times the reciprocal of the deviation, as PyTorch does: a division takes three times as long. */
export function normalizeF32(
  x: usize, rows: i32, columns: i32, eps: f64, channels: usize, normalized: usize, y: usize, scratch: usize,
): void {
  const wide = columns * 8, row = columns * 4;
  const mean = channels + 2 * wide, variance = mean + wide, deviation = variance + wide;
  deviate(variance, eps, columns, deviation);
  // Mean, reciprocal, weight and bias of four channels lie side by side: one address serves them all.
  for (let c = 0; c < columns; c++) {
    const to = scratch + (c >> 2) * 64 + (c & 3) * 4;
    store<f32>(to, <f32>load<f64>(mean + c * 8));
    store<f32>(to, <f32>(1 / load<f64>(deviation + c * 8)), 16);
    store<f32>(to, <f32>load<f64>(channels + c * 8), 32);
    store<f32>(to, <f32>load<f64>(channels + wide + c * 8), 48);
  }
  let i = 0;
  for (; i + 2 <= rows; i += 2) {
    for (const end = x + row; x < end; x += 16, normalized += 16, y += 16, scratch += 64) {
      normalizeFour(x, scratch, normalized, y);
      normalizeFour(x + row, scratch, normalized + row, y + row);
    }
    x += row, normalized += row, y += row;
    scratch -= row * 4;
  }
  if (i < rows) {
    for (const end = x + row; x < end; x += 16, normalized += 16, y += 16, scratch += 64) {
      normalizeFour(x, scratch, normalized, y);
    }
  }
}

// @ts-ignore: decorator
@inline
function normalizeFour(x: usize, channels: usize, normalized: usize, y: usize): void {
  const value = f32x4.mul(f32x4.sub(v128.load(x), v128.load(channels)), v128.load(channels, 16));
  v128.store(normalized, value);
  v128.store(y, f32x4.add(f32x4.mul(v128.load(channels, 32), value), v128.load(channels, 48)));
}

function deviate(variance: usize, eps: f64, columns: i32, deviation: usize): void {
  for (let c = 0; c < columns * 8; c += 16) {
    v128.store(deviation + c, f64x2.sqrt(f64x2.add(v128.load(variance + c), f64x2.splat(eps))));
  }
}

// ---- Backward ----

/** gradWeight = Σ normalized · g and gradBias = Σ g of each column, in float64, one row after the other. */
export function gradientSumsF64(
  g: usize,
  normalized: usize,
  rows: i32,
  columns: i32,
  gradWeight: usize,
  gradBias: usize,
): void {
  const row = columns * 8;
  memory.fill(gradWeight, 0, row);
  memory.fill(gradBias, 0, row);
  for (let i = 0; i < rows; i += 4, g += 4 * row, normalized += 4 * row) {
    const some = min(4, rows - i);
    for (let c = 0; c < row; c += 16) {
      let weight = v128.load(gradWeight + c), bias = v128.load(gradBias + c);
      for (let r = 0, at = c; r < some; r++, at += row) {
        const value = v128.load(g + at);
        weight = f64x2.add(weight, f64x2.mul(v128.load(normalized + at), value));
        bias = f64x2.add(bias, value);
      }
      v128.store(gradWeight + c, weight);
      v128.store(gradBias + c, bias);
    }
  }
}

/** In float32, sums over four rows are float32, and over those float64. */
export function gradientSumsF32(
  g: usize,
  normalized: usize,
  rows: i32,
  columns: i32,
  gradWeight: usize,
  gradBias: usize,
): void {
  const row = columns * 4;
  memory.fill(gradWeight, 0, columns * 8);
  memory.fill(gradBias, 0, columns * 8);
  for (let i = 0; i < rows; i += 4, g += 4 * row, normalized += 4 * row) {
    const some = min(4, rows - i);
    for (let c = 0; c < columns; c += 4) {
      let from = g + c * 4, beside = normalized + c * 4;
      let value = v128.load(from);
      let bias = value, weight = f32x4.mul(v128.load(beside), value);
      if (some == 4) {
        value = v128.load(from += row), bias = f32x4.add(bias, value), weight = plusProduct(weight, beside += row, value);
        value = v128.load(from += row), bias = f32x4.add(bias, value), weight = plusProduct(weight, beside += row, value);
        value = v128.load(from += row), bias = f32x4.add(bias, value), weight = plusProduct(weight, beside += row, value);
      } else {
        for (let r = 1; r < some; r++) {
          value = v128.load(from += row), bias = f32x4.add(bias, value), weight = plusProduct(weight, beside += row, value);
        }
      }
      addWide(gradWeight + c * 8, weight);
      addWide(gradBias + c * 8, bias);
    }
  }
}

// @ts-ignore: decorator
@inline
function plusProduct(sum: v128, normalized: usize, value: v128): v128 {
  return f32x4.add(sum, f32x4.mul(v128.load(normalized), value));
}

/**
 * `channels`: weight, deviation, gradWeight and gradBias of each channel.
 * gradInput = weight/deviation · (g − gradBias/n − normalized · gradWeight/n).
 */
// @ts-ignore: decorator
@inline
function propagate<T>(
  g: usize, normalized: usize, rows: i32, columns: i32, n: f64, channels: usize, gradInput: usize, scratch: usize,
): void {
  const row = columns * sizeof<T>(), wide = columns * 8, lanes = 16 / sizeof<T>();
  // What belongs to the channels of one register lies side by side: one address serves them all.
  for (let c = 0; c < columns; c++) {
    const to = scratch + (c / lanes) * 48 + (c % lanes) * sizeof<T>(), from = channels + c * 8;
    store<T>(to, <T>(load<f64>(from + 3 * wide) / n));
    store<T>(to, <T>(load<f64>(from + 2 * wide) / n), 16);
    store<T>(to, <T>(load<f64>(from) / load<f64>(from + wide)), 32);
  }
  let i = 0;
  for (; i + 2 <= rows; i += 2) {
    for (const end = g + row; g < end; g += 16, normalized += 16, gradInput += 16, scratch += 48) {
      propagateVector<T>(g, normalized, scratch, gradInput);
      propagateVector<T>(g + row, normalized + row, scratch, gradInput + row);
    }
    g += row, normalized += row, gradInput += row;
    scratch -= 3 * row;
  }
  if (i < rows) {
    for (const end = g + row; g < end; g += 16, normalized += 16, gradInput += 16, scratch += 48) {
      propagateVector<T>(g, normalized, scratch, gradInput);
    }
  }
}

// @ts-ignore: decorator
@inline
function propagateVector<T>(g: usize, normalized: usize, channels: usize, gradInput: usize): void {
  const centered = sub<T>(v128.load(g), v128.load(channels));
  const slope = mul<T>(v128.load(normalized), v128.load(channels, 16));
  v128.store(gradInput, mul<T>(v128.load(channels, 32), sub<T>(centered, slope)));
}

export function propagateF32(
  g: usize, normalized: usize, rows: i32, columns: i32, n: f64, channels: usize, gradInput: usize, scratch: usize,
): void {
  propagate<f32>(g, normalized, rows, columns, n, channels, gradInput, scratch);
}

export function propagateF64(
  g: usize, normalized: usize, rows: i32, columns: i32, n: f64, channels: usize, gradInput: usize, scratch: usize,
): void {
  propagate<f64>(g, normalized, rows, columns, n, channels, gradInput, scratch);
}

// @ts-ignore: decorator
@inline
function sub<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 4 ? f32x4.sub(a, b) : f64x2.sub(a, b);
}

// @ts-ignore: decorator
@inline
function mul<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 4 ? f32x4.mul(a, b) : f64x2.mul(a, b);
}
