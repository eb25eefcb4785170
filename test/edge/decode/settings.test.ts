import { expect, test } from "vitest";
import { decodeSettingsSchema } from "../../../edge/decode/settings.ts";

const JSON_ROUTE = { topic: "plant/{device}/telemetry", deviceType: "pump", payload: { format: "json" } };
const NUMBER_ROUTE = { topic: "plant/{device}/{metric}", deviceType: "pump", payload: { format: "number" } };

/** Each mistake as "path: message". */
function mistakes(settings: unknown): string[] {
  const { error } = decodeSettingsSchema.safeParse(settings);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("one route is enough; limits have defaults, and parsed settings parse to themselves", () => {
  const settings = decodeSettingsSchema.parse({ routes: [JSON_ROUTE] });
  expect(settings).toMatchObject({
    contracts: [],
    payloadBytesMax: 65_536,
    futureSkewMs: 300_000,
    pastMaxMs: 315_576_000_000,
  });
  expect(decodeSettingsSchema.parse(settings)).toEqual(settings);
});

test("the samples that a settings file is made from are valid themselves", () => {
  const { shape } = decodeSettingsSchema;
  const [routes, contracts] = [shape.routes, shape.contracts].map((field): unknown => {
    const examples = field.meta()?.["examples"];
    return Array.isArray(examples) ? examples[0] : undefined;
  });
  expect(mistakes({ routes, contracts })).toEqual([]);
  expect(routes).toHaveLength(2);
});

test.each([
  [{ routes: [] }, /^routes: /],
  [
    { routes: [{ ...JSON_ROUTE, topic: "plant/telemetry" }] },
    /^routes\.0\.topic: needs \{device\} as a level/,
  ],
  [{ routes: [{ ...JSON_ROUTE, device: "p1" }] }, /^routes\.0\.device: must not be given/],
  [
    { routes: [{ ...NUMBER_ROUTE, topic: "plant/{device}/+" }] },
    /^routes\.0\.topic: needs \{metric\} as a level/,
  ],
  [
    { routes: [{ ...JSON_ROUTE, topic: "plant/{device}/{metric}" }] },
    /^routes\.0\.topic: has \{metric\}, but the payload names/,
  ],
  [
    { routes: [{ ...JSON_ROUTE, topic: "sluice/{device}" }] },
    /^routes\.0\.topic: topics below "sluice\/" are the gateway's own/,
  ],
  [
    { routes: [NUMBER_ROUTE, JSON_ROUTE] },
    /^routes\.1\.topic: can never match, because routes\.0 \("plant\/\{device\}\/\{metric\}"\)/,
  ],
  [{ routes: [JSON_ROUTE, { ...JSON_ROUTE, deviceType: "fan" }] }, /^routes\.1\.topic: can never match/],
  [
    { routes: [JSON_ROUTE], contracts: [{ deviceType: "pmup", metrics: {} }] },
    /^contracts\.0\.deviceType: no route has the device type "pmup", only pump/,
  ],
  [
    { routes: [JSON_ROUTE], contracts: [1, 2].map(() => ({ deviceType: "pump", metrics: {} })) },
    /^contracts\.1\.deviceType: there are two contracts for "pump"/,
  ],
  [
    { routes: [JSON_ROUTE], ignoredTopics: ["ok/+", "no/#/more"] },
    /^ignoredTopics\.1: "#" can only be the last level/,
  ],
  [{ routes: [JSON_ROUTE], payloadMax: 1 }, /^: Unrecognized key: "payloadMax"/],
  [{ routes: [JSON_ROUTE], futureSkewMs: -1 }, /^futureSkewMs: /],
])("the settings %j are refused: %s", (settings, mistake) => {
  const found = mistakes(settings);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(mistake);
});

const pump = (metric: object, rest: object = {}): object => ({
  routes: [JSON_ROUTE],
  contracts: [{ deviceType: "pump", metrics: { pressure: metric }, ...rest }],
});

test("a contract of before means what it meant: any finite number, no breaker, no conversion", () => {
  const [contract] = decodeSettingsSchema.parse(pump({ unit: "bar", min: 0 })).contracts;
  expect(contract).toEqual({
    deviceType: "pump",
    metrics: { pressure: { unit: "bar", min: 0, type: "float", required: false } },
    unknownMetrics: "accept",
  });
});

test.each([
  [pump({ unit: "bar", sentUnit: "Cel" }), /pressure\.sentUnit: there is no way from "Cel" to "bar"$/],
  [
    pump({ unit: "bar", sentUnit: "furlong" }),
    /pressure\.sentUnit: there is no way from "furlong" to "bar"$/,
  ],
  [pump({ sentUnit: "bar" }), /pressure: sentUnit needs a unit to convert to$/],
  [pump({ type: "boolean", max: 1 }), /pressure: a boolean has no unit, min or max$/],
  [pump({ type: "text" }), /pressure\.type: /],
  [pump({ min: 2, max: 1 }), /pressure: min must not be above max$/],
  [pump({ rateMaxHz: 0 }), /pressure\.rateMaxHz: /],
  [pump({ staleAfterMs: 1 }), /pressure\.staleAfterMs: /],
  [pump({}, { breaker: { windowReadings: 1_025 } }), /breaker\.windowReadings: /],
  [pump({}, { breaker: { violationShareMax: 1 } }), /breaker\.violationShareMax: /],
  [
    pump({}, { breaker: { violationShareMax: 0.1, closeShareMax: 0.2 } }),
    /breaker: closeShareMax must not be above violationShareMax$/,
  ],
])("the contract in %j is refused: %s", (settings, mistake) => {
  const found = mistakes(settings);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(mistake);
});

test("a narrower route before a wider one is fine, and so is a route whose device is in the settings", () => {
  expect(mistakes({ routes: [JSON_ROUTE, NUMBER_ROUTE] })).toEqual([]);
  expect(mistakes({ routes: [{ ...JSON_ROUTE, topic: "boiler", device: "b1" }] })).toEqual([]);
});

test("all mistakes between routes are reported at once", () => {
  const wrong = { ...JSON_ROUTE, topic: "a/{site}" };
  expect(mistakes({ routes: [wrong, wrong, JSON_ROUTE] })).toHaveLength(2);
});
