/**
 * The same bytes, copied: what reading the input and writing the output cost, whatever is computed in between.
 * @module
 */

import type { FloatArray } from "../../../lib/mod.ts";
import type { Call, Given, Peer } from "../peer.ts";

/** The lower limit for work that touches each element once. */
export function memoryCopy(): Peer {
  return {
    versions: {},
    lacks: "is no measure for work that reads its input more than once",
    operations: { "dropout forward": copy, "dropout backward": copy },
  };
}

/** A copy in memory of its own each time, as work with a new output has to have it. */
export function freshCopy(): Peer {
  const operation = ({ x }: Given): Call<FloatArray> => ({ run: () => x.slice(), read: (copied) => copied });
  return {
    versions: {},
    lacks: "is no measure for work with several outputs",
    operations: { "dropout forward": operation },
  };
}

function copy({ x }: Given): Call<FloatArray> {
  const out = x.slice();
  return {
    run: () => {
      out.set(x as Float32Array & Float64Array);
      return out;
    },
    read: (copied) => copied,
  };
}
