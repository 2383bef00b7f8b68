import { ArmatureError } from './errors.ts'
import type { Metrics, NamedArrays } from './ndarray.ts'

/** Transitions in the agent's own coordinates (latents, not pixels), row-major, B rows. */
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
}

/** `sample` explores, `mean` is the deterministic policy. */
export type ActMode = 'sample' | 'mean'

export interface AgentSpec {
  readonly name: string
  readonly observationSize: number
  readonly actionSize: number
}

/**
 * A learner that acts on vectors. It never sees pixels, goals or an env: a goal-conditioned agent gets the observation and the way
 * to the goal in one vector.
 *
 * Errors: `bad-shape` when a batch does not match `spec`; `bad-value` for NaN in a batch, before any weight changes.
 */
export interface Agent {
  readonly spec: AgentSpec
  /** Actions [count, actionSize] in [-1, 1] for observations [count, observationSize]. */
  act(observations: Float32Array, count: number, mode: ActMode): Promise<Float32Array>
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
export function checkTransitions({ name, observationSize, actionSize }: AgentSpec, batch: TransitionBatch): void {
  const { size } = batch
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
}

/**
 * Checks observations before an agent acts on them: a robot must not move on NaN.
 * @throws ArmatureError `bad-shape` or `bad-value`.
 */
export function checkObservations({ name, observationSize }: AgentSpec, data: Float32Array, count: number): void {
  if (count < 1 || data.length !== count * observationSize) {
    throw new ArmatureError('bad-shape', `${name} act: observations`, {
      expected: `[${count}, ${observationSize}] with at least one row`,
      got: `${data.length} numbers`,
    })
  }
  const bad = data.findIndex((x) => !Number.isFinite(x))
  if (bad >= 0) throw new ArmatureError('bad-value', `${name} act: observations`, { got: `${data[bad]} at ${bad}` })
}
