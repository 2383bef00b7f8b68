import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import type { FrameFit } from '../../src/core/frame-fit.ts'
import { fitFrames } from '../../src/core/frame-fit.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { compile, exportOnnx } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { fitTensor } from '../../src/tensor/fit-tensor.ts'

const FITS: Readonly<Record<string, FrameFit>> = {
  'a third': { from: [240, 320, 3], to: [72, 96, 3] },
  'a sixth, 4:3': { from: [480, 640, 3], to: [72, 96, 3] },
  'a crop that is averaged': { from: [120, 160, 3], crop: [10, 20, 97, 120], to: [48, 64, 3] },
  'a crop alone': { from: [20, 30, 3], crop: [3, 4, 10, 12], to: [10, 12, 3] },
  'sides without a common divisor': { from: [241, 321, 3], to: [73, 98, 3] },
  'sides of more than 256 parts': { from: [331, 601, 1], to: [64, 97, 1] },
  'a larger frame': { from: [9, 7, 2], to: [16, 21, 2] },
  'one pixel': { from: [300, 300, 3], to: [1, 1, 3] },
}

/** Noise, where halves of a level are as frequent as they get, and the brightest that there is. */
function framesOf({ from }: FrameFit, count: number): Uint8Array {
  const rng = new Rng(3)
  const size = sizeOf(from)
  return Uint8Array.from({ length: count * size }, (_, i) => (i < size / 2 ? 255 : rng.int(256)))
}

describe('a graph fits frames as fitFrames does, byte for byte', () => {
  beforeAll(async () => {
    await startEngine({ threads: 1 })
  })

  test.each(Object.entries(FITS))('%s, exported, with a window of frames', async (_what, fit) => {
    const input = { dtype: 'uint8', shape: [1, 2, ...fit.from] } as const
    const model = exportOnnx('fit', ({ frames }) => ({ small: fitTensor(frames!, fit) }), { frames: input })
    const frames = framesOf(fit, 2)
    const session = await InferenceSession.create(model)
    const { small } = await session.run({ frames: new Tensor('uint8', frames, input.shape) })
    expect(small!.dims).toEqual([1, 2, ...fit.to])
    expect(Buffer.compare(Uint8Array.from(small!.data as Int32Array), fitFrames(frames, fit))).toBe(0)
    await session.release()
  })
})

test('TF.js itself gives the same bytes', async () => {
  await startEngine({ name: 'js' })
  const fit = FITS['a crop that is averaged']!
  const program = compile<string, string>('fit', ({ frames }) => ({ small: fitTensor(frames!, fit) }))
  const frames = framesOf(fit, 3)
  const { small } = await program.run({ frames: ndarray(frames, [3, ...fit.from]) })
  expect(Buffer.compare(Uint8Array.from(small!.data), fitFrames(frames, fit))).toBe(0)
  program.dispose()
})
