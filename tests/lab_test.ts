/** `deno task lab`, with programs on `PATH` that only write down how they were called. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Stopped } from "../lib/jupyter/executor/command.ts";
import { main } from "../lib/jupyter/lab.ts";
import { TemporaryFolder, until } from "./executor/helpers.ts";

/** A project and a `PATH` of its own. */
class Machine extends TemporaryFolder {
  readonly project: string = join(this.path, "project");
  readonly programs: string = join(this.path, "programs");
  readonly stop = new AbortController();

  constructor() {
    super();
    for (const folder of [this.programs, join(this.project, ".binder")]) {
      Deno.mkdirSync(folder, { recursive: true });
    }
    this.write("project/deno.json", "{}");
    this.write("project/.binder/requirements.txt", "jupyterlab==4.6.6\n");
  }

  /** Adds a program that appends its arguments to a log, and then runs these lines of `sh`. */
  addProgram(name: string, ...lines: string[]): void {
    const log = `echo "${name} $*" >> "${join(this.path, "log")}"`;
    this.write(`programs/${name}`, ["#!/bin/sh", log, ...lines, ""].join("\n"));
    Deno.chmodSync(join(this.programs, name), 0o755);
  }

  /** How programs were called, in order. */
  get log(): string[] {
    return this.list().includes("log") ? this.read("log").trim().split("\n") : [];
  }

  async lab(...args: string[]): Promise<{ code: number; output: string }> {
    let output = "";
    const code = await main(args, {
      write: (text) => output += text,
      signal: this.stop.signal,
      project: this.project,
      path: this.programs,
    });
    return { code, output };
  }

  /** The environment is made by a copy of `environment`, which stands for its Python. */
  addPython(): void {
    this.addProgram(
      "environment",
      'case "$*" in *"$(/bin/cat ../broken 2> /dev/null || echo none)"*) exit 1;; esac',
    );
    const copy = `/bin/mkdir -p "$4/bin" && /bin/cp "${join(this.programs, "environment")}" "$4/bin/python"`;
    this.addProgram("python3", `if [ "$2" = venv ]; then ${copy}; fi`);
  }
}

const SERVE = "--ServerApp.ip=127.0.0.1";
const FIRST = "--LabApp.default_url=/lab/tree/notebooks/01_original_dropout.ipynb";

/** The programs are shell scripts. */
function test(name: string, body: (machine: Machine) => Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      using machine = new Machine();
      await body(machine);
    },
  });
}

test("the JupyterLab on PATH starts in the project, on loopback, with the arguments given last", async (machine) => {
  machine.addProgram("jupyter-lab", '[ "$1" = --version ] || exit 7');
  machine.addPython(); // not asked
  const { code, output } = await machine.lab("--no-browser", "--port", "9999");
  assertEquals(code, 7); // JupyterLab's own
  assertEquals(machine.log, [
    "jupyter-lab --version",
    `jupyter-lab ${SERVE} --ServerApp.root_dir=${machine.project} ${FIRST} --no-browser --port 9999`,
  ]);
  assertEquals(output, "Downloading what the notebooks import, unless it is there.\n");
});

test("its kernel is the Deno that runs, found before other kernels, and written anew each time", async (machine) => {
  machine.addProgram("jupyter-lab", `[ "$1" = --version ] || echo "$JUPYTER_PATH" > "${machine.path}/path"`);
  const share = join(machine.project, ".lab", "share");
  const before = Deno.env.get("JUPYTER_PATH");
  for (const [others, expected] of [["", share], ["/others", `${share}:/others`]]) {
    Deno.env.set("JUPYTER_PATH", others);
    assertEquals((await machine.lab()).code, 0);
    assertEquals(machine.read("path").trim(), expected);
    const kernel = join(share, "kernels", "deno", "kernel.json");
    const { argv, language } = JSON.parse(Deno.readTextFileSync(kernel));
    assertEquals(argv.slice(1), ["jupyter", "--kernel", "--conn", "{connection_file}"]);
    assertEquals(language, "typescript");
    assertEquals((await new Deno.Command(argv[0], { args: ["--version"] }).output()).success, true);
    Deno.writeTextFileSync(kernel, "{}");
  }
  if (before === undefined) Deno.env.delete("JUPYTER_PATH");
  else Deno.env.set("JUPYTER_PATH", before);
});

test("without JupyterLab, Python installs one, once for each list of packages", async (machine) => {
  machine.addPython();
  const folder = join(machine.project, ".lab", "python");
  const list = join(machine.project, ".binder", "requirements.txt");
  const install = [
    `python3 -m venv --clear ${folder}`,
    `environment -m pip install --disable-pip-version-check --requirement ${list}`,
  ];
  const started =
    `environment -m jupyterlab ${SERVE} --ServerApp.root_dir=${machine.project} ${FIRST} --port 9999`;
  const isNew = async () => {
    const calls = machine.log.length;
    const { code, output } = await machine.lab("--port", "9999");
    assertEquals(code, 0);
    const log = machine.log.slice(calls).filter((line) => !/--version| -c /.test(line));
    assertEquals(log.at(-1), started);
    assertEquals(log.slice(0, -1), log.length > 1 ? install : []);
    assertEquals(output.includes("Installing JupyterLab"), log.length > 1);
    return log.length > 1;
  };
  assertEquals(await isNew(), true);
  assertEquals(await isNew(), false);
  Deno.writeTextFileSync(list, "jupyterlab==4.6.7\n");
  assertEquals(await isNew(), true);
  Deno.removeSync(join(folder, "bin"), { recursive: true }); // as when the system's Python has gone
  assertEquals(await isNew(), true);
  assertEquals(await isNew(), false);
});

test("an installation that fails says what failed, starts nothing, and does not count", async (machine) => {
  machine.addPython();
  machine.write("broken", "pip install");
  for (let i = 0; i < 2; i++) {
    const { code, output } = await machine.lab();
    assertEquals(code, 1);
    assertStringIncludes(output, "could not be installed");
    assertStringIncludes(output, "pip install");
    assert(!machine.log.some((line) => line.includes("jupyterlab --S")));
  }
  machine.write("broken", "no more");
  assertEquals((await machine.lab()).code, 0);
});

test("with neither, or with a Python that is too old, two lines say what to install", async (machine) => {
  const without = await machine.lab();
  assertEquals(without.code, 1);
  assertEquals(without.output.trim().split("\n").length, 2);
  assertStringIncludes(without.output, "pip install deno==2.9.6 jupyterlab");
  machine.addProgram("python3", "exit 1");
  machine.addProgram("jupyter-lab", "exit 1"); // a Jupyter without lab
  assertEquals(await machine.lab(), without);
});

test("when it is stopped, JupyterLab may end its kernels before the command is over", async (machine) => {
  const server = `trap "/bin/sleep 0.3; echo over >> '${machine.path}/log'; exit 0" TERM`;
  machine.addProgram(
    "jupyter-lab",
    '[ "$1" = --version ] && exit 0',
    server,
    "while :; do /bin/sleep 0.05; done",
  );
  const ended = machine.lab();
  await until(() => machine.log.length === 2);
  machine.stop.abort(new Stopped("SIGINT"));
  assertEquals((await ended).code, 130);
  assertEquals(machine.log.at(-1), "over");
});

test("Ctrl-C, which reaches all processes of a terminal, reaches JupyterLab once", async (machine) => {
  const traps = ["INT", "TERM"].map((name) => `trap "echo ${name} >> '${machine.path}/log'" ${name}`);
  const serve = "i=0; while [ $i -lt 20 ]; do /bin/sleep 0.05; i=$((i + 1)); done"; // a second, whatever comes
  machine.addProgram("jupyter-lab", '[ "$1" = --version ] && exit 0', ...traps, serve);
  const [lab, command] = ["lab.ts", "executor/command.ts"].map((name) =>
    new URL(`../lib/jupyter/${name}`, import.meta.url).href
  );
  const surroundings = JSON.stringify({ project: machine.project, path: machine.programs });
  const program = `import { main } from "${lab}";
    import { runCommand } from "${command}";
    await runCommand("2.5", (signal, { write }) => main([], { write, signal, ...${surroundings} }));`;
  const config = new URL("../deno.json", import.meta.url).pathname;
  const terminal = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--config", config, machine.write("program.ts", program)],
    detached: true,
  }).spawn();
  await until(() => machine.log.length >= 2);
  Deno.kill(-terminal.pid, "SIGINT");
  assertEquals((await terminal.status).code, 130);
  assertEquals(machine.log.filter((line) => /^[A-Z]+$/.test(line)), ["TERM"]);
});

test("stopped while it installs, it starts nothing", async (machine) => {
  machine.addPython();
  machine.addProgram("python3", '[ "$1" = -c ] || exec /bin/sleep 60');
  const ended = machine.lab();
  await until(() => machine.log.length === 2);
  machine.stop.abort(new Stopped("SIGTERM"));
  assertEquals((await ended).code, 143);
  assertEquals(machine.log.length, 2);
});

Deno.test("the Deno that messages and lists name is one and the same", async () => {
  const root = new URL("../", import.meta.url);
  const read = (name: string) => Deno.readTextFile(new URL(name, root));
  const named = new Map<string, string>(); // version → where
  for (const name of ["lib/jupyter/lab.ts", ".binder/postBuild", "README.md", ".github/workflows/ci.yml"]) {
    for (const [, version] of (await read(name)).matchAll(/deno(?:==|@)([\d.]+\d)/g)) {
      named.set(version, name);
    }
  }
  assertEquals(named.size, 1, `Named are ${Deno.inspect(named)}`);
});
