/**
 * The compiled kernels, and how arrays reach them: those of a workspace lie in WebAssembly memory already, all others
 * are copied through it.
 * @module
 */

import type { Address, KernelFunctions } from "./kernel_signatures.ts";
import { KERNELS } from "./compiled_kernels.ts";

/** Numbers that kernels work on. */
export type FloatArray = Float32Array | Float64Array;

/** What kernels take: numbers, bits and states. */
export type KernelArray = FloatArray | Uint8Array | Uint32Array;

/** An array that a kernel reads, writes, or both. */
export interface Operand {
  /** The array. */
  readonly array: KernelArray;
  /** True if the kernel reads it. */
  readonly reads: boolean;
  /** True if the kernel writes all of it. */
  readonly writes: boolean;
}

/** An operand that is read. */
export function input(array: KernelArray): Operand {
  return { array, reads: true, writes: false };
}

/** An operand that is written. */
export function output(array: KernelArray): Operand {
  return { array, reads: false, writes: true };
}

/** An operand that is read and written. */
export function update(array: KernelArray): Operand {
  return { array, reads: true, writes: true };
}

const PAGE = 65536;
/** The first page is the module's own. Behind it, operands that are copied through. */
const STAGE: Address = PAGE;
const STAGE_BYTES = 4 * PAGE;
/** Behind that, what single kernels need besides: packed panels of matrices. */
export const PANELS: Address = STAGE + STAGE_BYTES;
const PANEL_BYTES = 32 * PAGE;
/** Where the arrays of a workspace start, or operands that are too large for the stage. */
export const FIRST_ADDRESS: Address = PANELS + PANEL_BYTES;
/** Arrays start at multiples of a cache line. */
const ALIGNMENT = 64;
/** More than this is not copied through: a memory that has grown stays large. */
const MOST_STAGED = 2 ** 29;

/** The kernels, with a memory of their own. */
export class Kernels {
  /** The kernels themselves. */
  readonly functions: KernelFunctions;
  readonly #memory: WebAssembly.Memory;
  /** The memory's bytes, another object after it has grown. To ask the memory each time would take longer. */
  #buffer: ArrayBufferLike;
  readonly #mayGrow: boolean;

  /** Binds the kernels to a memory of at least `FIRST_ADDRESS` bytes. */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, mayGrow = false) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.functions = exports as unknown as KernelFunctions;
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#mayGrow = mayGrow;
  }

  /** True if the array lies in this memory, so that kernels can take it where it is. */
  holds(array: KernelArray): boolean {
    return array.buffer === this.#buffer;
  }

  /**
   * Hands operands to a kernel: those in this memory where they are, copies of the others.
   *
   * @param kernel Called with the operands' addresses, in their order. May return false before it has written anything:
   *   then the operands stay as they were.
   * @returns What the kernel returned.
   */
  call(operands: readonly Operand[], kernel: (...at: Address[]) => void | false): boolean {
    let free = this.#stageFor(operands);
    const at: Address[] = [];
    const results: [KernelArray, KernelArray][] = [];
    for (const { array, reads, writes } of operands) {
      if (this.holds(array)) {
        at.push(array.byteOffset);
        continue;
      }
      const copy = this.#copyOf(array, free);
      if (reads) copy.set(array);
      if (writes) results.push([array, copy]);
      at.push(free);
      free = aligned(free + array.byteLength);
    }
    if (kernel(...at) === false) return false;
    for (const [array, copy] of results) array.set(copy);
    return true;
  }

  /** The float64 numbers at an address, while a kernel's operands are in memory. */
  numbersAt(address: Address, n: number): Float64Array {
    return new Float64Array(this.#buffer, address, n);
  }

  /** How many bytes of these arrays lie elsewhere and would have to be copied. */
  missing(arrays: readonly KernelArray[]): number {
    let bytes = 0;
    for (const array of arrays) bytes += this.#bytesMissing(array);
    return bytes;
  }

  #bytesMissing(array: KernelArray): number {
    return this.holds(array) ? 0 : aligned(array.byteLength);
  }

  /** Where copies of operands may start; grows the memory if need be. */
  #stageFor(operands: readonly Operand[]): Address {
    let bytes = 0;
    for (const { array } of operands) bytes += this.#bytesMissing(array);
    if (bytes <= STAGE_BYTES) return STAGE;
    if (!this.#mayGrow) throw new RangeError(`Operands of ${bytes} bytes do not fit into the stage`);
    const missing = FIRST_ADDRESS + bytes - this.#buffer.byteLength;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / PAGE));
      this.#buffer = this.#memory.buffer;
    }
    return FIRST_ADDRESS;
  }

  /** Scratch memory in the guise of an array. */
  #copyOf(array: KernelArray, address: Address): KernelArray {
    const Copy = array.constructor as new (
      buffer: ArrayBufferLike,
      start: number,
      length: number,
    ) => KernelArray;
    return new Copy(this.#buffer, address, array.length);
  }
}

// ---- Which kernels ----

let module: WebAssembly.Module | null | undefined;
let shared: Kernels | undefined;
let isEnabled = true;
const owners = new WeakMap<ArrayBufferLike, Kernels>();

/**
 * The kernels that can work on these arrays: those of the workspace that one of them lies in, else the ones that
 * everybody shares.
 *
 * @returns `undefined` where SIMD is missing or switched off, or if too much would have to be copied.
 */
export function kernelsFor(...arrays: readonly KernelArray[]): Kernels | undefined {
  const owner = ownerOf(arrays);
  if (owner !== undefined && owner.missing(arrays) <= STAGE_BYTES) return owner;
  const kernels = sharedKernels();
  return kernels !== undefined && kernels.missing(arrays) <= MOST_STAGED ? kernels : undefined;
}

/** The same for arrays of any size, which are handed over in pieces that fit into the stage. */
export function kernelsForPieces(...arrays: readonly KernelArray[]): Kernels | undefined {
  return ownerOf(arrays) ?? sharedKernels();
}

/** The kernels of the first workspace that one of these arrays lies in. */
function ownerOf(arrays: readonly KernelArray[]): Kernels | undefined {
  if (!isEnabled) return undefined;
  for (const { buffer } of arrays) {
    const owner = owners.get(buffer);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function sharedKernels(): Kernels | undefined {
  const module = isEnabled ? compiled() : null;
  if (module === null) return undefined;
  return shared ??= new Kernels(module, new WebAssembly.Memory({ initial: FIRST_ADDRESS / PAGE }), true);
}

/** Lets kernels find the arrays of this memory. */
export function adopt(memory: WebAssembly.Memory): void {
  const module = compiled();
  if (module !== null) owners.set(memory.buffer, new Kernels(module, memory));
}

/** Runs the readable TypeScript path instead of the kernels, until `work` returns. */
export function withoutSimd<T>(work: () => T): T {
  const before = isEnabled;
  isEnabled = false;
  try {
    return work();
  } finally {
    isEnabled = before;
  }
}

/** The module, compiled at its first use; `null` if this machine or engine has no SIMD. */
function compiled(): WebAssembly.Module | null {
  if (module === undefined) {
    const bytes = Uint8Array.from(atob(KERNELS), (character) => character.charCodeAt(0));
    module = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  }
  return module;
}

/** The next address that is a multiple of a cache line. */
export function aligned(address: Address): Address {
  return address + (-address & (ALIGNMENT - 1));
}
