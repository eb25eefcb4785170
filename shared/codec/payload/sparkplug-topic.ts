import { malformed, showValue } from "./payload-decoder.ts";

const VALUES = ["NBIRTH", "DBIRTH", "NDATA", "DDATA"] as const;
const DEATHS = ["NDEATH", "DDEATH"] as const;
const OTHERS = ["NCMD", "DCMD", "STATE"] as const;

/** What a message is for. */
export type SparkplugMessageType =
  (typeof VALUES)[number] | (typeof DEATHS)[number] | (typeof OTHERS)[number];

/** A topic taken apart: spBv1.0/group/type/node[/device] (Sparkplug 3.0 §4.1). */
export interface SparkplugTopic {
  readonly type: SparkplugMessageType;
  readonly group: string;
  readonly node: string;
  /** Undefined for what is of the edge node itself. */
  readonly device: string | undefined;
  /** Finds the edge node; group and node have no slash. */
  readonly nodeKey: string;
  /** The device's name in our sense, of the edge node or of one of its devices. */
  readonly publisher: string;
}

/** How names are made: {group}, {node} and {device} stand for the levels of the topic. */
export interface SparkplugNameSettings {
  readonly nodeName: string;
  readonly deviceName: string;
}

/** Most topics that are remembered; beyond that all are forgotten and taken apart again. */
const TOPICS_MAX = 16_384;

/** Takes topics apart, each once. */
export class SparkplugTopics {
  readonly #settings: SparkplugNameSettings;
  readonly #topics = new Map<string, SparkplugTopic>();

  constructor(settings: SparkplugNameSettings) {
    this.#settings = settings;
  }

  /** Throws "payload.malformed" where it is no topic of Sparkplug B. */
  find(topic: string): SparkplugTopic {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    if (this.#topics.size >= TOPICS_MAX) this.#topics.clear();
    const found = this.#takeApart(topic);
    this.#topics.set(topic, found);
    return found;
  }

  #takeApart(topic: string): SparkplugTopic {
    const [namespace, group = "", third = "", node = "", device, ...rest] = topic.split("/");
    const wrong = malformed(
      `The topic ${showValue(topic)} is not one of Sparkplug B: spBv1.0/group/type/node, and /device for a device's.`,
    );
    if (namespace !== "spBv1.0") throw wrong;
    if (group === "STATE")
      return { type: "STATE", group: "", node: "", device: undefined, nodeKey: "", publisher: "" };
    const type = [...VALUES, ...DEATHS, ...OTHERS].find((known) => known === third);
    if (type === undefined || type === "STATE" || group === "" || node === "" || rest.length > 0) throw wrong;
    if ((device !== undefined && device !== "") !== type.startsWith("D")) throw wrong;
    const publisher = this.#nameOf(group, node, device);
    return { type, group, node, device, nodeKey: `${group}/${node}`, publisher };
  }

  #nameOf(group: string, node: string, device: string | undefined): string {
    const template = device === undefined ? this.#settings.nodeName : this.#settings.deviceName;
    const levels: Readonly<Record<string, string | undefined>> = { group, node, device };
    return template.replaceAll(/\{(group|node|device)\}/g, (_, level: string) => levels[level] ?? "");
  }
}
