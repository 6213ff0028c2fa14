import { RawBackend } from "../support/backend.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { RawClient } from "../support/raw_h3.ts";

/** What a test of a whole process has at hand. */
export interface Running {
  proxy: ProxyProcess;
  backend: RawBackend;
  connect(caPem?: string): Promise<RawClient>;
}

/** Runs `body` with `h3ws proxy` as a process of its own before a scripted backend. */
export async function withProcess(
  flags: readonly string[],
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const backend = await RawBackend.listen();
  const clients: RawClient[] = [];
  try {
    await using proxy = await startProxyProcess({ backendPort: backend.port, flags });
    await body({
      proxy,
      backend,
      async connect(caPem) {
        const caCerts = caPem === undefined ? proxy.caCerts : [caPem];
        const client = await RawClient.connect({ port: proxy.port, caCerts });
        clients.push(client);
        return client;
      },
    });
    for (const client of clients) client.close();
  } finally {
    await backend.close();
  }
}
