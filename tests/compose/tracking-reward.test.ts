import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { goalRewards } from '../../src/compose/goal-rewards.ts'
import { goalSources } from '../../src/compose/goal-sources.ts'
import { trackingSchema } from '../../src/compose/tracking-reward.ts'
import type { EmbedEpisode, GoalReward } from '../../src/core/goals.ts'
import { Rng } from '../../src/core/rng.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import type { Representation } from '../../src/run/representation.ts'
import { temporaryFolder } from '../cli/helpers.ts'
import { syntheticDataset } from '../evaluate/report/fixture.ts'

const data = join(temporaryFolder(), 'data')
const HUBER = { alpha: 1, beta: 0, gamma: 1 }

beforeAll(async () => {
  const dataset = syntheticDataset(2)
  const writer = await LeRobotWriter.create(data, dataset.spec)
  for (const { index } of dataset.episodes) await writer.addEpisode(await dataset.readEpisode(index))
  await writer.close()
})

/** A demonstration that goes along a line, one unit a step, to 3. */
const line: EmbedEpisode = async () => Float32Array.of(0, 0, 1, 0, 2, 0, 3, 0)

async function tracking(config: object, embed: EmbedEpisode = line): Promise<GoalReward> {
  const reward = goalRewards['tracking']!.create(trackingSchema.parse({ data, ...HUBER, ...config }))
  await reward.prepare!(embed)
  return reward
}

/** What is paid for being at (x, 0) at a time; goals are elsewhere. */
function paid(reward: GoalReward, rows: readonly (readonly [x: number, time: number])[]): number[] {
  const rewards = new Float32Array(rows.length)
  const none = (): never => {
    throw new Error('no frames')
  }
  reward.compute(
    {
      size: rows.length,
      featureSize: 2,
      reached: Float32Array.from(rows.flatMap(([x]) => [x, 0])),
      goals: new Float32Array(2 * rows.length).fill(77),
      times: Int32Array.from(rows, ([, time]) => time),
      reachedFrame: none,
      goalFrame: none,
    },
    rewards,
  )
  return [...rewards].map((value) => (value === 0 ? 0 : value))
}

describe('tracking a demonstration', () => {
  test('pays by where it was at the same time, and after its end by where it ended', async () => {
    const reward = await tracking({})
    expect(paid(reward, [[0, 0], [2, 2], [0, 2], [3, 3], [3, 90], [1, 90]])).toEqual([0, 0, -4, 0, 0, -4]) // prettier-ignore
  })

  test('with slack, by the nearest moment about that time, and no other', async () => {
    const reward = await tracking({ slackSteps: 1 })
    expect(paid(reward, [[1, 2], [3, 2], [0, 2], [2, 0], [3, 4], [2, 4], [2, 9]])).toEqual([0, 0, -1, -1, 0, -1, -1]) // prettier-ignore
  })

  test('has the form of the paper: squared from afar, a root near by', async () => {
    const [near, far] = paid(await tracking({ beta: 0.5, gamma: 1e-4 }), [[1, 1], [101, 1]]) // prettier-ignore
    expect(near).toBeCloseTo(-0.005, 6)
    expect(far).toBeCloseTo(-1e4 - 50, 0)
  })

  test('embeds the episode that is named, else the first that succeeded', async () => {
    const shown: number[] = []
    const note: EmbedEpisode = async ({ info }, dataset) => {
      expect(dataset.path).toBe(data)
      shown.push(info.index)
      return new Float32Array(2)
    }
    await tracking({}, note)
    await tracking({ episode: 3 }, note)
    const { episodes } = syntheticDataset(2)
    expect(shown).toEqual([episodes.find(({ success }) => success)!.index, 3])
  })

  test('is embedded anew when the encoder has learned more', async () => {
    const reward = await tracking({})
    await reward.prepare!(async () => Float32Array.of(5, 0))
    expect(paid(reward, [[5, 0]])).toEqual([0])
  })

  test.each([
    [{ data: 'nowhere' }, 'nowhere is not a dataset'],
    [{ data, episode: 99 }, 'expected episode 99, got 8 episodes; name one by its number (episode=N)'],
  ])('%j is found missing before anything long starts', async (config, message) => {
    const reward = goalRewards['tracking']!.create(trackingSchema.parse(config))
    await expect(reward.check!()).rejects.toThrow(message)
  })

  test('pays nothing before it is prepared', () => {
    const reward = goalRewards['tracking']!.create(trackingSchema.parse({ data }))
    expect(() => paid(reward, [[0, 0]])).toThrow('reward tracking: expected to be prepared first')
  })
})

test('how a demonstration ended is a goal, with its picture', async () => {
  const representation: Representation = {
    name: 'mark',
    size: 1,
    camera: 'top',
    takesContext: false,
    begin: () => ({
      observe: async ({ images }) => Float32Array.of(images['top']![0]!),
      goal: async () => Float32Array.of(0),
      save: () => ({}),
      restore: () => {},
    }),
  }
  const parts = { env: undefined as never, encoder: undefined, representation }
  const source = await goalSources['demonstration']!.create(parts, { data, episode: 1 }, true, 0)
  const { images, info } = await syntheticDataset(2).readEpisode(1)
  const last = images['top']!.slice(-images['top']!.length / info.length)
  expect(source.sample(new Rng(0))).toEqual({ features: Float32Array.of(last[0]!), frame: last })
})
