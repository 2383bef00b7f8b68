import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
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
])('%j is refused in one line', { timeout: SLOW_MS }, async (args, text) => {
  const { code, stderr } = await runCli(cwd, args)
  expect(code).toBe(2)
  expect(stderr).toContain(text)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

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
