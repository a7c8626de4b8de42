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
  /** deviation = √(variance + eps), normalized = (x − mean) / deviation, y = weight · normalized + bias. */
  normalizeF32(
    x: Address,
    rows: number,
    columns: number,
    mean: Address,
    variance: Address,
    eps: number,
    weight: Address,
    bias: Address,
    deviation: Address,
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
  /** out = scale · (g − throughMean − normalized · throughVariance). */
  gradInputF32(
    g: Address,
    normalized: Address,
    rows: number,
    columns: number,
    scale: Address,
    throughMean: Address,
    throughVariance: Address,
    out: Address,
    scratch: Address,
  ): void;
  /** The same in float64. */
  gradInputF64: KernelFunctions["gradInputF32"];
  /** c [m, n] = a [m, k] · b [k, n]. */
  matmulF32(m: number, n: number, k: number, a: Address, b: Address, c: Address, panels: Address): void;
  /** The same in float64. */
  matmulF64: KernelFunctions["matmulF32"];
}
