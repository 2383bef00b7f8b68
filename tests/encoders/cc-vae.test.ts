import { beforeAll, describe, expect, test } from 'vitest'
import { CcVae } from '../../encoders/cc-vae/cc-vae.ts'
import { ccVaeConfigSchema } from '../../encoders/cc-vae/config.ts'
import type { ContextBatch } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const SIDE = 24
const create = (config: Record<string, unknown> = {}): CcVae =>
  new CcVae([SIDE, SIDE, 3], ccVaeConfigSchema.parse(config), new Rng(1))

const COLOURS = [
  [250, 40, 40],
  [40, 250, 40],
  [40, 40, 250],
  [250, 250, 40],
  [40, 250, 250],
  [250, 40, 250],
] as const

/** Squares of six pixels on dark ground, each pair in one colour at two places. */
function colouredSquares(count: number, rng: Rng): ContextBatch & { readonly colours: readonly number[] } {
  const size = SIDE * SIDE * 3
  const colours = Array.from({ length: count }, () => rng.int(COLOURS.length))
  const images = (): Uint8Array => {
    const pixels = new Uint8Array(count * size).fill(45)
    for (let row = 0; row < count; row++) {
      const [left, top] = [rng.int(SIDE - 6), rng.int(SIDE - 6)]
      for (let i = 0; i < 36; i++) {
        const at = (top + Math.floor(i / 6)) * SIDE + left + (i % 6)
        pixels.set(COLOURS[colours[row]!]!, row * size + 3 * at)
      }
    }
    return pixels
  }
  return { count, frames: images(), context: images(), colours }
}

describe('CC-VAE', () => {
  test('the loss is both squared errors plus beta times the KL, which is reported by dimension', async () => {
    const batch = colouredSquares(4, new Rng(2))
    const vae = create({ beta: 3, betaStart: 0.1, betaAnneal: 100, contextWeight: 0.5 })
    const terms = await vae.evaluate(batch)
    const { loss, reconstruction, first_frame: firstFrame, kl } = terms
    expect(loss! / (reconstruction! + 0.5 * firstFrame! + 0.3 * kl!)).toBeCloseTo(1, 5)
    expect([0, 1, 2, 3].reduce((sum, i) => sum + terms[`kl_${i}`]!, 0)).toBeCloseTo(kl!, 4)
    expect(terms['active_dimensions']).toBe(4)
    vae.dispose()
  })

  test('with the networks of RIG, starts with 2.954 nats per dimension', async () => {
    const { kl_0: first } = await create({ architecture: 'rig' }).evaluate(colouredSquares(4, new Rng(2)))
    expect(first).toBeCloseTo(0.5 * (1e-3 - 1 - Math.log(1e-3)), 1)
  })

  test('finds place and colour of things whose colours differ, and imagines goals in the colour of the episode', async () => {
    const vae = create({ betaAnneal: 150, latentSize: 2 })
    const rng = new Rng(3)
    const data = colouredSquares(256, rng)
    await vae.fitStatistics(data)
    const held = colouredSquares(64, new Rng(4))
    const before = await vae.evaluate(held)
    for (let update = 0; update < 300; update++) await vae.update(colouredSquares(32, rng))
    const after = await vae.evaluate(held)
    expect(after['reconstruction']!).toBeLessThan(0.35 * before['reconstruction']!)
    expect(after['first_frame']!).toBeLessThan(0.35 * before['first_frame']!)

    const starts = await vae.encode({ ...held, frames: held.context })
    const goals = Array.from({ length: held.count }, (_, row) => {
      return vae.imagine(new Rng(row), starts.slice(row * 6, (row + 1) * 6))
    })
    const images = await vae.decode(Float32Array.from(goals.flatMap((goal) => [...goal])), held.count)
    const size = SIDE * SIDE * 3
    const kept = held.colours.filter(
      (colour, row) => colourOf(images.subarray(row * size, (row + 1) * size)) === colour,
    )
    expect(kept.length / held.count).toBeGreaterThan(0.8)
    vae.dispose()
  })

  test('prices the silhouette of both frames where it is asked for, and paints frames without it', async () => {
    const batch = colouredSquares(4, new Rng(2))
    for (const architecture of ['palette', 'rig', 'spatial']) {
      const [plain, outlined] = [create({ architecture }), create({ architecture, silhouette: true })]
      for (const vae of [plain, outlined]) await vae.fitStatistics(batch)
      const [without, beside] = [await plain.evaluate(batch), await outlined.evaluate(batch)]
      // An untrained decoder paints next to nothing: the silhouette's squares sum to those of the channels.
      for (const term of ['reconstruction', 'first_frame']) {
        expect(beside[term]! / without[term]!).toBeGreaterThan(1.6)
        expect(beside[term]! / without[term]!).toBeLessThan(2.4)
      }
      const latents = await outlined.encode(batch)
      expect((await outlined.decode(latents, 4)).length).toBe(4 * SIDE * SIDE * 3)
      for (const vae of [plain, outlined]) vae.dispose()
    }
  })

  test('imagines z that it saw, beside the context of the episode, where its prior is fitted', async () => {
    const [standard, fitted] = [
      create({ latentSize: 2 }),
      create({ latentSize: 2, prior: 'fitted', priorBandwidth: 0 }),
    ]
    const data = colouredSquares(16, new Rng(3))
    for (const vae of [standard, fitted]) await vae.fitPrior(data)
    const latents = await fitted.encode(data)
    const seen = Array.from({ length: 16 }, (_, row) => String(latents.slice(row * 6, row * 6 + 2)))
    const start = latents.slice(0, 6)
    const draws = (vae: CcVae): Float32Array[] => Array.from({ length: 100 }, (_, i) => vae.imagine(new Rng(i), start))
    const goals = draws(fitted)
    const nearest = goals.map((goal) => Math.min(...seen.map((z) => apart(z, goal))))
    expect(Math.max(...nearest)).toBeLessThan(1e-5)
    expect(new Set(goals.map(String)).size).toBeGreaterThan(10)
    for (const goal of goals) expect(goal.slice(2)).toEqual(start.slice(2))
    const again = create({ latentSize: 2, prior: 'fitted', priorBandwidth: 0 })
    again.restore(fitted.save())
    expect(draws(again)).toEqual(goals)
    const beyond = draws(standard).map((goal) => Math.min(...seen.map((z) => apart(z, goal))))
    expect(Math.max(...beyond)).toBeGreaterThan(0.1)
    for (const vae of [standard, fitted, again]) vae.dispose()
  })
})

/** Distance of a goal's z from one that is written out. */
function apart(z: string, goal: Float32Array): number {
  const [x, y] = z.split(',').map(Number)
  return Math.hypot(goal[0]! - x!, goal[1]! - y!)
}

/** Of {@link COLOURS}, the nearest to that of the brightest pixel. */
function colourOf(image: Uint8Array): number {
  let [best, chroma] = [0, -1]
  for (let i = 0; i < image.length; i += 3) {
    const range = Math.max(...image.subarray(i, i + 3)) - Math.min(...image.subarray(i, i + 3))
    if (range > chroma) [best, chroma] = [i, range]
  }
  const distance = (colour: readonly number[]): number => Math.hypot(...colour.map((x, c) => x - image[best + c]!))
  return COLOURS.map((colour, i) => [distance(colour), i] as const).toSorted(([a], [b]) => a - b)[0]![1]
}
