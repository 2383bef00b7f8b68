import type { PixelTransitionBatch } from '../../src/core/batches.ts'
import type { InputShape } from '../../src/core/encoder-input.ts'
import type { Encoder, SeenSteps } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { DiagonalGaussian } from '../../src/tensor/gaussian.ts'
import { euclideanNorm, wasserstein2 } from '../../src/tensor/gaussian.ts'
import { stopGradient } from '../../src/tensor/gradients.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import { meanSquaredError } from '../../src/tensor/losses.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { frameArray } from '../shared/frames.ts'
import { inputTrunk } from '../shared/input-trunk.ts'
import { latentStd, spreadOf } from '../../src/tensor/spread.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { DbcConfig } from './config.ts'

/** Where the standard deviation of the model starts. */
const INITIAL_STD = 0.3

/** The two members of each pair, [B, ...] each, in rows of one order. */
type Pair = readonly [tf.Tensor, tf.Tensor]

/**
 * Deep bisimulation for control (Zhang et al. 2021, "Learning Invariant Representations for Reinforcement Learning without Reconstruction").
 *
 * Minimises  J = (|z_i - z_j| - c_R |r_i - r_j| - gamma W2(P(.|z_i, a_i), P(.|z_j, a_j)))^2  (eq. 4) over pairs of a random permutation,
 * beside the likelihood of the next latent and the squared error of the reward. Gradients of J flow into both z and nowhere else; those of
 * the models flow into z, and not into the next latent. Actions are those of the data, as in the released code (the paper: the policy's mean).
 *
 * The norm is L2, as W2's is (the paper: L1), and r are the sampled rewards (the paper: the model's), unless `norm` and `rewardDistance` say
 * otherwise. `form: released` is the released code's J: smooth L1 coordinate by coordinate, the sampled reward's distance beside each of them.
 */
export class Dbc extends TrainedEncoder<'transitions'> {
  readonly #network: Layer
  readonly #transition: Layer
  readonly #reward: Layer
  readonly #inverse: Layer
  readonly #config: DbcConfig
  readonly #actionSize: number
  readonly #surprise: Program<'frames' | 'nextFrames' | 'actions', 'surprise'>
  /** There where `intrinsicWeight` is. */
  declare readonly bonus?: NonNullable<Encoder['bonus']>

  constructor(shape: InputShape, actionSize: number, config: DbcConfig, rng: Rng) {
    const { latentSize: size, learningRate, hidden, ensemble, inverseWeight, intrinsicWeight } = config
    const { input, network } = inputTrunk(shape, config)
    const model = { hiddenSizes: [hidden], norm: 'layer' } as const
    const transition = mlp('transition', { ...model, inputSize: size + actionSize, outputSize: 2 * size, ensemble })
    const reward = mlp('reward', { ...model, inputSize: size, outputSize: 1 })
    const inverse = mlp('inverse', { hiddenSizes: [hidden], inputSize: 2 * size, outputSize: actionSize })
    const batch = { kind: 'transitions', options: input.isVector ? { vectors: true } : {} } as const
    const spec = { name: 'dbc', ...input, latentSize: size, batch }
    const heads = [transition, reward, ...(inverseWeight > 0 ? [inverse] : [])]
    super(spec, { features: network, heads, learningRate }, rng)
    this.#network = network
    this.#transition = transition
    this.#reward = reward
    this.#inverse = inverse
    this.#config = config
    this.#actionSize = actionSize
    this.#surprise = this.program('surprise', (inputs) => {
      const weights = this.weights.split()
      const latent = this.latents(weights, { frames: inputs.frames })
      const next = this.latents(weights, { frames: inputs.nextFrames })
      const { mean } = this.#model(weights, latent, inputs.actions) // [E, B, D]
      return { surprise: tf.mul(tf.mean(tf.square(tf.sub(mean, next)), [0, 2]), 0.5) } // [B]
    })
    if (intrinsicWeight > 0) this.bonus = (steps) => this.#intrinsicReward(steps)
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#bounded(this.#network.apply(weights, frames)) // [B, D]
  }

  /** Projection onto the ball of radius `normBound`. */
  #bounded(z: tf.Tensor): tf.Tensor {
    const { normBound } = this.#config
    if (normBound === 0) return z
    const norm = tf.expandDims(euclideanNorm(z), -1) // [..., 1]
    return tf.mul(z, tf.div(normBound, tf.maximum(norm, normBound)))
  }

  /** P(.|z, a) of every member, [E, B, D]. */
  #model(weights: Weights, latent: tf.Tensor, action: tf.Tensor): DiagonalGaussian {
    const { minStd, maxStd } = this.#config
    const output = this.#transition.apply(weights, tf.concat([latent, action], 1)) // [E, B, 2 D]
    const [mean, raw] = tf.split(output, 2, 2) as [tf.Tensor, tf.Tensor]
    const share = Math.min(0.99, Math.max(0.01, (INITIAL_STD - minStd) / (maxStd - minStd)))
    const start = Math.log(share / (1 - share))
    const std = tf.add(tf.mul(tf.sigmoid(tf.add(raw, start)), maxStd - minStd), minStd)
    return { mean: this.#bounded(mean), std }
  }

  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const { frames, nextFrames, actions, rewards, partners, isPair, member, noise } = inputs
    const { bisimulationWeight, inverseWeight } = this.#config
    const z = this.latents(weights, { frames: frames! }) // [B, D]
    const next = this.latents(weights, { frames: nextFrames! }) // [B, D]
    const { mean, std } = this.#model(weights, z, actions!) // [E, B, D]
    const nll = transitionLoss({ mean, std }, stopGradient(next))
    const one = (each: tf.Tensor): tf.Tensor => tf.sum(tf.mul(each, member!), 0) // [B, D] of the member that was drawn
    const sample = tf.add(one(mean), tf.mul(one(std), noise!)) // [B, D]
    const told = tf.squeeze(this.#reward.apply(weights, sample), [1]) // [B]
    const rewardError = meanSquaredError(told, rewards!)
    const seen = this.#config.form === 'paper' && this.#config.rewardDistance === 'model' ? told : rewards!
    const metric = this.#metricLoss(
      pairOf(z, partners!),
      pairOf(stopGradient(seen), partners!),
      { mean: stopGradient(one(mean)), std: stopGradient(one(std)) },
      { partners: partners!, isPair: isPair! },
    )
    const models = tf.add(nll, rewardError)
    let loss = tf.add(tf.mul(metric, bisimulationWeight), models)
    let inverse: tf.Tensor = tf.scalar(0)
    if (inverseWeight > 0) {
      inverse = tf.mean(tf.abs(tf.sub(this.#inverse.apply(weights, stepInSpreads(z, next)), actions!)))
      loss = tf.add(loss, tf.mul(inverse, inverseWeight))
    }
    return { loss, metric, transition: nll, reward: rewardError, inverse, latent_std: latentStd(z) }
  }

  /** J above, mean over pairs, []. */
  #metricLoss(
    [zi, zj]: Pair,
    [ri, rj]: Pair,
    predicted: DiagonalGaussian,
    { partners, isPair }: { readonly partners: tf.Tensor; readonly isPair: tf.Tensor },
  ): tf.Tensor {
    const { form, norm, gamma, rewardWeight } = this.#config
    const [, meanJ] = pairOf(predicted.mean, partners)
    const [, stdJ] = pairOf(predicted.std, partners)
    const pairs = tf.maximum(tf.sum(isPair), 1)
    if (form === 'paper') {
      const target = tf.add(
        tf.mul(tf.abs(tf.sub(ri, rj)), rewardWeight),
        tf.mul(wasserstein2(predicted, { mean: meanJ, std: stdJ }), gamma),
      ) // [B]
      const apart = tf.sub(zi, zj) // [B, D]
      const error = tf.sub(norm === 'l1' ? tf.sum(tf.abs(apart), 1) : euclideanNorm(apart), target)
      return tf.div(tf.sum(tf.mul(tf.square(error), isPair)), pairs)
    }
    const squares = tf.add(tf.square(tf.sub(predicted.mean, meanJ)), tf.square(tf.sub(predicted.std, stdJ)))
    const ahead = tf.sqrt(tf.add(squares, 1e-12)) // [B, D]
    const paid = tf.expandDims(tf.mul(smoothL1(tf.sub(ri, rj)), rewardWeight), 1) // [B, 1]
    const error = tf.sub(smoothL1(tf.sub(zi, zj)), tf.add(paid, tf.mul(ahead, gamma))) // [B, D]
    return tf.div(tf.sum(tf.mul(tf.mean(tf.square(error), 1), isPair)), pairs)
  }

  protected inputs(batch: PixelTransitionBatch, _purpose: string, rng: Rng): Record<string, NdArray> {
    const { count, rewards } = batch
    const { latentSize, ensemble } = this.#config
    const partners = Int32Array.from(rng.split('pairs').shuffle([...Array(count).keys()]))
    const member = new Float32Array(ensemble)
    member[rng.split('member').int(ensemble)] = 1
    return {
      ...this.#steps(batch),
      rewards: ndarray(rewards, [count]),
      partners: ndarray(partners, [count]),
      // A row that is its own partner says nothing.
      isPair: ndarray(
        Float32Array.from(partners, (j, i) => (i === j ? 0 : 1)),
        [count],
      ),
      member: ndarray(member, [ensemble, 1, 1]),
      noise: ndarray(rng.split('noise').fillNormal(new Float32Array(count * latentSize)), [count, latentSize]),
    }
  }

  #steps({ count, frames, nextFrames, actions }: SeenSteps): Record<'frames' | 'nextFrames' | 'actions', NdArray> {
    return {
      frames: frameArray(this.spec, frames, count),
      nextFrames: frameArray(this.spec, nextFrames, count),
      actions: ndarray(actions, [count, this.#actionSize]),
    }
  }

  /**
   * How little the model knew of each step, (mu(z, a) - z')^2 / 2, mean over dimensions and members, [count]: the intrinsic reward of
   * Kemertas & Aumentado-Armstrong 2021, before it is weighed.
   */
  async surprise(batch: SeenSteps): Promise<Float32Array> {
    return (await this.#surprise.run(this.#steps(batch))).surprise.data as Float32Array
  }

  async #intrinsicReward(steps: SeenSteps): Promise<Float32Array> {
    const { intrinsicWeight, intrinsicMax } = this.#config
    return (await this.surprise(steps)).map((error) => intrinsicWeight * Math.min(error, intrinsicMax))
  }
}

/**
 * Where a step begins and where it leads, [B, 2 D], in spreads of the latents: so that what is left of them can be read, and pulled apart
 * again, however small they have become.
 */
function stepInSpreads(z: tf.Tensor, next: tf.Tensor): tf.Tensor {
  const centre = stopGradient(tf.mean(z, 0, true))
  return tf.div(tf.concat([tf.sub(z, centre), tf.sub(next, z)], 1), stopGradient(spreadOf(z)))
}

/** Rows beside those of their partners. */
function pairOf(rows: tf.Tensor, partners: tf.Tensor): Pair {
  return [rows, tf.gather(rows, partners as tf.Tensor1D)]
}

/** Mean over members, rows and dimensions of ((mean - z') / std)^2 / 2 + log std, []. */
function transitionLoss({ mean, std }: DiagonalGaussian, next: tf.Tensor): tf.Tensor {
  return tf.mean(tf.add(tf.mul(tf.square(tf.div(tf.sub(mean, next), std)), 0.5), tf.log(std)))
}

/** d^2 / 2 up to 1, |d| - 1/2 beyond, element by element. */
function smoothL1(d: tf.Tensor): tf.Tensor {
  const size = tf.abs(d)
  const inner = tf.minimum(size, 1)
  return tf.mul(inner, tf.sub(size, tf.mul(inner, 0.5)))
}
