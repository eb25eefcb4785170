/** How often alarms and truth met. */
export interface Confusion {
  /** Faulty and alarmed. */
  readonly hits: number;
  /** Faulty and not alarmed. */
  readonly missed: number;
  /** Healthy and alarmed. */
  readonly falseAlarms: number;
  /** Healthy and not alarmed. */
  readonly quiet: number;
}

/** Shares between 0 and 1; undefined where the data has no case that they are a share of. */
export interface Rates {
  /** hits / (hits + (false alarms + missed) / 2). */
  readonly f1: number | undefined;
  /** false alarms / healthy. */
  readonly falseAlarmRate: number | undefined;
  /** missed / faulty. */
  readonly missedAlarmRate: number | undefined;
  /** 1 - (false alarm rate + missed alarm rate) / 2: 0.5 is what a coin reaches. */
  readonly balancedAccuracy: number | undefined;
}

export function confusionOf(alarms: Uint8Array, anomalous: Uint8Array): Confusion {
  let hits = 0;
  let missed = 0;
  let falseAlarms = 0;
  let quiet = 0;
  for (let row = 0; row < alarms.length; row++) {
    const alarmed = alarms[row] === 1;
    if (anomalous[row] === 1) {
      if (alarmed) hits++;
      else missed++;
    } else if (alarmed) falseAlarms++;
    else quiet++;
  }
  return { hits, missed, falseAlarms, quiet };
}

/** The sum of several, for results that are pooled over files or devices. */
export function addConfusions(all: readonly Confusion[]): Confusion {
  return all.reduce(
    (sum, one) => ({
      hits: sum.hits + one.hits,
      missed: sum.missed + one.missed,
      falseAlarms: sum.falseAlarms + one.falseAlarms,
      quiet: sum.quiet + one.quiet,
    }),
    { hits: 0, missed: 0, falseAlarms: 0, quiet: 0 },
  );
}

export function ratesOf({ hits, missed, falseAlarms, quiet }: Confusion): Rates {
  const faulty = hits + missed;
  const healthy = falseAlarms + quiet;
  const falseAlarmRate = healthy === 0 ? undefined : falseAlarms / healthy;
  const missedAlarmRate = faulty === 0 ? undefined : missed / faulty;
  return {
    f1: faulty === 0 ? undefined : hits / (hits + (falseAlarms + missed) / 2),
    falseAlarmRate,
    missedAlarmRate,
    balancedAccuracy:
      falseAlarmRate === undefined || missedAlarmRate === undefined
        ? undefined
        : 1 - (falseAlarmRate + missedAlarmRate) / 2,
  };
}

/**
 * Area under the ROC curve: the probability that a faulty row scores above a healthy one, ties counting half
 * (Mann-Whitney). Undefined where one class is missing.
 */
export function rocAuc(scores: Float64Array, anomalous: Uint8Array): number | undefined {
  const order = Array.from(scores, (_, row) => row).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let healthyBelow = 0;
  let faulty = 0;
  let wins = 0;
  for (let from = 0; from < order.length;) {
    let to = from;
    let tiedFaulty = 0;
    while (to < order.length && scores[order[to] ?? 0] === scores[order[from] ?? 0]) {
      tiedFaulty += anomalous[order[to] ?? 0] ?? 0;
      to++;
    }
    const tiedHealthy = to - from - tiedFaulty;
    wins += tiedFaulty * (healthyBelow + tiedHealthy / 2);
    healthyBelow += tiedHealthy;
    faulty += tiedFaulty;
    from = to;
  }
  return faulty === 0 || healthyBelow === 0 ? undefined : wins / (faulty * healthyBelow);
}
