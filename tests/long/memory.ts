/** Memory does not grow: a short version of `deno task soak`. Needs --v8-flags=--expose-gc, as `deno task test:memory` has. */

import { assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { zeros } from "../../lib/tensor/mod.ts";
import { collectGarbage, growth, inArrays, inManyWorkspaces, inWorkspace, soak } from "../bench/soak.ts";

const ignore = !("gc" in globalThis);
const ALLOWANCE = 16 * 2 ** 20;
/** Not the resident memory: that is the whole process's, and the system decides when it takes pages back. */
const OWN = ["external", "heap"] as const;

Deno.test({
  name: "20000 forward and backward passes leave no memory behind, in a workspace and in arrays",
  ignore,
  async fn() {
    for (const work of [inWorkspace(), inArrays()]) {
      const samples = await soak(work, 20000);
      assertEquals(samples.map(({ done }) => done), Array.from({ length: 10 }, (_, i) => 2000 * (i + 1)));
      assertLess(growth(samples, OWN), ALLOWANCE);
    }
  },
});

Deno.test({
  name: "work that keeps a tensor of each call is caught",
  ignore,
  async fn() {
    const kept: unknown[] = [];
    const keeping = () => kept.push(zeros([32, 64], "float32"));
    assertGreater(growth(await soak(keeping, 5000), OWN), ALLOWANCE); // 8 KiB each, 3000 of them: 23 MiB
    assertEquals(kept.length, 5000);
  },
});

Deno.test({
  name:
    "the memory of workspaces is given back once nobody has a tensor of theirs; if somebody has, it is not",
  ignore,
  async fn() {
    const alive = async (keep: (x: object) => void) => {
      const buffers: WeakRef<ArrayBufferLike>[] = [];
      await soak(
        inManyWorkspaces((_, x) => {
          keep(x);
          buffers.push(new WeakRef(x.data.buffer));
        }),
        100,
      );
      await collectGarbage();
      return buffers.filter((buffer) => buffer.deref() !== undefined).length;
    };
    assertLessOrEqual(await alive(() => {}), 1); // the last one may still be on the stack
    const kept: object[] = [];
    assertEquals(await alive((x) => kept.push(x)), 100);
    assertEquals(kept.length, 100);
  },
});
