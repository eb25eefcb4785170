/** A member of the list; the list alone changes it. */
export interface Heard<T> {
  readonly member: T;
  heardAtUs: number;
  before: Heard<T> | undefined;
  behind: Heard<T> | undefined;
  isListed: boolean;
}

export const unheard = <T>(member: T): Heard<T> => ({
  member,
  heardAtUs: -Infinity,
  before: undefined,
  behind: undefined,
  isListed: false,
});

/**
 * Who has been heard how long ago, longest first: a doubly linked list, so that to be heard again costs the same for
 * any number of members.
 *
 * Its time is made of the arrival times that it is told: it goes on with them, stands still where they go back, as when
 * a clock is set, and is never a clock's. So it is a function of the messages.
 */
export class Silence<T> {
  #nowUs = 0;
  #arrivedAtUs = Number.NaN;
  #first: Heard<T> | undefined;
  #last: Heard<T> | undefined;

  get nowUs(): number {
    return this.#nowUs;
  }

  get arrivedAtUs(): number {
    return this.#arrivedAtUs;
  }

  /** When a message must arrive for whoever has been silent longest to be silent for so long; infinity for nobody. */
  dueAtUs(silentUs: number): number {
    if (this.#first === undefined) return Infinity;
    return this.#arrivedAtUs + this.#first.heardAtUs + silentUs - this.#nowUs;
  }

  resume(nowUs: number, arrivedAtUs: number): void {
    this.#nowUs = nowUs;
    this.#arrivedAtUs = arrivedAtUs;
  }

  /** A message has arrived. */
  pass(arrivedAtUs: number): void {
    if (arrivedAtUs > this.#arrivedAtUs) this.#nowUs += arrivedAtUs - this.#arrivedAtUs;
    this.#arrivedAtUs = arrivedAtUs;
  }

  /** Moves to the end. */
  hear(heard: Heard<T>, atUs: number = this.#nowUs): void {
    heard.heardAtUs = atUs;
    if (heard === this.#last) return;
    this.remove(heard);
    heard.isListed = true;
    heard.before = this.#last;
    if (this.#last === undefined) this.#first = heard;
    else this.#last.behind = heard;
    this.#last = heard;
  }

  remove(heard: Heard<T>): void {
    if (!heard.isListed) return;
    if (heard.before === undefined) this.#first = heard.behind;
    else heard.before.behind = heard.behind;
    if (heard.behind === undefined) this.#last = heard.before;
    else heard.behind.before = heard.before;
    heard.before = undefined;
    heard.behind = undefined;
    heard.isListed = false;
  }

  /** Takes out who has been silent longest, if for so long. */
  next(silentUs: number): T | undefined {
    const first = this.#first;
    if (first === undefined || first.heardAtUs + silentUs > this.#nowUs) return undefined;
    this.remove(first);
    return first.member;
  }

  /** Longest silent first. */
  *members(): Generator<Heard<T>> {
    for (let heard = this.#first; heard !== undefined; heard = heard.behind) yield heard;
  }
}
