import type { Env, EnvSpec, Observation, ResetOptions, ResetResult, StepResult } from '../../../src/core/env.ts'
import { Episode } from '../../../envs/episode.ts'
import { boxSpace, checkAction } from '../../../src/core/spaces.ts'

/** What an action of {@link OddEnv} does besides counting; each is far from the others. */
export const ACTION = { count: 0, fail: 1, endThread: -1, hang: 0.5 } as const

const SPEC: EnvSpec = {
  id: 'test/Odd-v0',
  actionSpace: boxSpace([1], -1, 1, ['what']),
  imageSpaces: { eye: { dtype: 'uint8', shape: [2, 3, 6], low: 0, high: 255 } },
  proprioSpace: boxSpace([1], 0, 100, ['steps']),
  stateSpace: boxSpace([2], -1e9, 1e9, ['draw', 'steps']),
  controlHz: 10,
  maxEpisodeSteps: 11,
}

/**
 * A cheap env with what is rare elsewhere: episodes that terminate (those whose first draw is odd, after 3 to 8 steps), infos whose keys
 * change, steps that fail in several ways.
 */
class OddEnv implements Env {
  readonly spec = SPEC
  readonly #episode = new Episode(SPEC.id, SPEC.maxEpisodeSteps)
  readonly #observation: Observation = {
    images: { eye: new Uint8Array(36) },
    proprio: new Float32Array(1),
    state: new Float32Array(2),
  }
  #length = 0
  #steps = 0

  async reset({ seed }: ResetOptions = {}): Promise<ResetResult> {
    this.#episode.begin(seed)
    const draw = this.#episode.rng.int(1000)
    this.#length = draw % 2 === 1 ? 3 + (draw % 6) : Number.POSITIVE_INFINITY
    this.#steps = 0
    this.#observe()
    return { observation: this.#observation, info: { draw, 'größe/m': Number.NaN } }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.#episode.requireRunning()
    checkAction(SPEC.actionSpace, action)
    if (action[0] === ACTION.fail) throw new Error('the belt slipped')
    if (action[0] === ACTION.endThread) process.exit(3)
    while (action[0] === ACTION.hang);
    this.#steps++
    this.#observe()
    const terminated = this.#steps >= this.#length
    const truncated = this.#episode.advance(terminated)
    const info = this.#steps % 2 === 0 ? { half: this.#steps / 2 } : { odd: 1, steps: this.#steps }
    return { observation: this.#observation, reward: this.#steps / 3, terminated, truncated, info }
  }

  async render(): Promise<Uint8Array> {
    return new Uint8Array(36)
  }

  async close(): Promise<void> {
    this.#episode.close()
  }

  #observe(): void {
    const { images, proprio, state } = this.#observation
    proprio[0] = state[1] = this.#steps
    state[0] = this.#episode.rng.normal()
    for (const image of Object.values(images)) for (let i = 0; i < 36; i++) image[i] = this.#episode.rng.int(256)
  }
}

export async function makeEnv(): Promise<Env> {
  return new OddEnv()
}
