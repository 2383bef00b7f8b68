import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { EstimateReport } from '../../src/cli/estimate.ts'
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
    expect(stdout).toMatch(
      /^ {2}beta-vae: .*\n {4}needs +frames of one camera\n {4}good at .*\n {4}bad at .*\n {4}presets +paper, default, debug$/m,
    )
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

describe('estimate', { timeout: SLOW_MS }, () => {
  test('says what each part of a run takes, and leaves nothing behind', async () => {
    const small = { 'env.options.size': 24, 'representation.config': { filters: 2, layers: 2, latentSize: 4 } }
    const set = Object.entries(small).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`])
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('armature-estimate'))
    const { stdout } = await succeed('estimate', 'pixels', '--steps', '5000', ...set, '--json')
    const { phases, seconds, memory_bytes } = JSON.parse(stdout) as EstimateReport
    expect(phases.map(({ name, amount }) => [name, amount])).toEqual([
      ['train', '5,000 steps'],
      // Two on the way, and the final one, beside two policies that learn nothing.
      ['evaluate', '340 episodes'],
    ])
    for (const phase of phases) expect(phase.seconds).toBeGreaterThan(0)
    expect(seconds).toBeCloseTo(phases.reduce((sum, phase) => sum + phase.seconds, 0))
    // Frames of the replay are most of it.
    expect(memory_bytes).toBeGreaterThan(60_000 * 24 * 24 * 3)
    expect(memory_bytes).toBeLessThan(1.2 * 60_000 * 24 * 24 * 3)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('armature-estimate'))).toEqual(before)
    expect(readdirSync(cwd)).not.toContain('runs')
  })

  test('a robot is not moved for it', async () => {
    const { code, stderr } = await runCli(cwd, ['estimate', 'sac-pendulum', '--env', 'tcp://127.0.0.1:5999'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('a robot, which would move')])
  })
})
