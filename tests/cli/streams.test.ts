import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BIN } from '../built.ts'
import { sets, SLOW_MS, startCommand, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const ARMATURE = `"${process.execPath}" "${BIN}"`

describe.skipIf(process.platform !== 'linux').concurrent('output that cannot be written', { timeout: SLOW_MS }, () => {
  test('a full disk under stdout is said in one line', async () => {
    const { code, stderr } = await startCommand('sh', ['-c', `${ARMATURE} list > /dev/full`], cwd).finished
    expect(code).toBe(2)
    expect(stderr).toMatch(/^armature: cannot write to stdout: ENOSPC.*\n$/)
  })

  test('a reader that has seen enough is no error', async () => {
    const { stdout, stderr } = await startCommand(
      'bash',
      ['-c', `${ARMATURE} list --json | true; echo \${PIPESTATUS[0]}`],
      cwd,
    ).finished
    expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' })
  })

  test('progress that nobody can see stops no training', async () => {
    const tiny = sets({ 'agent.config.hidden': [8], 'training.evalEpisodes': 1, 'training.finalEpisodes': 1 })
    const words = tiny.map((word) => `'${word}'`).join(' ')
    const train = `${ARMATURE} train sac-pendulum --steps 60 ${words} --out run 2> /dev/full`
    const { code } = await startCommand('sh', ['-c', train], cwd).finished
    expect(code).toBe(0)
    expect(existsSync(join(cwd, 'run', 'checkpoints', 'step_000000060'))).toBe(true)
  })
})

test.skipIf(process.platform === 'win32')(
  'a working directory that is gone is said in one line',
  { timeout: SLOW_MS },
  async () => {
    const script = `mkdir gone && cd gone && rmdir ../gone && ${ARMATURE} train sac-pendulum --steps 10`
    const { code, stderr } = await startCommand('sh', ['-c', script], cwd).finished
    expect({ code, lines: stderr.split('\n').length }, stderr).toEqual({ code: 2, lines: 2 })
  },
)
