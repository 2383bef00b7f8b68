import type { ColumnSource, SchemaElement } from 'hyparquet-writer'
import type { DatasetSpec, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { encodePng } from '../png.ts'
import { flat, list, rootOf, text } from './columns.ts'
import { COLUMNS, EXTRAS, filePlace } from './layout.ts'

/** Where an episode's frames went. */
export interface EpisodePlace {
  readonly dataFile: number
  readonly videoFile?: number
  /** File of meta/episodes that the row goes to. */
  readonly rowFile: number
  /** Row of its first frame in the whole dataset. */
  readonly firstFrame: number
  readonly task: string
  /** See {@link episodeDigest}. */
  readonly sha256: string
}

/** Columns of meta/episodes that say in which file something is, in LeRobot's names. */
export function placeColumns(of: string): readonly [chunk: string, file: string] {
  return [`${of}/chunk_index`, `${of}/file_index`]
}

function videoKeys(spec: DatasetSpec): string[] {
  return Object.keys(spec.cameras).map((camera) => `videos/${COLUMNS.imagePrefix}${camera}`)
}

/** Schema of meta/episodes: LeRobot's columns, then ours. */
export function episodeSchema(spec: DatasetSpec, images: 'png' | 'mp4'): SchemaElement[] {
  const integers = (...names: readonly string[]): SchemaElement[][] => names.map((name) => [flat(name, 'INT64')])
  const videos = (images === 'mp4' ? videoKeys(spec) : []).flatMap((key) => [
    ...integers(...placeColumns(key)),
    [flat(`${key}/from_timestamp`, 'DOUBLE')],
    [flat(`${key}/to_timestamp`, 'DOUBLE')],
  ])
  return rootOf([
    ...integers('episode_index'),
    list('tasks', { type: 'BYTE_ARRAY', converted_type: 'UTF8' }),
    ...integers('length', 'dataset_from_index', 'dataset_to_index', ...placeColumns('data')),
    ...videos,
    ...integers(...placeColumns('meta/episodes')),
    ...integers(EXTRAS.seed),
    [text(EXTRAS.policy)],
    list(EXTRAS.objects, { type: 'INT64' }),
    [text(EXTRAS.distractor)],
    [text(EXTRAS.looks)],
    list(EXTRAS.goal, { type: 'FLOAT' }),
    [flat(EXTRAS.success, 'BOOLEAN')],
    [flat(EXTRAS.terminated, 'BOOLEAN')],
    [text(EXTRAS.sha256)],
    ...Object.keys(spec.cameras).map((camera) => [flat(`${EXTRAS.goalImagePrefix}${camera}`, 'BYTE_ARRAY')]),
  ])
}

/** The row of one episode, in the order of {@link episodeSchema}. */
export function episodeColumns(
  spec: DatasetSpec,
  info: EpisodeInfo,
  goalImages: EpisodeData['goalImages'],
  place: EpisodePlace,
): ColumnSource[] {
  const integer = (name: string, value: number | undefined): ColumnSource => ({
    name,
    data: [value === undefined ? null : BigInt(value)],
  })
  const value = (name: string, item: unknown): ColumnSource => ({ name, data: [item ?? null] })
  const at = (of: string, file: number): ColumnSource[] => {
    const [chunk, number] = placeColumns(of)
    const { chunk_index, file_index } = filePlace(file)
    return [integer(chunk, chunk_index), integer(number, file_index)]
  }
  const { videoFile } = place
  const videos = (videoFile === undefined ? [] : videoKeys(spec)).flatMap((key) => [
    ...at(key, videoFile!),
    value(`${key}/from_timestamp`, 0),
    value(`${key}/to_timestamp`, info.length / Math.max(1, Math.round(spec.fps))),
  ])
  return [
    integer('episode_index', info.index),
    value('tasks', [place.task]),
    integer('length', info.length),
    integer('dataset_from_index', place.firstFrame),
    integer('dataset_to_index', place.firstFrame + info.length),
    ...at('data', place.dataFile),
    ...videos,
    ...at('meta/episodes', place.rowFile),
    integer(EXTRAS.seed, info.seed),
    value(EXTRAS.policy, info.policy),
    value(EXTRAS.objects, info.objects.map(BigInt)),
    value(EXTRAS.distractor, info.distractor),
    value(EXTRAS.looks, info.looks && JSON.stringify(info.looks)),
    value(EXTRAS.goal, info.goal && [...info.goal]),
    value(EXTRAS.success, info.success),
    value(EXTRAS.terminated, info.terminated),
    value(EXTRAS.sha256, place.sha256),
    ...Object.entries(spec.cameras).map(([camera, { shape }]) => {
      const image = goalImages?.[camera]
      const png = image && encodePng({ data: image, width: shape[1]!, height: shape[0]! })
      return value(`${EXTRAS.goalImagePrefix}${camera}`, png)
    }),
  ]
}
