import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createContext } from '../../src/cli/context.ts'
import type { McapFlags } from '../../src/cli/mcap.ts'
import { mcap } from '../../src/cli/mcap.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { readMcap } from '../io/mcap-reader.ts'
import { FAKE_SPEC, fakeEpisode } from '../replay/fake-dataset.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const data = join(cwd, 'data')
const file = join(cwd, 'new/push.mcap')

function run(dataset: string, flags: Partial<McapFlags> = {}, signal = new AbortController().signal): Promise<object> {
  return mcap(createContext([], { quiet: true }, signal), dataset, { out: file, ...flags })
}

describe('armature mcap', { timeout: SLOW_MS }, () => {
  beforeAll(async () => {
    const writer = await LeRobotWriter.create(data, FAKE_SPEC)
    for (const [index, length] of [3, 5, 4].entries()) await writer.addEpisode(fakeEpisode(index, length))
    await writer.close()
  })

  test('writes episodes of a dataset for viewers', async () => {
    const args = ['mcap', 'data', '--out', 'new/push.mcap', '--episodes', '2,0', '--cameras', 'scene', '--json']
    const { code, stdout, stderr } = await runCli(cwd, args)
    expect(code, stderr).toBe(0)
    const report = JSON.parse(stdout) as unknown
    expect(report).toMatchObject({ file: 'new/push.mcap', episodes: [2, 0], durationS: 1.5, problems: [] })
    const { channels, messages } = readMcap(readFileSync(file))
    expect(Object.keys(channels)).toContain('/camera/scene')
    expect(Object.keys(channels)).not.toContain('/camera/outcome')
    expect(messages.filter(({ topic }) => topic === '/state').length).toBe(7)
  })

  test('replaces a file only when told to, and never with half of another', async () => {
    const before = readFileSync(file)
    await expect(run(data)).rejects.toThrow('push.mcap exists; name another file or use --overwrite')
    await expect(run(data, { overwrite: true, episodes: [7] })).rejects.toThrow('no episode 7')
    await expect(run(data, { overwrite: true, cameras: ['wrist'] })).rejects.toThrow('no camera "wrist"')
    await expect(run(data, { overwrite: true }, AbortSignal.abort())).rejects.toThrow('stopped')
    expect(readFileSync(file)).toEqual(before)
    expect(await readdir(join(cwd, 'new'))).toEqual(['push.mcap'])
    expect(await run(data, { overwrite: true })).toMatchObject({ episodes: [0, 1, 2] })
    expect(readFileSync(file).length).toBeGreaterThan(before.length)
  })

  test('a folder that holds no dataset is named, and nothing is made', async () => {
    const out = join(cwd, 'other/x.mcap')
    await expect(run(join(cwd, 'nowhere'), { out })).rejects.toThrow('nowhere')
    expect(await readdir(cwd)).not.toContain('other')
  })
})
