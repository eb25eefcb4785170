import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A program of the machine, not a package. */
const OPENSSL = "openssl";

export const isOpensslInstalled = spawnSync(OPENSSL, ["version"]).error === undefined;

/** A certificate and its key, as files and as text would be read from them. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority in a folder of a test, made with openssl. */
export class CertificateAuthority {
  readonly #dir: string;
  readonly #name: string;
  #serial = 1;

  constructor(dir: string, name = "ca") {
    this.#dir = dir;
    this.#name = name;
    openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30",
      `-keyout ${this.#at("key")} -out ${this.#at("crt")} -subj /CN=${name}`,
    );
  }

  get caFile(): string {
    return this.#at("crt");
  }

  /** Issues a certificate: `subject` as openssl has it, names as in `DNS:a,IP:127.0.0.1`. */
  issue(
    file: string,
    {
      subject,
      names,
      days = 30,
    }: { readonly subject: string; readonly names?: string; readonly days?: number },
  ): CertificateFiles {
    const [key, request, cert] = ["key", "csr", "crt"].map((kind) => join(this.#dir, `${file}.${kind}`));
    openssl(
      "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
      `-keyout ${key} -out ${request} -subj ${subject}`,
    );
    const extensions = join(this.#dir, `${file}.ext`);
    writeFileSync(extensions, names === undefined ? "" : `subjectAltName=${names}\n`);
    openssl(
      `x509 -req -in ${request} -CA ${this.caFile} -CAkey ${this.#at("key")} -set_serial ${++this.#serial}`,
      `-days ${days} -out ${cert} -extfile ${extensions}`,
    );
    return { certFile: cert ?? "", keyFile: key ?? "" };
  }

  /** A list of revoked certificates with this one in it. */
  revoke({ certFile }: CertificateFiles): string {
    const settings = this.#at("cnf");
    const database = this.#at("db");
    writeFileSync(database, "");
    writeFileSync(
      settings,
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${database}\ndefault_md=sha256\ndefault_crl_days=30\n`,
    );
    const own = `ca -config ${settings} -keyfile ${this.#at("key")} -cert ${this.caFile}`;
    openssl(`${own} -revoke ${certFile}`);
    const list = this.#at("crl");
    openssl(`${own} -gencrl -out ${list}`);
    return readFileSync(list, "utf8");
  }

  #at(kind: string): string {
    return join(this.#dir, `${this.#name}.${kind}`);
  }
}

const openssl = (...words: readonly string[]): void =>
  void execFileSync(OPENSSL, words.join(" ").split(" "), { stdio: "pipe" });
