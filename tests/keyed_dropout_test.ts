/** Keyed dropout: a mask that is drawn again instead of kept. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  gradcheck,
  invertedDropout,
  invertedDropoutBackward,
  KeyedDropout,
  KeyedStream,
  Mask,
  ones,
  Sequential,
  Tensor,
} from "../lib/mod.ts";
import { normals } from "./helpers.ts";

const SEEDS = [0, 1, 2, 3, 4];

const place = { seed: 7, layer: 3 };

Deno.test("a keyed layer is inverted dropout with its key's mask, forward and backward", () => {
  for (const seed of SEEDS) {
    const layer = new KeyedDropout(0.3, { seed, layer: 3 });
    layer.step = 11;
    const [x, g] = [normals([5, 13], seed), normals([5, 13], seed + 1)];
    const rng = new KeyedStream({ seed, layer: 3, step: 11 });
    const { output, pass } = invertedDropout(x, 0.3, { rng });
    assertEquals(layer(x), output);
    assertEquals(layer(x), output, "nothing advances");
    layer.step = 12;
    layer.eval();
    assertEquals(
      layer.backward(g),
      invertedDropoutBackward(g, pass),
      "the mask of the last forward pass",
    );
    assertNotEquals(layer.train()(x), output);
  }
});

/** A planted fault: the backward pass takes the key of the step that the layer is at now. */
class Late extends KeyedDropout {
  override backward(gradOutput: Tensor): Tensor {
    this.step++;
    return this.forward(gradOutput);
  }
}

Deno.test("the recomputed mask passes a gradient check; one of the next step does not", () => {
  for (const seed of SEEDS) {
    const x = normals([4, 5], seed);
    const right = new KeyedDropout(0.5, { seed, layer: 0 });
    assert(gradcheck((v) => right(v), (g) => right.backward(g), x).ok);
    const late = new Late(0.5, { seed, layer: 0 });
    const forward = (v: Tensor) => {
      late.step = 0;
      return late(v);
    };
    assert(!gradcheck(forward, (g) => late.backward(g), x).ok); // passes by chance: 2⁻²⁰
  }
});

Deno.test("a part of a batch, at its offset, gets its part of the mask", () => {
  const [layer, part] = [new KeyedDropout(0.5, place), new KeyedDropout(0.5, place)];
  const x = normals([6, 7]);
  part.offset = 2 * 7;
  assertEquals(part(new Tensor(x.data.slice(14), [4, 7])).data, layer(x).data.slice(14));
});

Deno.test("evaluation passes everything through, and wrong keys and gradients are refused", () => {
  const layer = new KeyedDropout(0.5, place).eval();
  const x = normals([3]);
  assertEquals([layer(x), layer.backward(x)], [x, x]);
  assertThrows(() => layer.backward(ones([4])), TypeError, "shape [3], got [4]");
  assertThrows(() => new KeyedDropout(0.5, place).backward(x), Error, "backward needs a forward pass");
  assertThrows(() => new KeyedDropout(1, place), RangeError, "in [0, 1), got 1");
  assertThrows(() => new KeyedDropout(0.5, { seed: -1, layer: 0 }), RangeError, "seed of a KeyedStream");
  assertThrows(() => new KeyedDropout(0.5, { seed: 1, layer: -1 }), RangeError, "layer of a KeyedStream");
});

Deno.test("step and offset travel with the model's streams, and a given mask is kept as it is", () => {
  const make = () => new Sequential(new KeyedDropout(0.5, place));
  const [model, other] = [make(), make()];
  const layer = model.children()[0] as KeyedDropout;
  [layer.step, layer.offset] = [5, 16];
  other.loadStreamStates(JSON.parse(JSON.stringify(model.streamStates())));
  const x = ones([4, 25]);
  const elsewhere = make().streamStates();
  const output = model(x);
  model.loadStreamStates(elsewhere);
  assertEquals(model.backward(x), output, "a pass keeps its place");
  assertEquals(other(x), output);
  assertEquals((other.children()[0] as KeyedDropout).step, 5);
  const mask = Mask.of(1, 0, 1);
  layer.forward(ones([3]), { mask });
  assert(layer.mask === mask);
  assertEquals(layer.backward(ones([3])).toArray(), [2, 0, 2]);
  for (const step of [-1, 0.5, "7"]) {
    assertThrows(() => layer.step = step as number, Error, "step of a KeyedStream must be an integer");
  }
});
