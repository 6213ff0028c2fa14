import { randomUUID } from "node:crypto";
import { type Auth, type Authed, TUNNEL_VERSION } from "../protocol/tunnel/auth.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { CancelSignal } from "../net/cancel.ts";
import type { Agent } from "./agents.ts";
import { ipOf } from "../proxy/headers.ts";
import type { GatewayObserver } from "./observer.ts";
import type { OpenPorts } from "./open_ports.ts";
import type { Credentials, User, Users, Verdict } from "./users.ts";

/** Somebody who says that he is an agent. */
export interface Applicant {
  readonly auth: Auth;
  /** "ip:port". */
  readonly remote: string;
  /** The subject of the certificate that he has shown; `null` for none. */
  readonly certificate?: string | null;
  /** When it fires he is gone, or his time is over. */
  readonly gone: CancelSignal;
}

/** What he is told, and what he is if he is taken. */
export interface Admitted {
  readonly authed: Authed;
  /** `null` for who is not taken. */
  readonly agent: Omit<Agent, "link"> | null;
}

export interface AdmissionOptions {
  users: Users;
  /** No agent has more connections at once, whatever it says. */
  maxStreams: number;
  heartbeatMs: number;
  ports: OpenPorts;
  observer: GatewayObserver;
}

/** The group of who names none. */
export const DEFAULT_GROUP = "default";

/** Decides who is an agent of this gateway. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Whether whoever says so may be an agent; why not, in words, or `null`. AUTH still has to come.
   */
  async whyUnknown(
    { login, remote, certificate = null, gone }: Omit<Applicant, "auth"> & {
      login: Auth["login"];
    },
  ): Promise<string | null> {
    const credentials = credentialsOf({ auth: { login }, remote, certificate });
    const verdict = await this.#options.users.verify(credentials, gone);
    if (verdict.kind === "user") return null;
    const message = whyNot(verdict, login);
    this.#failed(login, remote, message);
    return message;
  }

  /** Somebody came who did not even say who he is. */
  malformed(remote: string, reason: string): void {
    this.#failed(null, remote, reason);
  }

  async admit({ auth, remote, certificate = null, gone }: Applicant): Promise<Admitted> {
    const { users } = this.#options;
    if (auth.version > TUNNEL_VERSION) {
      return this.#refused(auth, remote, `version ${auth.version} is not known here`);
    }
    const verdict = await users.verify(credentialsOf({ auth, remote, certificate }), gone);
    if (verdict.kind !== "user") return this.#refused(auth, remote, whyNot(verdict, auth.login));
    const group = groupOf(auth, verdict.user);
    if (group === null) {
      return this.#refused(auth, remote, `group ${auth.group} is not one of this user's`);
    }
    return await this.#taken(auth, { remote, group, pass: verdict.pass }, verdict.user);
  }

  #failed(login: Auth["login"], remote: string, reason: string): void {
    const user = login !== null && "username" in login ? login.username : "";
    this.#options.observer.authFailed({ front: "agent", remote, user, reason });
  }

  #refused({ login }: Auth, remote: string, message: string): Admitted {
    this.#failed(login, remote, message);
    const authed = { success: false, message, code: TunnelCode.AUTH_FAILED, refusedPorts: [] };
    return { authed: { ...authed, session: null, heartbeatMs: null }, agent: null };
  }

  async #taken(
    auth: Auth,
    who: Pick<Agent, "remote" | "group" | "pass">,
    user: User,
  ): Promise<Admitted> {
    const { maxStreams: most, heartbeatMs, ports: open } = this.#options;
    const maxStreams = Math.min(most, auth.maxConns ?? most);
    const ports = await open.claim(auth.openPorts, user, who.group);
    const agent = { ...who, user: user.name, id: auth.clientId, maxStreams, ports };
    const authed = { success: true, message: "Authentication successful", code: null };
    return {
      authed: { ...authed, session: randomUUID(), heartbeatMs, refusedPorts: ports.refused },
      agent: { ...agent, sinceMs: performance.now() },
    };
  }
}

/** How he says who he is: a login goes before a certificate. */
function credentialsOf(
  { auth: { login }, remote, certificate }: Pick<Applicant, "remote" | "certificate"> & {
    auth: Pick<Auth, "login">;
  },
): Credentials {
  const who = { username: "", password: "", ip: ipOf(remote), role: "agent" } as const;
  if (login === null) return certificate ? { ...who, certificate } : who;
  return { ...who, ...login };
}

function whyNot(verdict: Exclude<Verdict, { kind: "user" }>, login: Auth["login"]): string {
  switch (verdict.kind) {
    case "later":
      return `too many failures: try again in ${Math.ceil(verdict.waitMs / 1000)} s`;
    case "unknown":
      return `nobody can say now who may come in: ${verdict.reason}`;
    case "wrong":
      if (login === null) return "no user has the certificate, or none was shown";
      return "token" in login ? "the token is wrong" : "the username or the password is wrong";
  }
}

/** The group that it asks for, or its user's first; `null` where it may not have it. */
function groupOf({ group }: Auth, { groups }: User): string | null {
  if (group === null) return groups?.[0] ?? DEFAULT_GROUP;
  return groups === undefined || groups.includes(group) ? group : null;
}
