type Job = () => Promise<void>;

/** Runs one job at a time; whoever has many waiting takes turns with whoever has one. */
export class FairQueue {
  readonly #waitingMax: number;
  readonly #waiting = new Map<string, Job[]>();
  #count = 0;
  #isRunning = false;

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** Resolves true when the job has ended, false at once when too many wait already. Rejects when the job does. */
  run(owner: string, job: Job): Promise<boolean> {
    if (this.#count >= this.#waitingMax) return Promise.resolve(false);
    this.#count++;
    return new Promise((resolve, reject) => {
      const jobs = this.#waiting.get(owner) ?? [];
      jobs.push(() => job().then(() => resolve(true), reject));
      this.#waiting.set(owner, jobs);
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      await job();
      this.#count--;
    }
    this.#isRunning = false;
  }

  #next(): Job | undefined {
    const [turn] = this.#waiting;
    if (turn === undefined) return undefined;
    const [owner, jobs] = turn;
    const job = jobs.shift();
    this.#waiting.delete(owner); // To the end of the line.
    if (jobs.length > 0) this.#waiting.set(owner, jobs);
    return job;
  }
}
