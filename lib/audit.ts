/**
 * A check before deployment: is the model in evaluation mode, and does it give the same output twice?
 * @module
 */

import { DropoutLayer } from "./dropout/layer.ts";
import { Layer } from "./layer.ts";
import { Tensor } from "./tensor/mod.ts";
import { describe, formatShape, sameShape } from "./tensor/tensor.ts";

/** How to audit. */
export interface AuditOptions {
  /** How many forward passes to compare, at least 2. Default 2. */
  runs?: number;
}

/** A layer, and where it stands in the model. */
export interface AuditedLayer {
  /** Indices among the children, from the outside in: "0.2" is child 2 of child 0; "" is the model itself. */
  path: string;
  /** Name of its class. */
  name: string;
}

/** The first element in which two passes differ. */
export interface PassDifference {
  /** Which pass differs from the first, counted from 1. */
  run: number;
  /** Where in the output: one index for each axis. */
  index: number[];
  /** The element in the first pass. */
  first: number;
  /** The element in the pass that differs. */
  later: number;
}

/** What an audit found. */
export interface AuditReport {
  /** True if no layer is in training mode, none can be random, and all passes agree. */
  ok: boolean;
  /** The layers in training mode. */
  stillTraining: AuditedLayer[];
  /** The layers that can be random in their present mode: dropout layers in training, with p in (0, 1). */
  random: AuditedLayer[];
  /** The forward passes. */
  repeated: {
    /** How many were compared. */
    runs: number;
    /** True if they agree bit for bit (any NaN equals any other). */
    same: boolean;
    /** Where they differ first; `null` if they agree. */
    difference: PassDifference | null;
  };
  /** The report for people, one finding per line. */
  summary: string[];
}

/**
 * Audits a model in its present mode: it lists the layers that are still training and those that can be random, and
 * compares forward passes bit for bit.
 *
 * Afterwards the model is as before: modes are not touched, each pass gets a copy of `x`, and what passes change is put
 * back: the random streams and masks of dropout layers, and `runningMean`, `runningVar` and `numBatchesTracked`.
 *
 * What it cannot see: dropout that a `forward` applies as a function, or any other draw there. Only the passes can
 * catch that, by chance, and they advance a stream that no dropout layer owns. What it cannot put back: the input that
 * another layer keeps for its backward pass, so that `backward` needs a forward pass after an audit. What it does not
 * check: that the weights are those that training ended with.
 *
 * @param model Any layer; the layers in it are those that `children()` tells.
 * @param x An input with elements in its output.
 * @returns A report; nothing is thrown if the model fails.
 * @throws {RangeError} if `runs` is not an integer of at least 2, or the output is empty.
 * @throws {TypeError} if the model is not a layer, `x` is not a tensor, or the output changes its shape.
 */
export function auditModel(model: Layer, x: Tensor, options: AuditOptions = {}): AuditReport {
  const { runs = 2 } = options;
  check(model, x, runs);
  const layers = [...walk(model, [])];
  const stillTraining = layers.filter(({ layer }) => layer.training).map(identify);
  const random = layers.filter(({ layer }) => canBeRandom(layer)).map(identify);
  const difference = withoutTrace(layers.map(({ layer }) => layer), () => comparePasses(model, x, runs));
  const found = { stillTraining, random, repeated: { runs, same: difference === null, difference } };
  const ok = stillTraining.length === 0 && random.length === 0 && difference === null;
  return { ok, ...found, summary: ok ? [praise(layers.length, runs)] : complaints(found) };
}

interface PlacedLayer {
  layer: Layer;
  path: number[];
}

function* walk(layer: Layer, path: number[]): Generator<PlacedLayer, void, undefined> {
  yield { layer, path };
  for (const [i, child] of layer.children().entries()) yield* walk(child, [...path, i]);
}

function identify({ layer, path }: PlacedLayer): AuditedLayer {
  return { path: path.join("."), name: layer.constructor.name };
}

function canBeRandom(layer: Layer): boolean {
  return layer instanceof DropoutLayer && layer.training && layer.p > 0 && layer.p < 1;
}

/** Passes the input through the model `runs` times; the first difference from the first pass, or `null`. */
function comparePasses(model: Layer, x: Tensor, runs: number): PassDifference | null {
  const first = model.forward(x.clone()).clone(); // a model may write all its outputs to the same memory
  if (first.size === 0) throw new RangeError("An audit needs an output to compare, got one without elements");
  for (let run = 2; run <= runs; run++) {
    const later = model.forward(x.clone());
    if (!sameShape(later.shape, first.shape)) {
      throw new TypeError(
        `Passes with the same input must give the same shape, got ${formatShape(first.shape)}, ` +
          `then ${formatShape(later.shape)}`,
      );
    }
    const at = first.data.findIndex((value, i) => !Object.is(value, later.data[i]));
    if (at >= 0) {
      return { run, index: unravel(at, first), first: first.data[at], later: later.data[at] };
    }
  }
  return null;
}

/** The index, one number for each axis, of the element at a flat index. */
function unravel(flat: number, { shape }: Tensor): number[] {
  const index: number[] = [];
  for (const length of shape.toReversed()) {
    index.unshift(flat % length);
    flat = Math.floor(flat / length);
  }
  return index;
}

/** Runs `f`, and puts back what its forward passes changed in the layers, also if it throws. */
function withoutTrace<T>(layers: readonly Layer[], f: () => T): T {
  const restore = layers.map((layer) =>
    layer instanceof DropoutLayer ? layer.snapshot() : snapshotStatistics(layer)
  );
  try {
    return f();
  } finally {
    restore.forEach((back) => back());
  }
}

/** What batch normalization changes in each forward pass while training, under the names that it has everywhere. */
interface RunningStatistics {
  runningMean?: unknown;
  runningVar?: unknown;
  numBatchesTracked?: unknown;
}

function snapshotStatistics(layer: Layer & RunningStatistics): () => void {
  const names = ["runningMean", "runningVar"] as const;
  const copies = names.map((name) => layer[name] instanceof Tensor ? layer[name].clone() : null);
  const { numBatchesTracked } = layer;
  return () => {
    names.forEach((name, i) => {
      const [now, before] = [layer[name], copies[i]];
      if (now instanceof Tensor && before !== null) now.data.set(before.data);
    });
    if (typeof numBatchesTracked === "number") layer.numBatchesTracked = numBatchesTracked;
  };
}

function praise(layers: number, runs: number): string {
  return `ok: ${layers} ${layers === 1 ? "layer" : "layers"} in evaluation mode, none random, ` +
    `${runs} passes agree bit for bit`;
}

function complaints({ stillTraining, random, repeated }: Omit<AuditReport, "ok" | "summary">): string[] {
  const lines: string[] = [];
  if (stillTraining.length > 0) lines.push(`still training (eval() is missing): ${list(stillTraining)}`);
  if (random.length > 0) lines.push(`random in this mode: ${list(random)}`);
  const { difference, runs } = repeated;
  if (difference === null) return [...lines, `${runs} passes agree bit for bit`];
  const { run, index, first, later } = difference;
  const hidden = random.length === 0
    ? "; no dropout layer explains it: a forward draws, or remembers, by itself"
    : "";
  lines.push(
    `pass ${run} differs from pass 1, first at [${index.join(", ")}]: ${first}, then ${later}${hidden}`,
  );
  return lines;
}

function list(layers: readonly AuditedLayer[]): string {
  return layers.map(({ path, name }) => path === "" ? `the model (${name})` : `${path} (${name})`).join(", ");
}

function check(model: unknown, x: unknown, runs: unknown): void {
  if (!(model instanceof Layer)) throw new TypeError(`An audit needs a layer, got ${describe(model)}`);
  if (!(x instanceof Tensor)) {
    throw new TypeError(`An audit needs a Tensor to pass through the model, got ${describe(x)}`);
  }
  if (!Number.isInteger(runs) || (runs as number) < 2) {
    throw new RangeError(
      `To compare passes, runs must be an integer of at least 2, got ${describe(runs)}`,
    );
  }
}
