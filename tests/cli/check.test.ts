import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Env } from '../../src/core/env.ts'
import type { CheckOptions } from '../../envs/check.ts'
import { envs } from '../../envs/index.ts'
import type { CheckReport } from '../../src/cli/check.ts'
import { runHere } from './in-process.ts'

const PENDULUM = 'armature/Pendulum-v1'

// The battery itself is run over every env by the tests of contracts; here, a test may say what it finds.
const { battery } = vi.hoisted(() => ({ battery: { finds: undefined as ((id: string) => boolean) | undefined } }))
vi.mock('../../envs/check.ts', async (importOriginal) => {
  const { checkEnv } = await importOriginal<typeof import('../../envs/check.ts')>()
  return {
    checkEnv: async (make: () => Promise<Env>, options: CheckOptions) => {
      if (battery.finds === undefined) return checkEnv(make, options)
      const env = await make()
      await env.close()
      const ok = battery.finds(env.spec.id)
      const result = { name: 'a case', ok, detail: ok ? '' : 'the reason' }
      await options.onResult?.(result)
      return [result]
    },
  }
})
afterEach(() => (battery.finds = undefined))

describe('check', () => {
  test('a line for each case that holds', async () => {
    const { code, stdout } = await runHere(['check', PENDULUM, '--steps', '10'])
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
    const { code, stdout } = await runHere(push)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^ {2}FAIL {2}observations change under random play +images\.front stays the same$/m)
    expect(stdout).toMatch(/^armature\/PushPuck-v0: \d of \d+ cases fail$/m)
  })

  test('all is every registered env; exit code 0 when each keeps the contract', async () => {
    battery.finds = () => true
    const { code, stdout } = await runHere(['check', 'all', '--steps', '2', '--json'])
    const report = JSON.parse(stdout) as CheckReport
    expect(code).toBe(0)
    expect(report).toMatchObject({ ok: true, seed: 1, steps: 2 })
    expect(report.envs.map(({ env }) => env)).toEqual(Object.keys(envs))
  })

  test('all: exit code 1, and the names, when one does not', async () => {
    battery.finds = (id) => id !== PENDULUM
    const { code, stdout } = await runHere(['check', 'all'])
    expect(code).toBe(1)
    expect(stdout).toContain(`1 of ${Object.keys(envs).length} envs do not: ${PENDULUM}`)
    const json = await runHere(['check', 'all', '--json'])
    expect(json.code).toBe(1)
    const report = JSON.parse(json.stdout) as CheckReport
    expect(report.ok).toBe(false)
    expect(report.envs.filter(({ ok }) => !ok).map(({ env }) => env)).toEqual([PENDULUM])
  })

  test.each([
    ['an unknown env', ['PushPuck'], 'did you mean armature/PushPuck-v0?'],
    ['an unknown option', [PENDULUM, '--set', 'maxEpisodeStep=3'], 'did you mean maxEpisodeSteps?'],
    ['an unknown option of all', ['all', '--set', 'nothing=3'], 'has no option "nothing"'],
  ])('%s is refused', async (_what, args, text) => {
    const { code, stdout, stderr } = await runHere(['check', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^armature: .*\n$/)
    expect(stderr).toContain(text)
  })

  test('is stopped within a case, however many steps that has', async () => {
    const abort = new AbortController()
    setTimeout(() => abort.abort('SIGINT'), 50)
    const { code, stderr } = await runHere(['check', PENDULUM, '--steps', '10000'], abort.signal)
    expect(code).toBe(130)
    expect(stderr.trimEnd().split('\n').at(-1)).toBe('armature: stopped')
  })
})
