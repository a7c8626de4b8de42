import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type SocketType, TornStream, ZmtpError, ZmtpSocket } from "../../lib/jupyter/executor/zmtp.ts";

/** A peer that sends its bytes one by one or in pieces, so that reads are split anywhere. */
class Peer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #connection: Deno.TcpConn | undefined;

  get port(): number {
    return this.#listener.addr.port;
  }

  async accept(): Promise<void> {
    this.#connection = await this.#listener.accept();
    this.#connection.setNoDelay(true);
  }

  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const n = await this.#connection!.read(bytes.subarray(filled));
      if (n === null) throw new Error("The client hung up.");
      filled += n;
    }
    return bytes;
  }

  async write(bytes: Uint8Array, piece = bytes.length): Promise<void> {
    for (let start = 0; start < bytes.length;) {
      start += await this.#connection!.write(bytes.subarray(start, start + piece));
      if (piece < bytes.length) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  hangUp(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  [Symbol.dispose](): void {
    this.hangUp();
    this.#listener.close();
  }
}

function greeting(mechanism = "NULL", version = 3): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, version, 0]);
  bytes.set(new TextEncoder().encode(mechanism), 12);
  return bytes;
}

const command = (name: string) =>
  new Uint8Array([4, name.length + 1, name.length, ...new TextEncoder().encode(name)]);

/** The client's side of the handshake, as the standard writes it: 64 bytes, then READY with two properties. */
const readyLength = (type: SocketType) => 2 + 6 + (12 + 4 + type.length) + (9 + 4);

async function connect(
  peer: Peer,
  type: SocketType = "DEALER",
  piece?: number,
  messageStart?: Uint8Array,
): Promise<ZmtpSocket> {
  const socket = ZmtpSocket.connect(type, peer.port, messageStart && { messageStart });
  await peer.accept();
  await peer.write(greeting(), piece);
  await peer.write(command("READY"), piece);
  await peer.read(64 + readyLength(type));
  return await socket;
}

/** Frames as the standard defines them: flags, a length of 1 or 8 bytes, body. */
function frames(bodies: readonly Uint8Array[], alwaysLong = false): Uint8Array {
  const parts = bodies.map((body, i) => {
    const isLong = alwaysLong || body.length > 255;
    const more = i < bodies.length - 1 ? 1 : 0;
    const head = isLong ? new Uint8Array(9) : new Uint8Array(2);
    head[0] = more | (isLong ? 2 : 0);
    if (isLong) new DataView(head.buffer).setBigUint64(1, BigInt(body.length));
    else head[1] = body.length;
    return [...head, ...body];
  });
  return Uint8Array.from(parts.flat());
}

const bodyOf = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);
const LENGTHS = [0, 1, 255, 256, 65_535, 65_536, 200_000];

Deno.test("what is sent arrives as the standard writes it, for every kind of length", async () => {
  using peer = new Peer();
  const socket = await connect(peer);
  for (const length of LENGTHS) {
    const message = [bodyOf(length), bodyOf(3), bodyOf(length)];
    const expected = frames(message);
    const [, received] = await Promise.all([socket.send(message), peer.read(expected.length)]);
    assertEquals(received, expected);
  }
  socket.close();
});

Deno.test("texts are sent as UTF-8, and messages sent at once do not mix", async () => {
  using peer = new Peer();
  const socket = await connect(peer);
  const texts = Array.from({ length: 50 }, (_, i) => `é${i}`.repeat(1000));
  const expected = texts.map((text) => frames([new TextEncoder().encode(text)]));
  const sent = Promise.all(texts.map((text) => socket.send([text])));
  for (const bytes of expected) assertEquals(await peer.read(bytes.length), bytes);
  await sent;
  socket.close();
});

Deno.test("what arrives is received, for every kind of length and however it is split", async () => {
  using peer = new Peer();
  const socket = await connect(peer, "DEALER", 1);
  const received = socket[Symbol.asyncIterator]();
  for (const length of LENGTHS) {
    const message = [bodyOf(length), bodyOf(2)];
    const written = peer.write(frames(message), Math.max(1, length >> 3));
    assertEquals((await received.next()).value, message);
    await written;
  }
  socket.close();
});

Deno.test("any message arrives, in short frames and in long ones, while commands are passed over", async () => {
  using peer = new Peer();
  const socket = await connect(peer);
  const received = socket[Symbol.asyncIterator]();
  const message = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(
      message,
      fc.boolean(),
      fc.integer({ min: 1, max: 400 }),
      async (message, alwaysLong, piece) => {
        const written = peer.write(command("PING")).then(() =>
          peer.write(frames(message, alwaysLong), piece)
        );
        const { value } = await received.next();
        assertEquals(value.map((frame: Uint8Array) => [...frame]), message.map((frame) => [...frame]));
        await written;
      },
    ),
    { numRuns: 50 },
  );
  socket.close();
});

// ---- A peer that mixes its messages, as Deno's kernel does ----

/** Like a Jupyter message: a short first frame, whose flags and length no text holds. */
const START = Uint8Array.of(1, 3, 97, 98, 99);
const text = fc.string({ unit: fc.constantFrom(...'abc\n"ü') });
const small = fc.array(text, { minLength: 1, maxLength: 4 }).map((texts) => ["abc", ...texts]);
const encode = (texts: readonly string[]) => texts.map((text) => new TextEncoder().encode(text));

Deno.test("messages that were written into another one are found, wherever, and all are whole", async () => {
  using peer = new Peer();
  const socket = await connect(peer, "SUB", undefined, START);
  const received = socket[Symbol.asyncIterator]();
  const cuts = fc.array(fc.tuple(small, fc.integer({ min: 0, max: 999 })), { maxLength: 3 });
  await peer.read(3);
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 256, max: 100_000 }), cuts, async (part, size, cuts) => {
      const large = ["abc", "head", (part + "abc").repeat(Math.ceil(size / (part.length + 3)))];
      const bytes = frames(encode(large));
      const head = bytes.length - new TextEncoder().encode(large[2]).length;
      // Half of them near the end, where a message begins within the frame and ends behind it.
      const places = cuts.map(([, at]) =>
        at < 500 ? head + Math.round(at / 500 * (bytes.length - head)) : bytes.length - at % 20
      ).sort((a, b) => a - b);
      const mixed = cuts.flatMap(([message], i) => [
        ...bytes.subarray(places[i - 1] ?? 0, places[i]),
        ...frames(encode(message)),
      ]);
      const written = peer.write(Uint8Array.from([...mixed, ...bytes.subarray(places.at(-1) ?? 0)]));
      const messages: string[][] = [];
      for (let i = 0; i <= cuts.length; i++) {
        const { value } = await received.next();
        messages.push(value.map((frame: Uint8Array) => new TextDecoder().decode(frame)));
      }
      assertEquals(messages.toSorted(), [large, ...cuts.map(([message]) => message)].toSorted());
      await written;
    }),
    { numRuns: 300 },
  );
  socket.close();
});

Deno.test("bytes that cannot be a frame end the stream with an error", async () => {
  const large = frames(encode(["abc", "x".repeat(1000)]));
  const message = frames(encode(["abc", "y".repeat(300)]));
  const torn: [string, Uint8Array][] = [
    // Without knowing how messages begin, it cannot put them together.
    [
      "begins with the byte 120",
      Uint8Array.from([...large.subarray(0, 500), ...message, ...large.subarray(500)]),
    ],
    ["claims to be 1099511627776 bytes", Uint8Array.of(2, 0, 0, 1, 0, 0, 0, 0, 0)],
  ];
  for (const [reason, bytes] of torn) {
    using peer = new Peer();
    const socket = await connect(peer);
    const written = peer.write(bytes);
    await assertRejects(async () => await Array.fromAsync(socket), TornStream, reason);
    await written;
    socket.close();
  }
});

Deno.test("a SUB socket subscribes to everything", async () => {
  using peer = new Peer();
  const socket = await connect(peer, "SUB");
  assertEquals(await peer.read(3), Uint8Array.of(0, 1, 1));
  socket.close();
});

Deno.test("a peer that speaks something else is refused, with the reason", async () => {
  const answers: [Uint8Array, string][] = [
    [new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n".padEnd(64)), "does not speak ZMTP 3"],
    [greeting("NULL", 2), "does not speak ZMTP 3"],
    [greeting("CURVE"), "mechanism CURVE; only NULL"],
    [Uint8Array.from([...greeting(), ...command("ERROR")]), "did not answer READY"],
  ];
  for (const [answer, reason] of answers) {
    using peer = new Peer();
    const refused = assertRejects(() => ZmtpSocket.connect("DEALER", peer.port), ZmtpError, reason);
    await peer.accept();
    await peer.write(answer);
    await refused;
  }
});

Deno.test("a peer that hangs up ends the handshake, or the messages, with an error", async () => {
  using peer = new Peer();
  const refused = assertRejects(() => ZmtpSocket.connect("DEALER", peer.port));
  await peer.accept();
  peer.hangUp();
  await refused;

  const socket = await connect(peer);
  peer.hangUp();
  const error = await assertRejects(() => socket[Symbol.asyncIterator]().next());
  assert(error instanceof Error);
  await assertRejects(async () => {
    while (true) await socket.send([bodyOf(100_000)]);
  });
  socket.close();
  socket.close(); // harmless
});

Deno.test("a handshake that does not end can be given up", async () => {
  using peer = new Peer();
  const controller = new AbortController();
  const connecting = ZmtpSocket.connect("DEALER", peer.port, controller);
  await peer.accept();
  controller.abort(new Error("enough"));
  const error = await assertRejects(() => connecting);
  assertStringIncludes(error.message, "enough");
  await assertRejects(() => ZmtpSocket.connect("DEALER", peer.port, controller), Error, "enough");
});
