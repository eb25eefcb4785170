import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { Bucket } from "./bucket.ts";
import { invalidArgument } from "./failure.ts";
import { uriEncode } from "./signature.ts";
import { element, xmlDocument } from "./xml.ts";

/** S3's own: a page has at most 1,000 keys and common prefixes together. */
const PAGE_ENTRIES_MAX = 1_000;

interface Page {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** The key or common prefix after which the next page begins; undefined on the last page. */
  readonly next: string | undefined;
}

interface ListOptions {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly entriesMax: number;
}

/** One page of keys in order; keys that share a prefix up to the delimiter are rolled into one entry. */
export function planPage(keys: readonly string[], options: ListOptions): Page {
  const { prefix, delimiter, after, entriesMax } = options;
  const page: { keys: string[]; commonPrefixes: string[] } = { keys: [], commonPrefixes: [] };
  let last = after;
  if (entriesMax === 0) return { ...page, next: undefined };
  for (const key of keys) {
    if (!key.startsWith(prefix) || Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0) continue;
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const rolled = end === -1 ? undefined : key.slice(0, end + delimiter.length);
    if (rolled !== undefined && rolled === last) continue;
    if (page.keys.length + page.commonPrefixes.length === entriesMax) return { ...page, next: last };
    if (rolled === undefined) page.keys.push(key);
    else page.commonPrefixes.push(rolled);
    last = rolled ?? key;
  }
  return { ...page, next: undefined };
}

/** The answer to ListObjectsV2. */
export function listObjects(name: string, bucket: Bucket, query: ReadonlyMap<string, string>): string {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const startAfter = query.get("start-after") ?? "";
  const token = query.get("continuation-token");
  const asked = Number(query.get("max-keys") ?? PAGE_ENTRIES_MAX);
  if (!Number.isInteger(asked) || asked < 0) throw invalidArgument("max-keys must be a whole number from 0");
  const entriesMax = Math.min(asked, PAGE_ENTRIES_MAX);
  const after = token === undefined ? startAfter : Buffer.from(token, "base64url").toString();
  const page = planPage(bucket.keys(), { prefix, delimiter, after, entriesMax });
  const urls = query.get("encoding-type") === "url";
  const show = (text: string): string => (urls ? text.split("/").map(uriEncode).join("/") : text);
  const contents = page.keys.map((key) => {
    const header = bucket.header(key);
    return `<Contents>${element("Key", show(key))}${element("LastModified", isoTime(header?.modifiedAtUs ?? 0))}${element("ETag", header?.etag ?? "")}${element("Size", header?.bytes ?? 0)}${element("StorageClass", "STANDARD")}</Contents>`;
  });
  return xmlDocument(
    [
      '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
      element("Name", name),
      element("Prefix", show(prefix)),
      delimiter === "" ? "" : element("Delimiter", show(delimiter)),
      startAfter === "" ? "" : element("StartAfter", show(startAfter)),
      token === undefined ? "" : element("ContinuationToken", token),
      urls ? element("EncodingType", "url") : "",
      element("MaxKeys", entriesMax),
      element("KeyCount", page.keys.length + page.commonPrefixes.length),
      element("IsTruncated", page.next !== undefined),
      page.next === undefined
        ? ""
        : element("NextContinuationToken", Buffer.from(page.next).toString("base64url")),
      ...contents,
      ...page.commonPrefixes.map(
        (rolled) => `<CommonPrefixes>${element("Prefix", show(rolled))}</CommonPrefixes>`,
      ),
      "</ListBucketResult>",
    ].join(""),
  );
}
