import type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from '../../src/core/dataset.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'

export const FAKE_SPEC: DatasetSpec = {
  source: 'tests/Fake-v0',
  fps: 10,
  cameras: { scene: imageSpace(4, 5), outcome: imageSpace(4, 5) },
  actionSpace: boxSpace([2], -1, 1, ['x', 'y']),
  proprioSpace: boxSpace([1], -1, 1, ['q']),
  stateSpace: boxSpace([3], -100, 100, ['time', 'object0_instance', 'object1_instance']),
}

/** What the first three bytes of every frame say. */
export interface FrameMark {
  readonly episode: number
  readonly time: number
  readonly camera: 'scene' | 'outcome'
}

/** Reads back what frame `row` of `frames` was marked with. */
export function markOf(frames: Uint8Array | Float32Array, row: number, frameSize = 60): FrameMark {
  const [low, high, time] = frames.subarray(row * frameSize, row * frameSize + 3)
  return { episode: low! + 256 * (high! & 127), time: time!, camera: high! >= 128 ? 'outcome' : 'scene' }
}

/**
 * Episode `index`: frames marked with episode, time and camera; action [episode, time]; reward `time` where it is odd, else 0; state
 * [time, instance 7 in the bin until the step at 1, instance 9 until the end]; terminated where the index is odd.
 */
export function fakeEpisode(index: number, length: number, spec: DatasetSpec = FAKE_SPEC): EpisodeData {
  const info: EpisodeInfo = { index, length, terminated: index % 2 === 1, policy: 'random', objects: [] }
  const images: Record<string, Uint8Array> = {}
  for (const [camera, { shape }] of Object.entries(spec.cameras)) {
    const size = shape.reduce((a, b) => a * b, 1)
    const frames = new Uint8Array(length * size)
    for (let time = 0; time < length; time++) {
      frames.set([index % 256, (index >> 8) + (camera === 'outcome' ? 128 : 0), time], time * size)
    }
    images[camera] = frames
  }
  const steps = Array.from({ length: length - 1 }, (_, time) => time)
  return {
    info,
    images,
    proprio: Float32Array.from({ length }, (_, time) => time / length),
    state: Float32Array.from([...steps, length - 1].flatMap((time) => [time, time < 2 ? 7 : -1, 9])),
    actions: Float32Array.from(steps.flatMap((time) => [index, time])),
    rewards: Float32Array.from(steps, (time) => (time % 2 === 1 ? time : 0)),
  }
}

/** A dataset whose episodes are made when they are read; those in `corrupt` cannot be. */
export class FakeDataset implements Dataset {
  readonly path = 'fake'
  readonly problems: readonly string[] = []
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeInfo[]
  /** Indices in the order in which they were read. */
  readonly reads: number[] = []
  readonly #lengths: readonly number[]
  readonly #corrupt: readonly number[]

  constructor(lengths: readonly number[], { spec = FAKE_SPEC, corrupt = [] as readonly number[] } = {}) {
    this.spec = spec
    this.#lengths = lengths
    this.#corrupt = corrupt
    this.episodes = lengths.map((length, index) => ({
      index,
      length,
      terminated: index % 2 === 1,
      policy: 'random',
      objects: [],
    }))
  }

  async readEpisode(index: number, cameras?: readonly string[]): Promise<EpisodeData> {
    this.reads.push(index)
    if (this.#corrupt.includes(index)) throw new ArmatureError('corrupt-file', `fake/${index}.parquet`)
    const data = fakeEpisode(index, this.#lengths[index]!, this.spec)
    if (cameras === undefined) return data
    return { ...data, images: Object.fromEntries(cameras.map((name) => [name, data.images[name]!])) }
  }
}
