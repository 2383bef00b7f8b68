import { ArmatureError } from './errors.ts'
import type { Metrics, NamedArrays } from './ndarray.ts'
import { sizeOf } from './ndarray.ts'

/** Transitions as the agent sees them, row-major, B rows. */
export interface TransitionBatch {
  readonly size: number
  /** [B, observationSize] */
  readonly observation: Float32Array
  /** [B, actionSize], as executed, in [-1, 1] */
  readonly action: Float32Array
  /** [B]; in n-step batches the discounted sum of the n rewards */
  readonly reward: Float32Array
  /** [B, observationSize], the observation to bootstrap from */
  readonly nextObservation: Float32Array
  /** [B], gamma^n where the episode goes on or only ran out of time, 0 where it terminated */
  readonly discount: Float32Array
  /** uint8 [B, ...frameShape], beside `observation` and `nextObservation`: there for an agent that looks at frames */
  readonly frames?: Uint8Array
  readonly nextFrames?: Uint8Array
}

/** `sample` explores, `mean` is the deterministic policy. */
export type ActMode = 'sample' | 'mean'

export interface AgentSpec {
  readonly name: string
  /** Numbers of a vector observation; 0 only for an agent that looks at frames. */
  readonly observationSize: number
  readonly actionSize: number
  /** Numbers at the end of a vector observation that are a goal as it is; absent: none that the agent needs to know of. */
  readonly goalSize?: number
  /** Of the uint8 frames that it looks at besides, through a feature network that it was given; absent: it sees vectors alone. */
  readonly frameShape?: readonly number[]
  /** Whether it sees its vectors through a feature network that it was given; default false. */
  readonly hasVectorNetwork?: boolean
}

/**
 * A learner that acts on vectors, or on frames through a feature network that it was given. It knows no goals and no env: a
 * goal-conditioned agent gets the observation and the way to the goal in one vector.
 *
 * Errors: `bad-shape` when a batch does not match `spec`; `bad-value` for NaN in a batch, before any weight changes.
 */
export interface Agent {
  readonly spec: AgentSpec
  /** Actions [count, actionSize] in [-1, 1] for observations [count, observationSize], and uint8 frames [count, ...frameShape] where it looks at them. */
  act(observations: Float32Array, count: number, mode: ActMode, frames?: Uint8Array): Promise<Float32Array>
  /** One update of everything that learns; scalars under the names in `docs/metrics.md`. */
  update(batch: TransitionBatch): Promise<Metrics>
  /** Weights, optimiser state and the agent's own random stream, by name; `restore` takes what `save` returned. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
  dispose(): void
}

/**
 * Checks a batch before an agent learns from it.
 * @throws ArmatureError `bad-shape` or `bad-value` that names the field.
 */
export function checkTransitions(
  { name, observationSize, actionSize, frameShape }: AgentSpec,
  batch: TransitionBatch,
): void {
  const { size, frames, nextFrames } = batch
  const fields = {
    observation: [size, observationSize],
    action: [size, actionSize],
    reward: [size],
    nextObservation: [size, observationSize],
    discount: [size],
  } as const
  for (const [field, shape] of Object.entries(fields)) {
    const data = batch[field as keyof typeof fields]
    const length = shape[0] * (shape[1] ?? 1)
    if (size < 1 || data.length !== length) {
      throw new ArmatureError('bad-shape', `${name} update: ${field}`, {
        expected: `${length} numbers for [${shape.join(', ')}]`,
        got: String(data.length),
      })
    }
    const bad = data.findIndex((x) => !Number.isFinite(x))
    if (bad >= 0) throw new ArmatureError('bad-value', `${name} update: ${field}`, { got: `${data[bad]} at ${bad}` })
  }
  if (frameShape === undefined) return
  checkFrames(`${name} update: frames`, [size, ...frameShape], frames)
  checkFrames(`${name} update: nextFrames`, [size, ...frameShape], nextFrames)
}

function checkFrames(what: string, shape: readonly number[], frames: Uint8Array | undefined): void {
  if (frames?.length === sizeOf(shape)) return
  throw new ArmatureError('bad-shape', what, {
    expected: `${sizeOf(shape)} bytes for [${shape.join(', ')}]`,
    got: frames === undefined ? 'none' : String(frames.length),
  })
}

/**
 * Checks observations before an agent acts on them: a robot must not move on NaN.
 * @throws ArmatureError `bad-shape` or `bad-value`.
 */
export function checkObservations(
  { name, observationSize, frameShape }: AgentSpec,
  data: Float32Array,
  count: number,
  frames?: Uint8Array,
): void {
  if (count < 1 || data.length !== count * observationSize) {
    throw new ArmatureError('bad-shape', `${name} act: observations`, {
      expected: `[${count}, ${observationSize}] with at least one row`,
      got: `${data.length} numbers`,
    })
  }
  const bad = data.findIndex((x) => !Number.isFinite(x))
  if (bad >= 0) throw new ArmatureError('bad-value', `${name} act: observations`, { got: `${data[bad]} at ${bad}` })
  if (frameShape !== undefined) checkFrames(`${name} act: frames`, [count, ...frameShape], frames)
}
