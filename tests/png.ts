/**
 * Reads pictures, to see what is in them.
 * @module
 */

import { assert, assertEquals } from "@std/assert";

/** A picture, row by row from the top, with four bytes per pixel. */
export interface Pixels {
  width: number;
  height: number;
  rgba: Uint8Array;
}

/** The pixels of a PNG of 8-bit RGB or RGBA, as the renderer of figures and browsers write it. */
export async function pixels(png: Uint8Array<ArrayBuffer>): Promise<Pixels> {
  const view = new DataView(png.buffer, png.byteOffset);
  assertEquals(Array.from(png.slice(0, 8)), [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, type, interlaced] = [png[24], png[25], png[28]];
  assert(
    depth === 8 && (type === 2 || type === 6) && interlaced === 0,
    "8 bits, RGB or RGBA, not interlaced",
  );
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at < png.length; at += view.getUint32(at) + 12) {
    const type = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    if (type === "IDAT") parts.push(png.slice(at + 8, at + 8 + view.getUint32(at)));
  }
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(inflated).arrayBuffer());
  const channels = type === 6 ? 4 : 3;
  const bytes = unfilter(raw, channels * width, height, channels);
  return { width, height, rgba: channels === 4 ? bytes : withAlpha(bytes) };
}

/** Undoes the filter of each row, which its first byte names. Source: https://www.w3.org/TR/png-3/#9Filters */
function unfilter(raw: Uint8Array, stride: number, height: number, channels: number): Uint8Array {
  const bytes = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let i = 0; i < stride; i++) {
      const at = y * stride + i;
      const left = i >= channels ? bytes[at - channels] : 0;
      const up = y > 0 ? bytes[at - stride] : 0;
      const corner = y > 0 && i >= channels ? bytes[at - stride - channels] : 0;
      bytes[at] = raw[at + y + 1] + predict(filter, left, up, corner);
    }
  }
  return bytes;
}

function predict(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [toLeft, toUp, toCorner] = [
    Math.abs(up - corner),
    Math.abs(left - corner),
    Math.abs(left + up - 2 * corner),
  ];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function withAlpha(rgb: Uint8Array): Uint8Array {
  const rgba = new Uint8Array(rgb.length / 3 * 4).fill(255);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    rgba[to] = rgb[from];
    rgba[to + 1] = rgb[from + 1];
    rgba[to + 2] = rgb[from + 2];
  }
  return rgba;
}
