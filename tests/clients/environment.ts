/**
 * What the tests of notebook programs need: a Chromium, these programs in an environment of their own, a copy of the
 * project to open, and a kernel. All of it is outside of the project's folder.
 * @module
 */

import { tmpdir } from "node:os";
import { dirname, join } from "@std/path";
import { findChromium } from "./browser.ts";

/** The folder of this project. */
export const PROJECT: string = join(import.meta.dirname!, "..", "..");

/** A Chromium. @throws {Missing} if there is none. */
export async function needChromium(): Promise<string> {
  return await findChromium() ??
    giveUp("a Chromium: install chromium or Google Chrome, or set CHROMIUM to its path");
}

/**
 * The folder of programs of a Python environment with what requirements.txt names: made once, and kept in the
 * system's temporary folder until that changes.
 *
 * @throws {Missing} if there is no Python, or the packages cannot be had.
 */
export async function needPython(): Promise<string> {
  const list = join(import.meta.dirname!, "requirements.txt");
  const contents = await Promise.all(
    [list, join(PROJECT, ".binder", "requirements.txt")].map((path) => Deno.readTextFile(path)),
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(contents.join()));
  const key = new Uint8Array(digest, 0, 4).toHex();
  const environment = join(tmpdir(), `clients_python_${key}`);
  const programs = join(environment, "bin");
  const done = join(environment, "complete");
  if (await exists(done)) return programs;
  console.log(`Installing Jupyter into ${environment}, which takes a minute …`);
  const made = await run("python3", ["-m", "venv", "--clear", environment]);
  if (!made.success) giveUp(`Python 3.11 or newer, with its module venv: ${made.text}`);
  const installed = await run(join(programs, "python"), ["-m", "pip", "install", "--quiet", "-r", list]);
  if (!installed.success) giveUp(`the packages of tests/clients/requirements.txt: ${installed.text}`);
  await Deno.writeTextFile(done, "");
  return programs;
}

/** Something that is not on this machine; the message says what, and where it comes from. */
class Missing extends Error {}

function giveUp(what: string): never {
  throw new Missing(`deno task test:clients needs ${what.trim()}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Runs a program to its end; what it has said. */
export async function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ success: boolean; text: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args, ...options }).output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    return { success: false, text: String(error) };
  }
}

/** A temporary folder for one run of the tests: a copy of the project, and what Jupyter writes. */
export class Place implements AsyncDisposable {
  readonly path: string;
  /** The copy of the project, a git repository with one commit. */
  readonly clone: string;

  private constructor(path: string) {
    this.path = path;
    this.clone = join(path, "inverted-dropout");
  }

  /** Variables that keep Jupyter's files in here, and let programs find Jupyter and, unless they bring it, the kernel. */
  async env(): Promise<Record<string, string>> {
    const folder = (name: string) => join(this.path, "jupyter", name);
    return {
      PATH: `${await needPython()}:${Deno.env.get("PATH")}`,
      JUPYTER_CONFIG_DIR: folder("config"),
      JUPYTER_DATA_DIR: folder("data"),
      JUPYTER_RUNTIME_DIR: folder("runtime"),
      JUPYTER_PATH: folder("path"),
      IPYTHONDIR: folder("ipython"),
    };
  }

  static async make(): Promise<Place> {
    const place = new Place(await Deno.makeTempDir({ prefix: "clients_" }));
    await place.#copyProject();
    await place.write("jupyter/path/kernels/deno/kernel.json", {
      argv: [Deno.execPath(), "jupyter", "--kernel", "--conn", "{connection_file}"],
      display_name: "Deno",
      language: "typescript",
      env: { NO_COLOR: "1" },
    });
    // Else JupyterLab asks whether it may look for news.
    await place.write(
      "jupyter/config/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings",
      { fetchNews: "false" },
    );
    return place;
  }

  /** All files that git knows or would add: as they are now, and not as they were committed. */
  async #copyProject(): Promise<void> {
    const { text } = await run("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: PROJECT });
    for (const file of text.split("\0").filter((file) => file !== "")) {
      await Deno.mkdir(dirname(join(this.clone, file)), { recursive: true });
      await Deno.copyFile(join(PROJECT, file), join(this.clone, file)).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, and not yet committed
      });
    }
    const as = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"];
    for (const args of [["init", "-q"], ["add", "-A"], [...as, "commit", "-qm", "As it is"]]) {
      const { success, text } = await run("git", args, { cwd: this.clone });
      if (!success) throw new Error(`git ${args.join(" ")}: ${text}`);
    }
  }

  /** Writes JSON, or text. */
  async write(name: string, content: unknown): Promise<string> {
    const path = join(this.path, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  }

  /** Files that differ from the ones that were opened. */
  async changes(): Promise<string> {
    return (await run("git", ["status", "--porcelain"], { cwd: this.clone })).text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A server that runs until it is disposed of. */
export class Server implements AsyncDisposable {
  readonly url: string;
  readonly #process: Deno.ChildProcess;
  readonly #log: string;

  private constructor(process: Deno.ChildProcess, url: string, log: string) {
    this.#process = process;
    this.url = url;
    this.#log = log;
  }

  /** Starts a program, and waits until an address of it answers. */
  static async start(
    command: string[],
    url: string,
    options: { cwd: string; env: Record<string, string>; log: string },
  ): Promise<Server> {
    const { cwd, env, log } = options;
    const process = new Deno.Command("sh", {
      args: ["-c", `exec "$0" "$@" > '${log}' 2>&1`, ...command],
      cwd,
      env,
      detached: true, // a process group of its own, which ends as a whole
    }).spawn();
    const server = new Server(process, url, log);
    for (const end = Date.now() + 60_000;;) {
      const answers = await fetch(url).then(async (r) => (await r.body?.cancel(), r.ok), () => false);
      if (answers) return server;
      if (Date.now() > end) {
        throw new Error(`${command.join(" ")} did not answer within 60 s:\n${await server.log()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  async log(): Promise<string> {
    return await Deno.readTextFile(this.#log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(-this.#process.pid, "SIGTERM");
    await this.#process.status;
  }
}

/** A port that is free now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Before the tests: is all there that they need? If not, a sentence says what is missing. */
if (import.meta.main) {
  try {
    await needChromium();
    await needPython();
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
