import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Encoder } from '../../src/core/encoder.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Metrics } from '../../src/core/ndarray.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { exportOnnx } from '../../src/tensor/compile/program.ts'
import type { EngineName } from '../../src/tensor/engine.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { tf } from '../../src/tensor/tf.ts'
import { batchOf, squareEpisodes, squareFrames } from '../contracts/encoder-cases.ts'
import { NATIVE_ENGINES } from '../tensor/numerics.ts'
import { LEARNED, makeSmall } from './settings.ts'

type Shape = Encoder['spec']['frameShape']

const SHAPE: Shape = [24, 26, 3]
const { source, episodes, spec } = squareEpisodes(SHAPE)

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

/** Observations `times` of the first episodes in `data`. */
function inputFrom({ spec }: Encoder, data: readonly EpisodeData[], times: readonly number[]): EncoderInput {
  const [height, width, channels] = spec.frameShape
  const size = height * width * channels
  return encoderInput(spec, times, (row, time) =>
    data[row % data.length]!.images['front']!.subarray(time * size, (time + 1) * size),
  )
}

/** Frames by which statistics are fitted. */
const framesOf = (data: readonly EpisodeData[]) => ({ frames: data[0]!.images['front']!, count: data[0]!.info.length })

describe.each(LEARNED.map((small) => ({ ...small, settings: JSON.stringify(small.config) })))(
  '$name $settings',
  (small) => {
    test.each(NATIVE_ENGINES)('learns on %s what it learns in plain JavaScript', async (engine) => {
      const run = async (name: EngineName): Promise<{ losses: Metrics[]; latents: Float32Array }> => {
        await startEngine({ name, threads: 1 })
        const encoder = makeSmall(small, SHAPE)
        await encoder.fitStatistics?.(framesOf(episodes))
        // Plain JavaScript paints images slowly.
        const count = encoder.decode === undefined ? 8 : 2
        const losses = [await encoder.evaluate(batchOf(encoder, source, { count }))]
        for (const seed of [0, 1]) losses.push(await encoder.update(batchOf(encoder, source, { seed, count })))
        const latents = await encoder.encode(inputFrom(encoder, episodes, [5]))
        encoder.dispose()
        return { losses, latents }
      }
      const truth = await run('js')
      const native = await run(engine)
      native.losses.forEach((terms, i) => {
        for (const [term, value] of Object.entries(terms)) {
          const expected = truth.losses[i]![term]!
          expect(Math.abs(value - expected), `${term}: ${value} for ${expected}`).toBeLessThan(
            1e-3 * Math.abs(expected) + 1e-4,
          )
        }
      })
      // Adam's first steps are all but the signs of gradients, so that next to nothing becomes a step.
      native.latents.forEach((z, i) => expect(Math.abs(z - truth.latents[i]!)).toBeLessThan(0.01))
      await startEngine({ threads: 1 })
    })

    test('stays finite on data in which next to nothing can be told apart', async () => {
      const encoder = makeSmall(small, SHAPE)
      const fresh = structuredClone(encoder.save())
      for (const [what, { data, count }] of Object.entries(ADVERSE)) {
        encoder.restore(fresh)
        await encoder.fitStatistics?.(framesOf(data))
        const batch = batchOf(encoder, new EpisodeSet(spec, data), { count })
        const terms = [await encoder.evaluate(batch)]
        for (let i = 0; i < 3; i++) terms.push(await encoder.update(batch))
        const values = [...terms, { latents: await encoder.encode(inputFrom(encoder, data, [0, 1, 2])) }]
        const state = Object.entries(encoder.save()).map(([name, { data: weights }]) => ({ [name]: weights }))
        for (const [name, value] of [...values, ...state].flatMap((each) => Object.entries(each))) {
          const numbers = typeof value === 'number' ? [value] : [...value]
          expect(numbers.every(Number.isFinite), `${name} on ${what}`).toBe(true)
        }
      }
      encoder.dispose()
    })

    test('collapsed, it costs what is written down for it', async () => {
      const encoder = makeSmall(small, SHAPE)
      const zeros = Object.entries(encoder.save()).map(([name, array]) =>
        name.startsWith('weights/') ? [name, { ...array, data: new Float32Array(array.data.length) }] : [name, array],
      )
      encoder.restore(Object.fromEntries(zeros))
      const batch = batchOf(encoder, source)
      const terms = await encoder.evaluate(batch)
      const expected = collapsed(small.name, small.config, batch as never)
      for (const [term, value] of Object.entries(expected)) {
        expect(Math.abs(terms[term]! - value), `${term}: ${terms[term]} for ${value}`).toBeLessThan(
          1e-4 * Math.abs(value) + 1e-4,
        )
      }
      encoder.dispose()
    })
  },
)

/** Data in which nothing, or next to nothing, can be told apart. */
const ADVERSE: Readonly<Record<string, { readonly data: readonly EpisodeData[]; readonly count: number }>> = {
  'images of one colour': { data: painted((frames) => frames.fill(128)), count: 8 },
  'black images and no rewards': { data: painted((frames) => frames.fill(0), 0), count: 8 },
  'one image again and again': { data: painted(repeatFirst), count: 8 },
  'no rewards': { data: painted((frames) => frames, 0), count: 8 },
  'rewards of a thousand': { data: painted((frames) => frames, 1000), count: 8 },
  'a single row': { data: episodes, count: 1 },
  'two rows': { data: episodes, count: 2 },
}

function painted(paint: (frames: Uint8Array) => Uint8Array, reward?: number): EpisodeData[] {
  return episodes.map((episode) => ({
    ...episode,
    images: Object.fromEntries(Object.entries(episode.images).map(([name, frames]) => [name, paint(frames.slice())])),
    rewards: reward === undefined ? episode.rewards : episode.rewards.map(() => reward),
  }))
}

function repeatFirst(frames: Uint8Array): Uint8Array {
  const first = frames.slice(0, SHAPE[0] * SHAPE[1] * SHAPE[2])
  for (let at = 0; at < frames.length; at += first.length) frames.set(first, at)
  return frames
}

/** What a batch may hold that a collapsed loss depends on. */
interface Rows {
  readonly count: number
  readonly frames: Uint8Array
  readonly rewards: Float32Array
  readonly success: Uint8Array
  readonly episodes: Int32Array
  readonly times: Int32Array
}

/** KL to N(0, 1) of a variance of 1e-3 around 0, in nats. */
const START_KL = 0.5 * (1e-3 - 1 - Math.log(1e-3))
const INITIAL_STD = 0.3

/** Loss terms where all embeddings are equal: the closed forms, in nats where they are entropies. */
function collapsed(name: string, config: Readonly<Record<string, unknown>>, rows: Rows): Record<string, number> {
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length
  const { count } = rows
  switch (name) {
    case 'beta-vae':
      return { kl: 8 * START_KL, reconstruction: squaresOf(rows) }
    case 'cc-vae':
      return { kl: 4 * START_KL, reconstruction: squaresOf(rows) }
    case 'autoencoder':
      return {
        loss: config['targetBits'] === 5 ? squaresOf(rows, (x) => (Math.floor(x / 8) + 0.5) / 32) : squaresOf(rows),
      }
    case 'curl':
      return { loss: Math.log(count) }
    case 'grasp2vec':
      return { loss: 2 * Math.log(rows.success.reduce((sum, x) => sum + x, 0)) }
    case 'tcn':
      if (config['loss'] === 'triplet') return { loss: 0.2 }
      return { loss: mean(Array.from({ length: count }, (_, i) => Math.log(rivals(rows, i, 'episode')))) }
    case 'mftcn':
      if (config['loss'] === 'triplet') return { loss: 0.2 }
      // Each window is told apart from those backwards as well.
      return { loss: mean(Array.from({ length: count }, (_, i) => Math.log(2 * rivals(rows, i, 'batch')))) }
    case 'deepmdp':
      return config['reward'] === 'two-hot'
        ? { reward: Math.log(65) }
        : { reward: mean([...rows.rewards].map(Math.abs)) }
    case 'dbc':
      return { transition: Math.log(INITIAL_STD), reward: mean([...rows.rewards].map((r) => r * r)) }
    default:
      throw new Error(`no values for ${name}: say what it costs where all latents are equal`)
  }
}

/** Squares of the pixels of a frame, mean over the batch. */
function squaresOf({ frames, count }: Rows, valueOf = (x: number): number => x / 255): number {
  return frames.reduce((sum, x) => sum + valueOf(x) ** 2, 0) / count
}

/** Moments that one is told apart from by a time contrast, itself among them. */
function rivals({ count, episodes: of, times }: Rows, i: number, among: 'episode' | 'batch'): number {
  const isRival = (j: number): boolean => (of[j] === of[i] ? times[j] !== times[i] : among === 'batch')
  return Array.from({ length: count }, (_, j) => j).filter((j) => j === i || isRival(j)).length
}

/** A size each of 48, 64 and 84 pixels, and one to four frames stacked as channels. */
const SIZES: readonly Shape[] = [
  [48, 48, 3],
  [64, 64, 6],
  [84, 84, 9],
  [48, 64, 12],
]

const FORMS = LEARNED.filter(({ name }, i) => LEARNED.findIndex((other) => other.name === name) === i)

describe.each(FORMS)('$name, on frames of any size and stack', (small) => {
  test.each(SIZES.map((shape): [string, Shape] => [shape.join('x'), shape]))(
    '%s: learns, and is exported',
    async (_name, shape) => {
      const { source: larger, episodes: data } = squareEpisodes(shape)
      const encoder = makeSmall(small, shape)
      await encoder.fitStatistics?.(squareFrames(8, new Rng(2), 6, shape))
      const { loss } = await encoder.update(batchOf(encoder, larger, { count: 4 }))
      expect(Number.isFinite(loss)).toBe(true)
      const input = inputFrom(encoder, data, [7])
      await expectExported(encoder, (inputs) => encoder.latentFunction(inputs), input, await encoder.encode(input))
      if (encoder.goalFunction !== undefined) {
        await expectExported(
          encoder,
          (inputs) => encoder.goalFunction!(inputs),
          input,
          await encoder.encodeGoal!(input),
        )
      }
      encoder.dispose()
    },
  )
})

/** `latents` are those of a foreign runtime that has nothing but the exported model. */
async function expectExported(
  encoder: Encoder,
  latentFunction: (inputs: FrameTensors) => tf.Tensor,
  { frames, context }: EncoderInput,
  latents: Float32Array,
): Promise<void> {
  const { window, frameShape, name } = encoder.spec
  const shapes = {
    frames: [1, ...(window.frames === 1 ? [] : [window.frames]), ...frameShape],
    ...(context !== undefined && { context: [1, ...frameShape] }),
  }
  const ports = Object.entries(shapes).map(([port, shape]) => [port, { dtype: 'uint8', shape }] as const)
  const model = exportOnnx(
    name,
    (inputs) => ({ z: latentFunction(inputs as unknown as FrameTensors) }),
    Object.fromEntries(ports),
  )
  const session = await InferenceSession.create(model)
  const fed = {
    frames: new Tensor('uint8', frames, shapes.frames),
    ...(context && { context: new Tensor('uint8', context, [1, ...frameShape]) }),
  }
  const { z } = await session.run(fed)
  expect(latents.some((x) => x !== 0)).toBe(true)
  latents.forEach((x, i) => expect((z!.data as Float32Array)[i]!).toBeCloseTo(x, 4))
  await session.release()
}
