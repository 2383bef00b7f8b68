import { beforeAll, describe, expect, it } from 'vitest'
import { sacConfigSchema } from '../../agents/sac/config.ts'
import { Sac } from '../../agents/sac/sac.ts'
import type { ModelTransition } from '../../agents/sac/self-prediction.ts'
import { besideLoss, SelfPrediction } from '../../agents/sac/self-prediction.ts'
import { trunkConfigSchema } from '../../encoders/trunk/config.ts'
import { Trunk } from '../../encoders/trunk/trunk.ts'
import type { TransitionBatch } from '../../src/core/agent.ts'
import type { NamedArrays } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { FeatureNetwork } from '../../src/tensor/features.ts'
import { orthogonal, zeros } from '../../src/tensor/init.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const FRAME = [2, 3, 3] as const
const SIZE = 5

/** A linear network of frames [B, 2, 3, 3]; `calls` counts how often it was traced. */
function linearFeatures(seed = 1): FeatureNetwork & { calls: number } {
  const parameters = new Parameters([{ name: 'frames/kernel', shape: [18, SIZE], init: orthogonal() }], new Rng(seed))
  return {
    inputShape: FRAME,
    size: SIZE,
    parameters,
    calls: 0,
    apply(weights, frames) {
      this.calls++
      const flat = tf.reshape(tf.mul(tf.cast(frames, 'float32'), 1 / 255), [-1, 18])
      return tf.matMul(flat, weights['frames/kernel'] as tf.Tensor2D)
    },
  }
}

const makeSac = (features: FeatureNetwork, config: object = {}, observationSize = 0): Sac =>
  new Sac({ observationSize, actionSize: 1 }, sacConfigSchema.parse({ hidden: [8], ...config }), new Rng(3), features)

function batchOf(size: number, observationSize = 0, seed = 1): TransitionBatch {
  const rng = new Rng(seed)
  const draw = (length: number): Float32Array => rng.fillUniform(new Float32Array(length), -1, 1)
  const frames = (): Uint8Array => Uint8Array.from({ length: size * 18 }, () => rng.int(256))
  return {
    size,
    observation: draw(size * observationSize),
    action: draw(size),
    reward: draw(size),
    nextObservation: draw(size * observationSize),
    discount: new Float32Array(size).fill(0.9),
    frames: frames(),
    nextFrames: frames(),
  }
}

const kernelOf = (arrays: NamedArrays): number[] => [...arrays['frames/kernel']!.data]

describe('SAC through a feature network', () => {
  it('acts on frames alone, and on frames beside a vector', async () => {
    const { frames } = batchOf(4)
    for (const observationSize of [0, 2]) {
      const agent = makeSac(linearFeatures(), {}, observationSize)
      const observation = batchOf(4, observationSize).observation
      const many = await agent.act(observation, 4, 'mean', frames)
      expect(new Set(many).size).toBe(4)
      const third = observation.slice(2 * observationSize, 3 * observationSize)
      const alone = await agent.act(third, 1, 'mean', frames!.slice(2 * 18, 3 * 18))
      expect(alone[0]).toBeCloseTo(many[2]!, 6)
      agent.dispose()
    }
  })

  it("the critics' loss trains the network, unless it is told not to; the actor's never does", async () => {
    const features = linearFeatures()
    const before = kernelOf(features.parameters.toArrays())
    const frozen = makeSac(features, { trainFeatures: false })
    await frozen.update(batchOf(8))
    expect(kernelOf(features.parameters.toArrays())).toEqual(before)
    frozen.dispose()

    // Critics that are all zero have no gradient to hand on, whatever the actor does.
    const agent = makeSac(features)
    const saved = agent.save()
    const zeroed = Object.entries(saved).map(([name, array]) => {
      const isCritic = name.startsWith('critics/') || name.startsWith('targetCritics/')
      return [name, isCritic ? { ...array, data: array.data.map(() => 0) } : array]
    })
    agent.restore(Object.fromEntries(zeroed) as NamedArrays)
    await agent.update(batchOf(8))
    expect(kernelOf(features.parameters.toArrays())).toEqual(before)
    agent.restore(saved)
    await agent.update(batchOf(8))
    expect(kernelOf(features.parameters.toArrays())).not.toEqual(before)
    agent.dispose()
  })

  it('the target network follows by its share', async () => {
    const features = linearFeatures()
    const agent = makeSac(features, { featureTau: 0.25 })
    const before = kernelOf(features.parameters.toArrays())
    await agent.update(batchOf(8))
    const after = kernelOf(features.parameters.toArrays())
    const target = [...agent.save()['targetFeatures/frames/kernel']!.data]
    target.forEach((x, i) => expect(x).toBeCloseTo(before[i]! + 0.25 * (after[i]! - before[i]!), 6))
    agent.dispose()
  })

  it('encodes the observation once and the next one once, by the slow copy', async () => {
    const features = linearFeatures()
    const agent = makeSac(features)
    await agent.update(batchOf(8))
    expect(features.calls).toBe(2)
    agent.dispose()
  })

  it('with batch-normalised critics there is no copy of the network, and the next observation is encoded once', async () => {
    const features = linearFeatures()
    const agent = makeSac(features, { criticNorm: 'batch' })
    const before = kernelOf(features.parameters.toArrays())
    await agent.update(batchOf(8))
    expect(features.calls).toBe(2)
    expect(Object.keys(agent.save()).filter((name) => name.startsWith('target'))).toEqual([])
    expect(kernelOf(features.parameters.toArrays())).not.toEqual(before)
    agent.dispose()
  })

  it.each([
    { criticNorm: 'none' },
    { criticNorm: 'batch' },
    { selfPrediction: 1 },
    { selfPrediction: 1, criticNorm: 'batch' },
  ])('goes on from a saved state bit for bit: %o', async (settings) => {
    const features = linearFeatures()
    const config = { normalizeObservations: true, ...settings }
    const agent = makeSac(features, config, 2)
    for (const seed of [1, 2]) await agent.update(batchOf(8, 2, seed))
    const [saved, network] = [agent.save(), features.parameters.toArrays()]
    await agent.update(batchOf(8, 2, 3))
    const expected = agent.save()

    const others = linearFeatures(7)
    others.parameters.fromArrays(network)
    const other = makeSac(others, config, 2)
    other.restore(saved)
    await other.update(batchOf(8, 2, 3))
    expect(other.save()).toEqual(expected)
    expect(others.parameters.toArrays()).toEqual(features.parameters.toArrays())
    agent.dispose()
    other.dispose()
  })

  it('refuses to act or learn without the frames that it looks at', async () => {
    const agent = makeSac(linearFeatures())
    await expect(agent.act(new Float32Array(0), 2, 'mean')).rejects.toThrow('36 bytes for [2, 2, 3, 3], got none')
    const { nextFrames, ...rest } = batchOf(4)
    const short = { ...rest, nextFrames: nextFrames!.slice(1) }
    await expect(agent.update(short)).rejects.toThrow('sac update: nextFrames: expected 72 bytes')
    agent.dispose()
  })
})

describe('self-prediction', () => {
  const { state, action, reward, nextState } = {
    state: [1, 2, 3, 4],
    action: [0.5, -0.5],
    reward: [3, -1],
    nextState: [1, 0, 3, 0],
  }

  it("of models that say nothing: mean |r|, and the mean length of s' over its spread", async () => {
    const models = new SelfPrediction(2, 1, new Rng(1))
    const nothing = new Parameters(
      models.parameters.specs.map((spec) => ({ ...spec, init: zeros })),
      new Rng(1),
    )
    const loss = compile('self-prediction', (inputs: Record<string, tf.Tensor>) => ({
      loss: models.loss(nothing.split(), inputs as unknown as ModelTransition),
    }))
    const found = await loss.run({
      state: ndarray(Float32Array.from(state), [2, 2]),
      action: ndarray(Float32Array.from(action), [2, 1]),
      reward: ndarray(Float32Array.from(reward), [2]),
      nextState: ndarray(Float32Array.from(nextState), [2, 2]),
    })
    // Mean |r| is 2, the lengths of s' are 1 and 3, and its rows are 1 from their mean.
    expect(found.loss.data[0]).toBeCloseTo(2 + 2 / 1, 4)
    for (const owner of [loss, models.parameters, nothing]) owner.dispose()
  })

  it('weighs as much beside the critics whatever its own size', async () => {
    const slopes = compile('slopes', ({ x }: Record<string, tf.Tensor>) => ({
      once: tf.grad((at) => besideLoss(tf.square(at), tf.exp(at), 2))(x!),
      tenfold: tf.grad((at) => besideLoss(tf.square(at), tf.mul(tf.exp(at), 10), 2))(x!),
    }))
    const { once, tenfold } = await slopes.run({ x: ndarray(Float32Array.of(3), []) })
    expect(once.data[0]).toBeCloseTo(2 * 3 + 2 * 3 ** 2, 3)
    expect(tenfold.data[0]).toBeCloseTo(once.data[0]!, 3)
    slopes.dispose()
  })

  it('stays finite where there is nothing left to predict', async () => {
    const program = compile('nothing', ({ x }: Record<string, tf.Tensor>) => ({
      loss: besideLoss(x!, tf.mul(x!, 0), 1),
    }))
    expect((await program.run({ x: ndarray(Float32Array.of(3), []) })).loss.data[0]).toBe(3)
    program.dispose()
  })

  it('trains the network even where the critics do not, encodes no more often, and foresees more and more', async () => {
    const features = linearFeatures()
    const before = kernelOf(features.parameters.toArrays())
    const agent = makeSac(features, { trainFeatures: false, selfPrediction: 1, learningRate: 3e-3 })
    const losses: number[] = []
    for (let i = 0; i < 100; i++) losses.push((await agent.update(batchOf(32)))['train/self_prediction_loss']!)
    expect(features.calls).toBe(2)
    expect(kernelOf(features.parameters.toArrays())).not.toEqual(before)
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!)
    agent.dispose()
  })

  it('is refused where there is no network', () => {
    const config = sacConfigSchema.parse({ selfPrediction: 1 })
    expect(() => new Sac({ observationSize: 2, actionSize: 1 }, config, new Rng(1))).toThrow(
      'agent.config.selfPrediction: expected 0, where no network learns along',
    )
  })
})

it('learns through a convolutional trunk to point at what a frame shows', async () => {
  const [side, size] = [12, 64]
  const trunk = new Trunk(
    [side, side, 3],
    trunkConfigSchema.parse({ latentSize: 16, filters: 4, layers: 2 }),
    new Rng(1),
  )
  const config = sacConfigSchema.parse({ hidden: [32], learningRate: 3e-3, initialAlpha: 0.01, learnAlpha: false })
  const agent = new Sac({ observationSize: 0, actionSize: 1 }, config, new Rng(2), trunk.features)
  const rng = new Rng(3)
  /** A bright square of 3x3 in a row of the frame, and where it is from -1 to 1. */
  const draw = (count: number): { frames: Uint8Array; places: Float32Array } => {
    const frames = new Uint8Array(count * side * side * 3)
    const places = Float32Array.from({ length: count }, (_, row) => {
      const [left, top] = [rng.int(side - 2), rng.int(side - 2)]
      for (let pixel = 0; pixel < 9; pixel++) {
        const at = row * side * side + (top + Math.floor(pixel / 3)) * side + left + (pixel % 3)
        frames.fill(255, 3 * at, 3 * at + 3)
      }
      return (2 * left) / (side - 3) - 1
    })
    return { frames, places }
  }
  const nothing = {
    observation: new Float32Array(0),
    nextObservation: new Float32Array(0),
    discount: new Float32Array(size),
  }
  const error = async (): Promise<number> => {
    const { frames, places } = draw(200)
    const actions = await agent.act(new Float32Array(0), 200, 'mean', frames)
    return actions.reduce((sum, a, row) => sum + Math.abs(a - places[row]!), 0) / 200
  }
  const before = await error()
  for (let update = 0; update < 600; update++) {
    const { frames, places } = draw(size)
    const action = rng.fillUniform(new Float32Array(size), -1, 1)
    const reward = action.map((a, row) => -((a - places[row]!) ** 2))
    await agent.update({ size, ...nothing, action, reward, frames, nextFrames: frames })
  }
  expect(before).toBeGreaterThan(0.4)
  expect(await error()).toBeLessThan(0.15)
  agent.dispose()
  trunk.dispose()
})

describe('normalised observations', () => {
  it('the moments are those of all batches together, and units and offsets no longer matter', async () => {
    const make = (): Sac =>
      new Sac(
        { observationSize: 2, actionSize: 1 },
        sacConfigSchema.parse({ hidden: [8], normalizeObservations: true }),
        new Rng(3),
      )
    const [agent, scaled] = [make(), make()]
    const rows: Float32Array[] = []
    for (const seed of [1, 2, 3]) {
      const batch = batchOf(16, 2, seed)
      const other = (data: Float32Array): Float32Array => data.map((x, i) => (i % 2 === 0 ? 50 + 20 * x : x))
      await agent.update(batch)
      await scaled.update({
        ...batch,
        observation: other(batch.observation),
        nextObservation: other(batch.nextObservation),
      })
      rows.push(batch.observation)
    }
    const first = rows.flatMap((data) => [...data].filter((_, i) => i % 2 === 0))
    const mean = first.reduce((sum, x) => sum + x, 0) / first.length
    const variance = first.reduce((sum, x) => sum + (x - mean) ** 2, 0) / first.length
    const { 'moments/mean': means, 'moments/variance': variances } = agent.save()
    expect(means!.data[0]).toBeCloseTo(mean, 5)
    expect(variances!.data[0]).toBeCloseTo(variance, 5)
    const probe = Float32Array.of(0.3, -0.2)
    const seen = await agent.act(probe, 1, 'mean')
    expect((await scaled.act(Float32Array.of(56, -0.2), 1, 'mean'))[0]).toBeCloseTo(seen[0]!, 4)
    agent.dispose()
    scaled.dispose()
  })
})
