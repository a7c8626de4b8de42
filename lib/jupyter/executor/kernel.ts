/**
 * A Deno kernel in a process of its own, driven over Jupyter's messaging protocol 5.3.
 *
 * Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html
 *
 * @module
 */
import { Companion, type Uncaught } from "./companion.ts";
import { decodeMessage, encodeMessage, type Message, MESSAGE_START } from "./message.ts";
import {
  type Channel,
  type Connection,
  KernelNeverStarted,
  type KernelOptions,
  killGroup,
  messageOf,
  prepareConnection,
  spawn,
  tail,
} from "./process.ts";
import { type SocketType, TornStream, ZmtpSocket } from "./zmtp.ts";

/** The kernel's process ended, or hung up, while something was still expected of it. */
export class KernelDied extends Error {
  /** The class, as messages name it. */
  override name = "KernelDied";
}

/** A cell ran longer than it was allowed to, and was stopped. */
export class CellTimeout extends Error {
  /** The class, as messages name it. */
  override name = "CellTimeout";
}

/** What a kernel publishes while it runs a cell. */
export interface Published {
  /** Such as `stream`, `display_data`, `execute_result` or `error`. */
  type: string;
  /** The fields that the protocol defines for this type. */
  content: Record<string, unknown>;
  /** How many binary buffers come with it. */
  buffers: number;
}

/** The kernel's answer to a cell. */
export interface ExecuteReply {
  /** Whether the cell ran to its end. */
  status: "ok" | "error" | "aborted";
  /** The cell's number in this kernel. */
  execution_count: number;
  /** If it failed: the error's name. */
  ename?: string;
  /** If it failed: the error's message. */
  evalue?: string;
  /** If it failed: where. Empty for a syntax error, and for what is thrown without saying where. */
  traceback?: string[];
  /** If what failed is not the cell's own code: a timer, an event listener, or a promise that nobody awaited. */
  from?: Uncaught["from"];
}

/** How to run a cell. */
export interface ExecuteOptions {
  /** How long the cell may take, in seconds; no limit by default. */
  timeout?: number;
  /** Called with everything that the cell publishes, in order. */
  onPublished?: (published: Published) => void;
}

/** A request under way. */
interface Request {
  /** Where its reply comes from, and of which type it is: no other message counts as one. */
  channel: Channel;
  replyType: string;
  onPublished: (published: Published) => void;
  reply: PromiseWithResolvers<Record<string, unknown>>;
  idle: PromiseWithResolvers<void>;
}

/** A text that the companion prints on both streams: when it has arrived, so has everything before it. */
interface Fence {
  text: string;
  /** The streams on which it has not arrived yet. */
  missing: Set<unknown>;
  arrived: PromiseWithResolvers<void>;
}

const START_ATTEMPTS = 3;
const DEFAULT_START_TIMEOUT = 60;
/** How long to wait between two attempts to reach a kernel that starts, in ms. */
const CONNECT_PAUSE = 10;
/** How long a kernel may take for one answer while it starts, in ms; then it is asked again. */
const HELLO_PATIENCE = 500;
/** How long a cell that is too slow may take to answer an interrupt, in ms; then its kernel is killed. */
const INTERRUPT_PATIENCE = 2000;
/** How long a kernel may take to leave after it was asked to, in ms; then it is killed. */
const SHUTDOWN_PATIENCE = 1000;

/** A running Deno kernel. Dispose of it (`await using`), and neither its process nor its files remain. */
export class Kernel implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #connection: Connection;
  readonly #companion: Companion;
  readonly #session = crypto.randomUUID();
  readonly #sockets = new Map<Channel, ZmtpSocket>();
  /** By message id. They stay: what a cell publishes late is still its own. */
  readonly #requests = new Map<string, Request>();
  /** Those that have not arrived. */
  readonly #fences = new Set<Fence>();
  /** What nobody caught, from the moment it is known. */
  #uncaught: PromiseWithResolvers<Uncaught> = Promise.withResolvers();
  /** Rejects as soon as nothing more can be expected of this kernel; never resolves. */
  readonly #ended = Promise.withResolvers<never>();
  readonly #closed = new AbortController();
  /** Resolves when the process has ended and said why. */
  readonly #gone: Promise<void>;

  private constructor(process: Deno.ChildProcess, connection: Connection, signal: AbortSignal | undefined) {
    this.#process = process;
    this.#connection = connection;
    this.#companion = new Companion(crypto.randomUUID(), (uncaught) => this.#uncaught.resolve(uncaught));
    this.#ended.promise.catch(() => {}); // it may end while nobody waits
    this.#gone = this.#watchProcess();
    if (signal?.aborted) this.#end(signal.reason);
    signal?.addEventListener("abort", () => this.#end(signal.reason), { signal: this.#closed.signal });
  }

  /**
   * Starts a kernel and waits until it answers.
   *
   * @throws {KernelNeverStarted} if it does not.
   */
  static async start(options: KernelOptions = {}): Promise<Kernel> {
    for (let attempt = 1;; attempt++) {
      options.signal?.throwIfAborted();
      const connection = await prepareConnection();
      const kernel = new Kernel(await spawn(connection, options), connection, options.signal);
      try {
        await kernel.#meet(options.startTimeout ?? DEFAULT_START_TIMEOUT);
        return kernel;
      } catch (error) {
        await kernel.kill();
        // Another program may have taken one of the ports meanwhile, and may even answer there; if it is another
        // kernel, with other signatures. Try other ports.
        const isOthers = error instanceof KernelDied || error instanceof TornStream;
        if (!isOthers) throw error;
        if (attempt === START_ATTEMPTS) throw new KernelNeverStarted(error.message);
      }
    }
  }

  /**
   * Runs one cell, and waits for everything that it has published.
   *
   * @returns The kernel's answer, also if the cell failed, or an error that nothing caught while it ran.
   * @throws {CellTimeout} if the cell took too long; it was interrupted or, if that did not help, the kernel killed.
   * @throws {KernelDied} if the kernel did not survive the cell.
   * @throws {TornStream} if the kernel mixed its messages, so that outputs are lost.
   */
  async execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteReply> {
    const request = this.#execute(code, { silent: false, onPublished: options.onPublished });
    const done = this.#whileAlive(Promise.race([this.#finish(request), this.#failure()]));
    if (!await settlesWithin(done, (options.timeout ?? Infinity) * 1000)) {
      throw await this.#stopCell(request, options.timeout!);
    }
    const reply = await done;
    if (reply.from !== undefined) this.#uncaught = Promise.withResolvers();
    return reply;
  }

  /** Asks the kernel to stop the running cell. A loop obeys; an `await` that never ends does not. */
  async interrupt(): Promise<void> {
    await this.#whileAlive(this.#request("control", "interrupt_request", {}).reply.promise);
  }

  /** Asks the kernel to leave, and kills it if it does not. */
  async shutdown(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#request("control", "shutdown_request", { restart: false });
      await settlesWithin(this.#process.status, SHUTDOWN_PATIENCE);
    }
    await this.kill();
  }

  /** Ends the kernel's process at once, and removes its files. */
  async kill(): Promise<void> {
    this.#end(new KernelDied("The kernel was shut down."));
    await this.#process.status;
    await settlesWithin(this.#gone, SHUTDOWN_PATIENCE);
    await Deno.remove(this.#connection.directory, { recursive: true }).catch(ignoreNotFound);
  }

  /** The same as {@linkcode shutdown}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Fails everybody who waits, with the first reason given, and lets go of process and connections. */
  #end(reason: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#ended.reject(reason);
    this.#closed.abort();
    this.#companion[Symbol.dispose]();
    for (const socket of this.#sockets.values()) socket.close();
    killGroup(this.#process.pid);
  }

  async #watchProcess(): Promise<void> {
    const [status, lastWords] = await Promise.all([this.#process.status, tail(this.#process.stderr)]);
    const how = status.signal ? `signal ${status.signal}` : `exit code ${status.code}`;
    this.#end(new KernelDied(`The kernel's process ended (${how}).${lastWords && "\n" + lastWords}`));
  }

  /** Connects and greets, until the kernel has answered on both channels that matter. */
  async #meet(timeout: number): Promise<void> {
    const greeted = this.#connect().then(() => this.#greet()).then(() => this.#install());
    if (await settlesWithin(this.#whileAlive(greeted), timeout * 1000)) return await greeted;
    greeted.catch(() => {}); // it fails when the kernel is killed
    throw new KernelNeverStarted(`The kernel did not answer within ${timeout} s.`);
  }

  async #connect(): Promise<void> {
    await Promise.all([
      this.#open("shell", "DEALER"),
      this.#open("control", "DEALER"),
      this.#open("iopub", "SUB"),
    ]);
  }

  async #open(channel: Channel, type: SocketType): Promise<void> {
    const { ports } = this.#connection;
    while (true) {
      try {
        const socket = await ZmtpSocket.connect(type, ports[channel], {
          signal: this.#closed.signal,
          messageStart: MESSAGE_START,
        });
        this.#sockets.set(channel, socket);
        this.#receive(channel, socket);
        return;
      } catch (error) {
        if (this.#closed.signal.aborted) return await this.#ended.promise;
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw await this.#hungUp(error);
        await pause(CONNECT_PAUSE); // it does not listen yet
      }
    }
  }

  /** A subscription takes effect at some moment after it was sent: ask until an answer is published, too. */
  async #greet(): Promise<void> {
    while (true) {
      const request = this.#request("shell", "kernel_info_request", {});
      const answered = Promise.all([request.reply.promise, request.idle.promise]);
      if (await this.#whileAlive(settlesWithin(answered, HELLO_PATIENCE))) return;
    }
  }

  /** The companion must be there before any cell. */
  async #install(): Promise<void> {
    const request = this.#execute(this.#companion.code, { silent: true });
    const { status, ename, evalue } = await this.#whileAlive(
      request.reply.promise,
    ) as unknown as ExecuteReply;
    if (status !== "ok") throw new KernelNeverStarted(`The kernel cannot be prepared: ${ename}: ${evalue}`);
  }

  async #receive(channel: Channel, socket: ZmtpSocket): Promise<void> {
    try {
      for await (const frames of socket) {
        const message = decodeMessage(this.#connection.key, frames);
        if (!message) throw new TornStream("A message's signature is wrong.");
        this.#deliver(channel, message);
      }
    } catch (error) {
      this.#end(error instanceof TornStream ? error : await this.#hungUp(error));
    }
  }

  /** A process that ends hangs up first: gives the reason of its end a moment to come in. */
  async #hungUp(error: unknown): Promise<KernelDied> {
    await settlesWithin(this.#gone, SHUTDOWN_PATIENCE);
    return new KernelDied(`The connection to the kernel broke: ${messageOf(error)}`);
  }

  #deliver(channel: Channel, { type, parentId, content, buffers }: Message): void {
    if (channel === "iopub" && type === "stream") this.#passFences(content);
    const request = this.#requests.get(parentId ?? "");
    if (!request) return;
    if (channel !== "iopub") {
      if (channel === request.channel && type === request.replyType) request.reply.resolve(content);
    } else if (type === "status") {
      if (content.execution_state === "idle") request.idle.resolve();
    } else if (!(type === "stream" && content.text === "")) {
      request.onPublished({ type, content, buffers });
    }
  }

  /** Takes fences out of a stream. */
  #passFences(content: Record<string, unknown>): void {
    for (const fence of this.#fences) {
      if (typeof content.text !== "string" || !content.text.includes(fence.text)) continue;
      content.text = content.text.replace(fence.text, "");
      fence.missing.delete(content.name);
      if (fence.missing.size > 0) continue;
      this.#fences.delete(fence);
      fence.arrived.resolve();
    }
  }

  /**
   * The kernel answers before it has published all that the cell has sent. Another request would not do to find out
   * when it has: its own messages would be written into a large one that is under way.
   */
  async #finish(request: Request): Promise<ExecuteReply> {
    const reply = await request.reply.promise as unknown as ExecuteReply;
    if (reply.status !== "ok") return reply;
    const fence: Fence = {
      text: crypto.randomUUID(),
      missing: new Set(["stdout", "stderr"]),
      arrived: Promise.withResolvers(),
    };
    this.#fences.add(fence);
    await this.#companion.fence(fence.text);
    await fence.arrived.promise;
    return reply;
  }

  async #failure(): Promise<ExecuteReply> {
    const { from, name, message } = await this.#uncaught.promise;
    return { status: "error", execution_count: 0, ename: name, evalue: message, traceback: [], from };
  }

  #execute(
    code: string,
    options: { silent: boolean; onPublished?: ((published: Published) => void) | undefined },
  ): Request {
    const { silent, onPublished } = options;
    const content = { code, silent, store_history: !silent, user_expressions: {}, allow_stdin: false };
    return this.#request("shell", "execute_request", content, onPublished);
  }

  #request(
    channel: Channel,
    type: string,
    content: Record<string, unknown>,
    onPublished: (published: Published) => void = () => {},
  ): Request {
    const id = crypto.randomUUID();
    const request = {
      channel,
      replyType: type.replace("_request", "_reply"),
      onPublished,
      reply: Promise.withResolvers<Record<string, unknown>>(),
      idle: Promise.withResolvers<void>(),
    };
    this.#requests.set(id, request);
    const frames = encodeMessage(this.#connection.key, { id, session: this.#session, type }, content);
    this.#sockets.get(channel)!.send(frames).catch(() => {}); // a broken connection also ends #receive
    return request;
  }

  #whileAlive<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#ended.promise]);
  }

  /** @returns The error to throw. */
  async #stopCell(request: Request, seconds: number): Promise<CellTimeout> {
    this.#request("control", "interrupt_request", {});
    const obeyed = await settlesWithin(this.#whileAlive(request.reply.promise), INTERRUPT_PATIENCE);
    if (!obeyed) await this.kill();
    const how = obeyed ? "was interrupted" : "did not answer an interrupt, so that its kernel was killed";
    return new CellTimeout(`The cell ran for more than ${seconds} s and ${how}.`);
  }
}

/** @returns Whether `work` succeeded or failed within `ms`; a failure is thrown. */
async function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  if (ms >= 2 ** 31) return await work.then(() => true); // more than a timer can count, 24 days
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
