/**
 * The process of a kernel: how it is told where to listen, how it starts, and how it ends with all that it has started.
 *
 * @module
 */
import { join } from "@std/path";

/** The kernel's process could not be started, ended at once, or never answered. */
export class KernelNeverStarted extends Error {
  /** The class, as messages name it. */
  override name = "KernelNeverStarted";
}

/** How to start a kernel. */
export interface KernelOptions {
  /** The working directory of the kernel; by default, the current one. */
  cwd?: string;
  /** The Deno executable; by default, the one that is running. */
  deno?: string;
  /** How long a kernel may take until it first answers, in seconds; 60 by default. */
  startTimeout?: number;
  /** Kills the kernel when it aborts; whoever waits for the kernel then gets the signal's reason. */
  signal?: AbortSignal;
}

/** The channels of a kernel that the executor talks over. */
export type Channel = "shell" | "control" | "iopub";

/** Where a kernel listens, and what it signs its messages with. */
export interface Connection {
  /** A temporary folder of the kernel's own. */
  directory: string;
  /** The connection file in it. */
  file: string;
  /** The secret that kernel and client share. */
  key: string;
  /** TCP ports on 127.0.0.1. */
  ports: Record<Channel, number>;
}

/**
 * Writes the connection file. The ports are free now; nothing guarantees that they still are in a moment.
 *
 * @throws {KernelNeverStarted} if the system's temporary folder is full.
 */
export async function prepareConnection(): Promise<Connection> {
  const key = crypto.randomUUID();
  const [shell, control, iopub, stdin, heartbeat] = freePorts(5);
  const directory = await Deno.makeTempDir({ prefix: "deno_kernel_" });
  const file = join(directory, "connection.json");
  const info = {
    transport: "tcp",
    ip: "127.0.0.1",
    signature_scheme: "hmac-sha256",
    key,
    shell_port: shell,
    control_port: control,
    iopub_port: iopub,
    stdin_port: stdin,
    hb_port: heartbeat,
    kernel_name: "deno",
  };
  try {
    await Deno.writeTextFile(file, JSON.stringify(info));
  } catch (error) {
    await Deno.remove(directory, { recursive: true });
    throw new KernelNeverStarted(`The temporary folder ${directory} cannot be written: ${messageOf(error)}`);
  }
  return { directory, file, key, ports: { shell, control, iopub } };
}

function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/**
 * Starts the process of a kernel.
 *
 * @throws {KernelNeverStarted} if there is no such program.
 */
export async function spawn(connection: Connection, options: KernelOptions): Promise<Deno.ChildProcess> {
  const deno = options.deno ?? Deno.execPath();
  try {
    return new Deno.Command(deno, {
      args: ["jupyter", "--kernel", "--conn", connection.file],
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: { NO_COLOR: "1" },
      detached: true, // a process group of its own, which ends as a whole
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    await Deno.remove(connection.directory, { recursive: true });
    throw new KernelNeverStarted(`${deno} could not be started: ${messageOf(error)}`);
  }
}

/** Ends a kernel with the processes that its cells have left behind; on Windows, the kernel alone. */
export function killGroup(pid: number): void {
  try {
    Deno.kill(Deno.build.os === "windows" ? pid : -pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // all of them have left already
  }
}

/** The last lines of what a process complained about, without the warning that every kernel starts with. */
export async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) text = (text + chunk).slice(-4000);
  const lines = text.split("\n").filter((line) =>
    line.trim() && !line.includes('"deno jupyter" is unstable')
  );
  return lines.slice(-5).join("\n");
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
