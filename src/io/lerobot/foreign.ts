import type { DatasetSpec, DepthSpace } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { COLUMNS } from './layout.ts'
import { isObject } from './recording.ts'

/** What is read of info.json. */
export interface DatasetInfo {
  readonly version: 'v2' | 'v3'
  /** What info.json says otherwise than is expected, a line each. */
  readonly warnings: readonly string[]
  /** As the folder says; undefined where it does not. */
  readonly totalEpisodes: number | undefined
  readonly totalFrames: number | undefined
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
  /** Of videos. */
  readonly info?: unknown
}

/** A camera's column, or its folder of videos. */
export interface CameraSource {
  readonly key: string
  readonly isVideo: boolean
  /** Of distances, as images of one channel. */
  readonly isDepth: boolean
}

/** @throws ArmatureError `corrupt-file`; `bad-argument` for a version that is not read. */
export function parseInfo(file: string, value: unknown): DatasetInfo {
  const fail = (expected: string): ArmatureError => new ArmatureError('corrupt-file', file, { expected })
  if (!isObject(value)) throw fail('an object')
  const { codebase_version: version, fps, features, data_path: dataPath, video_path: videoPath } = value
  const [, major, minor] = /^v([23])\.(\d+)$/.exec(String(version)) ?? []
  if (major === undefined) {
    throw new ArmatureError('bad-argument', file, {
      expected: 'codebase_version v3.0, v2.1 or v2.0',
      got: typeof version === 'string' ? version : (JSON.stringify(version) ?? 'none'),
      fix: 'convert it with the tools of the version of LeRobot that wrote it',
    })
  }
  if (typeof fps !== 'number' || !(fps > 0 && fps < Infinity)) throw fail('fps above 0')
  if (typeof dataPath !== 'string') throw fail('data_path')
  if (!isObject(features) || !Object.values(features).every(isFeature)) throw fail('features with dtype and shape')
  if (Object.keys(features).some((name) => name.endsWith('__proto__')))
    throw fail('features of other names than __proto__')
  const odd = Object.entries(features as Record<string, InfoFeature>).find(([, feature]) => !isOfSensibleSize(feature))
  if (odd !== undefined) {
    throw fail(
      `${odd[0]} of at most ${MAX_PIXELS} pixels a side or ${MAX_NUMBERS} numbers, not [${odd[1].shape.join(', ')}]`,
    )
  }
  const reward = (features as Record<string, InfoFeature>)[COLUMNS.reward]
  if (reward !== undefined && sizeOf(reward.shape) !== 1) {
    throw fail(`${COLUMNS.reward} of one number, not [${reward.shape.join(', ')}]`)
  }
  return {
    version: major === '3' ? 'v3' : 'v2',
    warnings: warningsOf(file, `v${major}.${minor}`, fps, features as Readonly<Record<string, InfoFeature>>),
    totalEpisodes: countOf(value['total_episodes']),
    totalFrames: countOf(value['total_frames']),
    robotType: typeof value['robot_type'] === 'string' ? value['robot_type'] : 'unknown',
    fps,
    chunksSize: typeof value['chunks_size'] === 'number' ? value['chunks_size'] : 1000,
    dataPath,
    videoPath: typeof videoPath === 'string' ? videoPath : '',
    features: features as Readonly<Record<string, InfoFeature>>,
  }
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

/** A declared size is memory that reading will take. */
const MAX_PIXELS = 16_384
const MAX_NUMBERS = 1_000_000

function isOfSensibleSize({ dtype, shape }: InfoFeature): boolean {
  if (!['image', 'video'].includes(dtype)) return sizeOf(shape) <= MAX_NUMBERS
  return [2, 3].includes(shape.length) && shape.every((n) => n > 0 && n <= MAX_PIXELS)
}

/** Minor versions that are known. */
const VERSIONS = ['v2.0', 'v2.1', 'v3.0']

function warningsOf(
  file: string,
  version: string,
  fps: number,
  features: Readonly<Record<string, InfoFeature>>,
): string[] {
  const warnings = VERSIONS.includes(version)
    ? []
    : [`${file}: version ${version} is newer than ${VERSIONS.join(', ')} and read as if it were the last of them`]
  for (const [name, feature] of Object.entries(features)) {
    const { dtype, shape, names, info } = feature
    if (dtype !== 'video' || !isObject(info)) continue
    if (isDepth(feature)) {
      warnings.push(`${file}: ${name} is a video of depth, which is not read: only images of depth are`)
      continue
    }
    const [height, width] = sizeOfFrames(shape, names)
    const said = { 'video.height': height, 'video.width': width, 'video.fps': fps }
    for (const [key, value] of Object.entries(said)) {
      const other = info[key]
      if (typeof other !== 'number' || other === value) continue
      warnings.push(
        `${file}: ${name}: ${key} is ${other}, but ${key === 'video.fps' ? 'fps' : 'its shape'} says ${value}`,
      )
    }
  }
  return warnings
}

function isFeature(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['dtype'] === 'string' &&
    Array.isArray(value['shape']) &&
    value['shape'].every((n) => Number.isInteger(n) && n >= 0)
  )
}

/** The cameras among the features: by LeRobot's names for them, or whatever they are called. */
export function cameraSources({ features }: DatasetInfo): Readonly<Record<string, CameraSource>> {
  const keys = Object.keys(features).filter((key) => isCamera(features[key]!))
  const short = (key: string): string => key.replace(/^observation\.(images\.)?/, '')
  const isUnique = new Set(keys.map(short)).size === keys.length
  return Object.fromEntries(
    keys.map((key) => [
      isUnique ? short(key) : key,
      { key, isVideo: features[key]!.dtype === 'video', isDepth: isDepth(features[key]!) },
    ]),
  )
}

function isCamera(feature: InfoFeature): boolean {
  return feature.dtype === 'image' || (feature.dtype === 'video' && !isDepth(feature))
}

/** Said to be, or of one channel where a camera has three: grey images of an RGB camera are declared with three, too. */
function isDepth({ dtype, shape, names, info }: InfoFeature): boolean {
  const said = isObject(info) ? (info['video.is_depth_map'] ?? info['is_depth_map']) : undefined
  if (typeof said === 'boolean' && (said || dtype === 'video')) return said
  return dtype === 'image' && channelsOf(shape, names) === 1
}

/** What `info` tells of a dataset that was not made here. Bounds are not known of it. */
export function foreignSpec(info: DatasetInfo): DatasetSpec {
  const cameras: Record<string, BoxSpace> = {}
  const depthCameras: Record<string, DepthSpace> = {}
  for (const [name, { key, isDepth: isOfDepth }] of Object.entries(cameraSources(info))) {
    const { shape, names } = info.features[key]!
    const [height, width] = sizeOfFrames(shape, names)
    if (isOfDepth) depthCameras[name] = { shape: [height, width] }
    else cameras[name] = { dtype: 'uint8', shape: [height, width, 3], low: 0, high: 255 }
  }
  return {
    source: info.robotType,
    fps: info.fps,
    cameras,
    ...(Object.keys(depthCameras).length > 0 && { depthCameras }),
    actionSpace: vectorSpace(info.features[COLUMNS.action]),
    proprioSpace: vectorSpace(info.features[COLUMNS.proprio]),
    stateSpace: vectorSpace(info.features[COLUMNS.state]),
  }
}

/** Height and width, whichever way round the channels are said. */
function sizeOfFrames(shape: readonly number[], names: unknown): [height: number, width: number] {
  const [height, width] = isChannelFirst(shape, names) ? shape.slice(1) : shape
  return [height ?? 0, width ?? 0]
}

function channelsOf(shape: readonly number[], names: unknown): number {
  if (shape.length < 3) return 1
  return (isChannelFirst(shape, names) ? shape[0] : shape[2]) ?? 1
}

function isChannelFirst(shape: readonly number[], names: unknown): boolean {
  if (shape.length < 3) return false
  if (Array.isArray(names)) return /^channels?$/.test(String(names[0]))
  return [1, 3].includes(shape[0]!) && ![1, 3].includes(shape[2]!)
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
