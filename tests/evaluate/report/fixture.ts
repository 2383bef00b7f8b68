import type { Dataset, EpisodeData, EpisodeInfo } from '../../../src/core/dataset.ts'
import { Rng } from '../../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../../src/core/spaces.ts'
import type { TaskGeometry } from '../../../src/evaluate/report/embed.ts'

const SIZE = 16
const NAMES = ['hand_x_m', 'hand_y_m', 'puck_x_m', 'puck_y_m']
const LENGTH = 21
const RADIUS = 0.03

/** A task of hand and puck in a plane, scored by the sum of the two distances. */
export const TASK: TaskGeometry = {
  achieved: (state) => state.slice(),
  distance: (a, b) => Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!) + Math.hypot(a[2]! - b[2]!, a[3]! - b[3]!),
  unit: 'm',
  description: 'distance of the hand plus distance of the puck',
}

/** Frames in which hand (red) and puck (green) are dots: all of the state can be seen. */
export function drawFrame(state: Float32Array): Uint8Array {
  const frame = new Uint8Array(SIZE * SIZE * 3).fill(40)
  for (const [channel, at] of [
    [0, 0],
    [1, 2],
  ] as const) {
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const dx = (x + 0.5) / SIZE - 0.5 - state[at]!
        const dy = (y + 0.5) / SIZE - 0.5 - state[at + 1]!
        frame[(y * SIZE + x) * 3 + channel]! += 200 * Math.exp(-(dx * dx + dy * dy) / 0.01)
      }
    }
  }
  return frame
}

/**
 * Episodes of four classes in memory: `scripted` reach the goal, `random` wander, `partial` stop half-way, `adversarial` bring the
 * hand to its goal and leave the puck.
 */
export function syntheticDataset(episodesAClass: number, seed = 1): Dataset {
  const classes = ['scripted', 'random', 'partial', 'adversarial']
  const episodes = classes.flatMap((policy, c) =>
    Array.from({ length: episodesAClass }, (_, i) => makeEpisode(c * episodesAClass + i, policy, new Rng(seed))),
  )
  return {
    path: '/nowhere/synthetic',
    spec: {
      source: 'test/Dots-v0',
      fps: 20,
      cameras: { top: imageSpace(SIZE, SIZE) },
      actionSpace: boxSpace([2], -1, 1),
      proprioSpace: boxSpace([2], -1, 1),
      stateSpace: boxSpace([4], -1, 1, NAMES),
      goalSpace: boxSpace([4], -1, 1, NAMES),
    },
    episodes: episodes.map(({ info }) => info),
    problems: [],
    readEpisode: async (index) => episodes[index]!,
  }
}

function makeEpisode(index: number, policy: string, from: Rng): EpisodeData {
  const rng = from.split(index)
  const [start, goal] = [0, 1].map(() => Float32Array.from({ length: 4 }, () => rng.uniform(-0.4, 0.4)))
  const progress = (t: number, i: number): number => {
    if (policy === 'partial') return (0.5 * t) / (LENGTH - 1)
    if (policy === 'adversarial' && i >= 2) return 0
    return policy === 'random' ? 0 : t / (LENGTH - 1)
  }
  const state = new Float32Array(LENGTH * 4)
  for (let t = 0; t < LENGTH; t++) {
    for (let i = 0; i < 4; i++) {
      const wander = policy === 'random' && t > 0 ? rng.uniform(-0.04, 0.04) + state[(t - 1) * 4 + i]! : start![i]!
      state[t * 4 + i] = policy === 'random' ? wander : start![i]! + progress(t, i) * (goal![i]! - start![i]!)
    }
  }
  const rows = Array.from({ length: LENGTH }, (_, t) => state.subarray(t * 4, (t + 1) * 4))
  const info: EpisodeInfo = {
    index,
    length: LENGTH,
    terminated: false,
    success: TASK.distance(rows.at(-1)!, goal!) < RADIUS,
    seed: index,
    policy,
    objects: [1],
    goal: goal!,
  }
  return {
    info,
    images: { top: Uint8Array.from(rows.flatMap((row) => [...drawFrame(row)])) },
    proprio: Float32Array.from(rows.flatMap((row) => [...row.subarray(0, 2)])),
    state,
    actions: Float32Array.from({ length: (LENGTH - 1) * 2 }, () => rng.uniform(-1, 1)),
    rewards: Float32Array.from({ length: LENGTH - 1 }, (_, t) => -TASK.distance(rows[t + 1]!, goal!)),
    goalImages: { top: drawFrame(goal!) },
  }
}

/** An embedder that multiplies the pixels by fixed random numbers; `gain` 0: everything at one point. */
export function projection(
  name: string,
  latentSize: number,
  gain: number,
): {
  readonly name: string
  readonly camera: string
  readonly seesOthers: boolean
  readonly latentSize: number
  embed(episode: EpisodeData): Promise<Float32Array>
  embedGoals(episode: EpisodeData): Promise<Float32Array>
} {
  const size = SIZE * SIZE * 3
  const weights = new Rng(3).split(name).fillNormal(new Float32Array(size * latentSize))
  const project = (frames: Uint8Array): Float32Array =>
    Float32Array.from({ length: (frames.length / size) * latentSize }, (_, at) => {
      const row = Math.floor(at / latentSize)
      const column = at % latentSize
      let sum = 0
      for (let i = 0; i < size; i++) sum += frames[row * size + i]! * weights[column * size + i]!
      return gain * (sum / size)
    })
  return {
    name,
    camera: 'top',
    seesOthers: false,
    latentSize,
    embed: async ({ images }) => project(images['top']!),
    embedGoals: async ({ goalImages }) => project(goalImages!['top']!),
  }
}
