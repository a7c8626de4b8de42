import { assertEquals } from "@std/assert";
import { describeOldDeno } from "../lib/jupyter/version.ts";

Deno.test("a Deno that is too old is named beside what is needed, and a newer one passes", () => {
  assertEquals(describeOldDeno("2.6", "2.4.4"), "needs Deno 2.6 or newer, this is 2.4.4");
  assertEquals(describeOldDeno("2.6", "1.46.3"), "needs Deno 2.6 or newer, this is 1.46.3");
  assertEquals(describeOldDeno("2.10", "2.9.6"), "needs Deno 2.10 or newer, this is 2.9.6"); // numbers, not text
  for (const version of ["2.6.0", "2.6.8", "2.10.0", "3.0.0", "2.6.0-rc.1", "2.6.0+abc"]) {
    assertEquals(describeOldDeno("2.6", version), undefined, version);
  }
  assertEquals(describeOldDeno("2.5"), undefined); // the one that runs the tests
});
