import { assert, assertEquals, assertGreater, assertNotEquals, assertRejects } from "@std/assert";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { composeFigure, type FigureOptions } from "../lib/jupyter/figure.ts";
import { slider, type SliderOptions } from "../lib/jupyter/slider.ts";

const frame = (p: number): FigureOptions => ({
  alt: `A line to ${1 / (1 - p)}, <p> & "more"`,
  title: "A line </script>",
  caption: `p = ${p}`,
  marks: [Plot.line([[0, 0], [1, 1 / (1 - p)]], { clip: true })],
});
const OPTIONS: SliderOptions<number> = { label: "drop probability p", values: [0, 0.5, 0.75], frame };

/** The representations of the only output that a slider sends. */
async function shown(options: SliderOptions<number>): Promise<Record<string, string>> {
  const sent: Record<string, string>[] = [];
  const broadcast = (_: string, content: { data: Record<string, string> }) =>
    Promise.resolve(void sent.push(content.data));
  const host = Deno as { jupyter?: unknown };
  host.jupyter = { broadcast };
  try {
    await slider(options);
  } finally {
    host.jupyter = undefined;
  }
  assertEquals(sent.length, 1);
  return sent[0];
}

/** As much of linkedom's elements as is used here. */
interface Element {
  textContent: string;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  querySelector(selector: string): Element;
  querySelectorAll(selector: string): Element[];
  dispatchEvent(event: Event): void;
}

/** What a reader has before them: a page of these outputs, after the scripts have run, if they may. */
function open(html: string, { scripts = true } = {}) {
  const page = parseHTML(`<!doctype html><html><body>${html}</body></html>`) as unknown as {
    document: Element;
    Event: typeof Event;
  };
  const { document } = page;
  const listeners: ((event: unknown) => void)[] = [];
  const addEventListener = (type: string, listener: (event: unknown) => void, capture: boolean) => {
    assertEquals([type, capture], ["keydown", true]); // before JupyterLab's, which listens on the document
    listeners.push(listener);
  };
  for (const script of document.querySelectorAll("script")) {
    if (scripts) new Function("document", "window", script.textContent)(document, { addEventListener });
  }
  return {
    document,
    /** Moves a slider. */
    move(range: Element, to: number) {
      range.setAttribute("value", String(to));
      range.dispatchEvent(new page.Event("input"));
    },
    /** Presses a key; whether the rest of the page learns of it. */
    press(target: unknown): boolean {
      let heard = true;
      for (const listener of listeners) listener({ target, stopImmediatePropagation: () => heard = false });
      return heard;
    },
  };
}

/** What a slider shows and says. */
function state(root: Element) {
  const [range, image] = [root.querySelector("input"), root.querySelector("img")];
  return {
    value: root.querySelector("span").textContent,
    said: range.getAttribute("aria-valuetext"),
    alt: image.getAttribute("alt"),
    svg: decodeURIComponent(image.getAttribute("src")!.replace("data:image/svg+xml,", "")),
  };
}

/** What it should show and say. Plot numbers clips, as in "plot-clip-3", from one figure to the next. */
function expected(p: number) {
  const svg = composeFigure(frame(p)).markup.replaceAll(/plot-clip-\d+/g, "plot-clip-1");
  return { value: String(p), said: String(p), alt: frame(p).alt, svg };
}

const root = (document: Element) => document.querySelector("div[id^=slider-]");

Deno.test("a slider begins at its first value, and shows the figure of each value that it is moved to", async () => {
  const { document, move } = open((await shown(OPTIONS))["text/html"]);
  assertEquals(state(root(document)), expected(0));
  for (const i of [2, 0, 1]) {
    move(document.querySelector("input"), i);
    assertEquals(state(root(document)), expected(OPTIONS.values[i]));
  }
});

Deno.test("a slider that shows the wrong figure would be noticed", async () => {
  const html = (await shown(OPTIONS))["text/html"].replace("steps[range.value]", "steps[0]");
  const { document, move } = open(html);
  assertEquals(state(root(document)), expected(0));
  move(document.querySelector("input"), 1);
  assertNotEquals(state(root(document)), expected(0.5));
});

Deno.test("the slider is a labelled native one, with one step for each value", async () => {
  const { document } = open((await shown(OPTIONS))["text/html"]);
  const [label, range] = [document.querySelector("label"), document.querySelector("label input")];
  assertEquals(label.textContent, "drop probability p0"); // the value is hidden from screen readers, which say it as text
  assertEquals(document.querySelector("label span").getAttribute("aria-hidden"), "true");
  assertEquals(["type", "min", "max"].map((name) => range.getAttribute(name)), ["range", "0", "2"]);
});

Deno.test("the notebook program does not learn of the slider's keys, and of all others it does", async () => {
  const { document, press } = open((await shown(OPTIONS))["text/html"]);
  assertEquals(press(document.querySelector("input")), false);
  assertEquals(press(document.querySelector("img")), true);
});

Deno.test("where scripts do not run, a line of text says so, and nothing else is there", async () => {
  const { document } = open((await shown(OPTIONS))["text/html"], { scripts: false });
  assertEquals(document.querySelectorAll("input, img, label").length, 0);
  const text = root(document).textContent;
  assert(text.includes("scripts do not run") && text.includes("figure above"), text);
  const { document: running } = open((await shown(OPTIONS))["text/html"]);
  assert(!root(running).textContent.includes("scripts"));
});

Deno.test("the same options give the same bytes, and other figures another id", async () => {
  const one = await shown(OPTIONS);
  composeFigure(frame(0.1)); // counts Plot's clips up
  assertEquals(await shown(OPTIONS), one);
  const id = (html: string) => html.match(/id="(slider-[0-9a-f]{12})"/)![1];
  const other = await shown({ ...OPTIONS, values: [0, 0.5] });
  assertNotEquals(id(other["text/html"]), id(one["text/html"]));
});

Deno.test("two sliders on a page do not move each other, nor do two views of one", async () => {
  const [one, other] = [await shown(OPTIONS), await shown({ ...OPTIONS, values: [0.5, 0.75] })];
  for (const second of [one, other]) {
    const { document, move } = open(one["text/html"] + second["text/html"]);
    const roots = document.querySelectorAll("div[id^=slider-]");
    assertEquals(roots.length, 2);
    const before = state(roots[1]);
    move(roots[0].querySelector("input"), 2);
    assertEquals([state(roots[0]), state(roots[1])], [expected(0.75), before]);
    move(roots[1].querySelector("input"), 1);
    assertEquals(state(roots[0]), expected(0.75));
    assertNotEquals(state(roots[1]), before);
  }
});

Deno.test("the text names what is moved, and what each figure shows", async () => {
  const { "text/plain": text } = await shown(OPTIONS);
  assertEquals(text.split("\n"), [
    "Slider: drop probability p",
    ...OPTIONS.values.map((p) => `${p}: ${frame(p).alt}`),
  ]);
});

Deno.test("an output is at most 150 KB: larger ones are refused, with their size", async () => {
  const values = Array.from({ length: 9 }, (_, i) => i / 10);
  const dots = (count: number) => ({
    label: "p",
    values,
    frame: (p: number) => ({
      ...frame(p),
      marks: [Plot.dot(Array.from({ length: count }, (_, i) => [i, p]))],
    }),
  });
  const size = new Blob([(await shown(dots(100)))["text/html"]]).size;
  assertGreater(size, 75_000);
  assertGreater(150_000, size);
  const error = await assertRejects(() => shown(dots(500)), RangeError);
  const kilobytes = error.message.match(
    /^A slider takes at most 150 KB, these 9 figures take (\d+) KB: give it fewer values, or figures of fewer marks$/,
  );
  assertGreater(Number(kilobytes?.[1]), 150);
});

Deno.test("what cannot be a slider is refused", async () => {
  const refuse = (change: Record<string, unknown>, message: string) =>
    assertRejects(() => shown({ ...OPTIONS, ...change } as SliderOptions<number>), TypeError, message);
  await refuse({ label: " " }, 'A slider needs a label, what is moved in words, got " "');
  await refuse({ values: [0.5] }, "A slider needs an array of at least 2 values, got 1");
  await refuse({ values: 3 }, "A slider needs an array of at least 2 values, got 3");
  await refuse({ frame: undefined }, "slider's frame needs a function, got undefined");
  await refuse({ start: 1 }, 'slider has no option "start"; its options are label, values, frame');
  await refuse(
    { frame: () => ({ title: "no alt" }) },
    "A figure needs a title, and alt: what it shows, in words",
  );
});
