/**
 * Drives a Chromium over its DevTools protocol: as much as the tests need, with nothing to download.
 *
 * Source: https://chromedevtools.github.io/devtools-protocol/
 * @module
 */

import { join } from "@std/path";

/** Chromium as Debian, Fedora, macOS and GitHub's machines call it. */
const NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** A part of a page, in CSS pixels. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

type Json = Record<string, unknown>;

interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Json;
  result?: Json;
  error?: { message: string };
}

/** A program of that name, or `undefined` if there is none. `CHROMIUM` names another one. */
export async function findChromium(): Promise<string | undefined> {
  const chosen = Deno.env.get("CHROMIUM");
  for (const name of chosen === undefined ? NAMES : [chosen]) {
    if (await starts(name)) return name;
  }
  return undefined;
}

async function starts(program: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch { // there is no such program
    return false;
  }
}

/** A browser without a window, with a profile of its own; disposing of it ends it. */
export class Browser implements AsyncDisposable {
  #process: Deno.ChildProcess;
  #profile: string;
  #socket: WebSocket;
  #answers = new Map<number, PromiseWithResolvers<Json>>();
  #listeners = new Set<(message: Message) => void>();
  #lastId = 0;

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#answers.values()) reject(new Error("The browser has ended"));
    };
  }

  static async start(program: string): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "clients_chromium_" });
    const process = new Deno.Command(program, {
      args: [
        "--headless=new",
        "--no-sandbox", // which containers, and users with all rights, cannot have
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "--no-first-run",
        "--disable-gpu",
        "--force-color-profile=srgb",
        "about:blank",
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const [port, path] = (await whenWritten(join(profile, "DevToolsActivePort"))).trim().split("\n");
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    return new Browser(process, profile, socket);
  }

  /** A new page, with cookies of its own. */
  async page(width: number, height: number, zoom = 1): Promise<Page> {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(targetId));
    await page.send("Page.enable");
    await page.send("Runtime.enable");
    await page.resize(width, height, zoom);
    return page;
  }

  /** Calls a method of the protocol. */
  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Json>();
    this.#answers.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    return answer.promise;
  }

  /** Is told of everything that happens. */
  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  #receive(message: Message): void {
    if (message.id === undefined) return this.#listeners.forEach((listener) => listener(message));
    const answer = this.#answers.get(message.id)!;
    this.#answers.delete(message.id);
    if (message.error) answer.reject(new Error(message.error.message));
    else answer.resolve(message.result!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close");
    await this.#process.status;
    await Deno.remove(this.#profile, { recursive: true });
  }
}

/** One page of a browser. */
export class Page {
  /** Exceptions that nobody caught, since the page was made. */
  readonly exceptions: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;
  readonly #target: string;

  constructor(browser: Browser, session: string, target: string) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
    browser.listen(({ method, params, sessionId }) => {
      if (sessionId !== session || method !== "Runtime.exceptionThrown") return;
      const { exceptionDetails } = params as { exceptionDetails: { text: string; exception?: Json } };
      this.exceptions.push(`${exceptionDetails.text} ${exceptionDetails.exception?.description ?? ""}`);
    });
  }

  send(method: string, params: Json = {}): Promise<Json> {
    return this.#browser.send(method, params, this.#session);
  }

  /** Opens an address; what the page shows may take longer. */
  async open(url: string): Promise<void> {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  /** The value of an expression in the page, awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    }) as { result: { value: T }; exceptionDetails?: { text: string; exception?: Json } };
    if (exceptionDetails === undefined) return result.value;
    throw new Error(`${exceptionDetails.exception?.description ?? exceptionDetails.text} in ${expression}`);
  }

  /** Waits until an expression is true; a page that is being left answers with an error, which counts as false. */
  async until(expression: string, seconds = 60): Promise<void> {
    const end = Date.now() + 1000 * seconds;
    let last: unknown;
    while (!await this.evaluate<boolean>(`Boolean(${expression})`).catch((error) => void (last = error))) {
      if (Date.now() > end) throw new Error(`Not true within ${seconds} s: ${expression}; ${last ?? ""}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Sets the size of the window, and how many pixels are in a CSS pixel. */
  async resize(width: number, height: number, zoom = 1): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: zoom, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** PNG of the window, or of a part of it. */
  async screenshot(clip?: Box): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.send("Page.captureScreenshot", clip && { clip: { ...clip, scale: 1 } });
    return Uint8Array.fromBase64(String(data));
  }

  /** The page as it would be printed. */
  async pdf(): Promise<Uint8Array> {
    return Uint8Array.fromBase64(String((await this.send("Page.printToPDF")).data));
  }

  /** Presses a key that has no letter, such as "ArrowRight". */
  async press(key: string): Promise<void> {
    const codes: Record<string, number> = {
      End: 35,
      Home: 36,
      ArrowLeft: 37,
      ArrowUp: 38,
      ArrowRight: 39,
      ArrowDown: 40,
    };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key] };
    await this.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Clicks into the window. */
  async click(x: number, y: number): Promise<void> {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.#target });
  }
}

/** The content of a file that another process is about to write. */
async function whenWritten(path: string): Promise<string> {
  for (const end = Date.now() + 30_000;;) {
    const text = await Deno.readTextFile(path).catch(() => "");
    if (text.includes("\n")) return text;
    if (Date.now() > end) throw new Error(`${path} was not written within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
