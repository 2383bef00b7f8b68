import { createHash } from 'node:crypto'
import type { DType } from '../../src/core/ndarray.ts'
import type { ActionKind, RobotSpec } from '../../src/core/robot.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { bound, imageSpace } from '../../src/core/spaces.ts'
import { sizeOf } from '../../src/core/ndarray.ts'

/** Anything that JSON can say with finite numbers: limits profiles, reset options, what digests are made of. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A vector of a robot: what each element is, in order, with its unit in the name. */
export interface VectorSchema {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** One per element, or empty where the robot names none. */
  readonly names: readonly string[]
  /** One per element. */
  readonly low: readonly number[]
  readonly high: readonly number[]
}

/** A camera of a robot. */
export interface CameraSchema {
  /** [height, width, 3] */
  readonly shape: readonly number[]
  readonly dtype: 'uint8'
  readonly colour: 'rgb8'
  readonly encoding: 'raw'
}

/** What a robot is, as `welcome` tells it. */
export interface RobotSchema {
  readonly name: string
  readonly serial: string
  readonly controlHz: number
  readonly maxEpisodeSteps: number
  readonly isSimulated: boolean
  readonly actionKind: ActionKind
  readonly action: VectorSchema
  readonly proprio: VectorSchema
  readonly state: VectorSchema
  /** Of a robot that can be told what to reach. */
  readonly goal?: VectorSchema
  readonly images: Readonly<Record<string, CameraSchema>>
}

/** The schema of a robot; `goalSpace` where it can be told what to reach. */
export function schemaOf(spec: RobotSpec, goalSpace?: BoxSpace): RobotSchema {
  const images = Object.entries(spec.imageSpaces).map(([name, { shape }]): [string, CameraSchema] => [
    name,
    { shape, dtype: 'uint8', colour: 'rgb8', encoding: 'raw' },
  ])
  return {
    name: spec.name,
    serial: spec.serial,
    controlHz: spec.controlHz,
    maxEpisodeSteps: spec.maxEpisodeSteps,
    isSimulated: spec.isSimulated,
    actionKind: spec.actionKind,
    action: vectorSchema(spec.actionSpace),
    proprio: vectorSchema(spec.proprioSpace),
    state: vectorSchema(spec.stateSpace),
    ...(goalSpace === undefined ? {} : { goal: vectorSchema(goalSpace) }),
    images: Object.fromEntries(images),
  }
}

function vectorSchema(space: BoxSpace): VectorSchema {
  const indices = Array.from({ length: sizeOf(space.shape) }, (_, i) => i)
  return {
    dtype: space.dtype,
    shape: space.shape,
    names: space.names ?? [],
    low: indices.map((i) => bound(space.low, i)),
    high: indices.map((i) => bound(space.high, i)),
  }
}

/** The space that a vector's schema describes; the reverse of what {@link schemaOf} does. */
export function spaceOf(vector: VectorSchema): BoxSpace {
  const { dtype, shape, low, high, names } = vector
  return names.length === 0 ? { dtype, shape, low, high } : { dtype, shape, low, high, names }
}

/** The spec of a robot with that schema; the reverse of what {@link schemaOf} does. */
export function specOfSchema(schema: RobotSchema): RobotSpec {
  const cameras = Object.entries(schema.images).map(([name, { shape }]) => [name, imageSpace(shape[0]!, shape[1]!)])
  const { name, serial, actionKind, controlHz, maxEpisodeSteps, isSimulated } = schema
  return {
    name,
    serial,
    actionSpace: spaceOf(schema.action),
    actionKind,
    proprioSpace: spaceOf(schema.proprio),
    stateSpace: spaceOf(schema.state),
    imageSpaces: Object.fromEntries(cameras) as RobotSpec['imageSpaces'],
    controlHz,
    maxEpisodeSteps,
    isSimulated,
  }
}

/**
 * What must be the same for a policy to understand a robot's observations: names, order, units and sizes of what it measures, cameras
 * with their colour order and encoding. Not the bounds, and not the privileged state, which hardware lacks.
 */
export function observationDigest(schema: RobotSchema): string {
  const { dtype, shape, names } = schema.proprio
  return digestOf({ images: schema.images as unknown as Json, proprio: { dtype, shape, names } })
}

/** What must be the same for a robot to understand a policy's actions: kind, rate, names, sizes and the bounds that they are scaled by. */
export function actionDigest(schema: RobotSchema): string {
  const { dtype, shape, names, low, high } = schema.action
  return digestOf({ dtype, shape, names, low, high, kind: schema.actionKind, hz: schema.controlHz })
}

/**
 * What `got` has instead of what `wanted` has, a clause for each field that a digest covers; empty where both digests are the same.
 *
 * @example schemaDifferences(trainedFor, client.schema) // ['control rate 20 Hz instead of 50 Hz']
 */
export function schemaDifferences(wanted: RobotSchema, got: RobotSchema): readonly string[] {
  const cameras = [...new Set([...Object.keys(wanted.images), ...Object.keys(got.images)])]
  const camera = ({ images }: RobotSchema, name: string): string => {
    const { shape, dtype, colour, encoding } = images[name] ?? {}
    return shape === undefined ? 'none' : `${shape.join('x')} ${[dtype, colour, encoding].join(' ')}`
  }
  const rows: [string, (schema: RobotSchema) => string | readonly (string | number)[]][] = [
    ['action kind', ({ actionKind }) => actionKind],
    ['control rate', ({ controlHz }) => `${controlHz} Hz`],
    ...(['names', 'shape', 'dtype', 'low', 'high'] as const).map((field): (typeof rows)[number] => [
      `action ${field}`,
      ({ action }) => action[field],
    ]),
    ...(['names', 'shape', 'dtype'] as const).map((field): (typeof rows)[number] => [
      `proprio ${field}`,
      ({ proprio }) => proprio[field],
    ]),
    ...cameras.map((name): (typeof rows)[number] => [`camera ${name}`, (schema) => camera(schema, name)]),
  ]
  const differing = rows.filter(([, of]) => canonicalJson(of(wanted)) !== canonicalJson(of(got)))
  return differing.map(([what, of]) => `${what} ${textOf(of(got))} instead of ${textOf(of(wanted))}`)
}

function textOf(value: string | readonly (string | number)[]): string {
  return typeof value === 'string' ? value : `[${value.join(', ')}]`
}

/** SHA-256 in hex of the canonical JSON of `value` (RFC 8785: keys sorted, no spaces, numbers as ECMAScript writes them). */
export function digestOf(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/** Numbers that JSON cannot say are the strings `Infinity`, `-Infinity` and `NaN`. */
function canonicalJson(value: Json): string {
  if (typeof value === 'number') return JSON.stringify(Number.isFinite(value) ? value : String(value))
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const entries = Object.entries(value as { readonly [key: string]: Json })
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
}
