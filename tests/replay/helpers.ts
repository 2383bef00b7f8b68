import { EpisodeStore } from '../../src/replay/episode-store.ts'

/** One episode to store: `length` transitions, ended by the task or by time. */
export interface EpisodePlan {
  readonly length: number
  readonly terminated: boolean
}

/**
 * A store filled with `episodes`. Features are [episode, step], the action into step t + 1 is t, its reward 100 * episode + t, the
 * goal of an episode [-episode, -episode], and its frames are all `episode`. With `keepsReached`, what was reached is 1000 + features.
 */
export function filledStore(
  episodes: readonly EpisodePlan[],
  capacity = 1000,
  frameSize = 0,
  keepsReached = false,
): EpisodeStore {
  const store = new EpisodeStore({ capacity, featureSize: 2, actionSize: 1, frameSize, keepsReached })
  episodes.forEach((plan, episode) => addEpisode(store, episode, plan))
  return store
}

export function addEpisode(store: EpisodeStore, episode: number, { length, terminated }: EpisodePlan): void {
  const { frameSize, keepsReached } = store.options
  const frame = (step: number): Uint8Array | undefined =>
    frameSize > 0 ? new Uint8Array(frameSize).fill(10 * episode + step) : undefined
  const goal = {
    features: Float32Array.of(-episode, -episode),
    ...(frameSize > 0 ? { frame: new Uint8Array(frameSize).fill(200 + episode) } : {}),
  }
  store.begin(Float32Array.of(episode, 0), frame(0), goal)
  for (let step = 0; step < length; step++) {
    const isLast = step === length - 1
    store.append(
      {
        action: Float32Array.of(step),
        reward: 100 * episode + step,
        terminated: isLast && terminated,
        truncated: isLast && !terminated,
      },
      Float32Array.of(episode, step + 1),
      frame(step + 1),
      keepsReached === true ? Float32Array.of(1000 + episode, 1001 + step) : undefined,
    )
  }
}

/** A store of one episode of frames [side, side, 1], each a gradient to the right: how far one was shifted shows in every pixel. */
export function gradientStore(side: number): EpisodeStore {
  const store = new EpisodeStore({ capacity: 10, featureSize: 0, actionSize: 1, frameSize: side * side })
  const frame = Uint8Array.from({ length: side * side }, (_, i) => 10 * (i % side))
  store.begin(new Float32Array(0), frame)
  const step = { action: new Float32Array(1), reward: 0, terminated: false, truncated: false }
  for (let i = 0; i < 4; i++) store.append(step, new Float32Array(0), frame)
  return store
}
