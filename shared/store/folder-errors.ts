import { PipelineError } from "../runtime/errors.ts";

/** The system's name of a failed call, such as "ENOENT"; undefined for other failures. */
export function errnoOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}

const MISSING = ["ENOENT", "ENOTDIR"];
const DENIED = ["EACCES", "EPERM", "EROFS"];
const NO_LINKS = ["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** What a failed file call means to whoever runs the lake. */
export function fileError(cause: unknown, action: string): Error {
  if (cause instanceof PipelineError) return cause;
  const errno = errnoOf(cause);
  if (errno === undefined) return cause instanceof Error ? cause : new Error(String(cause));
  const failure = (code: string, hint: string): PipelineError =>
    new PipelineError(code, `cannot ${action}`, { cause, hint });
  if (MISSING.includes(errno))
    return failure("store.missing", "Make the folder, or mount the file system that it lies on.");
  if (DENIED.includes(errno))
    return failure(
      "store.denied",
      "Give this user the right to read and write the folder and what is in it.",
    );
  if (NO_LINKS.includes(errno))
    return failure("store.no_conditional_put", "Put the lake on a file system with hard links.");
  if (errno === "ETIMEDOUT") return failure("store.timeout", "Look at the network file system.");
  if (errno === "ENOSPC" || errno === "EDQUOT")
    return failure("store.unavailable", "The lake's disk is full: free some space.");
  return failure("store.unavailable", "Look at the disk or the network file system.");
}
