/**
 * A check before deployment: is the model in evaluation mode, and does it give the same output twice?
 * @module
 */

import { checkInstance, checkInteger, checkOptions, formatShape, sameShape } from "./check.ts";
import { Layer } from "./layer.ts";
import type { Tensor } from "./tensor/mod.ts";
import { checkTensor } from "./tensor/tensor.ts";

/** How to audit. */
export interface AuditOptions {
  /** How many forward passes to compare, at least 2. Default 2. */
  runs?: number;
}

/** A layer, and where it stands in the model. */
export interface AuditedLayer {
  /** Names from the outside in: "0.2" is child "2" of child "0"; "" is the model itself. */
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
  /** The layers that can be random in their present mode: those in training that draw, as dropout does with p in (0, 1). */
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
 * Afterwards the model is as before, as far as `snapshot()` goes: modes are not touched, and each pass gets a copy of `x`.
 *
 * What it cannot see: dropout that a `forward` applies as a function, or any other draw from a stream that is no property
 * of a layer. Only the passes can catch that, by chance, and they advance that stream. What it does not check: that the
 * weights are those that training ended with.
 *
 * @example
 * ```ts
 * import { auditModel, defaultRng, InvertedDropout, Linear, ones, Sequential } from "./mod.ts";
 *
 * const model = new Sequential(new Linear(4, 8, { rng: defaultRng(1) }), new InvertedDropout(0.5, { seed: 2 }));
 * console.log(auditModel(model, ones([2, 4])).summary); // still training …, random in this mode …
 * console.log(auditModel(model.eval(), ones([2, 4])).ok); // true
 * ```
 *
 * @param model Any layer; the layers in it are those that `namedLayers()` tells.
 * @param x An input with elements in its output.
 * @returns A report; nothing is thrown if the model fails.
 * @throws {RangeError} if `runs` is not an integer of at least 2, or the output is empty.
 * @throws {TypeError} if the model is not a layer, `x` is not a tensor, or the output changes its shape.
 */
export function auditModel(model: Layer, x: Tensor, options: AuditOptions = {}): AuditReport {
  checkInstance("auditModel", model, Layer, "a layer");
  checkTensor("auditModel", x);
  checkOptions("auditModel", options, ["runs"]);
  const { runs = 2 } = options;
  checkInteger("auditModel: runs, to compare passes,", runs, 2);
  const layers = Array.from(model.namedLayers(), ([path, layer]) => ({ path, layer }));
  const training = layers.filter(({ layer }) => layer.training);
  const stillTraining = training.map(identify);
  const random = training.filter(({ layer }) => layer.isRandom).map(identify);
  const difference = withoutTrace(model, () => comparePasses(model, x, runs));
  const found = { stillTraining, random, repeated: { runs, same: difference === null, difference } };
  const ok = stillTraining.length === 0 && random.length === 0 && difference === null;
  return { ok, ...found, summary: ok ? [praise(layers.length, runs)] : complaints(found) };
}

function identify({ path, layer }: { path: string; layer: Layer }): AuditedLayer {
  return { path, name: layer.constructor.name };
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

/** Runs `f`, and puts back what its forward passes changed in the model, also if it throws. */
function withoutTrace<T>(model: Layer, f: () => T): T {
  const restore = model.snapshot();
  try {
    return f();
  } finally {
    restore();
  }
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
    `pass ${run} differs from pass 1, first at [${index.join(", ")}]: ${show(first)}, then ${
      show(later)
    }${hidden}`,
  );
  return lines;
}

function show(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function list(layers: readonly AuditedLayer[]): string {
  return layers.map(({ path, name }) => path === "" ? `the model (${name})` : `${path} (${name})`).join(", ");
}
