import type { Env } from '../../src/core/env.ts'
import type { AutoresetMode } from '../../src/core/vector-env.ts'
import type { Infos } from './info-board.ts'
import type { VectorArrays } from './vector-arrays.ts'
import { copyObservation, row } from './vector-arrays.ts'

/** What to reset; one entry per env of the vector. Survives structured cloning. */
export interface ResetPlan {
  readonly mask: readonly boolean[]
  readonly seeds: readonly (number | undefined)[]
  readonly options: Readonly<Record<string, unknown>> | undefined
}

/** An env threw. */
export class EnvFailure extends Error {
  readonly index: number

  constructor(index: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.index = index
  }
}

/**
 * Some neighbouring envs of a vector, stepped one after the other in one thread: the autoreset modes live here, so that they are the same
 * wherever the envs run. Infos of last steps go to index `numEnvs + index`.
 */
export class EnvGroup {
  /** Hears the index of each env before it is at work. */
  onEnv: ((index: number) => void) | undefined
  readonly #envs: readonly Env[]
  readonly #first: number
  readonly #arrays: VectorArrays
  readonly #infos: Infos
  readonly #autoreset: AutoresetMode
  readonly #actions: readonly Float32Array[]
  /** Whether the last step of the env ended its episode. */
  readonly #isOver: Uint8Array

  /** @param first index in the vector of the first of `envs`. */
  constructor(
    envs: readonly Env[],
    first: number,
    { arrays, infos, autoreset }: { arrays: VectorArrays; infos: Infos; autoreset: AutoresetMode },
  ) {
    this.#envs = envs
    this.#first = first
    this.#arrays = arrays
    this.#infos = infos
    this.#autoreset = autoreset
    const numEnvs = arrays.rows.length
    this.#actions = envs.map((_, i) => row(arrays.actions, first + i, numEnvs))
    this.#isOver = new Uint8Array(envs.length)
  }

  /** @throws EnvFailure */
  async reset({ mask, seeds, options }: ResetPlan): Promise<void> {
    await this.#forEach(async (env, index, i) => {
      if (!mask[index]) {
        this.#infos.write(index, {})
        return
      }
      const seed = seeds[index]
      const given = { ...(seed === undefined ? {} : { seed }), ...(options === undefined ? {} : { options }) }
      const { observation, info } = await env.reset(given)
      this.#isOver[i] = 0
      this.#show(index, 0, false, false)
      this.#write(index, observation, info)
    })
  }

  /** Steps by the actions in the arrays. @throws EnvFailure */
  async step(): Promise<void> {
    await this.#forEach(async (env, index, i) => {
      if (this.#isOver[i] === 1) {
        const { observation, info } = await env.reset()
        this.#isOver[i] = 0
        this.#show(index, 0, false, false)
        this.#write(index, observation, info)
        return
      }
      const { observation, info, reward, terminated, truncated } = await env.step(this.#actions[i]!)
      this.#show(index, reward, terminated, truncated)
      if (this.#autoreset === 'same-step' && (terminated || truncated)) {
        copyObservation(observation, this.#arrays.finalRows[index]!)
        this.#infos.write(this.#arrays.rows.length + index, info)
        const next = await env.reset()
        this.#write(index, next.observation, next.info)
        return
      }
      if (this.#autoreset === 'next-step' && (terminated || truncated)) this.#isOver[i] = 1
      this.#write(index, observation, info)
    })
  }

  /** Closes every env, also after one could not be closed. @throws EnvFailure the first. */
  async close(): Promise<void> {
    const failures: EnvFailure[] = []
    for (const [i, env] of this.#envs.entries()) {
      try {
        await env.close()
      } catch (cause) {
        failures.push(new EnvFailure(this.#first + i, cause))
      }
    }
    if (failures.length > 0) throw failures[0]!
  }

  async #forEach(work: (env: Env, index: number, i: number) => Promise<void>): Promise<void> {
    for (const [i, env] of this.#envs.entries()) {
      const index = this.#first + i
      this.onEnv?.(index)
      try {
        await work(env, index, i)
      } catch (cause) {
        throw new EnvFailure(index, cause)
      }
    }
  }

  #show(index: number, reward: number, terminated: boolean, truncated: boolean): void {
    this.#arrays.rewards[index] = reward
    this.#arrays.terminated[index] = terminated ? 1 : 0
    this.#arrays.truncated[index] = truncated ? 1 : 0
  }

  #write(index: number, observation: Parameters<typeof copyObservation>[0], info: Parameters<Infos['write']>[1]): void {
    copyObservation(observation, this.#arrays.rows[index]!)
    this.#infos.write(index, info)
  }
}
