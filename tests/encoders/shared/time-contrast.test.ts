import { beforeAll, describe, expect, test } from 'vitest'
import { Tcn } from '../../../encoders/tcn/tcn.ts'
import { tcnConfigSchema } from '../../../encoders/tcn/config.ts'
import type { TimeContrastConfig } from '../../../encoders/shared/time-contrast.ts'
import { contrastInputs, shuffledViews, timeContrast } from '../../../encoders/shared/time-contrast.ts'
import type { MultiViewBatch } from '../../../src/core/batches.ts'
import { Rng } from '../../../src/core/rng.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'

const CONFIG: TimeContrastConfig = {
  views: 'multi',
  loss: 'n-pairs',
  margin: 0.2,
  positiveRadius: 2,
  negatives: 'episode',
}

/** Moments of two episodes, two cameras, one byte a frame: 10 times the moment, plus the camera. */
const BATCH: MultiViewBatch = {
  count: 4,
  views: 2,
  cameras: ['front', 'side'],
  window: 1,
  frames: Uint8Array.of(0, 10, 20, 30, 1, 11, 21, 31),
  episodes: Int32Array.of(5, 5, 6, 6),
  times: Int32Array.of(3, 8, 3, 9),
}

beforeAll(async () => {
  await startEngine({ name: 'js' })
})

function rowsOf({ data, shape }: { readonly data: ArrayLike<number>; readonly shape: readonly number[] }): string[] {
  const [rows, columns] = shape as [number, number]
  return Array.from({ length: rows }, (_, i) =>
    Array.from(data)
      .slice(i * columns, (i + 1) * columns)
      .join(''),
  )
}

describe('what an anchor is told apart from', () => {
  test('other moments of its episode', () => {
    expect(rowsOf(contrastInputs(BATCH, CONFIG).columns)).toEqual(['1100', '1100', '0011', '0011'])
  })

  test('other moments of the whole batch, if asked', () => {
    const { columns, negative, positive } = contrastInputs(BATCH, { ...CONFIG, negatives: 'batch' })
    expect(rowsOf(columns)).toEqual(['1111', '1111', '1111', '1111'])
    expect(rowsOf(negative)[0]).toBe('01110111')
    expect(rowsOf(positive)[0]).toBe('00001000')
  })

  test('with one camera, moments that are not near, of other episodes only if asked, and by that camera', () => {
    const single = { ...CONFIG, views: 'single', loss: 'triplet' } as const
    const near = { ...BATCH, times: Int32Array.of(3, 5, 3, 9) }
    expect(rowsOf(contrastInputs(near, single).positive)).toEqual(
      ['0100', '1000', '0000', '0000']
        .flatMap((row) => [`${row}0000`])
        .concat(['00000100', '00001000', '00000000', '00000000']),
    )
    expect(rowsOf(contrastInputs(near, single).negative).slice(0, 4)).toEqual([
      '00000000',
      '00000000',
      '00010000',
      '00100000',
    ])
    expect(rowsOf(contrastInputs(near, { ...single, negatives: 'batch' }).negative)[0]).toBe('00110000')
  })
})

describe('cameras in random order', () => {
  test('each moment keeps its frames, and neither order is rare', () => {
    const rng = new Rng(0)
    let swapped = 0
    for (let draw = 0; draw < 100; draw++) {
      const frames = shuffledViews(BATCH, rng)
      for (let moment = 0; moment < 4; moment++) {
        const pair = [frames[moment]!, frames[4 + moment]!]
        expect(pair.toSorted((a, b) => a - b)).toEqual([10 * moment, 10 * moment + 1])
        if (pair[0]! > pair[1]!) swapped++
      }
    }
    expect(swapped).toBeGreaterThan(160)
    expect(swapped).toBeLessThan(240)
  })

  test('what all frames of a camera have in common costs; in a fixed order it is free', () => {
    const rng = new Rng(1)
    const moments = Array.from({ length: 8 }, () => Array.from({ length: 4 }, () => rng.normal()))
    // The last two coordinates say which camera it is, and nothing else.
    const seen = (camera: number): number[][] => moments.map((moment) => [...moment, camera === 0 ? 3 : -3, 1])
    const swap = moments.map((_, i) => i % 2 === 1)
    const views = [0, 1].map((place) => swap.map((isSwapped, i) => seen(isSwapped ? 1 - place : place)[i]!))
    const columns = tf.ones([8, 8])
    const loss = (embeddings: number[][][]): number =>
      timeContrast(tf.tensor3d(embeddings), { columns }, CONFIG).dataSync()[0]!
    const without = loss([0, 1].map(() => moments.map((moment) => [...moment, 0, 1])))
    const penalty = 0.25 * 0.002 * 2 * 9
    expect(loss([seen(0), seen(1)])).toBeCloseTo(without + penalty, 5)
    expect(loss(views)).toBeGreaterThan(without + 1)
  })
})

test('a batch of one camera is refused, and said which', async () => {
  const config = tcnConfigSchema.parse({ width: 4, hidden: 8, latentSize: 4 })
  const encoder = new Tcn([8, 8, 3], config, new Rng(0))
  const batch = { ...BATCH, views: 1, cameras: ['front'], frames: new Uint8Array(4 * 8 * 8 * 3) }
  await expect(encoder.update(batch)).rejects.toThrow(
    'batch of tcn: expected two cameras or more, got front alone; record with --cameras all, which are those that the scene has, or',
  )
  encoder.dispose()
})
