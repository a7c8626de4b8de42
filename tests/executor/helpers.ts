/** What the tests of the kernel and of the executor share. */
import { join } from "@std/path";
import { type Notebook, parseNotebook } from "../../lib/jupyter/executor/notebook.ts";

/** A folder that is there for one test. */
export class TemporaryFolder implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "notebook_test_" });

  /** Writes a notebook of these code cells, and returns its path. */
  add(name: string, ...sources: string[]): string {
    return this.write(`${name}.ipynb`, notebookText(...sources));
  }

  write(name: string, text: string): string {
    const path = join(this.path, name);
    Deno.writeTextFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return Deno.readTextFileSync(join(this.path, name));
  }

  /** The names of all files, hidden ones included. */
  list(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A notebook file with these code cells, not yet executed. */
export function notebookText(...sources: string[]): string {
  const cells = sources.map((source, i) => ({
    cell_type: "code",
    id: `c${i}`,
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  }));
  const kernelspec = { name: "deno", display_name: "Deno", language: "typescript" };
  return JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 });
}

export function notebookOf(...sources: string[]): Notebook {
  return parseNotebook(notebookText(...sources));
}

/** A cell that leaves the id of its kernel's process in a file of the notebook's folder. */
export const LEAVE_PID = `Deno.writeTextFileSync("pid", String(Deno.pid));`;

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT"); // does nothing to a process that runs
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Waits until a condition holds, and fails if it does not within half a minute. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !condition();) {
    if (Date.now() > end) throw new Error("It did not happen within 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
