import type { ColumnSource, SchemaElement } from 'hyparquet-writer'
import type { DatasetSpec } from '../../core/dataset.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { COLUMNS } from './layout.ts'

/** An entry of `features` in info.json. */
export interface Feature {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly names: readonly string[] | null
  readonly info?: Readonly<Record<string, unknown>>
}

/** Types of flat columns by LeRobot's names for them. */
const TYPES = { float32: 'FLOAT', int64: 'INT64', bool: 'BOOLEAN' } as const

/** The vectors of `spec` that are not empty, by column. */
export function vectorsOf(spec: DatasetSpec): Readonly<Record<string, BoxSpace>> {
  const all = {
    [COLUMNS.proprio]: spec.proprioSpace,
    [COLUMNS.state]: spec.stateSpace,
    [COLUMNS.action]: spec.actionSpace,
  }
  return Object.fromEntries(Object.entries(all).filter(([, { shape }]) => sizeOf(shape) > 0))
}

/** `features` of info.json, in the order of the columns; videos have no column. */
export function featuresOf(spec: DatasetSpec, images: 'png' | 'mp4', fps: number): Record<string, Feature> {
  const scalar = (dtype: keyof typeof TYPES): Feature => ({ dtype, shape: [1], names: null })
  const features: Record<string, Feature> = {}
  for (const [camera, { shape }] of Object.entries(spec.cameras)) {
    const names = ['height', 'width', 'channels']
    features[`${COLUMNS.imagePrefix}${camera}`] =
      images === 'png'
        ? { dtype: 'image', shape, names }
        : { dtype: 'video', shape, names, info: videoInfo(shape, fps) }
  }
  for (const [camera, { shape }] of Object.entries(spec.depthCameras ?? {})) {
    const info = { is_depth_map: true }
    const names = ['height', 'width', 'channels']
    features[`${COLUMNS.imagePrefix}${camera}`] = { dtype: 'image', shape: [...shape, 1], names, info }
  }
  for (const [column, { shape, names }] of Object.entries(vectorsOf(spec))) {
    features[column] = { dtype: 'float32', shape: [sizeOf(shape)], names: names ?? null }
  }
  return {
    ...features,
    [COLUMNS.reward]: scalar('float32'),
    [COLUMNS.done]: scalar('bool'),
    [COLUMNS.truncated]: scalar('bool'),
    [COLUMNS.success]: scalar('bool'),
    [COLUMNS.isLast]: scalar('bool'),
    [COLUMNS.timestamp]: scalar('float32'),
    [COLUMNS.frameIndex]: scalar('int64'),
    [COLUMNS.episodeIndex]: scalar('int64'),
    [COLUMNS.index]: scalar('int64'),
    [COLUMNS.taskIndex]: scalar('int64'),
    ...(spec.tellsControllers === true ? { [COLUMNS.controller]: { dtype: 'string', shape: [1], names: null } } : {}),
  }
}

function videoInfo([height, width]: readonly number[], fps: number): Record<string, unknown> {
  return {
    'video.height': height,
    'video.width': width,
    'video.codec': 'h264',
    'video.pix_fmt': 'yuv420p',
    'video.fps': fps,
    'video.channels': 3,
    'video.is_depth_map': false,
    has_audio: false,
  }
}

/** Schema of the data files. */
export function dataSchema(features: Readonly<Record<string, Feature>>): SchemaElement[] {
  const columns = Object.entries(features).filter(([, { dtype }]) => dtype !== 'video')
  return rootOf(columns.map(([name, { dtype, shape }]) => featureSchema(name, dtype, shape)))
}

function featureSchema(name: string, dtype: string, [size]: readonly number[]): SchemaElement[] {
  if (dtype === 'image') {
    return [
      { name, repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ]
  }
  if (dtype === 'string') return [text(name)]
  const type = TYPES[dtype as keyof typeof TYPES]
  return size === 1 ? [flat(name, type)] : list(name, { type })
}

/** The root of a schema and its columns. */
export function rootOf(columns: readonly SchemaElement[][]): SchemaElement[] {
  return [{ name: 'schema', num_children: columns.length }, ...columns.flat()]
}

export function flat(name: string, type: NonNullable<SchemaElement['type']>): SchemaElement {
  return { name, type, repetition_type: 'OPTIONAL' }
}

export function text(name: string): SchemaElement {
  return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }
}

/** A list, in the three levels that Arrow writes. */
export function list(name: string, element: Omit<SchemaElement, 'name'>): SchemaElement[] {
  return [
    { name, converted_type: 'LIST', repetition_type: 'OPTIONAL', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { ...element, name: 'element', repetition_type: 'OPTIONAL' },
  ]
}

/** `features` as Hugging Face's `datasets` looks for them in a parquet file, without which images would be plain bytes to it. */
export function huggingFaceFeatures(features: Readonly<Record<string, Feature>>): string {
  const columns = Object.entries(features).filter(([, { dtype }]) => dtype !== 'video')
  const described = columns.map(([name, { dtype, shape }]) => {
    if (dtype === 'image') return [name, { _type: 'Image' }]
    const value = { dtype, _type: 'Value' }
    return [name, shape[0] === 1 ? value : { feature: value, length: shape[0], _type: 'Sequence' }]
  })
  return JSON.stringify({ info: { features: Object.fromEntries(described) as unknown } })
}

/** Rows of [rows, size] as a column: numbers where `size` is 1, as LeRobot has it, else lists. */
export function vectorColumn(name: string, data: Float32Array, rows: number): ColumnSource {
  const size = data.length / rows
  if (size === 1) return { name, data }
  return { name, data: Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * size, (i + 1) * size))) }
}

/** int64 columns take BigInts. */
export function integerColumn(name: string, rows: number, value: (row: number) => number): ColumnSource {
  return { name, data: BigInt64Array.from({ length: rows }, (_, row) => BigInt(value(row))) }
}
