import type { Observation } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { ndarray } from '../core/ndarray.ts'
import type { Demonstration, FollowOptions } from './follower.ts'
import { Follower } from './follower.ts'
import type { EpisodeFeatures, Representation } from './representation.ts'

/** What follows a demonstration. */
export interface FollowingParts {
  /** Latents in which an episode is compared with the demonstration. */
  readonly eye: Representation
  /** What the agent sees; default: those latents. */
  readonly seen?: Representation | undefined
  readonly demonstration: Demonstration
  readonly options: FollowOptions
}

const MOMENT = 'demonstrationMoment'
const SEEN = 'seen/'

/**
 * What an agent that follows a demonstration sees, [features | share of the demonstration that lies behind], and in each episode what
 * that pays. The share is what makes the reward a function of what it sees.
 */
export function followingRepresentation(parts: FollowingParts): Representation {
  const { eye, seen = eye } = parts
  return {
    name: `following-${seen.name}`,
    size: seen.size + 1,
    camera: eye.camera,
    takesContext: false,
    begin: () => new FollowedEpisode(parts),
    ...(eye.ofDataset && {
      ofDataset: (dataset) => followingRepresentation({ ...parts, eye: eye.ofDataset!(dataset) }),
    }),
  }
}

class FollowedEpisode implements EpisodeFeatures {
  readonly #eye: EpisodeFeatures
  readonly #seen: EpisodeFeatures | undefined
  readonly #follower: Follower

  constructor({ eye, seen, demonstration, options }: FollowingParts) {
    this.#eye = eye.begin()
    this.#seen = seen?.begin()
    this.#follower = new Follower(demonstration, options)
  }

  async observe(observation: Observation): Promise<Float32Array> {
    const latent = await this.#eye.observe(observation)
    this.#follower.observe(latent)
    const features = (await this.#seen?.observe(observation)) ?? latent
    return Float32Array.of(...features, this.#follower.phase)
  }

  async goal(): Promise<never> {
    throw new ArmatureError('bad-config', 'goals', {
      got: 'one for an agent that follows a demonstration',
      fix: 'leave goals or imitation out',
    })
  }

  reward(): number {
    return this.#follower.reward
  }

  newestFrame(): Uint8Array {
    return this.#eye.newestFrame!()
  }

  save(): NamedArrays {
    const seen = Object.entries(this.#seen?.save() ?? {}).map(([name, array]) => [SEEN + name, array] as const)
    return { ...this.#eye.save(), ...Object.fromEntries(seen), [MOMENT]: ndarray(this.#follower.save(), [2]) }
  }

  restore(arrays: NamedArrays): void {
    const { [MOMENT]: moment, ...rest } = arrays
    const seen = Object.entries(rest).filter(([name]) => name.startsWith(SEEN))
    this.#eye.restore(Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith(SEEN))))
    this.#seen?.restore(Object.fromEntries(seen.map(([name, array]) => [name.slice(SEEN.length), array])))
    if (moment !== undefined) this.#follower.restore(moment.data)
  }
}
