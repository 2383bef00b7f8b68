import { describe, expect, it } from 'vitest'
import { isExportableEncoder, scaledEncoder } from '../../src/compose/scaled-encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { makeEncoder } from '../../src/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'

const SHAPE = [48, 48, 3] as const

describe('an encoder with scaled latents', () => {
  it('is the same encoder in another unit', async () => {
    await startEngine({})
    const make = (): ReturnType<typeof makeEncoder> => makeEncoder('beta-vae', SHAPE, new Rng(1))
    const [plain, scaled] = [make(), scaledEncoder(make(), 4)]
    const frames = Uint8Array.from({ length: 8 * 48 * 48 * 3 }, (_, i) => (i * 7 + Math.floor(i / 997)) % 256)
    for (const encoder of [plain, scaled]) {
      await encoder.fitStatistics!({ frames, count: 8 })
      await encoder.update!({ frames, count: 8 })
      await encoder.fitPrior!({ frames, count: 8 })
    }
    const [a, b] = [await plain.encode({ frames, count: 8 }), await scaled.encode({ frames, count: 8 })]
    expect(b).toEqual(a.map((x) => x * 4))
    expect(scaled.imagine!(new Rng(2))).toEqual(plain.imagine!(new Rng(2)).map((x) => x * 4))
    expect(await scaled.decode!(b, 8)).toEqual(await plain.decode!(a, 8))
    expect(scaled.save()).toEqual(plain.save())
    expect([isExportableEncoder(scaled), 'evaluate' in scaled]).toEqual([true, true])
    const pixels = scaledEncoder(makeEncoder('pixels', SHAPE, new Rng(1)), 4)
    expect(['update' in pixels, 'imagine' in pixels]).toEqual([false, false])
    for (const encoder of [plain, scaled, pixels]) encoder.dispose()
  })
})
