/**
 * Rows by index.
 * @module
 */

import { describe, formatShape } from "../check.ts";
import { allocate, checkTensor, sizeOf, Tensor } from "./tensor.ts";

/**
 * Some rows of a tensor, in the order asked for: a batch of samples, for example. NumPy's `x[rows]`.
 *
 * @example
 * ```ts
 * import { take, tensor } from "./mod.ts";
 *
 * console.log(take(tensor([[1, 2], [3, 4], [5, 6]]), [2, 0]).toArray()); // [[5, 6], [1, 2]]
 * ```
 *
 * @param x Shape [N, …].
 * @param indices Integers in [0, N), in a list or a tensor; a row may come more than once.
 * @returns A new tensor of shape [indices.length, …].
 * @throws {TypeError} if `x` is not a tensor with an axis, or there is no list.
 * @throws {RangeError} if a row does not exist.
 */
export function take(x: Tensor, indices: ArrayLike<number> | Tensor): Tensor {
  checkTensor("take", x);
  if (x.ndim === 0) throw new TypeError("take needs a tensor with rows, got shape []");
  const rows = indices instanceof Tensor ? indices.data : indices;
  if (typeof rows !== "object" || typeof rows?.length !== "number") {
    throw new TypeError(`take needs a list of rows such as [2, 0], got ${describe(rows)}`);
  }
  const [n, ...inner] = x.shape;
  const stride = sizeOf(inner);
  const data = allocate(rows.length * stride, x.dtype);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (!(Number.isInteger(row) && row >= 0 && row < n)) {
      throw new RangeError(
        `take: rows of a tensor of shape ${formatShape(x.shape)} are integers in [0, ${n}), got ${
          describe(row)
        }`,
      );
    }
    data.set(x.data.subarray(row * stride, (row + 1) * stride), i * stride);
  }
  return new Tensor(data, [rows.length, ...inner]);
}
