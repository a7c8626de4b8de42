/**
 * What every room says of bad input: what was asked, what is allowed, and what came.
 *
 * Notebook cells are not type-checked, so that types alone protect nobody. This file imports nothing, so that all
 * others can import it.
 * @module
 */

/** A value for error messages: strings in quotes, objects by their type. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return describeFunction(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  return `a ${value.constructor?.name ?? "object"}`;
}

/** A layer is a function, too, but is known by its class. */
// deno-lint-ignore ban-types
function describeFunction(value: Function): string {
  const name = value.constructor?.name ?? "Function";
  return name === "Function" ? `the function ${value.name}`.trimEnd() : `a ${name}`;
}

/** A shape for error messages: `[32, 100]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** True if both shapes have the same lengths in the same order. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) {
    if (a[axis] !== b[axis]) return false;
  }
  return true;
}

/**
 * Refuses options that nobody asked for: `{ sead: 42 }` must not pass as no seed at all.
 *
 * @param where The function or class, as its user writes it.
 * @param known The names that it knows.
 * @throws {TypeError} if the options are not an object, or hold another name.
 */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  // Only plain objects: a stream in this place has names of its own, and none of them is an option.
  const prototype = typeof options === "object" && options !== null
    ? Object.getPrototypeOf(options)
    : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(
      `${where}: the last argument holds options, as ${example(known)}, got ${describe(options)}`,
    );
  }
  for (const name in options as object) {
    if (known.includes(name)) continue;
    const allowed = known.length === 0 ? "it takes no options" : `its options are ${known.join(", ")}`;
    throw new TypeError(`${where} has no option ${JSON.stringify(name)}; ${allowed}`);
  }
}

function example(known: readonly string[]): string {
  return known.length === 0 ? "{}" : `{ ${known[0]}: … }`;
}

/** What checks whether something is an instance: a class, abstract or not. */
export type Class<T> = abstract new (...args: never) => T;

/**
 * Refuses what is not an instance of a class.
 *
 * @param where The function or class, as its user writes it.
 * @param needed What it needs, and how one is made.
 * @throws {TypeError} if it is anything else.
 */
export function checkInstance<T>(
  where: string,
  value: unknown,
  Class: Class<T>,
  needed: string,
): asserts value is T {
  if (!(value instanceof Class)) throw new TypeError(`${where} needs ${needed}, got ${describe(value)}`);
}

/** Refuses what is not a function. @throws {TypeError} if it is anything else. */
export function checkFunction(where: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${where} needs a function, got ${describe(value)}`);
}

/** The intervals that probabilities come from. */
export type Interval = "[0, 1]" | "[0, 1)" | "(0, 1]";

/**
 * Refuses what is not a probability.
 *
 * @param name What is asked for, such as "Dropout probability".
 * @throws {TypeError} if it is not a number.
 * @throws {RangeError} if it is NaN or outside the interval.
 */
export function checkProbability(
  name: string,
  value: unknown,
  interval: Interval = "[0, 1]",
): asserts value is number {
  if (typeof value === "number" && value > 0 && value < 1) return;
  const atEnd = (value === 0 && interval[0] === "[") || (value === 1 && interval.endsWith("]"));
  if (atEnd) return;
  const message = `${name} must be in ${interval}, got ${describe(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

/** Refuses what is not a boolean: a misspelt mode must not count as one. @throws {TypeError} if it is anything else. */
export function checkFlag(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") {
    throw new TypeError(`${name} must be true or false, got ${describe(value)}`);
  }
}

/**
 * Refuses what is not an integer in [`least`, `most`].
 *
 * @throws {RangeError} if a number is fractional, too small or too large.
 * @throws {TypeError} if it is not a number.
 */
export function checkInteger(
  name: string,
  value: unknown,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
  const message = `${name} must be ${integerIn(least, most, Number(value))}, got ${describe(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

function integerIn(least: number, most: number, value: number): string {
  if (most < Number.MAX_SAFE_INTEGER) return `an integer in [${least}, ${most}]`;
  if (Number.isFinite(value) && value > most) return "an integer below 2⁵³";
  if (least > 1) return `an integer of at least ${least}`;
  if (least < 0) return "an integer";
  return least === 1 ? "a positive integer" : "a non-negative integer";
}

/**
 * Refuses what is not a number in [0, `end`).
 *
 * @throws {RangeError} if a number is NaN or outside.
 * @throws {TypeError} if it is not a number.
 */
export function checkRange(name: string, value: unknown, end = Infinity): asserts value is number {
  if (typeof value === "number" && value >= 0 && value < end) return;
  const message = `${name} must be a number in [0, ${end === Infinity ? "∞" : end}), got ${describe(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

/**
 * What the last forward pass left for the backward pass.
 *
 * @throws {Error} if there was no forward pass.
 */
export function recall<Kept>(kept: Kept | undefined): Kept {
  if (kept !== undefined) return kept;
  throw new Error("backward needs a forward pass before it: call forward(x) first");
}
