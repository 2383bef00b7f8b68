import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { RewardsReport } from '../../src/evaluate/report/model.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { syntheticDataset } from '../evaluate/report/fixture.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const REPORT = ['rewards', 'pixels', '--no-baselines', '--data', 'data']

beforeAll(async () => {
  const dataset = syntheticDataset(6)
  const writer = await LeRobotWriter.create(join(cwd, 'data'), dataset.spec)
  for (const { index } of dataset.episodes) await writer.addEpisode(await dataset.readEpisode(index))
  await writer.close()
}, SLOW_MS)

test(
  'writes a page with the JSON beside it, refuses to replace them, and gives the same bytes again',
  { timeout: SLOW_MS },
  async () => {
    const first = await runCli(cwd, [...REPORT, '--report', 'report.html'])
    expect({ code: first.code, stderr: first.code === 0 ? '' : first.stderr }).toEqual({ code: 0, stderr: '' })
    expect(first.stdout).toContain('Ranks progress within an episode')
    expect(first.stdout).toMatch(/\d+ others: --all/)
    expect(first.stdout).not.toContain('value/voc')
    const json = readFileSync(join(cwd, 'report.json'), 'utf8')
    const report = JSON.parse(json) as {
      schemaVersion: number
      encoders: { name: string }[]
      provenance: { trainEpisodes: number[]; testEpisodes: number[]; command: string }
    }
    expect(report).toMatchObject({ schemaVersion: 2, encoders: [{ name: 'pixels' }] })
    const { trainEpisodes, testEpisodes, command } = report.provenance
    expect([...trainEpisodes, ...testEpisodes].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 24 }, (_, i) => i),
    )
    expect(command).toBe(`armature ${REPORT.join(' ')} --report report.html`)

    writeFileSync(join(cwd, 'kept.html'), 'mine')
    const refused = await runCli(cwd, [...REPORT, '--report', 'kept.html'])
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({
      code: 2,
      stderr: 'armature: kept.html exists; name another file or use --overwrite\n',
    })
    expect(readFileSync(join(cwd, 'kept.html'), 'utf8')).toBe('mine')
    expect(existsSync(join(cwd, 'kept.json'))).toBe(false)

    await runCli(cwd, [...REPORT, '--report', 'report.html', '--overwrite'])
    const again = readFileSync(join(cwd, 'report.json'), 'utf8')
    expect(again.replace(' --overwrite', '')).toBe(json)
  },
)

test('--all adds the measures that were not shown to predict', { timeout: SLOW_MS }, async () => {
  const { stdout } = await runCli(cwd, [...REPORT, '--all'])
  for (const name of ['success/near_auc', 'value/voc_shuffled', 'distance/spearman', 'probe/reward_r2']) {
    expect(stdout).toContain(name)
  }
  expect(stdout).not.toContain('others: --all')
})

test.each([
  [['rewards', 'nonsense', '--data', 'data'], '"nonsense" is neither a run folder nor a control'],
  [['rewards', 'random', '--data', 'data', '--camera', 'back'], 'camera of data: expected top, got back'],
  [['rewards', 'random', '--data', 'nowhere'], 'nowhere is not a dataset'],
  [['rewards', 'random', '--data', 'data', '--reward', 'track'], 'unknown reward "track"; did you mean tracking?'],
  [
    ['rewards', 'random', '--data', 'data', '--reward', 'pixel-mse'],
    'expected a reward of embeddings, got one of pixels',
  ],
  [['rewards', 'random', '--data', 'data', '--reward', 'tracking'], 'reward tracking: data: expected string'],
  [['rewards', 'random', '--data', 'data', '--set', 'alpha=1'], 'expected --reward, which it is a setting of'],
])('%j is refused in one line', { timeout: SLOW_MS }, async (args, text) => {
  const { code, stderr } = await runCli(cwd, args)
  expect(code).toBe(2)
  expect(stderr).toContain(text)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

test(
  'measures the reward that is named: one that follows a demonstration depends on time',
  { timeout: SLOW_MS },
  async () => {
    const orderOf = async (...flags: string[]): Promise<Record<string, number | null>> => {
      const { code, stdout, stderr } = await runCli(cwd, [...REPORT, '--json', ...flags])
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
      const report = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as RewardsReport
      const cells = report.encoders[0]!.cells
      return {
        reward: report.provenance.reward,
        ...Object.fromEntries(Object.entries(cells).map(([name, { estimate }]) => [name, estimate])),
      } as never
    }
    const distance = await orderOf()
    const cosine = await orderOf('--reward', 'cosine', '--set', 'scale=2')
    const tracking = await orderOf('--reward', 'tracking', '--set', 'data=data', '--set', 'episode=0')
    expect([distance['reward'], cosine['reward'], tracking['reward']]).toEqual([
      undefined,
      'cosine scale=2',
      'tracking data=data episode=0',
    ])
    // Cosines of pictures with their goal rise on the way as minus the distance does, and shown backwards they fall as much.
    expect(distance['value/voc_expert']).toBeGreaterThan(0.6)
    expect(cosine['value/voc_expert']).toBeGreaterThan(0.6)
    expect(cosine['value/voc_reversed']).toBeCloseTo(-cosine['value/voc_expert']!, 6)
    // The demonstration goes elsewhere than most episodes: who follows it by time is not paid by nearness to the own goal.
    expect(tracking['distance/spearman_episode']).toBeLessThan(0.9 * distance['distance/spearman_episode']!)
    expect(tracking['value/voc_reversed']).not.toBeCloseTo(-tracking['value/voc_expert']!, 2)
  },
)

test('a dataset that has changed since its encoder learned from it is refused', { timeout: SLOW_MS }, async () => {
  const pretrained = await runCli(cwd, ['pretrain', 'pixels', '--data', 'data', '--camera', 'top', '--out', 'run'])
  expect({ code: pretrained.code, stderr: pretrained.stderr.includes('armature:') }).toEqual({ code: 0, stderr: false })
  writeFileSync(join(cwd, 'data', 'notes.txt'), 'added')
  const { code, stderr } = await runCli(cwd, ['rewards', 'run', '--data', 'data'])
  rmSync(join(cwd, 'data', 'notes.txt'))
  expect(code).toBe(2)
  expect(stderr).toContain('expected the dataset that run learned from, as it was then')
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})
