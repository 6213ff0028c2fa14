import type { FileConfig } from "../config/file.ts";
import { ConfigFileError, type FileFault } from "../config/file_fault.ts";
import { parseUsers } from "../config/users_file.ts";
import type { NamedFile, NamedKind } from "../config/file_named.ts";
import { messageOf } from "../net/error.ts";
import { ServerCertificates } from "../net/tls_certificates.ts";
import { filePorts } from "../proxy/cmux_file.ts";
import { PortTableError } from "../proxy/cmux_ports.ts";
import { regularText, shortReason } from "./files.ts";
import { certificatesProblem, keyFits, keyProblem } from "./pem.ts";

const ALLOWED: Readonly<Record<NamedKind, string>> = {
  cert: "a file with certificates in PEM, the server's own first",
  key: "a file with the certificate's private key in PEM, not encrypted",
  ca: "a file with certificates in PEM",
  users: "a file of users (users: [{ name: ann, password_hash: ... }])",
  ports: 'a file with a table of ports in JSON ({ "web.8080": 32768 })',
};

/** What is wrong with the files that a configuration file names, told where it names them. */
export async function namedFileFaults({ file, named, cmux }: FileConfig): Promise<FileFault[]> {
  const faults: FileFault[] = [];
  const wrong: Wrong = ({ kind, line, column, key, value }, problem, allowed = ALLOWED[kind]) =>
    faults.push({ file, line, column, key, value, problem, allowed });
  for (const { cert, key } of named.pairs) {
    const certPem = cert && await readPem(cert, certificatesProblem, wrong);
    const keyPem = key && await readPem(key, keyProblem, wrong);
    if (cert && key && certPem && keyPem) checkPair({ cert, certPem, key, keyPem }, wrong);
  }
  for (const ca of named.cas) await readPem(ca, certificatesProblem, wrong);
  // Where the mode is off, nobody reads it.
  if (named.ports !== null && cmux?.enabled) await checkPorts(named.ports, wrong);
  if (named.users !== null) faults.push(...await usersFaults(named.users, wrong));
  return faults.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** What is wrong in a file of users is told where it stands there. */
async function usersFaults(users: NamedFile, wrong: Wrong): Promise<readonly FileFault[]> {
  try {
    parseUsers(await regularText(users.path), { file: users.path });
  } catch (error) {
    if (error instanceof ConfigFileError) return error.faults;
    wrong(users, unreadable(users, error));
  }
  return [];
}

type Wrong = (named: NamedFile, problem: string, allowed?: string) => void;

/** Its text, or `null` where that is not what it must be. */
async function readPem(
  named: NamedFile,
  problemOf: (pem: string) => string | null,
  wrong: Wrong,
): Promise<string | null> {
  let pem: string;
  try {
    pem = await regularText(named.path);
  } catch (error) {
    wrong(named, unreadable(named, error));
    return null;
  }
  const problem = problemOf(pem);
  if (problem === null) return pem;
  wrong(named, `can't be used: ${problem}`);
  return null;
}

/** The way to it is told where that is not what is written. */
function unreadable({ path, value }: NamedFile, error: unknown): string {
  return `can't be read: ${path === value ? "" : `${path}: `}${shortReason(error)}`;
}

function checkPair(
  pair: { cert: NamedFile; certPem: string; key: NamedFile; keyPem: string },
  wrong: Wrong,
): void {
  const { cert, certPem, key, keyPem } = pair;
  if (!keyFits(certPem, keyPem)) {
    wrong(key, `does not fit the certificate in ${cert.value}`);
    return;
  }
  try {
    // As at a start.
    new ServerCertificates([{ certPem, keyPem }], null);
  } catch (error) {
    wrong(cert, `can't be used with ${key.value}: ${messageOf(error)}`);
  }
}

async function checkPorts(ports: NamedFile, wrong: Wrong): Promise<void> {
  let fault: unknown = null;
  const lookup = filePorts(ports.path, {
    read: regularText,
    onFailed: (_, error) => fault = error,
  });
  try {
    await lookup({ kind: "container", name: "", port: 1 });
  } catch (error) {
    // That there is no table at all says less.
    fault ??= error;
  }
  if (fault === null) return;
  if (!(fault instanceof PortTableError)) {
    const isJson = fault instanceof SyntaxError || fault instanceof RangeError;
    wrong(ports, isJson ? `can't be used: ${messageOf(fault)}` : unreadable(ports, fault));
    return;
  }
  const { key, value, allowed } = fault;
  wrong(ports, `has ${key === null ? "" : `"${key}": `}${value}, which can't be used`, allowed);
}
