import { element, xmlDocument } from "./xml.ts";

/** A refusal as S3 says it: an error code of its documentation and the HTTP status that goes with it. */
export class S3Failure extends Error {
  readonly code: string;
  readonly status: number;
  readonly details: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "S3Failure";
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

export function failureBody(failure: S3Failure, resource: string): string {
  const details = Object.entries(failure.details).map(([name, value]) => element(name, value));
  return xmlDocument(
    `<Error>${element("Code", failure.code)}${element("Message", failure.message)}${element("Resource", resource)}${details.join("")}</Error>`,
  );
}

export const noSuchKey = (): S3Failure =>
  new S3Failure(404, "NoSuchKey", "The specified key does not exist.");

export const preconditionFailed = (condition: string): S3Failure =>
  new S3Failure(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {
    Condition: condition,
  });

export const notImplemented = (what: string): S3Failure =>
  new S3Failure(501, "NotImplemented", `This server does not implement ${what}.`);

export const invalidArgument = (message: string): S3Failure => new S3Failure(400, "InvalidArgument", message);
