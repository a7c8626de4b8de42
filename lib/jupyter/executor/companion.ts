/**
 * What runs inside a kernel beside the cells. It says when all that a cell has published is on its way, and reports
 * errors that no cell catches. It has a connection of its own, for two reasons: a request to the kernel would publish
 * messages itself, which a large output that is being written does not survive; and cells can neither see nor close it.
 *
 * @module
 */

/** An error that nothing in the notebook caught. */
export interface Uncaught {
  /** Where it came from: a promise that nobody awaited, or a timer or event listener. */
  from: "promise" | "callback";
  /** Its name, such as `TypeError`. */
  name: string;
  /** Its message. */
  message: string;
}

/** What the companion says, as lines of JSON: first the key, then answers to fences, and errors. */
type Said = { key: string } | { fence: string } | { uncaught: Uncaught };

/** The executor's end of the connection. It waits for the companion from the moment it is made. */
export class Companion implements Disposable {
  readonly #listener: Deno.TcpListener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #key: string;
  readonly #onUncaught: (uncaught: Uncaught) => void;
  readonly #met: PromiseWithResolvers<Deno.TcpConn> = Promise.withResolvers();
  readonly #fences = new Map<string, () => void>();

  /**
   * Waits at a free port of 127.0.0.1.
   *
   * @param key A secret, by which the companion is told from other programs.
   * @param onUncaught Called with each error that nothing catches.
   */
  constructor(key: string, onUncaught: (uncaught: Uncaught) => void) {
    this.#key = key;
    this.#onUncaught = onUncaught;
    this.#met.promise.catch(() => {}); // it may be closed before anybody waits
    this.#accept();
  }

  /** What the kernel has to run, once and before any cell. */
  get code(): string {
    return `await (${accompany})(${this.#listener.addr.port}, ${JSON.stringify(this.#key)})`;
  }

  /**
   * Has the companion print a text on both streams, behind everything that was published until then.
   *
   * @param text What to print; must be found again in the streams, so take one that nobody else prints.
   * @returns Resolves when it was printed, which is before it arrives.
   */
  async fence(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#fences.set(text, resolve);
    const connection = await this.#met.promise;
    await connection.write(new TextEncoder().encode(text + "\n")); // short enough for one write
    await promise;
  }

  /** Closes the connection, on which the kernel exits. */
  [Symbol.dispose](): void {
    this.#met.promise.then((connection) => close(connection), () => {});
    this.#met.reject(new Error("The companion was closed."));
    close(this.#listener);
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) this.#listen(connection);
    } catch { // it was closed
    }
  }

  async #listen(connection: Deno.TcpConn): Promise<void> {
    let isCompanion = false;
    try {
      for await (const line of linesOf(connection)) {
        const said = JSON.parse(line) as Said;
        if (!isCompanion) {
          isCompanion = "key" in said && said.key === this.#key;
          if (!isCompanion) break;
          this.#met.resolve(connection);
        } else if ("fence" in said) this.#fences.get(said.fence)?.();
        else if ("uncaught" in said && said.uncaught !== null) this.#onUncaught(said.uncaught);
      }
    } catch { // the kernel has gone, or it is some other program; who waits hears of the kernel's end
    }
    close(connection);
  }
}

async function* linesOf(connection: Deno.TcpConn): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

function close(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** The parts of Deno that a kernel has and that are not in its types. */
interface Inside {
  internal: symbol;
  [internal: symbol]: {
    core: { print(text: string, isError: boolean): void };
  };
}

/**
 * Runs in the kernel, as text: it may use nothing from outside. It keeps what it needs, since cells may replace
 * `console`, `setTimeout` and the rest.
 */
async function accompany(port: number, key: string): Promise<void> {
  const inside = Deno as unknown as Inside;
  const { print } = inside[inside.internal].core;
  const { setTimeout, queueMicrotask, JSON, String } = globalThis;
  const exit = Deno.exit;
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let written: Promise<unknown> = Promise.resolve();
  const say = (said: Said) => {
    const bytes = encoder.encode(JSON.stringify(said) + "\n");
    written = written.then(async () => {
      for (let i = 0; i < bytes.length;) i += await connection.write(bytes.subarray(i));
    });
  };

  const report = (event: Event, from: Uncaught["from"], error: unknown) => {
    event.preventDefault(); // else the kernel's event loop stops
    let isHandled = false;
    event.preventDefault = () => isHandled = true; // a listener of the notebook's own says so
    queueMicrotask(() => {
      if (isHandled) return;
      let name = "Error", message = "(an object that cannot be shown)";
      try {
        if (error instanceof Error) [name, message] = [String(error.name), String(error.message)];
        else message = String(error);
      } catch { // it has no text
      }
      say({ uncaught: { from, name, message } });
    });
  };
  addEventListener("error", (event) => report(event, "callback", event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => report(event, "promise", event.reason));

  const fence = async (text: string) => {
    await new Promise((resolve) => setTimeout(resolve, 0)); // rejections are found at the end of a turn
    await written;
    print(text, false);
    print(text, true);
    say({ fence: text });
  };
  const listen = async () => {
    const buffer = new Uint8Array(1024);
    for (let rest = "";;) {
      const count = await connection.read(buffer).catch(() => null);
      if (count === null) return exit(1); // nobody listens any more: a kernel does not outlive the executor
      const lines = (rest + decoder.decode(buffer.subarray(0, count))).split("\n");
      rest = lines.pop()!;
      for (const line of lines) fence(line);
    }
  };
  say({ key });
  listen();
}
