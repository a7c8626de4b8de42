import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { evaluate } from "mathjs";
import { bernoulliExpectation, derivative, proveEqual, substitute, toTex } from "../lib/symbolic.ts";

/** The value of an expression. */
const at = (expression: string, values: Record<string, number>): number =>
  evaluate(expression, { ...values });

const IDENTITIES: [left: string, right: string][] = [
  ["(1-p)*W*x/(1-p)", "W*x"],
  ["(1-p)*(x/(1-p))^2 - x^2", "x^2*p/(1-p)"],
  ["(1-p)*(x/(1-p))^2 + p*0 - x^2", "x^2*p/(1-p)"],
  ["(a+b)^2", "a^2 + 2*a*b + b^2"],
  ["(a-b)^2 * (x+1)", "(x+1)*(a^2 - 2*a*b + b^2)"],
  ["x/x", "1"],
  ["0", "0"],
];

const ERRORS: [left: string, right: string][] = [
  ["(1-p)*W*x", "W*x"],
  ["(x/(1-p))^2", "x^2/(1-p)"],
  ["x^2*p/(1-p)", "x^2*p*(1-p)"],
  ["sqrt(x^2)", "x"],
  ["x", "x + 1/1000000"],
  ["(a-b)^3", "a^3 - 3*a^2*b + 3*a*b^2 + b^3"],
  ["exp(a+b)", "exp(a) + exp(b)"],
];

Deno.test("identities are proved: the difference simplifies to 0, and the sides agree at 64 points", () => {
  for (const [left, right] of IDENTITIES) {
    const proof = proveEqual(left, right);
    assertEquals(
      [proof.proved, proof.difference, proof.counterexample],
      [true, "0", undefined],
      `${left} = ${right}`,
    );
    assertEquals(proof.points, 64);
    assert(proof.largestError < 1e-12); // a dozen roundings of 10⁻¹⁶ beside values up to 10³
    assertStringIncludes(proof.tex, " = ");
  }
});

Deno.test("what is no identity is not proved, and the counterexample really is one", () => {
  for (const [left, right] of ERRORS) {
    const { proved, difference, counterexample, largestError } = proveEqual(left, right);
    assertEquals(proved, false, `${left} = ${right}`);
    assertNotEquals(difference, "0");
    assert(counterexample !== undefined);
    const [a, b] = [at(left, counterexample), at(right, counterexample)];
    assert(Math.abs(a - b) > 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)), `${a} ≠ ${b}`);
    assert(largestError > 1e-9);
  }
});

Deno.test("p and q are probabilities in (0, 1), other variables take both signs", () => {
  // Right for all p in (0, 1), wrong outside.
  assertEquals(proveEqual("sqrt((1-p)^2)", "1-p").counterexample, undefined);
  assertEquals(proveEqual("abs(q)", "q").counterexample, undefined);
  assert(proveEqual("abs(x)", "x").counterexample!.x < 0);
  assert(proveEqual("abs(x)", "-x").counterexample!.x > 0);
});

Deno.test("points where neither side has a value do not count, one-sided ones are counterexamples", () => {
  const proof = proveEqual("log(x)", "log(x)"); // complex for x < 0
  assert(proof.proved && proof.points > 0 && proof.points < 64);
  assert(proveEqual("log(x)", "x").counterexample !== undefined);
});

Deno.test("functions are no variables, and more than ten variables are sampled independently", () => {
  const circle = proveEqual("sin(x)^2 + cos(x)^2", "1"); // true, but beyond the rules of simplify
  assertEquals([circle.proved, circle.counterexample, circle.points], [false, undefined, 64]);
  const names = Array.from("abcdfghjklmn");
  assertEquals(proveEqual(names.join("+"), names.toReversed().join("+")).counterexample, undefined);
  assert(proveEqual("a+b+c+d+f+g+h+j+k+l+m+n", "2*a+c+d+f+g+h+j+k+l+m+n").counterexample !== undefined);
});

Deno.test("denominators give the conditions, each once", () => {
  const conditions = (left: string, right: string) =>
    proveEqual(left, right).conditions.map((c) => c.expression);
  assertEquals(conditions("(1-p)*W*x/(1-p)", "W*x/(1-p)*(1-p)"), ["1 - p"]);
  assertEquals(conditions("x/2", "0.5*x"), [], "a number is no condition");
  assertEquals(conditions("a/b", "a*(1/c)*c/b"), ["b", "c"]);
  const [condition] = proveEqual("x/(1-p)", "x/(1-p)").conditions;
  assertMatch(condition.tex, /^1\s*-\s*p \\neq 0$/);
});

Deno.test("the derivative of the survivor's path is the mask times 1/(1−p)", () => {
  assertEquals(derivative("x*m/(1-p)", "x"), "m / (1 - p)");
  assertEquals(derivative("x^2", "y"), "0");
  // Against central differences at one point: h² / 6 · |f‴| and rounding are below 10⁻⁹ here.
  const [f, h] = ["exp(x)*x^2/(1+x)", 1e-5];
  const numeric = (at(f, { x: 0.5 + h }) - at(f, { x: 0.5 - h })) / (2 * h);
  assert(Math.abs(at(derivative(f, "x"), { x: 0.5 }) - numeric) < 1e-9);
});

Deno.test("substitute replaces whole variables, in parentheses", () => {
  assertEquals(substitute("a*x", { x: "y+1" }), "a * (y + 1)");
  assertEquals(substitute("2*x^2", { x: "-3" }), "18");
  assertEquals(substitute("xx + x", { x: 1 }), "xx + 1");
  assertEquals(substitute("x + y", { x: "y", y: "x" }), "y + x", "at once, not one after the other");
});

Deno.test("the expectation over a mask bit is q · f(1) + (1−q) · f(0)", () => {
  const text = bernoulliExpectation("m*x/(1-p)", "m", "1-p");
  const values = { x: 3, p: 0.2 };
  assert(Math.abs(at(text, values) - 3) < 1e-15); // E[m·x/(1−p)] = x, within a few roundings
  assertEquals(at(bernoulliExpectation("(m+1)^2", "m", "q"), { q: 0.25 }), 0.25 * 4 + 0.75);
  // q is a whole factor, also if it is a sum.
  assertEquals(at(bernoulliExpectation("5", "m", "1-p"), { p: 0.25 }), 5);
  assert(proveEqual(text, "x").proved);
  const square = bernoulliExpectation("(m*x/(1-p))^2", "m", "1-p");
  assert(proveEqual(`${square} - x^2`, "x^2*p/(1-p)").proved);
});

Deno.test("TeX has fractions, and no command is glued to a letter", () => {
  assertStringIncludes(toTex("x/(1-p)"), "\\frac{");
  const commands = ["frac", "cdot", "left", "right", "sqrt", "ln", "exp", "sin", "pi", "neq"];
  for (
    const text of [...IDENTITIES, ...ERRORS].flat().concat(["a*X*Y", "E*m*W/p", "sqrt(W)*W", "2*W^2", "pi*R"])
  ) {
    const tex = toTex(text);
    for (const [, command] of tex.matchAll(/\\([A-Za-z]+)/g)) {
      assert(commands.includes(command), `\\${command} in ${tex}`);
    }
    assert(!tex.includes("\\mathrm"), tex);
    assertEquals(tex.split("{").length, tex.split("}").length);
  }
  assertEquals(toTex("W*x"), "W\\cdot x");
});

Deno.test("what cannot be read is a syntax error", () => {
  for (const bad of ["1+", "(", "x +* 2"]) {
    assertThrows(() => proveEqual(bad, "1"), SyntaxError);
    assertThrows(() => proveEqual("1", bad), SyntaxError);
    assertThrows(() => derivative(bad, "x"), SyntaxError);
    assertThrows(() => toTex(bad), SyntaxError);
  }
});
