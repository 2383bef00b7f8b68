import { Histogram } from '../../../bridges/protocol/histogram.ts'

/** `.p50`, `.p99`, `.p999` and `.max` of durations in microseconds, under `name`. */
export function percentiles(name: string, durationsUs: Iterable<number>): Record<string, number> {
  const histogram = new Histogram()
  for (const durationUs of durationsUs) histogram.record(durationUs)
  return {
    [`${name}.p50`]: histogram.percentileUs(50),
    [`${name}.p99`]: histogram.percentileUs(99),
    [`${name}.p999`]: histogram.percentileUs(99.9),
    [`${name}.max`]: histogram.maxUs,
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * The slope of a line through (x, y): the median of the slopes between all pairs of points (Theil-Sen), which the steps of an otherwise level
 * curve do not tilt; 0 for fewer than two points.
 */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], i) =>
    points.slice(i + 1).map(([laterX, laterY]) => (laterY - y) / (laterX - x)),
  )
  return slopes.length === 0 ? 0 : median(slopes)
}
