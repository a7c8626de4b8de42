/** The digits are MNIST's, their parts have nothing in common, and what is drawn from them is what was asked for. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { digitBatches, type DigitSet, loadDigits, sampleDigits, selectDigits } from "../lib/digits.ts";
import { defaultRng, mean, Tensor } from "../lib/mod.ts";
import { sha256 } from "./helpers.ts";

const small = await loadDigits();
const large = await loadDigits({ side: 28 });

/** One text for each image. */
function rows({ images }: DigitSet): string[] {
  const [n, pixels] = images.shape;
  return Array.from({ length: n }, (_, i) => images.data.subarray(i * pixels, (i + 1) * pixels).join(" "));
}

/** Three digits of two pixels. */
const tiny: DigitSet = {
  images: new Tensor(new Float32Array([0, 0, 1, 1, 2, 2]), [3, 2]),
  labels: Uint8Array.of(7, 8, 9),
};

Deno.test("there are 4,000, 2,000 and 4,000 digits of all classes", () => {
  for (const digits of [small, large]) {
    const { train, validation, test, side } = digits;
    for (const [set, n] of [[train, 4000], [validation, 2000], [test, 4000]] as const) {
      assertEquals(set.images.shape, [n, side * side]);
      assertEquals(set.images.dtype, "float32");
      const counts = Array.from(
        { length: 10 },
        (_, digit) => set.labels.filter((label) => label === digit).length,
      );
      // A tenth each, give or take: the rarest class of the package has 863 of 10,000, the commonest 1,127; five
      // standard deviations of a draw without replacement are less than 5·√(n·0.09).
      for (const count of counts) {
        assert(count > 0.0863 * n - 5 * Math.sqrt(0.09 * n) && count < 0.1127 * n + 5 * Math.sqrt(0.09 * n));
      }
      assertEquals(counts.reduce((a, b) => a + b), n);
    }
  }
});

Deno.test("no image comes twice, in one part or in two", () => {
  const all = [large.train, large.validation, large.test].flatMap(rows);
  assertEquals(new Set(all).size, 10_000);
  assertNotEquals(new Set([...all, all[0]]).size, all.length + 1); // a double would be seen
});

Deno.test("pixels are grey levels k/255", () => {
  const levels = new Set(large.train.images.data);
  assertEquals(levels.size, 256);
  for (const level of levels) assertEquals(level, Math.fround(Math.round(255 * level) / 255));
});

Deno.test("14 pixels are means of four of 28, of the same digits in the same order", () => {
  assertEquals(small.test.labels, large.test.labels);
  for (let digit = 0; digit < 4000; digit += 97) {
    for (let row = 0; row < 14; row++) {
      for (let column = 0; column < 14; column++) {
        const fine = (i: number, j: number) =>
          large.test.images.at(digit, 28 * (2 * row + i) + 2 * column + j);
        const mean = (fine(0, 0) + fine(0, 1) + fine(1, 0) + fine(1, 1)) / 4;
        // Four roundings of ½ ulp at most 2⁻²⁵ each, and one of the mean.
        assert(Math.abs(small.test.images.at(digit, 14 * row + column) - mean) <= 2 ** -24);
      }
    }
  }
});

Deno.test("labels belong to their images: the nearest mean of a class is mostly the right one", () => {
  const { train, test } = small;
  const wrong = (labels: Uint8Array) => {
    const means = Array.from({ length: 10 }, (_, digit) => {
      const places = [...train.labels.keys()].filter((i) => train.labels[i] === digit);
      return mean(selectDigits(train, places).images, { axis: 0 });
    });
    const distance = (i: number, digit: number) => {
      let total = 0;
      for (let j = 0; j < 196; j++) total += (test.images.data[196 * i + j] - means[digit].data[j]) ** 2;
      return total;
    };
    return labels.filter((label, i) => {
      const distances = means.map((_, digit) => distance(i, digit));
      return distances[label] > Math.min(...distances);
    }).length / labels.length;
  };
  // By chance, 90 % are wrong; 4,000 of them then have a standard deviation of .5 %.
  assert(wrong(test.labels) < 0.5);
  assert(wrong(test.labels.toReversed()) > 0.87);
});

Deno.test("the parts are those that the study's results were made with", async () => {
  const labels = [small.train, small.validation, small.test].map((set) => set.labels.join("")).join();
  const pixels = Uint8Array.from(large.train.images.data, (value) => Math.round(255 * value));
  assertEquals(
    [await sha256(new TextEncoder().encode(labels)), await sha256(pixels)],
    [
      "37417d36cff350d7707cfc0588c5a088223b7593284d95d7364fdd217b103e1f",
      "cf3ef83717e583a3816fd800b47fdae0ac6639b3a0b06e7f2995f767e58f4483",
    ],
  );
});

Deno.test("a selection keeps images and labels together, in the order asked for", () => {
  const { images, labels } = selectDigits(tiny, [2, 0, 2]);
  assertEquals([...images.data], [2, 2, 0, 0, 2, 2]);
  assertEquals([...labels], [9, 7, 9]);
  assertThrows(
    () => selectDigits(tiny, [3]),
    RangeError,
    "selectDigits: a place must be an integer in [0, 2], got 3",
  );
});

Deno.test("a sample has no digit twice; of one stream, a smaller one is the beginning of a larger one", () => {
  const rng = () => ({ rng: defaultRng(5) });
  const [few, many] = [100, 1000].map((n) => sampleDigits(small.train, n, rng()));
  assertEquals(new Set(rows(many)).size, 1000);
  assertEquals(rows(few), rows(many).slice(0, 100));
  assertNotEquals(rows(sampleDigits(small.train, 100, { rng: defaultRng(6) })), rows(few));
  assertThrows(() => sampleDigits(tiny, 4, rng()), RangeError, "must be an integer in [1, 3], got 4");
});

Deno.test("batches pass over the set again and again, each time in another order", () => {
  const set = sampleDigits(small.train, 20, { rng: defaultRng(1) });
  for (const [size, perPass] of [[5, 4], [20, 1], [6, 3]]) {
    const batches = digitBatches(set, size, { rng: defaultRng(2) });
    const pass = () => Array.from({ length: perPass }, () => rows(batches.next().value)).flat();
    const [first, second] = [pass(), pass()];
    for (const drawn of [first, second]) assertEquals(new Set(drawn).size, perPass * size);
    assertNotEquals(first, second);
  }
  const tooLarge = digitBatches(tiny, 4, { rng: defaultRng(1) });
  assertThrows(() => tooLarge.next(), RangeError, "digitBatches: size must be an integer in [1, 3], got 4");
});

Deno.test("what cannot be loaded is said", async () => {
  // @ts-expect-error: no such side
  await assertRejects(() => loadDigits({ side: 7 }), RangeError, "14 or 28 pixels along each side, got 7");
  // @ts-expect-error: no such option
  await assertRejects(() => loadDigits({ size: 14 }), TypeError, 'loadDigits has no option "size"');
});
