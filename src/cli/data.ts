import { rm } from 'node:fs/promises'
import type { Dataset, DatasetSpec, EpisodeData } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { checkDataset } from '../io/lerobot/check-dataset.ts'
import { openDataset } from '../io/lerobot/reader.ts'
import { openImportSources } from '../io/import/open-source.ts'
import { LeRobotWriter } from '../io/lerobot/writer.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { table } from './table.ts'

/** What `armature data` does; all but `info` and `check` write a copy. */
export type DataAction = 'info' | 'check' | 'import' | 'repair' | 'delete' | 'trim' | 'relabel' | 'split' | 'merge'

export interface DataFlags {
  /** Folder of the copy. */
  readonly out?: string
  /** Episodes to delete, to split off, or to relabel (default: all). */
  readonly episodes?: readonly number[]
  /** Of a recording that is imported: see `McapMapping`. */
  readonly action?: string
  readonly proprio?: readonly string[]
  readonly fps?: number
  /** What the robot was to do, in words. */
  readonly task?: string
  /** Rows to keep of each episode: the first, and the one after the last. */
  readonly from?: number
  readonly to?: number
}

export interface DataReport {
  readonly ok: boolean
  readonly dataset: string
  readonly episodes: number
  readonly frames: number
  /** A line each. */
  readonly faults: readonly string[]
  /** Folder of the copy, with the numbers that its episodes had before. */
  readonly copy?: { readonly folder: string; readonly from: readonly string[] }
}

/**
 * `armature data`: looks at a recorded dataset, checks it, or writes a changed copy; the dataset itself stays as it is.
 * @throws ArmatureError `bad-argument` for an action without its options; `not-found`; `corrupt-file`; `unwritable`; `interrupted`.
 */
export async function data(
  context: CliContext,
  action: DataAction,
  paths: readonly string[],
  flags: DataFlags,
): Promise<DataReport> {
  if (paths.length !== 1 && action !== 'merge') {
    throw new ArmatureError('bad-argument', `data ${action}`, { expected: 'one dataset', got: String(paths.length) })
  }
  if (action === 'import') return importFrom(context, paths[0]!, flags)
  const datasets = await Promise.all(paths.map((path) => openDataset(path)))
  if (action === 'info') return info(context, datasets[0]!)
  if (action === 'check') return check(context, datasets[0]!)
  const out = requireOut(action, flags)
  return copy(context, await picksOf(context, action, datasets, flags), out, datasets)
}

function requireOut(action: DataAction, { out }: DataFlags): string {
  if (out !== undefined) return out
  throw new ArmatureError('bad-argument', `data ${action}`, { expected: '--out DIR, for the copy' })
}

async function importFrom(context: CliContext, path: string, flags: DataFlags): Promise<DataReport> {
  const out = requireOut('import', flags)
  const { action, proprio, fps, task } = flags
  const sources = await openImportSources(path, {
    ...(action !== undefined && { action }),
    ...(proprio !== undefined && { proprio }),
    ...(fps !== undefined && { fps }),
  })
  try {
    const named = (data: EpisodeData): EpisodeData => ({ ...data, info: { ...data.info, task: task! } })
    const picks = mergePicks(sources).map((pick) => (task === undefined ? pick : { ...pick, change: named }))
    return await copy(context, picks, out, sources)
  } finally {
    for (const source of sources) await source.close?.()
  }
}

function summary(dataset: Dataset): Pick<DataReport, 'dataset' | 'episodes' | 'frames'> {
  const frames = dataset.episodes.reduce((sum, { length }) => sum + length, 0)
  return { dataset: dataset.path, episodes: dataset.episodes.length, frames }
}

function info(context: CliContext, dataset: Dataset): DataReport {
  const { spec, episodes, problems } = dataset
  const { frames } = summary(dataset)
  const cameras = [
    ...Object.entries(spec.cameras).map(([name, { shape }]) => `${name} ${shape.join('x')}`),
    ...Object.entries(spec.depthCameras ?? {}).map(([name, { shape }]) => `${name} ${shape.join('x')} of depth`),
  ]
  const successes = episodes.filter(({ success }) => success === true).length
  const known = episodes.filter(({ success }) => success !== undefined).length
  const rows = [
    ['recorded from', spec.source],
    ['episodes', `${episodes.length}, ${frames} frames at ${spec.fps} a second`],
    ['cameras', cameras.join(', ') || 'none'],
    ['action, proprioception', `${sizeOf(spec.actionSpace.shape)}, ${sizeOf(spec.proprioSpace.shape)} numbers`],
    ['outcomes', known === 0 ? 'not recorded' : `${successes} of ${known} succeeded`],
    ['tasks', [...new Set(episodes.map(({ task }) => task ?? spec.source))].join(', ') || 'none'],
    ['classes', [...new Set(episodes.map(({ policy }) => policy))].join(', ') || 'none'],
  ]
  context.print(table(rows))
  for (const problem of problems) context.print(problem)
  return { ok: true, ...summary(dataset), faults: problems }
}

async function check(context: CliContext, dataset: Dataset): Promise<DataReport> {
  const { faults, whole } = await checked(context, dataset)
  for (const fault of faults) context.print(fault)
  context.print(
    `${dataset.path}  ${whole.length} of ${dataset.episodes.length} episodes read whole, ${faults.length} faults`,
  )
  return { ok: faults.length === 0, ...summary(dataset), faults }
}

async function checked(context: CliContext, dataset: Dataset): ReturnType<typeof checkDataset> {
  const phase = context.progress.phase('check', dataset.episodes.length, { unit: 'episodes' })
  const result = await checkDataset(dataset, (done) => {
    throwIfInterrupted(context)
    phase.update(done)
  })
  phase.finish()
  return result
}

/** An episode that goes into a copy. */
interface Picked {
  readonly dataset: Dataset
  readonly index: number
  readonly change?: (episode: EpisodeData) => EpisodeData
}

async function picksOf(
  context: CliContext,
  action: DataAction,
  datasets: readonly Dataset[],
  { episodes, from, to, task }: DataFlags,
): Promise<Picked[]> {
  const dataset = datasets[0]!
  const all = dataset.episodes.map(({ index }) => index)
  const pick = (indices: readonly number[]): Picked[] => indices.map((index) => ({ dataset, index }))
  if (action === 'merge') return mergePicks(datasets)
  if (action === 'repair') return pick((await checked(context, dataset)).whole)
  if (action === 'trim') return trimPicks(dataset, from ?? 0, to ?? Infinity)
  if (action === 'relabel') return relabelPicks(dataset, task, episodes)
  if (episodes === undefined) throw new ArmatureError('bad-argument', `data ${action}`, { expected: '--episodes' })
  requireEpisodes(dataset, episodes)
  const chosen = new Set(episodes)
  return pick(
    action === 'delete' ? all.filter((index) => !chosen.has(index)) : all.filter((index) => chosen.has(index)),
  )
}

function requireEpisodes({ path, episodes: all }: Dataset, episodes: readonly number[]): void {
  const unknown = episodes.find((wanted) => !all.some(({ index }) => index === wanted))
  if (unknown !== undefined) throw new ArmatureError('not-found', `episode ${unknown} of ${path}`)
}

function relabelPicks(dataset: Dataset, task: string | undefined, episodes: readonly number[] | undefined): Picked[] {
  if (task === undefined || task.trim() === '') {
    throw new ArmatureError('bad-argument', 'data relabel', { expected: '--task TEXT, what the robot was to do' })
  }
  const chosen = episodes ?? dataset.episodes.map(({ index }) => index)
  requireEpisodes(dataset, chosen)
  return dataset.episodes.map(({ index }) => ({
    dataset,
    index,
    ...(chosen.includes(index) && { change: (data: EpisodeData) => ({ ...data, info: { ...data.info, task } }) }),
  }))
}

function mergePicks(datasets: readonly Dataset[]): Picked[] {
  const shape = ({ spec }: Dataset): string => {
    const { cameras, depthCameras, actionSpace, proprioSpace, stateSpace, fps, tellsControllers = false } = spec
    const sizes = Object.entries({ ...cameras, ...depthCameras }).map(
      ([name, space]) => `${name} ${space.shape.join('x')}`,
    )
    const vectors = [actionSpace, proprioSpace, stateSpace].map((space) => sizeOf(space.shape))
    return `${sizes.toSorted().join(', ')}; vectors of ${vectors.join(', ')}; ${fps} frames a second${tellsControllers ? ', and who was in control' : ''}`
  }
  const first = datasets[0]!
  for (const other of datasets.slice(1)) {
    if (shape(other) === shape(first)) continue
    throw new ArmatureError('bad-argument', `merge of ${other.path}`, { expected: shape(first), got: shape(other) })
  }
  return datasets.flatMap((dataset) => dataset.episodes.map(({ index }) => ({ dataset, index })))
}

function trimPicks(dataset: Dataset, from: number, to: number): Picked[] {
  if (!(from < to)) throw new ArmatureError('bad-argument', 'trim', { expected: '--from below --to' })
  return dataset.episodes.map(({ index }) => ({ dataset, index, change: (episode) => trimmed(episode, from, to) }))
}

/** Rows `from` to before `to`; at least one. An end that is cut off takes the outcome with it. */
function trimmed(episode: EpisodeData, from: number, to: number): EpisodeData {
  const { info, images, depth, proprio, state, actions, rewards, controllers } = episode
  const end = Math.min(to, info.length)
  const start = Math.min(from, end - 1)
  const rows = <T extends Float32Array | Uint8Array | Uint16Array>(data: T, count: number, last: number): T => {
    const size = count === 0 ? 0 : data.length / count
    return data.slice(start * size, last * size) as T
  }
  const { success, ...known } = info
  const isWhole = end === info.length
  return {
    ...episode,
    info: {
      ...known,
      length: end - start,
      terminated: info.terminated && isWhole,
      ...(isWhole && success !== undefined && { success }),
    },
    images: mapValues(images, (frames) => rows(frames, info.length, end)),
    ...(depth && { depth: mapValues(depth, (frames) => rows(frames, info.length, end)) }),
    proprio: rows(proprio, info.length, end),
    state: rows(state, info.length, end),
    actions: rows(actions, info.length - 1, end - 1),
    rewards: rows(rewards, info.length - 1, end - 1),
    ...(controllers && { controllers: controllers.slice(start, end - 1) }),
  }
}

function mapValues<T>(of: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, change(value)]))
}

/** The largest number of single precision: JSON has no infinity. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127

/** A spec whose spaces have finite bounds: those of folders that other tools made are unknown, and so infinite. */
function bounded(spec: DatasetSpec): DatasetSpec {
  const finite = (bound: BoxSpace['low']): BoxSpace['low'] =>
    typeof bound === 'number' ? Math.max(-LARGEST, Math.min(LARGEST, bound)) : bound
  const of = (space: BoxSpace): BoxSpace => ({ ...space, low: finite(space.low), high: finite(space.high) })
  const { actionSpace, proprioSpace, stateSpace } = spec
  return { ...spec, actionSpace: of(actionSpace), proprioSpace: of(proprioSpace), stateSpace: of(stateSpace) }
}

async function copy(
  context: CliContext,
  picks: readonly Picked[],
  out: string,
  datasets: readonly Dataset[],
): Promise<DataReport> {
  const faults = datasets.flatMap(({ problems }) => problems)
  if (picks.length === 0) {
    throw new ArmatureError('bad-argument', `copy of ${datasets[0]!.path}`, {
      expected: 'at least one episode that is left',
      got: faults[0] ?? 'none',
    })
  }
  const writer = await LeRobotWriter.create(out, bounded(datasets[0]!.spec), { record: { command: context.command } })
  const phase = context.progress.phase('copy', picks.length, { unit: 'episodes' })
  const from: string[] = []
  let frames = 0
  try {
    for (const { dataset, index, change } of picks) {
      throwIfInterrupted(context)
      const episode = await dataset.readEpisode(index)
      const changed = change?.(episode) ?? episode
      await writer.addEpisode(changed)
      frames += changed.info.length
      from.push(`${dataset.path}, episode ${index}`)
      phase.update(from.length)
    }
  } catch (error) {
    await rm(out, { recursive: true, force: true })
    throw error
  }
  await writer.close()
  phase.finish()
  for (const fault of faults) context.print(`left out: ${fault}`)
  const total = datasets.reduce((sum, { episodes }) => sum + episodes.length, 0)
  context.print(`${out}  ${from.length} of ${total} episodes, ${frames} frames, images as PNG; the source is as it was`)
  return { ok: true, dataset: datasets[0]!.path, episodes: from.length, frames, faults, copy: { folder: out, from } }
}
