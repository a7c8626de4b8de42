/**
 * The other side of `host.ts` and `peers.py`: starts them, asks, and waits for the answer.
 * @module
 */

import { fromFileUrl } from "@std/path";
import type { Asked } from "./compare.ts";
import { pythonPeers } from "./peers/mod.ts";
import { type Answer, readLines, type Request } from "./protocol.ts";

/** One thread each, whichever library NumPy and PyTorch calculate with; and errors without colour codes. */
export const ENVIRONMENT = {
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  NO_COLOR: "1",
};

/** All peers, each in a process that starts when it is asked first: one for each JavaScript peer, one for Python. */
export class Peers implements Asked, AsyncDisposable {
  readonly #python: string;
  readonly #processes = new Map<string, Process>();

  /**
   * Starts nothing yet.
   *
   * @param python The Python to run `peers.py` with.
   */
  constructor(python: string) {
    this.#python = python;
  }

  /** Asks one peer, and waits. A process that cannot be started, or died, is an answer too. */
  async ask(request: Request): Promise<Answer> {
    const name = this.#processFor(request.peer);
    try {
      if (!this.#processes.has(name)) this.#processes.set(name, this.#start(name));
      return await this.#processes.get(name)!.ask(request);
    } catch (error) {
      this.#processes.delete(name); // so that the next workload finds a new one
      return { missing: (error as Error).message };
    }
  }

  /**
   * Lets a peer forget a workload: by the end of its process, so that the next one finds nothing of it. Python only lets
   * go of its arrays, since importing PyTorch takes seconds.
   */
  async forget(peer: string): Promise<void> {
    const name = this.#processFor(peer);
    if (name === this.#python) await this.ask({ do: "forget", peer });
    else {
      await this.#processes.get(name)?.end();
      this.#processes.delete(name);
    }
  }

  /** Ends all processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.end()));
  }

  #processFor(peer: string): string {
    return pythonPeers.includes(peer) ? this.#python : peer;
  }

  #start(name: string): Process {
    if (name === this.#python) return new Process(name, [path("peers.py")]);
    const flags = ["--quiet", "--no-prompt", "--no-check", `--lock=${path("deno.lock")}`, "--frozen=false"];
    const permissions = ["--allow-read", "--allow-env", "--allow-sys"];
    return new Process(Deno.execPath(), ["run", ...flags, ...permissions, path("host.ts"), name]);
  }
}

/** A process that answers one request at a time. */
class Process {
  readonly #child: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;
  readonly #complaint: Promise<string>;

  constructor(command: string, args: string[]) {
    const options = { args, stdin: "piped", stdout: "piped", stderr: "piped", env: ENVIRONMENT } as const;
    this.#child = new Deno.Command(command, options).spawn();
    this.#requests = this.#child.stdin.getWriter();
    this.#answers = readLines(this.#child.stdout);
    this.#complaint = complaintOf(this.#child.stderr);
  }

  async ask(request: Request): Promise<Answer> {
    const line = new TextEncoder().encode(`${JSON.stringify(request)}\n`);
    await this.#requests.write(line).catch(() => {}); // a process that is gone does not answer either
    const { done, value } = await this.#answers.next();
    if (!done) return JSON.parse(value);
    throw new Error(`its process ended: ${await this.#complaint}`);
  }

  async end(): Promise<void> {
    await this.#requests.close().catch(() => {}); // it may have ended by itself
    await this.#child.status;
  }
}

function path(name: string): string {
  return fromFileUrl(new URL(name, import.meta.url));
}

/** The error that a process reported; read all along, so that it never waits for a reader. */
async function complaintOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const lines: string[] = [];
  for await (const line of readLines(stream)) if (line.trim() !== "") lines.push(line.trim());
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? "without a word";
}
