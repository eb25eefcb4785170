import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type TLSSocket } from "node:tls";
import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** PEM files by the name of their setting. */
export interface TlsFiles {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly crlFile?: string | undefined;
}

/** What the files hold, tried out: the key belongs to the certificate. */
export interface TlsMaterial {
  readonly options: Readonly<Partial<Record<"cert" | "key" | "ca" | "crl", Buffer>>>;
  /** When our own certificate ends; undefined without one. */
  readonly expiresAtUs: number | undefined;
}

/** What of a client's certificate is its user's name. */
export type CertificateName = "none" | "commonName" | "dnsName";

const DAY_US = 86_400_000_000;

/** Throws PipelineError "ingest.tls_unreadable" or "ingest.tls_invalid", naming the setting below `section`. */
export function readTls(section: string, files: TlsFiles): TlsMaterial {
  const read = (name: keyof TlsFiles): Buffer | undefined => {
    const file = files[name];
    return file === undefined ? undefined : readPem(`${section}.${name}`, file);
  };
  const [cert, key, ca, crl] = [read("certFile"), read("keyFile"), read("caFile"), read("crlFile")];
  const options = {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
    ...(crl === undefined ? {} : { crl }),
  };
  try {
    createSecureContext(options);
    return {
      options,
      expiresAtUs: cert === undefined ? undefined : parseIsoUs(new X509Certificate(cert).validTo),
    };
  } catch (cause) {
    throw new PipelineError(
      "ingest.tls_invalid",
      `${section}: ${Object.values(files).join(", ")} do not fit`,
      {
        cause,
        hint: "Give PEM files, the key of that very certificate, without a pass phrase.",
      },
    );
  }
}

/** In words, that a certificate has ended or ends within so many days; undefined while there is time. */
export function expiryProblem(
  what: string,
  expiresAtUs: number | undefined,
  { nowUs, warningDays }: { readonly nowUs: number; readonly warningDays: number },
): string | undefined {
  if (expiresAtUs === undefined) return undefined;
  const days = (expiresAtUs - nowUs) / DAY_US;
  if (days <= 0) return `${what} has expired: put a new one in its place, it is read without a restart`;
  return days > warningDays ? undefined : `${what} expires in ${Math.ceil(days)} days`;
}

/** What a client's certificate proves: nothing, that it is one of ours, or a name too. */
export type Certificate =
  | { readonly state: "none" }
  | { readonly state: "valid"; readonly name: string | undefined }
  | { readonly state: "refused"; readonly reason: string };

/** Looks at the certificate of a connection whose handshake is done. */
export function certificateOf(socket: TLSSocket, from: CertificateName): Certificate {
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return { state: "none" };
  // Without requireClientCertificate the handshake lets any certificate pass: one that we do not know says nothing.
  if (!socket.authorized)
    return { state: "refused", reason: `its certificate: ${String(socket.authorizationError)}` };
  if (from === "none") return { state: "valid", name: undefined };
  const names = from === "commonName" ? commonNames(peer.subject) : dnsNames(peer.subjectAltName);
  const [name] = names;
  if (name === undefined || names.length > 1)
    return {
      state: "refused",
      reason: `its certificate has ${names.length} names (${from}) where one is needed`,
    };
  return { state: "valid", name };
}

/** Node gives one attribute a line; a name that is more than letters, digits and `._@-` is no user name anyway. */
const commonNames = (subject: string): readonly string[] =>
  subject.split("\n").flatMap((line) => (line.startsWith("CN=") ? [line.slice(3)] : []));

/** Entries that hold a comma or a quote are written in quotes by Node, and are no user names. */
const dnsNames = (names: string | undefined): readonly string[] =>
  (names ?? "").split(", ").flatMap((entry) => (entry.startsWith("DNS:") ? [entry.slice(4)] : []));

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new PipelineError("ingest.tls_unreadable", `cannot read ${setting} ${file}`, {
      cause,
      hint: "Give the path of a PEM file that the gateway's user may read.",
    });
  }
}
