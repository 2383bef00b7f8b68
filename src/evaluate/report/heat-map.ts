import type { EmbeddedEpisode, EmbeddedEpisodes } from '../measures/embedded-episodes.ts'
import type { HeatMap } from './model.ts'

const CELLS_ACROSS = 14
/** The robot and the object: more maps than two say little more. */
const MAX_SUBJECTS = 2

/** A thing with a place in the plane, by the state variables that hold it. */
interface Subject {
  readonly name: string
  readonly x: number
  readonly y: number
}

/**
 * Mean of a value over all frames whose subject lies in a cell of the plane, one map for the last subjects of the state (objects come
 * after the robot).
 *
 * @param goal episode whose goal the value is for: marked where its goal has as many numbers as the state
 * @param valueAt the value of a frame; a frame of NaN is left out
 */
export function heatMaps(
  { episodes, stateNames = [] }: EmbeddedEpisodes,
  goal: EmbeddedEpisode,
  valueAt: (episode: EmbeddedEpisode, time: number) => number,
): HeatMap[] {
  const size = stateNames.length
  const frames = episodes.flatMap((episode) => {
    const { states, length } = episode
    if (states === undefined) return []
    return Array.from({ length }, (_, t) => ({
      state: states.subarray(t * size, (t + 1) * size),
      value: valueAt(episode, t),
    })).filter(({ value }) => !Number.isNaN(value))
  })
  if (frames.length === 0) return []
  return subjectsOf(stateNames)
    .slice(-MAX_SUBJECTS)
    .map((subject) => ({
      subject: subject.name,
      ...cells(frames.map(({ state, value }) => ({ x: state[subject.x]!, y: state[subject.y]!, value }))),
      ...(goal.goal?.length === size ? { goal: { x: goal.goal[subject.x]!, y: goal.goal[subject.y]! } } : {}),
    }))
}

/** Pairs of variables such as `puck_x_m` and `puck_y_m`. */
function subjectsOf(names: readonly string[]): Subject[] {
  return names.flatMap((name, x) => {
    const [, subject, unit] = /^(.+)_x(_m)?$/.exec(name) ?? []
    const y = subject === undefined ? -1 : names.indexOf(`${subject}_y${unit ?? ''}`)
    return subject === undefined || y < 0 ? [] : [{ name: subject, x, y }]
  })
}

function cells(
  points: readonly { readonly x: number; readonly y: number; readonly value: number }[],
): Pick<HeatMap, 'cells' | 'cellM'> {
  const range = (key: 'x' | 'y'): { low: number; span: number } => {
    let low = Infinity
    let high = -Infinity
    for (const point of points) {
      low = Math.min(low, point[key])
      high = Math.max(high, point[key])
    }
    return { low, span: high - low }
  }
  const [xs, ys] = [range('x'), range('y')]
  const cellM = Math.max(xs.span, ys.span, 1e-6) / CELLS_ACROSS
  const sums = new Map<number, { sum: number; count: number }>()
  for (const { x, y, value } of points) {
    const column = Math.min(CELLS_ACROSS - 1, Math.floor((x - xs.low) / cellM))
    const row = Math.min(CELLS_ACROSS - 1, Math.floor((y - ys.low) / cellM))
    const key = row * CELLS_ACROSS + column
    const { sum, count } = sums.get(key) ?? { sum: 0, count: 0 }
    sums.set(key, { sum: sum + value, count: count + 1 })
  }
  return {
    cellM,
    cells: [...sums].map(([key, { sum, count }]) => ({
      x: xs.low + ((key % CELLS_ACROSS) + 0.5) * cellM,
      y: ys.low + (Math.floor(key / CELLS_ACROSS) + 0.5) * cellM,
      value: sum / count,
      count,
    })),
  }
}
