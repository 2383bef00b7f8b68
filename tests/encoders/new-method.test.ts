import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EncoderEntry } from '../../encoders/index.ts'
import { frameArray } from '../../encoders/shared/frames.ts'
import type { LossTerms, Tensors } from '../../encoders/shared/tensor-encoder.ts'
import { TrainedEncoder } from '../../encoders/shared/tensor-encoder.ts'
import type { AugmentedPairBatch, FrameTupleBatch } from '../../src/core/batches.ts'
import { goalInput, SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { encodeGoal } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { dense } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { encoderCases } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const pixels = (frames: tf.Tensor): tf.Tensor =>
  tf.reshape(tf.mul(tf.cast(frames, 'float32'), 1 / 255), [frames.shape[0]!, -1])

/** A method with a momentum copy: the two augmentations of a frame agree, one of them seen by the slow copy (without negatives). */
class MomentumPairs extends TrainedEncoder<'augmented-pairs'> {
  readonly #network: Layer
  readonly slow: Parameters

  constructor(frameShape: EncoderSpec['frameShape'], rng: Rng) {
    const [height, width, channels] = frameShape
    const network = dense('encoder', { inputSize: height * width * channels, outputSize: 4 })
    const options = { augment: [{ kind: 'shift', maxPixels: 2 }] }
    const spec = { name: 'pairs', frameShape, latentSize: 4, window: SINGLE_FRAME, takesContext: false }
    super({ ...spec, batch: { kind: 'augmented-pairs', options } }, { features: network, learningRate: 1e-3 }, rng)
    this.#network = network
    this.slow = this.own(this.saved('slow', new Parameters(network.parameters, rng.split('weights'))))
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, pixels(frames))
  }

  protected loss(weights: Weights, { first, second }: Tensors): LossTerms {
    const [online, slow] = [
      this.latents(weights, { frames: first! }),
      this.latents(this.slow.split(), { frames: second! }),
    ]
    const distance = tf.mean(tf.square(tf.sub(online, slow)))
    const size = tf.mean(tf.square(tf.sub(tf.mean(tf.square(online), 0), 1)))
    return { loss: tf.add(distance, size), distance }
  }

  protected inputs({ first, second, count }: AugmentedPairBatch): Record<string, NdArray> {
    return { first: frameArray(this.spec, first, count), second: frameArray(this.spec, second, count) }
  }

  protected override afterStep(): void {
    this.slow.follow(this.features.parameters, 0.1)
  }
}

/** A method that looks at two frames, with a tower of its own for goals. */
class TwoTowers extends TrainedEncoder<'frame-tuples'> {
  readonly #network: Layer
  readonly #goalTower: Layer

  constructor(frameShape: EncoderSpec['frameShape'], rng: Rng) {
    const inputSize = 2 * frameShape[0] * frameShape[1] * frameShape[2]
    const [network, goalTower] = ['seen', 'goal'].map((name) => dense(name, { inputSize, outputSize: 3 }))
    const batch = { kind: 'frame-tuples', options: { length: 2, stride: 1 } } as const
    const spec = { name: 'towers', frameShape, latentSize: 3, window: { frames: 2, stride: 1 }, takesContext: false }
    super({ ...spec, batch }, { features: network!, heads: [goalTower!], learningRate: 1e-3 }, rng)
    this.#network = network!
    this.#goalTower = goalTower!
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, pixels(frames))
  }

  override goalFunction({ frames }: FrameTensors): tf.Tensor {
    return this.#goalTower.apply(this.weights.split(), pixels(frames))
  }

  protected loss(weights: Weights, { frames }: Tensors): LossTerms {
    const goal = this.#goalTower.apply(weights, pixels(frames!))
    const error = tf.sub(this.latents(weights, { frames: frames! }), goal)
    return { loss: tf.mean(tf.square(error)) }
  }

  protected inputs({ frames, count }: FrameTupleBatch): Record<string, NdArray> {
    const { data } = frameArray(this.spec, frames, count)
    return { frames: { data, shape: [count, 2, ...this.spec.frameShape] } }
  }
}

const entry = (create: (frameShape: EncoderSpec['frameShape'], rng: Rng) => unknown): EncoderEntry => ({
  summary: 'for tests',
  configSchema: z.strictObject({}),
  create: (frameShape, _config, rng) => create(frameShape, rng) as ReturnType<EncoderEntry['create']>,
})
const traits = { learns: true, decodes: false, imagines: false, isSeeded: true, isFitted: true }
const frameShape = [16, 20, 3] as const

encoderCases(
  'pairs',
  entry((shape, rng) => new MomentumPairs(shape, rng)),
  traits,
  { frameShape },
)
encoderCases(
  'towers',
  entry((shape, rng) => new TwoTowers(shape, rng)),
  traits,
  { frameShape },
)

describe('a method is its networks, its latents, its inputs and its loss', () => {
  test('a momentum copy follows within the step', async () => {
    const encoder = new MomentumPairs([4, 4, 1], new Rng(1))
    const flat = (parameters: Parameters): Float32Array => parameters.variable.dataSync<'float32'>().slice()
    const before = flat(encoder.slow)
    expect(before).toEqual(flat(encoder.features.parameters))
    const data = new Rng(2).fillUniform(new Float32Array(64), 0, 255)
    const [first, second] = [Uint8Array.from(data.subarray(0, 32)), Uint8Array.from(data.subarray(32))]
    expect(Object.keys(await encoder.update({ first, second, count: 2 }))).toEqual(['loss', 'distance'])
    const [fast, slow] = [flat(encoder.features.parameters), flat(encoder.slow)]
    expect(fast).not.toEqual(before)
    slow.forEach((w, i) => expect(w).toBeCloseTo(before[i]! + 0.1 * (fast[i]! - before[i]!), 6))
    encoder.dispose()
  })

  test('a tower for goals is used for goals alone', async () => {
    const encoder = new TwoTowers([4, 4, 1], new Rng(1))
    const goal = goalInput(
      encoder.spec,
      Uint8Array.from({ length: 16 }, (_, i) => 10 * i),
      undefined,
    )
    const [asSeen, asGoal] = [await encoder.encode(goal), await encodeGoal(encoder, goal)]
    expect(asGoal).toHaveLength(3)
    expect(asGoal).not.toEqual(asSeen)
    const inGraph = tf.tidy(() =>
      encoder.goalFunction({ frames: tf.tensor([...goal.frames], [1, 2, 4, 4, 1]) }).dataSync(),
    )
    inGraph.forEach((x, i) => expect(x).toBeCloseTo(asGoal[i]!, 5))
    const plain = new MomentumPairs([4, 4, 1], new Rng(1))
    expect('encodeGoal' in plain).toBe(false)
    encoder.dispose()
    plain.dispose()
  })
})
