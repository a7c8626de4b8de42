/**
 * Does memory grow? Dropout, forward and backward, very many times: `deno task soak`.
 *
 * In a workspace, in arrays with `out`, and in many workspaces one after the other. Memory is looked at ten times in
 * each; the program fails if it grew from the second time to the last by more than an allowance.
 * @module
 */
import {
  FastStream,
  invertedDropout,
  invertedDropoutBackward,
  Mask,
  ones,
  type Tensor,
  Workspace,
  zeros,
} from "../../lib/mod.ts";

/** Memory at one point in time. */
export interface Sample {
  /** How often the work was done until then. */
  done: number;
  /** Resident memory of the process, in bytes. */
  rss: number;
  /** Bytes outside of V8's heap that its objects hold: typed arrays, and the memory of WebAssembly. */
  external: number;
  /** Bytes of V8's heap in use. */
  heap: number;
}

/** Work to be repeated. */
export type Work = (i: number) => void;

const SHAPE = [32, 64];
const P = 0.5;
const POINTS = 10;
const MIB = 2 ** 20;

/** Forward and backward in one workspace. */
export function inWorkspace(): Work {
  const workspace = new Workspace(2 ** 16);
  const x = workspace.copy(ones(SHAPE, "float32"));
  const room = {
    out: workspace.zeros(SHAPE, "float32"),
    maskOut: workspace.mask(SHAPE),
    rng: new FastStream(1),
  };
  const gradient = { out: workspace.zeros(SHAPE, "float32") };
  return () => {
    const { output, pass } = invertedDropout(x, P, room);
    invertedDropoutBackward(output, pass, gradient);
  };
}

/** Forward and backward in arrays, which the kernels copy. */
export function inArrays(): Work {
  const x = ones(SHAPE, "float32");
  const maskOut = new Mask(new Uint8Array(x.size / 8), SHAPE);
  const room = { out: zeros(SHAPE, "float32"), maskOut, rng: new FastStream(1) };
  const gradient = { out: zeros(SHAPE, "float32") };
  return () => {
    const { output, pass } = invertedDropout(x, P, room);
    invertedDropoutBackward(output, pass, gradient);
  };
}

/**
 * A workspace of about a MiB that is made, used up and disposed of.
 *
 * @param keep Receives what should be garbage; for tests of the test.
 */
export function inManyWorkspaces(keep: (workspace: Workspace, x: Tensor) => void = () => {}): Work {
  const shape = [128, 1024];
  const values = ones(shape, "float32");
  return (i) => {
    using workspace = new Workspace(MIB + 2 ** 14);
    const x = workspace.copy(values);
    const room = {
      out: workspace.zeros(shape, "float32"),
      maskOut: workspace.mask(shape),
      rng: new FastStream(i),
    };
    const { output, pass } = invertedDropout(x, P, room);
    invertedDropoutBackward(output, pass, { out: x });
    keep(workspace, x);
  };
}

/**
 * Repeats work and looks at the memory ten times.
 *
 * @param times A multiple of ten.
 * @param watch Sees each sample as soon as it is there.
 */
export async function soak(
  work: Work,
  times: number,
  watch: (sample: Sample) => void = () => {},
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let i = 0; i < times; i++) {
    work(i);
    if ((i + 1) % (times / POINTS) !== 0) continue;
    await collectGarbage();
    const { rss, external, heapUsed: heap } = Deno.memoryUsage();
    samples.push({ done: i + 1, rss, external, heap });
    watch(samples.at(-1)!);
  }
  return samples;
}

/** With --expose-gc. The system takes pages back a moment after V8 has given them up. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The measures of a sample. */
export type Measure = "rss" | "external" | "heap";

/** By how many bytes memory grew from the second sample to the last: the largest of the measures. */
export function growth(
  samples: readonly Sample[],
  measures: readonly Measure[] = ["rss", "external", "heap"],
): number {
  const [first, last] = [samples[1], samples.at(-1)!];
  return Math.max(...measures.map((measure) => last[measure] - first[measure]));
}

/** What a leak of 21 bytes a call would come to, or one workspace in a hundred that is kept. */
const ALLOWANCE = 16 * MIB;

if (import.meta.main) {
  const phases: [string, Work, number][] = [
    ["dropout in a workspace", inWorkspace(), 10 ** 6],
    ["dropout in arrays, with out", inArrays(), 10 ** 6],
    ["workspaces made and disposed of", inManyWorkspaces(), 2000],
  ];
  const mib = (bytes: number) => (bytes / MIB).toFixed(1).padStart(10);
  let hasGrown = false;
  for (const [name, work, times] of phases) {
    console.log(`\n${name}\n${"times".padStart(9)}  resident  external      heap    MiB; seconds`);
    const start = performance.now();
    const samples = await soak(work, times, ({ done, rss, external, heap }) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(
        `${String(done).padStart(9)}${mib(rss)}${mib(external)}${mib(heap)}${seconds.padStart(15)}`,
      );
    });
    const grown = growth(samples);
    console.log(`grew by ${(grown / MIB).toFixed(1)} MiB of the ${ALLOWANCE / MIB} allowed`);
    hasGrown ||= grown > ALLOWANCE;
  }
  if (hasGrown) {
    console.error("\nMemory grows.");
    Deno.exit(1);
  }
}
