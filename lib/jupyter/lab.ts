/**
 * The command behind `deno task lab`: JupyterLab, open on the first notebook, with the Deno that is running as kernel.
 *
 * What it makes lies in `.lab`, a folder of the project that git ignores, and goes away with it: a kernel spec, which
 * Jupyter finds before the user's own and which leaves that as it is; and, where there is no JupyterLab, a Python
 * environment with one.
 *
 * @module
 */
import { join } from "@std/path";
import { NOTEBOOKS, runCommand, showPath } from "./executor/command.ts";

/** What the command finds around it; tests bring their own. */
export interface LabSurroundings {
  /** Says what it does. */
  write: (text: string) => void;
  /** Stops the command, and all that it has started, when it aborts. */
  signal: AbortSignal;
  /** The project's folder. */
  project?: string;
  /** Where programs are looked up; by default, `PATH`. */
  path?: string;
}

const PROJECT = join(NOTEBOOKS, "..");
const FIRST = "notebooks/01_original_dropout.ipynb";
const isWindows = Deno.build.os === "windows";

const HELP = `Opens the notebooks in JupyterLab, with the Deno kernel. Ctrl-C ends it.

Usage: deno task lab [options of jupyter lab…], such as --no-browser or --port 9999

Uses the JupyterLab on PATH. Where there is none, it installs one into .lab, which takes Python 3.11 or newer.
`;

const NOTHING_FOUND =
  `There is no JupyterLab on PATH, and no Python 3.11 or newer (python3, with venv) to install it with.
Get Python from https://www.python.org; or with a Python that you have: pip install deno==2.9.6 jupyterlab
`;

/** Something that the command needs could not be made; the message says what. */
class NotPossible extends Error {}

/**
 * Runs the command.
 *
 * @param args What goes to JupyterLab.
 * @returns JupyterLab's exit code; 1 if there is none, and the signal's own code if the command was stopped.
 */
export async function main(args: readonly string[], surroundings: LabSurroundings): Promise<number> {
  const { write, signal, project = PROJECT } = surroundings;
  if (args.includes("--help")) {
    write(HELP);
    return 0;
  }
  try {
    const lab = await findLab(project, surroundings);
    write("Downloading what the notebooks import, unless it is there.\n"); // else the first cell does, silently
    if (!await run([Deno.execPath(), "install"], surroundings)) {
      write("Something is missing: the cell that imports it will say so.\n");
    }
    const data = await writeKernelSpec(join(project, ".lab"));
    const code = await serve([...lab, ...settings(project), ...args], data, surroundings);
    return signal.aborted ? signal.reason.exitCode : code;
  } catch (error) {
    if (signal.aborted) return signal.reason.exitCode;
    if (!(error instanceof NotPossible)) throw error;
    write(error.message);
    return 1;
  }
}

// ---- JupyterLab ----

/** @returns The command that starts it. */
async function findLab(project: string, surroundings: LabSurroundings): Promise<string[]> {
  if (await run(["jupyter-lab", "--version"], surroundings, "null")) return ["jupyter-lab"];
  const isRightPython = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
  for (const python of ["python3", "python"]) {
    if (await run([python, "-c", isRightPython], surroundings, "null")) {
      return await installLab(python, project, surroundings);
    }
  }
  throw new NotPossible(NOTHING_FOUND);
}

/** Makes a Python environment, unless there is one with just what is wanted. */
async function installLab(python: string, project: string, surroundings: LabSurroundings): Promise<string[]> {
  const folder = join(project, ".lab", "python");
  const itsPython = isWindows ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
  const lab = [itsPython, "-m", "jupyterlab"]; // its program jupyter-lab would not survive a move of the project
  const requirements = join(project, ".binder", "requirements.txt");
  const wanted = await Deno.readTextFile(requirements);
  const stamp = join(folder, "installed.txt"); // written last, so that half an installation does not count
  const isThere = await Deno.readTextFile(stamp).catch(() => "") === wanted;
  if (isThere && await run([...lab, "--version"], surroundings, "null")) return lab;

  surroundings.write(`Installing JupyterLab into ${showPath(folder)}, once.\n`);
  const steps = [
    [python, "-m", "venv", "--clear", folder],
    [itsPython, "-m", "pip", "install", "--disable-pip-version-check", "--requirement", requirements],
  ];
  for (const step of steps) {
    if (!await run(step, surroundings)) {
      throw new NotPossible(`JupyterLab could not be installed. What failed: ${step.join(" ")}\n`);
    }
  }
  await Deno.writeTextFile(stamp, wanted);
  return lab;
}

function settings(project: string): string[] {
  return [
    "--ServerApp.ip=127.0.0.1",
    `--ServerApp.root_dir=${project}`,
    `--LabApp.default_url=/lab/tree/${FIRST}`,
  ];
}

/**
 * Runs JupyterLab until it ends. Asked to stop, it ends its kernels first; asked again, it leaves them behind. So Ctrl-C,
 * which reaches all of a terminal's processes, must not reach it a second way: it is in a group of its own. On Windows,
 * Ctrl-C is the only way to ask, and there it stays in this one's.
 */
async function serve(
  command: readonly string[],
  data: string,
  surroundings: LabSurroundings,
): Promise<number> {
  const { signal } = surroundings;
  signal.throwIfAborted();
  const others = Deno.env.get("JUPYTER_PATH");
  const server = spawn(command, surroundings, {
    env: { JUPYTER_PATH: others ? data + (isWindows ? ";" : ":") + others : data },
    detached: !isWindows,
  });
  if (!isWindows) signal.addEventListener("abort", () => server.kill("SIGTERM"), { once: true });
  return (await server.status).code;
}

// ---- The kernel ----

/** @returns The folder to put on `JUPYTER_PATH`. */
async function writeKernelSpec(folder: string): Promise<string> {
  const kernel = join(folder, "share", "kernels", "deno");
  await Deno.mkdir(kernel, { recursive: true });
  const spec = {
    argv: [await keepDeno(folder), "jupyter", "--kernel", "--conn", "{connection_file}"],
    display_name: "Deno",
    language: "typescript",
  };
  await Deno.writeTextFile(join(kernel, "kernel.json"), JSON.stringify(spec, null, 2) + "\n");
  return join(folder, "share");
}

/** A name for the running Deno that stays when npm's cache is emptied; where there can be none, its own. */
async function keepDeno(folder: string): Promise<string> {
  const kept = join(folder, isWindows ? "deno.exe" : "deno");
  try {
    await Deno.remove(kept).catch(() => {});
    await Deno.link(Deno.execPath(), kept);
    return kept;
  } catch { // another disk, or somebody else's file
    return Deno.execPath();
  }
}

// ---- Programs ----

/** Waits for a program. @returns Whether there is such a program, and it is content. */
async function run(
  command: readonly string[],
  surroundings: LabSurroundings,
  output: "inherit" | "null" = "inherit",
): Promise<boolean> {
  const { signal } = surroundings;
  try {
    const { success } = await spawn(command, surroundings, { signal, stdout: output, stderr: output }).status;
    signal.throwIfAborted();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

function spawn(
  [program, ...args]: readonly string[],
  { project = PROJECT, path }: LabSurroundings,
  options: Deno.CommandOptions,
): Deno.ChildProcess {
  const env = { ...options.env, ...(path !== undefined && { PATH: path }) };
  return new Deno.Command(program, { ...options, args, cwd: project, env, stdin: "null" }).spawn();
}

if (import.meta.main) {
  // The kernel is the Deno that runs this, and cells need 2.5.
  await runCommand("2.5", (signal, { write }) => main(Deno.args, { write, signal }));
}
