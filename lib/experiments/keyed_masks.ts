/**
 * Masks that are a function of seed, layer, step and element, beside masks from a stream with a state: drawn in
 * pieces, drawn again in the backward pass, and drawn after a restart.
 * @module
 */

import {
  checkDropProbability,
  defaultRng,
  drawMask,
  type Generator,
  InvertedDropout,
  invertedDropoutBackward,
  iterationSeed,
  KeyedStream,
  Layer,
  Linear,
  Mask,
  mseLoss,
  type Parameter,
  type RandomStream,
  ReLU,
  Sequential,
  SGD,
  type Shape,
  type Tensor,
} from "../mod.ts";
import { formatShape, sameShape } from "../tensor/tensor.ts";
import type { SeedCollision } from "./reproducibility.ts";
import { type Data, sampleData } from "./two_layer_net.ts";

/** Elements `start` to `end` − 1 of a tensor in row-major order: what one worker computes. */
export interface Chunk {
  /** The first element. */
  start: number;
  /** One past the last element. */
  end: number;
}

/**
 * Cuts `n` elements at random places, and hands the pieces out in random order, as workers would finish them.
 *
 * @param n How many elements, at least 1.
 * @param pieces How many pieces, from 1 to `n`.
 * @throws {RangeError} if `pieces` is not an integer in [1, n].
 */
export function shuffledChunks(n: number, pieces: number, rng: Generator): Chunk[] {
  if (!Number.isInteger(pieces) || pieces < 1 || pieces > n) {
    throw new RangeError(`${n} elements can be cut into 1 to ${n} pieces, got ${pieces}`);
  }
  const places = shuffled(Array.from({ length: n - 1 }, (_, i) => i + 1), rng);
  const edges = [0, ...places.slice(0, pieces - 1), n].sort((a, b) => a - b);
  return shuffled(edges.slice(1).map((end, i) => ({ start: edges[i], end })), rng);
}

/** Fisher and Yates: every order is equally likely. */
function shuffled<T>(items: T[], rng: Generator): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = rng.integers(0, i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}

/**
 * Draws a mask piece by piece, in the order of the chunks.
 *
 * @param shape Shape of the whole mask.
 * @param p Drop probability, in [0, 1].
 * @param chunks Which elements, together all of them.
 * @param streamFor The stream that draws a chunk: a keyed one at the chunk's place, or one that all of them share.
 */
export function drawInChunks(
  shape: Shape,
  p: number,
  chunks: readonly Chunk[],
  streamFor: (chunk: Chunk) => RandomStream,
): Mask {
  const size = shape.reduce((n, m) => n * m, 1);
  const bits = new Uint8Array(Math.ceil(size / 8));
  for (const chunk of chunks) {
    const piece = drawMask([chunk.end - chunk.start], p, streamFor(chunk));
    for (let i = 0; i < piece.size; i++) {
      bits[(chunk.start + i) >> 3] |= piece.get(i) << ((chunk.start + i) & 7);
    }
  }
  return new Mask(bits, shape);
}

/**
 * The correlation of two masks: 1 if they are equal, about ± 1/√n if they are independent and have n elements.
 *
 * @returns NaN if one of them keeps all elements or none.
 * @throws {TypeError} if their shapes differ.
 */
export function maskCorrelation(a: Mask, b: Mask): number {
  if (!sameShape(a.shape, b.shape)) {
    throw new TypeError(
      `Correlated masks must have one shape, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  let both = 0;
  for (let i = 0; i < a.size; i++) both += a.get(i) & b.get(i);
  const [meanA, meanB] = [a.kept / a.size, b.kept / b.size];
  return (both / a.size - meanA * meanB) / Math.sqrt(meanA * (1 - meanA) * meanB * (1 - meanB));
}

/** One element of a mask with two axes, for a picture. */
export interface MaskCell {
  /** Index along the first axis. */
  row: number;
  /** Index along the second axis. */
  column: number;
  /** True if the element is kept. */
  kept: boolean;
}

/**
 * The elements of a mask, row by row.
 *
 * @throws {TypeError} if the mask does not have two axes.
 */
export function maskCells(mask: Mask): MaskCell[] {
  if (mask.shape.length !== 2) {
    throw new TypeError(`A picture needs a mask with two axes, got shape ${formatShape(mask.shape)}`);
  }
  const columns = mask.shape[1];
  return Array.from(
    { length: mask.size },
    (_, i) => ({ row: Math.floor(i / columns), column: i % columns, kept: mask.get(i) === 1 }),
  );
}

/**
 * All pairs among iterations 0, 1, …, `n` − 1 that derive the same seed from `seed`, the pair that is complete first
 * in front. (Of three iterations with one seed, which hardly ever happens, the two neighbouring pairs.)
 *
 * @throws {RangeError} if `n` is not a non-negative integer.
 */
export function listSeedCollisions(seed: number, n: number): SeedCollision[] {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`The number of iterations must be a non-negative integer, got ${n}`);
  }
  const iterationOf = new Map<number, number>();
  const pairs: SeedCollision[] = [];
  for (let second = 0; second < n; second++) {
    const derivedSeed = iterationSeed(seed, second);
    const first = iterationOf.get(derivedSeed);
    if (first !== undefined) pairs.push({ first, second, derivedSeed });
    iterationOf.set(derivedSeed, second);
  }
  return pairs;
}

/** Which masks a keyed dropout layer draws. */
export interface KeyedDropoutOptions {
  /** An integer in [0, 2⁵³), the same in all layers of a model. */
  seed: number;
  /** A number of its own for each layer, an integer in [0, 2³²). */
  layer: number;
}

/**
 * Inverted dropout whose mask is a function of seed, layer, step and element.
 *
 * It keeps no mask: the backward pass draws it again from its key. The training loop says which step it is.
 */
export class KeyedDropout extends Layer {
  /** Drop probability. */
  readonly p: number;
  /** Which step of the training the next forward pass belongs to, an integer in [0, 2³²). */
  step = 0;
  /** Position of the next input's first element in the whole batch: greater than 0 if the input is a part of it. */
  offset = 0;
  readonly #key: KeyedDropoutOptions;
  #last: { stream: KeyedStream | null; shape: Shape } | undefined;

  /**
   * A layer in training mode, at step 0.
   *
   * @param p Drop probability, in [0, 1).
   * @throws {RangeError} if `p`, the seed or the layer's number is out of range.
   */
  constructor(p: number, { seed, layer }: KeyedDropoutOptions) {
    super();
    checkDropProbability(p, true);
    this.p = p;
    this.#key = { seed, layer };
    this.#stream(); // refuses a wrong key now rather than in the first step
  }

  /** Drops and scales in training mode; returns `x` itself in evaluation mode. */
  override forward(x: Tensor): Tensor {
    const stream = this.training ? this.#stream() : null;
    this.#last = { stream, shape: x.shape };
    return this.#through(x, stream);
  }

  /**
   * The gradient for the last input, with its mask drawn once more, even if step, offset or mode have changed since.
   *
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the gradient has not the shape of the last input.
   */
  override backward(gradOutput: Tensor): Tensor {
    if (this.#last === undefined) {
      throw new Error("backward needs a forward pass before it: call forward(x) first");
    }
    const { stream, shape } = this.#last;
    if (!sameShape(gradOutput.shape, shape)) {
      throw new TypeError(
        `The gradient must have the shape of the last forward pass, ${formatShape(shape)}, ` +
          `got ${formatShape(gradOutput.shape)}`,
      );
    }
    return this.#through(gradOutput, stream);
  }

  #stream(): KeyedStream {
    return new KeyedStream({ ...this.#key, step: this.step, offset: this.offset });
  }

  /** Forward and backward are the same map: kept elements are scaled, the others are 0. */
  #through(values: Tensor, stream: KeyedStream | null): Tensor {
    return invertedDropoutBackward(values, stream && drawMask(values.shape, this.p, stream), this.p);
  }
}

/** The kinds of masks that are compared. */
export type MaskSource = "keyed" | "stateful";

/** A training, from the first step to the last. */
export interface TrainingRun {
  /** Where its masks come from: from their keys, or from a stream that each dropout layer seeds when it is made. */
  masks: MaskSource;
  /** True if it was stopped, saved and resumed by a new model. */
  resumed: boolean;
  /** Mean squared error in evaluation mode, before each step and after the last. */
  losses: { step: number; loss: number }[];
  /** All weights and biases after the last step. */
  weights: number[];
}

/** When to stop and resume. */
export interface RestartOptions {
  /** Drop probability of both dropout layers, in [0, 1). Default 0.5. */
  p?: number;
  /** Steps before the checkpoint. Default 60. */
  before?: number;
  /** Steps after it. Default 60. */
  after?: number;
  /** Seed of data, initial weights and masks. Default 42. */
  seed?: number;
  /** Learning rate of plain gradient descent, whose only state is the weights. Default 0.05. */
  lr?: number;
}

/**
 * Trains the same small network four times: with keyed masks and with masks from a stream, each in one go and with a
 * restart from a checkpoint that holds the step and the parameters, as JSON.
 */
export function trainWithRestart(options: RestartOptions = {}): TrainingRun[] {
  const { p = 0.5, before = 60, after = 60, seed = 42, lr = 0.05 } = options;
  const data = sampleData(64, 8, seed);
  return (["keyed", "stateful"] as const).flatMap((masks) => {
    const train = (state: Training, steps: number) => trainSteps(state, data, lr, steps);

    const whole = makeTraining(masks, p, seed);
    const inOneGo = { losses: train(whole, before + after), weights: weightsOf(whole) };

    const stopped = makeTraining(masks, p, seed);
    const first = train(stopped, before);
    const resumed = loadCheckpoint(saveCheckpoint(stopped), makeTraining(masks, p, seed));
    const losses = [...first.slice(0, -1), ...train(resumed, after)];

    return [
      { masks, resumed: false, ...inOneGo },
      { masks, resumed: true, losses, weights: weightsOf(resumed) },
    ];
  });
}

interface Training {
  model: Sequential;
  step: number;
}

/** Inputs 8 → 32 → 1, with dropout in front of both matrices. The weights depend on the seed only. */
function makeTraining(masks: MaskSource, p: number, seed: number): Training {
  const rng = defaultRng([seed, 2]);
  const dropout = (layer: number) =>
    masks === "keyed"
      ? new KeyedDropout(p, { seed, layer })
      : new InvertedDropout(p, { seed: [seed, layer] });
  const layers = [dropout(0), new Linear(8, 32, { rng }), new ReLU(), dropout(1), new Linear(32, 1, { rng })];
  return { model: new Sequential(...layers), step: 0 };
}

/** Whole-batch gradient descent; the losses before each step, and after the last. */
function trainSteps(state: Training, data: Data, lr: number, steps: number): TrainingRun["losses"] {
  const { model } = state;
  const optimizer = new SGD(model.parameters(), { lr });
  const lossNow = () => {
    const { loss } = mseLoss(model.eval().forward(data.x), data.y);
    model.train();
    return { step: state.step, loss };
  };
  const losses = [lossNow()];
  for (let i = 0; i < steps; i++) {
    for (const layer of model.children()) if (layer instanceof KeyedDropout) layer.step = state.step;
    model.backward(mseLoss(model.forward(data.x), data.y).grad);
    optimizer.step();
    state.step++;
    losses.push(lossNow());
  }
  return losses;
}

/** The step and the parameters, and nothing of any stream. JSON keeps every bit of a number but the sign of −0. */
function saveCheckpoint({ model, step }: Training): string {
  const parameters = model.parameters().map(({ name, value }) => [name, Array.from(value.data)]);
  return JSON.stringify({ step, parameters: Object.fromEntries(parameters) });
}

function loadCheckpoint(text: string, fresh: Training): Training {
  const { step, parameters } = JSON.parse(text);
  fresh.model.parameters().forEach(({ name, value }: Parameter) => value.data.set(parameters[name]));
  fresh.step = step;
  return fresh;
}

function weightsOf({ model }: Training): number[] {
  return model.parameters().flatMap(({ value }) => Array.from(value.data));
}
