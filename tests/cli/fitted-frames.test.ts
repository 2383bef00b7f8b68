import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { openTrainedEncoder, trainedParticipant } from '../../src/cli/rewards-encoders.ts'
import { loadRun } from '../../src/compose/load-run.ts'
import { storeOptions } from '../../src/compose/trainer.ts'
import type { PortSpec } from '../../src/compose/encoder-graph.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { fitFrames } from '../../src/core/frame-fit.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { recordedFeatures } from '../../src/run/representation.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { startRobot } from './bridge-robot.ts'
import type { Finished } from './helpers.ts'
import { runCli, sets, SLOW_MS, temporaryFolder, TINY_PUSH } from './helpers.ts'

const cwd = temporaryFolder()
const PUSH = 'armature/PushPuck-v0'
const DATA = join(cwd, 'data')
const size = (height: number, width: number): object => ({ height, width })
/** Frames of 4:3; what the encoders see of them. */
const RAW = [48, 64, 3] as const
const ENCODERS = {
  averaged: ['beta-vae', { resize: [24, 32], 'config.latentSize': 3 }],
  cropped: ['beta-vae', { crop: [0, 8, 48, 48], resize: [24, 24], 'config.latentSize': 3 }],
  context: ['cc-vae', { crop: [4, 8, 40, 48], resize: [25, 30] }],
  window: ['mftcn', { resize: [24, 32], 'config.views': 'single', 'config.loss': 'triplet', 'config.reversed': false }],
} as const
type Name = keyof typeof ENCODERS
const RUN = join(cwd, 'policy')

function json({ code, stdout, stderr }: Finished): Record<string, unknown> {
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>
}

/** One line that says why, and nothing done. */
function expectRefusal({ code, stderr }: Finished, text: string): void {
  expect(stderr).toContain(text)
  expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 2, lines: 2 })
}

const trainWith = (name: Name, settings: Readonly<Record<string, unknown>>): string[] => {
  const options = TINY_PUSH.filter(
    (word, i) => ![word, TINY_PUSH[i + 1]].some((each) => each?.startsWith('representation')),
  )
  return [
    ...options,
    ...sets({ 'representation.from': join(cwd, name), 'env.options.size': size(48, 64), ...settings }),
  ]
}

beforeAll(async () => {
  await startEngine({ threads: 1 })
  const scene = sets({ size: size(48, 64), maxEpisodeSteps: 14 })
  json(await runCli(cwd, ['collect', PUSH, '--out', DATA, '--episodes', '14', ...scene, '--json']))
  for (const [name, [encoder, settings]] of Object.entries(ENCODERS)) {
    const set = sets({ updates: 3, batchSize: 8, validationFraction: 0.5, ...settings })
    json(await runCli(cwd, ['pretrain', encoder, '--data', DATA, '--out', name, ...set, '--json']))
  }
}, SLOW_MS)

/** Inputs of a graph by their ports. */
function fed(
  ports: Readonly<Record<string, PortSpec>>,
  data: Readonly<Record<string, Uint8Array>>,
): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(ports).map(([name, { shape }]) => [name, new Tensor('uint8', data[name]!.slice(), shape)] as const),
  )
}

function frameAt({ images }: EpisodeData, time: number): Uint8Array {
  return images['front']!.subarray(Math.max(0, time) * sizeOf(RAW), (Math.max(0, time) + 1) * sizeOf(RAW))
}

describe('export of an encoder', { timeout: SLOW_MS }, () => {
  test.each(Object.keys(ENCODERS) as Name[])('%s takes raw frames and embeds them as rewards does', async (name) => {
    const { onnx, description } = json(await runCli(cwd, ['export', name, '--json'])) as {
      onnx: string
      description: { inputs: Record<string, PortSpec>; outputs: { latent: PortSpec } }
    }
    expect(readdirSync(join(cwd, name, 'export')).toSorted()).toEqual(['encoder.json', 'encoder.onnx'])
    const { inputs, outputs } = description
    expect(inputs['frame']!.meaning).toContain('raw: the graph itself has it')
    const trained = await openTrainedEncoder(join(cwd, name))
    const { window, latentSize } = trained.encoder.spec
    expect(inputs['frame']!.shape).toEqual([1, ...(window.frames === 1 ? [] : [window.frames]), ...RAW])
    expect(Object.keys(inputs)).toEqual(name === 'context' ? ['frame', 'start'] : ['frame'])
    const dataset = await openDataset(DATA)
    const episode = await dataset.readEpisode(2)
    const expected = await trainedParticipant(trained, dataset, []).embedder.embed(episode)
    const session = await InferenceSession.create(join(cwd, onnx))
    for (let time = 0; time < episode.info.length; time++) {
      const shown = Array.from({ length: window.frames }, (_, i) =>
        frameAt(episode, time - (window.frames - 1 - i) * window.stride),
      )
      const data = { frame: Uint8Array.from(Buffer.concat(shown)), start: frameAt(episode, 0) }
      const { latent } = await session.run(fed(inputs, data))
      expect(latent!.dims).toEqual(outputs.latent.shape)
      const own = expected.subarray(time * latentSize, (time + 1) * latentSize)
      const difference = Math.max(...own.map((x, i) => Math.abs(x - (latent!.data as Float32Array)[i]!)))
      expect(difference).toBeLessThanOrEqual(1e-5 * Math.max(1, ...own.map(Math.abs)))
    }
    await session.release()
    trained.encoder.dispose()
    expectRefusal(await runCli(cwd, ['export', name]), 'encoder.onnx exists')
  })

  test('of two cameras, with a tower of its own for goals, is two graphs', async () => {
    const scene = sets({ size: size(48, 64) })
    json(await runCli(cwd, ['collect', 'grasp-bin', '--out', 'grasps', '--episodes', '4', ...scene, '--json']))
    const set = sets({ resize: [24, 32], updates: 1, batchSize: 4 })
    json(
      await runCli(cwd, [
        'pretrain',
        'grasp2vec',
        '--data',
        'grasps',
        '--out',
        'towers',
        '--camera',
        'scene',
        ...set,
        '--json',
      ]),
    )
    const { description } = json(await runCli(cwd, ['export', 'towers', '--json']))
    expect(readdirSync(join(cwd, 'towers', 'export')).toSorted()).toEqual([
      'encoder.json',
      'encoder.onnx',
      'goal-encoder.onnx',
    ])
    expect(description).toMatchObject({ goalInputs: { goal: { dtype: 'uint8', shape: [1, ...RAW] } } })
    const { goalInputs } = description as { goalInputs: Record<string, PortSpec> }
    const { encoder, fit } = await openTrainedEncoder(join(cwd, 'towers'))
    const goal = Uint8Array.from({ length: sizeOf(RAW) }, (_, i) => (i * 7) % 256)
    const expected = await encoder.encodeGoal!({ count: 1, frames: fitFrames(goal, fit) })
    const session = await InferenceSession.create(join(cwd, 'towers', 'export', 'goal-encoder.onnx'))
    const { latent } = await session.run(fed(goalInputs, { goal }))
    expect(Math.max(...expected.map((x, i) => Math.abs(x - (latent!.data as Float32Array)[i]!)))).toBeLessThan(1e-5)
    await session.release()
    encoder.dispose()
  })
})

describe('a policy on an encoder of fitted frames', { timeout: SLOW_MS }, () => {
  const STEPS = ['--steps', '120', '--quiet']

  beforeAll(async () => {
    const settings = {
      'goals.reward.name': 'pixel-mse',
      'representation.refresh.everySteps': 60,
      'representation.refresh.updates': 2,
    }
    const trained = await runCli(cwd, ['train', 'rig-push', ...trainWith('cropped', settings), ...STEPS, '--out', RUN])
    expect(trained, trained.stderr).toMatchObject({ code: 0 })
  }, SLOW_MS)

  test('keeps the fit, and frames in replay as the encoder sees them', async () => {
    const { parts } = await loadRun(RUN)
    const fit = { from: [...RAW], crop: [0, 8, 48, 48], to: [24, 24, 3] }
    expect(parts.config.representation).toMatchObject({ fit })
    expect(parts.fit).toEqual(fit)
    expect(storeOptions(parts).frameSize).toBe(24 * 24 * 3)
  })

  test('is evaluated and filmed', async () => {
    const report = json(await runCli(cwd, ['eval', RUN, '--episodes', '1', '--video', 'clip.gif', '--json']))
    expect(report).toMatchObject({ episodes: 1 })
    expect(existsSync(join(cwd, 'clip.gif'))).toBe(true)
  })

  test('is judged by rewards, beside an encoder of another fit', async () => {
    const report = json(
      await runCli(cwd, ['rewards', 'policy', 'averaged', '--data', DATA, '--no-baselines', '--json']),
    )
    expect(report['encoders']).toMatchObject([{ name: 'policy' }, { name: 'averaged' }])
  })

  test('is exported: the graph takes raw frames and goals and acts like it', async () => {
    const { onnx, description } = json(await runCli(cwd, ['export', RUN, '--json'])) as {
      onnx: string
      description: { inputs: Record<string, PortSpec> }
    }
    expect(description.inputs).toMatchObject({ frame: { shape: [1, ...RAW] }, goal: { shape: [1, ...RAW] } })
    const { parts } = await loadRun(RUN)
    const policy = agentPolicy(parts)
    const env = await makeEnv(PUSH, { size: size(48, 64) })
    const session = await InferenceSession.create(onnx)
    for (let seed = 0; seed < 4; seed++) {
      const goal = Uint8Array.from((await env.reset({ seed: 100 + seed })).observation.images['front']!)
      const { observation } = await env.reset({ seed, options: { start: 'random' } })
      await policy.begin({ images: { front: goal }, state: new Float32Array(0) })
      const expected = await policy.act(observation)
      const { action } = await session.run(fed(description.inputs, { frame: observation.images['front']!, goal }))
      expect(Math.max(...expected.map((x, i) => Math.abs(x - (action!.data as Float32Array)[i]!)))).toBeLessThan(1e-5)
    }
    await session.release()
    await env.close()
  })
})

test(
  'the fit of whole frames takes robots and scenes with larger frames of the same proportions',
  { timeout: SLOW_MS },
  async () => {
    const larger = { 'env.options.size': size(96, 128), 'goals.source.name': 'env', 'goals.source.config.bankSize': 3 }
    const train = ['train', 'rig-push', ...trainWith('averaged', larger), '--steps', '70', '--quiet']
    const trained = await runCli(cwd, [...train, '--out', 'larger'])
    expect(trained, trained.stderr).toMatchObject({ code: 0 })
    const { parts } = await loadRun(join(cwd, 'larger'))
    expect(parts.fit).toEqual({ from: [96, 128, 3], to: [24, 32, 3] })
    const square = await runCli(cwd, [...train, ...sets({ 'env.options.size': 48 }), '--out', 'square'])
    expectRefusal(square, 'expected frames of 24x32x3, or larger ones of the proportions of 48x64x3')
    expect(existsSync(join(cwd, 'square'))).toBe(false)
  },
)

test('a run that pretrains its own encoder takes a fit too', { timeout: SLOW_MS }, async () => {
  const fit = { from: [...RAW], crop: [0, 8, 48, 48], to: [24, 24, 3] }
  const set = sets({ 'env.options.size': size(48, 64), 'representation.fit': fit })
  const trained = await runCli(cwd, [
    'train',
    'rig-push',
    ...TINY_PUSH,
    ...set,
    '--steps',
    '70',
    '--quiet',
    '--out',
    'own',
  ])
  expect(trained, trained.stderr).toMatchObject({ code: 0 })
  const { parts } = await loadRun(join(cwd, 'own'))
  expect(parts.encoder!.spec.frameShape).toEqual([24, 24, 3])
  const beyond = sets({ 'representation.fit.crop': [0, 20, 48, 48] })
  expectRefusal(
    await runCli(cwd, ['train', 'rig-push', ...TINY_PUSH, ...set, ...beyond, '--out', 'beyond']),
    'within frames of 48x64, got [0, 20, 48, 48]',
  )
})

test('a demonstration of another size is fitted as the env is', { timeout: SLOW_MS }, async () => {
  const { parts } = await loadRun(join(cwd, 'larger'))
  const dataset = await openDataset(DATA)
  const episode = await dataset.readEpisode(0)
  const small = { ...episode.images, front: fitFrames(episode.images['front']!, { from: RAW, to: [24, 32, 3] }) }
  const front = { ...dataset.spec.cameras['front']!, shape: [24, 32, 3] }
  const asSeen = { path: 'small', spec: { ...dataset.spec, cameras: { ...dataset.spec.cameras, front } } }
  const expected = await recordedFeatures(parts.representation, { ...episode, images: small }, asSeen)
  expect(await recordedFeatures(parts.representation, episode, dataset)).toEqual(expected)
  const square = { ...dataset.spec.cameras['front']!, shape: [64, 48, 3] }
  const turned = { path: 'turned', spec: { ...dataset.spec, cameras: { ...dataset.spec.cameras, front: square } } }
  await expect(recordedFeatures(parts.representation, episode, turned)).rejects.toThrow(
    /encoder beta-vae on turned.*got 64x48x3 from camera front/,
  )
})

describe('on a robot', { timeout: SLOW_MS }, () => {
  const robotOf = (height: number, width: number): string[] => {
    return [PUSH, '--lockstep', '--allow-mismatch', ...sets({ size: size(height, width), maxEpisodeSteps: 25 })]
  }
  const drive = (run: string, to: string): string[] => ['drive', run, '--to', to, '--episodes', '1', '--json']

  test('raw frames are fitted as in the scene; those of other proportions are refused in one line', async () => {
    const robot = await startRobot(cwd, robotOf(48, 64))
    const driven = json(await runCli(cwd, drive(RUN, robot.address)))
    const here = json(await runCli(cwd, ['eval', RUN, '--episodes', '1', '--json']))
    expect(driven['means']).toEqual(here['means'])
    // A run of 96x128 pixels: the robot is another, and where that is accepted its frames are fitted too.
    expectRefusal(
      await runCli(cwd, drive('larger', robot.address)),
      'camera front 48x64x3 uint8 rgb8 raw instead of 96x128x3',
    )
    json(await runCli(cwd, [...drive('larger', robot.address), '--accept-mismatch']))
    await robot.stop()
  })

  test('a crop is a part of frames of one size', async () => {
    const robot = await startRobot(cwd, robotOf(96, 128))
    expectRefusal(
      await runCli(cwd, [...drive(RUN, robot.address), '--accept-mismatch']),
      'expected frames of 48x64x3, of which it sees the part [0, 8, 48, 48], got 96x128x3 from camera front',
    )
    await robot.stop()
  })
})
