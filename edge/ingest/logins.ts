import { createHmac } from "node:crypto";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { secretBytes } from "@sluice/shared/runtime/random.ts";
import { FairQueue } from "./fair-queue.ts";
import { type PasswordHash, verifyPassword } from "./password.ts";
import { TokenBucket } from "./rate-limit.ts";
import type { Users } from "./users-file.ts";

/** What a login comes to. `slowed`: too many wrong ones from there; `busy`: too many wait already. */
export type LoginAnswer = "right" | "wrong" | "slowed" | "busy";

export interface Login {
  readonly username: string;
  readonly password: Uint8Array;
  /** Where it comes from; wrong passwords are counted for each place. */
  readonly address: string;
  /** Whether somebody still waits for the answer. */
  readonly isWanted: () => boolean;
}

export interface LoginLimits {
  /** Wrong passwords for one user from one address in a minute. */
  readonly failedLoginsPerMinMax: number;
  /** How long a right password is remembered, as a keyed hash. */
  readonly passwordCacheS: number;
}

/** From one address for all users together, times the limit of one user: many devices may share an address. */
const ADDRESS_SHARE = 10;

/** Places and remembered passwords that are kept: about 200 bytes each. */
const KEPT_MAX = 20_000;

/** Logins that may wait at once: with 80 ms each, the last waits longer than a client does. */
const WAITING_MAX = 2_000;

/**
 * Checks passwords without letting whoever guesses them hold up the gateway.
 *
 * One check at a time, on another thread, addresses taking turns; after a wrong password it rests for as long as the
 * check took, so that guessing gets half a core at most. A right password is remembered for a while as a keyed hash,
 * so that a fleet that reconnects is let in at once, however many guesses wait. An unknown name costs what a known
 * one does.
 */
export class Logins {
  readonly #clock: Clock;
  readonly #limits: LoginLimits;
  readonly #verify: typeof verifyPassword;
  readonly #queue = new FairQueue(WAITING_MAX);
  readonly #cacheKey = secretBytes(32);
  /** Keyed hashes of right passwords, and until when they are remembered. */
  readonly #right = new Map<string, number>();
  readonly #failures = new Map<string, TokenBucket>();

  constructor(clock: Clock, limits: LoginLimits, verify: typeof verifyPassword = verifyPassword) {
    this.#clock = clock;
    this.#limits = limits;
    this.#verify = verify;
  }

  async check(login: Login, users: Users): Promise<LoginAnswer> {
    const hash = users.get(login.username);
    const seal = hash === undefined ? undefined : this.#seal(login, hash);
    if (seal !== undefined && this.#isRemembered(seal)) return "right";
    const tokens = this.#takeTokens(login);
    if (tokens === undefined) return "slowed";
    // A name that is not there is checked against the hash of one that is: the answer takes as long, and is no.
    const compared = hash ?? this.#other(login.username, users);
    let answer: LoginAnswer = "busy";
    await this.#queue.run(login.address, async () => {
      if (!login.isWanted()) return;
      const beganUs = this.#clock.monotonicUs();
      const isEqual = compared !== undefined && (await this.#verify(login.password, compared));
      answer = isEqual && hash !== undefined ? "right" : "wrong";
      if (answer === "wrong") await this.#clock.sleep((this.#clock.monotonicUs() - beganUs) / 1_000);
    });
    return this.#concluded(answer, tokens, seal);
  }

  #concluded(answer: LoginAnswer, tokens: readonly TokenBucket[], seal: string | undefined): LoginAnswer {
    if (answer !== "wrong") for (const bucket of tokens) bucket.giveBack(1);
    if (answer === "right" && seal !== undefined) this.#remember(seal);
    return answer;
  }

  /** The hash is part of it: a changed password forgets the one before. */
  #seal({ username, password }: Login, hash: PasswordHash): string {
    return createHmac("sha256", this.#cacheKey)
      .update(`${username}\0${hash.text}\0`)
      .update(password)
      .digest("base64");
  }

  #isRemembered(seal: string): boolean {
    const untilUs = this.#right.get(seal);
    return untilUs !== undefined && this.#clock.monotonicUs() < untilUs;
  }

  #remember(seal: string): void {
    this.#right.delete(seal);
    if (this.#right.size >= KEPT_MAX) deleteOldest(this.#right);
    this.#right.set(seal, this.#clock.monotonicUs() + this.#limits.passwordCacheS * 1_000_000);
  }

  /** Taken before the check and given back when it was right, so that guesses at the same time count too. */
  #takeTokens({ username, address }: Login): readonly TokenBucket[] | undefined {
    const perMin = this.#limits.failedLoginsPerMinMax;
    const place = networkOf(address);
    const taken: TokenBucket[] = [];
    for (const bucket of [
      this.#bucket(`${place} ${username}`, perMin),
      this.#bucket(place, perMin * ADDRESS_SHARE),
    ]) {
      if (!bucket.tryTake(1, this.#clock.monotonicUs())) {
        for (const earlier of taken) earlier.giveBack(1);
        return undefined;
      }
      taken.push(bucket);
    }
    return taken;
  }

  #bucket(key: string, perMin: number): TokenBucket {
    const known = this.#failures.get(key);
    const bucket = known ?? new TokenBucket({ perS: perMin / 60, burst: perMin }, this.#clock.monotonicUs());
    // Taken out and put back: the first of the map is the one that was not asked for the longest time.
    this.#failures.delete(key);
    if (this.#failures.size >= KEPT_MAX) deleteOldest(this.#failures);
    this.#failures.set(key, bucket);
    return bucket;
  }

  /** Always the same user's for the same name, so that asking again tells nothing. */
  #other(username: string, users: Users): PasswordHash | undefined {
    if (users.size === 0) return undefined;
    const digest = createHmac("sha256", this.#cacheKey).update(username).digest();
    return [...users.values()][digest.readUInt32LE() % users.size];
  }
}

/** Whoever has one IPv6 address has all of its /64. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(":").length;
  return [...groups, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...(tail ?? "").split(":")]
    .slice(0, 4)
    .map((group) => (group === "" ? "0" : group))
    .join(":");
}

function deleteOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
