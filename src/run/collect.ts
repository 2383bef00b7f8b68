import { setImmediate } from 'node:timers/promises'
import type { FrameBatch } from '../core/batches.ts'
import type { Env } from '../core/env.ts'
import { requireWhole } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import { sampleSpace } from '../core/spaces.ts'

/** Frames of random play with the privileged state beside them (for probes only), row-major. */
export interface CollectedFrames {
  readonly count: number
  /** uint8 [count, height, width, 3] */
  readonly frames: Uint8Array
  /** [count, stateSize] */
  readonly states: Float32Array
  /** Number of the reset that each frame comes after: probes split by it. */
  readonly episodes: Int32Array
}

export interface CollectOptions {
  readonly camera: string
  readonly count: number
  /** The env's reset option that says from where, e.g. `goal`. */
  readonly start: string
  /** Control steps between resets, as in RIG's data collection (every 100 steps, to a random goal, in its released code). */
  readonly resetEvery: number
  readonly onProgress?: (done: number) => void
}

/** Steps from one turn of the event loop to the next. */
const TURN_STEPS = 50

/** Collects frames by random play from many states: what an encoder is pretrained on. */
export async function collectFrames(env: Env, rng: Rng, options: CollectOptions): Promise<CollectedFrames> {
  const { camera, count, resetEvery } = options
  requireWhole('frames to collect', count, 1)
  requireWhole('steps between resets', resetEvery, 1)
  const space = env.spec.imageSpaces[camera]
  if (space === undefined) {
    const cameras = Object.keys(env.spec.imageSpaces).join(' or ')
    throw new ArmatureError('bad-config', `camera of ${env.spec.id}`, { expected: cameras, got: camera })
  }
  const frameSize = sizeOf(space.shape)
  const stateSize = sizeOf(env.spec.stateSpace.shape)
  const frames = new Uint8Array(count * frameSize)
  const states = new Float32Array(count * stateSize)
  const episodes = new Int32Array(count)
  const action = new Float32Array(sizeOf(env.spec.actionSpace.shape))
  for (let i = 0, episode = -1; i < count; i++) {
    const fresh = i % resetEvery === 0
    if (fresh) {
      episode++
    }
    // Timers and Ctrl-C get their turn, see evaluatePolicy.
    if (fresh || i % TURN_STEPS === 0) await setImmediate()
    const { observation } = fresh
      ? await env.reset({ seed: rng.nextSeed(), options: { start: options.start } })
      : await env.step(sampleSpace(env.spec.actionSpace, rng, action))
    frames.set(observation.images[camera]!, i * frameSize)
    states.set(observation.state, i * stateSize)
    episodes[i] = episode
    options.onProgress?.(i + 1)
  }
  return { count, frames, states, episodes }
}

/** Of the first `count` frames, those right after a reset. */
export function startFrames({ frames, episodes, count: collected }: CollectedFrames, count: number): FrameBatch {
  const size = frames.length / collected
  const starts = Array.from({ length: count }, (_, i) => i).filter((i) => i === 0 || episodes[i] !== episodes[i - 1])
  const chosen = new Uint8Array(starts.length * size)
  starts.forEach((i, row) => chosen.set(frames.subarray(i * size, (i + 1) * size), row * size))
  return { frames: chosen, count: starts.length }
}

/** The frames of `a`, then those of `b`. */
export function joinFrames(a: FrameBatch, b: FrameBatch): FrameBatch {
  const frames = new Uint8Array(a.frames.length + b.frames.length)
  frames.set(a.frames)
  frames.set(b.frames, a.frames.length)
  return { frames, count: a.count + b.count }
}
