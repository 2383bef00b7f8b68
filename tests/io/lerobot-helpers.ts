import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'

/** A small dataset: two cameras of different sizes, and vectors of 3, 5 and 2. */
export const SPEC: DatasetSpec = {
  source: 'test/Scene-v0',
  fps: 20,
  cameras: { front: imageSpace(6, 8), side: imageSpace(5, 7) },
  actionSpace: boxSpace([2], -1, 1, ['x', 'y']),
  proprioSpace: boxSpace([3], -1, 1, ['a_m', 'b_m', 'c_m']),
  stateSpace: boxSpace([5], -1, 1),
  goalSpace: boxSpace([2], -1, 1, ['hand_x_m', 'puck_x_m']),
}

/** An episode of `length` observations full of random numbers. */
export function randomEpisode(seed: number, length: number, spec: DatasetSpec = SPEC): EpisodeData {
  const rng = new Rng(seed)
  const numbers = (shape: readonly number[], rows: number): Float32Array =>
    rng.fillUniform(new Float32Array(rows * (shape[0] ?? 1)), -1, 1)
  const pixels = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => rng.int(256))
  const cameras = Object.entries(spec.cameras)
  const sizes = cameras.map(([name, { shape }]) => [name, shape[0]! * shape[1]! * 3] as const)
  return {
    info: {
      index: 0,
      length,
      terminated: seed % 2 === 0,
      success: seed % 3 === 0,
      seed: -seed,
      policy: seed % 2 === 0 ? 'scripted' : 'random',
      objects: [seed, seed + 1],
      distractor: `discs-${seed}`,
      looks: { hue_cube_rad: seed / 3, light_x: -0.1 },
      goal: numbers([2], 1),
    },
    images: Object.fromEntries(sizes.map(([name, size]) => [name, pixels(length * size)])),
    proprio: numbers(spec.proprioSpace.shape, length),
    state: numbers(spec.stateSpace.shape, length),
    actions: numbers(spec.actionSpace.shape, length - 1),
    rewards: numbers([1], length - 1),
    goalImages: Object.fromEntries(sizes.map(([name, size]) => [name, pixels(size)])),
  }
}
