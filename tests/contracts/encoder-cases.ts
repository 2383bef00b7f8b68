import { describe, expect, it } from 'vitest'
import type { EncoderEntry } from '../../encoders/index.ts'
import type { Batches, BatchKind, FrameBatch } from '../../src/core/batches.ts'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'
import type { BatchOptions } from '../../src/replay/batch-sampler.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import type { EpisodeSource } from '../../src/replay/episode-source.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { tf } from '../../src/tensor/tf.ts'

type FrameShape = EncoderSpec['frameShape']

const SHAPE: FrameShape = [48, 48, 3]
const [EPISODES, LENGTH] = [4, 16]

/** Frames of a bright square on dark ground at random places: x, y of its corner in `places` [count, 2]. */
export function squareFrames(
  count: number,
  rng: Rng,
  side = 12,
  [height, width, channels]: FrameShape = SHAPE,
): FrameBatch & { readonly places: Float32Array } {
  const frames = new Uint8Array(count * height * width * channels).fill(40)
  const places = new Float32Array(count * 2)
  for (let i = 0; i < count; i++) {
    const [x, y] = [rng.int(width - side), rng.int(height - side)]
    places.set([x, y], 2 * i)
    for (let row = y; row < y + side; row++) {
      const start = ((i * height + row) * width + x) * channels
      frames.fill(220, start, start + side * channels)
    }
  }
  return { frames, count, places }
}

/** What an encoder is expected to be able to do: said, so that a case cannot pass because there was nothing to check. */
export interface EncoderTraits {
  readonly learns: boolean
  readonly decodes: boolean
  readonly imagines: boolean
  /** Whether its seed matters. */
  readonly isSeeded: boolean
  /** Whether it takes something from data, by learning or by `fitStatistics`. */
  readonly isFitted: boolean
}

/** Episodes in which a square moves, seen by two cameras, with actions and rewards: batches of every kind can be drawn from them. */
export function squareEpisodes(shape: FrameShape = SHAPE): {
  source: EpisodeSet
  episodes: readonly EpisodeData[]
  spec: DatasetSpec
} {
  const episodes = Array.from({ length: EPISODES }, (_, index): EpisodeData => {
    const rng = new Rng(100 + index)
    const views = ['front', 'outcome'].map((camera) => [
      camera,
      squareFrames(LENGTH, rng.split(camera), 6, shape).frames,
    ])
    return {
      info: { index, length: LENGTH, terminated: index % 2 === 0, policy: 'random', objects: [] },
      images: Object.fromEntries(views) as EpisodeData['images'],
      proprio: new Float32Array(LENGTH),
      state: new Float32Array(LENGTH),
      actions: rng.fillUniform(new Float32Array((LENGTH - 1) * 2), -1, 1),
      rewards: rng.fillUniform(new Float32Array(LENGTH - 1)),
    }
  })
  const camera = { ...imageSpace(shape[0], shape[1]), shape }
  const spec = {
    source: 'test/Squares-v0',
    fps: 10,
    cameras: { front: camera, outcome: camera },
    actionSpace: boxSpace([2], -1, 1),
    proprioSpace: boxSpace([1], -1, 1),
    stateSpace: boxSpace([1], -1, 1),
  }
  return { source: new EpisodeSet(spec, episodes), episodes, spec }
}

/** `count` rows of what an encoder learns from. */
export function batchOf(
  { spec: { batch } }: Encoder,
  source: EpisodeSource,
  { count = 8, seed = 4 }: { readonly count?: number; readonly seed?: number } = {},
): Batches[BatchKind] {
  const options = { ...(batch.kind !== 'multi-view' && { camera: 'front' }), ...batch.options }
  return makeSampler(batch.kind, source, options as BatchOptions[BatchKind], new Rng(seed)).sample(count)
}

export interface EncoderCaseOptions {
  readonly config?: Record<string, unknown>
  readonly frameShape?: FrameShape
}

/** What every registered encoder must do. */
export function encoderCases(
  name: string,
  entry: EncoderEntry,
  traits: EncoderTraits,
  { config = {}, frameShape = SHAPE }: EncoderCaseOptions = {},
): void {
  const make = (seed = 1): Encoder => entry.create(frameShape, entry.configSchema.parse(config), new Rng(seed), 2)
  const { source, episodes } = squareEpisodes(frameShape)
  const frameSize = frameShape[0] * frameShape[1] * frameShape[2]
  const statistics = squareFrames(16, new Rng(3), 6, frameShape)
  const frameAt = (row: number, time: number): Uint8Array =>
    episodes[row % EPISODES]!.images['front']!.subarray(time * frameSize, (time + 1) * frameSize)
  const inputOf = ({ spec }: Encoder, times: readonly number[] = [0, 1, 2, 3, 4, 5, 3, 1]): EncoderInput =>
    encoderInput(spec, times, frameAt)
  /** Statistics, then losses of `updates` steps: none where there is nothing to learn. */
  const train = async (encoder: Encoder, updates: number, data: FrameBatch = statistics): Promise<number[]> => {
    await encoder.fitStatistics?.(data)
    return learn(encoder, updates)
  }
  const learn = async (encoder: Encoder, updates: number): Promise<number[]> => {
    const losses: number[] = []
    if (!isLearning(encoder)) return losses
    const batch = batchOf(encoder, source)
    for (let i = 0; i < updates; i++) losses.push((await encoder.update(batch)).loss!)
    return losses
  }

  describe(`encoder contract: ${name} ${JSON.stringify(config)} on ${frameShape.join('x')}`, () => {
    it('knows its name and sizes, and can do what is expected of it', () => {
      const encoder = make()
      expect(encoder.spec).toMatchObject({ name, frameShape })
      expect(encoder.spec.latentSize).toBeGreaterThan(0)
      expect({
        learns: isLearning(encoder),
        decodes: encoder.decode !== undefined,
        imagines: encoder.imagine !== undefined,
        isFitted: isLearning(encoder) || encoder.fitStatistics !== undefined,
        isSeeded: traits.isSeeded,
      }).toEqual(traits)
      encoder.dispose()
    })

    it('encodes many observations as it encodes each, and tells them apart', async () => {
      const encoder = make()
      await train(encoder, 1)
      const { latentSize } = encoder.spec
      const latents = await encoder.encode(inputOf(encoder))
      expect(latents).toHaveLength(8 * latentSize)
      const third = await encoder.encode(encoderInput(encoder.spec, [2], (_row, time) => frameAt(2, time)))
      third.forEach((z, i) => expect(z).toBeCloseTo(latents[2 * latentSize + i]!, 5))
      const rows = Array.from({ length: 8 }, (_, i) => latents.slice(i * latentSize, (i + 1) * latentSize).join())
      expect(new Set(rows).size).toBeGreaterThan(4)
      encoder.dispose()
    })

    it('takes what it is fitted to from the data', async () => {
      const [encoder, other] = [make(), make()]
      const before = await encoder.encode(inputOf(encoder))
      await train(encoder, 2)
      await train(other, 2, squareFrames(16, new Rng(9), 5, frameShape))
      const after = await encoder.encode(inputOf(encoder))
      const elsewhere = await other.encode(inputOf(other))
      if (traits.isFitted) {
        expect(after).not.toEqual(before)
        if (encoder.fitStatistics) expect(elsewhere).not.toEqual(after)
      } else expect([after, elsewhere]).toEqual([before, before])
      encoder.dispose()
      other.dispose()
    })

    it.runIf(traits.decodes)('decodes to images that depend on the latent', async () => {
      const encoder = make()
      await train(encoder, 1)
      const latents = new Float32Array(3 * encoder.spec.latentSize).fill(2, encoder.spec.latentSize)
      const images = await encoder.decode!(latents, 3)
      expect([images.length, images instanceof Uint8Array]).toEqual([3 * frameSize, true])
      const [first, second, third] = [0, 1, 2].map((i) => images.slice(i * frameSize, (i + 1) * frameSize))
      expect(second).toEqual(third)
      expect(second).not.toEqual(first)
      encoder.dispose()
    })

    it.runIf(traits.imagines)('imagines latents that differ by the random stream alone', async () => {
      const encoder = make()
      await train(encoder, 1)
      await encoder.fitPrior?.(inputOf(encoder))
      const start = (await encoder.encode(inputOf(encoder))).slice(0, encoder.spec.latentSize)
      const imagined = [1, 1, 2].map((seed) => encoder.imagine!(new Rng(seed), start))
      expect(imagined[0]).toHaveLength(encoder.spec.latentSize)
      expect(imagined[1]).toEqual(imagined[0])
      expect(imagined[2]).not.toEqual(imagined[0])
      encoder.dispose()
    })

    it('the same seed gives the same; another seed does where it is without chance', async () => {
      const made = [make(1), make(1), make(2)]
      const losses: number[][] = []
      const latents: Float32Array[] = []
      for (const encoder of made) {
        losses.push(await train(encoder, 3))
        latents.push(await encoder.encode(inputOf(encoder)))
      }
      expect(losses[0]).toHaveLength(traits.learns ? 3 : 0)
      expect([losses[1], latents[1]]).toEqual([losses[0], latents[0]])
      if (traits.isSeeded) expect(latents[2]).not.toEqual(latents[0])
      else expect(latents[2]).toEqual(latents[0])
      for (const encoder of made) encoder.dispose()
    })

    it.runIf(traits.learns)('learns: the loss of what it learned from falls', async () => {
      const encoder = make()
      await encoder.fitStatistics?.(statistics)
      const before = (await encoder.evaluate!(batchOf(encoder, source))).loss!
      await learn(encoder, 20)
      expect((await encoder.evaluate!(batchOf(encoder, source))).loss!).toBeLessThan(before)
      encoder.dispose()
    })

    it('goes on from what it saved, bit for bit', async () => {
      const original = make(1)
      await train(original, 2)
      const copy = make(1)
      const latents = await original.encode(inputOf(original))
      if (traits.isFitted) expect(await copy.encode(inputOf(copy))).not.toEqual(latents)
      copy.restore(structuredClone(original.save()))
      expect(await copy.encode(inputOf(copy))).toEqual(latents)
      expect(await learn(copy, 3)).toEqual(await learn(original, 3))
      expect(copy.save()).toEqual(original.save())
      expect(Object.keys(copy.save()).length > 0).toBe(traits.isFitted || traits.isSeeded)
      original.dispose()
      copy.dispose()
    })

    it('looking changes nothing', async () => {
      const encoder = make()
      await train(encoder, 1)
      const before = structuredClone(encoder.save())
      const latents = await encoder.encode(inputOf(encoder))
      await encoder.evaluate?.(batchOf(encoder, source))
      await encoder.decode?.(latents, 8)
      expect(encoder.save()).toEqual(before)
      expect(await encoder.encode(inputOf(encoder))).toEqual(latents)
      encoder.dispose()
    })

    it('refuses frames of another shape, and a state that is not its own, before anything changes', async () => {
      const encoder = make()
      const before = structuredClone(encoder.save())
      const input = inputOf(encoder)
      await expect(encoder.encode({ ...input, frames: input.frames.subarray(1) })).rejects.toThrow(ArmatureError)
      const batch = { ...batchOf(encoder, source), count: 7 }
      if (encoder.update) await expect(encoder.update(batch)).rejects.toThrow(ArmatureError)
      if (encoder.fitStatistics) await expect(encoder.fitStatistics({ ...statistics, count: 7 })).rejects.toThrow()
      const [first] = Object.keys(before)
      expect(first !== undefined).toBe(traits.isFitted || traits.isSeeded)
      const { [first ?? '']: _missing, ...broken } = before
      if (first !== undefined) expect(() => encoder.restore(broken)).toThrow(ArmatureError)
      const alien = { ...before, other: { data: new Float32Array(1), shape: [1] } }
      expect(() => encoder.restore(alien)).toThrow(ArmatureError)
      expect(encoder.save()).toEqual(before)
      encoder.dispose()
    })

    it('leaks no tensors', async () => {
      const none = tf.memory().numTensors
      const encoder = make()
      const round = async (): Promise<void> => {
        await learn(encoder, 2)
        const latents = await encoder.encode(inputOf(encoder))
        await encoder.decode?.(latents, 8)
      }
      await round()
      const before = tf.memory().numTensors
      await round()
      expect(tf.memory().numTensors).toBe(before)
      encoder.dispose()
      expect(tf.memory().numTensors).toBe(none)
    })
  })
}
