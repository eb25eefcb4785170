import { age } from "./age.ts";
import { bandEnergy } from "./band-energy.ts";
import { bearingEnergy, bearingEnergyAtSpeed } from "./bearing-energy.ts";
import { bearingProminence, bearingProminenceAtSpeed } from "./bearing-prominence.ts";
import { changePoint } from "./change-point.ts";
import { change } from "./change.ts";
import { correlation } from "./correlation.ts";
import { countSince } from "./count-since.ts";
import { count } from "./count.ts";
import { covariance } from "./covariance.ts";
import { crestFactor } from "./crest-factor.ts";
import { cumulativeMean } from "./cumulative-mean.ts";
import { curvature } from "./curvature.ts";
import { cusum } from "./cusum.ts";
import { dayCosine } from "./day-cosine.ts";
import { dayOfYear } from "./day-of-year.ts";
import { daySine } from "./day-sine.ts";
import { delta } from "./delta.ts";
import { deviation } from "./deviation.ts";
import { difference } from "./difference.ts";
import { dominantAmplitude } from "./dominant-amplitude.ts";
import { dominantFrequency } from "./dominant-frequency.ts";
import { entropy } from "./entropy.ts";
import { envelopeEnergy } from "./envelope-energy.ts";
import { envelopeFrequency } from "./envelope-frequency.ts";
import { exponentialMean } from "./exponential-mean.ts";
import { exponentialVariance } from "./exponential-variance.ts";
import { first } from "./first.ts";
import type { FeatureFunction } from "./function.ts";
import { goertzel } from "./goertzel.ts";
import { hour } from "./hour.ts";
import { impulseFactor } from "./impulse-factor.ts";
import { integral } from "./integral.ts";
import { iqr } from "./iqr.ts";
import { isWeekend } from "./is-weekend.ts";
import { kurtosis } from "./kurtosis.ts";
import { lag } from "./lag.ts";
import { last } from "./last.ts";
import { mad } from "./mad.ts";
import { max } from "./max.ts";
import { mean } from "./mean.ts";
import { median } from "./median.ts";
import { min } from "./min.ts";
import { missingShare } from "./missing-share.ts";
import { pairCount } from "./pair-count.ts";
import { peak } from "./peak.ts";
import { quantile } from "./quantile.ts";
import { range } from "./range.ts";
import { rateOfChange } from "./rate-of-change.ts";
import { ratio } from "./ratio.ts";
import { rms } from "./rms.ts";
import { shapeFactor } from "./shape-factor.ts";
import { skewness } from "./skewness.ts";
import { slope } from "./slope.ts";
import { spectralCentroid } from "./spectral-centroid.ts";
import { spectralEntropy } from "./spectral-entropy.ts";
import { staleness } from "./staleness.ts";
import { std } from "./std.ts";
import { sumOfProducts } from "./sum-of-products.ts";
import { sum } from "./sum.ts";
import { timeAbove } from "./time-above.ts";
import { timeBelow } from "./time-below.ts";
import { timeWeightedMean } from "./time-weighted-mean.ts";
import { variance } from "./variance.ts";
import { weekCosine } from "./week-cosine.ts";
import { weekSine } from "./week-sine.ts";
import { weekday } from "./weekday.ts";
import { windowCount } from "./window-count.ts";
import { yearCosine } from "./year-cosine.ts";
import { yearSine } from "./year-sine.ts";
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
    shapeFactor,
    impulseFactor,
    skewness,
    kurtosis,
    median,
    quantile,
    iqr,
    mad,
    first,
    last,
    delta,
    slope,
    curvature,
    zeroCrossings,
    timeAbove,
    timeBelow,
    integral,
    timeWeightedMean,
    missingShare,
    staleness,
    entropy,
    bandEnergy,
    spectralCentroid,
    spectralEntropy,
    dominantFrequency,
    dominantAmplitude,
    goertzel,
    envelopeEnergy,
    envelopeFrequency,
    bearingEnergy,
    bearingEnergyAtSpeed,
    bearingProminence,
    bearingProminenceAtSpeed,
    correlation,
    covariance,
    sumOfProducts,
    pairCount,
    ratio,
    difference,
    cumulativeMean,
    deviation,
    exponentialMean,
    exponentialVariance,
    cusum,
    changePoint,
    countSince,
    age,
    windowCount,
    lag,
    change,
    rateOfChange,
    hour,
    weekday,
    dayOfYear,
    isWeekend,
    daySine,
    dayCosine,
    weekSine,
    weekCosine,
    yearSine,
    yearCosine,
  ].map((fn) => [fn.name, fn] as const),
);
