import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collectPresets } from '../../src/config/collect-presets.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { SLOW_MS, temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const cwd = temporaryFolder()

async function collect(name: string, out: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runHere(['collect', name, '--out', join(cwd, out), '--json', ...flags])
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Record<string, unknown>
}

describe('datasets that collect makes in one line', { timeout: SLOW_MS }, () => {
  test.each(Object.entries(collectPresets))('%s', async (name, { env, cameras, policy, options }) => {
    // Enough episodes for one of each class.
    const flags = ['--episodes', '5', '--set', 'size=16', '--set', 'maxEpisodeSteps=2']
    const report = await collect(name, name, ...flags)
    expect(report).toMatchObject({ env, episodes: 5 })
    expect(Object.keys(report['policies'] as object).toSorted()).toEqual(Object.keys(policy).toSorted())
    const dataset = await openDataset(join(cwd, name))
    expect(dataset.spec.source).toBe(env)
    if (cameras !== undefined) expect(Object.keys(dataset.spec.cameras)).toEqual(cameras)
    expect(Object.values(dataset.spec.cameras).map(({ shape }) => shape)).toContainEqual([16, 16, 3])
    const hasDistractor = options?.['distractor'] !== undefined
    for (const { distractor } of dataset.episodes) expect(distractor !== undefined).toBe(hasDistractor)
    const turnsHues = options?.['randomize'] !== undefined
    for (const { looks } of dataset.episodes) expect(looks?.['hue_cube_rad'] !== undefined).toBe(turnsHues)
  })

  test('what is asked for beside the name wins over what the name says, and nothing else changes', async () => {
    await collect('disc-arena', 'plain', '--episodes', '2')
    const wanted = ['--episodes', '2', '--policy', 'random', '--seed', '7', '--set', 'hues=blue']
    const report = await collect('disc-arena', 'asked', ...wanted)
    expect(report).toMatchObject({ episodes: 2, policies: { random: { episodes: 2 } } })
    const [plain, asked] = await Promise.all(['plain', 'asked'].map((name) => openDataset(join(cwd, name))))
    // 24 steps, as the name says, and one hue in all episodes, as was asked.
    const hues = async (dataset: typeof plain): Promise<number[]> =>
      Promise.all(
        dataset!.episodes.map(async ({ index, length }) => {
          expect(length).toBe(25)
          return (await dataset!.readEpisode(index, [])).state[2]!
        }),
      )
    expect(new Set(await hues(asked)).size).toBe(1)
    expect(new Set(await hues(plain)).size).toBe(2)
    expect(asked!.episodes[0]!.seed).not.toBe(plain!.episodes[0]!.seed)
  })

  test('data to test on are other episodes than those to train on, before other distractors', async () => {
    const flags = ['--episodes', '3', '--policy', 'random', '--set', 'size=8', '--set', 'maxEpisodeSteps=1']
    for (const name of ['distractors', 'distractors-test']) await collect(name, `${name}-few`, ...flags)
    const [train, test] = await Promise.all(
      ['distractors', 'distractors-test'].map(async (name) => (await openDataset(join(cwd, `${name}-few`))).episodes),
    )
    const seeds = new Set(train!.map(({ seed }) => seed))
    const clips = new Set(train!.map(({ distractor }) => distractor))
    for (const { seed, distractor } of test!) expect([seeds.has(seed), clips.has(distractor)]).toEqual([false, false])
  })

  test('a name that is neither a scene nor a dataset gets the nearest', async () => {
    const { code, stderr } = await runHere(['collect', 'grasp-bn', '--out', join(cwd, 'none')])
    expect([code, stderr]).toEqual([2, expect.stringContaining('did you mean grasp-bin?')])
    const scene = await runHere(['collect', 'armature/PushPuk-v0', '--out', join(cwd, 'none')])
    expect([scene.code, scene.stderr]).toEqual([2, expect.stringContaining('did you mean armature/PushPuck-v0?')])
  })
})
