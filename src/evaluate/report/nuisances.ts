import type { EpisodeInfo } from '../../core/dataset.ts'
import { MIN_PROBE_EPISODES } from '../measures/probe-measures.ts'

/** Of the numbers of a look that are different in every episode. */
const CLASSES = 3

/**
 * Labels of what should not matter, by kind, for each of the episodes that are judged: the distractor, and a class for each of the looks.
 *
 * The kind of a look is its name without the unit (`hue_cube` of `hue_cube_rad`). Its numbers are put into thirds (`0` low, `1` middle,
 * `2` high) by their rank among the episodes that have it, equal numbers into the same; where there are so few different ones that each
 * occurs in three episodes on average, as with the kind of a texture, they are the classes themselves. A look that is the same in all
 * episodes has no labels.
 *
 * @returns undefined for an episode without labels
 */
export function nuisancesOf(infos: readonly EpisodeInfo[]): (Readonly<Record<string, string>> | undefined)[] {
  const all = infos.map(({ distractor }): Record<string, string> => (distractor === undefined ? {} : { distractor }))
  for (const look of new Set(infos.flatMap(({ looks }) => Object.keys(looks ?? {})))) {
    const known = infos.flatMap(({ looks }) => looks?.[look] ?? [])
    const different = new Set(known).size
    if (different < 2) continue
    const areClasses = different * MIN_PROBE_EPISODES <= known.length
    for (const [i, { looks }] of infos.entries()) {
      const value = looks?.[look]
      if (value === undefined) continue
      all[i]![look.replace(/_(?:rad|deg|m)$/, '')] = String(areClasses ? value : thirdOf(value, known))
    }
  }
  return all.map((labels) => (Object.keys(labels).length > 0 ? labels : undefined))
}

/** 0, 1 or 2 by the mean of the ranks of the numbers equal to `value`. */
function thirdOf(value: number, of: readonly number[]): number {
  const below = of.filter((other) => other < value).length
  const equal = of.filter((other) => other === value).length
  return Math.floor((CLASSES * (below + equal / 2)) / of.length)
}
