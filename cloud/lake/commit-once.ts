import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { CommitReport } from "./commit-report.ts";
import type { Lake } from "./lake.ts";
import type { Lease, LeaseState } from "./lease.ts";

type Taken = Extract<LeaseState, { state: "taken" }>;

export type CommitOutcome =
  | { readonly state: "committed"; readonly report: CommitReport }
  /** Another service commits; nothing was done. */
  | Taken;

/**
 * One pass over what has landed, by the lease: taken for the pass, and left to be given back by whoever opened it.
 *
 * Where another service has it, that is the answer; with `waiting` it is waited for, and told who has it meanwhile.
 */
export async function commitOnce(
  { lake, lease }: { readonly lake: Pick<Lake, "commitLanding">; readonly lease: Lease },
  clock: Clock,
  waiting?: (taken: Taken) => void,
): Promise<CommitOutcome> {
  for (;;) {
    const answer = await lease.ask();
    if (answer.state === "held") break;
    if (waiting === undefined) return answer;
    waiting(answer);
    await clock.sleep(Math.min(lease.lookEveryMs, answer.freeInMs));
  }
  const report = await lease.during(() => lake.commitLanding(() => lease.requireHeld()));
  return { state: "committed", report };
}

/** For people: who commits, and what to do about it. */
export const renderTaken = ({ by, since, until }: Taken): string =>
  `nothing was committed: ${by} commits what lands, since ${since}; its lease ends at ${until} unless it is renewed. Use --wait to commit after it.`;
