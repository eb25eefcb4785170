import { showValue } from "./payload-decoder.ts";

/** What a SenML name means; `mistake` where it is not a name. */
export interface SenmlName {
  /** Undefined where the topic or the route names the device. */
  readonly device: string | undefined;
  readonly metric: string;
  /** The metric of the sum of the values over time. */
  readonly sumMetric: string;
  readonly mistake: string | undefined;
}

export interface SenmlNameSettings {
  /** "{metric}", or a template with {device} before {metric}, text before and between them. */
  readonly name: string;
  readonly sumSuffix: string;
}

/** Most names that are remembered; beyond that all are forgotten and taken apart again. */
const NAMES_MAX = 16_384;

/** RFC 8428 §4.5.1. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9:./_-]*$/;

/** Text before the device, between device and metric. */
export const NAME_TEMPLATE = /^([^{}]*)\{device\}([^{}]+)\{metric\}$/;

/** From a base name and a name to the device and the metric, remembered so that each pair is taken apart once. */
export class SenmlNames {
  readonly #settings: SenmlNameSettings;
  readonly #template: RegExpExecArray | null;
  #byBase = new Map<string, Map<string, SenmlName>>();
  #count = 0;

  constructor(settings: SenmlNameSettings) {
    this.#settings = settings;
    this.#template = NAME_TEMPLATE.exec(settings.name);
  }

  get namesDevice(): boolean {
    return this.#template !== null;
  }

  find(baseName: string, name: string): SenmlName {
    return this.#byBase.get(baseName)?.get(name) ?? this.#remember(baseName, name);
  }

  #remember(baseName: string, name: string): SenmlName {
    if (this.#count >= NAMES_MAX) {
      this.#byBase = new Map();
      this.#count = 0;
    }
    const found = this.#takeApart(baseName + name);
    const names = this.#byBase.get(baseName) ?? new Map<string, SenmlName>();
    names.set(name, found);
    this.#byBase.set(baseName, names);
    this.#count += 1;
    return found;
  }

  #takeApart(name: string): SenmlName {
    const wrong = (mistake: string): SenmlName => ({
      device: undefined,
      metric: name,
      sumMetric: name,
      mistake,
    });
    if (!NAME.test(name))
      return wrong(
        `The name ${showValue(name)} is not a SenML name: letters, digits and any of "-:./_", a letter or digit first.`,
      );
    const [, prefix = "", separator = ""] = this.#template ?? [];
    const at = name.lastIndexOf(separator);
    const metric = separator === "" ? name : name.slice(at + separator.length);
    const device = separator === "" ? undefined : name.slice(prefix.length, at);
    if (!name.startsWith(prefix) || at < prefix.length || device === "" || metric === "")
      return wrong(`The name ${showValue(name)} is not of the form "${this.#settings.name}".`);
    return { device, metric, sumMetric: `${metric}${this.#settings.sumSuffix}`, mistake: undefined };
  }
}
