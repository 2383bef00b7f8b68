import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { benchmarks } from '../../src/cli/benchmarks.ts'
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
  ])
})
