import type {
  Env,
  EnvSpec,
  EnvState,
  Info,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../src/core/env.ts'
import { ArmatureError } from '../src/core/errors.ts'
import { checkName, ENV_ID } from '../src/core/registry.ts'
import type { Rng } from '../src/core/rng.ts'
import type { BoxSpace } from '../src/core/spaces.ts'
import { boxSpace, checkAction } from '../src/core/spaces.ts'
import type { EpisodeState } from './episode.ts'
import { Episode } from './episode.ts'
import { readOptions } from './options.ts'

/** What is known of a {@link simpleEnv} before it runs. */
export interface SimpleEnvSpec {
  /** `namespace/Name-vN` */
  readonly id: string
  /** Names of the numbers that are observed, with their units, each with its least and its greatest value: `{ x_m: [-2, 2] }`. */
  readonly observation: Readonly<Record<string, readonly number[]>>
  /** Names of the elements of an action, each in [-1, 1]; say what 1 does, e.g. `push_10N`. */
  readonly action: readonly string[]
  /** Steps after which an episode is truncated. */
  readonly maxEpisodeSteps: number
  /** Steps per second. Default 20. */
  readonly controlHz?: number
}

/** What a step led to. */
export interface SimpleStep {
  /** One number per name of `spec.observation`. */
  readonly observation: ArrayLike<number>
  readonly reward: number
  /** The task itself ended, e.g. something fell over. Time that runs out is counted by the env. */
  readonly terminated?: boolean
  /** Scalars beside the observation, with the same names after every step, e.g. `success` (0 or 1). */
  readonly info?: Info
}

/** What an own env does: two functions, each of which may be asynchronous. */
export interface Dynamics {
  /** Begins an episode and returns what is observed. All that is random comes from `rng`. */
  reset(rng: Rng): ArrayLike<number> | Promise<ArrayLike<number>>
  /** One control step with an action whose elements lie in [-1, 1]. */
  step(action: Float32Array, rng: Rng): SimpleStep | Promise<SimpleStep>
  close?(): void | Promise<void>
  /**
   * Everything that `step` depends on, as JSON can hold it; `restore` takes it back. With both, a run that was stopped in the middle of an
   * episode goes on there; without, that episode ends.
   */
  save?(): unknown
  restore?(saved: unknown): void
}

interface SavedState {
  readonly episode: EpisodeState
  readonly observation: readonly number[]
  readonly dynamics: unknown
}

/**
 * An env of your own that observes a vector of numbers: what `dynamics` does, with the rest of the contract of `Env` around it (seeds,
 * the end of episodes, checks of actions and observations). An env with cameras is a `Task` for `sceneEnv`, or implements `Env` itself.
 *
 * @throws ArmatureError `bad-argument` for a spec that is none; its `reset` and `step` throw `bad-value` or `bad-shape` for what
 * `dynamics` returns.
 * @example
 * const env = simpleEnv({ id: 'mine/Cart-v0', observation: { x_m: [-9, 9] }, action: ['move_10cm'], maxEpisodeSteps: 50 }, {
 *   reset: (rng) => [(x = rng.uniform(-1, 1))],
 *   step: ([move = 0]) => ({ observation: [(x += 0.1 * move)], reward: -Math.abs(x) }),
 * })
 */
export function simpleEnv(spec: SimpleEnvSpec, dynamics: Dynamics): Env {
  checkSpec(spec)
  return canSave(dynamics) ? new SavingEnv(spec, dynamics) : new SimpleEnv(spec, dynamics)
}

type SavingDynamics = Dynamics & Required<Pick<Dynamics, 'save' | 'restore'>>

function canSave(dynamics: Dynamics): dynamics is SavingDynamics {
  return dynamics.save !== undefined && dynamics.restore !== undefined
}

class SimpleEnv<D extends Dynamics = Dynamics> implements Env {
  readonly spec: EnvSpec
  protected readonly dynamics: D
  protected readonly episode: Episode
  /** Agents see `proprio`, privileged baselines `state`: here they are the same, in arrays of their own. */
  protected readonly observation: { readonly images: {}; readonly proprio: Float32Array; readonly state: Float32Array }

  constructor(spec: SimpleEnvSpec, dynamics: D) {
    const space = observationSpace(spec)
    this.spec = {
      id: spec.id,
      actionSpace: boxSpace([spec.action.length], -1, 1, spec.action),
      imageSpaces: {},
      cameras: [],
      proprioSpace: space,
      stateSpace: space,
      controlHz: spec.controlHz ?? 20,
      maxEpisodeSteps: spec.maxEpisodeSteps,
    }
    this.dynamics = dynamics
    this.episode = new Episode(spec.id, spec.maxEpisodeSteps)
    const size = space.shape[0]!
    this.observation = { images: {}, proprio: new Float32Array(size), state: new Float32Array(size) }
  }

  async reset({ seed, options }: ResetOptions = {}): Promise<ResetResult> {
    readOptions(`${this.spec.id} reset`, {}, options)
    this.episode.begin(seed)
    this.observe(await this.dynamics.reset(this.episode.rng))
    return { observation: this.observation, info: {} }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.episode.requireRunning()
    checkAction(this.spec.actionSpace, action)
    const result: Partial<SimpleStep> | undefined = await this.dynamics.step(action, this.episode.rng)
    const { observation, reward = NaN, terminated = false, info = {} } = result ?? {}
    this.observe(observation)
    for (const [name, value] of Object.entries({ reward, ...info })) this.#requireFinite(name, value)
    const truncated = this.episode.advance(terminated)
    return { observation: this.observation, reward, terminated, truncated, info }
  }

  async render(): Promise<Uint8Array> {
    throw new ArmatureError('not-found', `${this.spec.id} has no camera`)
  }

  async close(): Promise<void> {
    if (this.episode.close()) await this.dynamics.close?.()
  }

  /** `numbers` is undefined where a function of a user's forgot to return it. */
  protected observe(numbers: ArrayLike<number> | undefined): void {
    const { proprio, state } = this.observation
    if (numbers?.length !== state.length) {
      throw new ArmatureError('bad-shape', `observation of ${this.spec.id}`, {
        expected: `${state.length} numbers: ${this.spec.stateSpace.names!.join(', ')}`,
        got: numbers === undefined ? 'nothing' : String(numbers.length),
      })
    }
    for (let i = 0; i < state.length; i++) this.#requireFinite(this.spec.stateSpace.names![i]!, numbers[i]!)
    state.set(numbers)
    proprio.set(numbers)
  }

  #requireFinite(name: string, value: number): void {
    if (Number.isFinite(value)) return
    throw new ArmatureError('bad-value', `${name} of ${this.spec.id}`, { expected: 'a number', got: String(value) })
  }
}

class SavingEnv extends SimpleEnv<SavingDynamics> implements SimulatedEnv {
  async saveState(): Promise<EnvState> {
    this.episode.requireOpen()
    const observation = [...this.observation.state]
    const saved: SavedState = { episode: this.episode.state, observation, dynamics: this.dynamics.save() }
    return { id: this.spec.id, json: JSON.stringify(saved), snapshot: new Uint8Array(0) }
  }

  async restoreState({ id, json }: EnvState): Promise<void> {
    this.episode.requireOpen()
    if (id !== this.spec.id) {
      throw new ArmatureError('bad-argument', `state for ${this.spec.id}`, {
        expected: 'one saved by it',
        got: `one of ${id}`,
      })
    }
    const saved = JSON.parse(json) as SavedState
    this.dynamics.restore(saved.dynamics)
    this.episode.restore(saved.episode)
    this.observe(saved.observation)
  }
}

function observationSpace({ observation }: SimpleEnvSpec): BoxSpace {
  const bounds = Object.values(observation)
  return {
    dtype: 'float32',
    shape: [bounds.length],
    low: bounds.map(([low]) => low!),
    high: bounds.map(([, high]) => high!),
    names: Object.keys(observation),
  }
}

function checkSpec({ id, observation, action, maxEpisodeSteps, controlHz = 20 }: SimpleEnvSpec): void {
  const refuse = (what: string, expected: string, got: unknown): never => {
    throw new ArmatureError('bad-argument', `${what} of ${id}`, { expected, got: JSON.stringify(got) ?? String(got) })
  }
  checkName('env', ENV_ID, id)
  if (Object.keys(observation).length === 0) refuse('observation', 'at least one name with its bounds', observation)
  for (const [name, bounds] of Object.entries(observation)) {
    const [low = NaN, high = NaN] = bounds
    const areBounds = bounds.length === 2 && Number.isFinite(low) && Number.isFinite(high) && low < high
    if (!areBounds) refuse(`observation ${name}`, 'a least and a greater value, e.g. [-1, 1]', bounds)
  }
  if (action.length === 0) refuse('action', 'at least one name', action)
  if (!(controlHz > 0 && controlHz < Infinity)) refuse('controlHz', 'a number above 0', controlHz)
  if (!Number.isInteger(maxEpisodeSteps) || maxEpisodeSteps < 1) {
    refuse('maxEpisodeSteps', 'an integer >= 1', maxEpisodeSteps)
  }
}
