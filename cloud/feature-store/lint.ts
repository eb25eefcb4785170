import { checkContracts } from "@sluice/shared/features/check-contracts.ts";
import { coreHash } from "./duplicates.ts";
import { type FileIssue, pathText, readViewFile } from "./view-file.ts";
import { type PublishedView, shortHash } from "./views.ts";

/** What is to be said of one file. */
export interface LintedFile {
  readonly file: string;
  readonly views: readonly { readonly name: string; readonly hash: string }[];
  /** Mistakes: a gateway refuses these views. */
  readonly issues: readonly FileIssue[];
  /** What is allowed and perhaps not meant. */
  readonly warnings: readonly string[];
}

/**
 * Checks files of views as a gateway does, also against the contracts of gateways whose settings are among the files,
 * and against each other and the views of the lake, where there is one.
 */
export function lintFiles(files: readonly string[], lake: readonly PublishedView[]): readonly LintedFile[] {
  const known: { readonly view: PublishedView; readonly where: string }[] = lake.map((view) => ({
    view,
    where: "the lake",
  }));
  const read = files.map(readViewFile);
  const contracts = read.flatMap((file) => file.contracts);
  return read.map(({ file, views: found, issues: shape }) => {
    const issues = [...shape];
    const views = found.filter(({ view, path }) => {
      const clashes = checkContracts(view, contracts);
      issues.push(
        ...clashes.map((clash) => ({ path: pathText([...path, ...clash.path]), reason: clash.message })),
      );
      return clashes.length === 0;
    });
    const warnings = views.flatMap((own) =>
      known.flatMap(({ view: other, where }) => warningsOf(own, other, where)),
    );
    known.push(...views.map((view) => ({ view, where: file })));
    return { file, views: views.map(({ view, hash }) => ({ name: view.name, hash })), issues, warnings };
  });
}

function warningsOf(own: PublishedView, other: PublishedView, where: string): readonly string[] {
  if (own.hash === other.hash) return [];
  const named = `${other.view.name}@${shortHash(other.hash)} of ${where}`;
  if (coreHash(own.view) === coreHash(other.view))
    return [
      own.view.name === other.view.name
        ? `${own.view.name} computes what ${named} computes: only its owner or a description differs, and it makes vectors of its own`
        : `${own.view.name} computes what ${named} computes, under another name: use that one`,
    ];
  return [];
}
