/**
 * What all layers share: they are called like functions, are in training or in evaluation mode, know the layers in them
 * by name, and can be saved and put back.
 *
 * @example
 * A layer of one's own: its layers are found in its properties.
 * ```ts
 * import { defaultRng, InvertedDropout, Layer, Linear, ones, type Tensor } from "./mod.ts";
 *
 * class Net extends Layer {
 *   readonly first = new Linear(4, 8, { rng: defaultRng(1) });
 *   readonly dropout = new InvertedDropout(0.5, { seed: 2 });
 *   readonly last = new Linear(8, 2, { rng: defaultRng(3) });
 *   override forward(x: Tensor): Tensor {
 *     return this.last(this.dropout(this.first(x)));
 *   }
 *   override backward(gradOutput: Tensor): Tensor {
 *     return this.first.backward(this.dropout.backward(this.last.backward(gradOutput)));
 *   }
 * }
 * const net = new Net();
 * console.log(net.parameters().map(({ name }) => name)); // first.weight, first.bias, last.weight, last.bias
 * console.log(net.eval()(ones([3, 4])).shape); // [3, 2]
 * ```
 * @module
 */

import { checkFlag, checkOptions, describe, formatShape, sameShape } from "./check.ts";
import { Mask } from "./mask.ts";
import type { RandomStream } from "./random/mod.ts";
import { type NestedNumbers, type SavedTensor, Tensor, tensor, zeros } from "./tensor/mod.ts";
import { checkTensor } from "./tensor/tensor.ts";

/** An object that is a function: calling it calls its `forward`. */
export abstract class Callable {
  /** Returns the function instead of a plain object. */
  constructor() {
    const call = (x: Tensor, options?: object): Tensor => (call as Layer).forward(x, options);
    // A function's own name and length are read-only; a layer may have attributes of these names.
    Object.defineProperty(call, "name", { value: new.target.name, writable: true });
    Object.defineProperty(call, "length", { value: 1, writable: true });
    return Object.setPrototypeOf(call, new.target.prototype);
  }
}

/** A layer can be called: `layer(x, options)` is `layer.forward(x, options)`. */
export interface Layer {
  /** The forward pass. */
  (x: Tensor, options?: object): Tensor;
}

/** A tensor that training changes, and the gradient that the last backward pass gave it. */
export interface Parameter {
  /** What PyTorch calls it: `weight`, `bias`, … */
  readonly name: string;
  /** The numbers; an optimizer changes them in place. */
  readonly value: Tensor;
  /** Gradient of the loss, shaped like the value; each backward pass overwrites it. */
  readonly grad: Tensor;
}

/** Parameters and buffers by name; `JSON.stringify` keeps them bit for bit. */
export type StateDict = Record<string, Tensor>;

/** What `loadStateDict` takes: tensors, what JSON made of them, or nested arrays such as PyTorch's `tolist()` gives. */
export type SavedStateDict = Readonly<Record<string, Tensor | SavedTensor | NestedNumbers>>;

/** Which names a saved state and a model do not share. */
export interface LoadReport {
  /** Names that the model has and the saved state has not. */
  missingKeys: string[];
  /** Names that the saved state has and the model has not. */
  unexpectedKeys: string[];
}

/** The gradient that belongs to each tensor: always the same one, however often parameters are asked for. */
const gradients = new WeakMap<Tensor, Tensor>();

/** Parameters from tensors, each with a gradient of its own, at first zeros; `null` is left out. */
export function parametersFrom(tensors: Readonly<Record<string, Tensor | null>>): readonly Parameter[] {
  return Object.entries(tensors ?? {}).flatMap(([name, value]) => {
    if (value === null) return [];
    checkTensor(`parametersFrom: ${name}`, value);
    const grad = gradients.get(value) ?? zeros(value.shape, value.dtype);
    gradients.set(value, grad);
    return [{ name, value, grad }];
  });
}

/**
 * Base of all layers.
 *
 * A layer of one's own has `forward` and `backward`. Its layers, streams and what a pass leaves for the next one are
 * ordinary properties: those with `#` stay hidden from `train`, `parameters`, `snapshot` and all else below. Tensors that
 * are to be trained are named by `ownParameters`, and `backward` writes their gradients:
 *
 * @example
 * ```ts
 * import { gradcheck, Layer, Linear, multiply, ones, parametersFrom, sum, type Tensor } from "./mod.ts";
 *
 * class Scaled extends Layer { // y = gain · (x·Wᵀ + b)
 *   readonly linear = new Linear(3, 2, { seed: 1 });
 *   readonly gain = ones([2]);
 *   private z = this.gain;
 *   override ownParameters() {
 *     return parametersFrom({ gain: this.gain });
 *   }
 *   override forward(x: Tensor): Tensor {
 *     this.z = this.linear(x);
 *     return multiply(this.z, this.gain);
 *   }
 *   override backward(gradOutput: Tensor): Tensor {
 *     const [{ grad }] = this.ownParameters();
 *     grad.data.set(sum(multiply(gradOutput, this.z), { axis: 0 }).data);
 *     return this.linear.backward(multiply(gradOutput, this.gain));
 *   }
 *   protected override extraRepr() {
 *     return "2";
 *   }
 * }
 * console.log(gradcheck(new Scaled(), ones([4, 3])).ok); // true: input, gain, linear.weight and linear.bias
 * ```
 */
export abstract class Layer extends Callable {
  #training = true;

  /** The output for `x`. */
  abstract forward(x: Tensor, options?: object): Tensor;

  /** The gradient with respect to the last input, given the gradient with respect to the last output. */
  abstract backward(gradOutput: Tensor, options?: object): Tensor;

  /**
   * The backward pass where nobody needs the gradient for the input, as in the first layers of a model: overwrites the
   * gradients of the parameters, and may leave out the rest.
   *
   * @param gradOutput Shaped like the last output.
   */
  backwardParameters(gradOutput: Tensor): void {
    this.backward(gradOutput);
  }

  /** True while training (the initial mode), false in evaluation. */
  get training(): boolean {
    return this.#training;
  }

  /** Switches this layer and all layers in it to training mode, or with `false` to evaluation mode. */
  train(mode = true): this {
    checkFlag("train: mode", mode);
    this.#training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Switches this layer and all layers in it to evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** True if this layer itself draws random numbers while training: by default, if it has a stream. */
  get isRandom(): boolean {
    return this.#streams().length > 0;
  }

  /** The layers directly in this one. */
  children(): readonly Layer[] {
    return this.namedChildren().map(([, layer]) => layer);
  }

  /**
   * The layers directly in this one, by name. By default those that its properties hold, by themselves or in arrays, as
   * in PyTorch: `hidden`, or `blocks.0`, `blocks.1`.
   */
  namedChildren(): readonly (readonly [name: string, layer: Layer])[] {
    return Object.entries(this).flatMap(([name, value]) => {
      if (value instanceof Layer) return [[name, value] as const];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, i) => item instanceof Layer ? [[`${name}.${i}`, item] as const] : []);
    });
  }

  /** This layer, under the name "", and all layers in it by their paths, as in "0.hidden"; parents before children. */
  namedLayers(): ReadonlyMap<string, Layer> {
    const paths = new Map<Layer, string>(); // a layer in two places is listed once
    const visit = (layer: Layer, path: string) => {
      if (paths.has(layer)) return;
      paths.set(layer, path);
      for (const [name, child] of layer.namedChildren()) visit(child, join(path, name));
    };
    visit(this, "");
    return new Map(Array.from(paths, ([layer, path]) => [path, layer]));
  }

  /** What training changes in this layer itself; nothing by default. `parametersFrom` helps. */
  ownParameters(): readonly Parameter[] {
    return [];
  }

  /** What else this layer itself keeps from step to step, such as running statistics; nothing by default. */
  ownBuffers(): Readonly<Record<string, Tensor>> {
    return {};
  }

  /** What training changes in this layer and in all layers in it, named by their paths, as in "0.weight". */
  parameters(): readonly Parameter[] {
    return Array.from(this.namedLayers()).flatMap(([path, layer]) =>
      layer.ownParameters().map((parameter) => ({ ...parameter, name: join(path, parameter.name) }))
    );
  }

  /**
   * Copies of all parameters and buffers, under the names that PyTorch gives them (but one name where two properties hold
   * the same layer).
   *
   * @example
   * ```ts
   * import { BatchNorm, defaultRng, Linear, Sequential } from "./mod.ts";
   *
   * const make = (seed: number) => new Sequential(new Linear(4, 2, { rng: defaultRng(seed) }), new BatchNorm(2));
   * const saved = JSON.stringify(make(1).stateDict());
   * const model = make(2);
   * model.loadStateDict(JSON.parse(saved)); // bit for bit
   * console.log(Object.keys(model.stateDict())); // 0.weight, 0.bias, 1.weight, …, 1.running_mean, …
   * ```
   */
  stateDict(): StateDict {
    return Object.fromEntries(Array.from(this.#tensors(), ([name, value]) => [name, value.clone()]));
  }

  /**
   * Copies saved parameters and buffers into this layer and the layers in it.
   *
   * @param options.strict False: names that only one side has are passed over, and reported. Default true.
   * @returns The names that only one side has.
   * @throws {TypeError} if a name is missing or unexpected while strict, or a shape or type differs. Nothing is changed
   *   then.
   */
  loadStateDict(state: SavedStateDict, options: { strict?: boolean } = {}): LoadReport {
    checkOptions("loadStateDict", options, ["strict"]);
    const { strict = true } = options;
    checkFlag("loadStateDict: strict", strict);
    if (typeof state !== "object" || state === null) {
      throw new TypeError(
        `loadStateDict needs tensors by name, as stateDict() gives them, got ${describe(state)}`,
      );
    }
    const own = this.#tensors();
    const missingKeys = Array.from(own.keys()).filter((name) => !Object.hasOwn(state, name));
    const unexpectedKeys = Object.keys(state).filter((name) => !own.has(name));
    if (strict && missingKeys.length + unexpectedKeys.length > 0) {
      throw new TypeError(
        `loadStateDict: the saved state lacks [${missingKeys.join(", ")}] and has besides ` +
          `[${unexpectedKeys.join(", ")}]; { strict: false } passes them over`,
      );
    }
    const loaded = Array.from(
      own,
      ([name, value]) => Object.hasOwn(state, name) ? fitting(name, state[name], value) : value,
    );
    Array.from(own.values()).forEach((value, i) => value.data.set(loaded[i].data));
    return { missingKeys, unexpectedKeys };
  }

  /** The states of all streams in this layer and in the layers in it, by name, as in "2.rng": plain data for JSON. */
  streamStates(): Record<string, object> {
    return Object.fromEntries(
      Array.from(this.#namedStreams(), ([name, stream]) => [name, stream.getState()]),
    );
  }

  /**
   * Brings all streams to saved states.
   *
   * @param states As `streamStates` gives them.
   * @throws {TypeError} if a name is missing or unexpected, or a state is of another kind of stream.
   */
  loadStreamStates(states: Readonly<Record<string, object>>): void {
    const streams = this.#namedStreams();
    const [needed, came] = [Array.from(streams.keys()), Object.keys(states ?? {})];
    if (needed.toSorted().join() !== came.toSorted().join()) {
      throw new TypeError(
        `loadStreamStates: the streams of this model are [${needed.join(", ")}], got states of [${
          came.join(", ")
        }]`,
      );
    }
    for (const [name, stream] of streams) {
      const twin = needed.find((other) => streams.get(other) === stream)!;
      if (JSON.stringify(states[name]) !== JSON.stringify(states[twin])) {
        throw new TypeError(
          `loadStreamStates: ${twin} and ${name} are one stream here, but their saved states differ`,
        );
      }
    }
    const before = this.streamStates();
    try {
      streams.forEach((stream, name) => stream.setState(states[name]));
    } catch (error) {
      streams.forEach((stream, name) => stream.setState(before[name]));
      throw error;
    }
  }

  /**
   * Remembers all that passes and steps change in this layer and in the layers in it: parameters, gradients, buffers,
   * streams, modes, and which values properties have, also inside arrays and plain objects. What Maps, Sets and objects of
   * other classes hold is not remembered, and neither are properties with `#`.
   *
   * @returns Puts it all back.
   */
  snapshot(): () => void {
    const restores = Array.from(this.namedLayers().values(), (layer) => layer.#snapshotOwn());
    return () => restores.forEach((restore) => restore());
  }

  /** What a printed model says of this layer besides its class: `p=0.5`. PyTorch's `extra_repr`. */
  protected extraRepr(): string {
    return "";
  }

  /** The layer and all layers in it, as PyTorch prints them. */
  override toString(): string {
    const name = this.constructor.name;
    const children = this.namedChildren();
    if (children.length === 0) return `${name}(${this.extraRepr()})`;
    const lines = children.map(([path, child]) => `(${path}): ${child}`.replaceAll("\n", "\n  "));
    return `${name}(${this.extraRepr()}\n  ${lines.join("\n  ")}\n)`;
  }

  /**
   * Refuses: JSON would keep nothing of a function, as which layers are called.
   *
   * @throws {TypeError} that says what to save instead.
   */
  toJSON(): never {
    throw new TypeError(
      `A ${this.constructor.name} cannot be saved as JSON itself; save its stateDict() and its streamStates()`,
    );
  }

  /** What `console.log` and a notebook print. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  #streams(): [name: string, stream: RandomStream][] {
    return Object.entries(this).flatMap(([name, value]) => {
      if (isStream(value)) return [[name, value]];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, i): [string, RandomStream][] =>
        isStream(item) ? [[`${name}.${i}`, item]] : []
      );
    });
  }

  #namedStreams(): Map<string, RandomStream> {
    return new Map(
      Array.from(this.namedLayers()).flatMap(([path, layer]) =>
        layer.#streams().map(([name, stream]) => [join(path, name), stream] as const)
      ),
    );
  }

  #tensors(): Map<string, Tensor> {
    return new Map(
      Array.from(this.namedLayers()).flatMap(([path, layer]) => [
        ...layer.ownParameters().map(({ name, value }) => [join(path, name), value] as const),
        ...Object.entries(layer.ownBuffers()).map(([name, value]) => [join(path, name), value] as const),
      ]),
    );
  }

  #snapshotOwn(): () => void {
    const training = this.#training;
    const inside = this as unknown as Record<string, unknown>;
    const restores = [
      rememberProperties(inside),
      remember(this.ownBuffers()),
      remember(this.ownParameters()),
    ];
    return () => {
      restores.forEach((restore) => restore());
      this.#training = training;
    };
  }
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function isStream(value: unknown): value is RandomStream {
  const { getState, setState } = (value ?? {}) as Partial<RandomStream>;
  return typeof getState === "function" && typeof setState === "function";
}

/** Remembers what a value holds: numbers, bits, a stream's place, and all of that inside arrays and plain objects. */
function remember(value: unknown): () => void {
  if (value instanceof Layer || typeof value !== "object" || value === null) return () => {};
  if (value instanceof Tensor) return remember(value.data);
  if (value instanceof Mask) return remember(value.bits);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return rememberArray(value as Uint8Array);
  if (isStream(value)) {
    const state = value.getState();
    return () => value.setState(state);
  }
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? rememberProperties(value as Record<string, unknown>) : () => {};
}

/** Which values an array or an object has, and what these hold; not what a getter would compute. */
function rememberProperties(container: Record<string, unknown>): () => void {
  const length = Array.isArray(container) ? container.length : 0;
  const own = Object.entries(Object.getOwnPropertyDescriptors(container))
    .filter(([, { enumerable, get }]) => enumerable && get === undefined)
    .map(([name, { value, writable }]) => ({ name, value, writable, restore: remember(value) }));
  return () => {
    if (Array.isArray(container) && !Object.isFrozen(container)) container.length = length;
    for (const { name, value, writable, restore } of own) {
      if (writable) container[name] = value;
      restore();
    }
  };
}

function rememberArray(array: Uint8Array): () => void {
  const copy = array.slice();
  return () => array.set(copy);
}

/** A saved tensor, if it fits the one that it is to replace. */
function fitting(name: string, saved: SavedStateDict[string], own: Tensor): Tensor {
  const isNested = typeof saved === "number" || Array.isArray(saved);
  const value = saved instanceof Tensor
    ? saved
    : isNested
    ? tensor(saved, own.dtype)
    : tensor(saved as SavedTensor);
  // A copy, since what is loaded may be another tensor of this model, which is about to change.
  if (sameShape(value.shape, own.shape) && value.dtype === own.dtype) return value.clone();
  throw new TypeError(
    `loadStateDict: ${name} must be ${own.dtype} of shape ${formatShape(own.shape)}, ` +
      `got ${value.dtype} of shape ${formatShape(value.shape)}`,
  );
}
