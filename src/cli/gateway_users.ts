import { UsageError } from "../config/error.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import type { Gateway } from "../tunnel/gateway.ts";
import { type Authenticate, type User, Users } from "../tunnel/users.ts";

/** What of a config says who may come in. */
export type UsersConfig = Pick<
  GatewayConfig,
  "user" | "clientUser" | "usersFile" | "anonymous" | "authUrl" | "authTimeoutMs" | "authCacheMs"
>;

/** The users of a gateway: of `--user`, `--client-user` and the file of `--users`. */
export class GatewayUsers {
  readonly agents: Users;
  /** The same where no user is for clients alone. */
  readonly clients: Users;
  #config: UsersConfig;
  #fromFile: readonly User[];

  /** Throws `UsageError` for a name that comes twice, and where there is no user at all. */
  static async of(config: UsersConfig, fromFile: readonly User[]): Promise<GatewayUsers> {
    return new GatewayUsers(config, { fromFile, authenticate: await authenticateOf(config) });
  }

  private constructor(
    config: UsersConfig,
    { fromFile, authenticate }: { fromFile: readonly User[]; authenticate: Authenticate | null },
  ) {
    this.#config = config;
    this.#fromFile = fromFile;
    const { agents, clients } = listsOf(config, fromFile);
    this.agents = new Users(agents, { authenticate });
    this.clients = config.clientUser === null ? this.agents : new Users(clients);
  }

  /** How many there are. */
  get count(): number {
    const { user, clientUser } = this.#config;
    return this.#fromFile.length + [user, clientUser].filter((one) => one !== null).length;
  }

  /**
   * From now on it is these. Agents of users that are gone or changed are closed. Throws
   * `UsageError`, and then nothing is changed.
   */
  replace(
    { config = this.#config, fromFile = this.#fromFile }: {
      config?: UsersConfig;
      fromFile?: readonly User[];
    },
    { agents: connected }: Pick<Gateway, "agents">,
  ): void {
    const { agents, clients } = listsOf(config, fromFile);
    this.#config = config;
    this.#fromFile = fromFile;
    const gone = new Set(this.agents.replace(agents));
    if (this.clients !== this.agents) this.clients.replace(clients);
    connected.close("its user is gone or was changed", ({ user }) => gone.has(user));
  }
}

async function authenticateOf(config: UsersConfig): Promise<Authenticate | null> {
  const { authUrl: url, authTimeoutMs: timeoutMs, authCacheMs: cacheMs } = config;
  if (url === null) return null;
  // The library that reads its answers is large.
  const { forwardAuth } = await import("../tunnel/forward_auth.ts");
  return forwardAuth({ url, timeoutMs, cacheMs });
}

function listsOf(config: UsersConfig, fromFile: readonly User[]) {
  const { user, clientUser, usersFile, authUrl } = config;
  if (authUrl !== null) {
    const beside = [["--user", user], ["--users", usersFile], [
      "--client-user",
      clientUser,
    ]] as const;
    const [key] = beside.find(([, one]) => one !== null) ?? [];
    if (key === undefined) return { agents: [], clients: [] };
    const problem = "can't stand beside --auth-url";
    throw new UsageError({ key, value: null, problem, allowed: "one of the two" });
  }
  if (user === null && usersFile === null) {
    const problem = "is missing: no agent comes in without a user";
    const allowed = "--user name:password, --users with a file of them, or --auth-url";
    throw new UsageError({ key: "--user", value: null, problem, allowed });
  }
  for (const [key, own] of [["--user", user], ["--client-user", clientUser]] as const) {
    if (!fromFile.some(({ name }) => name === own?.name)) continue;
    const problem = `is a user of ${usersFile} already`;
    throw new UsageError({ key, value: own!.name, problem, allowed: "a name that is not there" });
  }
  const roles: User["roles"] = clientUser === null ? undefined : ["agent"];
  const own: User[] = user === null ? [] : [{ ...user, ...(roles && { roles }) }];
  const agents = [...own, ...fromFile];
  if (clientUser === null) return { agents, clients: agents };
  return { agents, clients: [{ ...clientUser, roles: ["client"] as const }, ...fromFile] };
}
