/**
 * What is measured as whole processes: the article's demonstrations, imports, and notebooks up to their first figure.
 * @module
 */

import { fromFileUrl, resolve } from "@std/path";
import { findNotebooks, notebookName } from "../../lib/jupyter/executor/command.ts";
import { Kernel } from "../../lib/jupyter/executor/kernel.ts";
import { parseNotebook, runnableCells } from "../../lib/jupyter/executor/notebook.ts";
import type { Subject, Timing } from "./measure.ts";
import type { Task } from "./records.ts";
import { ENVIRONMENT } from "./remote.ts";

/** Some processes that do the same work. */
export interface ProcessWorkload {
  /** What to call it. */
  task: Task;
  /** Who does it. */
  subjects: Subject[];
}

/** What has to be known about the surroundings. */
export interface Surroundings {
  /** The Python that runs the article's own code. */
  python: string;
  /** The folder with that code, block1….py to block5….py, if there is one. */
  originals: string | undefined;
}

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const DENO = Deno.execPath();

/** All of them. */
export async function processWorkloads({ python, originals }: Surroundings): Promise<ProcessWorkload[]> {
  const blocks = [1, 2, 3, 4, 5].map((n) => ({
    task: task(`article: block ${n}`),
    subjects: [
      printing("ours", [DENO, "run", "lib/article/print.ts", String(n)]),
      original(n, python, originals),
    ],
  }));
  const notebooks = (await findNotebooks([], `${ROOT}/notebooks`)).map((path) => ({
    task: task("start: notebook to its first figure", notebookName(path)),
    subjects: [untilFirstFigure(path)],
  }));
  return [...blocks, imports(python), ...notebooks];
}

function task(workload: string, size = ""): Task {
  return { workload, dtype: "", size };
}

function imports(python: string): ProcessWorkload {
  const subjects = {
    "ours": [DENO, "eval", `import "./lib/mod.ts"`],
    "deno alone": [DENO, "eval", ""],
    "tf.js cpu": [DENO, "eval", `import "@tensorflow/tfjs-core"; import "@tensorflow/tfjs-backend-cpu"`],
    "jax-js": [DENO, "eval", `import "@jax-js/jax"`],
    "mathjs": [DENO, "eval", `import "mathjs"`],
    "python alone": [python, "-c", ""],
    "numpy": [python, "-c", "import numpy"],
    "torch": [python, "-c", "import torch"],
  };
  return {
    task: task("start: import"),
    subjects: Object.entries(subjects).map(([name, line]) => ({ name, run: () => timeProcess(line) })),
  };
}

/** The article's own code for a block. */
function original(n: number, python: string, folder: string | undefined): Subject {
  const missing = (reason: string) => ({ name: "original", run: () => Promise.resolve(reason) });
  if (folder === undefined) return missing("the article's Python is given by --originals FOLDER");
  const name = new RegExp(`^block${n}\\D.*py$`); // block1.py, block1_inverted_dropout.py
  const file = filesIn(folder).find((file) => name.test(file));
  if (file === undefined) return missing(`there is no block${n}….py in ${folder}`);
  return printing("original", [python, resolve(folder, file)]);
}

function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A command that prints something; if it does not, it did not do its work. */
function printing(name: string, line: string[]): Subject {
  return {
    name,
    run: () => timeProcess(line, (printed) => printed === "" ? "refused: it printed nothing" : undefined),
  };
}

/** Wall time from start to end, and the most memory held, if GNU time is there to see it; or what went wrong. */
async function timeProcess(
  line: string[],
  problemOf: (printed: string) => string | undefined = () => undefined,
): Promise<Timing | string> {
  const [program, ...args] = hasGnuTime() ? [TIME, "-f", "%M", ...line] : line;
  const command = new Deno.Command(program, { args, cwd: ROOT, env: ENVIRONMENT, stdin: "null" });
  const start = performance.now();
  const output = await command.output().catch((error: Error) => error.message);
  const ns = (performance.now() - start) * 1e6;
  if (typeof output === "string") return output;
  const complaints = decode(output.stderr).split("\n");
  if (!output.success) return `ended with code ${output.code}: ${complaints[0]}`;
  const problem = problemOf(decode(output.stdout));
  if (problem !== undefined) return problem;
  return hasGnuTime() ? { ns, peakBytes: 1024 * Number(complaints.at(-1)) } : { ns };
}

const TIME = "/usr/bin/time";
let gnuTime: boolean | undefined;

/**
 * Whether GNU time is installed. It is a small process, so that what it starts is measured alone: Linux counts what a
 * process held before `exec` too, and that would be the size of this one.
 */
export function hasGnuTime(): boolean {
  try {
    gnuTime ??= decode(new Deno.Command(TIME, { args: ["--version"] }).outputSync().stdout).includes("GNU");
  } catch {
    gnuTime = false;
  }
  return gnuTime;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}

/** From the start of a kernel to the first picture that a notebook shows in it. */
function untilFirstFigure(path: string): Subject {
  return {
    name: "ours",
    run: async () => {
      const cells = runnableCells(parseNotebook(await Deno.readTextFile(path)));
      const start = performance.now();
      await using kernel = await Kernel.start({ cwd: `${ROOT}/notebooks` });
      for (const { source } of cells) {
        let shownAt: number | undefined;
        const reply = await kernel.execute(source, {
          onPublished: ({ content }) => {
            if (isPicture(content)) shownAt ??= performance.now();
          },
        });
        if (reply.status !== "ok") return `a cell failed: ${reply.evalue}`;
        if (shownAt !== undefined) return { ns: (shownAt - start) * 1e6 };
      }
      return "it shows no figure";
    },
  };
}

function isPicture(content: unknown): boolean {
  return (content as { data?: { [type: string]: unknown } }).data?.["image/png"] !== undefined;
}
