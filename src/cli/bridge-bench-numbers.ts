import { Histogram } from '../../bridges/protocol/histogram.ts'

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

/** The slope of the line of least squares through (x, y). */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  let [above, below] = [0, 0]
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY)
    below += (x - meanX) ** 2
  }
  return below === 0 ? 0 : above / below
}
