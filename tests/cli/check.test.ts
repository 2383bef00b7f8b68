import { describe, expect, test } from 'vitest'
import { envs } from '../../envs/index.ts'
import type { CheckReport } from '../../src/cli/check.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const PENDULUM = 'armature/Pendulum-v1'

describe.concurrent('check', { timeout: SLOW_MS }, () => {
  test('a line for each case that holds', async () => {
    const { code, stdout } = await runCli(cwd, ['check', PENDULUM, '--steps', '10'])
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(PENDULUM)
    expect(lines).toContain('  ok    steps repeat with the seed')
    const count = lines.filter((line) => line.startsWith('  ok    ')).length
    expect(count).toBeGreaterThan(20)
    expect(lines).toContain(`${PENDULUM}: all ${count} cases hold`)
  })

  test('exit code 1 and the reason when a case fails', async () => {
    // One pixel in the middle of the table does not change before anything reaches it.
    const push = ['check', 'armature/PushPuck-v0', '--set', 'size=1', '--set', 'supersample=off', '--steps', '3']
    const { code, stdout } = await runCli(cwd, push)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^ {2}FAIL {2}observations change under random play +images\.front stays the same$/m)
    expect(stdout).toMatch(/^armature\/PushPuck-v0: \d of \d+ cases fail$/m)
  })

  test('all is every registered env', async () => {
    const args = ['check', 'all', '--steps', '2', '--set', 'maxEpisodeSteps=2', '--json']
    const { code, stdout } = await runCli(cwd, args)
    const report = JSON.parse(stdout) as CheckReport
    expect(report).toMatchObject({ seed: 1, steps: 2 })
    expect(report.envs.map(({ env }) => env)).toEqual(Object.keys(envs))
    expect(report.ok).toBe(report.envs.every(({ cases }) => cases.every(({ ok }) => ok)))
    expect(code).toBe(report.ok ? 0 : 1)
  })

  test.each([
    ['an unknown env', ['PushPuck'], 'did you mean armature/PushPuck-v0?'],
    ['an unknown option', [PENDULUM, '--set', 'maxEpisodeStep=3'], 'did you mean maxEpisodeSteps?'],
    ['an unknown option of all', ['all', '--set', 'nothing=3'], 'has no option "nothing"'],
  ])('%s is refused', async (_what, args, text) => {
    const { code, stdout, stderr } = await runCli(cwd, ['check', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^armature: .*\n$/)
    expect(stderr).toContain(text)
  })
})
