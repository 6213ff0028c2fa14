import type { CancelSignal } from "../net/cancel.ts";
import { DEFAULT_GROUP } from "./admission.ts";
import type { Limits } from "./limits.ts";
import type { Front, GatewayObserver } from "./observer.ts";
import type { Pass, Users } from "./users.ts";

/** Somebody who may ask for connections. */
export interface LetIn {
  /** Empty where nobody was asked. */
  readonly user: string;
  /** Whose agents he goes through. */
  readonly group: string;
  /** For as long as he may; absent where anybody may. */
  readonly pass?: Pass;
  /** What he may have, before what all users may. */
  readonly limits?: Limits;
}

/** Why somebody is not let in. */
export interface NotLetIn {
  /** He is nobody who is known, or not at this moment; nobody can say; or his group is not his. */
  readonly not: "wrong" | "later" | "unknown" | "group";
  /** What he may hear of it. */
  readonly reason: string;
}

export interface ClientGateOptions {
  /** `null` where anybody may come in. */
  users: Users | null;
  /** Whose agents are taken where nothing else is said. */
  group?: string;
  observer: GatewayObserver;
}

/** Says who may ask for connections, and through which agents. */
export class ClientGate {
  readonly #options: ClientGateOptions;

  constructor(options: ClientGateOptions) {
    this.#options = options;
  }

  /** Whether one has to say who one is. */
  get asks(): boolean {
    return this.#options.users !== null;
  }

  /** Where nobody is asked. */
  anybody(): LetIn {
    return { user: "", group: this.#options.group ?? DEFAULT_GROUP };
  }

  /** Tells of one who does not speak what is spoken there. */
  refused(front: Front, remote: string, reason: string): void {
    this.#options.observer.wrongProtocol?.({ front, remote, reason });
  }

  /**
   * `name`, or `name@group` for one of several groups. By `gone` nobody waits for it any more.
   */
  async enter(
    front: Front,
    who: { username: string; password: string; ip: string; remote: string },
    gone: CancelSignal,
  ): Promise<LetIn | NotLetIn> {
    const { users, observer, group: usual } = this.#options;
    const at = who.username.lastIndexOf("@");
    const wanted = at < 0 ? null : who.username.slice(at + 1);
    const username = at < 0 ? who.username : who.username.slice(0, at);
    const verdict = await users!.verify({ ...who, username, role: "client" }, gone);
    const refuse = (not: NotLetIn["not"], reason: string, more = "") => {
      observer.authFailed({ front, remote: who.remote, user: username, reason: reason + more });
      return { not, reason };
    };
    const { kind } = verdict;
    if (kind === "later") return refuse(kind, "too many failures");
    // Where it is asked is for the log.
    if (kind === "unknown") return refuse(kind, "nobody can say now", `: ${verdict.reason}`);
    if (kind === "wrong") return refuse(kind, "the username or the password is wrong");
    const { user: { name, groups, limits }, pass } = verdict;
    const group = wanted ?? groups?.[0] ?? usual ?? DEFAULT_GROUP;
    if (groups !== undefined && !groups.includes(group)) {
      return refuse("group", `group ${group} is not one of this user's`);
    }
    return { user: name, group, pass, limits };
  }
}
