import { beforeAll, describe, expect, test } from 'vitest'
import { grasp2VecConfigSchema } from '../../encoders/grasp2vec/config.ts'
import { Grasp2Vec } from '../../encoders/grasp2vec/grasp2vec.ts'
import type { GraspTripletBatch } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'

const SIDE = 16
const FRAME = SIDE * SIDE * 3

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

function make(config: Readonly<Record<string, unknown>> = {}): Grasp2Vec {
  return new Grasp2Vec([SIDE, SIDE, 3], grasp2VecConfigSchema.parse({ width: 4, ...config }), new Rng(1))
}

type Rgb = readonly [number, number, number]

/** A square of `side` pixels on dark ground. */
function paint(frame: Uint8Array, color: Rgb, row: number, column: number, side = 4): void {
  for (let y = row; y < row + side; y++) {
    for (let x = column; x < column + side; x++) frame.set(color, (y * SIDE + x) * 3)
  }
}

const COLOURS: readonly Rgb[] = [
  [230, 40, 40],
  [40, 230, 40],
  [40, 40, 230],
  [220, 220, 40],
  [40, 220, 220],
  [220, 40, 220],
]

/** Grasps at one of two squares of different colours, one in the upper and one in the lower half; the outcome is a large square. */
function grasps(count: number, rng: Rng, isLifted: (row: number) => boolean = () => true): GraspTripletBatch {
  const [before, after, outcome] = [0, 1, 2].map(() => new Uint8Array(count * FRAME).fill(40)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const success = new Uint8Array(count)
  const objects = new Int32Array(count)
  for (let row = 0; row < count; row++) {
    const frame = (frames: Uint8Array): Uint8Array => frames.subarray(row * FRAME, (row + 1) * FRAME)
    const [target, other] = rng.shuffle(COLOURS.map((_, i) => i)) as [number, number]
    const [top, bottom] = rng.shuffle([0, 8]) as [number, number]
    const places = [
      [top + rng.int(4), rng.int(12)],
      [bottom + rng.int(4), rng.int(12)],
    ] as const
    for (const frames of [before, after]) paint(frame(frames), COLOURS[other]!, ...places[1])
    paint(frame(before), COLOURS[target]!, ...places[0])
    if (isLifted(row)) paint(frame(outcome), COLOURS[target]!, 4, 4, 8)
    else paint(frame(after), COLOURS[target]!, ...places[0])
    success[row] = isLifted(row) ? 1 : 0
    objects[row] = isLifted(row) ? target + 1 : 0
  }
  return { count, before, after, outcome, success, objects }
}

/** The first `count` grasps. */
function firstOf({ before, after, outcome, success, objects }: GraspTripletBatch, count: number): GraspTripletBatch {
  const head = (frames: Uint8Array): Uint8Array => frames.slice(0, count * FRAME)
  return {
    count,
    before: head(before),
    after: head(after),
    outcome: head(outcome),
    success: success.slice(0, count),
    objects: objects.slice(0, count),
  }
}

describe('the loss of Grasp2Vec', () => {
  test('a bin that lost nothing says nothing: both n-pairs are ln B, and the outcome alone is apart', async () => {
    const encoder = make()
    const batch = grasps(8, new Rng(2))
    const metrics = await encoder.evaluate({ ...batch, after: batch.before })
    const norms = 2 * 0.0005 * metrics['apart']! // d is 0, so that |d - o|^2 is |o|^2
    expect(metrics['pairs']).toBeCloseTo(2 * Math.log(8) + norms, 4)
    expect(metrics['loss']).toBeCloseTo(metrics['pairs']! + 0.05 * metrics['apart']!, 4)
    encoder.dispose()
  })

  test('equality=0 is the loss of the paper', async () => {
    const encoder = make({ equality: 0 })
    const { loss, pairs, apart } = await encoder.evaluate(grasps(8, new Rng(2)))
    expect(apart).toBeGreaterThan(0)
    expect(loss).toBe(pairs)
    encoder.dispose()
  })

  test('grasps that lifted nothing are left out: neither rows nor negatives', async () => {
    const encoder = make()
    const batch = grasps(12, new Rng(3), (row) => row < 7)
    const all = await encoder.evaluate(batch)
    const lifted = await encoder.evaluate(firstOf(batch, 7))
    for (const name of ['loss', 'pairs', 'apart']) expect(all[name]).toBeCloseTo(lifted[name]!, 4)
    encoder.dispose()
  })

  test.each(['leave-out', 'to-zero'])(
    'a batch of failures alone (%s) costs nothing and changes no weight',
    async (failures) => {
      const encoder = make({ failures })
      const batch = grasps(6, new Rng(4), () => false)
      const before = encoder.save()
      const metrics = await encoder.update({ ...batch, after: batch.before })
      expect(metrics['loss']).toBe(0)
      const after = encoder.save()
      for (const [name, { data }] of Object.entries(before)) {
        if (name.startsWith('weights')) expect(after[name]!.data, name).toEqual(data)
      }
      encoder.dispose()
    },
  )

  test('to-zero asks of a failed grasp that the bin be what it was', async () => {
    const encoder = make({ failures: 'to-zero' })
    const moved = grasps(6, new Rng(5)) // what is called a failure here did take something out of the bin
    const failed = { ...moved, success: new Uint8Array(6) }
    const gone = await differences(encoder, moved)
    const { latentSize } = encoder.spec
    const squared = gone.reduce((sum, x) => sum + x * x, 0) / 6
    expect(latentSize).toBe(12)
    const { loss, unchanged } = await encoder.evaluate(failed)
    expect(unchanged).toBeCloseTo(squared, 3)
    expect(loss).toBeCloseTo(squared, 3)
    for (let i = 0; i < 20; i++) await encoder.update(failed)
    expect((await encoder.evaluate(failed))['unchanged']).toBeLessThan(0.5 * unchanged!)
    encoder.dispose()
  })
})

async function differences(encoder: Grasp2Vec, { count, before, after }: GraspTripletBatch): Promise<Float32Array> {
  const [full, rest] = [await encoder.encode({ frames: before, count }), await encoder.encode({ frames: after, count })]
  return full.map((x, i) => x - rest[i]!)
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0)
}

/** Trains one, and says what it knows of grasps that it never saw. */
async function learned(equality: number): Promise<{ named: number; found: number; apart: number }> {
  const encoder = make({ width: 8, learningRate: 3e-3, equality })
  const rng = new Rng(6)
  for (let i = 0; i < 400; i++) await encoder.update(grasps(24, rng))
  const batch = grasps(60, new Rng(7))
  const size = encoder.spec.latentSize
  const row = (latents: Float32Array, i: number): Float32Array => latents.subarray(i * size, (i + 1) * size)
  const gone = await differences(encoder, batch)
  const held = await encoder.encodeGoal!({ frames: batch.outcome, count: batch.count })
  const map = await encoder.spatialMap({ frames: batch.before, count: batch.count })
  expect(map.shape).toEqual([60, 4, 4, size])
  let [named, found] = [0, 0]
  for (let i = 0; i < batch.count; i++) {
    const scores = COLOURS.map((_, object) => {
      const view = [...batch.objects.keys()].find((k) => k !== i && batch.objects[k] === object + 1)!
      return dot(row(gone, i), row(held, view))
    })
    if (scores.indexOf(Math.max(...scores)) === batch.objects[i]! - 1) named++
    const heat = Array.from({ length: 16 }, (_, at) => dot(row(map.data, i * 16 + at), row(held, i)))
    const at = heat.indexOf(Math.max(...heat))
    const pixel = (Math.floor(at / 4) * 4 + 3) * SIDE + (at % 4) * 4 + 3
    const around = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => pixel + 2 * (y * SIDE + x)))
    if (around.some((place) => differs(batch, i, place))) found++
  }
  const apart = gone.map((x, i) => x - held[i]!)
  encoder.dispose()
  return { named: named / 60, found: found / 60, apart: dot(apart, apart) / dot(held, held) }
}

test('learns which object left the bin and where it lies; and that sums of objects are sums, where equality is asked for', async () => {
  const [plain, equal] = [await learned(0), await learned(0.05)]
  expect(equal.named).toBeGreaterThan(0.9)
  expect(equal.found).toBeGreaterThan(0.6)
  expect(plain.named).toBeGreaterThan(0.9)
  expect(equal.apart).toBeLessThan(0.5 * plain.apart)
}, 60_000)

/** Whether pixel `at` of the bin changed in grasp `row`: there the object lay. */
function differs({ before, after }: GraspTripletBatch, row: number, at: number): boolean {
  return [0, 1, 2].some((c) => before[row * FRAME + at * 3 + c] !== after[row * FRAME + at * 3 + c])
}
