import type { EpisodeBatch } from '../../src/core/batches.ts'
import type { InputShape } from '../../src/core/encoder-input.ts'
import { inputShape } from '../../src/core/encoder-input.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { euclideanNorm, gaussianLogProb, tanhRange } from '../../src/tensor/gaussian.ts'
import { stopGradient } from '../../src/tensor/gradients.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import type { TwoHotBins } from '../../src/tensor/losses.ts'
import { energyDistance, softmaxCrossEntropy, twoHot } from '../../src/tensor/losses.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { frameArray } from '../shared/frames.ts'
import { inputTrunk } from '../shared/input-trunk.ts'
import { latentStd, spreadOf } from '../../src/tensor/spread.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { DeepMdpConfig } from './config.ts'

/** Bins of a two-hot reward: +-20 on the symlog scale is +-5e8. */
const BINS: TwoHotBins = { low: -20, high: 20, count: 65 }
const [MIN_LOG_STD, MAX_LOG_STD] = [-5, 2]
/** Length of the step in latent space over which the change of a model is measured. */
const PROBE = 0.1

interface LossInputs {
  /** [B, D] */
  readonly latent: tf.Tensor
  /** [B, A] */
  readonly action: tf.Tensor
  /** [S, B, D], standard normal */
  readonly noise: tf.Tensor
}

/**
 * DeepMDP (Gelada et al. 2019, "DeepMDP: Learning Continuous Latent Space Models for Representation Learning").
 *
 * Minimises  L = w_R L_R + w_P L_P  over runs of `unroll` steps from z_0 = phi(o_0):
 *   L_R = |r - R(z, a)|  (eq. 1),   L_P = W(phi(o'), P(.|z, a))  (eq. 2),
 * where W1 to a deterministic prediction is |phi(o') - P(z, a)|_2. A Gaussian model is fitted by likelihood, samples by the energy distance,
 * a norm-MMD (section 2.3). Beyond the paper, L_P is in spreads of the latents (`relative`), and what latents move in a step has a price
 * (`smoothness`). A constant phi has L_P = 0: only L_R, or a target without gradient, speaks against it.
 */
export class DeepMdp extends TrainedEncoder<'episodes'> {
  readonly #network: Layer
  readonly #transition: Layer
  readonly #reward: Layer
  readonly #slow: Parameters
  readonly #config: DeepMdpConfig
  readonly #actionSize: number
  readonly #predictions: Program<'latents' | 'actions' | 'noise', 'drawn'>

  constructor(shape: InputShape, actionSize: number, config: DeepMdpConfig, rng: Rng) {
    const { latentSize: size, learningRate, hidden, transition, reward, unroll } = config
    const { input, network } = inputTrunk(shape, config)
    const model = { hiddenSizes: [hidden], norm: 'layer' } as const
    const noiseSize = transition === 'energy' ? size : 0
    const outputSize = transition === 'gaussian' ? 2 * size : size
    const next = mlp('transition', { ...model, inputSize: size + actionSize + noiseSize, outputSize })
    const paid = mlp('reward', {
      ...model,
      inputSize: size + actionSize,
      outputSize: reward === 'two-hot' ? BINS.count : 1,
    })
    const options = { length: unroll + 1, ...(input.isVector && { vectors: true }) }
    const batch = { kind: 'episodes', options } as const
    const spec = { name: 'deepmdp', ...input, latentSize: size, batch }
    super(spec, { features: network, heads: [next, paid], learningRate }, rng)
    this.#network = network
    this.#transition = next
    this.#reward = paid
    this.#config = config
    this.#actionSize = actionSize
    this.#predictions = this.program('predict', ({ latents, actions, noise }) => ({
      drawn: this.#draw(this.weights.split(), { latent: latents, action: actions, noise }),
    }))
    this.#slow = this.own(this.saved('slow', new Parameters(network.parameters, rng.split('weights'))))
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, frames) // [B, D]
  }

  /** The losses above, each the mean over steps and batch. */
  protected loss(weights: Weights, given: Tensors): LossTerms {
    const { frames, actions, rewards, noise } = given
    const { rewardWeight, transitionWeight, lipschitz, unroll, relative, smoothness, target } = this.#config
    const [first, ...later] = tf.unstack(frames!, 1) // unroll + 1 of [B, H, W, C]
    const ahead = this.#targets(weights, tf.concat(later, 0)) // [unroll B, D]
    const spread = relative ? spreadOf(ahead) : tf.scalar(1)
    const targets = tf.split(ahead, unroll) // unroll of [B, D]
    const steps = { actions: tf.unstack(actions!, 1), rewards: tf.unstack(rewards!, 1) }
    const start = this.latents(weights, { frames: first! }) // [B, D]
    let latent = start
    let transition: tf.Tensor = tf.scalar(0)
    let reward: tf.Tensor = tf.scalar(0)
    let change: tf.Tensor = tf.scalar(0)
    for (const [k, next] of targets.entries()) {
      const inputs = { latent, action: steps.actions[k]!, noise: noise! }
      const predicted = this.#predict(weights, inputs, { target: next, spread })
      transition = tf.add(transition, predicted.loss)
      reward = tf.add(reward, this.#rewardLoss(weights, inputs, steps.rewards[k]!))
      if (lipschitz > 0) change = tf.add(change, this.#rateOfChange(weights, inputs, given['probe']!))
      latent = predicted.next
    }
    const total = tf.add(tf.mul(reward, rewardWeight), tf.mul(transition, transitionWeight))
    const perStep = tf.div(tf.add(total, tf.mul(change, lipschitz)), unroll)
    const second = (): tf.Tensor => (target === 'online' ? targets[0]! : this.latents(weights, { frames: later[0]! }))
    return {
      loss: smoothness > 0 ? tf.add(perStep, tf.mul(motion(start, second()), smoothness)) : perStep,
      reward: tf.div(reward, unroll),
      transition: tf.div(transition, unroll),
      latent_std: latentStd(start),
    }
  }

  /** phi(o'), [N, D], as `config.target` says. */
  #targets(weights: Weights, frames: tf.Tensor): tf.Tensor {
    if (this.#config.target === 'momentum') return this.latents(this.#slow.split(), { frames })
    const latents = this.latents(weights, { frames })
    return this.#config.target === 'online' ? latents : stopGradient(latents)
  }

  /** L_P of one step, [], and the latent to go on from, [B, D]. */
  #predict(
    weights: Weights,
    inputs: LossInputs,
    { target, spread }: { readonly target: tf.Tensor; readonly spread: tf.Tensor },
  ): { readonly loss: tf.Tensor; readonly next: tf.Tensor } {
    const { transition } = this.#config
    if (transition === 'energy') {
      const drawn = this.#draw(weights, inputs) // [S, B, D]
      return { loss: tf.div(energyDistance(target, drawn), spread), next: tf.mean(drawn, 0) }
    }
    const output = this.#next(weights, inputs.latent, inputs.action)
    if (transition === 'deterministic') {
      return { loss: tf.div(tf.mean(euclideanNorm(tf.sub(target, output))), spread), next: output }
    }
    const { mean, logStd } = gaussianOf(output)
    const perDimension = tf.div(tf.mean(gaussianLogProb(target, mean, logStd)), target.shape[1]!)
    return { loss: tf.neg(tf.add(tf.log(spread), perDimension)), next: mean }
  }

  /** Samples of P(.|z, a), one for each row of the noise: [S, B, D]. */
  #draw(weights: Weights, { latent, action, noise }: LossInputs): tf.Tensor {
    const [samples, batch, size] = noise.shape as [number, number, number]
    const repeated = (rows: tf.Tensor): tf.Tensor => tf.tile(tf.expandDims(rows, 0), [samples, 1, 1])
    if (this.#config.transition === 'energy') {
      const given = repeated(tf.concat([latent, action], 1)) // [S, B, D + A]
      const flat = tf.reshape(tf.concat([given, noise], 2), [samples * batch, -1]) // [S B, D + A + D]
      return tf.reshape(this.#transition.apply(weights, flat), [samples, batch, size])
    }
    const output = this.#next(weights, latent, action)
    if (this.#config.transition === 'deterministic') return repeated(output)
    const { mean, logStd } = gaussianOf(output)
    return tf.add(repeated(mean), tf.mul(noise, repeated(tf.exp(logStd))))
  }

  #next(weights: Weights, latent: tf.Tensor, action: tf.Tensor): tf.Tensor {
    return this.#transition.apply(weights, tf.concat([latent, action], 1))
  }

  /** L_R of one step, []. */
  #rewardLoss(weights: Weights, { latent, action }: LossInputs, reward: tf.Tensor): tf.Tensor {
    const output = this.#reward.apply(weights, tf.concat([latent, action], 1)) // [B, 1] or [B, K]
    if (this.#config.reward === 'two-hot') return softmaxCrossEntropy(output, twoHot(reward, BINS))
    return tf.mean(tf.abs(tf.sub(tf.squeeze(output, [1]), reward)))
  }

  /**
   * Mean squared rate at which reward and prediction change with the latent, by a finite difference along the random unit vectors `probe`
   * [B, D]: the paper's gradient penalty without second derivatives.
   */
  #rateOfChange(weights: Weights, { latent, action }: LossInputs, probe: tf.Tensor): tf.Tensor {
    const moved = tf.add(latent, tf.mul(probe, PROBE))
    const rate = (model: (at: tf.Tensor) => tf.Tensor): tf.Tensor =>
      tf.mean(tf.sum(tf.square(tf.div(tf.sub(model(moved), model(latent)), PROBE)), 1))
    const reward = rate((at) => this.#reward.apply(weights, tf.concat([at, action], 1)))
    if (this.#config.transition === 'energy') return reward
    return tf.add(
      reward,
      rate((at) => this.#next(weights, at, action)),
    )
  }

  protected inputs(batch: EpisodeBatch, _purpose: string, rng: Rng): Record<string, NdArray> {
    const { count, length, frames, actions, rewards } = batch
    const { latentSize: size, transition, samples, lipschitz } = this.#config
    const { data } = frameArray(this.spec, frames, count * length)
    const drawn = (shape: readonly number[]): Float32Array =>
      rng.fillNormal(new Float32Array(shape.reduce((product, n) => product * n, 1)))
    const noise = transition === 'energy' ? [samples, count, size] : [1, 1, 1]
    return {
      frames: ndarray(data, [count, length, ...inputShape(this.spec)]),
      actions: ndarray(actions, [count, length - 1, this.#actionSize]),
      rewards: ndarray(rewards, [count, length - 1]),
      noise: ndarray(drawn(noise), noise),
      ...(lipschitz > 0 && { probe: ndarray(unitRows(drawn([count, size]), size), [count, size]) }),
    }
  }

  /**
   * Latents that may come next by the model, [samples, count, latentSize], all the same where it is deterministic.
   * @param latents [count, latentSize]
   * @param actions [count, actionSize]
   */
  async predict(latents: Float32Array, actions: Float32Array, samples: number, rng: Rng): Promise<Float32Array> {
    const { latentSize: size } = this.#config
    const count = latents.length / size
    const { drawn } = await this.#predictions.run({
      latents: ndarray(latents, [count, size]),
      actions: ndarray(actions, [count, this.#actionSize]),
      noise: ndarray(rng.fillNormal(new Float32Array(samples * count * size)), [samples, count, size]),
    })
    return drawn.data as Float32Array
  }

  protected override afterStep(): void {
    if (this.#config.target === 'momentum') this.#slow.follow(this.features.parameters, this.#config.momentum)
  }
}

/**
 * How far latents [B, D] move in a step, root mean square in their spreads, []. What moves slowly goes evenly along the way; the mean of the
 * lengths themselves would be least for latents that jump between a few places.
 */
function motion(before: tf.Tensor, after: tf.Tensor): tf.Tensor {
  const squares = tf.mean(tf.sum(tf.square(tf.sub(after, before)), 1))
  return tf.div(tf.sqrt(tf.add(squares, 1e-12)), spreadOf(before))
}

/** Mean and logarithm of the standard deviation, [B, D] each, of what a Gaussian model puts out, [B, 2 D]. */
function gaussianOf(output: tf.Tensor): { readonly mean: tf.Tensor; readonly logStd: tf.Tensor } {
  const [mean, raw] = tf.split(output, 2, 1) as [tf.Tensor, tf.Tensor]
  return { mean, logStd: tanhRange(raw, MIN_LOG_STD, MAX_LOG_STD) }
}

/** Rows [_, size] scaled to length 1, in place. */
function unitRows(rows: Float32Array, size: number): Float32Array {
  for (let from = 0; from < rows.length; from += size) {
    let squared = 0
    for (let i = from; i < from + size; i++) squared += rows[i]! ** 2
    for (let i = from; i < from + size; i++) rows[i]! /= Math.sqrt(squared)
  }
  return rows
}
