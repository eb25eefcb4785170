import { createPayloadDecoder } from "@sluice/shared/codec/payload/registry.ts";
import type { PayloadDecoder } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { PayloadSettings } from "@sluice/shared/codec/payload/settings.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { SLUICE_TOPIC } from "@sluice/shared/contract/topic.ts";
import { coversFilter, matchTopic, parseTopicFilter, type TopicFilter } from "./topic-filter.ts";

/** Which messages are of which device type, and how their payloads are read. */
export interface RouteSettings {
  readonly topic: string;
  readonly deviceType: string;
  readonly device?: string | undefined;
  readonly payload: PayloadSettings;
}

/** A mistake in the routes or contracts, with the path to it. */
export interface RouteIssue {
  readonly path: (string | number)[];
  readonly message: string;
}

export interface Route {
  readonly topic: string;
  readonly filter: TopicFilter;
  readonly deviceType: string;
  readonly device: string | undefined;
  readonly payload: PayloadDecoder;
}

/** What a topic says: its route, the device, the metric where the topic names it. */
export interface RoutedTopic {
  readonly route: Route;
  /** Undefined where the payload names it. */
  readonly device: string | undefined;
  readonly metric: string | undefined;
}

/** Everything wrong with routes and contracts taken together, that each by itself does not show. */
export function checkRoutes(
  routes: readonly RouteSettings[],
  contracts: readonly DeviceContract[],
  ignoredTopics: readonly string[] = [],
): readonly RouteIssue[] {
  const filters = routes.map((route) => parseTopicFilter(route.topic));
  const issues = routes.flatMap((route, place) => {
    const filter = filters[place];
    const problems =
      typeof filter === "object" ? checkRoute(route, filter) : [problem("topic", String(filter))];
    if (typeof filter === "object") problems.push(...checkReach(filter, filters.slice(0, place), routes));
    return problems.map(({ path, message }) => ({ path: ["routes", place, ...path], message }));
  });
  const ignored = ignoredTopics.flatMap((topic, place) => {
    const filter = parseTopicFilter(topic);
    return typeof filter === "string" ? [{ path: ["ignoredTopics", place], message: filter }] : [];
  });
  return [...issues, ...ignored, ...checkContracts(routes, contracts)];
}

const problem = (field: string, message: string): RouteIssue => ({ path: [field], message });

function checkRoute(route: RouteSettings, filter: TopicFilter): RouteIssue[] {
  const issues: RouteIssue[] = [];
  if (filter.levels[0]?.kind === "exact" && filter.levels[0].text === SLUICE_TOPIC)
    issues.push(problem("topic", `topics below "${SLUICE_TOPIC}/" are the gateway's own`));
  if (filter.captures.has("device") && route.device !== undefined)
    issues.push(problem("device", "must not be given where the topic has {device}"));
  const { needsTopicMetric, namesDevice } = createPayloadDecoder(route.payload);
  const hasDevice = filter.captures.has("device") || route.device !== undefined;
  if (!hasDevice && !namesDevice)
    issues.push(problem("topic", "needs {device} as a level, or give the route a device"));
  if (hasDevice && namesDevice)
    issues.push(problem("topic", `names a device, but the payload names its devices: write "+" there`));
  if (needsTopicMetric && !filter.captures.has("metric"))
    issues.push(problem("topic", "needs {metric} as a level, because the payload does not name the metric"));
  if (!needsTopicMetric && filter.captures.has("metric"))
    issues.push(problem("topic", `has {metric}, but the payload names its metrics: write "+" there`));
  return issues;
}

/** A route behind one that takes all its topics would never see a message. */
function checkReach(
  filter: TopicFilter,
  earlier: readonly (TopicFilter | string | undefined)[],
  routes: readonly RouteSettings[],
): RouteIssue[] {
  const by = earlier.findIndex((other) => typeof other === "object" && coversFilter(other, filter));
  if (by === -1) return [];
  return [
    problem(
      "topic",
      `can never match, because routes.${by} ("${routes[by]?.topic ?? ""}") takes all its topics: put the narrower one first`,
    ),
  ];
}

function checkContracts(
  routes: readonly RouteSettings[],
  contracts: readonly DeviceContract[],
): RouteIssue[] {
  const types = new Set(routes.map((route) => route.deviceType));
  return contracts.flatMap(({ deviceType }, place) => {
    const path = ["contracts", place, "deviceType"];
    if (contracts.findIndex((other) => other.deviceType === deviceType) !== place)
      return [{ path, message: `there are two contracts for "${deviceType}"` }];
    if (!types.has(deviceType))
      return [
        { path, message: `no route has the device type "${deviceType}", only ${[...types].join(", ")}` },
      ];
    return [];
  });
}

/** Routes in their order; the first that matches a topic takes it, after the ignored ones. The settings must have passed `checkRoutes`. */
export class Router {
  readonly #routes: readonly Route[];
  readonly #ignored: readonly TopicFilter[];

  constructor(routes: readonly RouteSettings[], ignoredTopics: readonly string[]) {
    this.#routes = routes.flatMap(({ topic, deviceType, device, payload }) =>
      validFilter(topic).map((filter) => ({
        topic,
        filter,
        deviceType,
        device,
        payload: createPayloadDecoder(payload),
      })),
    );
    this.#ignored = ignoredTopics.flatMap(validFilter);
  }

  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** Undefined where no route takes the topic, as with the gateway's own topics. */
  find(topic: string): RoutedTopic | "ignored" | undefined {
    if (this.#ignored.some((filter) => matchTopic(filter, topic) !== undefined)) return "ignored";
    if (topic === SLUICE_TOPIC || topic.startsWith(`${SLUICE_TOPIC}/`)) return undefined;
    for (const route of this.#routes) {
      const captured = matchTopic(route.filter, topic);
      if (captured !== undefined)
        return { route, device: captured.device ?? route.device, metric: captured.metric };
    }
    return undefined;
  }
}

function validFilter(topic: string): TopicFilter[] {
  const filter = parseTopicFilter(topic);
  return typeof filter === "string" ? [] : [filter];
}
