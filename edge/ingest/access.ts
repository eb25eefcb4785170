import {
  coversFilter,
  isTopicFilter,
  levelsOf,
  type Levels,
  matchesTopic,
  overlapsFilter,
} from "./topic-pattern.ts";
import { isBrokers, isReserved } from "./topic-rules.ts";

/** Why a publish is not taken: the names under which it is counted. */
export type PublishRefusal =
  "topic.invalid" | "topic.reserved" | "topic.too_long" | "topic.too_deep" | "topic.denied";

/** Why a subscription is answered with 0x80. */
export type SubscribeRefusal =
  | "subscribe.invalid"
  | "subscribe.reserved"
  | "subscribe.too_long"
  | "subscribe.too_deep"
  | "subscribe.denied"
  | "subscribe.limit";

/** What may be asked for each publish of one client. Cheap: answers are remembered by topic. */
export interface PublishRights {
  /** Why the client may not publish to this topic; undefined when it may. */
  publishRefusal(topic: string): PublishRefusal | undefined;
}

export type Action = "publish" | "subscribe";

/** One rule: exactly one of `allow` and `deny`; without `users` it is for everybody who got in. */
export interface AccessRule {
  readonly allow?: readonly Action[] | undefined;
  readonly deny?: readonly Action[] | undefined;
  readonly users?: readonly string[] | undefined;
  /** Topic filters; `{username}` and `{clientid}` stand for the client's own. */
  readonly topics: readonly string[];
}

/** Who a client is: the name is there only when a password or a certificate has proved it. */
export interface Identity {
  readonly clientId: string;
  readonly username: string | undefined;
}

export interface AccessLimits {
  readonly topicBytesMax: number;
  readonly topicLevelsMax: number;
  readonly subscriptionsMax: number;
}

const PLACEHOLDER = /\{(clientid|username)\}/g;

/** Allowed topics that are remembered for each client: a device has a handful, and 128 are about 10 kB. */
const REMEMBERED_MAX = 128;

/** Whether a name can stand in a level of a pattern without becoming a wildcard or more than one level. */
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
export const isPlainLevel = (name: string): boolean => name !== "" && !/[+#/\u0000-\u001f\u007f]/.test(name);

/** Whether one of the rules has a pattern with `{clientid}`, which not every client id can stand in. */
export const namesClientId = (rules: readonly AccessRule[] | undefined): boolean =>
  rules?.some(({ topics }) => topics.some((topic) => topic.includes("{clientid}"))) === true;

/** One action's patterns of one client. */
interface Patterns {
  readonly allowed: readonly Levels[];
  readonly denied: readonly Levels[];
}

/**
 * What one connected client may publish and subscribe to.
 *
 * Without rules everything but the gateway's own topics. With rules only what one allows and none denies: a publish
 * when its topic matches, a subscription when one allowed pattern covers all of it and no denied one touches it.
 */
export class ClientRights implements PublishRights {
  readonly #limits: AccessLimits;
  readonly #publish: Patterns | undefined;
  readonly #subscribe: Patterns | undefined;
  readonly #allowed = new Set<string>();
  readonly #subscriptions = new Set<string>();

  constructor(rules: readonly AccessRule[] | undefined, identity: Identity, limits: AccessLimits) {
    this.#limits = limits;
    if (rules === undefined) return;
    this.#publish = patternsOf(rules, "publish", identity);
    this.#subscribe = patternsOf(rules, "subscribe", identity);
  }

  publishRefusal(topic: string): PublishRefusal | undefined {
    if (this.#allowed.has(topic)) return undefined;
    const refusal = this.#judgePublish(topic);
    if (refusal !== undefined) return refusal;
    if (this.#allowed.size >= REMEMBERED_MAX) this.#allowed.clear();
    this.#allowed.add(topic);
    return undefined;
  }

  subscribeRefusal(filter: string): SubscribeRefusal | undefined {
    const { topicBytesMax, topicLevelsMax, subscriptionsMax } = this.#limits;
    // $SYS is off, and shared subscriptions are MQTT 5: granting them would be a promise that nothing keeps.
    if (isBrokers(filter)) return "subscribe.reserved";
    if (Buffer.byteLength(filter) > topicBytesMax) return "subscribe.too_long";
    const levels = levelsOf(filter);
    if (levels.length > topicLevelsMax) return "subscribe.too_deep";
    if (!isTopicFilter(filter)) return "subscribe.invalid";
    if (!this.mayRead(filter)) return "subscribe.denied";
    if (!this.#subscriptions.has(filter) && this.#subscriptions.size >= subscriptionsMax)
      return "subscribe.limit";
    return undefined;
  }

  /** Whether the rules let the client have all that a filter matches. */
  mayRead(filter: string): boolean {
    const patterns = this.#subscribe;
    if (patterns === undefined) return true;
    const levels = levelsOf(filter);
    return (
      patterns.allowed.some((pattern) => coversFilter(pattern, levels)) &&
      !patterns.denied.some((pattern) => overlapsFilter(pattern, levels))
    );
  }

  subscribed(filter: string): void {
    this.#subscriptions.add(filter);
  }

  unsubscribed(filter: string): void {
    this.#subscriptions.delete(filter);
  }

  #judgePublish(topic: string): PublishRefusal | undefined {
    // MQTT 3.1.1 §3.3.2.1: no wildcards in a topic name.
    if (topic === "" || topic.includes("+") || topic.includes("#") || topic.includes("\0"))
      return "topic.invalid";
    if (isReserved(topic)) return "topic.reserved";
    if (Buffer.byteLength(topic) > this.#limits.topicBytesMax) return "topic.too_long";
    const levels = levelsOf(topic);
    if (levels.length > this.#limits.topicLevelsMax) return "topic.too_deep";
    const patterns = this.#publish;
    if (patterns === undefined) return undefined;
    const isAllowed =
      patterns.allowed.some((pattern) => matchesTopic(pattern, levels)) &&
      !patterns.denied.some((pattern) => matchesTopic(pattern, levels));
    return isAllowed ? undefined : "topic.denied";
  }
}

function patternsOf(rules: readonly AccessRule[], action: Action, identity: Identity): Patterns {
  const forMe = rules.filter(
    ({ users }) =>
      users === undefined || (identity.username !== undefined && users.includes(identity.username)),
  );
  const filled = (chosen: readonly AccessRule[]): readonly Levels[] =>
    chosen.flatMap(({ topics }) =>
      topics.flatMap((topic) => fillPattern(topic, identity) ?? []).map(levelsOf),
    );
  return {
    allowed: filled(forMe.filter(({ allow }) => allow?.includes(action) === true)),
    denied: filled(forMe.filter(({ deny }) => deny?.includes(action) === true)),
  };
}

/** A pattern with the client's own names in it; undefined where it has none, or one that would change the pattern. */
export function fillPattern(pattern: string, { clientId, username }: Identity): string | undefined {
  let isWhole = true;
  const filled = pattern.replaceAll(PLACEHOLDER, (_whole, name: string) => {
    const value = name === "clientid" ? clientId : username;
    if (value !== undefined && isPlainLevel(value)) return value;
    isWhole = false;
    return "";
  });
  return isWhole ? filled : undefined;
}
