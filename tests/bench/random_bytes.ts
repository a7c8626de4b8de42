/**
 * Writes the fast stream's bytes to standard output, without end, for batteries of tests:
 * `deno run tests/bench/random_bytes.ts [seed] | dieharder -a -g 200`
 * @module
 */
import { FastStream } from "../../lib/mod.ts";

const stream = new FastStream(Number(Deno.args[0] ?? 0));
try {
  while (true) {
    for (let bytes = stream.bytes(2 ** 16); bytes.length > 0;) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
  }
} catch (error) {
  if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // the reader has seen enough
}
