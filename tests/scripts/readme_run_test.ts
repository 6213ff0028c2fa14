// What README.md shows works: its commands and its program are run.
import assert from "node:assert/strict";
import { ROOT, run } from "../../scripts/project.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { withFolder } from "../cli/support.ts";
import { within } from "../support/within.ts";

const readme = await Deno.readTextFile(`${ROOT}README.md`);
const PATIENCE_MS = 60_000;

/** The code block behind `<!-- tested: NAME -->`. */
function tested(name: string): string {
  const [, code] =
    new RegExp(`<!-- tested: ${name} -->\n\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(readme) ??
      assert.fail(`README.md has no block "${name}"`);
  return code;
}

interface Started {
  child: Deno.ChildProcess;
  output: Promise<string>;
}

/** Resolves with what came first on stdout or stderr; what follows is read and dropped. */
function start(args: string[], cwd: string): Started {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}main.ts`, ...args],
    cwd,
    env: { H3WS_METRICS: "127.0.0.1:0" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const drain = async (stream: ReadableStream<Uint8Array>, first: (text: string) => void) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) first(text);
    first("");
  };
  const output = new Promise<string>((resolve) => {
    void drain(child.stdout, resolve);
    void drain(
      child.stderr,
      (text) =>
        /proxy\.listening|gateway\.(?:listening|connect)|^h3ws: /.test(text) && resolve(text),
    );
  });
  return { child, output };
}

/** Ports of the loopback that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}

/** As a shell tells them apart. */
function wordsOf(line: string): string[] {
  return line.match(/'[^']*'|\S+/g)!.map((word) => word.replace(/^'(.*)'$/, "$1"));
}

/** Runs the lines of a block in a folder of their own, with a configuration if there is one. */
async function runLines(lines: readonly string[], config?: string): Promise<void> {
  await withFolder(async (folder) => {
    if (config !== undefined) await Deno.writeTextFile(`${folder}/h3ws.yaml`, config);
    const background: Deno.ChildProcess[] = [];
    try {
      for (const line of lines) {
        const [command, ...args] = wordsOf(line.replace(/ *&$/, ""));
        if (command !== "h3ws") {
          const { success, stderr } = await new Deno.Command(command, { args, cwd: folder })
            .output();
          assert.ok(success, `${line}: ${new TextDecoder().decode(stderr)}`);
          continue;
        }
        const { child, output } = start(args, folder);
        if (line.endsWith("&")) {
          background.push(child);
          assert.match(
            await within(line, output, PATIENCE_MS),
            /proxy\.listening|gateway\.(?:listening|connect)|Echo server on/,
          );
        } else {
          const { code } = await within(line, child.status, PATIENCE_MS);
          assert.equal(code, 0, `${line}: ${await output}`);
        }
      }
    } finally {
      for (const child of background) child.kill("SIGTERM");
      for (const child of background) await child.status;
    }
  });
}

/** The lines of a tested block without comments, at ports of the loopback that are free. */
function linesOf(name: string, [udp, tcp, plain, socks] = freePorts(4)): string[] {
  return tested(name).trim().split("\n").map((line) =>
    line.replace(/ *#.*$/, "").replaceAll("8443", `${udp}`).replaceAll("8080", `${tcp}`)
      .replaceAll("8081", `${plain}`).replaceAll("1080", `${socks}`)
      .replace("--listen :", "--listen 127.0.0.1:").replace("--socks :", "--socks 127.0.0.1:")
  );
}

Deno.test("README: the way to one's own backend works, line by line", async () => {
  const lines = linesOf("own backend");
  assert.equal(lines.length, 4);
  await runLines(lines);
});

Deno.test("README: connect talks to an echo, line by line", async () => {
  const lines = linesOf("connect");
  assert.equal(lines.length, 3);
  await runLines(lines);
});

Deno.test("README: from nothing to an answer through the tunnel, line by line", {
  ignore: !hasCurl(),
}, async () => {
  const lines = linesOf("tunnel");
  assert.equal(lines.length, 5);
  await runLines(lines);
});

Deno.test("README: a private backend behind a public proxy, by its file and line by line", async () => {
  const [listen, agents, service] = freePorts(3);
  const at = (text: string) =>
    text.replaceAll("8443", `${listen}`).replaceAll("8444", `${agents}`)
      .replaceAll("8080", `${service}`).replaceAll(/: :(?=\d)/g, ": 127.0.0.1:");
  const lines = tested("private backend").trim().split("\n")
    .map((line) => at(line).replace(/ *#.*$/, ""));
  assert.equal(lines.length, 5);
  const file = at(tested("private backend file"));
  await runLines(lines, file);
  // The way is the one that the file says.
  await assert.rejects(runLines(lines, file.replace(`:${service}`, ":1")), /connect wss:.* 502/);
});

function hasCurl(): boolean {
  try {
    return new Deno.Command("curl", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("README: the way to client certificates works, line by line, and only with one", {
  ignore: !hasCurl(),
}, async () => {
  const lines = linesOf("client certificates");
  assert.equal(lines.length, 3);
  await runLines(lines);
  const without = lines.with(2, lines[2].replace("--cert client.pem --key client-key.pem ", ""));
  await assert.rejects(runLines(without), /curl.*: /);
});

Deno.test(
  "README: the way to a port by cmux works, line by line, to the address of a workspace too",
  {
    // Elsewhere that address is not there.
    ignore: !hasCurl() || Deno.build.os !== "linux",
  },
  async () => {
    const ports = freePorts(3);
    const lines = linesOf("cmux", ports);
    assert.equal(lines.length, 4);
    const asked: string[] = [];
    const servers = ["127.0.0.1", "127.18.0.1"].map((hostname) =>
      Deno.serve({ hostname, port: ports[1], onListen: () => {} }, () => {
        asked.push(hostname);
        return new Response("here");
      })
    );
    try {
      await runLines(lines);
      assert.deepEqual(asked, ["127.0.0.1", "127.18.0.1"]);
    } finally {
      for (const server of servers) await server.shutdown();
    }
  },
);

Deno.test("README: the library's program runs, in a project of its own", async () => {
  const echo = start(["echo", "--listen", "127.0.0.1:0"], ROOT);
  try {
    const url = await within("h3ws echo", echo.output, PATIENCE_MS);
    const [port] = /\d+(?=\/)/.exec(url) ?? assert.fail(url);
    const stdout = await runProgram(tested("library").replace("8080", port));
    // The reason is that of the peer's Close, which answers with the code alone.
    const closed = `{ code: 1000, reason: "", wasClean: true, by: "us" }`;
    assert.equal(stdout, `hello\n${closed}\ntrue\n`);
  } finally {
    echo.child.kill("SIGTERM");
    await echo.child.status;
  }
});

Deno.test("README: the program of a server runs, in a project of its own", async () => {
  assert.equal(await runProgram(tested("library server")), "chat hello 1\n");
});

Deno.test("README: the program of fromFetch, WebSocket3 and reconnecting runs", async () => {
  const stdout = await runProgram(tested("library more"));
  assert.equal(stdout, "/news\nhello\n1012 2\nfirst\nagain\n");
});

Deno.test("README: the program of the proxy as an object runs, in a project of its own", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    const stdout = await runProgram(tested("library object").replace("8080", `${echo.port}`));
    // The proxy and the client hear of the end when they do.
    const lines = stdout.trim().split("\n");
    assert.deepEqual(lines.toSorted(), ["/ws 1000 client", "401", "false 2", "hello 1"]);
  } finally {
    await echo.close();
  }
});

/** What a program of the library's prints. */
async function runProgram(program: string): Promise<string> {
  const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
  let printed = "";
  await withFolder(async (folder) => {
    const config = tested("library config").replace('"../h3ws"', JSON.stringify(ROOT));
    await Deno.writeTextFile(`${folder}/deno.json`, config);
    await Deno.writeTextFile(`${folder}/program.ts`, program);
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    await Deno.writeTextFile(`${folder}/cert.pem`, pair.certPem);
    await Deno.writeTextFile(`${folder}/key.pem`, pair.keyPem);
    const { code, stdout, stderr } = await run(
      Deno.execPath(),
      ["run", "--check", "-A", "program.ts"],
      { cwd: folder, env: { NO_COLOR: "1" }, signal: AbortSignal.timeout(PATIENCE_MS) },
    );
    assert.equal(code, 0, stderr);
    printed = stdout;
  });
  return printed;
}
