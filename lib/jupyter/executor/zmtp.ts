/**
 * A client of ZeroMQ's wire protocol, ZMTP 3.0 with the NULL mechanism, over plain TCP: as much of it as a
 * Jupyter client needs, and without a native add-on.
 *
 * Source: https://rfc.zeromq.org/spec/23/
 *
 * @module
 */

/** The two socket types that a Jupyter client uses: `DEALER` for requests, `SUB` for what a kernel publishes. */
export type SocketType = "DEALER" | "SUB";

/** The peer closed the connection, or does not speak ZMTP 3 with the NULL mechanism. */
export class ZmtpError extends Error {
  /** The class, as messages name it. */
  override name = "ZmtpError";
}

/**
 * Bytes of two messages are mixed so that they cannot be told apart. The Deno kernel mixes them when it publishes
 * something while a large output is being written.
 */
export class TornStream extends ZmtpError {
  /** The class, as messages name it. */
  override name = "TornStream";
}

/** How to connect. */
export interface ConnectOptions {
  /** Gives up the handshake when it aborts. */
  signal?: AbortSignal;
  /**
   * The bytes that each of the peer's messages begins with, if none of its frames can hold them. By these, a message
   * that the peer has written into the middle of another one is found, and both are whole again.
   */
  messageStart?: Uint8Array;
}

const GREETING_LENGTH = 64;
const MECHANISM = { start: 12, end: 32 };
const MORE = 1, LONG = 2, COMMAND = 4;
const LONGEST_SHORT_FRAME = 255;
/** More than any text that JavaScript can hold: what claims to be longer is not the length of a frame. */
const LONGEST_FRAME = 2 ** 30;
const BUFFER_SIZE = 65536;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One ZMTP connection. Iterate over it to receive messages; each is an array of frames. */
export class ZmtpSocket implements AsyncIterable<Uint8Array[]> {
  readonly #connection: Deno.TcpConn;
  readonly #messageStart: Uint8Array | undefined;
  /** Messages that were found within another one. */
  readonly #found: Uint8Array[][] = [];
  /** Bytes that have arrived and that nobody has read yet. */
  #unread: Uint8Array = new Uint8Array(0);
  /** Ends when everything sent so far is written: two messages must not mix their bytes. */
  #written: Promise<void> = Promise.resolve();

  private constructor(connection: Deno.TcpConn, messageStart: Uint8Array | undefined) {
    this.#connection = connection;
    this.#messageStart = messageStart;
  }

  /**
   * Connects to 127.0.0.1 and shakes hands; a `SUB` socket subscribes to everything.
   *
   * @param type The socket's own type.
   * @param port The peer's TCP port.
   * @throws {ZmtpError} if the peer hangs up or speaks something else.
   * @throws {Deno.errors.ConnectionRefused} if nobody listens at the port.
   */
  static async connect(type: SocketType, port: number, options: ConnectOptions = {}): Promise<ZmtpSocket> {
    const { signal, messageStart } = options;
    signal?.throwIfAborted();
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const socket = new ZmtpSocket(connection, messageStart);
    const giveUp = () => socket.close();
    signal?.addEventListener("abort", giveUp);
    try {
      connection.setNoDelay(true);
      await socket.#shakeHands(type);
      return socket;
    } catch (error) {
      socket.close();
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  async #shakeHands(type: SocketType): Promise<void> {
    await this.#write(greeting());
    checkGreeting(await this.#read(GREETING_LENGTH));
    await this.#write(encodeFrame(ready(type), COMMAND));
    const answer = await this.#readFrame();
    if (!answer.isCommand || commandName(answer.body) !== "READY") {
      throw new ZmtpError("The peer refused the ZMTP handshake: it did not answer READY.");
    }
    if (type === "SUB") await this.send([Uint8Array.of(1)]); // 1 and an empty prefix: everything
  }

  /**
   * Sends one message.
   *
   * @param frames Its parts; strings are sent as UTF-8.
   */
  send(frames: readonly (Uint8Array | string)[]): Promise<void> {
    const bytes = concat(frames.map((frame, i) => {
      const body = typeof frame === "string" ? encoder.encode(frame) : frame;
      return encodeFrame(body, i < frames.length - 1 ? MORE : 0);
    }));
    const written = this.#written.then(() => this.#write(bytes));
    this.#written = written.catch(() => {}); // the sender hears of it; the next one fails on its own
    return written;
  }

  /**
   * Yields each message that arrives.
   *
   * @throws {TornStream} when what arrives is no message.
   * @throws {ZmtpError} when the peer closes the connection.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array[]> {
    while (true) {
      yield await this.#readMessage();
      yield* this.#found.splice(0);
    }
  }

  /** Closes the connection. Closing twice is harmless. */
  close(): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length;) start += await this.#connection.write(bytes.subarray(start));
  }

  /** Reads exactly `count` bytes, in however many pieces they come. */
  async #read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const missing = bytes.subarray(filled);
      if (this.#unread.length === 0 && missing.length >= BUFFER_SIZE) {
        filled += await this.#receive(missing); // large frames are not copied
        continue;
      }
      if (this.#unread.length === 0) {
        const buffer = new Uint8Array(BUFFER_SIZE);
        this.#unread = buffer.subarray(0, await this.#receive(buffer));
      }
      const piece = this.#unread.subarray(0, missing.length);
      missing.set(piece);
      filled += piece.length;
      this.#unread = this.#unread.subarray(piece.length);
    }
    return bytes;
  }

  async #receive(buffer: Uint8Array): Promise<number> {
    const count = await this.#connection.read(buffer);
    if (count === null) throw new ZmtpError("The peer closed the connection.");
    return count;
  }

  async #readMessage(): Promise<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    while (true) {
      const { body, isCommand, more } = await this.#readFrame();
      if (isCommand) continue;
      frames.push(body);
      if (!more) return frames;
    }
  }

  async #readFrame(): Promise<{ body: Uint8Array; isCommand: boolean; more: boolean }> {
    const [flags] = await this.#read(1);
    if (flags & ~(MORE | LONG | COMMAND)) throw new TornStream(`A frame begins with the byte ${flags}.`);
    const length = flags & LONG ? readLength(await this.#read(8)) : (await this.#read(1))[0];
    if (length > LONGEST_FRAME) throw new TornStream(`A frame claims to be ${length} bytes long.`);
    const body = flags & LONG ? await this.#readLong(length) : await this.#read(length);
    return { body, isCommand: (flags & COMMAND) !== 0, more: (flags & MORE) !== 0 };
  }

  /** Reads what is left of a long frame, and takes out the messages that were written into it. */
  async #readLong(length: number): Promise<Uint8Array> {
    const body = await this.#read(length);
    const start = findBytes(body, this.#messageStart);
    if (start < 0) return body;
    this.#unread = concat([body.subarray(start), this.#unread]);
    this.#found.push(await this.#readMessage());
    return concat([body.subarray(0, start), await this.#readLong(length - start)]);
  }
}

/** @returns The position of the first occurrence, which may reach beyond the end, or −1. */
function findBytes(bytes: Uint8Array, wanted: Uint8Array | undefined): number {
  if (wanted === undefined) return -1;
  const isAt = (start: number) =>
    wanted.every((byte, i) => start + i >= bytes.length || bytes[start + i] === byte);
  for (let start = bytes.indexOf(wanted[0]); start >= 0; start = bytes.indexOf(wanted[0], start + 1)) {
    if (isAt(start)) return start;
  }
  return -1;
}

function readLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer).getBigUint64(0));
}

/** Signature, version 3.0, mechanism NULL, not a server. */
function greeting(): Uint8Array {
  const bytes = new Uint8Array(GREETING_LENGTH);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]);
  bytes.set(encoder.encode("NULL"), MECHANISM.start);
  return bytes;
}

function checkGreeting(bytes: Uint8Array): void {
  const isZmtp3 = bytes[0] === 0xff && bytes[9] === 0x7f && bytes[10] >= 3;
  const mechanism = decoder.decode(bytes.subarray(MECHANISM.start, MECHANISM.end)).replace(/\0+$/, "");
  if (!isZmtp3) throw new ZmtpError("The peer does not speak ZMTP 3.");
  if (mechanism !== "NULL") {
    throw new ZmtpError(`The peer asks for the ZMTP mechanism ${mechanism}; only NULL is supported.`);
  }
}

/** The body of the command that ends a handshake. */
function ready(type: SocketType): Uint8Array {
  return concat([shortString("READY"), property("Socket-Type", type), property("Identity", "")]);
}

function shortString(text: string): Uint8Array {
  return concat([Uint8Array.of(text.length), encoder.encode(text)]);
}

function property(name: string, value: string): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, value.length);
  return concat([shortString(name), length, encoder.encode(value)]);
}

function commandName(body: Uint8Array): string {
  return decoder.decode(body.subarray(1, 1 + body[0]));
}

function encodeFrame(body: Uint8Array, flags: number): Uint8Array {
  if (body.length <= LONGEST_SHORT_FRAME) return concat([Uint8Array.of(flags, body.length), body]);
  const head = new Uint8Array(9);
  head[0] = flags | LONG;
  new DataView(head.buffer).setBigUint64(1, BigInt(body.length));
  return concat([head, body]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}
