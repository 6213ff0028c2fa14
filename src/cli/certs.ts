import { isIPv6 } from "node:net";
import { isHostname } from "../config/address.ts";
import { ValueError } from "../config/error.ts";
import { plainFlag } from "../config/flags.ts";
import { count, type Kind, onOff } from "../config/kinds.ts";
import { messageOf } from "../net/error.ts";
import type { Certificates } from "./certificates.ts";
import { type Command, CommandError, defineCommand, ExitCode } from "./command.ts";
import { shortReason } from "./files.ts";
import type { Io } from "./io.ts";

const HOSTS_ALLOWED = "names and IP addresses with commas between (localhost,127.0.0.1,::1)";

const hosts: Kind<readonly string[]> = {
  placeholder: "hosts",
  allowed: HOSTS_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const list = [...new Set(text.split(",").map((host) => host.trim()))];
    if (!list.every(isCertificateHost)) {
      throw new ValueError("is no list of hosts", HOSTS_ALLOWED);
    }
    return list;
  },
};

// RFC 6125 §6.4.3: a wildcard is the whole first label.
function isCertificateHost(host: string): boolean {
  return isIPv6(host) || isHostname(host.replace(/^\*\.(?=.+\.)/, ""));
}

const DIRECTORY_ALLOWED = "the path of a directory";

const directory: Kind<string> = {
  placeholder: "directory",
  allowed: DIRECTORY_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text !== "" && !text.includes("\0")) return text;
    throw new ValueError("is not a path", DIRECTORY_ALLOWED);
  },
};

// A century: GeneralizedTime takes more, but calendars of clients do not.
const MAX_DAYS = 36_500;

const certsFlags = {
  dir: plainFlag({
    name: "dir",
    kind: directory,
    default: ".",
    meaning: "where ca.pem, cert.pem and key.pem are written",
  }),
  hosts: plainFlag({
    name: "host",
    kind: hosts,
    default: "localhost,127.0.0.1,::1",
    meaning: "names and IP addresses that the server is reached by",
  }),
  days: plainFlag({
    name: "days",
    kind: count({ max: MAX_DAYS }),
    default: "365",
    meaning: "how long they hold",
  }),
  force: plainFlag({
    name: "force",
    kind: onOff,
    default: "false",
    meaning: "write over files that are already there",
  }),
};

/** `h3ws certs`: certificates for development. */
export const certsCommand: Command = defineCommand({
  name: "certs",
  summary: "make a CA and a server's certificate for development",
  flags: certsFlags,
  examples: [
    "h3ws certs",
    "h3ws certs --dir /etc/h3ws --host ws.example,192.0.2.7 --days 90",
  ],
  async run({ dir, hosts, days, force }, io) {
    const files = filesIn(dir);
    if (!force) await refuseExisting(Object.values(files));
    // The library is large, and no other command needs it.
    const { makeCertificates } = await import("./certificates.ts");
    const made = await makeCertificates({ hosts, days });
    await makeDirectory(dir);
    await writeFile(files.key, { text: made.keyPem, mode: 0o600 });
    await writeFile(files.cert, { text: made.certPem, mode: 0o644 });
    await writeFile(files.ca, { text: made.caPem, mode: 0o644 });
    tell(io, made, { files, hosts });
    return ExitCode.OK;
  },
});

type Files = Readonly<Record<"ca" | "cert" | "key", string>>;

function filesIn(dir: string): Files {
  const base = dir === "." ? "" : dir.replace(/[/\\]*$/, "/");
  return { ca: `${base}ca.pem`, cert: `${base}cert.pem`, key: `${base}key.pem` };
}

function tell(
  io: Io,
  made: Certificates,
  { files, hosts }: { files: Files; hosts: readonly string[] },
): void {
  const until = made.notAfter.toISOString().slice(0, 10);
  io.out(
    `${files.ca}    the CA, for clients to trust (its own key is not kept)\n` +
      `${files.cert}  the server's certificate for ${hosts.join(", ")}, until ${until}\n` +
      `${files.key}   its private key\n\n` +
      `SPKI hash: ${made.spkiHash}\n` +
      `Chromium:  --ignore-certificate-errors-spki-list=${made.spkiHash}\n`,
  );
}

async function refuseExisting(files: readonly string[]): Promise<void> {
  const there: string[] = [];
  for (const file of files) {
    try {
      await Deno.lstat(file);
      there.push(file);
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory;
      if (!missing) throw new CommandError(`Cannot look at ${file}: ${messageOf(error)}`);
    }
  }
  if (there.length > 0) {
    const verb = there.length === 1 ? "is" : "are";
    throw new CommandError(`${there.join(", ")} ${verb} already there; --force writes over`);
  }
}

async function makeDirectory(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true });
  } catch (error) {
    const isFile = error instanceof Deno.errors.AlreadyExists;
    const reason = isFile ? "a file of that name is there" : shortReason(error);
    throw new CommandError(`Cannot make the directory ${dir}: ${reason}`);
  }
}

// A file is swapped in whole, and its mode is right from its first byte.
async function writeFile(
  file: string,
  { text, mode }: { text: string; mode: number },
): Promise<void> {
  const temporary = `${file}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(temporary, text, { mode, createNew: true });
    await Deno.rename(temporary, file);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new CommandError(`Cannot write ${file}: ${shortReason(error)}`);
  }
}
