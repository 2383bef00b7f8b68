import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { resolveConfig } from '../../src/compose/config.ts'
import { pretrainInRun } from '../../src/compose/encoder-pretraining.ts'
import type { Parts } from '../../src/compose/parts.ts'
import type { Batches, FrameBatch, FrameTupleBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { createRunFolder } from '../../src/io/run-folder.ts'
import { Progress } from '../../src/log/progress.ts'
import type { RunLogger } from '../../src/log/run-logger.ts'

const SHAPE = [48, 48, 3] as const
const FRAME = 48 * 48 * 3

const SPY_SPEC = {
  name: 'spy',
  frameShape: SHAPE,
  latentSize: 2,
  batch: { kind: 'frame-tuples', options: { length: 3 } },
  window: { frames: 2, stride: 1 },
  takesContext: true,
} as const

/** Remembers all that it was given. */
class Spy implements Encoder {
  readonly spec: Encoder['spec'] = SPY_SPEC
  statistics: FrameBatch | undefined
  prior: EncoderInput | undefined
  readonly learned: FrameTupleBatch[] = []
  readonly encoded: EncoderInput[] = []

  fitStatistics = async (batch: FrameBatch): Promise<{}> => ((this.statistics = batch), {})
  fitPrior = async (input: EncoderInput): Promise<void> => void (this.prior = input)
  update = async (batch: Batches[keyof Batches]): Promise<{ loss: number }> => {
    const tuple = batch as FrameTupleBatch
    this.learned.push({ ...tuple, episodes: tuple.episodes.slice() })
    return { loss: 0 }
  }
  evaluate = async (): Promise<{ loss: number }> => ({ loss: 0 })
  encode = async (input: EncoderInput): Promise<Float32Array> => {
    this.encoded.push(input)
    return Float32Array.from({ length: 2 * input.count }, (_, i) => Math.sin(i))
  }
  save = (): {} => ({})
  restore = (): void => {}
  dispose = (): void => {}
}

test('any encoder is pretrained within a run, and nothing of what is held out is fitted to', async () => {
  const set = ['frames=50', 'resetEvery=8', 'updates=20', 'batchSize=6', 'extraStarts=3', 'validationFraction=0.4'].map(
    (assignment) => `representation.pretrain.${assignment}`,
  )
  const config = resolveConfig('rig-push', { set })
  const env = await makeEnv(config.env.id)
  const encoder = new Spy()
  const path = await mkdtemp(join(tmpdir(), 'armature-pretraining-'))
  const folder = await createRunFolder(join(path, 'run'), { config, seed: 0, command: [] })
  const context = contextOf()
  const rows: object[] = []
  const logger = { log: (_step: number, row: object) => rows.push(row) } as unknown as RunLogger
  await pretrainInRun(context, { config, env, encoder } as unknown as Parts, folder, logger)
  await env.close()

  // 50 frames: six episodes of 8 and one of 2; the 30 to learn from end within the fourth, which is held out as a whole.
  expect(encoder.statistics!.count).toBe(24)
  expect(encoder.learned).toHaveLength(20)
  expect(new Set(encoder.learned.flatMap(({ episodes }) => [...episodes]))).toEqual(new Set([0, 1, 2]))
  // Starts of the three episodes and three further ones, as the encoder looks at them.
  expect([encoder.prior!.count, encoder.prior!.frames.length, encoder.prior!.context!.length]).toEqual([
    6,
    6 * 2 * FRAME,
    6 * FRAME,
  ])
  expect(encoder.encoded.map(({ count }) => count)).toEqual([26])
  const seen = new Set(hashes(encoder.statistics!.frames, 24))
  const heldOut = hashes(encoder.encoded[0]!.context!, 26)
  expect(heldOut.filter((frame) => seen.has(frame))).toEqual([])
  expect(Object.keys(rows.at(-1)!)).toContain('embed/spearman')
  expect(JSON.parse(await readFile(join(folder.evaluations, 'embedding.json'), 'utf8'))).not.toEqual({})
  await rm(path, { recursive: true })
})

test('it learns from the scene and the behaviours that its settings name, not from the env of the agent', async () => {
  const set = [
    'representation.pretrain={"frames":60,"resetEvery":6,"updates":1,"batchSize":4,"validationFraction":0.4,"start":"random","policy":{"scripted":1,"noisy":1},"envOptions":{"cameras":["side"]}}',
    'representation.camera=side',
  ]
  const config = resolveConfig('rig-push', { set })
  const env = await makeEnv(config.env.id)
  const path = await mkdtemp(join(tmpdir(), 'armature-pretraining-'))
  const folder = await createRunFolder(join(path, 'run'), { config, seed: 0, command: [] })
  const encoder = new Spy()
  const logger = { log: () => {} } as unknown as RunLogger
  await pretrainInRun(contextOf(), { config, env, encoder } as unknown as Parts, folder, logger)
  // The agent's env was neither reset nor closed.
  expect((await env.reset({ seed: 1 })).observation.images).not.toHaveProperty('side')
  await env.close()
  expect(encoder.statistics!.frames.length / FRAME).toBe(36)
  await rm(path, { recursive: true })
})

test('goals are learned from, and not measured on, by encoders to which the order of frames says nothing', async () => {
  const set = ['frames=60', 'resetEvery=6', 'goalFrames=15', 'updates=1', 'batchSize=4', 'validationFraction=0.4'].map(
    (assignment) => `representation.pretrain.${assignment}`,
  )
  const config = resolveConfig('rig-push', { set })
  const env = await makeEnv(config.env.id)
  const path = await mkdtemp(join(tmpdir(), 'armature-pretraining-'))
  const folder = await createRunFolder(join(path, 'run'), { config, seed: 0, command: [] })
  const logger = { log: () => {} } as unknown as RunLogger
  const learn = (encoder: Encoder): Promise<void> =>
    pretrainInRun(contextOf(), { config, env, encoder } as unknown as Parts, folder, logger)
  await expect(learn(new Spy())).rejects.toThrow(
    'representation.pretrain.goalFrames: got 15, for encoder spy, which learns from the order of frames',
  )
  class Frames extends Spy {
    override readonly spec = { ...SPY_SPEC, batch: { kind: 'frames', options: {} } } as const
    override update = async (): Promise<{ loss: number }> => ({ loss: 0 })
  }
  const encoder = new Frames()
  await learn(encoder)
  expect(encoder.statistics!.count).toBe(36 + 15)
  expect(encoder.encoded.map(({ count }) => count)).toEqual([24])
  await env.close()
  await rm(path, { recursive: true })
})

function contextOf() {
  return {
    command: [],
    progress: new Progress({ stream: { write: () => true }, clock: () => 0, isSilent: true }),
    clock: () => 0,
    signal: new AbortController().signal,
    cpuMs: () => 0,
    invocation: (words: string) => words,
  }
}

function hashes(frames: Uint8Array, count: number): string[] {
  const size = frames.length / count
  return Array.from({ length: count }, (_, i) => Buffer.from(frames.subarray(i * size, (i + 1) * size)).toString('hex'))
}
