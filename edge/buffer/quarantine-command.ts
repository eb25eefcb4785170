import { decodeSpooled, encodeSpooled } from "@sluice/shared/contract/spool.ts";
import type { SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { Command } from "commander";
import type { DamagedMessage, QuarantinedMessage, QuarantineStore } from "./quarantine-store.ts";

/** Where messages are put that are to be decoded again. */
interface Spool {
  write(place: SpoolPlace, bytes: Uint8Array): Promise<void>;
}

/** What the commands need of the program that they are part of. */
export interface QuarantineHost {
  print(text: string): void;
  /** Tells a person what is wrong. */
  tell(text: string): void;
  /** Ends the program with "the answer is no". */
  fail(): void;
  /** Reads the settings file and opens what it names. */
  open(config: string): { readonly store: QuarantineStore; readonly spool: Spool };
}

interface Choice {
  readonly config: string;
  readonly json?: true;
  readonly offset?: string;
  readonly reason?: string;
  readonly topic?: string;
  readonly all?: true;
}

/** Most lines of a list for a person. */
const GROUPS_SHOWN_MAX = 50;

/** Most damaged messages that are named. */
const DAMAGED_NAMED_MAX = 8;

/** Most bytes of a payload that are shown. */
const PAYLOAD_SHOWN_BYTES_MAX = 4_096;

const example = (command: string): string => `\nExample:\n  sluice-gateway quarantine ${command}`;

const RELEASE_TEXT = `${example("release --reason metric.unknown --config gateway.yaml")}

Mend the route or the contract in the settings and restart the gateway first: what is released is decoded again by the
settings of then, as new messages with the arrival time of the old ones.`;

/** `sluice-gateway quarantine`: what was refused, why, and decoding it again. */
export function quarantineCommand(host: QuarantineHost): Command {
  const quarantine = new Command("quarantine")
    .exitOverride()
    .description("Messages of which something was refused: list, show, decode again.");
  quarantine
    .command("ls")
    .description("List what was refused, by reason and topic.")
    .addHelpText("after", example("ls --config gateway.yaml"))
    .requiredOption("--config <file>", "settings file of the gateway")
    .option("--json", "print JSON")
    .action((choice: Choice) => list(choice, host));
  quarantine
    .command("show")
    .description("Show one message whole, and everything that was wrong with it.")
    .addHelpText("after", example("show 1042 --config gateway.yaml"))
    .argument("<offset>", "the message's offset, as ls and the lake's table give it")
    .requiredOption("--config <file>", "settings file of the gateway")
    .option("--json", "print JSON")
    .action((offset: string, choice: Choice) => show({ ...choice, offset }, host));
  quarantine
    .command("release")
    .description("Have messages decoded again, and forget them here.")
    .addHelpText("after", RELEASE_TEXT)
    .requiredOption("--config <file>", "settings file of the gateway")
    .option("--offset <offset>", "only this message")
    .option("--reason <reason>", "only messages with this reason")
    .option("--topic <topic>", "only messages of this topic, as ls gives it")
    .option("--all", "all of them")
    .option("--json", "print JSON")
    .action((choice: Choice) => release(choice, host));
  return quarantine;
}

/** The topic of a message, or the file that its rows are of: the same for all messages of an import. */
function cameBy({ isSpooled, payload, topic }: QuarantinedMessage): string {
  const header = isSpooled ? decodeSpooled(payload)?.header : undefined;
  return header?.kind === "rows" ? `file ${header.source}` : topic;
}

interface Group {
  readonly reason: string;
  readonly topic: string;
  messages: number;
  firstAtUs: number;
  lastAtUs: number;
  /** The newest offset, and what was wrong there. */
  offset: number;
  detail: string;
}

function list({ config, json }: Choice, host: QuarantineHost): void {
  const { store } = host.open(config);
  const groups = new Map<string, Group>();
  const damaged: DamagedMessage[] = [];
  for (const message of store.messages((one) => damaged.push(one)))
    for (const [reason, causes] of Map.groupBy(message.causes, (cause) => cause.reason))
      addTo(groups, { reason, detail: causes[0]?.detail ?? "", message });
  store.close();
  const sorted = [...groups.values()].sort((a, b) => b.messages - a.messages);
  if (json === true) host.print(JSON.stringify(sorted.map(shown), undefined, 2));
  else if (sorted.length === 0) host.print("nothing is in quarantine");
  else host.print(table(sorted));
  complain(damaged, host);
}

/** What cannot be read is neither listed nor released, and said. */
function complain(damaged: readonly DamagedMessage[], host: QuarantineHost): void {
  if (damaged.length === 0) return;
  const named = damaged.slice(0, DAMAGED_NAMED_MAX).map(({ offset }) => offset);
  const more = damaged.length - named.length;
  host.tell(
    `${damaged.length} of them cannot be read, their bytes on disk are damaged: offsets ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
  );
  host.fail();
}

function addTo(
  groups: Map<string, Group>,
  { reason, detail, message }: { reason: string; detail: string; message: QuarantinedMessage },
): void {
  const { receivedAtUs, offset } = message;
  const topic = cameBy(message);
  const key = `${reason} ${topic}`;
  const group = groups.get(key) ?? {
    reason,
    topic,
    messages: 0,
    firstAtUs: receivedAtUs,
    lastAtUs: 0,
    offset,
    detail,
  };
  group.messages += 1;
  group.lastAtUs = receivedAtUs;
  group.offset = offset;
  group.detail = detail;
  groups.set(key, group);
}

const shown = ({ firstAtUs, lastAtUs, ...rest }: Group) => ({
  ...rest,
  firstAt: isoTime(firstAtUs),
  lastAt: isoTime(lastAtUs),
});

function table(groups: readonly Group[]): string {
  const rows = groups
    .slice(0, GROUPS_SHOWN_MAX)
    .map(({ messages, reason, topic, lastAtUs, offset, detail }) => [
      messages.toLocaleString("en"),
      reason,
      printable(topic),
      isoTime(lastAtUs),
      String(offset),
      printable(detail),
    ]);
  const all = [["messages", "reason", "topic", "newest", "offset", "what was wrong there"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const more = groups.length - GROUPS_SHOWN_MAX;
  return [...lines, ...(more > 0 ? [`and ${more} more; --json lists all`] : [])].join("\n");
}

function show({ config, json, offset }: Choice, host: QuarantineHost): void {
  const wanted = wholeNumber(offset);
  const { store } = host.open(config);
  const damaged: DamagedMessage[] = [];
  const found: QuarantinedMessage[] = [];
  for (const message of store.messages((one) => damaged.push(one)))
    if (message.offset === wanted) found.push(message);
  store.close();
  const unreadable = damaged.filter((message) => message.offset === wanted);
  if (json === true) host.print(JSON.stringify(found.map(asJson), undefined, 2));
  else if (found.length === 0)
    host.print(
      `no message with offset ${offset} ${unreadable.length > 0 ? "can be read" : "is in quarantine"}`,
    );
  else host.print(found.map(asText).join("\n\n"));
  complain(unreadable, host);
  if (found.length === 0) host.fail();
}

const asJson = ({ payload, receivedAtUs, ...rest }: QuarantinedMessage) => ({
  ...rest,
  receivedAt: isoTime(receivedAtUs),
  payloadBase64: Buffer.from(payload).toString("base64"),
});

function asText(message: QuarantinedMessage): string {
  const { epoch, offset, receivedAtUs, client, causes } = message;
  const spooled = message.isSpooled ? decodeSpooled(message.payload) : undefined;
  const payload = spooled?.body ?? message.payload;
  const first =
    spooled?.header.kind === "message"
      ? `, released; first received ${isoTime(spooled.header.receivedAtUs)}`
      : "";
  return [
    `offset    ${offset} of epoch ${epoch}`,
    `received  ${isoTime(receivedAtUs)} from ${printable(client)}${first}`,
    `topic     ${printable(cameBy(message))}`,
    ...causes.map(
      ({ reason, detail }, i) => `${i === 0 ? "refused " : "        "}  ${reason}: ${printable(detail)}`,
    ),
    `payload   ${payload.length.toLocaleString("en")} bytes`,
    payloadText(payload),
  ].join("\n");
}

/** Names come from whoever sent them: what would steer a terminal is shown as JSON writes it. */
const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- what a terminal must not be sent
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });

function payloadText(payload: Uint8Array): string {
  const bytes = Buffer.from(payload.subarray(0, PAYLOAD_SHOWN_BYTES_MAX));
  const text = bytes.toString("utf8");
  // oxlint-disable-next-line no-control-regex -- what a terminal must not be sent
  return /[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/.test(text) ? bytes.toString("hex") : text;
}

/**
 * Marks the messages, hands them over one file each, and forgets them. Interrupted, the next release begins with what
 * was marked: under the same names, so that what was handed over already counts once.
 */
async function release(choice: Choice, host: QuarantineHost): Promise<void> {
  const { offset, reason, topic, all, config, json } = choice;
  if ([offset, reason, topic, all].every((given) => given === undefined))
    throw new PipelineError("config.invalid", "say which messages: --offset, --reason, --topic or --all", {
      hint: "sluice-gateway quarantine ls shows what there is.",
    });
  const wanted = offset === undefined ? undefined : wholeNumber(offset);
  const { store, spool } = host.open(config);
  const damaged: DamagedMessage[] = [];
  try {
    const chosen: Pick<QuarantinedMessage, "epoch" | "offset">[] = [];
    // Payloads may be large: which are wanted is remembered, and each is read again when its turn comes.
    for (const message of store.messages((one) => damaged.push(one)))
      if (
        message.release === undefined &&
        (wanted === undefined || message.offset === wanted) &&
        (topic === undefined || message.topic === topic || cameBy(message) === topic) &&
        (reason === undefined || message.causes.some((cause) => cause.reason === reason))
      )
        chosen.push({ epoch: message.epoch, offset: message.offset });
    const own = newUuid();
    store.release(chosen, own);
    let [messages, before] = [0, 0];
    for (const job of store.releases()) {
      const count = await handOver(job, store, spool);
      messages += count;
      if (job !== own) before += count;
    }
    host.print(json === true ? JSON.stringify({ messages }) : releasedText(messages, before));
    complain(damaged, host);
    if (messages === 0) host.fail();
  } finally {
    store.close();
  }
}

/** Puts a release's messages where the gateway takes them up, in their order, and forgets them; how many there were. */
async function handOver(job: string, store: QuarantineStore, spool: Spool): Promise<number> {
  let number = 0;
  for (const message of store.messages(() => undefined))
    if (message.release === job) await spool.write({ job, number: number++ }, spooled(message));
  store.forget(job);
  return number;
}

function releasedText(messages: number, before: number): string {
  if (messages === 0) return "nothing to release";
  const what = messages === 1 ? "1 message is" : `${messages.toLocaleString("en")} messages are`;
  return `${what} decoded again${before > 0 ? ", some of an earlier release that was interrupted" : ""}`;
}

/** What came by the spool goes there again as it is. */
function spooled({
  client,
  topic,
  receivedAtUs,
  payload,
  stored,
  isSpooled,
}: QuarantinedMessage): Uint8Array {
  const before = isSpooled ? decodeSpooled(payload) : undefined;
  return before === undefined
    ? encodeSpooled({ kind: "message", client, topic, receivedAtUs, stored }, payload)
    : encodeSpooled({ ...before.header, stored: (before.header.stored ?? "") + stored }, before.body);
}

function wholeNumber(text: string | undefined): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new PipelineError("config.invalid", `the offset "${text ?? ""}" is not a whole number`, {
    hint: "sluice-gateway quarantine ls shows the offsets.",
  });
}
