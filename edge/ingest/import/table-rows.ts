/** A file of rows: its columns, then its rows in order, each with one value per column. */
export interface TableRows {
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<readonly unknown[]>;
}
