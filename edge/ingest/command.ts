import { existsSync, statSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { syncFolder } from "@sluice/shared/runtime/synced-file.ts";
import { Command } from "commander";
import {
  CHOSEN_COST,
  generatePassword,
  GENERATED_COST,
  hashPassword,
  parseHash,
  PASSWORD_BYTES,
} from "./password.ts";
import { formatUsers, readUsers, type Users, USER_NAME } from "./users-file.ts";

export interface UsersCommandOptions {
  readonly print: (text: string) => void;
  /** Asks for a line that is not shown; reads it from a pipe where there is no terminal. */
  readonly askSecret: (question: string) => Promise<string>;
  /** Keeps others from changing a file until it is given back; undefined where somebody else goes on to have it. */
  readonly lock: (file: string) => (() => void) | undefined;
}

interface Chosen {
  readonly file: string;
  readonly json?: true;
}

const EXAMPLES = {
  add: `
Example:
  sluice-gateway users add pump-1 --file users           makes a password and prints it once
  sluice-gateway users add ada --file users --ask        asks for one
  printf '%s' "$PASSWORD" | sluice-gateway users add ada --file users --ask`,
  remove: "\nExample:\n  sluice-gateway users remove pump-1 --file users",
  ls: "\nExample:\n  sluice-gateway users ls --file users --json",
};

/** `sluice-gateway users`: who may connect to the embedded broker (`ingest.broker.usersFile`). */
export function usersCommand({ print, askSecret, lock }: UsersCommandOptions): Command {
  const users = new Command("users")
    .exitOverride()
    .description("Who may connect to the gateway's broker: add, remove and list users and their passwords.")
    .addHelpText("after", EXAMPLES.add);
  const withFile = (command: Command): Command =>
    command
      .requiredOption("--file <file>", "the users file, as in ingest.broker.usersFile")
      .option("--json", "print JSON");
  withFile(users.command("add"))
    .description("Add a user, or give one another password. A running gateway takes it up by itself.")
    .addHelpText("after", EXAMPLES.add)
    .argument("<name>")
    .option(
      "--ask",
      "ask for the password instead of making one; never given as an argument, where others see it",
    )
    .action(async (name: string, { file, ask, json }: Chosen & { readonly ask?: true }) => {
      checkName(name);
      const password =
        ask === true ? checkPassword(await askSecret(`password of ${name}: `)) : generatePassword();
      const hash = await hashPassword(password, ask === true ? CHOSEN_COST : GENERATED_COST);
      const isNew = await locked(file, lock, () => setUser(file, name, hash));
      const made = ask === true ? {} : { password };
      if (json === true) print(JSON.stringify({ user: name, isNew, ...made }));
      else {
        print(`${name}: ${isNew ? "added" : "has another password now"}`);
        if (ask !== true) print(`password: ${password}\nIt is not kept and cannot be shown again.`);
      }
    });
  withFile(users.command("remove"))
    .description("Remove a user. A running gateway closes the user's connections.")
    .addHelpText("after", EXAMPLES.remove)
    .argument("<name>")
    .action(async (name: string, { file, json }: Chosen) => {
      await locked(file, lock, () => removeUser(file, name));
      print(json === true ? JSON.stringify({ user: name, removed: true }) : `${name}: removed`);
    });
  withFile(users.command("ls"))
    .description("List the users' names.")
    .addHelpText("after", EXAMPLES.ls)
    .action(({ file, json }: Chosen) => {
      const names = [...readUsers(file).keys()].toSorted();
      if (json === true) print(JSON.stringify({ users: names }));
      else print(names.length === 0 ? "no users" : names.join("\n"));
    });
  return users;
}

/** Returns whether the user is new. The file is made where there is none. */
async function setUser(file: string, name: string, text: string): Promise<boolean> {
  const users = new Map(existsSync(file) ? readUsers(file) : []);
  const hash = parseHash(text);
  const isNew = !users.has(name);
  if (hash !== undefined) users.set(name, hash);
  await replaceUsers(file, users);
  return isNew;
}

async function removeUser(file: string, name: string): Promise<void> {
  const users = new Map(readUsers(file));
  if (!users.delete(name)) throw noSuchUser(name, file);
  await replaceUsers(file, users);
}

/** Reads and replaces the file while nobody else does: the second of two at the same moment sees what the first did. */
async function locked<T>(
  file: string,
  lock: UsersCommandOptions["lock"],
  change: () => Promise<T>,
): Promise<T> {
  let unlock: (() => void) | undefined;
  try {
    unlock = lock(`${file}.lock`);
  } catch (cause) {
    throw unwritable(file, cause);
  }
  if (unlock === undefined)
    throw new PipelineError("ingest.file_busy", `${file} is being changed by another command`, {
      hint: `Try again; see who has ${file}.lock open where that goes on.`,
    });
  try {
    return await change();
  } finally {
    unlock();
  }
}

/** All or nothing, and safe from a power cut: a gateway that reads meanwhile sees the one or the other. */
async function replaceUsers(file: string, users: Users): Promise<void> {
  const next = `${file}.${newUuid()}`;
  try {
    const handle = await open(next, "wx", modeOf(file));
    try {
      await handle.writeFile(formatUsers(users));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    await unlink(next).catch(() => undefined);
    throw unwritable(file, cause);
  }
}

const unwritable = (file: string, cause: unknown): PipelineError =>
  new PipelineError("ingest.users_unwritable", `cannot write ${file}`, {
    cause,
    hint: "Give a path in a folder that is there and that you may write to.",
  });

/** Only for its owner, unless somebody has decided otherwise. */
const modeOf = (file: string): number => {
  const { mode } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return mode === undefined ? 0o600 : mode & 0o777;
};

function checkName(name: string): void {
  if (!USER_NAME.test(name))
    throw new PipelineError("config.user_name", `${JSON.stringify(name)} cannot be a user's name`, {
      hint: "Use 1 to 128 letters, digits and . _ @ -, so that it can stand in a topic.",
    });
}

function checkPassword(password: string): string {
  const bytes = Buffer.byteLength(password);
  if (bytes < PASSWORD_BYTES.min || bytes > PASSWORD_BYTES.max)
    throw new PipelineError("config.password", `the password has ${bytes} bytes`, {
      hint: `Give ${PASSWORD_BYTES.min} to ${PASSWORD_BYTES.max} bytes, or leave --ask out and take one that is made.`,
    });
  return password;
}

const noSuchUser = (name: string, file: string): PipelineError =>
  new PipelineError("ingest.no_such_user", `${file} has no user ${name}`, {
    hint: "See `sluice-gateway users ls`.",
  });
