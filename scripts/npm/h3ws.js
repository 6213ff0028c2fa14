#!/usr/bin/env node
// Starts h3ws on the Deno that the npm package `deno` brings: same arguments, same standard
// streams, signals passed on, same exit code.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

const BUNDLE = fileURLToPath(new URL("../dist/h3ws.js", import.meta.url));

// What stands around the user's folder (deno.json, package.json, deno.lock, node_modules) is
// none of our business: the bundle needs nothing but itself.
const FLAGS = [
  "run",
  "-A",
  "--unstable-net",
  "--no-config",
  "--no-lock",
  "--node-modules-dir=none",
];

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * The path of the deno executable. `runInstall` is what the package's own `bin` calls when its
 * install script was blocked (`npm install --ignore-scripts`); otherwise it gives the path at once.
 */
function findDeno() {
  const require = createRequire(import.meta.url);
  return require("deno/install_api.cjs").runInstall();
}

function fail(error) {
  const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
  process.stderr.write(`h3ws: cannot start Deno: ${reason}\n`);
  process.exit(1);
}

function start(deno) {
  const child = spawn(deno, [...FLAGS, BUNDLE, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" },
  });
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the child without us: the terminal sends SIGINT to the whole
      // process group, and npx sends it once more. A second one would end the drain. On Windows
      // the console does the same, and a signal from here would kill the child.
      const fromTerminal = signal === "SIGINT" && process.stdin.isTTY === true;
      if (!fromTerminal && process.platform !== "win32") child.kill(signal);
    });
  }
  child.on("error", fail);
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of FORWARDED) process.removeAllListeners(name);
    process.kill(process.pid, signal); // end as the child did: the shell sees the same signal
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 1000);
  });
}

let deno;
try {
  deno = findDeno();
} catch (error) {
  fail(error);
}
start(deno);
