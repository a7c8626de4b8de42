/**
 * Derivations by computer algebra, so that a claim can be proved instead of sampled.
 * @module
 */

import { derivative as mathDerivative, parse, rationalize, simplify } from "mathjs";
import type { MathNode, OperatorNode, ParenthesisNode } from "mathjs";

/** A denominator must not vanish: `expression` ≠ 0. */
export interface Condition {
  /** What must not be 0, as text. */
  expression: string;
  /** The condition as TeX, such as `1-p\neq 0`. */
  tex: string;
}

/** What `proveEqual` found. */
export interface Proof {
  /** True if the difference simplifies to 0 and no test point contradicts it. */
  proved: boolean;
  /** The difference after simplification; "0" if it vanished. */
  difference: string;
  /** What must not be 0, since the expressions divide by it. */
  conditions: Condition[];
  /** At how many points both sides were computed. */
  points: number;
  /** Largest distance between the sides there, relative to their size (at least 1). */
  largestError: number;
  /** Values of the variables at which the sides differ, if they do. */
  counterexample: Record<string, number> | undefined;
  /** The identity as TeX. */
  tex: string;
}

/** Names that are not variables. */
const CONSTANTS = new Set(["pi", "e"]);

const POINTS = 64;

/** Polynomials of up to so many terms are multiplied out within a second. */
const MOST_TERMS = 15;

/**
 * Shows that two expressions are equal: their difference simplifies to 0, and they agree at 64 points.
 *
 * The second check guards against an error in the first. Variables named `p` or `q` are probabilities in (0, 1); the
 * others range over (−2, 2).
 *
 * @param left An expression in the syntax of mathjs, such as `(1-p)*W*x/(1-p)`.
 * @param right Another one.
 * @throws {SyntaxError} if an expression cannot be read.
 */
export function proveEqual(left: string, right: string): Proof {
  const [a, b] = [parse(left), parse(right)];
  const difference = simplifyFully(`(${left}) - (${right})`);
  const { points, largestError, counterexample } = compareAtPoints(a, b);
  return {
    proved: difference === "0" && counterexample === undefined,
    difference,
    conditions: denominators([a, b]),
    points,
    largestError,
    counterexample,
    tex: `${toTex(left)} = ${toTex(right)}`,
  };
}

/** The derivative of an expression, simplified, as text. */
export function derivative(expression: string, variable: string): string {
  return simplify(mathDerivative(expression, variable)).toString();
}

/** Replaces variables by expressions, and simplifies. */
export function substitute(expression: string, values: Record<string, string | number>): string {
  return simplify(replace(expression, values)).toString();
}

/**
 * The expectation over a variable that is 1 with probability `q` and else 0:
 * q · (expression at 1) + (1 − q) · (expression at 0). Not simplified, so that a reader sees where it comes from.
 *
 * @param expression Any expression.
 * @param variable The Bernoulli variable.
 * @param q Probability of a one, as an expression such as `1-p`.
 */
export function bernoulliExpectation(expression: string, variable: string, q: string): string {
  const at = (value: number) => replace(expression, { [variable]: value });
  return `(${q}) * (${at(1)}) + (1 - (${q})) * (${at(0)})`;
}

/** An expression as TeX. */
export function toTex(expression: string): string {
  return parse(expression).toTex({ parenthesis: "auto", implicit: "hide" })
    .replaceAll(/\\mathrm\{(\w)\}/g, " $1") // a capital letter is a variable here, not a unit
    .trim();
}

/**
 * Simplifies; multiplies out what is a small polynomial then. (`rationalize` can take for ever with fractions, and
 * minutes with polynomials of more terms.)
 */
function simplifyFully(expression: string): string {
  const simplified = simplify(expression);
  const small = isPolynomial(simplified) && expandedTerms(simplified) <= MOST_TERMS;
  return (small ? simplify(rationalize(simplified)) : simplified).toString();
}

/** How many terms a polynomial has once it is multiplied out, before any of them cancel. */
function expandedTerms(node: MathNode): number {
  if (node.type === "ParenthesisNode") return expandedTerms((node as ParenthesisNode).content);
  if (node.type !== "OperatorNode") return 1;
  const { op, args } = node as OperatorNode;
  if (op === "^") return expandedTerms(args[0]) ** Number(args[1].toString());
  return args.map(expandedTerms).reduce((a, b) => op === "*" ? a * b : a + b);
}

/** True for sums and products of numbers and variables, and their powers with whole exponents. */
function isPolynomial(node: MathNode): boolean {
  if (node.type === "ConstantNode" || isSymbol(node)) return true;
  if (node.type === "ParenthesisNode") return isPolynomial((node as ParenthesisNode).content);
  if (node.type !== "OperatorNode") return false;
  const { op, args } = node as OperatorNode;
  if (op === "^") return isPolynomial(args[0]) && /^[0-9]$/.test(args[1].toString());
  return ["+", "-", "*"].includes(op) && args.every(isPolynomial);
}

function replace(expression: string, values: Record<string, string | number>): string {
  return parse(expression).transform((node) =>
    isSymbol(node) && node.name in values ? parse(`(${values[node.name]})`) : node
  ).toString();
}

/** Every denominator, and every base of a negative power, that contains a variable: it must not be 0. */
function denominators(nodes: MathNode[]): Condition[] {
  const found = new Set<string>();
  for (const node of nodes) {
    node.traverse((inner) => {
      if (inner.type !== "OperatorNode") return;
      const { op, args } = inner as OperatorNode;
      const denominator = op === "/" ? args[1] : op === "^" && isNegative(args[1]) ? args[0] : undefined;
      if (denominator && variablesOf([denominator]).length > 0) found.add(simplify(denominator).toString());
    });
  }
  return [...found].map((expression) => ({ expression, tex: `${toTex(expression)} \\neq 0` }));
}

function isNegative(exponent: MathNode): boolean {
  return variablesOf([exponent]).length === 0 && Number(exponent.evaluate()) < 0;
}

function variablesOf(nodes: MathNode[]): string[] {
  const names = new Set<string>();
  for (const node of nodes) {
    node.traverse((inner, path) => {
      if (isSymbol(inner) && path !== "fn" && !CONSTANTS.has(inner.name)) names.add(inner.name);
    });
  }
  return [...names].sort();
}

function isSymbol(node: MathNode): node is MathNode & { name: string } {
  return node.type === "SymbolNode";
}

/** Computes both sides at fixed points that fill the space evenly (a Kronecker sequence). */
function compareAtPoints(
  a: MathNode,
  b: MathNode,
): { points: number; largestError: number; counterexample: Record<string, number> | undefined } {
  const names = variablesOf([a, b]);
  const [left, right] = [a.compile(), b.compile()];
  let points = 0;
  let largestError = 0;
  let counterexample: Record<string, number> | undefined;
  for (let k = 1; k <= POINTS; k++) {
    const values = Object.fromEntries(names.map((name, i) => [name, coordinate(name, i, k)]));
    const [x, y] = [Number(left.evaluate({ ...values })), Number(right.evaluate({ ...values }))];
    if (!Number.isFinite(x) && !Number.isFinite(y)) continue; // neither has a value there
    points++;
    const error = Math.abs(x - y) / Math.max(1, Math.abs(x), Math.abs(y));
    if (!(error <= largestError)) largestError = error;
    if (!(error <= 1e-9)) counterexample ??= values;
  }
  return { points, largestError, counterexample };
}

/** Multiples of square roots of primes, modulo 1: never periodic, the same on every machine. */
function coordinate(name: string, i: number, k: number): number {
  const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29];
  const fraction = (k * Math.sqrt(primes[i % primes.length] + 30 * Math.floor(i / primes.length))) % 1;
  return name === "p" || name === "q" ? 0.02 + 0.96 * fraction : 4 * fraction - 2;
}
