/**
 * The command behind `deno task bench:figures FILE`: draws what a run wrote with --json, into this folder.
 * @module
 */

import * as Plot from "@observablehq/plot";
import { join } from "@std/path";
import { colors, drawFigure, type FigureOptions } from "../../lib/jupyter/figure.ts";
import { peerNames, pythonPeers } from "./peers/mod.ts";
import { formatNumber, type Measurement, type Report } from "./records.ts";

/** The workloads in the figure of ratios, in rows of three, with the titles that they have there. */
const SHOWN = [
  ["dropout forward, p = 0.5", "100000", "Dropout, 10⁵ elements"],
  ["dropout backward, p = 0.5", "100000", "Its gradient, 10⁵ elements"],
  ["batch norm forward + backward", "128×64", "Batch norm and gradient, 128×64"],
  ["dropout forward, p = 0.5", "10000000", "Dropout, 10⁷ elements"],
  ["dropout backward, p = 0.5", "10000000", "Its gradient, 10⁷ elements"],
  ["batch norm forward + backward", "1024×1024", "Batch norm and gradient, 1024×1024"],
  ["matmul", "32×100×64", "Matrix product, 32×100×64"],
  ["matmul", "128×784×256", "Matrix product, 128×784×256"],
  ["matmul", "512×512×512", "Matrix product, 512×512×512"],
];
const COLUMNS = 3;
/** Numbers stand out from the lines behind them. */
const HALO = { fill: "#222", stroke: "#fff", strokeWidth: 3 };

/** How long each peer takes, as a multiple of ours: bars on a logarithmic axis, one panel for each workload. */
export function ratioFigure(report: Report): FigureOptions {
  const panels = SHOWN.map(([workload, size, title], i) => ({
    title,
    fx: i % COLUMNS,
    fy: Math.floor(i / COLUMNS),
    records: report.records.filter((record) =>
      record.workload === workload && record.size === size && record.dtype === "float32" &&
      record.ratio_to_ours !== null
    ),
  }));
  const bars = panels.flatMap(({ records, fx, fy }) =>
    records.map(({ subject, ratio_to_ours }) => ({ subject, ratio: ratio_to_ours!, fx, fy }))
  );
  if (bars.length === 0) {
    throw new RangeError("The file has no record of the workloads that the figure shows");
  }
  const names = peerNames.filter((name) => bars.some(({ subject }) => subject === name));
  const gaps = panels.flatMap(({ records, fx, fy }) =>
    names.filter((name) => !records.some(({ subject }) => subject === name)).map((subject) => ({
      subject,
      fx,
      fy,
    }))
  );
  const ratios = bars.map(({ ratio }) => ratio);
  // Room for the numbers at the ends of the bars.
  const domain = [Math.min(0.5, ...ratios) / 8, Math.max(2, ...ratios) * 8];
  const facet = { fx: "fx", fy: "fy" } as const;
  const number = (slower: boolean) =>
    Plot.text(bars.filter(({ ratio, subject }) => subject !== "ours" && ratio >= 1 === slower), {
      x: "ratio",
      y: "subject",
      text: ({ ratio }) => formatRatio(ratio),
      textAnchor: slower ? "start" : "end",
      dx: slower ? 4 : -4,
      fontSize: 10.5,
      ...HALO,
      ...facet,
    });
  return {
    title: "Time for the same work, as a multiple of ours (to the left: faster than ours)",
    alt: `Bars for ${panels.length} workloads. ${
      panels.map(({ title, records }) => `${title}: ${describe(records)}`).join(". ")
    }.`,
    caption: captionOf(
      report,
      "float32, one thread each; readable: our loops without WebAssembly; numpy article: as the article writes it; " +
        "memory copy: the same bytes copied",
      ["Deno", "NumPy", "PyTorch", "TensorFlow.js", "jax-js", "numpy-ts", "mathjs"],
    ),
    width: 960,
    height: 60 + Math.ceil(SHOWN.length / COLUMNS) * (names.length * 17 + 46),
    marginLeft: 122,
    marginRight: 12,
    marginTop: 30,
    marginBottom: 40,
    fx: { axis: null, padding: 0.05 },
    fy: { axis: null, padding: 0.14 },
    x: { type: "log", domain, label: "times ours", ticks: powersOfTen(domain), tickFormat: formatDecimal },
    y: { domain: names, label: null, tickSize: 0, padding: 0.22 },
    marks: [
      Plot.gridX({ ticks: powersOfTen(domain), stroke: "#ccc", strokeOpacity: 1 }),
      Plot.barX(bars, {
        x1: 1,
        x2: "ratio",
        y: "subject",
        fill: ({ subject }) => colorOf(subject),
        ...facet,
      }),
      Plot.ruleX([1], { stroke: "#222", strokeWidth: 1.5 }),
      Plot.text(gaps, {
        x: () => 1,
        y: "subject",
        text: () => "not measured",
        textAnchor: "start",
        dx: 4,
        fontSize: 10.5,
        ...HALO,
        fill: "#777",
        ...facet,
      }),
      number(true),
      number(false),
      Plot.text(bars.filter(({ subject }) => subject === "ours"), {
        x: "ratio",
        y: "subject",
        text: () => "1",
        textAnchor: "start",
        dx: 4,
        fontSize: 10.5,
        ...HALO,
        fontWeight: "bold",
        fill: colors.blue,
        ...facet,
      }),
      Plot.text(panels, { text: "title", frameAnchor: "top-left", dy: -15, fontWeight: "bold", ...facet }),
    ],
  };
}

/** Cost for each element against size, on two logarithmic axes, with labels at the lines. */
export function scalingFigure(report: Report): FigureOptions {
  const points = report.records
    .filter(({ workload }) => workload.startsWith("scaling"))
    .map(({ subject, size, ns_per_element }) => ({ subject, n: Number(size), cost: ns_per_element! }));
  if (points.length === 0) throw new RangeError("The file has no record of scaling");
  const lines = [...Map.groupBy(points, ({ subject }) => subject).values()].map((line) =>
    line.toSorted((a, b) => a.n - b.n)
  );
  const costs = points.map(({ cost }) => cost);
  const domain = [Math.min(...costs) / 1.5, Math.max(...costs) * 1.5];
  const height = 420;
  const ends = lines.map((line) => line.at(-1)!).toSorted((a, b) => a.cost - b.cost);
  // As far apart as letters are high, in units of the axis.
  const gap = 16 / (height - 72) * Math.log(domain[1] / domain[0]);
  const heights = apart(ends.map(({ cost }) => Math.log(cost)), gap);
  const labels = ends.map(({ subject, n }, i) => ({ subject, n, cost: Math.exp(heights[i]) }));
  return {
    title: "Dropout: what an element costs, against the number of elements",
    alt: `Lines on two logarithmic axes. ${
      lines.map((line) =>
        `${line[0].subject}: from ${formatNumber(line[0].cost)} ns per element at n = ${line[0].n} to ` +
        `${formatNumber(line.at(-1)!.cost)} at n = ${line.at(-1)!.n}`
      ).join(". ")
    }.`,
    caption: captionOf(
      report,
      "Forward pass, p = 0.5, float32, one thread each",
      ["Deno", "NumPy", "PyTorch"],
    ),
    width: 760,
    height,
    marginRight: 130,
    marginTop: 36,
    x: {
      type: "log",
      label: "elements",
      ticks: [...new Set(points.map(({ n }) => n))],
      tickFormat: formatPower,
    },
    y: {
      type: "log",
      domain,
      label: "ns per element",
      grid: true,
      ticks: powersOfTen(domain),
      tickFormat: formatDecimal,
    },
    marks: [
      ...lines.map((line) =>
        Plot.line(line, {
          x: "n",
          y: "cost",
          stroke: lineColor(line[0]),
          strokeWidth: 2,
          strokeDasharray: line[0].subject === "ours, workspace" ? "6,4" : "none",
        })
      ),
      Plot.dot(points, { x: "n", y: "cost", fill: lineColor, r: 3 }),
      Plot.text(labels, {
        x: "n",
        y: "cost",
        text: "subject",
        fill: lineColor,
        textAnchor: "start",
        dx: 9,
        fontWeight: "bold",
      }),
    ],
  };
}

/** Ours in blue, Python in orange, other JavaScript in green; the copy, which computes nothing, in grey. */
function colorOf(subject: string): string {
  if (subject === "memory copy") return colors.grey;
  if (subject.startsWith("ours") || subject === "readable") return colors.blue;
  return pythonPeers.includes(subject) ? colors.orange : colors.green;
}

/** Both of ours are blue; the one in a workspace is dashed. */
const LINE_COLORS: { [subject: string]: string } = {
  "ours": colors.blue,
  "ours, workspace": colors.blue,
  "readable": colors.green,
  "numpy best": colors.orange,
  "torch": colors.pink,
  "memory copy": colors.grey,
};

function lineColor({ subject }: { subject: string }): string {
  return LINE_COLORS[subject] ?? colors.gold;
}

/**
 * Moves rising numbers as little as possible, so that no two are closer than `gap`.
 *
 * @param values In ascending order.
 */
export function apart(values: readonly number[], gap: number): number[] {
  const moved = [...values];
  // Each pass pushes two neighbours that are too close apart by the same distance; a few passes settle a few labels.
  for (let pass = 0; pass < 100; pass++) {
    for (let i = 1; i < moved.length; i++) {
      const overlap = gap - (moved[i] - moved[i - 1]);
      if (overlap <= 0) continue;
      moved[i - 1] -= overlap / 2;
      moved[i] += overlap / 2;
    }
  }
  return moved;
}

/** What was measured, how, and with which versions of the software that is shown. */
function captionOf({ machine, versions, rounds }: Report, what: string, software: readonly string[]): string {
  const shown = software.filter((name) => name in versions).map((name) => `${name} ${versions[name]}`);
  return `${what}; medians of up to ${rounds} samples, taken in turn. ${
    [`${machine.cpu}, ${machine.cores} cores`, ...shown].join(", ")
  }.`;
}

function describe(records: readonly Measurement[]): string {
  return records.filter(({ subject }) => subject !== "ours")
    .map(({ subject, ratio_to_ours }) => `${subject} ${formatRatio(ratio_to_ours!)}`).join(", ");
}

/** Two digits that count. */
function formatRatio(ratio: number): string {
  return ratio >= 10
    ? ratio.toFixed(0)
    : ratio >= 1
    ? ratio.toFixed(1)
    : String(Number(ratio.toPrecision(2)));
}

function powersOfTen([low, high]: number[]): number[] {
  const first = Math.ceil(Math.log10(low));
  return Array.from({ length: Math.floor(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
}

function formatDecimal(value: number): string {
  return String(Number(value.toPrecision(1)));
}

/** 100, 1000, then 10⁴. */
function formatPower(value: number): string {
  if (value <= 1000) return String(value);
  return `10${
    [...String(Math.round(Math.log10(value)))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")
  }`;
}

if (import.meta.main) {
  const [file] = Deno.args;
  if (file === undefined) {
    console.error("Usage: deno task bench:figures FILE, with a file that deno task bench --json FILE wrote");
    Deno.exit(2);
  }
  const report: Report = JSON.parse(await Deno.readTextFile(file));
  for (const [name, draw] of Object.entries({ ratios: ratioFigure, scaling: scalingFigure })) {
    const { png } = await drawFigure(draw(report));
    const path = join(import.meta.dirname!, `${name}.png`);
    await Deno.writeFile(path, png);
    console.log(path);
  }
}
