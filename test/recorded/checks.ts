/** One statement that a proof makes, and whether it held. */
export interface Check {
  readonly name: string;
  readonly held: boolean;
  /** What was found; where it did not hold, also what was expected. */
  readonly detail: string;
}

/** Longest detail of a statement that held. */
const DETAIL_CHARS_MAX = 72;

/** Collects what a proof states, so that one failure does not hide the next. */
export class Checks {
  readonly made: Check[] = [];
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  holds(name: string, held: boolean, detail: string): void {
    this.made.push({ name, held, detail });
    this.#say(`${held ? "holds " : "FAILS "} ${name}: ${detail}`);
  }

  /** Compares by their JSON. */
  equal(name: string, found: unknown, expected: unknown): void {
    const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
    if (left !== right) this.holds(name, false, `${left}, expected ${right}`);
    else if (left === undefined || left.length <= DETAIL_CHARS_MAX) this.holds(name, true, left ?? "nothing");
    else this.holds(name, true, `${left.slice(0, DETAIL_CHARS_MAX)}…`);
  }
}
