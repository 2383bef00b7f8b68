import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { otherLooks } from '../../src/cli/other-looks.ts'
import type { Dataset } from '../../src/core/dataset.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { syntheticDataset } from '../evaluate/report/fixture.ts'
import { SLOW_MS, temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const cwd = temporaryFolder()
const data = join(cwd, 'data')

beforeAll(async () => {
  const flags = ['--episodes', '24', '--set', 'size=16', '--set', 'objects=1', '--set', 'maxEpisodeSteps=12']
  const policies = ['--policy', 'scripted,random', '--cameras', 'front,side', '--set', 'randomize.hue=1']
  const { code, stderr } = await runHere(['collect', 'armature/PushMulti-v0', ...flags, ...policies, '--out', data])
  expect([code, stderr]).toEqual([0, expect.any(String)])
}, SLOW_MS)

async function lookAt(dataset: Dataset, cameras: readonly string[] = ['side']) {
  const looks = await otherLooks(dataset, cameras)
  const images = await looks?.render(await dataset.readEpisode(0))
  await looks?.close()
  return images
}

describe('recorded episodes in other looks', { timeout: SLOW_MS }, () => {
  test('are the same states from the same cameras, and look another way', async () => {
    const dataset = await openDataset(data)
    const { images, info } = await dataset.readEpisode(0)
    const looks = (await lookAt(dataset))!
    expect(Object.keys(looks)).toEqual(['light', 'camera', 'colour', 'texture'])
    for (const seen of Object.values(looks)) {
      expect(Object.keys(seen)).toEqual(['side'])
      expect(seen['side']).toHaveLength(info.length * 16 * 16 * 3)
      expect(Buffer.from(seen['side']!).equals(images['side']!)).toBe(false)
    }
    expect(await lookAt(dataset)).toEqual(looks)
  })

  test('are not made from actions that lead elsewhere, nor of what is no scene of ours', async () => {
    const dataset = await openDataset(data)
    const other: Dataset = {
      ...dataset,
      path: dataset.path,
      spec: dataset.spec,
      envOptions: dataset.envOptions!,
      readEpisode: async (index) => {
        const episode = await dataset.readEpisode(index)
        return { ...episode, actions: episode.actions.map((x) => -x) }
      },
    }
    expect(await lookAt(other)).toBeUndefined()
    expect(await otherLooks(syntheticDataset(1), ['top'])).toBeUndefined()
    expect(await otherLooks(dataset, ['back'])).toBeUndefined()
    expect(await otherLooks(dataset, [])).toBeUndefined()
  })

  test('are rows of the report; a folder that lost its options says in one line why there are none', async () => {
    const judged = ['rewards', 'pixels', '--no-baselines', '--data', data, '--camera', 'side', '--all']
    const { code, stdout, stderr } = await runHere(judged)
    expect([code, stderr.includes('armature:')]).toEqual([0, false])
    for (const look of ['light', 'camera', 'colour', 'texture']) {
      expect(stdout).toMatch(new RegExp(`^looks/drift/${look} +[\\d.]+`, 'm'))
      expect(stdout).toMatch(new RegExp(`^looks/retrieval/${look} +[\\d.]+`, 'm'))
    }
    // The scene had one object, where the default is two: true distances are those of the scene as it was recorded.
    expect(stdout).toMatch(/^distance\/spearman +-?[\d.]+ /m)

    const file = join(data, 'meta', 'armature.json')
    const recording = JSON.parse(readFileSync(file, 'utf8')) as { record: Record<string, unknown> }
    const { envOptions, ...record } = recording.record
    expect(envOptions).toMatchObject({ objects: 1 })
    writeFileSync(file, JSON.stringify({ ...recording, record }))
    const bare = await runHere(judged)
    expect(bare.code).toBe(0)
    expect(bare.stdout).toMatch(/^not measured, needs frames of a scene of ours.*: looks\/drift, looks\/retrieval$/m)
  })
})
