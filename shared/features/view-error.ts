/** One mistake in a view, with the path to it. */
export interface ViewIssue {
  readonly path: (string | number)[];
  readonly message: string;
}

/** A view that the library cannot compute, with everything that is wrong with it. */
export class ViewError extends Error {
  readonly issues: readonly ViewIssue[];

  constructor(view: string, issues: readonly ViewIssue[]) {
    const list = issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    super(`feature view "${view}": ${list}`);
    this.name = "ViewError";
    this.issues = issues;
  }
}
