/** Rows as a table of text for a person: numbers to the right, the last column as long as it likes. Pure. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) =>
    // Names come from outside: no control character may reach a terminal.
    row.map((cell) =>
      typeof cell === "number" ? cell.toLocaleString("en") : cell.replaceAll(/\p{Cc}/gu, "\uFFFD"),
    ),
  );
  const isRight = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"));
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  return [head, ...cells]
    .map((line) =>
      line
        .map((cell, i) => (isRight[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
