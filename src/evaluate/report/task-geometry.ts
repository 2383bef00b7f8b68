import type { DatasetSpec } from '../../core/dataset.ts'
import type { TaskGeometry } from './embed.ts'

/**
 * The true distance of a dataset whose env is not at hand: Euclidean, over the state variables that the goal space names; undefined
 * where it names none, or others.
 */
export function namedGeometry({ stateSpace, goalSpace }: DatasetSpec): TaskGeometry | undefined {
  const columns = goalSpace?.names?.map((name) => stateSpace.names?.indexOf(name) ?? -1)
  if (columns === undefined || columns.length === 0 || columns.includes(-1)) return undefined
  const names = goalSpace!.names!
  const isMetric = names.every((name) => name.endsWith('_m'))
  return {
    achieved: (state) => Float32Array.from(columns, (column) => state[column]!),
    distance: (a, b) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0)),
    unit: isMetric ? 'm' : 'units',
    description: `Euclidean distance over ${names.join(', ')}`,
  }
}
