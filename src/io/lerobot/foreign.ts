import type { DatasetSpec } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { COLUMNS } from './layout.ts'
import { isObject } from './recording.ts'

/** What is read of info.json. */
export interface DatasetInfo {
  readonly version: 'v2' | 'v3'
  readonly robotType: string
  readonly fps: number
  readonly chunksSize: number
  readonly dataPath: string
  readonly videoPath: string
  readonly features: Readonly<Record<string, InfoFeature>>
}

interface InfoFeature {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly names: unknown
}

/** A camera's column, or its folder of videos. */
export interface CameraSource {
  readonly key: string
  readonly isVideo: boolean
}

/** @throws ArmatureError `corrupt-file`; `bad-argument` for a version that is not read. */
export function parseInfo(file: string, value: unknown): DatasetInfo {
  const fail = (expected: string): ArmatureError => new ArmatureError('corrupt-file', file, { expected })
  if (!isObject(value)) throw fail('an object')
  const { codebase_version: version, fps, features, data_path: dataPath, video_path: videoPath } = value
  const major = /^v([23])\./.exec(String(version))?.[1]
  if (major === undefined) {
    throw new ArmatureError('bad-argument', file, { expected: 'codebase_version v3.0 or v2.1', got: String(version) })
  }
  if (typeof fps !== 'number' || !(fps > 0)) throw fail('fps above 0')
  if (typeof dataPath !== 'string') throw fail('data_path')
  if (!isObject(features) || !Object.values(features).every(isFeature)) throw fail('features with dtype and shape')
  return {
    version: major === '3' ? 'v3' : 'v2',
    robotType: typeof value['robot_type'] === 'string' ? value['robot_type'] : 'unknown',
    fps,
    chunksSize: typeof value['chunks_size'] === 'number' ? value['chunks_size'] : 1000,
    dataPath,
    videoPath: typeof videoPath === 'string' ? videoPath : '',
    features: features as Readonly<Record<string, InfoFeature>>,
  }
}

function isFeature(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['dtype'] === 'string' &&
    Array.isArray(value['shape']) &&
    value['shape'].every((n) => Number.isInteger(n))
  )
}

/** The cameras among the features: by LeRobot's names for them, or whatever they are called. */
export function cameraSources({ features }: DatasetInfo): Readonly<Record<string, CameraSource>> {
  const keys = Object.keys(features).filter((key) => ['image', 'video'].includes(features[key]!.dtype))
  const short = (key: string): string => key.replace(/^observation\.(images\.)?/, '')
  const isUnique = new Set(keys.map(short)).size === keys.length
  return Object.fromEntries(
    keys.map((key) => [isUnique ? short(key) : key, { key, isVideo: features[key]!.dtype === 'video' }]),
  )
}

/** What `info` tells of a dataset that was not made here. Bounds are not known of it. */
export function foreignSpec(info: DatasetInfo): DatasetSpec {
  const cameras = Object.entries(cameraSources(info)).map(([name, { key }]) => {
    const { shape, names } = info.features[key]!
    return [name, { dtype: 'uint8', shape: rowMajor(shape, names), low: 0, high: 255 }] as const
  })
  return {
    source: info.robotType,
    fps: info.fps,
    cameras: Object.fromEntries(cameras),
    actionSpace: vectorSpace(info.features[COLUMNS.action]),
    proprioSpace: vectorSpace(info.features[COLUMNS.proprio]),
    stateSpace: vectorSpace(info.features[COLUMNS.state]),
  }
}

/** [height, width, 3], whichever way round it is said. */
function rowMajor(shape: readonly number[], names: unknown): number[] {
  const isChannelFirst = Array.isArray(names) ? /^channels?$/.test(String(names[0])) : shape[0] === 3 && shape[2] !== 3
  const [height, width] = isChannelFirst ? shape.slice(1) : shape
  return [height ?? 0, width ?? 0, 3]
}

function vectorSpace(feature: InfoFeature | undefined): BoxSpace {
  const size = feature === undefined ? 0 : sizeOf(feature.shape)
  const names = namesOf(feature?.names)
  const space: BoxSpace = { dtype: 'float32', shape: [size], low: -Infinity, high: Infinity }
  return names?.length === size && size > 0 ? { ...space, names } : space
}

/** A list of names, or one by the part that they belong to, e.g. `{ motors: [...] }`. */
function namesOf(names: unknown): readonly string[] | undefined {
  const list = isObject(names) ? Object.values(names).flat() : names
  return Array.isArray(list) && list.every((name) => typeof name === 'string') ? list : undefined
}
