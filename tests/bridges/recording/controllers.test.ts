import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { datasetSpecOf, EpisodeCutter } from '../../../bridges/recording/episode-cutter.ts'
import type { RobotSchema } from '../../../bridges/protocol/schema.ts'
import type { EpisodeData } from '../../../src/core/dataset.ts'
import { openDataset } from '../../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../../src/io/lerobot/writer.ts'
import type { MemoryClient } from '../memory-network.ts'
import { simulatedBridge } from '../simulated-bridge.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'armature-controllers-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A policy whose operator takes over in the middle of an episode, twice: once in the same process, once from another one. */
async function takeovers(): Promise<{ schema: RobotSchema; episodes: EpisodeData[] }> {
  const { client, time } = await simulatedBridge()
  const driver = client('controller', 'policy 7')
  const act = async (who: MemoryClient, count: number, policy?: string): Promise<void> => {
    for (let k = 0; k < count; k++) {
      who.act(0.1, policy === undefined ? {} : { policy: { id: policy } })
      await time.advance(20)
    }
  }
  driver.take()
  driver.command('start')
  await act(driver, 3)
  await act(driver, 2, 'leader arm')
  // Nobody says anything for a while: the robot holds by itself.
  await time.advance(200)
  await act(driver, 2)
  const ann = client('operator', 'ann')
  ann.lease = (ann.ask({ kind: 'lease_request', ttlMs: 5000, preempt: true }) as { lease: string }).lease
  await time.advance(100)
  ann.command('arm')
  ann.command('start')
  await act(ann, 3)
  const { schema } = driver.heard.find((message) => message.kind === 'welcome')!
  const cutter = new EpisodeCutter(schema, 'teleop')
  const episodes = driver.observations.flatMap((observation) => cutter.add(observation) ?? [])
  return { schema, episodes: [...episodes, ...[cutter.finish() ?? []].flat()] }
}

/** Each with how often it comes in a row. */
const runs = (names: readonly string[]): string[] => names.filter((name, k) => k === 0 || name !== names[k - 1])

describe('a recording with a person in the loop', () => {
  it('says of each step who was in control, in memory and in the folder', async () => {
    const { schema, episodes } = await takeovers()
    expect(episodes.map(({ controllers }) => runs(controllers!))).toEqual([
      ['policy 7', 'leader arm', '', 'policy 7'],
      ['ann'],
    ])
    for (const { controllers, info } of episodes) expect(controllers).toHaveLength(info.length - 1)
    const path = join(folder, 'data')
    const writer = await LeRobotWriter.create(path, datasetSpecOf(schema), { record: {} })
    for (const episode of episodes) await writer.addEpisode(episode)
    await writer.close()
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    for (const [index, { controllers }] of episodes.entries()) {
      expect((await dataset.readEpisode(index)).controllers).toEqual(controllers)
    }
  })

  it('is refused where a step says nothing of it', async () => {
    const { schema, episodes } = await takeovers()
    const writer = await LeRobotWriter.create(join(folder, 'data'), datasetSpecOf(schema), { record: {} })
    const { controllers, ...without } = episodes[0]!
    await expect(writer.addEpisode({ ...without })).rejects.toThrow(/controllers/)
    await expect(writer.addEpisode({ ...without, controllers: controllers!.slice(1) })).rejects.toThrow(/controllers/)
    await writer.close()
  })
})
