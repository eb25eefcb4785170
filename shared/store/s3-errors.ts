import { PipelineError } from "../runtime/errors.ts";

/** What an S3 client's failure says, whatever class it has. */
export interface S3Failure {
  /** The error's code, such as "NoSuchKey". */
  readonly name: string;
  /** The HTTP status; undefined where no answer came. */
  readonly status: number | undefined;
}

export function s3FailureOf(cause: unknown): S3Failure {
  if (!(cause instanceof Error)) return { name: "", status: undefined };
  const metadata: unknown = Reflect.get(cause, "$metadata");
  const status: unknown =
    typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "httpStatusCode") : undefined;
  const code: unknown = Reflect.get(cause, "Code") ?? Reflect.get(cause, "code");
  // The client calls a connection that broke a TimeoutError too; the system's name says which it was.
  const isVague = ["Error", "Unknown", "UnknownError", "TimeoutError"].includes(cause.name);
  return {
    name: isVague && typeof code === "string" ? code : cause.name,
    status: typeof status === "number" ? status : undefined,
  };
}

interface Meaning {
  readonly code: string;
  readonly hint: string;
}

const DENIED: Meaning = {
  code: "store.denied",
  hint: "Check accessKeyId, secretAccessKey and what the store's policy lets this key do in the bucket.",
};
const EXPIRED: Meaning = {
  code: "store.denied",
  hint: "The session token has run out: give the process new credentials, or let it find them by itself (leave accessKeyId out).",
};
const NO_BUCKET: Meaning = {
  code: "store.missing",
  hint: "Make the bucket, or correct bucket, region and endpoint in the settings.",
};
const WRONG_REGION: Meaning = {
  code: "store.missing",
  hint: "Set region and endpoint to those of the bucket.",
};
const TIMEOUT: Meaning = {
  code: "store.timeout",
  hint: "Look at the link to the store; raise timeoutMs if it is only slow.",
};
const UNAVAILABLE: Meaning = {
  code: "store.unavailable",
  hint: "Check the S3 endpoint and the network to it.",
};
const CONFLICT: Meaning = {
  code: "store.conflict",
  hint: "Another writer is at the same key; trying again settles it.",
};
const NO_CONDITION: Meaning = {
  code: "store.no_conditional_put",
  hint: "Use a store that honours If-None-Match: * on PutObject.",
};

const BY_NAME: Readonly<Record<string, Meaning>> = {
  RequestTimeTooSkewed: {
    code: "store.clock_skew",
    hint: "Set this machine's clock (NTP): the store refuses requests signed more than 15 minutes off.",
  },
  NoSuchBucket: NO_BUCKET,
  PermanentRedirect: WRONG_REGION,
  TemporaryRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  CredentialsProviderError: DENIED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidToken: EXPIRED,
  ConditionalRequestConflict: CONFLICT,
  OperationAborted: CONFLICT,
  TimeoutError: TIMEOUT,
  AbortError: TIMEOUT,
  ETIMEDOUT: TIMEOUT,
  RequestTimeout: TIMEOUT,
  KeyTooLongError: { code: "store.invalid_key", hint: "Shorten the key or the prefix." },
  NotImplemented: NO_CONDITION,
};

/** Turns a failure of the S3 client into what it means to the caller and to whoever runs the lake. */
export function s3Error(cause: unknown, action: string): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const failure = s3FailureOf(cause);
  const { code, hint } = BY_NAME[failure.name] ?? meaningOfStatus(failure.status);
  const said = failure.name === "" ? "" : ` (${failure.name})`;
  return new PipelineError(code, `cannot ${action}${said}`, { cause, hint });
}

function meaningOfStatus(status: number | undefined): Meaning {
  if (status === undefined || status >= 500 || status === 429 || status === 200 || status === 206)
    return UNAVAILABLE;
  if (status === 401 || status === 403) return DENIED;
  if (status === 301 || status === 307) return WRONG_REGION;
  if (status === 408) return TIMEOUT;
  if (status === 409) return CONFLICT;
  return { code: "store.refused", hint: "The store refuses the request itself; its message says why." };
}
