import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CliContext } from '../../src/cli/context.ts'
import { createContext } from '../../src/cli/context.ts'
import { loadEncoderRun, withEncoderRun } from '../../src/compose/encoder-run.ts'
import type { PretrainOptions } from '../../src/compose/encoder-training.ts'
import { pretrain } from '../../src/cli/pretrain.ts'
import { resolveConfig } from '../../src/compose/config.ts'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { openTrainedEncoder, trainedParticipant } from '../../src/cli/rewards-encoders.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { fitFrames } from '../../src/core/frame-fit.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { squareFrames } from '../contracts/encoder-cases.ts'
import { SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const data = join(cwd, 'data')
const LENGTH = 6
const EPISODES = 5

const SPEC: DatasetSpec = {
  source: 'tests/Square-v0',
  fps: 10,
  cameras: { front: imageSpace(48, 48) },
  actionSpace: boxSpace([1], -1, 1),
  proprioSpace: boxSpace([1], -1, 1),
  stateSpace: boxSpace([2], 0, 48, ['x', 'y']),
}

function episode(index: number): EpisodeData {
  const { frames, places } = squareFrames(LENGTH, new Rng(index))
  return {
    info: { index, length: LENGTH, terminated: false, policy: 'random', objects: [] },
    images: { front: frames },
    proprio: new Float32Array(LENGTH),
    state: places,
    actions: new Float32Array(LENGTH - 1),
    rewards: new Float32Array(LENGTH - 1),
  }
}

beforeAll(async () => {
  await startEngine({ threads: 1 })
  const writer = await LeRobotWriter.create(data, SPEC)
  for (let index = 0; index < EPISODES; index++) await writer.addEpisode(episode(index))
  await writer.close()
}, SLOW_MS)

const quiet = createContext(['pretrain'], { quiet: true }, new AbortController().signal)
const TINY = { data, updates: 6, batch: 4, seed: 3, set: ['logEvery=2', 'checkpointEvery=100', 'config.latentSize=2'] }

/** A context whose Ctrl-C comes while update `at` is done. */
function interruptedAt(at: number): CliContext {
  const abort = new AbortController()
  const phase = { update: (done: number) => done === at && abort.abort(), finish: () => {} }
  return { ...quiet, signal: abort.signal, progress: { phase: () => phase } as unknown as CliContext['progress'] }
}

const metricsOf = (run: string): Record<string, number>[] =>
  readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>)

describe('armature pretrain', { timeout: SLOW_MS }, () => {
  test('leaves a run with curves, health and what it was trained on, that opens as an encoder', async () => {
    const out = join(cwd, 'vae')
    const report = await pretrain(quiet, 'beta-vae', { ...TINY, out })
    expect(report).toMatchObject({ run: out, updates: 6, episodes: { training: 4, validation: 1 }, problems: [] })
    const rows = metricsOf(out)
    expect(rows.map(({ step }) => step)).toEqual([0, 2, 4, 6])
    const names = ['loss', 'kl_1', 'validation_loss', 'validation_kl_1', 'min_std', 'effective_rank', 'mean_cosine']
    for (const name of names) expect(rows.at(-1)).toHaveProperty([`embed/${name}`], expect.any(Number))

    const { encoder, record, update } = await loadEncoderRun(out)
    expect([update, record.camera, record.data.source]).toEqual([6, 'front', 'tests/Square-v0'])
    expect([...record.data.training, ...record.data.validation].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
    expect(encoder.spec).toMatchObject({ name: 'beta-vae', latentSize: 2, frameShape: [48, 48, 3] })
    // Fitted to the data: no longer N(0, I).
    const draws = Array.from({ length: 50 }, (_, i) => encoder.imagine!(new Rng(i))[0]!)
    expect(Math.max(...draws.map(Math.abs))).toBeLessThan(0.5)
    encoder.dispose()
  })

  test('stopped and gone on with, it ends with the bytes of a run that was left alone', async () => {
    const [straight, stopped] = [join(cwd, 'straight'), join(cwd, 'stopped')]
    await pretrain(quiet, 'autoencoder', { ...TINY, out: straight })
    const interrupted = pretrain(interruptedAt(3), 'autoencoder', { ...TINY, out: stopped })
    await expect(interrupted).rejects.toMatchObject({
      code: 'interrupted',
      message: expect.stringMatching(/saved at update 3: go on with .*pretrain --resume --out .*stopped"$/),
    })
    expect((await loadEncoderRun(stopped)).update).toBe(3)
    await pretrain(quiet, undefined, { out: stopped, resume: true })
    for (const file of ['metrics.jsonl', 'checkpoints/step_000000006/model.safetensors', 'eval/embedding.json']) {
      expect(readFileSync(join(stopped, file)).equals(readFileSync(join(straight, file))), file).toBe(true)
    }
  })

  test('a preset is one word; what is set beside it counts more, and others are named', async () => {
    const out = join(cwd, 'preset')
    const report = await pretrain(quiet, 'beta-vae', { data, out, preset: 'debug', updates: 3, set: ['config.beta=2'] })
    const { encoder, record } = await loadEncoderRun(out)
    expect([report.updates, record.updates, record.batchSize, record.preset]).toEqual([3, 3, 8, 'debug'])
    expect(record.config).toMatchObject({ latentSize: 4, betaAnneal: 10, beta: 2 })
    encoder.dispose()
    const attempt = (name: string, options: PretrainOptions) =>
      pretrain(quiet, name, { data, out: join(cwd, 'none'), ...options })
    await expect(attempt('beta-vae', { preset: 'papr' })).rejects.toThrow(
      'unknown preset of beta-vae "papr"; did you mean paper?',
    )
    await expect(attempt('pca', { preset: 'paper' })).rejects.toThrow(
      'preset "paper" of pca: expected none, got an encoder without presets',
    )
    await expect(attempt('beta-vae', { set: ['preset=paper'] })).rejects.toThrow(/--set preset.*"--preset NAME"/)
    expect(existsSync(join(cwd, 'none'))).toBe(false)
  })

  test.each(['pca', 'random', 'pixels'])('%s has nothing to learn, and is a run all the same', async (name) => {
    const out = join(cwd, name)
    const report = await pretrain(quiet, name, { data, out })
    expect(report).toMatchObject({ updates: 0, encoder: name })
    expect(report.measures['embed/effective_rank']).toBeGreaterThan(1)
    const { encoder } = await loadEncoderRun(out)
    const latents = await encoder.encode(squareFrames(2, new Rng(0)))
    expect(latents).toHaveLength(2 * encoder.spec.latentSize)
    if (name !== 'pixels') expect(encoder.save()).toHaveProperty(['constants/meanFrame'])
    encoder.dispose()
  })

  test('a crop is kept with the run, and rewards and train show the encoder the same part', async () => {
    const out = join(cwd, 'cropped')
    const crop = [8, 4, 24, 32] as const
    await pretrain(quiet, 'pixels', { data, out, set: ['crop=[8,4,24,32]', 'config.block=8'] })
    const trained = await openTrainedEncoder(out)
    expect([trained.fit.crop, trained.encoder.spec.frameShape]).toEqual([crop, [24, 32, 3]])
    const dataset = await openDataset(data)
    const shown = await dataset.readEpisode(0)
    const { embedder } = trainedParticipant(trained, dataset, [])
    const part = fitFrames(shown.images['front']!, { from: [48, 48, 3], crop, to: [24, 32, 3] })
    expect(await embedder.embed(shown)).toEqual(await trained.encoder.encode({ frames: part, count: LENGTH }))
    const set = [`representation.from=${out}`]
    const { representation } = await withEncoderRun(resolveConfig('rig-push', { set }), set)
    expect(representation).toMatchObject({ fit: { from: [48, 48, 3], crop, to: [24, 32, 3] } })
    const other = [...set, 'representation.fit.to=[8,8,3]']
    await expect(withEncoderRun(resolveConfig('rig-push', { set }), other)).rejects.toThrow('leave one of them out')
  })

  test('training takes encoder, settings and camera from the run', async () => {
    const from = join(cwd, 'pca')
    const set = [`representation.from=${from}`]
    const config = await withEncoderRun(resolveConfig('rig-push', { set }), set)
    expect(config.representation).toMatchObject({ encoder: 'pca', config: { latentSize: 16 }, camera: 'front', from })
    const both = [...set, 'representation.config.latentSize=3']
    await expect(withEncoderRun(resolveConfig('rig-push', { set: both }), both)).rejects.toThrow(
      'leave one of them out',
    )
  })

  test.each<[what: string, name: string | undefined, options: PretrainOptions, text: string]>([
    ['no encoder', undefined, { data }, 'expected an encoder'],
    ['an unknown encoder', 'pcaa', { data }, 'did you mean pca'],
    ['no data', 'pca', {}, 'expected --data'],
    ['data that is none', 'pca', { data: cwd }, 'is not a dataset'],
    ['a camera that is not there', 'pca', { data, camera: 'side' }, 'expected front, got side'],
    ['an unknown setting', 'pca', { data, set: ['update=3'] }, 'did you mean updates'],
    ['an unknown setting of the encoder', 'pca', { data, set: ['config.latent=3'] }, 'did you mean config.latentSize'],
    ['a crop that leads out', 'pca', { data, set: ['crop=[0,20,48,40]'] }, 'within frames of 48x48'],
    ['blocks that do not fit', 'pixels', { data, set: ['config.block=5'] }, 'a divisor of 48'],
  ])('refuses %s before there is a folder', async (_what, name, options, text) => {
    const out = join(cwd, 'refused')
    await expect(pretrain(quiet, name, { ...options, out })).rejects.toThrow(text)
    expect(existsSync(out)).toBe(false)
  })

  test('refuses a folder that is taken, other settings on going on, and data that has changed since', async () => {
    const out = join(cwd, 'pca')
    await expect(pretrain(quiet, 'pca', { data, out })).rejects.toMatchObject({ code: 'run-exists' })
    await expect(pretrain(quiet, 'random', { out, resume: true })).rejects.toThrow('goes on with its own config')
    await expect(pretrain(quiet, undefined, { out, resume: true, updates: 9 })).rejects.toThrow('nothing else')
    const writer = await LeRobotWriter.create(join(cwd, 'other'), SPEC)
    for (let index = 0; index < 2; index++) await writer.addEpisode(episode(index))
    await writer.close()
    const other = join(cwd, 'on-other')
    await pretrain(quiet, 'pixels', { data: join(cwd, 'other'), out: other })
    writeFileSync(join(cwd, 'other', 'meta', 'note.txt'), 'changed')
    await expect(pretrain(quiet, undefined, { out: other, resume: true })).rejects.toThrow('other files than')
  })
})
