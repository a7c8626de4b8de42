/**
 * Workers that share a list of runs: each takes the next one when it is done with the last.
 * @module
 */

import type { Experiment, Values } from "./experiment.ts";

/** A run to be made. */
export interface Task {
  /** The experiment's name. */
  experiment: string;
  /** Of the run. */
  settings: Values;
}

/** What a worker answers: what was measured, or what went wrong. */
type Answer = { measured: Values; seconds: number } | { problem: string };

/** What threads have in place of a window. */
interface Thread {
  onmessage: ((event: MessageEvent<Task>) => void) | null;
  postMessage(answer: Answer): void;
}

/** On the worker's side: answers each task with what its experiment measures. */
export function answer(experiments: readonly Experiment[]): void {
  const thread = globalThis as unknown as Thread;
  thread.onmessage = async ({ data: { experiment, settings } }) => {
    const start = performance.now();
    try {
      const measured = await experiments.find(({ name }) => name === experiment)!.run(settings);
      thread.postMessage({ measured, seconds: (performance.now() - start) / 1000 });
    } catch (error) {
      thread.postMessage({ problem: error instanceof Error ? error.message : String(error) });
    }
  };
}

/** How to run tasks. */
export interface PoolOptions {
  /** The module of the workers. */
  worker: URL;
  /** Ends everything at once when it aborts, with its reason. */
  signal: AbortSignal;
  /** Called after each task. */
  onDone: (task: Task, measured: Values, seconds: number) => void;
}

/**
 * Runs tasks side by side, as many at a time as there are processors.
 *
 * @throws {Error} as soon as one fails, with its settings.
 */
export async function runTasks<T extends Task>(tasks: readonly T[], options: PoolOptions): Promise<void> {
  const { worker: module, signal, onDone } = options;
  const waiting = tasks.values();
  const stop = Promise.withResolvers<never>();
  const onAbort = () => stop.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const workers: Worker[] = [];
  let over = false;
  const work = async () => {
    const worker = new Worker(module, { type: "module" });
    workers.push(worker);
    for (const task of waiting) {
      const { experiment, settings } = task;
      const result = await ask(worker, { experiment, settings });
      if ("problem" in result) {
        throw new Error(`${experiment} ${JSON.stringify(settings)}: ${result.problem}`);
      }
      if (over) return; // a message that was under way when another run failed
      onDone(task, result.measured, result.seconds);
    }
  };
  try {
    signal.throwIfAborted();
    const count = Math.min(tasks.length, Math.max(1, navigator.hardwareConcurrency));
    await Promise.race([Promise.all(Array.from({ length: count }, work)), stop.promise]);
  } finally {
    over = true;
    signal.removeEventListener("abort", onAbort);
    workers.forEach((worker) => worker.terminate());
  }
}

function ask(worker: Worker, task: Task): Promise<Answer> {
  return new Promise((resolve) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      resolve({ problem: event.message });
    };
    worker.postMessage(task);
  });
}
