/**
 * A process that prepares one JavaScript peer for one workload and times it on request, so that no garbage, memory or
 * compiled code of others is in its way. It reads one JSON request per line and answers with one line; `peers.py`
 * speaks the same.
 * @module
 */

import { type Call, given } from "./peer.ts";
import { loaders } from "./peers/mod.ts";
import type { Answer, Request } from "./protocol.ts";
import { readLines, sampleOf } from "./protocol.ts";
import type { Workload } from "./workloads.ts";

/** Standard output is for answers; what a package has to say goes where errors go. */
const say = console.log;
console.log = console.info = console.error;

/** Answers requests about one peer, until there are no more. */
async function serve(name: string): Promise<void> {
  const loading = loaders[name]();
  loading.catch(() => {}); // every answer says it
  let call: Call | undefined;

  async function answer(request: Request): Promise<Answer> {
    const peer = await loading;
    if (request.do === "versions") return { versions: peer.versions };
    if (request.do === "prepare") {
      const prepare = peer.operations[request.workload.operation];
      if (prepare === undefined) return { missing: peer.lacks ?? "does not offer it" };
      call = prepare(given(request.workload));
      return { sample: await sampleCall(call, request.workload) };
    }
    if (request.do !== "run" || call === undefined) {
      throw new Error(`it was asked to ${request.do} before it was prepared`);
    }
    return { ns: await timeCall(call, request.iterations) };
  }

  for await (const line of readLines(Deno.stdin.readable)) {
    const reply = await answer(JSON.parse(line)).catch((error) => ({ missing: firstLine(error) }));
    say(JSON.stringify(reply));
  }
}

async function sampleCall(call: Call, { dtype }: Workload): Promise<string> {
  const output = await call.run();
  const sample = sampleOf(await call.read(output), dtype);
  call.free?.(output);
  return sample;
}

/** Nanoseconds per call. */
async function timeCall(call: Call, iterations: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < iterations; i++) {
    let output = call.run();
    if (output instanceof Promise) output = await output; // only then: awaiting everything would cost time
    call.free?.(output);
  }
  return (performance.now() - start) * 1e6 / iterations;
}

function firstLine(error: unknown): string {
  return String((error as Error).message ?? error).split("\n")[0];
}

await serve(Deno.args[0]);
Deno.exit(0); // also where a peer's workers are still waiting for work
