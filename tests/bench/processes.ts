/**
 * What is measured as whole processes: the article's demonstrations, imports, and notebooks up to their first figure.
 * @module
 */

import { fromFileUrl } from "@std/path";
import { Kernel } from "../../lib/jupyter/executor/kernel.ts";
import { findNotebooks, notebookName } from "../../lib/jupyter/executor/command.ts";
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

/** All of them. */
export async function processWorkloads({ python, originals }: Surroundings): Promise<ProcessWorkload[]> {
  const blocks = [1, 2, 3, 4, 5].map((n) => ({
    task: task(`article: block ${n}`),
    subjects: [
      command("ours", Deno.execPath(), "run", "lib/experiments/article.ts", String(n)),
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
  const deno = (name: string, ...modules: string[]) =>
    command(
      name,
      Deno.execPath(),
      "eval",
      "--quiet",
      modules.map((module) => `import "${module}";`).join(" "),
    );
  return {
    task: task("start: import"),
    subjects: [
      deno("ours", "./lib/mod.ts"),
      deno("deno alone"),
      deno("tf.js cpu", "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu"),
      deno("jax-js", "@jax-js/jax"),
      deno("mathjs", "mathjs"),
      command("python alone", python, "-c", ""),
      command("numpy", python, "-c", "import numpy"),
      command("torch", python, "-c", "import torch"),
    ],
  };
}

/** The article's own code for a block. */
function original(n: number, python: string, folder: string | undefined): Subject {
  const name = "original";
  if (folder === undefined) return absent(name, "the article's Python is given by --originals FOLDER");
  const file = [...Deno.readDirSync(folder)].find((entry) =>
    new RegExp(`^block${n}\\b.*\\.py$|^block${n}_.*\\.py$`).test(entry.name)
  );
  if (file === undefined) return absent(name, `there is no block${n}….py in ${folder}`);
  return command(name, python, `${folder}/${file.name}`);
}

function absent(name: string, reason: string): Subject {
  return { name, run: () => Promise.resolve(reason) };
}

/** Runs a command, several times if asked; it must succeed. */
function command(name: string, program: string, ...args: string[]): Subject {
  return {
    name,
    run: async (iterations) => {
      let last: Timing | string = "was not run";
      for (let i = 0; i < iterations; i++) last = await timeProcess(program, args);
      return last;
    },
  };
}

/** Wall time from start to end, and the most memory held, if GNU time is there to see it. */
async function timeProcess(program: string, args: string[]): Promise<Timing | string> {
  const [timed, timedArgs] = gnuTime() ? [TIME, ["-f", "%M", program, ...args]] : [program, args];
  const start = performance.now();
  const { code, stderr } = await new Deno.Command(timed, {
    args: timedArgs,
    cwd: ROOT,
    env: ENVIRONMENT,
    stdin: "null",
  })
    .output();
  const ns = (performance.now() - start) * 1e6;
  const said = new TextDecoder().decode(stderr).trim().split("\n");
  if (code !== 0) return `ended with code ${code}: ${said[0]}`;
  return gnuTime() ? { ns, peakBytes: 1024 * Number(said.at(-1)) } : { ns };
}

const TIME = "/usr/bin/time";
let isGnu: boolean | undefined;

/**
 * Whether GNU time is installed. It is a small process, so that what it starts does not inherit the size of a large one,
 * as it would from this one: Linux counts the memory before `exec` too.
 */
export function gnuTime(): boolean {
  try {
    const { stdout } = isGnu === undefined
      ? new Deno.Command(TIME, { args: ["--version"] }).outputSync()
      : { stdout: null };
    if (stdout !== null) isGnu = new TextDecoder().decode(stdout).includes("GNU");
  } catch {
    isGnu = false;
  }
  return isGnu!;
}

/** From the start of a kernel to the first picture that a notebook shows in it. */
function untilFirstFigure(path: string): Subject {
  const cells = runnableCells(parseNotebook(Deno.readTextFileSync(path)));
  return {
    name: "ours",
    run: async () => {
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
