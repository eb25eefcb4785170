import { scrypt, timingSafeEqual } from "node:crypto";
import { secretBytes } from "@sluice/shared/runtime/random.ts";

/** What scrypt (RFC 7914) is told: 2^ln blocks of r × 128 bytes of memory, p times over. */
export interface PasswordCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** A password as it is kept: `$scrypt$ln=15,r=8,p=1$<salt>$<key>`, salt and key in base64url. */
export interface PasswordHash {
  readonly text: string;
  readonly cost: PasswordCost;
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

/** For passwords that people choose: 32 MiB and about 80 ms a guess. */
export const CHOSEN_COST: PasswordCost = { ln: 15, r: 8, p: 1 };

/**
 * For passwords that we made: 144 random bits cannot be guessed at any speed, so 1 MiB and about 2 ms are enough, and
 * a fleet that comes back all at once is let in at once.
 */
export const GENERATED_COST: PasswordCost = { ln: 10, r: 8, p: 1 };

/** The shortest that somebody may choose (NIST SP 800-63B §5.1.1.2), and the longest that is looked at. */
export const PASSWORD_BYTES = { min: 8, max: 1_024 };

/** 18 bytes are 24 characters. */
const GENERATED_BYTES = 18;

const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** A file must not make a login cost more than 128 MiB of memory. */
const COST_MAX = { ln: 17, r: 8, p: 4 };

const HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/;

const text64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

export const generatePassword = (): string => text64(secretBytes(GENERATED_BYTES));

export async function hashPassword(password: string, cost: PasswordCost): Promise<string> {
  const salt = secretBytes(SALT_BYTES);
  const key = await derive(Buffer.from(password), salt, cost);
  const { ln, r, p } = cost;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text64(salt)}$${text64(key)}`;
}

/** Undefined where the text is not a hash of ours, or would cost too much to check. */
export function parseHash(text: string): PasswordHash | undefined {
  const [, ln, r, p, salt, key] = HASH.exec(text) ?? [];
  if (salt === undefined || key === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const isInRange =
    cost.ln >= 1 &&
    cost.r >= 1 &&
    cost.p >= 1 &&
    cost.ln <= COST_MAX.ln &&
    cost.r <= COST_MAX.r &&
    cost.p <= COST_MAX.p;
  if (!isInRange) return undefined;
  return { text, cost, salt: Buffer.from(salt, "base64url"), key: Buffer.from(key, "base64url") };
}

/** Takes its time on a thread of Node's pool, never on this one. */
export async function verifyPassword(password: Uint8Array, hash: PasswordHash): Promise<boolean> {
  if (password.length > PASSWORD_BYTES.max) return false;
  return timingSafeEqual(await derive(password, hash.salt, hash.cost), hash.key);
}

function derive(password: Uint8Array, salt: Uint8Array, { ln, r, p }: PasswordCost): Promise<Buffer> {
  const N = 2 ** ln;
  return new Promise((resolve, reject) => {
    // scrypt needs 128 × r × (N + p) bytes and a little more; Node's own limit is below what ln=15 takes.
    scrypt(password, salt, KEY_BYTES, { N, r, p, maxmem: 128 * r * (N + p + 8) }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
