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
}
