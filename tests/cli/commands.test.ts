import { describe, expect, test } from 'vitest'
import { presets } from '../../src/config/presets.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
async function succeed(...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { code, stdout, stderr } = await runCli(cwd, args)
  expect(code, stderr).toBe(0)
  return { stdout, stderr }
}

describe('list', { timeout: SLOW_MS }, () => {
  test('names every preset, dataset, env, encoder and agent, for people and as JSON', async () => {
    const { stdout } = await succeed('list')
    const json = JSON.parse((await succeed('list', '--json')).stdout) as Record<string, { name: string }[]>
    expect(json.presets!.map(({ name }) => name)).toEqual(presets.map(({ name }) => name))
    const goals = ['goal-sources', 'goal-rewards', 'goal-forms']
    expect(Object.keys(json)).toEqual(['presets', 'datasets', 'envs', 'encoders', 'agents', ...goals])
    for (const { name } of Object.values(json).flat()) expect(stdout).toContain(name)
  })

  test('one kind alone, and the nearest to one that there is not', async () => {
    const { stdout } = await succeed('list', 'encoders')
    expect(stdout).toContain('beta-vae')
    expect(stdout).not.toContain('rig-push')
    const { code, stderr } = await runCli(cwd, ['list', 'encodrs'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('did you mean encoders?')])
  })
})

describe('doctor', { timeout: SLOW_MS }, () => {
  test('says of every engine whether it runs; the default one must', async () => {
    const { stdout, stderr } = await succeed('doctor')
    expect(stderr).toBe('')
    const { engines, physics } = JSON.parse((await succeed('doctor', '--json')).stdout) as Record<
      string,
      { name: string; available: boolean }[]
    >
    expect(engines!.map(({ name }) => name)).toEqual(['onnx', 'tensorflow', 'js'])
    expect(engines!.filter(({ available }) => available).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['onnx', 'js']),
    )
    expect(physics!.some(({ available }) => available)).toBe(true)
    // One line about each engine, and no more about the one that is missing.
    expect(stdout.match(/^ {2}(ok|none) +tensorflow/gm)).toHaveLength(1)
  })
})

describe('bench', { timeout: SLOW_MS }, () => {
  test('times what was asked for and says on what', async () => {
    const { stdout } = await succeed('bench', '--only', 'replay_sample_ms,act_ms', '--repetitions', '2', '--json')
    const report = JSON.parse(stdout) as Record<string, number | string>
    expect(Object.keys(report)).toEqual(
      expect.arrayContaining(['replay_sample_ms', 'act_ms', 'engine', 'threads', 'repetitions']),
    )
    expect(report).toMatchObject({ engine: 'onnx', repetitions: 2 })
    expect(report.act_ms).toBeGreaterThan(0)
    expect(report).not.toHaveProperty('sac_update_ms')
  })
})

test('an engine that is slow says so on stderr', { timeout: SLOW_MS }, async () => {
  const args = ['bench', '--only', 'replay_sample_ms', '--repetitions', '1', '--engine', 'js']
  expect((await succeed(...args)).stderr).toContain('about 100 times slower than onnx')
  expect((await succeed(...args, '--quiet')).stderr).toBe('')
})
