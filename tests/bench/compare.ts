/**
 * One workload, many peers: each is asked to prepare it, judged by its output, and timed in turn with the others.
 * @module
 */

import { judge } from "./check.ts";
import { measure, type Outcome, type Plan, type Subject } from "./measure.ts";
import { peerNames, typedPeers } from "./peers/mod.ts";
import type { Answer, Request } from "./protocol.ts";
import type { Workload } from "./workloads.ts";

/** Where peers can be asked. */
export interface Asked {
  /** Asks, and waits for the answer. */
  ask(request: Request): Promise<Answer>;
  /** Lets a peer go of what it prepared. */
  forget(peer: string): Promise<void>;
}

/**
 * Measures all peers that a workload is for.
 *
 * @returns Times, or why there are none: each peer is named.
 */
export async function compare(workload: Workload, peers: Asked, plan: Plan): Promise<Map<string, Outcome>> {
  const names = peersFor(workload);
  const problemOf = judge(workload);
  const outcomes = new Map<string, Outcome>();
  const subjects: Subject[] = [];
  for (const peer of names) {
    plan.onStep?.(`${peer}, preparing`);
    const { sample, missing = "no answer" } = await peers.ask({ do: "prepare", peer, workload });
    const problem = sample === undefined ? missing : problemOf(peer, sample);
    if (problem === undefined) subjects.push(subjectOf(peer, peers));
    outcomes.set(peer, { missing: problem ?? "" }); // in its place, until it is measured
  }
  for (const [peer, outcome] of await measure(subjects, plan)) outcomes.set(peer, outcome);
  for (const peer of names) await peers.forget(peer);
  return outcomes;
}

/** The names of those that a workload is for: by default all but those who are asked as people type. */
export function peersFor({ only }: Workload): string[] {
  return peerNames.filter((name) => only === undefined ? !typedPeers.includes(name) : only.includes(name));
}

function subjectOf(peer: string, peers: Asked): Subject {
  return {
    name: peer,
    run: async (iterations) => {
      const { ns, missing = "no answer" } = await peers.ask({ do: "run", peer, iterations });
      return ns === undefined ? missing : { ns };
    },
  };
}
