/** The part of JSON Schema that settings schemas use. */
export interface SettingsSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SettingsSchema>>;
  readonly required?: readonly string[];
  readonly items?: SettingsSchema;
  readonly oneOf?: readonly SettingsSchema[];
  readonly anyOf?: readonly SettingsSchema[];
}

/** A commented YAML sample of all settings: required ones live, optional ones commented out with their defaults. */
export function sampleYaml(jsonSchema: object): string {
  const schema: SettingsSchema = JSON.parse(JSON.stringify(jsonSchema));
  return `${objectLines(schema, 0, false).join("\n")}\n`;
}

function objectLines(schema: SettingsSchema, depth: number, commented: boolean): string[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => [
    ...(depth === 0 ? [""] : []),
    ...propertyLines(key, field, { depth, commented, required: required.has(key) }),
  ]);
}

interface Place {
  readonly depth: number;
  readonly commented: boolean;
  readonly required: boolean;
}

function propertyLines(key: string, field: SettingsSchema, place: Place): string[] {
  const pad = "  ".repeat(place.depth);
  const mark = (commented: boolean): string => (commented ? `${pad}# ` : pad);
  const lines = field.description === undefined ? [] : [`${pad}# ${field.description}${allowed(field)}`];
  const example = field.examples?.[0];
  if (example !== undefined) {
    const commented = place.commented || (!place.required && field.default === undefined);
    return [...lines, ...yamlLines(key, example).map((line) => `${mark(commented)}${line}`)];
  }
  const object = field.properties === undefined ? field.oneOf?.[0] : field;
  if (object?.properties !== undefined) {
    const commented =
      place.commented || (!place.required && field.default === undefined && hasRequired(object));
    const inner = objectLines({ ...object, ...constants(object) }, place.depth + 1, commented);
    const shown = commented ? inner.map((line) => comment(line, place.depth)) : inner;
    return [...lines, `${mark(commented)}${key}:`, ...shown];
  }
  const commented = place.commented || !place.required;
  const value = field.default ?? field.const ?? field.enum?.[0] ?? (field.type === "array" ? [] : "");
  return [...lines, `${mark(commented)}${key}: ${JSON.stringify(value)}`];
}

const hasRequired = (schema: SettingsSchema): boolean => (schema.required ?? []).length > 0;
const constants = (schema: SettingsSchema): { properties: Readonly<Record<string, SettingsSchema>> } => ({
  properties: schema.properties ?? {},
});

function comment(line: string, depth: number): string {
  const pad = "  ".repeat(depth);
  return line.trimStart().startsWith("#") || line === "" ? line : `${pad}# ${line.slice(pad.length)}`;
}

function allowed(field: SettingsSchema): string {
  if (field.enum !== undefined) return ` One of: ${field.enum.join(", ")}.`;
  const { minimum, maximum } = field;
  if (minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
    return ` From ${minimum} to ${maximum}.`;
  return "";
}

/** A value in YAML flow or block style, two spaces an indent; strings always quoted. */
function yamlLines(key: string, value: unknown): string[] {
  const label = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) ? key : JSON.stringify(key);
  if (Array.isArray(value) && value.some((item) => typeof item === "object"))
    return [`${label}:`, ...value.flatMap((item) => listItem(item).map((line) => `  ${line}`))];
  if (isRecord(value) && JSON.stringify(value).length > 60)
    return [
      `${label}:`,
      ...Object.entries(value).flatMap(([k, v]) => yamlLines(k, v).map((line) => `  ${line}`)),
    ];
  return [`${label}: ${flow(value)}`];
}

function listItem(item: unknown): string[] {
  if (!isRecord(item)) return [`- ${flow(item)}`];
  const lines = Object.entries(item).flatMap(([k, v]) => yamlLines(k, v));
  return lines.map((line, i) => `${i === 0 ? "- " : "  "}${line}`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([k, v]) => `${/^[A-Za-z_]\w*$/.test(k) ? k : JSON.stringify(k)}: ${flow(v)}`,
  );
  return `{ ${members.join(", ")} }`;
}
