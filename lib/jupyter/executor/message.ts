/**
 * The wire format of Jupyter's messages: signed lists of JSON frames.
 *
 * Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
 *
 * @module
 */
import { createHmac } from "node:crypto";

/** A message that arrived, as far as this client looks at it. */
export interface Message {
  /** Such as `execute_reply`, `status` or `display_data`. */
  type: string;
  /** The id of the request that this message belongs to. */
  parentId: string | undefined;
  /** The fields that the protocol defines for this type. */
  content: Record<string, unknown>;
  /** How many binary buffers it carries; their bytes are not kept. */
  buffers: number;
}

const DELIMITER = "<IDS|MSG>";
const decoder = new TextDecoder();

/** What each message that the kernel publishes begins with. No JSON holds the first two, a frame's flags and length. */
export const MESSAGE_START: Uint8Array = new Uint8Array([1, 9, ...new TextEncoder().encode(DELIMITER)]);

/**
 * Signs the four JSON parts of a message.
 *
 * @param key The secret that client and kernel share.
 * @returns HMAC-SHA256 in hexadecimal.
 */
export function sign(key: string, parts: readonly (string | Uint8Array)[]): string {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

/**
 * Writes a request as frames.
 *
 * @param key The secret that client and kernel share.
 * @param header `id` is new for each message, `session` the same for all messages of one client.
 */
export function encodeMessage(
  key: string,
  header: { id: string; session: string; type: string },
  content: Record<string, unknown>,
): string[] {
  const fullHeader = {
    msg_id: header.id,
    session: header.session,
    msg_type: header.type,
    username: "deno",
    date: new Date().toISOString(),
    version: "5.3",
  };
  const parts = [fullHeader, {}, {}, content].map((part) => JSON.stringify(part));
  return [DELIMITER, sign(key, parts), ...parts];
}

/**
 * Reads a message from its frames.
 *
 * @param key The secret that client and kernel share.
 * @returns `undefined` for what is not a message, or not signed with the key.
 */
export function decodeMessage(key: string, frames: readonly Uint8Array[]): Message | undefined {
  const start = frames.findIndex((frame) => decoder.decode(frame) === DELIMITER);
  const [signature, ...parts] = frames.slice(start + 1, start + 6);
  if (start < 0 || parts.length < 4 || decoder.decode(signature) !== sign(key, parts)) return undefined;
  const [header, parent, , content] = parts.map((part) => JSON.parse(decoder.decode(part)));
  // A cell may broadcast what is no object; then the fields that are wanted are missing.
  return {
    type: header.msg_type,
    parentId: parent?.msg_id,
    content: Object(content),
    buffers: frames.length - start - 6,
  };
}
