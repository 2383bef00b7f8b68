import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lerobot-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a dataset written here', () => {
  it('gives back every episode as it was, in any order', async () => {
    const path = join(folder, 'round-trip')
    const episodes = [4, 1, 7, 2].map((length, i) => randomEpisode(i + 1, length))
    const writer = await LeRobotWriter.create(path, SPEC)
    for (const episode of episodes) await writer.addEpisode(episode)
    await writer.close()
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    expect(dataset.spec).toEqual(SPEC)
    const numbered = episodes.map((episode, index) => ({ ...episode, info: { ...episode.info, index } }))
    expect(dataset.episodes).toEqual(numbered.map(({ info }) => info))
    for (const index of [2, 0, 3, 1]) expect(await dataset.readEpisode(index)).toEqual(numbered[index])
  })
})
