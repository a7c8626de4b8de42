/**
 * The JavaScript peers by name. Each is loaded in a process of its own, and only there.
 * @module
 */

import type { Peer } from "../peer.ts";

/** How to load each peer. */
export const loaders: Record<string, () => Promise<Peer>> = {
  "ours": async () => (await import("./ours.ts")).ours(),
  "ours, workspace": async () => (await import("./ours.ts")).oursInWorkspace(),
  "ours, as typed": async () => (await import("./typed.ts")).oursAsTyped(),
  "readable": async () => (await import("./ours.ts")).readable(),
  "memory copy": async () => (await import("./memory_copy.ts")).memoryCopy(),
  "fresh copy": async () => (await import("./memory_copy.ts")).freshCopy(),
  "tf.js wasm": async () => (await import("./tfjs.ts")).tensorflow("wasm"),
  "tf.js cpu": async () => (await import("./tfjs.ts")).tensorflow("cpu"),
  "jax-js": async () => (await import("./jax.ts")).jaxJs(),
  "numpy-ts": async () => (await import("./numpy_ts.ts")).numpyTs(),
  "mathjs": async () => (await import("./mathjs.ts")).mathJs(),
};

/** The peers in `peers.py`. */
export const pythonPeers = ["numpy article", "numpy best", "torch", "torch, as typed"];

/** Those who are measured as people type first, and the lower limit for work with a new output. */
export const typedPeers = ["ours, as typed", "torch, as typed", "fresh copy"];

/** All peers, in the order of tables and figures. */
export const peerNames: readonly string[] = [
  "ours, workspace",
  "ours",
  "ours, as typed",
  "readable",
  "memory copy",
  "fresh copy",
  ...pythonPeers,
  "tf.js wasm",
  "tf.js cpu",
  "jax-js",
  "numpy-ts",
  "mathjs",
];
