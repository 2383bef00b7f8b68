import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { loadRun } from '../../src/compose/load-run.ts'
import { Rng } from '../../src/core/rng.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { Finished } from './helpers.ts'
import { contentOf, runCli, sets, SLOW_MS, temporaryFolder, TINY_PUSH } from './helpers.ts'

const cwd = temporaryFolder()
const PUSH = join(cwd, 'push')
const PENDULUM = join(cwd, 'pendulum')
const ORACLE = join(cwd, 'oracle')
const NEWEST = 'checkpoints/step_000000120'
const OLDER = 'checkpoints/step_000000100'
const SMALL = sets({
  'agent.config.hidden': [16, 16],
  'training.batchSize': 16,
  'training.learningStarts': 60,
  'training.evalEpisodes': 1,
  'training.finalEpisodes': 2,
})

beforeAll(async () => {
  await startEngine({ threads: 1 })
  const trainings = [
    ['train', 'rig-push', ...TINY_PUSH, '--steps', '120', '--out', PUSH, '--json'],
    ['train', 'sac-pendulum', ...SMALL, '--steps', '120', '--out', PENDULUM, '--quiet'],
    ['train', 'oracle-push', ...SMALL, '--steps', '80', '--out', ORACLE, '--quiet'],
  ]
  for (const args of trainings) trained.push(await runCli(cwd, args))
}, SLOW_MS)

const trained: Finished[] = []

function copyOf(run: string, name: string): string {
  const copy = join(cwd, name)
  cpSync(run, copy, { recursive: true })
  return copy
}

function expectRefusal({ code, stdout, stderr }: Finished, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 2, stdout: '', lines: 2 })
}

function lastJson({ code, stdout, stderr }: Finished): Record<string, unknown> {
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>
}

describe('train', () => {
  test('imagines goals from where play started while training the encoder, and from the extra starts', async () => {
    const { parts } = await loadRun(PUSH)
    // 200 frames, a start every 5, a fifth of them held out; then 10 more starts.
    expect(parts.encoder!.save()['statistics/priorCount']!.data[0]).toBe(42)
  })

  test('with --json says one object on stdout and nothing else anywhere', () => {
    const [{ stdout, stderr }] = trained as [Finished]
    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n').length).toBe(1)
    expect(lastJson(trained[0]!)).toMatchObject({
      run: PUSH,
      steps: 120,
      policies: [{ policy: 'random' }, { policy: 'still' }, { policy: 'rig-push', episodes: 2 }],
      pictures: [join(PUSH, 'videos', 'episodes.gif'), join(PUSH, 'imagined-goals.png')],
    })
  })

  test('with --quiet says nothing at all', () => {
    expect(trained[1]).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
  })

  test('leaves the files of a run folder', () => {
    expect(readdirSync(PUSH).map((name) => name.replace(/tfevents.*/, 'tfevents'))).toEqual(
      expect.arrayContaining([
        'checkpoints',
        'config.json',
        'eval',
        'events.out.tfevents',
        'imagined-goals.png',
        'metrics.jsonl',
        'monitor.csv',
        'timings.jsonl',
        'videos',
      ]),
    )
    const record = JSON.parse(readFileSync(join(PUSH, 'config.json'), 'utf8')) as { command: string[]; config: object }
    expect(record.command.slice(0, 2)).toEqual(['train', 'rig-push'])
    expect(record.config).toMatchObject({
      preset: 'rig-push',
      training: { steps: 120 },
      agent: { config: { tau: 0.005 } },
    })
  })

  test('refuses the folder of a finished run', { timeout: SLOW_MS }, async () => {
    const before = contentOf(PUSH)
    const again = await runCli(cwd, ['train', 'rig-push', ...TINY_PUSH, '--out', PUSH])
    expectRefusal(again, `${PUSH} is not empty`, '--resume or another --out')
    expect(contentOf(PUSH)).toEqual(before)
  })

  test.each([
    ['--set', ['--set', 'replay.gamma=0.5'], 'expected no --set, got replay.gamma=0.5'],
    ['another preset', ['sac-pendulum'], 'expected preset rig-push, got sac-pendulum'],
    ['another seed', ['--seed', '7'], 'expected seed 0, got 7'],
  ])('refuses to go on with %s', { timeout: SLOW_MS }, async (_what, words, text) => {
    expectRefusal(await runCli(cwd, ['train', ...words, '--resume', '--out', PUSH]), text)
  })
})

describe('eval', { timeout: SLOW_MS }, () => {
  test.each([PUSH, PENDULUM])('of %s finds the same, byte for byte, on several envs and in threads', async (run) => {
    const found: string[] = []
    for (const [i, flags] of [[], ['--envs', '3'], ['--envs', '2', '--workers', '1']].entries()) {
      const copy = copyOf(run, `copies-${i}`)
      const { file } = lastJson(await runCli(cwd, ['eval', copy, '--episodes', '5', '--json', ...flags]))
      found.push(readFileSync(file as string, 'utf8'))
      rmSync(copy, { recursive: true })
    }
    expect(found[1]).toBe(found[0])
    expect(found[2]).toBe(found[0])
  })

  test('gives the same numbers as the evaluation after training, and writes them', async () => {
    const copy = copyOf(PUSH, 'evaluated')
    const report = lastJson(await runCli(cwd, ['eval', copy, '--episodes', '2', '--json']))
    const { policies } = lastJson(trained[0]!) as { policies: { means: object }[] }
    expect(report).toMatchObject({ policy: 'rig-push-step120', episodes: 2, step: 120, means: policies[2]!.means })
    const written = JSON.parse(readFileSync(join(copy, 'eval', 'rig-push-step120.json'), 'utf8')) as object
    expect(written).toMatchObject({ means: policies[2]!.means, results: [{ seed: 1_000_000 }, { seed: 1_000_001 }] })
  })

  test('in a scene with other options, beside the evaluation without', async () => {
    const copy = copyOf(PENDULUM, 'elsewhere')
    const evaluate = async (...set: string[]): Promise<{ file?: unknown; meanLength?: unknown }> =>
      lastJson(await runCli(cwd, ['eval', copy, '--episodes', '1', '--json', ...set]))
    const [usual, short] = [await evaluate(), await evaluate('--set', 'maxEpisodeSteps=5')]
    const lengthIn = (file: unknown): number =>
      (JSON.parse(readFileSync(file as string, 'utf8')) as { results: { length: number }[] }).results[0]!.length
    expect([lengthIn(usual.file), lengthIn(short.file)]).toEqual([200, 5])
    expectRefusal(await runCli(cwd, ['eval', copy, '--set', 'spedd=1']), 'spedd')
  })

  test('--video writes an animation', async () => {
    const file = join(cwd, 'clip.gif')
    const { code, stderr } = await runCli(cwd, ['eval', copyOf(ORACLE, 'filmed'), '--episodes', '1', '--video', file])
    expect(code, stderr).toBe(0)
    expect(readFileSync(file).subarray(0, 6).toString('latin1')).toBe('GIF89a')
  })
})

describe('play', () => {
  test.each([
    ['goals imagined from pixels', PUSH],
    ['goals as states', ORACLE],
    ['no goals', PENDULUM],
  ])('films a run: %s', async (_what, run) => {
    const copy = copyOf(run, `played ${_what}`)
    const played = lastJson(await runCli(cwd, ['play', copy, '--episodes', '2', '--json']))
    const { video, episodes } = played as { video: string; episodes: { seed: number; length: number }[] }
    expect(video).toBe(join(copy, 'videos', `play-step${String(played.step)}.gif`))
    expect(episodes.map(({ seed }) => seed)).toEqual([1_000_000, 1_000_001])
    expect(readFileSync(video).subarray(0, 6).toString('latin1')).toBe('GIF89a')
    expectRefusal(await runCli(cwd, ['play', copy]), 'play-step', 'exists', '--overwrite')
    expect((await runCli(cwd, ['play', copy, '--episodes', '1', '--overwrite', '--quiet'])).code).toBe(0)
  })

  test('refuses another ending and a run that is none, before anything is played', async () => {
    expectRefusal(await runCli(cwd, ['play', PUSH, '--out', 'film.avi']), 'expected a file that ends in .gif or .mp4')
    expectRefusal(await runCli(cwd, ['play', join(cwd, 'nowhere')]), 'nowhere')
  })
})

describe('a damaged checkpoint', { timeout: SLOW_MS }, () => {
  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ['with a flipped bit', flipLastBit],
    ['cut short', (file) => truncateSync(file, 100)],
    ['emptied', (file) => truncateSync(file, 0)],
    ['missing', (file) => rmSync(file)],
  ]

  test.each(damages)('%s is named, with the way out, by eval and by --resume', async (what, damage) => {
    const run = copyOf(PUSH, `damaged ${what}`)
    damage(join(run, NEWEST, 'model.safetensors'))
    const before = contentOf(run)
    const texts = [
      join(run, NEWEST),
      'model.safetensors',
      `step 100 is intact: delete the folder ${join(run, NEWEST)} to go on from there`,
    ]
    expectRefusal(await runCli(cwd, ['eval', run]), ...texts)
    expectRefusal(await runCli(cwd, ['train', '--resume', '--out', run]), ...texts)
    expect(contentOf(run)).toEqual(before)
  })

  test('following the advice works', async () => {
    const run = copyOf(PUSH, 'mended')
    flipLastBit(join(run, NEWEST, 'model.safetensors'))
    rmSync(join(run, NEWEST), { recursive: true })
    expect(lastJson(await runCli(cwd, ['eval', run, '--episodes', '1', '--json']))).toMatchObject({ step: 100 })
  })

  test('in the replay does not matter to eval, and is named by --resume', async () => {
    const run = copyOf(PUSH, 'replay')
    flipLastBit(join(run, NEWEST, 'training_state', 'replay.safetensors'))
    expect((await runCli(cwd, ['eval', run, '--episodes', '1', '--quiet'])).code).toBe(0)
    expectRefusal(await runCli(cwd, ['train', '--resume', '--out', run]), 'training_state/replay.safetensors')
  })

  test('with no intact one behind it says so', async () => {
    const run = copyOf(PUSH, 'hopeless')
    for (const step of readdirSync(join(run, 'checkpoints'))) {
      flipLastBit(join(run, 'checkpoints', step, 'model.safetensors'))
    }
    expectRefusal(await runCli(cwd, ['eval', run]), join(run, NEWEST), 'start the run again in another folder')
  })

  test('shorter logs than the checkpoint knows of are named', async () => {
    const run = copyOf(PUSH, 'cut logs')
    truncateSync(join(run, 'metrics.jsonl'), 10)
    expectRefusal(await runCli(cwd, ['train', '--resume', '--out', run]), join(run, 'metrics.jsonl'))
  })

  test('the older checkpoint is there in the first place', () => {
    expect(readdirSync(join(PUSH, OLDER))).toContain('model.safetensors')
  })
})

function flipLastBit(file: string): void {
  const bytes = readFileSync(file)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(file, bytes)
}

describe('export', { timeout: SLOW_MS }, () => {
  const state = new Float32Array(0)

  async function exported(run: string): Promise<{ session: InferenceSession; description: Record<string, unknown> }> {
    const out = join(cwd, `${run} exported`)
    const report = lastJson(await runCli(cwd, ['export', run, '--out', out, '--json']))
    expect(report.onnx).toBe(join(out, 'policy.onnx'))
    // Nothing but these two: the weights are inside.
    expect(readdirSync(out).toSorted()).toEqual(['policy.json', 'policy.onnx'])
    const description = JSON.parse(readFileSync(join(out, 'policy.json'), 'utf8')) as Record<string, unknown>
    return { session: await InferenceSession.create(readFileSync(join(out, 'policy.onnx'))), description }
  }

  function largestDifference(a: Float32Array, b: Float32Array): number {
    expect(a.length).toBe(b.length)
    return Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))
  }

  test('of pixels and an imagined goal acts like the policy', async () => {
    const { session, description } = await exported(PUSH)
    expect(description).toMatchObject({
      format: 1,
      preset: 'rig-push',
      env: 'armature/PushPuck-v0',
      step: 120,
      controlHz: 20,
      inputs: { frame: { dtype: 'uint8', shape: [1, 48, 48, 3] }, goal: { dtype: 'uint8', shape: [1, 48, 48, 3] } },
      outputs: { action: { dtype: 'float32', shape: [1, 2], low: -1, high: 1 } },
    })
    const { parts } = await loadRun(PUSH)
    const policy = agentPolicy(parts)
    const env = await makeEnv('armature/PushPuck-v0')
    const actions: string[] = []
    for (let seed = 0; seed < 5; seed++) {
      const goal = Uint8Array.from((await env.reset({ seed: 100 + seed })).observation.images.front!)
      const { observation } = await env.reset({ seed, options: { start: 'random' } })
      await policy.begin({ images: { front: goal }, state })
      const expected = await policy.act(observation)
      const shape = [1, 48, 48, 3]
      const { action } = await session.run({
        frame: new Tensor('uint8', Uint8Array.from(observation.images.front!), shape),
        goal: new Tensor('uint8', goal, shape),
      })
      expect(action!.dims).toEqual([1, 2])
      expect(largestDifference(action!.data as Float32Array, expected)).toBeLessThanOrEqual(1e-5)
      actions.push(expected.join())
    }
    expect(new Set(actions).size).toBe(5)
    await env.close()
  })

  test('of proprioception acts like the policy', async () => {
    const { session, description } = await exported(PENDULUM)
    expect(description).toMatchObject({ inputs: { proprio: { dtype: 'float32', shape: [1, 3] } } })
    const { parts } = await loadRun(PENDULUM)
    const policy = agentPolicy(parts)
    await policy.begin()
    const rng = new Rng(0)
    for (let i = 0; i < 5; i++) {
      const proprio = rng.fillNormal(new Float32Array(3))
      const { action } = await session.run({ proprio: new Tensor('float32', proprio, [1, 3]) })
      const expected = await policy.act({ images: {}, proprio, state })
      expect(largestDifference(action!.data as Float32Array, expected)).toBeLessThanOrEqual(1e-5)
    }
  })

  test('of an oracle is refused: no robot has its inputs', async () => {
    expectRefusal(await runCli(cwd, ['export', ORACLE]), 'privileged state')
    expect(readdirSync(ORACLE)).not.toContain('export')
  })

  test('to where nothing can be written is refused', async () => {
    writeFileSync(join(cwd, 'in the way'), '')
    expectRefusal(await runCli(cwd, ['export', PUSH, '--out', join(cwd, 'in the way')]), 'cannot write')
  })
})
