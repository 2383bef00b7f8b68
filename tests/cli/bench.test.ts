import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { envs } from '../../envs/index.ts'
import { benchmarks } from '../../src/cli/benchmarks.ts'
import { sceneBenchmarks } from '../../src/cli/env-benchmarks.ts'
import { runCli, SLOW_MS } from './helpers.ts'

test('bench times what it is asked for and prints one flat JSON object', { timeout: SLOW_MS }, async () => {
  const args = ['bench', '--only', 'replay_sample_ms', '--repetitions', '3', '--threads', '1', '--json']
  const { code, stdout, stderr } = await runCli(tmpdir(), args)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(1)
  const report = JSON.parse(lines[0]!) as Record<string, unknown>
  expect(Object.keys(report).filter((name) => name in benchmarks)).toEqual(['replay_sample_ms'])
  expect(report).toMatchObject({ repetitions: 3, threads: 1, engine: 'onnx', engine_version: expect.any(String) })
  expect(report['replay_sample_ms']).toBeGreaterThan(0)
})

test('the fields that others read', () => {
  expect(Object.keys(benchmarks)).toEqual([
    'sac_update_ms',
    'encoder_update_ms',
    'vae_update_ms',
    'act_ms',
    'camera_fps',
    'env_steps_per_s',
    'replay_sample_ms',
    'sample_frames_ms',
    'augment_ms',
  ])
})

test('bench env times registered scenes part by part and says which are missing', { timeout: SLOW_MS }, async () => {
  const fields = Object.keys(sceneBenchmarks().benchmarks)
  expect(fields).toEqual(
    expect.arrayContaining([
      'env_push_puck_steps_per_s',
      'env_push_puck_physics_ms',
      'env_push_puck_render_ms',
      'env_copy_ms',
      'camera_fps',
    ]),
  )
  for (const id of sceneBenchmarks().skipped) {
    expect(Object.keys(envs).filter((known) => known.startsWith(`${id}-v`))).toEqual([])
  }
  const args = ['bench', 'env', '--only', 'env_push_puck_physics_ms,env_copy_ms', '--repetitions', '1', '--json']
  const { code, stdout } = await runCli(tmpdir(), args)
  expect(code).toBe(0)
  const report = JSON.parse(stdout) as Record<string, number>
  expect(Object.keys(report).filter((name) => fields.includes(name))).toEqual([
    'env_push_puck_physics_ms',
    'env_copy_ms',
  ])
  // Of one step and one frame, not of a run of many.
  expect(report['env_copy_ms']).toBeLessThan(report['env_push_puck_physics_ms']!)
})
