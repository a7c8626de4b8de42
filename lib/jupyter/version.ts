/**
 * What an old Deno says: a sentence, in place of the name of something that it does not have.
 * @module
 */

/**
 * Compares the Deno that is running with what is needed.
 *
 * @param least The oldest version that will do, such as "2.5".
 * @param version The version that is running.
 * @returns What to say after the name of what needs it, without a full stop; `undefined` if it is new enough.
 */
export function describeOldDeno(least: string, version: string = Deno.version.deno): string | undefined {
  const [major, minor] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = least.split(".").map(Number);
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor);
  return isOld ? `needs Deno ${least} or newer, this is ${version}` : undefined;
}
