import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Signed {
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority in a folder, made and used with OpenSSL. */
export class Authority {
  readonly certificate: string;
  readonly #dir: string;
  readonly #key: string;

  constructor(dir: string, name: string) {
    this.#dir = dir;
    this.certificate = join(dir, `${name}.pem`);
    this.#key = join(dir, `${name}.key`);
    const files = ["-keyout", this.#key, "-out", this.certificate];
    openssl("req", "-x509", ...newKey, ...files, "-days", "2", "-subj", `/CN=${name}`);
  }

  /** `names` as the extension has them, e.g. `IP:127.0.0.1`. */
  sign(name: string, names: string): Signed {
    const of = (ending: string): string => join(this.#dir, `${name}.${ending}`);
    openssl("req", "-new", ...newKey, "-keyout", of("key"), "-out", of("csr"), "-subj", `/CN=${name}`);
    writeFileSync(of("ext"), `subjectAltName=${names}\n`);
    const signer = ["-CA", this.certificate, "-CAkey", this.#key, "-CAcreateserial"];
    const files = ["-in", of("csr"), "-extfile", of("ext"), "-out", of("pem")];
    openssl("x509", "-req", ...signer, ...files, "-days", "2");
    return { certificate: of("pem"), key: of("key") };
  }
}

/** The key encrypted with a password, in a file beside it. */
export function encryptedKey({ key }: Signed, password: string): string {
  const file = `${key}.encrypted`;
  openssl("pkcs8", "-topk8", "-in", key, "-out", file, "-v2", "aes-256-cbc", "-passout", `pass:${password}`);
  return file;
}

/** Key and chain in one file, as Kafka's PEM key store has them. */
export function keyStore({ key, certificate }: Signed, authority: Authority): string {
  const file = `${certificate}.store`;
  const parts = [key, certificate, authority.certificate].map((path) => readFileSync(path, "utf8"));
  writeFileSync(file, parts.join(""));
  return file;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
