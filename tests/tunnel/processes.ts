// Agents and gateways as processes of their own, which can be killed.
import { Sweeper } from "../../src/net/sweeper.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import { testCertificates } from "../support/proxy.ts";
import { startGateway, testAgent, Told } from "./support.ts";

export interface TunnelProcess extends AsyncDisposable {
  /** SIGKILL: nobody is told by it. */
  kill(): Promise<void>;
}

interface AgentArguments {
  port: number;
  transports: readonly AgentTransport[];
}

interface GatewayArguments {
  /** Of agents, by UDP and TCP. */
  port: number;
  socksPort: number;
}

type Certificates = Awaited<ReturnType<typeof testCertificates>>;

/** Starts an agent of the gateway at that port. */
export function startAgentProcess(options: AgentArguments): Promise<TunnelProcess> {
  return start({ agent: options });
}

/** Starts a gateway. */
export function startGatewayProcess(options: GatewayArguments): Promise<TunnelProcess> {
  return start({ gateway: options });
}

/** A port that nobody has by UDP or by TCP. */
export function freePort(): number {
  for (;;) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = tcp.addr;
    try {
      Deno.listenDatagram({ hostname: "127.0.0.1", port, transport: "udp" }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    } finally {
      tcp.close();
    }
  }
}

type Arguments = { agent: AgentArguments } | { gateway: GatewayArguments };

async function start(options: Arguments): Promise<TunnelProcess> {
  const certificates = await testCertificates();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--unstable-net", import.meta.url],
      JSON.stringify({ ...options, certificates }),
    ],
    ...{ stdin: "null", stdout: "null", stderr: "inherit" },
  }).spawn();
  let running = true;
  const status = child.status.finally(() => running = false);
  const kill = async () => {
    if (running) child.kill("SIGKILL");
    await status;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

async function main(options: Arguments & { certificates: Certificates }): Promise<void> {
  const { caPem, certPem, keyPem } = options.certificates;
  const sweeper = new Sweeper(50);
  const told = new Told();
  if ("agent" in options) {
    const { agent } = options;
    testAgent(agent, { ...agent, caPem, sweeper, observer: told.agent });
    return;
  }
  const { port, socksPort } = options.gateway;
  const at = (port: number) => ({ hostname: "127.0.0.1", port });
  const socks = { listen: at(socksPort), users: null };
  await startGateway({ told, sweeper }, { gateway: { listen: at(port), certPem, keyPem, socks } });
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));
