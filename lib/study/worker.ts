/**
 * Runs what it is asked to, one run at a time, in a thread of its own.
 * @module
 */

import { EXPERIMENTS } from "./mod.ts";
import { answer } from "./pool.ts";

answer(EXPERIMENTS);
