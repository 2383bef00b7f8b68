import { describe, expect, test } from 'vitest'
import { singleFrameSpec } from '../../../encoders/shared/frames.ts'
import type { Dataset } from '../../../src/core/dataset.ts'
import type { Encoder } from '../../../src/core/encoder.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import { ArmatureError } from '../../../src/core/errors.ts'
import { embedEpisodes, encoderEmbedder, stateEmbedder, successFrames } from '../../../src/evaluate/report/embed.ts'
import { namedGeometry } from '../../../src/evaluate/report/task-geometry.ts'
import { syntheticDataset, TASK } from './fixture.ts'

/** Mean of each channel: what it embeds can be computed by hand. */
function meanColour(batches: number[], frameShape: readonly [number, number, number] = [16, 16, 3]): Encoder {
  return {
    spec: singleFrameSpec('mean', frameShape, 3),
    encode: async ({ frames, count }) => {
      batches.push(count)
      const size = frames.length / count
      return Float32Array.from({ length: count * 3 }, (_, at) => {
        let sum = 0
        for (let i = at % 3; i < size; i += 3) sum += frames[Math.floor(at / 3) * size + i]!
        return (3 * sum) / size
      })
    },
    save: () => ({}),
    restore: () => {},
    dispose: () => {},
  }
}

/** Brightness of the frame before, in a window of two: what a frame is paid depends on where it is shown. */
function frameBefore(): Encoder {
  const spec = { ...singleFrameSpec('before', [16, 16, 3], 1), window: { frames: 2, stride: 1 } }
  return {
    spec,
    encode: async ({ frames, count }) => {
      const size = frames.length / count
      const mean = (row: number): number =>
        frames.subarray(row * size, row * size + size / 2).reduce((sum, value) => sum + (2 * value) / size, 0)
      return Float32Array.from({ length: count }, (_, row) => mean(row))
    },
    save: () => ({}),
    restore: () => {},
    dispose: () => {},
  }
}

/** Mean of frame `time` of episode 0. */
async function brightness(dataset: Dataset, time: number): Promise<number> {
  const frame = (await dataset.readEpisode(0)).images['top']!.subarray(time * 768, (time + 1) * 768)
  return frame.reduce((sum, value) => sum + value / 768, 0)
}

describe('embedEpisodes', () => {
  test('reads every episode once for all encoders and keeps no frames', async () => {
    const dataset = syntheticDataset(1)
    const reads: number[] = []
    const counted = {
      ...dataset,
      readEpisode: async (index: number) => {
        reads.push(index)
        return dataset.readEpisode(index)
      },
    }
    const batches: number[] = []
    const embedders = [encoderEmbedder('mean', meanColour(batches), 'top', dataset), stateEmbedder('state', 4, TASK)]
    const embedded = await embedEpisodes(counted, [2, 0], embedders, TASK, () => {})
    expect(reads).toEqual([2, 0])
    expect(batches).toEqual([1, 21, 1, 21])
    const [episode] = embedded.get('state')!.episodes
    const data = await dataset.readEpisode(2)
    expect(episode).toMatchObject({
      index: 2,
      class: 'partial',
      success: false,
      embeddings: data.state,
      goals: data.info.goal,
    })
    expect(episode!.goalDistances![20]).toBeCloseTo(TASK.distance(data.state.subarray(80), data.info.goal!), 6)
  })

  test('an encoder that sees frames before is shown experts backwards and shuffled; one of single frames need not be', async () => {
    const dataset = syntheticDataset(1)
    const embedders = [
      encoderEmbedder('before', frameBefore(), 'top', dataset),
      encoderEmbedder('mean', meanColour([]), 'top', dataset),
    ]
    const embedded = await embedEpisodes(dataset, [0, 1], embedders, TASK, () => {})
    const [expert, other] = embedded.get('before')!.episodes
    expect([other!.class, other!.reversedRewards, other!.shuffledRewards]).toEqual(['random', undefined, undefined])
    expect(embedded.get('mean')!.episodes[0]!.reversedRewards).toBeUndefined()
    // Backwards, the frame before t is t + 1; the first that is shown has itself before it.
    const bright = [...expert!.embeddings.subarray(1), (await brightness(dataset, 20))!]
    const paid = (value: number): number => -Math.abs(value - expert!.goals![0]!)
    expect(bright).toHaveLength(21)
    const backwards = Array.from({ length: 21 }, (_, t) => paid(bright[Math.min(20, 21 - t)]!))
    expect([...expert!.reversedRewards!]).toEqual(backwards.map((value) => expect.closeTo(value, 4) as number))
    const sorted = (values: Iterable<number>): number[] => [...values].toSorted((a, b) => a - b)
    expect(expert!.shuffledRewards).not.toEqual(expert!.rewards)
    for (const value of sorted(expert!.shuffledRewards!)) {
      expect(Math.min(...bright.map((b) => Math.abs(paid(b) - value)))).toBeLessThan(1e-3)
    }
  })

  test('without a recorded goal a success is its own goal, and a failure has none', async () => {
    const dataset = syntheticDataset(1)
    const bare = {
      ...dataset,
      readEpisode: async (index: number) => {
        const { goalImages: _images, info, ...rest } = await dataset.readEpisode(index)
        const { goal: _goal, ...known } = info
        return { ...rest, info: known }
      },
    }
    const embedders = [encoderEmbedder('mean', meanColour([]), 'top', dataset)]
    const [success, failure] = (await embedEpisodes(bare, [0, 1], embedders, TASK, () => {})).get('mean')!.episodes
    expect(success!.goals).toEqual(success!.embeddings.subarray(60))
    expect(success!.goalDistances![20]).toBe(0)
    expect([failure!.goals, failure!.goalDistances]).toEqual([undefined, undefined])
  })

  test('of a dataset with outcomes alone: pictures of other successes are the goal of all, classes are outcomes', async () => {
    const foreign = outcomesAlone()
    const goals = await successFrames(foreign, [0], 'top')
    expect(goals).toEqual([(await foreign.readEpisode(0)).images['top']!.slice(-16 * 16 * 3)])
    const embedders = [encoderEmbedder('mean', meanColour([]), 'top', foreign, { sharedGoals: [...goals, ...goals] })]
    const embedded = (await embedEpisodes(foreign, [0, 1], embedders, undefined, () => {})).get('mean')!
    const [success, failure] = embedded.episodes
    expect([success!.class, failure!.class]).toEqual(['succeeded', 'failed'])
    expect(failure!.goals).toHaveLength(6)
    expect(failure!.goals).toEqual(success!.goals)
    expect(failure!.states).toEqual((await foreign.readEpisode(1)).proprio)
    expect(embedded).toMatchObject({
      expertClasses: ['scripted', 'expert', 'succeeded'],
      stateNames: expect.anything(),
    })
  })

  test('an episode that cannot be read is left out and named; other errors are not', async () => {
    const dataset = syntheticDataset(1)
    const failing = (error: Error) => ({
      ...dataset,
      readEpisode: (index: number) => (index === 1 ? Promise.reject(error) : dataset.readEpisode(index)),
    })
    const named: string[] = []
    const embed = (error: Error) =>
      embedEpisodes(failing(error), [0, 1], [stateEmbedder('state', 4, TASK)], TASK, () => {}, {
        onProblem: (each) => named.push(each.message),
      })
    const embedded = await embed(new ArmatureError('corrupt-file', 'episode 1'))
    expect(embedded.get('state')!.episodes.map(({ index }) => index)).toEqual([0])
    expect(named).toEqual(['episode 1'])
    await expect(embed(new Error('other'))).rejects.toThrow('other')
  })
})

/** As recorded elsewhere: pictures, proprioception, actions, rewards and outcomes, no states and no goals. */
function outcomesAlone() {
  const dataset = syntheticDataset(1)
  const { goalSpace: _space, ...spec } = dataset.spec
  const episodes = dataset.episodes.map(({ goal: _goal, ...info }) => ({ ...info, policy: 'unknown' }))
  return {
    ...dataset,
    episodes,
    spec: { ...spec, stateSpace: boxSpace([0], -1, 1) },
    readEpisode: async (index: number) => {
      const { goalImages: _images, ...data } = await dataset.readEpisode(index)
      return { ...data, state: new Float32Array(), info: episodes.find((info) => info.index === index)! }
    },
  }
}

test('frames of another size are brought to that of an encoder that learned so', async () => {
  const dataset = syntheticDataset(1)
  const small = encoderEmbedder('mean', meanColour([], [8, 8, 3]), 'top', dataset, {
    fit: { from: [16, 16, 3], to: [8, 8, 3] },
  })
  const whole = encoderEmbedder('mean', meanColour([]), 'top', dataset)
  const data = await dataset.readEpisode(0)
  const [a, b] = [await small.embed(data), await whole.embed(data)]
  expect(Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))).toBeLessThan(0.5)
  const [goalA, goalB] = [(await small.embedGoals(data))!, (await whole.embedGoals(data))!]
  expect(Math.max(...goalA.map((x, i) => Math.abs(x - goalB[i]!)))).toBeLessThan(0.5)
})

test.each([
  ['of other proportions', [8, 8, 3], [16, 20, 3]],
  ['smaller than its own', [32, 32, 3], [64, 64, 3]],
  ['of other channels', [8, 8, 9], [16, 16, 9]],
] as const)('frames %s than those that an encoder learned from are refused', (_what, shape, resizedFrom) => {
  const make = () =>
    encoderEmbedder('mine', meanColour([], shape), 'top', syntheticDataset(1), {
      fit: { from: resizedFrom, to: shape },
    })
  expect(make).toThrow(
    `expected frames of ${shape.join('x')}, or larger ones of the proportions of ${resizedFrom.join('x')}, which it averages to that, got 16x16x3`,
  )
})

test('larger frames of the same proportions are averaged as those that an encoder learned from', async () => {
  const dataset = syntheticDataset(1)
  const make = (from: number) =>
    encoderEmbedder('mean', meanColour([], [8, 8, 3]), 'top', dataset, {
      fit: { from: [from, from, 3], to: [8, 8, 3] },
    })
  const data = await dataset.readEpisode(0)
  expect(await make(64).embed(data)).toEqual(await make(16).embed(data))
})

test.each([
  ['front', [16, 16, 3], 'expected camera front, got only top'],
  ['top', [48, 48, 3], 'expected frames of 48x48x3, got 16x16x3 from camera top'],
] as const)('an encoder of camera %s and frames %j is refused', (camera, shape, text) => {
  expect(() => encoderEmbedder('mine', meanColour([], shape), camera, syntheticDataset(1))).toThrow(text)
})

test('a goal space that names state variables gives a distance; one that does not, none', () => {
  const { spec } = syntheticDataset(1)
  const named = namedGeometry({ ...spec, goalSpace: boxSpace([2], -1, 1, ['puck_x_m', 'puck_y_m']) })!
  expect(named.achieved(Float32Array.of(1, 2, 3, 4))).toEqual(Float32Array.of(3, 4))
  expect(named.distance(Float32Array.of(0, 0), Float32Array.of(3, 4))).toBe(5)
  expect(namedGeometry({ ...spec, goalSpace: boxSpace([1], -1, 1, ['door_rad']) })).toBeUndefined()
})
