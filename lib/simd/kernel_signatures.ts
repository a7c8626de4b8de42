/**
 * What the WebAssembly module exports. Addresses are in bytes, `n` counts elements, one bit of `bits` belongs to each.
 * @module
 */

/** An address in WebAssembly memory. */
export type Address = number;

/** The kernels, as `assembly/` defines them. */
export interface KernelFunctions {
  /** Bits of the fast stream: 1 where an element's number of 32 bits lies below the threshold. */
  fastBits(n: number, state: Address, threshold: number, bits: Address): void;
  /** The same bits, and y = scale · x where they are 1, +0 elsewhere. */
  fastDropoutF32(
    x: Address,
    y: Address,
    n: number,
    state: Address,
    threshold: number,
    scale: number,
    bits: Address,
  ): void;
  /** The same in float64. */
  fastDropoutF64: KernelFunctions["fastDropoutF32"];
  /** y = scale · x where the bit is 1, +0 elsewhere. */
  applyBitsF32(x: Address, y: Address, n: number, bits: Address, scale: number): void;
  /** The same in float64. */
  applyBitsF64: KernelFunctions["applyBitsF32"];
  /** The sum in NumPy's order. */
  sumF32(x: Address, n: number): number;
  /** The same in float64. */
  sumF64: KernelFunctions["sumF32"];
  /** The sum of squared distances from the centre, in the same order. */
  squaresF32(x: Address, n: number, center: number): number;
  /** The same in float64. */
  squaresF64: KernelFunctions["squaresF32"];
  /** Mean and biased variance of each column, in float64. */
  momentsF32(x: Address, rows: number, columns: number, mean: Address, variance: Address): void;
  /** The same for float64. */
  momentsF64: KernelFunctions["momentsF32"];
  /**
   * normalized = (x − mean) / √(variance + eps), y = weight · normalized + bias. `channels` holds weight, bias, mean and
   * variance of each channel, and has room for the deviation.
   */
  normalizeF32(
    x: Address,
    rows: number,
    columns: number,
    eps: number,
    channels: Address,
    normalized: Address,
    y: Address,
    scratch: Address,
  ): void;
  /** The same in float64. */
  normalizeF64: KernelFunctions["normalizeF32"];
  /** Σ normalized · g and Σ g of each column, in float64. */
  gradientSumsF32(
    g: Address,
    normalized: Address,
    rows: number,
    columns: number,
    weight: Address,
    bias: Address,
  ): void;
  /** The same for float64. */
  gradientSumsF64: KernelFunctions["gradientSumsF32"];
  /**
   * gradInput = weight/deviation · (g − gradBias/n − normalized · gradWeight/n). `channels` holds weight, deviation,
   * gradWeight and gradBias of each channel.
   */
  propagateF32(
    g: Address,
    normalized: Address,
    rows: number,
    columns: number,
    n: number,
    channels: Address,
    gradInput: Address,
    scratch: Address,
  ): void;
  /** The same in float64. */
  propagateF64: KernelFunctions["propagateF32"];
  /** c [m, n] = a [m, k] · b [k, n]; transposed, a lies in memory as [k, m], b as [n, k]. */
  matmulF32(
    m: number,
    n: number,
    k: number,
    a: Address,
    transposeA: boolean,
    b: Address,
    transposeB: boolean,
    c: Address,
    panels: Address,
  ): void;
  /** The same in float64. */
  matmulF64: KernelFunctions["matmulF32"];
  // Training
  /** y = max(0, x), NaN for NaN. */
  reluF32(x: Address, y: Address, n: number): void;
  /** The same in float64. */
  reluF64: KernelFunctions["reluF32"];
  /** to = g where y > 0, else +0. */
  reluGradientF32(g: Address, y: Address, to: Address, n: number): void;
  /** The same in float64. */
  reluGradientF64: KernelFunctions["reluGradientF32"];
  /** A step of Adam: w, mean and square change. */
  adamF32(
    w: Address,
    g: Address,
    mean: Address,
    square: Address,
    n: number,
    lr: number,
    beta1: number,
    alpha1: number,
    beta2: number,
    alpha2: number,
    root: number,
    eps: number,
    decay: number,
  ): void;
  // Random streams
  /** The next block of MT19937. `state` holds 624 words, their outputs, and the place of the next output. */
  mt19937Block(state: Address): void;
  /** Its doubles: PyTorch's if `lowest`, else NumPy's. */
  mt19937Doubles(state: Address, out: Address, n: number, lowest: boolean): void;
  /** PyTorch's floats, from one word each. */
  mt19937Floats(state: Address, out: Address, n: number): void;
  /** Bits: 1 (0 if `inverted`) where the double, times 2⁵³, is at most `last`. */
  mt19937Bits(
    state: Address,
    out: Address,
    n: number,
    last: number,
    inverted: boolean,
    lowest: boolean,
  ): void;
  /** Doubles of PCG64. `state` and `increment` are 128 bits each, lowest first. */
  pcg64Doubles(state: Address, increment: Address, out: Address, n: number): void;
  /** Its outputs of 64 bits. */
  pcg64Words(state: Address, increment: Address, out: Address, n: number): void;
  /** Bits: 1 (0 if `inverted`) where the double, times 2⁵³, is at most `last`. */
  pcg64Bits(
    state: Address,
    increment: Address,
    out: Address,
    n: number,
    last: number,
    inverted: boolean,
  ): void;
  /** Bits by position: 1 where an element's word of Philox4x32-10 is at most `last`. */
  philoxBits(
    key0: number,
    key1: number,
    blockLow: number,
    blockHigh: number,
    step: number,
    layer: number,
    skip: number,
    n: number,
    last: number,
    bits: Address,
  ): void;
}
