// A process that listens, with few files to open, and says on a line what it is told of.
import { NodeListener } from "../../src/net/node_listener.ts";
import { Sweeper } from "../../src/net/sweeper.ts";

const say = (value: unknown) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));

// Deno itself ends in a panic when it finds no file to open in its first second.
await new Promise((resolve) => setTimeout(resolve, 2_000));

const listener = await NodeListener.listen(
  {
    hostname: "127.0.0.1",
    port: 0,
    sweeper: new Sweeper(50),
    onRefused: ({ kind, message }) => say({ kind, message }),
  },
  (socket) => {
    socket.on("error", () => {}).on("close", () => socket.destroy()).on("end", () => socket.end());
    socket.on("data", (chunk) => socket.write(chunk)).resume();
  },
  { quietMs: 500, tryMs: 300 },
);
say({ port: listener.port });
for await (const _ of Deno.stdin.readable) {
  // Until its end.
}
Deno.exit(0);
