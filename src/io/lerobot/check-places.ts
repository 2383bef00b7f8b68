import type { EpisodeEntry } from './episode-entry.ts'
import type { DatasetInfo } from './foreign.ts'

/** Of the time between two frames, by which times in meta/episodes may be off. */
const TOLERANCE = 0.5

/**
 * Holds what a folder says of its episodes against itself: totals, lengths and rows, and the stretches of shared videos. A line for each
 * difference, which names the episode and the column.
 *
 * @param isOwn whether it was recorded here
 */
export function checkPlaces(
  path: string,
  info: DatasetInfo,
  entries: readonly EpisodeEntry[],
  isOwn: boolean,
): string[] {
  return [...checkTotals(path, info, entries, isOwn), ...checkStretches(path, info.fps, entries)]
}

function checkTotals(
  path: string,
  { totalEpisodes, totalFrames }: DatasetInfo,
  entries: readonly EpisodeEntry[],
  isOwn: boolean,
): string[] {
  const frames = entries.reduce((sum, { info }) => sum + info.length, 0)
  const lines: string[] = []
  // A recording writes its totals last: when it was killed in between, they are one episode behind.
  const isBehind = totalEpisodes === entries.length - 1 && isOwn
  if (totalEpisodes !== undefined && totalEpisodes !== entries.length && !isBehind) {
    lines.push(`${path}: total_episodes is ${totalEpisodes}, but ${entries.length} are listed`)
  }
  if (totalFrames !== undefined && totalFrames !== frames && totalEpisodes === entries.length) {
    lines.push(`${path}: total_frames is ${totalFrames}, but the listed episodes have ${frames}`)
  }
  return lines
}

function checkStretches(path: string, fps: number, entries: readonly EpisodeEntry[]): string[] {
  const lines: string[] = []
  const toleranceS = TOLERANCE / fps
  const byFile = new Map<string, { episode: number; fromS: number; toS: number }[]>()
  for (const { info, videos } of entries) {
    for (const [camera, { file, fromS, toS }] of Object.entries(videos)) {
      const neededS = info.length / fps
      if (toS !== undefined && Math.abs(toS - fromS - neededS) > toleranceS) {
        const said = `${(toS - fromS).toFixed(3)} s of ${camera}`
        lines.push(
          `episode ${info.index} of ${path}: to_timestamp says ${said}, its ${info.length} rows take ${neededS.toFixed(3)} s`,
        )
      }
      const stretches = byFile.get(file) ?? []
      byFile.set(file, stretches)
      stretches.push({ episode: info.index, fromS, toS: fromS + neededS })
    }
  }
  for (const [file, stretches] of byFile) {
    const sorted = stretches.toSorted((a, b) => a.fromS - b.fromS)
    for (const [i, next] of sorted.slice(1).entries()) {
      const { episode, toS } = sorted[i]!
      if (next.fromS >= toS - toleranceS) continue
      lines.push(
        `episode ${next.episode}: from_timestamp ${next.fromS.toFixed(3)} s of ${file} is before episode ${episode} ends (${toS.toFixed(3)} s)`,
      )
    }
  }
  return lines
}
