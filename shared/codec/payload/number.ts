import { parseDecimal, saysNotFinite } from "./decimal.ts";
import { malformed, type PayloadDecoder, showValue } from "./payload-decoder.ts";
import { decodeText } from "./text.ts";

/** The payload is one decimal number as text, blanks around it allowed; the topic names the metric. */
export function createNumberDecoder(): PayloadDecoder {
  return {
    needsTopicMetric: true,
    namesDevice: false,
    decode(payload, sink, { metric: topicMetric }) {
      const value = parseDecimal(decodeText(payload));
      if (typeof value === "string" && !saysNotFinite(value))
        throw malformed(`The payload ${showValue(value)} is not a decimal number.`);
      sink.record(undefined);
      sink.value(topicMetric ?? "", value);
    },
  };
}
