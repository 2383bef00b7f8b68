import { beforeAll, describe, expect, test } from 'vitest'
import { BetaVae, chooseBeta } from '../../encoders/beta-vae/beta-vae.ts'
import { Prior } from '../../encoders/shared/prior.ts'
import { betaVaeConfigSchema } from '../../encoders/beta-vae/config.ts'
import { frameStatistics } from '../../encoders/shared/spectrum.ts'
import type { FrameBatch } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { ridgeProbe } from '../../src/evaluate/probes.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { squareFrames } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const create = (config: Record<string, unknown> = {}, seed = 1): BetaVae =>
  new BetaVae([48, 48, 3], betaVaeConfigSchema.parse(config), new Rng(seed))

describe('beta-VAE', () => {
  test('with the networks of RIG, starts with 2.954 nats per dimension: variance 1e-3, mean 0', async () => {
    const { kl_0: first, kl } = await create({ architecture: 'rig' }).evaluate(squareFrames(4, new Rng(1)))
    expect(first).toBeCloseTo(0.5 * (1e-3 - 1 - Math.log(1e-3)), 2)
    expect(kl).toBeCloseTo(8 * first!, 1)
  })

  test('the loss is the squared error summed over pixels plus beta times the KL, once warmed up', async () => {
    const vae = create({ beta: 3, betaAnneal: 0 })
    const { loss, reconstruction, kl } = await vae.evaluate(squareFrames(4, new Rng(1)))
    expect(loss! / (reconstruction! + 3 * kl!)).toBeCloseTo(1, 5)
    const warming = create({ beta: 3, betaStart: 0.1, betaAnneal: 100 })
    const cold = await warming.evaluate(squareFrames(4, new Rng(1)))
    expect(cold.loss! / (cold.reconstruction! + 0.3 * cold.kl!)).toBeCloseTo(1, 5)
  })

  test('prices the silhouette where it is asked for, and paints frames without it', async () => {
    const frames = squareFrames(4, new Rng(1))
    const [plain, outlined] = [
      create({ architecture: 'palette' }),
      create({ architecture: 'palette', silhouette: true }),
    ]
    for (const vae of [plain, outlined]) await vae.fitStatistics(frames)
    const [without, beside] = [await plain.evaluate(frames), await outlined.evaluate(frames)]
    // An untrained decoder paints next to nothing: the silhouette's squares sum to those of the channels.
    expect(beside.reconstruction! / without.reconstruction!).toBeGreaterThan(1.6)
    expect(beside.reconstruction! / without.reconstruction!).toBeLessThan(2.4)
    expect((await outlined.decode(new Float32Array(8), 1)).length).toBe(48 * 48 * 3)
  })

  test('the spectrum of frames is that of their covariance, and beta is its k-th value', async () => {
    const [count, pixels] = [64, 3]
    // Three independent pixels with variances 9, 4, 1 in units of 1/255^2, around different means.
    const frames = new Uint8Array(count * pixels)
    for (let i = 0; i < count; i++) {
      frames.set([100 + 3 * sign(i), 50 + 2 * sign(i >> 1), 200 + sign(i >> 2)], i * pixels)
    }
    const { meanFrame, variances } = await frameStatistics({ frames, count } as FrameBatch, 3)
    expect([...meanFrame].map((x) => x * 255)).toEqual([100, 50, 200].map((x) => expect.closeTo(x, 3)))
    expect([...variances].map((x) => x * 255 * 255)).toEqual([9, 4, 1].map((x) => expect.closeTo(x, 2)))
    expect(chooseBeta(variances, 2) * 255 * 255).toBeCloseTo(4, 2)
    expect(chooseBeta(variances, 99) * 255 * 255).toBeCloseTo(1, 2)
  })

  test('learns where a square is: positions are linear in the latent, and reconstructions beat the mean frame', async () => {
    const vae = create({ latentSize: 2, beta: 1, betaAnneal: 150 })
    const train = squareFrames(512, new Rng(5))
    const test = squareFrames(128, new Rng(6))
    await vae.fitStatistics(train)
    const before = (await vae.evaluate(test)).reconstruction!
    const rng = new Rng(7)
    const size = 48 * 48 * 3
    const batch = { frames: new Uint8Array(32 * size), count: 32 }
    for (let update = 0; update < 250; update++) {
      for (let row = 0; row < 32; row++) {
        const i = rng.int(512)
        batch.frames.set(train.frames.subarray(i * size, (i + 1) * size), row * size)
      }
      await vae.update(batch)
    }
    const rows = (data: Float32Array) => ({ data, count: 128, size: 2 })
    const split = { train: [...Array(96).keys()], test: [...Array(32).keys()].map((i) => 96 + i) }
    const r2 = ridgeProbe(rows(await vae.encode(test)), rows(test.places), split)
    for (const score of r2) expect(score).toBeGreaterThan(0.9)
    expect((await vae.evaluate(test)).reconstruction!).toBeLessThan(0.6 * before)
    const decoded = await vae.decode(await vae.encode({ frames: test.frames.slice(0, size), count: 1 }), 1)
    const [x, y] = test.places
    const centre = ((Math.round(y!) + 6) * 48 + Math.round(x!) + 6) * 3
    expect(decoded[centre]!).toBeGreaterThan(110)
    vae.dispose()
  })
})

describe('the prior that goals are imagined from', () => {
  const COUNT = 20_000

  function moments(latents: readonly Float32Array[]): { mean: number[]; covariance: number[] } {
    const size = latents[0]!.length
    const mean = Array.from({ length: size }, (_, i) => latents.reduce((sum, z) => sum + z[i]!, 0) / latents.length)
    const covariance = Array.from({ length: size * size }, (_, at) => {
      const [i, j] = [Math.floor(at / size), at % size]
      return latents.reduce((sum, z) => sum + (z[i]! - mean[i]!) * (z[j]! - mean[j]!), 0) / latents.length
    })
    return { mean, covariance }
  }

  const imagined = (vae: BetaVae): Float32Array[] => {
    const rng = new Rng(3)
    return Array.from({ length: COUNT }, () => vae.imagine(rng))
  }

  test('is N(0, I) until it is fitted, and stays so with prior: standard', async () => {
    const vae = create({ latentSize: 2, prior: 'standard' })
    await vae.fitPrior(squareFrames(16, new Rng(2)))
    for (const { mean, covariance } of [moments(imagined(vae)), moments(imagined(create({ latentSize: 2 })))]) {
      mean.forEach((x) => expect(x).toBeCloseTo(0, 1))
      covariance.forEach((x, i) => expect(x).toBeCloseTo(i === 0 || i === 3 ? 1 : 0, 1))
    }
  })

  /** Trained a little, so that latents differ; `latents` are those of the frames that the prior was fitted to. */
  async function fittedOn(
    count: number,
    priorBandwidth: number,
  ): Promise<{ vae: BetaVae; latents: readonly Float32Array[] }> {
    const vae = create({ latentSize: 3, priorBandwidth })
    const frames = squareFrames(count, new Rng(2))
    await vae.fitStatistics(frames)
    for (let update = 0; update < 30; update++) await vae.update(frames)
    await vae.fitPrior(frames)
    const latents = await vae.encode(frames)
    return { vae, latents: Array.from({ length: count }, (_, row) => latents.subarray(3 * row, 3 * row + 3)) }
  }

  test.each([0, 0.2, 1])(
    'fitted, it has the mean and the covariance of the latents, with bandwidth %d',
    async (bandwidth) => {
      const { vae, latents } = await fittedOn(64, bandwidth)
      const expected = moments(latents)
      const got = moments(imagined(vae))
      const scale = Math.max(...expected.covariance)
      got.mean.forEach((x, i) => expect(Math.abs(x - expected.mean[i]!)).toBeLessThan(0.05 * Math.sqrt(scale)))
      got.covariance.forEach((x, i) => expect(Math.abs(x - expected.covariance[i]!)).toBeLessThan(0.05 * scale))
    },
  )

  test('fitted, it draws latents that it saw with bandwidth 0, and others near them with more', async () => {
    const toNearest = async (bandwidth: number): Promise<number[]> => {
      const { vae, latents } = await fittedOn(64, bandwidth)
      const distance = (z: Float32Array): number =>
        Math.min(...latents.map((seen) => Math.hypot(...seen.map((x, i) => x - z[i]!))))
      return imagined(vae)
        .slice(0, 500)
        .map(distance)
        .sort((a, b) => a - b)
    }
    expect((await toNearest(0)).at(-1)!).toBeLessThan(1e-5)
    const [near, far] = [(await toNearest(0.05))[250]!, (await toNearest(1))[250]!]
    expect(near).toBeGreaterThan(1e-4)
    expect(far).toBeGreaterThan(2 * near)
  })

  test('of more frames than are kept, draws come from all parts of the data', async () => {
    const prior = new Prior(1, 0)
    const count = 10_000
    const latents = Float32Array.from({ length: count }, (_, i) => i)
    prior.fit(latents, count)
    const rng = new Rng(4)
    const draws = Array.from({ length: 5000 }, () => prior.sample(rng)[0]!)
    for (let tenth = 0; tenth < 10; tenth++) {
      const inside = draws.filter((x) => x >= tenth * 1000 && x < (tenth + 1) * 1000)
      expect(inside.length).toBeGreaterThan(400)
      expect(inside.length).toBeLessThan(600)
    }
  })

  test('is saved and restored with the weights', async () => {
    const { vae } = await fittedOn(16, 0.2)
    const other = create({ latentSize: 3, priorBandwidth: 0.2 })
    other.restore(vae.save())
    expect(other.imagine(new Rng(9))).toEqual(vae.imagine(new Rng(9)))
  })
})

function sign(i: number): number {
  return i % 2 === 0 ? 1 : -1
}
