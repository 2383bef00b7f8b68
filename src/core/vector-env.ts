import type { EnvSpec, Info, Observation } from './env.ts'

/**
 * What happens when the episode of one of many envs ends (Gymnasium 1.1's three modes, farama.org/Vector-Autoreset-Mode).
 *
 * - `next-step`: `step` shows the last observation of the episode. The env's next `step` ignores its action and resets: it shows the
 *   first observation and info of a new episode with reward 0 and both flags 0. That is no transition: leave it out of replay.
 * - `same-step`: the `step` that ends the episode resets at once. Reward and flags are those of the end, observation and info those of the
 *   new episode; the last observation and info are in `finals`.
 * - `disabled`: `step` shows the last observation; to step again before `reset` (its `mask` picks envs) is an error.
 */
export type AutoresetMode = 'next-step' | 'same-step' | 'disabled'

/** Observations of N envs; row i of every array is env i's. */
export interface VectorObservation {
  /** RGB by camera name, uint8 [N, height, width, channels]. */
  readonly images: Readonly<Record<string, Uint8Array>>
  /** [N, proprioSize] */
  readonly proprio: Float32Array
  /** [N, stateSize], privileged. */
  readonly state: Float32Array
}

export interface VectorResetOptions {
  /**
   * Env i restarts its random stream from `seed + i`. Without seeds streams continue; an env that never had a seed takes its index, so
   * that no two are alike.
   */
  readonly seed?: number
  /** One seed per env instead of `seed`; `undefined` continues that env's stream. */
  readonly seeds?: readonly (number | undefined)[]
  /** Resets only the envs that are true here; the rows of the others stay as they are. */
  readonly mask?: readonly boolean[]
  /** For each env's own `reset`. */
  readonly options?: Readonly<Record<string, unknown>>
}

export interface VectorResetResult {
  readonly observation: VectorObservation
  /** One per env; empty for an env that `mask` left out. */
  readonly infos: readonly Info[]
}

/** The end of an episode whose env has been reset within the same step. */
export interface FinalStep {
  readonly observation: Observation
  readonly info: Info
}

export interface VectorStepResult {
  readonly observation: VectorObservation
  /** [N] */
  readonly rewards: Float64Array
  /** [N], 0 or 1. */
  readonly terminated: Uint8Array
  /** [N], 0 or 1. */
  readonly truncated: Uint8Array
  readonly infos: readonly Info[]
  /** For mode `same-step`: defined where an episode ended. All undefined in the other modes. */
  readonly finals: readonly (FinalStep | undefined)[]
}

/**
 * N envs of one kind, stepped together. Env i, seeded with s, goes through byte for byte the episodes of a single env seeded with s.
 * Arrays belong to the vector env and are overwritten by its next `step` or `reset`: copy what you keep.
 *
 * @example
 * const envs = await makeVectorEnv('armature/PushPuck-v0', { numEnvs: 8, workers: 2 })
 * let { observation } = await envs.reset({ seed: 0 })
 * const { rewards } = await envs.step(new Float32Array(8 * 2))
 * await envs.close()
 *
 * Errors: `bad-shape` / `bad-value` for actions outside their space (no env has moved then), `bad-argument` for seeds or a mask of the
 * wrong length and for a call made before the last one ended, `needs-reset` when an env cannot be stepped yet, `closed`. When an env
 * throws, the error keeps its code (`env-failed` where it has none) and names the env and its seed; all envs then need a `reset`. When the
 * thread of an env dies, the error is `env-failed` and the vector env closes.
 */
export interface VectorEnv {
  readonly numEnvs: number
  /** Of each env. */
  readonly spec: EnvSpec
  readonly autoreset: AutoresetMode
  reset(options?: VectorResetOptions): Promise<VectorResetResult>
  /** @param actions [N, actionSize] */
  step(actions: Float32Array): Promise<VectorStepResult>
  /** Ends all envs and their threads; a call still under way fails with `closed`. May be called twice. */
  close(): Promise<void>
}
