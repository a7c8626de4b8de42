/**
 * SeedSequence: spreads a seed over as many words as a bit generator needs, and makes independent children.
 *
 * Source: NumPy, `numpy/random/bit_generator.pyx`, after M. E. O'Neill's `seed_seq` (2015).
 * @module
 */

import { checkInteger, describe } from "../check.ts";
import { entropyWords, type Seed, toSeedInteger } from "./seed.ts";

const POOL_SIZE = 4;

/** A seed and the position of a stream in the tree of its children. */
export class SeedSequence {
  /** The seed; if none was given, 128 bits from the operating system, so that the run can be repeated. */
  readonly entropy: bigint | readonly bigint[];
  /** Which child of a child … of the root this is. */
  readonly spawnKey: readonly number[];
  /** How many children have been spawned. */
  childrenSpawned = 0;
  readonly #pool: Uint32Array;

  /**
   * Mixes the seed.
   *
   * @param seed Non-negative integers; by default fresh entropy.
   * @param spawnKey For children; see `spawn`.
   * @throws {RangeError | TypeError} if the seed is negative, fractional, inexact or not a number.
   */
  constructor(seed?: Seed, spawnKey: readonly number[] = []) {
    this.entropy = seed === undefined
      ? entropyWords(POOL_SIZE).reduce((all, word) => (all << 32n) | BigInt(word), 0n)
      : Array.isArray(seed)
      ? seed.map(toSeedInteger)
      : toSeedInteger(seed);
    if (!Array.isArray(spawnKey)) {
      throw new TypeError(`A spawn key must be an array, got ${describe(spawnKey)}`);
    }
    this.spawnKey = [...spawnKey];
    this.#pool = mixEntropy(assemble(this.entropy, spawnKey));
  }

  /** `count` words of 32 bits that depend on every bit of the seed. */
  generateState(count: number): Uint32Array {
    checkInteger("generateState: count", count);
    const words = new Uint32Array(count);
    let hash = 0x8b51f9dd;
    for (let i = 0; i < count; i++) {
      const word = this.#pool[i % POOL_SIZE] ^ hash;
      hash = Math.imul(hash, 0x58f38ded);
      const scrambled = Math.imul(word, hash);
      words[i] = scrambled ^ (scrambled >>> 16);
    }
    return words;
  }

  /** The next `count` children: sequences that share the seed and differ in their key. */
  spawn(count: number): SeedSequence[] {
    checkInteger("spawn: count", count);
    const seed = this.entropy as Seed;
    return Array.from(
      { length: count },
      () => new SeedSequence(seed, [...this.spawnKey, this.childrenSpawned++]),
    );
  }
}

/** The seed as 32-bit words, lowest first, then the key. A key starts after four words, so that no seed equals it. */
function assemble(entropy: bigint | readonly bigint[], spawnKey: readonly number[]): number[] {
  const words = (typeof entropy === "bigint" ? [entropy] : entropy).flatMap(wordsOf);
  if (spawnKey.length > 0) {
    while (words.length < POOL_SIZE) words.push(0);
  }
  return [...words, ...spawnKey];
}

function wordsOf(integer: bigint): number[] {
  const words = [Number(integer & 0xffffffffn)];
  for (let rest = integer >> 32n; rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words;
}

/** Each word of the pool comes to depend on each word of the entropy. */
function mixEntropy(words: readonly number[]): Uint32Array {
  let hash = 0x43b0d7e5;
  const hashed = (value: number) => {
    const word = value ^ hash;
    hash = Math.imul(hash, 0x931e8875);
    const scrambled = Math.imul(word, hash);
    return (scrambled ^ (scrambled >>> 16)) >>> 0;
  };
  const mixed = (x: number, y: number) => {
    const result = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return (result ^ (result >>> 16)) >>> 0;
  };
  const pool = Uint32Array.from({ length: POOL_SIZE }, (_, i) => hashed(words[i] ?? 0));
  for (let from = 0; from < POOL_SIZE; from++) {
    for (let to = 0; to < POOL_SIZE; to++) {
      if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
    }
  }
  for (const word of words.slice(POOL_SIZE)) {
    for (let to = 0; to < POOL_SIZE; to++) pool[to] = mixed(pool[to], hashed(word));
  }
  return pool;
}
