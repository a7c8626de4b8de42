import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import * as Plot from "@observablehq/plot";
import { claim, display, type Row, show, table, tableCells, tex } from "../lib/jupyter/display.ts";
import {
  colors,
  describeFigure,
  drawFigure,
  figure,
  type FigureOptions,
  textColor,
} from "../lib/jupyter/figure.ts";
import { pixels } from "./png.ts";

const OPTIONS: FigureOptions = {
  alt: "A line from the origin to (1, 1)",
  title: "A line",
  caption: "n = 2",
  x: { label: "x" },
  y: { label: "y" },
  marks: [Plot.line([[0, 0], [1, 1]], { stroke: colors.blue })],
};

/** One output that was sent to the notebook. */
interface Sent {
  type: string;
  content: { data: Record<string, string>; metadata: Record<string, unknown>; transient: unknown };
}

/** Runs `f` as if inside a kernel, and returns what it sent. */
async function inKernel(f: () => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  const host = Deno as { jupyter?: unknown };
  host.jupyter = {
    broadcast: (type: string, content: Sent["content"]) => Promise.resolve(void sent.push({ type, content })),
  };
  try {
    await f();
  } finally {
    host.jupyter = undefined;
  }
  return sent;
}

/** The only output's representations. */
async function shown(f: () => Promise<unknown>): Promise<Record<string, string>> {
  const sent = await inKernel(f);
  assertEquals(sent.length, 1);
  return sent[0].content.data;
}

// Pictures

/** How many dark pixels lie in the first or last `rows` rows. */
async function ink(png: Uint8Array<ArrayBuffer>, rows: number): Promise<number> {
  const { width, height, rgba } = await pixels(png);
  const [from, to] = rows > 0 ? [0, rows] : [height + rows, height];
  let dark = 0;
  for (let i = from * width; i < to * width; i++) dark += Number(rgba[4 * i] < 128);
  return dark;
}

Deno.test("a figure is a PNG of twice its size, white to the corners", async () => {
  const picture = await drawFigure({ ...OPTIONS, width: 300, height: 200 });
  const { width, height, rgba } = await pixels(picture.png);
  assertEquals([width, height], [2 * picture.width, 2 * picture.height]);
  assertEquals(picture.width, 300);
  assertGreater(picture.height, 200); // title and caption come on top of the drawing
  assertEquals(
    [Array.from(rgba.slice(0, 4)), Array.from(rgba.slice(-4))],
    Array(2).fill([255, 255, 255, 255]),
  );
  assertEquals((await drawFigure(OPTIONS)).width, 640);
});

Deno.test("the same options give the same bytes, and other data other bytes", async () => {
  const { png } = await drawFigure(OPTIONS);
  assertEquals((await drawFigure(OPTIONS)).png, png);
  const other = { ...OPTIONS, marks: [Plot.line([[0, 0], [1, 0.99]], { stroke: colors.blue })] };
  assertNotEquals((await drawFigure(other)).png, png);
});

Deno.test("text in each colour is dark enough on white, of the same hue, and no darker than it must be", () => {
  const contrast = (hex: string) => {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
  };
  assertAlmostEquals(contrast("#767676"), 4.54, 0.01); // the lightest grey that passes, as WCAG's tools print it
  const light = Object.values(colors).filter((color) => contrast(color) < 4.5);
  assertEquals(light.length, 5); // else there is nothing to be darkened
  for (const color of Object.values(colors)) {
    const text = textColor(color);
    assert(contrast(text) >= 4.5, `${color} as ${text}: ${contrast(text)}`);
    if (!light.includes(color)) assertEquals(text.toLowerCase(), color.toLowerCase());
    else assert(contrast(text) < 4.7, `${text} is darker than needed: ${contrast(text)}`);
  }
});

Deno.test("text marks are drawn in the darker colour, dots in the colour itself", async () => {
  const count = async (marks: Plot.Markish[], hex: string) => {
    const { rgba } = await pixels((await drawFigure({ ...OPTIONS, marks })).png);
    const wanted = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    let found = 0;
    for (let i = 0; i < rgba.length; i += 4) {
      found += Number(wanted.every((value, k) => rgba[i + k] === value));
    }
    return found;
  };
  const { sky } = colors;
  const point = { x: [1], y: [1], fill: sky };
  const texts = [Plot.text([1], { ...point, text: ["HHHHH"], fontSize: 40 })];
  const byChannel = [Plot.text([1], { ...point, fill: () => sky, text: ["HHHHH"], fontSize: 40 })];
  for (const marks of [texts, byChannel]) {
    assertEquals(await count(marks, sky), 0);
    assertGreater(await count(marks, textColor(sky)), 100);
  }
  assertGreater(await count([Plot.dot([1], { ...point, r: 20 })], sky), 100);
});

Deno.test("the label of the y axis begins where the title begins", async () => {
  const firstInk = async (options: Partial<FigureOptions>, rows: [number, number]) => {
    const { width, rgba } = await pixels((await drawFigure({ ...OPTIONS, title: "HH", ...options })).png);
    for (let x = 0; x < width; x++) {
      for (let y = rows[0]; y < rows[1]; y++) if (rgba[4 * (y * width + x)] < 128) return x;
    }
    return -1;
  };
  for (const marginLeft of [56, 90]) {
    const options = { marginLeft, y: { label: "HH", labelArrow: "none" as const } };
    const title = await firstInk(options, [20, 56]);
    const label = await firstInk(options, [66, 96]); // two pixels per unit
    assert(Math.abs(title - label) <= 3, `${title} and ${label}`);
  }
});

Deno.test("the line has its colour", async () => {
  const { rgba } = await pixels((await drawFigure(OPTIONS)).png);
  const [r, g, b] = [0x00, 0x72, 0xb2]; // Okabe and Ito's blue
  let found = 0;
  for (let i = 0; i < rgba.length; i += 4) {
    found += Number(rgba[i] === r && rgba[i + 1] === g && rgba[i + 2] === b);
  }
  assertGreater(found, 100);
});

Deno.test("a figure without title or alternative text is refused", async () => {
  for (const key of ["alt", "title"] as const) {
    for (const value of [undefined, "", "  "]) {
      const options = { ...OPTIONS, [key]: value } as FigureOptions;
      await assertRejects(
        () => drawFigure(options),
        TypeError,
        "A figure needs a title, and alt: what it shows",
      );
    }
  }
});

Deno.test("the title is rendered: more letters give more ink, above the drawing", async () => {
  const inkOf = async (title: string) => await ink((await drawFigure({ ...OPTIONS, title })).png, 2 * 30);
  const [dot, word, words] = [await inkOf("."), await inkOf("Dropout"), await inkOf("Dropout, Dropout")];
  assertGreater(dot, 0);
  assertGreater(word, 10 * dot);
  assertGreater(words, 1.9 * word);
  assertNotEquals((await drawFigure({ ...OPTIONS, title: "B line" })).png, (await drawFigure(OPTIONS)).png);
});

Deno.test("the caption is rendered below the drawing, which makes room for it", async () => {
  const { caption: _, ...bare } = OPTIONS;
  const [without, short, long] = [
    await drawFigure(bare),
    await drawFigure(OPTIONS),
    await drawFigure({ ...OPTIONS, caption: "n = 10000, seed = 42, mean ± standard error; ".repeat(6) }),
  ];
  assertGreater(short.height, without.height);
  assertGreater(long.height, short.height);
  assertGreater(await ink(long.png, -2 * 40), await ink(short.png, -2 * 15));
  assertGreater(await ink(short.png, -2 * 15), 0);
});

Deno.test("long titles wrap, and their lines end inside the picture", async () => {
  const { caption: _, ...bare } = OPTIONS;
  const title = "Dropout adds variance to every activation ".repeat(4);
  const [short, long] = [await drawFigure(bare), await drawFigure({ ...bare, title })];
  assertGreater(long.height, short.height);
  const { width, rgba } = await pixels(long.png);
  const lines = 2 * (long.height - 340); // above the drawing, which is 340 units high by default
  let [onEdge, inside] = [0, 0]; // in the right margin of 16 units, and left of it
  for (let i = 0; i < lines * width; i++) {
    if (rgba[4 * i] < 128) i % width >= width - 32 ? onEdge++ : inside++;
  }
  assertEquals(onEdge, 0);
  assertGreater(inside, 1000);
});

Deno.test("the characters <, & and > survive in titles, captions, labels and texts", async () => {
  const draw = (text: string) =>
    drawFigure({
      ...OPTIONS,
      title: `a ${text} b`,
      caption: `c ${text} d`,
      x: { label: `e ${text} f` },
      marks: [Plot.text([[0.5, 0.5]], { text: () => `g ${text} h` }), Plot.dot([[0, 0], [1, 1]])],
    });
  const [special, plain] = [await draw("<&>"), await draw(" ")];
  assertEquals([special.width, special.height], [plain.width, plain.height]);
  assertGreater(await ink(special.png, 60), await ink(plain.png, 60) + 100); // three bold signs of 15 units
  assertNotEquals((await draw("<")).png, (await draw(">")).png);
});

// What cells show

Deno.test("outside a kernel, every output is an error that says so", async () => {
  const message =
    "figure, slider, show, tex, table, claim and progress work in a notebook's Deno kernel only";
  for (const output of [() => show(1), () => tex("x"), () => display({}), () => figure(OPTIONS)]) {
    await assertRejects(output, Error, message);
  }
});

Deno.test("figure sends the picture with its size, and title, alternative text and caption in words", async () => {
  const [{ type, content }] = await inKernel(() => figure(OPTIONS));
  const { png, width, height } = await drawFigure(OPTIONS);
  assertEquals(type, "display_data");
  const text = describeFigure(OPTIONS);
  assertEquals(text.split("\n"), [OPTIONS.title, OPTIONS.alt, OPTIONS.caption]);
  assertEquals(content.metadata, { "image/png": { width, height, alt: text } });
  assertEquals(Object.keys(content.data), ["image/png", "text/plain"]);
  assertEquals(content.data["text/plain"], text);
  assertEquals(Uint8Array.from(atob(content.data["image/png"]), (c) => c.charCodeAt(0)), png);
});

Deno.test("an output waits until its message has left", async () => {
  let left = false;
  const host = Deno as { jupyter?: unknown };
  host.jupyter = {
    broadcast: () => new Promise<void>((resolve) => setTimeout(() => resolve(void (left = true)), 5)),
  };
  const start = performance.now();
  await display({ "text/plain": "x" }).finally(() => host.jupyter = undefined);
  assert(left);
  assertGreater(performance.now() - start, 50); // 5 ms for the message and 50 ms for the kernel, less timer jitter
});

Deno.test("show prints text as it is and values as console.log does, without colours", async () => {
  assertEquals(await shown(() => show("a\n\tb")), { "text/plain": "a\n\tb" });
  assertEquals(await shown(() => show([1, { a: "b" }])), { "text/plain": '[ 1, { a: "b" } ]' });
  assertEquals(await shown(() => show(undefined)), { "text/plain": "undefined" });
});

Deno.test("tex shows one formula, or several below each other", async () => {
  assertEquals(await shown(() => tex("x^2")), { "text/latex": "$$x^2$$", "text/plain": "x^2" });
  const two = await shown(() => tex("a", "b"));
  assertEquals(two["text/latex"], "$$\\begin{gathered}\na \\\\\nb\n\\end{gathered}$$");
  assertEquals(two["text/plain"], "a\nb");
});

const SETTLED = {
  id: "unbiased",
  holds: "holds if",
  known: "proved",
  claim: "E[y] = x.",
  summary: "it is 1",
};

Deno.test("claim says whether it holds, how one knows, and what was found, in Markdown and in plain text", async () => {
  const but = "p < 1.";
  for (const settled of [{ ...SETTLED, but }, Promise.resolve({ ...SETTLED, but })]) {
    const data = await shown(() => claim(settled));
    for (const text of [data["text/markdown"], data["text/plain"]]) {
      for (const part of ["holds if, proved", "unbiased", "E[y] = x.", "p < 1.", "It is 1."]) {
        assert(text.includes(part), text);
      }
    }
  }
  const { known: _, ...open } = SETTLED;
  assert((await shown(() => claim({ ...open, holds: "open" })))["text/markdown"].startsWith("**open** ·"));
});

Deno.test("claim shows nothing of a claim that is not supported: the cell fails", async () => {
  await assertRejects(() => shown(() => claim(Promise.reject(new Error("2 is not 3")))), Error, "2 is not 3");
});

const ROWS: Row[] = [
  { p: 0.5, name: "half", kept: true },
  { p: 1 / 3, name: "a < b & c", kept: null },
  { p: 1e-12, name: "", kept: false },
];

Deno.test("tableCells rounds numbers to six digits, leaves integers, and knows which columns are numeric", () => {
  const { headings, numeric, lines } = tableCells(ROWS);
  assertEquals(headings, ["p", "name", "kept"]);
  assertEquals(numeric, [true, false, false]);
  assertEquals(lines, [["0.5", "half", "true"], ["0.333333", "a < b & c", ""], ["1e-12", "", "false"]]);
  assertEquals(tableCells([{ n: 1234567 }, { n: 0.1 + 0.2 }]).lines, [["1234567"], ["0.3"]]);
});

Deno.test("a table needs rows, all with the same headings in the same order", () => {
  assertThrows(() => tableCells([]), TypeError, "A table needs at least one row");
  const refuse = (row: Row) =>
    assertThrows(() => tableCells([{ a: 1, b: 2 }, row]), TypeError, "All rows need the headings a, b; got");
  [{ a: 1 }, { b: 1, a: 2 }, { a: 1, b: 2, c: 3 }, { a: 1, c: 2 }].forEach((row) => refuse(row));
});

Deno.test("a table is HTML with escaped entries and aligned numbers, and aligned text", async () => {
  const { "text/html": html, "text/plain": text } = await shown(() => table(ROWS));
  assert(html.includes('<th style="text-align:right">p</th>'));
  assert(html.includes('<td style="text-align:right">0.333333</td>'));
  assert(html.includes('<td style="text-align:left">a &lt; b &amp; c</td>'));
  assertEquals(html.match(/<tr>/g)!.length, 4);
  assertEquals(text.split("\n"), [
    "       p  name       kept",
    "     0.5  half       true",
    "0.333333  a < b & c",
    "   1e-12             false",
  ]);
});
