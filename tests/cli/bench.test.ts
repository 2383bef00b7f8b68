import { tmpdir } from 'node:os'
import { beforeAll, expect, test } from 'vitest'
import { envs } from '../../envs/index.ts'
import { benchmarks } from '../../src/bench/benchmarks.ts'
import { bridgeSections } from '../../src/cli/bridge-benchmarks.ts'
import { encoders } from '../../encoders/index.ts'
import { encoderBenchmarks } from '../../src/bench/encoder-benchmarks.ts'
import { sceneBenchmarks } from '../../src/bench/env-benchmarks.ts'
import { pixelBenchmarks } from '../../src/bench/pixel-benchmarks.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { runCli, SLOW_MS, spawnCli } from './helpers.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

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
  expect(Object.keys(pixelBenchmarks())).toEqual([
    'pixels_update_ms',
    'sac_pixels_update_ms',
    'curl_update_ms',
    'sac_ae_update_ms',
    'deepmdp_update_ms',
    'dbc_update_ms',
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
  const args = ['bench', 'env', '--only', 'env_push_puck_physics_ms,env_copy_ms', '--repetitions', '5', '--json']
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

test(
  'bench encoders times an update of every encoder that learns, and the latents of all',
  { timeout: SLOW_MS },
  async () => {
    const fields = Object.keys(encoderBenchmarks())
    for (const [name, { presets }] of Object.entries(encoders)) {
      const field = `encoder_${name.replaceAll('-', '_')}`
      expect(fields.includes(`${field}_update_ms`), name).toBe(presets !== undefined)
      expect(fields).toContain(`${field}_encode_ms`)
    }
    const chosen = ['encoder_tcn_update_ms', 'encoder_pixels_encode_ms']
    const args = ['bench', 'encoders', '--only', chosen.join(), '--repetitions', '2', '--threads', '1']
    const { code, stdout } = await runCli(tmpdir(), args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^encoder_tcn_update_ms +[\d.]+ +an update of tcn, batch 64 of 48x48x3$/m)
    const report = JSON.parse((await runCli(tmpdir(), [...args, '--json'])).stdout) as Record<string, number>
    expect(Object.keys(report).filter((name) => fields.includes(name))).toEqual(chosen)
    expect(report['encoder_pixels_encode_ms']).toBeLessThan(report['encoder_tcn_update_ms']!)
  },
)

const updates = Object.entries(encoderBenchmarks()).filter(([name]) => name.endsWith('_update_ms'))

test.each(updates)('%s runs', async (_name, benchmark) => {
  const { run, close } = await benchmark.prepare()
  await run()
  await expect(run()).resolves.toBeDefined()
  await close()
})

test('bench bridge measures across two processes and leaves none behind', { timeout: SLOW_MS }, async () => {
  const args = ['bench', 'bridge', '--only', 'round_trip,decode,tick', '--seconds', '1', '--json']
  const { code, stdout, stderr } = await spawnCli(tmpdir(), args)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const report = JSON.parse(stdout) as Record<string, number>
  const durations = [
    'round_trip_us',
    'bare_echo_us',
    'decode_us',
    'tick_lateness_us',
    'verdict_us',
    'round_trip_tick_us',
  ]
  const percentiles = durations.flatMap((name) => ['p50', 'p99', 'p999', 'max'].map((which) => `${name}.${which}`))
  const others = ['round_trip_over_echo', 'round_trip_tick_unanswered', 'robot_cpu_percent', 'seconds']
  expect(Object.keys(report).toSorted()).toEqual([...percentiles, ...others].toSorted())
  expect(Object.values(report).every((value) => Number.isFinite(value) && value >= 0)).toBe(true)
  for (const name of durations) expect(report[`${name}.p99`]).toBeGreaterThanOrEqual(report[`${name}.p50`]!)
  // Waiting for the next of 50 control periods a second is most of it.
  expect(report['round_trip_tick_us.p50']).toBeGreaterThan(report['verdict_us.p50']!)
  expect(report['round_trip_tick_us.p50']).toBeGreaterThan(10_000)
})

test('bench bridge names its sections where it is asked for another', async () => {
  const { code, stderr } = await runCli(tmpdir(), ['bench', 'bridge', '--only', 'speed', '--seconds', '1'])
  expect(code).not.toBe(0)
  for (const name of Object.keys(bridgeSections)) expect(stderr).toContain(name)
})
