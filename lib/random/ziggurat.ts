/**
 * Normal numbers by the ziggurat method, with the tables of NumPy's Generator.
 *
 * The tables are computed, not copied: 256 layers of equal area under the normal curve.
 * Source: G. Marsaglia and W. W. Tsang, J. Stat. Software 5 (2000); NumPy, `random_standard_normal`.
 * @module
 */

import type { FloatArray } from "../tensor/mod.ts";
import { type PCG64, toDouble } from "./pcg64.ts";

const LAYERS = 256;
/** Where the tail begins. */
const TAIL = 3.6541528853610087963519472518;
const TAIL_INVERSE = 0.27366123732975827203338247596;
/** Area of each layer. */
const AREA = 0.0049286732339746519;
const SCALE = 2 ** 52;

interface Tables {
  /** Inside layer i, x is accepted at once while its integer part lies below this. */
  accept: Float64Array;
  /** Width of layer i, divided by 2⁵². */
  width: Float64Array;
  /** Height of the curve at the right edge of layer i. */
  height: Float64Array;
}

/** Where outputs of 64 bits come from. */
export interface WordSource {
  /** The two words of the next output. */
  nextWords(): { high: number; low: number };
  /** The next output as a number in [0, 1). */
  nextDouble(): number;
  /** How many outputs will be taken at least, for a source that draws ahead. */
  needed?: number;
}

/** Outputs that are drawn ahead at a time. */
const AHEAD = 4096;

let cached: Tables | undefined;

/** Fills an array with normal numbers, as one `standardNormal` after the other would give them. */
export function fillStandardNormal(source: WordSource, out: FloatArray): void {
  for (let i = 0; i < out.length; i++) {
    source.needed = out.length - i; // each takes an output or more, so that so many are never too many
    out[i] = standardNormal(source);
  }
}

/** A number with mean 0 and variance 1, from one output of 64 bits in 99 % of all draws. */
export function standardNormal(bits: WordSource): number {
  const { accept, width, height } = cached ??= makeTables();
  for (;;) {
    const { high, low } = bits.nextWords();
    const layer = low & 0xff;
    const negative = (low & 0x100) !== 0;
    const magnitude = (high % 0x20000000) * 0x800000 + (low >>> 9); // bits 9 to 60
    const x = magnitude * width[layer];
    if (magnitude < accept[layer]) return negative ? -x : x;
    if (layer === 0) return tail(bits, (magnitude & 0x100) !== 0);
    const y = (height[layer - 1] - height[layer]) * bits.nextDouble() + height[layer];
    if (y < Math.exp(-0.5 * x * x)) return negative ? -x : x;
  }
}

/** Beyond the last layer: Marsaglia's exponential rejection. */
function tail(bits: WordSource, negative: boolean): number {
  for (;;) {
    const x = -TAIL_INVERSE * Math.log1p(-bits.nextDouble());
    const y = -Math.log1p(-bits.nextDouble());
    if (y + y > x * x) return negative ? -(TAIL + x) : TAIL + x;
  }
}

/** Outputs in bulk: no more than are needed, so that the bit generator ends where it would without them. */
export class DrawnAhead implements WordSource {
  /** How many outputs will be taken at least. */
  needed = 0;
  readonly #bits: PCG64;
  readonly #words: Uint32Array;
  #end = 0;
  #next = 0;

  /** Outputs of `bits`; `most` are wanted in all, fewer are drawn at a time. */
  constructor(bits: PCG64, most: number) {
    this.#bits = bits;
    this.#words = new Uint32Array(2 * Math.min(most, AHEAD));
  }

  /** The next output. */
  nextWords(): { high: number; low: number } {
    if (this.#next === this.#end) this.#draw();
    const low = this.#words[this.#next++];
    return { high: this.#words[this.#next++], low };
  }

  /** The next output as a number in [0, 1). */
  nextDouble(): number {
    const { high, low } = this.nextWords();
    return toDouble(high, low);
  }

  #draw(): void {
    const words = this.#words.subarray(0, 2 * this.needed);
    if (!this.#bits.fillWords(words)) {
      for (let i = 0; i < words.length; i += 2) {
        const { high, low } = this.#bits.nextWords();
        words[i] = low;
        words[i + 1] = high;
      }
    }
    this.#next = 0;
    this.#end = words.length;
  }
}

/** The layers' right edges, from the tail inwards; each adds AREA under the curve. */
function makeTables(): Tables {
  const edge = new Float64Array(LAYERS);
  edge[LAYERS - 1] = TAIL;
  for (let i = LAYERS - 2; i > 0; i--) {
    edge[i] = Math.sqrt(-2 * Math.log(density(edge[i + 1]) + AREA / edge[i + 1]));
  }
  const accept = edge.map((x, i) => i < 2 ? 0 : roundHalfEven((edge[i - 1] / x) * SCALE));
  const width = edge.map((x) => x / SCALE);
  const height = edge.map(density);
  // Layer 0 is a rectangle as wide as its area asks, with the tail on top of what lies beyond TAIL.
  accept[0] = roundHalfEven((TAIL * density(TAIL) / AREA) * SCALE);
  width[0] = AREA / density(TAIL) / SCALE;
  height[0] = 1;
  return { accept, width, height };
}

/** exp(−x²/2). NumPy's table has one value that is rounded the other way; all inner layers depend on it. */
function density(x: number): number {
  const y = Math.exp(-0.5 * x * x);
  return y === 0.6773880362187734 ? 0.6773880362187735 : y;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
