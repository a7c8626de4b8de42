/**
 * Puts executed notebooks in place: all of a file or nothing, and not over what somebody has changed meanwhile.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { notebookName, showPath } from "./command.ts";
import { readNotebookText } from "./notebook.ts";

/** A folder does not let notebooks be written; better to know before they run. */
export class NotWritable extends Error {
  /** The class, as messages name it. */
  override name = "NotWritable";
}

/**
 * Finds out before anything runs whether files can be written later.
 *
 * @param paths Files that exist, links to some, or new ones.
 * @param areNew New files take the place of links; else it is the file behind a link that is written.
 * @throws {NotWritable} if a folder does not let them be written.
 */
export async function checkWritable(paths: readonly string[], areNew: boolean): Promise<void> {
  const files = await Promise.all(
    paths.map((path) => areNew ? path : Deno.realPath(path).catch(() => path)),
  );
  for (const file of files) {
    const { isDirectory } = await Deno.lstat(file).catch(() => ({ isDirectory: false }));
    if (isDirectory) throw new NotWritable(`${showPath(file)} is a folder. Nothing was run.`);
  }
  for (const directory of new Set(files.map((file) => dirname(file)))) {
    try {
      const probe = temporaryName(join(directory, "probe"));
      await Deno.writeTextFile(probe, "", { createNew: true });
      await Deno.remove(probe);
    } catch (error) {
      throw new NotWritable(
        `Notebooks cannot be written in ${showPath(directory)}: ${(error as Error).message}\n` +
          `Nothing was run. To run notebooks without writing them, use --check.`,
      );
    }
  }
}

/**
 * Writes a notebook back.
 *
 * @param before The file's text when the notebook was read.
 * @throws {Error} if it is another one now.
 */
export async function replaceFile(path: string, before: string, after: string): Promise<void> {
  if (await readNotebookText(path).catch(() => undefined) !== before) {
    throw new Error("The file was changed while its cells ran. It was left as it is; run it again.");
  }
  await writeFile(await Deno.realPath(path), after); // not the link, if it is one
}

/** Writes a file in one step, so that at any moment there is the old one or the new one. */
export async function writeFile(path: string, text: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const { mode } = await Deno.stat(path).catch(() => ({ mode: null }));
    await Deno.writeTextFile(temporary, text, { createNew: true, ...(mode !== null && { mode }) });
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // it may not exist
    throw error;
  }
}

/** A hidden file beside the other one: renaming works only within a file system. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${notebookName(path)}.${crypto.randomUUID()}.tmp`);
}
