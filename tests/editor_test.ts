/** The notebooks as an editor sees them: opened in Deno's language server, which checks all cells as one program. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";
import { findNotebooks, NOTEBOOKS } from "../lib/jupyter/executor/command.ts";
import { isCode, type Notebook, parseNotebook } from "../lib/jupyter/executor/notebook.ts";

interface Diagnostic {
  message: string;
  range: { start: { line: number } };
}

interface Incoming {
  id?: number;
  method?: string;
  params?: { uri?: string; diagnostics?: Diagnostic[]; items?: { section?: string }[] };
}

/** A language server in a process of its own. Source: the Language Server Protocol 3.17. */
class LanguageServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  /** What it said last of each document. */
  readonly diagnostics = new Map<string, Diagnostic[]>();
  readonly #answers = new Map<number, () => void>();
  #requests = 0;
  #lastNews = performance.now();

  constructor(root: string) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["lsp", "--quiet"],
      cwd: root,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#listen();
  }

  async initialize(root: string): Promise<void> {
    const rootUri = toFileUrl(root).href;
    await this.request("initialize", {
      processId: Deno.pid,
      rootUri,
      workspaceFolders: [{ uri: rootUri, name: "project" }],
      initializationOptions: { enable: true, lint: true },
      capabilities: {
        workspace: { configuration: true, workspaceFolders: true },
        textDocument: { publishDiagnostics: {} },
        notebookDocument: { synchronization: {} },
      },
    });
    await this.notify("initialized", {});
  }

  /** Opens a notebook as an editor does. @returns The addresses of its code cells. */
  async open(path: string, notebook: Notebook): Promise<string[]> {
    const uri = toFileUrl(path).href;
    const documents = notebook.cells.map((cell, i) => ({
      uri: `${uri.replace("file:", "vscode-notebook-cell:")}#W${i + 1}`,
      languageId: isCode(cell) ? "typescript" : "markdown",
      version: 1,
      text: cell.source,
    }));
    const cells = documents.map(({ uri, languageId }) => ({
      kind: languageId === "typescript" ? 2 : 1,
      document: uri,
    }));
    await this.notify("notebookDocument/didOpen", {
      notebookDocument: { uri, notebookType: "jupyter-notebook", version: 1, cells },
      cellTextDocuments: documents,
    });
    return documents.filter(({ languageId }) => languageId === "typescript").map(({ uri }) => uri);
  }

  /** Waits until something was said of each document, and nothing new for a while. */
  async settle(uris: readonly string[]): Promise<void> {
    for (const end = performance.now() + 240_000; performance.now() < end;) {
      const isQuiet = performance.now() - this.#lastNews > 3000;
      if (isQuiet && uris.every((uri) => this.diagnostics.has(uri))) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("The language server did not say something of every cell within 240 s.");
  }

  async request(method: string, params: unknown): Promise<void> {
    const id = ++this.#requests;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answers.set(id, resolve);
    await this.#send({ id, method, params });
    await promise;
  }

  notify(method: string, params: unknown): Promise<void> {
    return this.#send({ method, params });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }

  async #send(message: Record<string, unknown>): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
    await this.#writer.write(new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`));
    await this.#writer.write(body);
  }

  async #listen(): Promise<void> {
    let unread = new Uint8Array(0);
    for await (const chunk of this.#process.stdout) {
      const joined = new Uint8Array(unread.length + chunk.length);
      joined.set(unread);
      joined.set(chunk, unread.length);
      unread = joined;
      while (true) {
        const head = new TextDecoder("latin1").decode(unread.subarray(0, 200));
        const start = head.indexOf("\r\n\r\n") + 4;
        const length = Number(head.match(/Content-Length: (\d+)/)?.[1]);
        if (start < 4 || unread.length < start + length) break;
        this.#receive(JSON.parse(new TextDecoder().decode(unread.subarray(start, start + length))));
        unread = unread.slice(start + length);
      }
    }
  }

  #receive({ id, method, params }: Incoming): void {
    if (method === undefined) return this.#answers.get(id!)?.();
    if (method === "textDocument/publishDiagnostics") {
      this.#lastNews = performance.now();
      this.diagnostics.set(params!.uri!, params!.diagnostics!);
    }
    if (id === undefined) return;
    // What it asks the editor: its settings, mostly.
    const settings = params?.items?.map(({ section }) =>
      section === "deno" ? { enable: true, lint: true } : {}
    );
    this.#send({ id, result: settings ?? null });
  }
}

Deno.test("an editor that opens the notebooks marks nothing in them, and marks what is wrong", async () => {
  const root = fromFileUrl(new URL("..", import.meta.url));
  await using server = new LanguageServer(root);
  await server.initialize(root);
  const uris: string[] = [];
  const paths = await findNotebooks([], NOTEBOOKS);
  for (const path of paths) {
    uris.push(...await server.open(path, parseNotebook(await Deno.readTextFile(path))));
  }
  // A notebook that is not on the disk, with one fault: what would be found, if it were there.
  const faulty = parseNotebook(await Deno.readTextFile(paths[0]));
  faulty.cells.push({ ...faulty.cells[1], id: "wrong", source: `const wrong: number = "a text";` });
  const planted = (await server.open(`${NOTEBOOKS}/00_faulty.ipynb`, faulty)).at(-1)!;
  await server.settle([...uris, planted]);

  assertStringIncludes(
    server.diagnostics.get(planted)!.map(({ message }) => message).join(),
    "not assignable",
  );
  const marks = uris.flatMap((uri) =>
    server.diagnostics.get(uri)!.map(({ message, range }) =>
      `${uri.split("/").at(-1)}, line ${range.start.line + 1}: ${message.split("\n")[0]}`
    )
  );
  assertEquals(marks, []);
});
