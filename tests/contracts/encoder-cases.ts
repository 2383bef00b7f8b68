import { describe, expect, it } from 'vitest'
import type { EncoderEntry } from '../../encoders/index.ts'
import type { FrameBatch } from '../../src/core/batches.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { tf } from '../../src/tensor/tf.ts'

const SIDE = 48

/** Frames [count, 48, 48, 3] of a bright square on dark ground at random places: x, y of its corner in `places` [count, 2]. */
export function squareFrames(count: number, rng: Rng, side = 12): FrameBatch & { readonly places: Float32Array } {
  const frames = new Uint8Array(count * SIDE * SIDE * 3).fill(40)
  const places = new Float32Array(count * 2)
  for (let i = 0; i < count; i++) {
    const [x, y] = [rng.int(SIDE - side), rng.int(SIDE - side)]
    places.set([x, y], 2 * i)
    for (let row = y; row < y + side; row++) {
      const start = ((i * SIDE + row) * SIDE + x) * 3
      frames.fill(220, start, start + side * 3)
    }
  }
  return { frames, count, places }
}

/** What every registered encoder must do. */
export function encoderCases(name: string, entry: EncoderEntry, config: Record<string, unknown> = {}): void {
  const make = (seed = 1): Encoder => entry.create([SIDE, SIDE, 3], entry.configSchema.parse(config), new Rng(seed))
  const data = squareFrames(8, new Rng(3))
  /** Losses of `updates` steps; none where there is nothing to learn. */
  const learn = async (encoder: Encoder, updates: number): Promise<number[]> => {
    const losses: number[] = []
    if (!isLearning(encoder)) return losses
    for (let i = 0; i < updates; i++) losses.push((await encoder.update(data)).loss!)
    return losses
  }

  describe(`encoder contract: ${name}`, () => {
    it('knows its name and sizes', () => {
      const encoder = make()
      expect(encoder.spec).toMatchObject({ name, frameShape: [SIDE, SIDE, 3], batch: { kind: 'frames' } })
      encoder.dispose()
    })

    it('encodes many frames as it encodes each', async () => {
      const encoder = make()
      const latents = await encoder.encode(data)
      expect(latents).toHaveLength(8 * encoder.spec.latentSize)
      const frameSize = SIDE * SIDE * 3
      const third = await encoder.encode({ frames: data.frames.slice(2 * frameSize, 3 * frameSize), count: 1 })
      third.forEach((z, i) => expect(z).toBeCloseTo(latents[2 * encoder.spec.latentSize + i]!, 5))
      encoder.dispose()
    })

    it('decodes to images, where it can', async () => {
      const encoder = make()
      const images = await encoder.decode?.(new Float32Array(3 * encoder.spec.latentSize), 3)
      if (images) expect([images.length, images instanceof Uint8Array]).toEqual([3 * SIDE * SIDE * 3, true])
      encoder.dispose()
    })

    it('the same seed learns the same; another seed does not', async () => {
      const [a, b, c] = [make(1), make(1), make(2)]
      for (const encoder of [a, b, c]) await encoder.fitStatistics?.(data)
      const losses = await learn(a, 3)
      expect(await learn(b, 3)).toEqual(losses)
      if (isLearning(c)) expect(await learn(c, 3)).not.toEqual(losses)
      expect(await b.encode(data)).toEqual(await a.encode(data))
      for (const encoder of [a, b, c]) encoder.dispose()
    })

    it('goes on from what it saved, bit for bit', async () => {
      const original = make()
      await original.fitStatistics?.(data)
      await learn(original, 2)
      const copy = make()
      copy.restore(structuredClone(original.save()))
      expect(await learn(copy, 3)).toEqual(await learn(original, 3))
      expect(copy.save()).toEqual(original.save())
      expect(await copy.encode(data)).toEqual(await original.encode(data))
      original.dispose()
      copy.dispose()
    })

    it('evaluating changes nothing', async () => {
      const encoder = make()
      const before = structuredClone(encoder.save())
      await encoder.evaluate?.(data)
      await encoder.encode(data)
      expect(encoder.save()).toEqual(before)
      encoder.dispose()
    })

    it('refuses frames of another shape, and a state that is not its own, before anything changes', async () => {
      const encoder = make()
      const before = structuredClone(encoder.save())
      const cut = { frames: data.frames.subarray(1), count: 8 }
      await expect(encoder.encode(cut)).rejects.toThrow(ArmatureError)
      if (encoder.update) await expect(encoder.update(cut)).rejects.toThrow(ArmatureError)
      if (encoder.fitStatistics) await expect(encoder.fitStatistics(cut)).rejects.toThrow(ArmatureError)
      const [first] = Object.keys(before)
      const { [first ?? '']: _missing, ...broken } = before
      if (first !== undefined) expect(() => encoder.restore(broken)).toThrow(ArmatureError)
      expect(() => encoder.restore({ ...before, other: { data: new Float32Array(1), shape: [1] } })).toThrow(
        ArmatureError,
      )
      expect(encoder.save()).toEqual(before)
      encoder.dispose()
    })

    it('leaks no tensors', async () => {
      const encoder = make()
      await learn(encoder, 1)
      await encoder.encode(data)
      const before = tf.memory().numTensors
      await learn(encoder, 3)
      await encoder.encode(data)
      expect(tf.memory().numTensors).toBe(before)
      encoder.dispose()
    })
  })
}
