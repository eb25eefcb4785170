import { correlation } from "./correlation.ts";
import { count } from "./count.ts";
import { crestFactor } from "./crest-factor.ts";
import { delta } from "./delta.ts";
import { deviation } from "./deviation.ts";
import { difference } from "./difference.ts";
import { first } from "./first.ts";
import type { FeatureFunction } from "./function.ts";
import { kurtosis } from "./kurtosis.ts";
import { last } from "./last.ts";
import { max } from "./max.ts";
import { mean } from "./mean.ts";
import { median } from "./median.ts";
import { min } from "./min.ts";
import { peak } from "./peak.ts";
import { quantile } from "./quantile.ts";
import { range } from "./range.ts";
import { ratio } from "./ratio.ts";
import { rms } from "./rms.ts";
import { skewness } from "./skewness.ts";
import { slope } from "./slope.ts";
import { std } from "./std.ts";
import { sum } from "./sum.ts";
import { variance } from "./variance.ts";
import { zeroCrossings } from "./zero-crossings.ts";

/** The whole library by name. A new function is one file and one line here. */
export const FUNCTIONS: ReadonlyMap<string, FeatureFunction> = new Map(
  [
    count,
    mean,
    min,
    max,
    range,
    sum,
    variance,
    std,
    rms,
    peak,
    crestFactor,
    skewness,
    kurtosis,
    median,
    quantile,
    first,
    last,
    delta,
    slope,
    zeroCrossings,
    correlation,
    ratio,
    difference,
    deviation,
  ].map((fn) => [fn.name, fn] as const),
);
