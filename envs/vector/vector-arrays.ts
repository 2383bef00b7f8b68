import type { EnvSpec, Observation } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { VectorObservation } from '../../src/core/vector-env.ts'

/** All that N envs read and write in a step, as views of one buffer, which threads can share. */
export interface VectorArrays {
  /** float32 [N, actionSize] */
  readonly actions: Float32Array
  readonly rewards: Float64Array
  readonly terminated: Uint8Array
  readonly truncated: Uint8Array
  readonly observation: VectorObservation
  /** The rows of `observation`, one per env. */
  readonly rows: readonly Observation[]
  /** The last observations of episodes that ended within a step. */
  readonly finalRows: readonly Observation[]
}

/** Every array begins at a multiple of the largest element, and no two share a cache line at their border. */
const ALIGNMENT = 64

/** Hands out views of a buffer one after the other; without one it only counts. */
class Cursor {
  bytes = 0
  readonly #buffer: ArrayBufferLike | undefined

  constructor(buffer?: ArrayBufferLike) {
    this.#buffer = buffer
  }

  take<T>(View: TypedArrayConstructor<T>, length: number): T {
    const start = this.bytes
    this.bytes += Math.ceil((length * View.BYTES_PER_ELEMENT) / ALIGNMENT) * ALIGNMENT
    return this.#buffer === undefined ? new View(0) : new View(this.#buffer, start, length)
  }
}

interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number
  new (length: number): T
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T
}

/** Size of the buffer for {@link vectorArrays}. */
export function vectorBytes(spec: EnvSpec, numEnvs: number): number {
  const cursor = new Cursor()
  layOut(cursor, spec, numEnvs)
  return cursor.bytes
}

/** The arrays of `numEnvs` envs in a buffer of {@link vectorBytes} bytes: the same in every thread. */
export function vectorArrays(spec: EnvSpec, numEnvs: number, buffer: ArrayBufferLike): VectorArrays {
  const { finals, ...arrays } = layOut(new Cursor(buffer), spec, numEnvs)
  return {
    ...arrays,
    rows: rowsOf(arrays.observation, numEnvs),
    finalRows: rowsOf(finals, numEnvs),
  }
}

type Layout = Omit<VectorArrays, 'rows' | 'finalRows'> & { readonly finals: VectorObservation }

function layOut(cursor: Cursor, spec: EnvSpec, numEnvs: number): Layout {
  const observation = (): VectorObservation => ({
    proprio: cursor.take(Float32Array, numEnvs * sizeOf(spec.proprioSpace.shape)),
    state: cursor.take(Float32Array, numEnvs * sizeOf(spec.stateSpace.shape)),
    images: Object.fromEntries(
      Object.entries(spec.imageSpaces).map(([name, { shape }]) => [
        name,
        cursor.take(Uint8Array, numEnvs * sizeOf(shape)),
      ]),
    ),
  })
  return {
    actions: cursor.take(Float32Array, numEnvs * sizeOf(spec.actionSpace.shape)),
    rewards: cursor.take(Float64Array, numEnvs),
    terminated: cursor.take(Uint8Array, numEnvs),
    truncated: cursor.take(Uint8Array, numEnvs),
    observation: observation(),
    finals: observation(),
  }
}

function rowsOf({ images, proprio, state }: VectorObservation, numEnvs: number): Observation[] {
  return Array.from({ length: numEnvs }, (_, index) => ({
    images: Object.fromEntries(Object.entries(images).map(([name, image]) => [name, row(image, index, numEnvs)])),
    proprio: row(proprio, index, numEnvs),
    state: row(state, index, numEnvs),
  }))
}

/** Row `index` of an array [numEnvs, ...], not copied. */
export function row<T extends Float32Array | Uint8Array>(array: T, index: number, numEnvs: number): T {
  const size = array.length / numEnvs
  return array.subarray(index * size, (index + 1) * size) as T
}

/** Copies an env's observation into its row. */
export function copyObservation(from: Observation, to: Observation): void {
  to.proprio.set(from.proprio)
  to.state.set(from.state)
  for (const name in to.images) to.images[name]!.set(from.images[name]!)
}
