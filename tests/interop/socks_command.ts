// A ProxyCommand for ssh: `deno run socks_command.ts PROXY_PORT HOST PORT` connects by SOCKS5 and
// carries stdin and stdout. It takes nothing from the code that is tested.

const [proxyPort, host, port] = Deno.args;
const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(proxyPort) });

async function take(count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error("The proxy ended");
    at += read;
  }
  return bytes;
}

async function send(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

// RFC 1928 §3, §4: no authentication; CONNECT to a name.
await send(Uint8Array.of(5, 1, 0));
await take(2);
const name = new TextEncoder().encode(host);
const digits = Number(port);
await send(Uint8Array.of(5, 1, 0, 3, name.length, ...name, digits >> 8, digits & 0xff));
const [, code] = await take(10);
if (code !== 0) throw new Error(`SOCKS5 reply ${code}`);
const back = conn.readable.pipeTo(Deno.stdout.writable);
await Deno.stdin.readable.pipeTo(conn.writable, { preventClose: true });
await conn.closeWrite().catch(() => {});
await back;
