/** One line of a published comparison: shares between 0 and 1. */
export interface PublishedLine {
  readonly algorithm: string;
  readonly f1: number;
  readonly falseAlarmRate: number;
  readonly missedAlarmRate: number;
}

/**
 * SKAB's leaderboard for outlier detection, from the README of https://github.com/waico/SKAB at commit b2c0d46.
 *
 * Pooled over 34 files (valve1, valve2 and other), each method fitted anew on the first 400 rows of every file.
 */
export const SKAB_LEADERBOARD: readonly PublishedLine[] = [
  { algorithm: "Conv-AE", f1: 0.78, falseAlarmRate: 0.1355, missedAlarmRate: 0.2802 },
  { algorithm: "T-squared+Q (PCA)", f1: 0.76, falseAlarmRate: 0.2662, missedAlarmRate: 0.2492 },
  { algorithm: "MSET", f1: 0.78, falseAlarmRate: 0.3973, missedAlarmRate: 0.1413 },
  { algorithm: "LSTM-AE", f1: 0.74, falseAlarmRate: 0.2996, missedAlarmRate: 0.2592 },
  { algorithm: "T-squared", f1: 0.66, falseAlarmRate: 0.1921, missedAlarmRate: 0.426 },
  { algorithm: "LSTM-VAE", f1: 0.56, falseAlarmRate: 0.0913, missedAlarmRate: 0.5503 },
  { algorithm: "Vanilla LSTM", f1: 0.54, falseAlarmRate: 0.1254, missedAlarmRate: 0.5953 },
  { algorithm: "Vanilla AE", f1: 0.39, falseAlarmRate: 0.0259, missedAlarmRate: 0.7515 },
  { algorithm: "Isolation forest", f1: 0.29, falseAlarmRate: 0.0256, missedAlarmRate: 0.8289 },
  { algorithm: "MSCRED", f1: 0.36, falseAlarmRate: 0.4994, missedAlarmRate: 0.6988 },
];
