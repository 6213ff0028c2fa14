import { isIPv6 } from "node:net";
import { isHostname } from "../net/address.ts";
import { ValueError } from "../config/error.ts";
import { plainFlag } from "../config/flags.ts";
import { count, type Kind, onOff } from "../config/kinds.ts";
import { messageOf } from "../net/error.ts";
import type { Certificates } from "./certificates.ts";
import { type Command, CommandError, defineCommand, ExitCode } from "./command.ts";
import { shortReason } from "./files.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";

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

const NAME_ALLOWED = "a name of 1 to 64 characters (alice)";

const clientName: Kind<string | null> = {
  placeholder: "name",
  allowed: NAME_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "") return null;
    // RFC 5280 appendix A: ub-common-name is 64.
    if (/^[^\p{Cc}]{1,64}$/u.test(text) && text.trim() === text) return text;
    throw new ValueError("is not a name", NAME_ALLOWED);
  },
};

// A century: GeneralizedTime takes more, but calendars of clients do not.
const MAX_DAYS = 36_500;

const certsFlags = {
  dir: plainFlag({
    name: "dir",
    kind: directory,
    default: ".",
    meaning: "where ca.pem, cert.pem and key.pem are written, client.pem and client-key.pem too",
  }),
  hosts: plainFlag({
    name: "host",
    kind: hosts,
    default: "localhost,127.0.0.1,::1",
    meaning: "names and IP addresses that the server is reached by",
  }),
  client: plainFlag({
    name: "client",
    kind: clientName,
    default: "",
    meaning: "a client that gets client.pem and client-key.pem, for --client-ca ca.pem",
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
  ...LISTED.certs,
  flags: certsFlags,
  async run({ dir, hosts, client, days, force }, io) {
    const files = filesIn(dir);
    const { clientCert, clientKey, ...always } = files;
    if (!force) await refuseExisting(Object.values(client === null ? always : files));
    // The library is large, and no other command needs it.
    const { makeCertificates } = await import("./certificates.ts");
    const made = await makeCertificates({ hosts, days, client: client ?? undefined });
    await makeDirectory(dir);
    await writeFile(files.key, { text: made.keyPem, mode: 0o600 });
    await writeFile(files.cert, { text: made.certPem, mode: 0o644 });
    await writeFile(files.ca, { text: made.caPem, mode: 0o644 });
    if (made.client !== null) {
      await writeFile(clientKey, { text: made.client.keyPem, mode: 0o600 });
      await writeFile(clientCert, { text: made.client.certPem, mode: 0o644 });
    }
    tell(io, made, { files, hosts, client });
    return ExitCode.OK;
  },
});

type Files = Readonly<Record<"ca" | "cert" | "key" | "clientCert" | "clientKey", string>>;

function filesIn(dir: string): Files {
  const base = dir === "." ? "" : dir.replace(/[/\\]*$/, "/");
  return {
    ca: `${base}ca.pem`,
    cert: `${base}cert.pem`,
    key: `${base}key.pem`,
    clientCert: `${base}client.pem`,
    clientKey: `${base}client-key.pem`,
  };
}

function tell(
  io: Io,
  made: Certificates,
  { files, hosts, client }: { files: Files; hosts: readonly string[]; client: string | null },
): void {
  const until = made.notAfter.toISOString().slice(0, 10);
  const rows = [
    [files.ca, "the CA, for clients to trust (its own key is not kept)"],
    [files.cert, `the server's certificate for ${hosts.join(", ")}, until ${until}`],
    [files.key, "its private key"],
    ...(client === null ? [] : [
      [files.clientCert, `the certificate of the client ${client}, for --client-ca ${files.ca}`],
      [files.clientKey, "its private key"],
    ]),
  ];
  const width = Math.max(...rows.map(([file]) => file.length));
  io.out(
    rows.map(([file, about]) => `${file.padEnd(width)}  ${about}\n`).join("") +
      `\nSPKI hash: ${made.spkiHash}\n` +
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
