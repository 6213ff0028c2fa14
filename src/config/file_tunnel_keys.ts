// The keys of a gateway's sections, each with the name of its flag.

export const GATEWAY_KEYS = {
  ...{ listen_addr: "listen", tls_cert: "cert", tls_key: "key", client_ca: "client-ca" },
  ...{ path: "path", json: "json", users_file: "users", group: "group", balance: "balance" },
  ...{ max_connections: "max-connections", max_conns_per_agent: "max-conns-per-agent" },
  ...{ connect_timeout: "connect-timeout", idle_timeout: "idle-timeout" },
  ...{ handshake_timeout: "handshake-timeout", heartbeat: "heartbeat", window: "window" },
  ...{ open_ports: "open-ports", drain: "drain", metrics: "metrics" },
  ...{ cluster: "cluster", cluster_creds: "cluster-creds", cluster_ca: "cluster-ca" },
  ...{ auth_url: "auth-url", auth_timeout: "auth-timeout", auth_cache: "auth-cache" },
  ...{ user_max_conns: "user-max-conns", user_new_conns: "user-new-conns", user_rate: "user-rate" },
  ...{ agent_max_conns: "agent-max-conns", agent_new_conns: "agent-new-conns" },
  ...{ agent_rate: "agent-rate", target_max_conns: "target-max-conns" },
  ...{ target_new_conns: "target-new-conns", target_rate: "target-rate" },
};

export const PROXY_KEYS = { anonymous: "anonymous", forwards: "forward" };
export const SOCKS_KEYS = { listen_addr: "socks" };
export const HTTP_KEYS = { listen_addr: "http" };
export const MIXED_KEYS = { listen_addr: "mixed" };

/** A key of the file by the name of its flag. */
const BY_FLAG: ReadonlyMap<string, string> = new Map([
  ...keysIn("gateway", GATEWAY_KEYS),
  ...keysIn("proxy", PROXY_KEYS),
  ...keysIn("proxy.socks5", SOCKS_KEYS),
  ...keysIn("proxy.http", HTTP_KEYS),
  ...keysIn("proxy.mixed", MIXED_KEYS),
  ["user", "gateway.auth_username"],
  ["client-user", "proxy.socks5.auth_username"],
]);

function keysIn(section: string, keys: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(keys).map(([key, flag]) => [flag, `${section}.${key}`]);
}

/** How the file says what a flag of `h3ws gateway` does: `listen` is `gateway.listen_addr`. */
export function gatewayKey(flag: string): string {
  return BY_FLAG.get(flag) ?? flag;
}
