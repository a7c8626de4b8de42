/**
 * Masks that are a function of seed, layer, step and element, beside masks from a stream with a state: drawn in
 * pieces, drawn again in the backward pass, and drawn after a restart.
 * @module
 */

import { checkOptions, formatShape, sameShape } from "../check.ts";
import {
  defaultRng,
  drawMask,
  type Generator,
  InvertedDropout,
  KeyedDropout,
  Linear,
  Mask,
  mseLoss,
  type RandomStream,
  ReLU,
  Sequential,
  SGD,
  type Shape,
} from "../mod.ts";
import { type Data, evaluationLoss, sampleData } from "./two_layer_net.ts";

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
    const piece = drawMask([chunk.end - chunk.start], p, { rng: streamFor(chunk) });
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
  checkOptions("trainWithRestart", options, ["p", "before", "after", "seed", "lr"]);
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
      : new InvertedDropout(p, { rng: defaultRng([seed, layer]) });
  const layers = [dropout(0), new Linear(8, 32, { rng }), new ReLU(), dropout(1), new Linear(32, 1, { rng })];
  return { model: new Sequential(...layers), step: 0 };
}

/** Whole-batch gradient descent; the losses before each step, and after the last. */
function trainSteps(state: Training, data: Data, lr: number, steps: number): TrainingRun["losses"] {
  const { model } = state;
  const optimizer = new SGD(model.parameters(), { lr });
  const lossNow = () => ({ step: state.step, loss: evaluationLoss(model, data) });
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

/** The step and the parameters, and nothing of any stream. */
function saveCheckpoint({ model, step }: Training): string {
  return JSON.stringify({ step, parameters: model.stateDict() });
}

function loadCheckpoint(text: string, fresh: Training): Training {
  const { step, parameters } = JSON.parse(text);
  fresh.model.loadStateDict(parameters);
  fresh.step = step;
  return fresh;
}

function weightsOf({ model }: Training): number[] {
  return model.parameters().flatMap(({ value }) => Array.from(value.data));
}
