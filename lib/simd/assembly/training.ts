// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * What a step of training does element by element: the ReLU, its gradient, and Adam.
 */

/** y = max(0, x), NaN for NaN. `y` may be `x`. */
export function reluF32(x: usize, y: usize, n: i32): void {
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) v128.store(y, f32x4.max(zero, v128.load(x)));
  for (; i < n; i++, x += 4, y += 4) store<f32>(y, max<f32>(0, load<f32>(x)));
}

export function reluF64(x: usize, y: usize, n: i32): void {
  const zero = f64x2.splat(0);
  let i = 0;
  for (; i + 2 <= n; i += 2, x += 16, y += 16) v128.store(y, f64x2.max(zero, v128.load(x)));
  for (; i < n; i++, x += 8, y += 8) store<f64>(y, max<f64>(0, load<f64>(x)));
}

/** to = g where y > 0, else +0. `to` may be `g`. */
export function reluGradientF32(g: usize, y: usize, to: usize, n: i32): void {
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, g += 16, y += 16, to += 16) {
    v128.store(to, v128.and(v128.load(g), f32x4.gt(v128.load(y), zero)));
  }
  for (; i < n; i++, g += 4, y += 4, to += 4) store<f32>(to, load<f32>(y) > 0 ? load<f32>(g) : 0);
}

export function reluGradientF64(g: usize, y: usize, to: usize, n: i32): void {
  const zero = f64x2.splat(0);
  let i = 0;
  for (; i + 2 <= n; i += 2, g += 16, y += 16, to += 16) {
    v128.store(to, v128.and(v128.load(g), f64x2.gt(v128.load(y), zero)));
  }
  for (; i < n; i++, g += 8, y += 8, to += 8) store<f64>(to, load<f64>(y) > 0 ? load<f64>(g) : 0);
}

/**
 * g' = g + decay·w, mean = beta1·mean + alpha1·g', square = beta2·square + alpha2·g'·g',
 * w = w − lr·(mean / (√square / root + eps)), each step rounded.
 */
export function adamF32(
  w: usize, g: usize, mean: usize, square: usize, n: i32,
  lr: f32, beta1: f32, alpha1: f32, beta2: f32, alpha2: f32, root: f32, eps: f32, decay: f32,
): void {
  const end = w + (n & ~3) * 4;
  const b1 = f32x4.splat(beta1), a1 = f32x4.splat(alpha1), b2 = f32x4.splat(beta2), a2 = f32x4.splat(alpha2);
  const rate = f32x4.splat(lr), scale = f32x4.splat(root), small = f32x4.splat(eps), penalty = f32x4.splat(decay);
  for (; w < end; w += 16, g += 16, mean += 16, square += 16) {
    const weight = v128.load(w);
    const slope = f32x4.add(v128.load(g), f32x4.mul(penalty, weight));
    const m = f32x4.add(f32x4.mul(b1, v128.load(mean)), f32x4.mul(a1, slope));
    const v = f32x4.add(f32x4.mul(b2, v128.load(square)), f32x4.mul(f32x4.mul(a2, slope), slope));
    v128.store(mean, m);
    v128.store(square, v);
    const size = f32x4.add(f32x4.div(f32x4.sqrt(v), scale), small);
    v128.store(w, f32x4.sub(weight, f32x4.mul(rate, f32x4.div(m, size))));
  }
  for (let i = 0; i < (n & 3); i++, w += 4, g += 4, mean += 4, square += 4) {
    const slope = load<f32>(g) + decay * load<f32>(w);
    const m = beta1 * load<f32>(mean) + alpha1 * slope, v = beta2 * load<f32>(square) + alpha2 * slope * slope;
    store<f32>(mean, m);
    store<f32>(square, v);
    store<f32>(w, load<f32>(w) - lr * (m / (sqrt<f32>(v) / root + eps)));
  }
}
