import { readFileSync } from "node:fs";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { parseHash, type PasswordHash } from "./password.ts";

/** Names and how their passwords are checked. */
export type Users = ReadonlyMap<string, PasswordHash>;

/** Most users: a line each, all of them in memory. */
const USERS_MAX = 100_000;

/** A user's name stands in topics (`{username}`), in a line of the file and in the log. */
export const USER_NAME = /^[A-Za-z0-9_.@-]{1,128}$/;

const HEADER =
  "# Who may connect to the gateway's broker: name:hash, one a line. See `sluice-gateway users`.";

/**
 * Reads a users file: `name:hash` lines, empty lines, and comments that begin with `#`.
 *
 * Throws PipelineError "ingest.users_unreadable", or "ingest.users_malformed" with the number of the line; never with
 * what stands in it.
 */
export function readUsers(path: string): Users {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new PipelineError("ingest.users_unreadable", `cannot read ingest.broker.usersFile ${path}`, {
      cause,
      hint: "Make it with `sluice-gateway users add`, and let the gateway's user read it.",
    });
  }
  return parseUsers(text, path);
}

/** Throws PipelineError "ingest.users_malformed". */
export function parseUsers(text: string, path: string): Users {
  const users = new Map<string, PasswordHash>();
  for (const [i, line] of text.split("\n").entries()) {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) continue;
    const colon = entry.indexOf(":");
    const name = entry.slice(0, Math.max(0, colon));
    const hash = parseHash(entry.slice(colon + 1));
    if (!USER_NAME.test(name)) throw malformed(path, i, "does not begin with a user's name and a colon");
    if (hash === undefined) throw malformed(path, i, `has no password hash for ${name} that can be checked`);
    if (users.has(name)) throw malformed(path, i, `names ${name} a second time`);
    if (users.size >= USERS_MAX) throw malformed(path, i, `is one user more than ${USERS_MAX}`);
    users.set(name, hash);
  }
  return users;
}

/** The text of a users file, sorted by name. */
export function formatUsers(users: Users): string {
  const lines = [...users]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { text }]) => `${name}:${text}`);
  return `${[HEADER, ...lines].join("\n")}\n`;
}

const malformed = (path: string, index: number, what: string): PipelineError =>
  new PipelineError("ingest.users_malformed", `${path}: line ${index + 1} ${what}`, {
    hint: "Take the line out, and add the user again with `sluice-gateway users add`.",
  });
