import { Counter, Gauge, Registry } from "prom-client";
import type { Metric } from "./metrics.ts";

/** Metrics in Prometheus' text form, with its content type. */
export async function expose(
  metrics: readonly Metric[],
): Promise<{ readonly type: string; readonly body: string }> {
  const registry = new Registry();
  for (const { name, help, kind, samples } of metrics) {
    const labelNames = Object.keys(samples[0]?.labels ?? {});
    const settings = { name, help, labelNames, registers: [registry] };
    if (kind === "counter") {
      const counter = new Counter(settings);
      for (const { labels, value } of samples) counter.inc(labels, value);
    } else {
      const gauge = new Gauge(settings);
      for (const { labels, value } of samples) gauge.set(labels, value);
    }
  }
  return { type: registry.contentType, body: await registry.metrics() };
}
