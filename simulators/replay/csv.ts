/** One record of a CSV file: the line that it begins on, counted from 1, and its fields. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** What is wrong with the text itself; the reader stops there. */
export interface CsvFailure {
  readonly line: number;
  readonly problem: string;
}

/** Longest record: a sensor file with a thousand columns has a tenth of it; an unclosed quote reaches it at once. */
export const RECORD_CHARS_MAX = 1_048_576;

/**
 * Reads CSV as it comes in (RFC 4180): fields in double quotes may hold delimiters, line ends and doubled quotes.
 *
 * Takes \n and \r\n; leaves out a byte order mark and empty lines. After a `failure` it reads nothing more.
 */
export class CsvParser {
  readonly #delimiter: string;
  #rest = "";
  /** Line on which `#rest` begins. */
  #line = 1;
  #begun = false;
  failure: CsvFailure | undefined;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** The records that are complete with this text. */
  push(text: string): CsvRecord[] {
    return this.#read(text, false);
  }

  /** The last record, which needs no line end. */
  end(): CsvRecord[] {
    return this.#read("", true);
  }

  #read(text: string, isEnd: boolean): CsvRecord[] {
    if (this.failure !== undefined) return [];
    this.#rest += !this.#begun && text.startsWith("\uFEFF") ? text.slice(1) : text;
    this.#begun ||= text !== "";
    const records: CsvRecord[] = [];
    let at = 0;
    while (at < this.#rest.length) {
      const taken = this.#record(at, isEnd);
      if (taken === undefined) break;
      const isEmpty = taken.fields.length === 1 && taken.fields[0] === "" && !taken.quoted;
      if (!isEmpty) records.push({ line: this.#line, fields: taken.fields });
      this.#line += taken.lines;
      at = taken.end;
    }
    this.#rest = this.#rest.slice(at);
    if (this.failure === undefined && this.#rest.length > RECORD_CHARS_MAX)
      this.#fail(`the record is longer than ${RECORD_CHARS_MAX} characters; is a quote not closed?`);
    return records;
  }

  /** The record at `from`, or undefined while its end has not come. */
  #record(from: number, isEnd: boolean): Taken | undefined {
    const text = this.#rest;
    const fields: string[] = [];
    let at = from;
    let lines = 0;
    let quoted = false;
    for (;;) {
      let field: string;
      if (text[at] === '"') {
        const closing = this.#closingQuote(at + 1, isEnd);
        if (closing === undefined) return undefined;
        quoted = true;
        const inner = text.slice(at + 1, closing);
        lines += inner.split("\n").length - 1;
        field = inner.replaceAll('""', '"');
        at = closing + 1;
      } else {
        const start = at;
        while (at < text.length && text[at] !== this.#delimiter && text[at] !== "\n") at++;
        if (at === text.length && !isEnd) return undefined;
        field = text.slice(start, at);
        if (text[at] !== this.#delimiter && field.endsWith("\r")) field = field.slice(0, -1);
      }
      fields.push(field);
      if (quoted && text[at] === "\r") at++;
      const next = text[at];
      if (next === this.#delimiter) at++;
      else if (next === "\n") return { fields, quoted, lines: lines + 1, end: at + 1 };
      else if (next === undefined) return isEnd ? { fields, quoted, lines, end: at } : undefined;
      else return this.#fail(`"${next}" after a closing quote`);
    }
  }

  #closingQuote(from: number, isEnd: boolean): number | undefined {
    const text = this.#rest;
    for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 2)) {
      // At the end of what has come, this may be the first half of a doubled quote.
      if (at + 1 === text.length && !isEnd) return undefined;
      if (text[at + 1] !== '"') return at;
    }
    if (isEnd) this.#fail("a quote is not closed");
    return undefined;
  }

  #fail(problem: string): undefined {
    this.failure = { line: this.#line, problem };
    return undefined;
  }
}

interface Taken {
  readonly fields: readonly string[];
  readonly quoted: boolean;
  readonly lines: number;
  /** Where the next record begins. */
  readonly end: number;
}
