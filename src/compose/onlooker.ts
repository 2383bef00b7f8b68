import type { Observation } from '../core/env.ts'
import type { GoalView } from '../core/policy.ts'
import { goalPay } from '../run/goal-pay.ts'
import type { EpisodeFeatures } from '../run/representation.ts'
import { goalFrameOf } from '../run/representation.ts'
import type { Parts } from './parts.ts'

/** What a run makes of one observation. */
export interface Impression {
  /** What the latent decodes to, uint8 [height, width, 3]; absent where the encoder decodes nothing. */
  readonly decoded?: Uint8Array
  /** What the step that led there pays, after a reset nothing: for the goal, for following a demonstration, or by the env, as the run learned. */
  readonly reward?: number
}

/** Follows episodes beside the policy of a run, to show what it sees and is paid. Call `parts.reward.prepare` first where there is one. */
export class Onlooker {
  readonly #parts: Parts
  #features: EpisodeFeatures | undefined
  #goal: GoalView | undefined
  #goalFeatures: Float32Array | undefined
  #time = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** An episode begins. */
  begin(goal: GoalView | undefined): void {
    this.#features = this.#parts.representation.begin(goal?.state)
    this.#goal = goal
    this.#goalFeatures = undefined
    this.#time = 0
  }

  /** @param envReward of the step that led here; undefined after a reset */
  async see(observation: Observation, envReward: number | undefined): Promise<Impression> {
    const episode = (this.#features ??= this.#parts.representation.begin())
    const features = await episode.observe(observation)
    const decoded = await this.#decode(episode, features)
    const reward = envReward === undefined ? undefined : await this.#pay(episode, observation, features, envReward)
    return { ...(decoded && { decoded }), ...(reward !== undefined && { reward }) }
  }

  async #pay(
    episode: EpisodeFeatures,
    observation: Observation,
    features: Float32Array,
    envReward: number,
  ): Promise<number> {
    const { reward, representation } = this.#parts
    const goal = this.#goal
    if (reward === undefined || goal === undefined) return episode.reward?.() ?? envReward
    this.#goalFeatures ??= await episode.goal(goal)
    const reached = representation.hasOwnGoals === true ? await episode.goal(observation) : features
    const reachedFrame = (): Uint8Array => episode.newestFrame?.() ?? observation.images[representation.camera!]!
    const goalFrame = (): Uint8Array => goalFrameOf(representation, goal)!
    return goalPay(reward, { goal: this.#goalFeatures, reached, time: ++this.#time, goalFrame, reachedFrame })
  }

  async #decode(episode: EpisodeFeatures, features: Float32Array): Promise<Uint8Array | undefined> {
    const { encoder, config } = this.#parts
    if (encoder?.decode === undefined) return undefined
    const { kind } = config.representation
    if (kind === 'encoder') {
      // The share of a demonstration stands behind the latents; where the agent sees no latents, there is none to decode.
      const seesLatents = config.representation.sees === 'latents'
      return seesLatents ? encoder.decode(features.slice(0, encoder.spec.latentSize), 1) : undefined
    }
    if (episode.frames === undefined) return undefined
    const latent = await encoder.encode({ frames: episode.frames(), count: 1 })
    return encoder.decode(latent, 1)
  }
}
