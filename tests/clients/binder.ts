/**
 * What Binder does with `.binder`, as far as that goes without Docker: its steps, in an empty home, and a notebook. The
 * image that repo2docker builds around them, which has packages of its own, is not tried.
 *
 * Needs Python 3.11 or newer, as `python3`, and a network.
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";

const PROJECT = join(import.meta.dirname!, "..", "..");

Deno.test("Binder's steps give a JupyterLab and a Deno kernel, in which a notebook runs as it stands", async () => {
  const home = await Deno.makeTempDir({ prefix: "binder_" });
  try {
    const project = join(home, "project"), python = join(home, "python"), deno = join(python, "bin", "deno");
    const env = {
      HOME: home,
      PATH: join(python, "bin") + ":" + Deno.env.get("PATH"),
      DENO_DIR: join(home, "packages"),
      JUPYTER_PATH: "",
    };
    const run = async (program: string, ...args: string[]) => {
      const cwd = program === "git" ? home : project;
      const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, env }).output();
      const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${errors}`);
      return output;
    };
    await run("git", "clone", "--quiet", PROJECT, project);
    await run("python3", "-m", "venv", python);
    // From here on, in the order and with the options of repo2docker.
    await run("pip", "install", "--no-cache-dir", "-r", ".binder/requirements.txt");
    await run(join(project, ".binder", "postBuild"));

    const pinned = (await Deno.readTextFile(join(project, ".binder", "requirements.txt"))).match(
      /^jupyterlab==(.*)$/m,
    )![1];
    assertEquals((await run("jupyter", "lab", "--version")).trim(), pinned);
    const { kernelspecs } = JSON.parse(await run("jupyter", "kernelspec", "list", "--json"));
    assertEquals(kernelspecs.deno.spec.argv[0], deno);
    const notebook = join("notebooks", "03_implementation.ipynb");
    await run("jupyter", "execute", "--inplace", notebook);
    assertEquals(await outputs(join(project, notebook)), await outputs(join(PROJECT, notebook)));
    assertEquals(await run("git", "-C", project, "status", "--porcelain"), ` M ${notebook}\n`); // nbclient's own layout
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

async function outputs(path: string): Promise<unknown[]> {
  const { cells } = JSON.parse(await Deno.readTextFile(path)) as { cells: { outputs?: unknown[] }[] };
  return cells.flatMap((cell) => cell.outputs ?? []);
}
