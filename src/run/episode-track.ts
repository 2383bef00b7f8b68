import type { DatasetSpec, EpisodeData } from '../core/dataset.ts'
import type { Env, Observation } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { fitFrames } from '../core/frame-fit.ts'
import type { FrameFits } from '../replay/fitted-dataset.ts'

/** What episodes of `env` have in common. */
export function datasetSpecOf(env: Env): DatasetSpec {
  const { id, controlHz, imageSpaces, actionSpace, proprioSpace, stateSpace } = env.spec
  return {
    source: id,
    fps: controlHz,
    cameras: imageSpaces,
    actionSpace,
    proprioSpace,
    stateSpace,
    ...(isGoalEnv(env) && { goalSpace: env.goalSpace }),
  }
}

/** What an episode shows and does, step by step. */
export class EpisodeTrack {
  readonly #cameras: readonly string[] | undefined
  readonly #fits: FrameFits
  readonly #images: Map<string, Uint8Array[]> = new Map()
  readonly #proprio: Float32Array[] = []
  readonly #state: Float32Array[] = []
  readonly #actions: Float32Array[] = []
  readonly #rewards: number[] = []

  /** @param cameras those whose frames are kept; default all. `fits` how they are; default: as they are. */
  constructor(cameras?: readonly string[], fits: FrameFits = {}) {
    this.#cameras = cameras
    this.#fits = fits
  }

  /** Observations so far. */
  get length(): number {
    return this.#state.length
  }

  observe({ images, proprio, state }: Observation): void {
    for (const camera of this.#cameras ?? Object.keys(images)) {
      const frames = this.#images.get(camera) ?? []
      const fit = this.#fits[camera]
      frames.push(fit === undefined ? images[camera]!.slice() : fitFrames(images[camera]!, fit))
      this.#images.set(camera, frames)
    }
    this.#proprio.push(proprio.slice())
    this.#state.push(state.slice())
  }

  /** @param action is kept */
  step(action: Float32Array, reward: number): void {
    this.#actions.push(action)
    this.#rewards.push(reward)
  }

  arrays(): Omit<EpisodeData, 'info' | 'goalImages'> {
    const images = [...this.#images].map(([camera, frames]) => [camera, new Uint8Array(Buffer.concat(frames))])
    return {
      images: Object.fromEntries(images) as EpisodeData['images'],
      proprio: joined(this.#proprio),
      state: joined(this.#state),
      actions: joined(this.#actions),
      rewards: Float32Array.from(this.#rewards),
    }
  }
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const size = rows[0]?.length ?? 0
  const all = new Float32Array(rows.length * size)
  rows.forEach((row, i) => all.set(row, i * size))
  return all
}
