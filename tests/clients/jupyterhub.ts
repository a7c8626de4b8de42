/** Three students at once on JupyterHub, with the configuration that the README gives, and without network. */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Browser } from "./browser.ts";
import { freePort, needChromium, Place, PROJECT, run, Server } from "./environment.ts";
import { assertPainted, LAB_OPTIONS, OpenNotebook } from "./lab.ts";
import { assertSameOutputs } from "./outputs.ts";

const STUDENTS = ["ada", "grace", "mary"];
const PASSWORD = "correct horse";

/** The folder in the configuration that holds what all students share; the tests put it elsewhere. */
const SHARED = "/srv/dropout";

/** The configuration: the README's Python block, or the one of the file that `--hub FILE` names. */
async function configuration(): Promise<string> {
  const at = Deno.args.indexOf("--hub");
  const file = at < 0 ? join(PROJECT, "README.md") : Deno.args[at + 1];
  const blocks = (await Deno.readTextFile(file)).matchAll(/^```python\n(.*?)^```$/gms);
  const block = [...blocks].map(([, code]) => code).find((code) => code.includes("c.Spawner"));
  assert(block !== undefined, `${file} has no Python block with a configuration of JupyterHub`);
  assert(block.includes(SHARED), `the configuration names ${SHARED}, which the tests put elsewhere`);
  return block;
}

/**
 * What the tests need beside what the README says. Ports and a proxy; a look inside; no network for students; and the
 * students, who have no accounts on this machine: so the hub is told where they would live, and one password is right.
 */
function additions(ports: number[], homes: string): string {
  const [hub, internal, api] = ports.map((port) => `"http://127.0.0.1:${port}"`);
  const proxy = [Deno.execPath(), "run", "-A", "--no-lock", "npm:configurable-http-proxy@5.3.0"];
  return `
import pwd
from types import SimpleNamespace
pwd.getpwnam = lambda name: SimpleNamespace(pw_dir="${homes}/" + name)
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "${PASSWORD}"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "${homes}/{username}"
c.JupyterHub.bind_url, c.JupyterHub.hub_bind_url, c.ConfigurableHTTPProxy.api_url = ${hub}, ${internal}, ${api}
c.ConfigurableHTTPProxy.command = ${JSON.stringify(proxy)}
c.Spawner.args = ${JSON.stringify(LAB_OPTIONS)}
c.Spawner.environment["HTTPS_PROXY"] = c.Spawner.environment["HTTP_PROXY"] = "http://127.0.0.1:9"
`;
}

/** A folder with a `runuser` that runs its command as the one who calls it. */
async function playRunuser(place: Place): Promise<string> {
  const path = await place.write(
    "bin/runuser",
    '#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n',
  );
  await Deno.chmod(path, 0o755);
  return join(place.path, "bin");
}

/** Signs in, which starts the student's server; waits until JupyterLab has opened the notebook. */
async function signIn(browser: Browser, hub: string, name: string): Promise<OpenNotebook> {
  const page = await browser.page(1400, 1000, 2);
  await page.open(`${hub}/hub/login`);
  await page.until(`document.querySelector("form [name=password]")`);
  await page.evaluate(`(() => {
    document.querySelector("form [name=username]").value = ${JSON.stringify(name)};
    document.querySelector("form [name=password]").value = ${JSON.stringify(PASSWORD)};
    document.querySelector("form [type=submit]").click();
  })()`);
  return await OpenNotebook.opened(page);
}

/** Names of all files under a folder. */
async function listing(folder: string): Promise<string> {
  return (await run("find", [folder, "-type", "f"])).text.split("\n").sort().join("\n");
}

/** Resident memory in MB of the processes that a process has started, and these, and so on, with a word in their command. */
async function memory(ancestor: number, word: string): Promise<number[]> {
  const { text } = await run("ps", ["-eo", "pid=,ppid=,rss=,args="]);
  const processes = text.trim().split("\n").map((line) => {
    const [pid, parent, rss] = line.trim().split(/\s+/, 3).map(Number);
    return { pid, parent, rss, line };
  });
  const family = new Set([ancestor]);
  for (const _ of processes) { // in the end, all generations
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid, line }) => family.has(pid) && line.includes(word))
    .map(({ rss }) => Math.round(rss / 1024)).sort((a, b) => b - a);
}

/** What the README says to do once: a clone for others to be made from, the packages, and the kernel. */
async function prepare(place: Place, shared: string, env: Record<string, string>): Promise<void> {
  const clone = join(shared, "inverted-dropout");
  const kernel = join(shared, "jupyter", "kernels", "deno");
  const steps = [
    ["git", "clone", "-q", place.clone, clone],
    [Deno.execPath(), "install", "--quiet"],
    ["mkdir", "-p", kernel],
    ["cp", join(env.JUPYTER_PATH, "kernels", "deno", "kernel.json"), kernel],
  ];
  for (const [program, ...args] of steps) {
    const { success, text } = await run(program, args, {
      env: { ...env, DENO_DIR: join(shared, "packages") },
      cwd: program === "git" ? place.path : clone,
    });
    assert(success, `${program} ${args.join(" ")}: ${text}`);
  }
}

Deno.test("JupyterHub: three students open and run a notebook at once, without network", async () => {
  const chromium = await needChromium();
  await using place = await Place.make();
  const shared = join(place.path, "shared");
  const config = (await configuration()).replaceAll(SHARED, shared);
  const env = await place.env();
  await prepare(place, shared, env);
  const homes = join(place.path, "homes");
  for (const name of STUDENTS) await Deno.mkdir(join(homes, name), { recursive: true });
  const packages = join(shared, "packages", "npm");
  const before = await listing(packages);

  const ports = [freePort(), freePort(), freePort()];
  const file = await place.write("hub/jupyterhub_config.py", config + additions(ports, homes));
  const hub = `http://127.0.0.1:${ports[0]}`;
  await using server = await Server.start(["jupyterhub", "-f", file], `${hub}/hub/login`, {
    cwd: join(place.path, "hub"),
    env: { ...env, PATH: `${await playRunuser(place)}:${env.PATH}` },
    log: join(place.path, "hub.log"),
  });
  await using browser = await Browser.start(chromium);
  try {
    const opened = await Promise.all(STUDENTS.map((name) => signIn(browser, hub, name)));
    const start = performance.now();
    await Promise.all(opened.map((notebook) => notebook.runAll()));
    const seconds = (performance.now() - start) / 1000;
    const path = await opened[0].page.evaluate<string>("panel.context.path");
    const expected = await Deno.readTextFile(join(place.clone, path));
    let count = 0;
    for (const [i, notebook] of opened.entries()) {
      const content = await notebook.content();
      count += assertSameOutputs(JSON.stringify(content), expected, `${path} of ${STUDENTS[i]}`);
      assert(await assertPainted(notebook, content.cells) > 0);
    }
    const servers = await memory(server.pid, "jupyterhub-singleuser");
    const kernels = await memory(server.pid, "jupyter --kernel");
    console.log(
      `${path}, ${STUDENTS.length} at once: ${count} outputs, ${seconds.toFixed(0)} s; ` +
        `MB of their servers: ${servers}, of their kernels: ${kernels}`,
    );
    for (const notebook of opened) await notebook.close();
  } catch (error) {
    throw new Error(`${error}\n${(await server.log()).slice(-4000)}`, { cause: error });
  }
  assertEquals(await listing(packages), before, "packages of the shared cache");
});
