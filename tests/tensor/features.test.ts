import { beforeAll, describe, expect, test } from 'vitest'
import { Autoencoder } from '../../encoders/autoencoder/autoencoder.ts'
import { autoencoderConfigSchema } from '../../encoders/autoencoder/config.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { FeatureNetwork } from '../../src/tensor/features.ts'
import { mlp } from '../../src/tensor/layers.ts'
import { ParameterGroup, Parameters, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { squareFrames } from '../contracts/encoder-cases.ts'
import { ENGINES } from './numerics.ts'

const SHAPE = [12, 12, 1] as const
const TAU = 0.25
const frames = squareFrames(6, new Rng(2), 4, SHAPE)
const values = ndarray(new Rng(3).fillNormal(new Float32Array(6)), [6, 1])

/** As an agent learns on frames: a critic on features, an actor that sees them without gradient, a target that follows. */
class FrameAgent {
  readonly #features: FeatureNetwork
  readonly #critic = mlp('q', { inputSize: 3, hiddenSizes: [8], outputSize: 1 })
  readonly #actor = mlp('policy', { inputSize: 3, hiddenSizes: [], outputSize: 1 })
  readonly #critics: Parameters
  readonly #actors: Parameters
  readonly targetFeatures: Parameters
  readonly update: (input: typeof frames) => Promise<{ critic: number; actor: number }>

  constructor(features: FeatureNetwork, criticTrainsFeatures: boolean) {
    this.#features = features
    this.#critics = new Parameters(this.#critic.parameters, new Rng(5))
    this.#actors = new Parameters(this.#actor.parameters, new Rng(6))
    this.targetFeatures = new Parameters(features.parameters.specs, new Rng(7))
    this.targetFeatures.copyFrom(features.parameters)
    // The one line that decides whether the critic's gradient reaches the features.
    const learned = criticTrainsFeatures ? new ParameterGroup([this.#critics, features.parameters]) : this.#critics
    const [criticAdam, actorAdam] = [learned, this.#actors].map((owner) => new Adam(owner, { learningRate: 1e-2 }))
    const program = compile<'frames' | 'values' | 'criticStep' | 'actorStep', 'critic' | 'actor'>('agent', (inputs) => {
      const trunk = features.parameters.split()
      const critic = valueAndFlatGradient(learned, (weights) => {
        const q = this.#critic.apply(weights, this.#features.apply({ ...trunk, ...weights }, inputs.frames))
        return { loss: tf.mean(tf.square(tf.sub(q, inputs.values))) }
      })
      criticAdam!.apply(critic.flatGradient, inputs.criticStep)
      const seen = features.apply(features.parameters.split(), inputs.frames) // outside of the loss: no gradient
      const actor = valueAndFlatGradient(this.#actors, (weights) => ({
        loss: tf.mean(tf.square(tf.sub(this.#actor.apply(weights, seen), 1))),
      }))
      actorAdam!.apply(actor.flatGradient, inputs.actorStep)
      this.targetFeatures.follow(features.parameters, TAU)
      return { critic: critic.values.loss, actor: actor.values.loss }
    })
    this.update = async ({ frames: data, count }) => {
      const steps = { criticStep: criticAdam!.stepScalars(), actorStep: actorAdam!.stepScalars() }
      const { critic, actor } = await program.run({ frames: ndarray(data, [count, ...SHAPE]), values, ...steps })
      criticAdam!.advance()
      actorAdam!.advance()
      return { critic: critic.data[0]!, actor: actor.data[0]! }
    }
  }
}

const makeEncoder = (): Autoencoder =>
  new Autoencoder(SHAPE, autoencoderConfigSchema.parse({ latentSize: 3, learningRate: 1e-2 }), new Rng(1))
const flat = (parameters: Parameters): Float32Array => parameters.variable.dataSync<'float32'>().slice()

describe.each(ENGINES)('a feature network that an encoder and an agent share, on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  test('is moved by both, and what one moved the other sees', async () => {
    const encoder = makeEncoder()
    const agent = new FrameAgent(encoder.features, true)
    const decoder = Object.entries(encoder.save()).filter(([name]) => name.startsWith('weights/decoder'))
    const [start, latents] = [flat(encoder.features.parameters), await encoder.encode(frames)]
    const { critic } = await agent.update(frames)
    expect(flat(encoder.features.parameters)).not.toEqual(start)
    expect(await encoder.encode(frames)).not.toEqual(latents)
    const saved = encoder.save()
    for (const [name, before] of decoder) expect(saved[name]).toEqual(before)
    const untouched = await new FrameAgent(makeEncoder().features, true).update(frames)
    expect(untouched.critic).toBeCloseTo(critic, 6)
    const [other, between] = [makeEncoder(), await encoder.update(frames)]
    expect(between.loss).toBeGreaterThan(0)
    await other.update(frames)
    expect((await new FrameAgent(other.features, true).update(frames)).critic).not.toBeCloseTo(critic, 6)
  })

  test('stays as it is where the critic does not train it; the actor never does', async () => {
    const encoder = makeEncoder()
    const agent = new FrameAgent(encoder.features, false)
    const start = flat(encoder.features.parameters)
    const first = await agent.update(frames)
    for (let i = 0; i < 5; i++) await agent.update(frames)
    expect(flat(encoder.features.parameters)).toEqual(start)
    const last = await agent.update(frames)
    expect(last.actor).toBeLessThan(first.actor)
    expect(last.critic).toBeLessThan(first.critic)
  })

  test('is followed by a target at a share tau', async () => {
    const encoder = makeEncoder()
    const agent = new FrameAgent(encoder.features, true)
    const before = flat(agent.targetFeatures)
    await agent.update(frames)
    const [now, target] = [flat(encoder.features.parameters), flat(agent.targetFeatures)]
    target.forEach((w, i) => expect(w).toBeCloseTo(before[i]! + TAU * (now[i]! - before[i]!), 6))
  })
})

test('learning in turn, both engines agree', async () => {
  const run = async (engine: (typeof ENGINES)[number]): Promise<number[]> => {
    await startEngine({ name: engine })
    const encoder = makeEncoder()
    const agent = new FrameAgent(encoder.features, true)
    const losses: number[] = []
    for (let i = 0; i < 3; i++) {
      losses.push((await encoder.update(frames)).loss!, ...Object.values(await agent.update(frames)))
    }
    return losses
  }
  const [reference, compiled] = [await run('js'), await run('onnx')]
  compiled.forEach((loss, i) => expect(Math.abs(loss / reference[i]! - 1)).toBeLessThan(1e-4))
})
