import type { ActMode, Agent, AgentSpec, TransitionBatch } from '../../src/core/agent.ts'
import { checkObservations, checkTransitions } from '../../src/core/agent.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { squashedSample, tanhRange } from '../../src/tensor/gaussian.ts'
import type { SquashedSample } from '../../src/tensor/gaussian.ts'
import { constant, orthogonal } from '../../src/tensor/init.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import { Parameters, restoreParts, saveParts, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { StatefulRng } from '../stateful-rng.ts'
import type { SacConfig } from './config.ts'

/*
 * Soft actor-critic with a learned entropy weight: Haarnoja et al., "Soft Actor-Critic Algorithms and Applications",
 * arXiv 1812.05905. Equation numbers are that paper's.
 *
 * s, a, r, s'  observation, action in [-1, 1], reward, next observation       alpha  weight of the entropy
 * Q_i          two critics, i = 1, 2; Q'_i their slowly following targets      pi     policy: tanh of a diagonal Gaussian
 * discount     gamma^n where the episode goes on or only ran out of time, 0 where it terminated
 * Shapes: B rows; Q is [2, B].
 */

/** y = r + discount (min_i Q'_i(s', a') - alpha log pi(a'|s')),  a' ~ pi(s')  (eqs. 2, 3; minimum of two: section 6), [B]. */
export function softTarget(
  reward: tf.Tensor,
  discount: tf.Tensor,
  nextQ: tf.Tensor,
  nextLogProb: tf.Tensor,
  alpha: tf.Tensor | 0,
): tf.Tensor {
  const value = tf.sub(tf.min(nextQ, 0), tf.mul(alpha, nextLogProb)) // [B]
  return tf.add(reward, tf.mul(discount, value))
}

/** J_Q = sum_i mean (Q_i(s, a) - y)^2 / 2  (eq. 5). No gradient into y: it is computed outside. */
export function criticLoss(q: tf.Tensor, target: tf.Tensor): tf.Tensor {
  const error = tf.sub(q, target) // [2, B]
  return tf.mul(tf.sum(tf.mean(tf.square(error), 1)), 0.5)
}

/** J_pi = mean (alpha log pi(a|s) - min_i Q_i(s, a)),  a = f(noise; s)  (eq. 9). Gradient into the actor alone, through a. */
export function actorLoss(q: tf.Tensor, logProb: tf.Tensor, alpha: tf.Tensor): tf.Tensor {
  return tf.mean(tf.sub(tf.mul(alpha, logProb), tf.min(q, 0)))
}

/**
 * J(alpha) = -log alpha mean (log pi(a|s) + target entropy)  (eq. 18 with log alpha in the place of alpha: the same zero, and
 * the step does not shrink with alpha). No gradient into log pi.
 */
export function alphaLoss(logAlpha: tf.Tensor, logProb: tf.Tensor, targetEntropy: number): tf.Tensor {
  return tf.neg(tf.mul(tf.sum(logAlpha), tf.add(tf.mean(logProb), targetEntropy)))
}

/** Range of log std; a tanh takes the network's output there, so that the gradient survives at both ends. */
const [MIN_LOG_STD, MAX_LOG_STD] = [-5, 2]
/** Small, so that the first policy is centred and as wide as its log std alone says. */
const ACTOR_OUTPUT_GAIN = 0.01

type CriticInput = 'observation' | 'action' | 'reward' | 'nextObservation' | 'discount' | 'nextNoise' | 'criticAdam'
type ActorInput = 'observation' | 'noise' | 'actorAdam' | 'alphaAdam'
type Inputs<I extends string> = Record<I, tf.Tensor>
type Scalars = Record<string, tf.Tensor>

/**
 * SAC on vectors of `observationSize` numbers. One `update` is one compiled program: critics, then actor and alpha (every
 * `policyDelay`-th time) with the updated critics, then the target critics.
 */
export class Sac implements Agent {
  readonly spec: AgentSpec
  readonly #config: SacConfig
  readonly #targetEntropy: number
  readonly #rng: StatefulRng

  readonly #policyNet: Layer
  readonly #criticNet: Layer
  readonly #actor: Parameters
  readonly #critics: Parameters
  readonly #targetCritics: Parameters
  readonly #logAlpha: Parameters
  readonly #actorAdam: Adam
  readonly #criticAdam: Adam
  readonly #alphaAdam: Adam

  readonly #updateAll: Program<CriticInput | ActorInput, string>
  readonly #updateCriticsOnly: Program<CriticInput, string>
  readonly #sampleAction: Program<'observation' | 'noise', 'action'>
  readonly #meanAction: Program<'observation', 'action'>
  #updating = false

  constructor(spec: Omit<AgentSpec, 'name'>, config: SacConfig, rng: Rng) {
    const { observationSize, actionSize } = spec
    const { hidden: hiddenSizes, learningRate } = config
    this.spec = { name: 'sac', observationSize, actionSize }
    this.#config = config
    this.#targetEntropy = config.targetEntropy ?? -actionSize
    this.#rng = new StatefulRng(rng.split('noise'))

    const outputInit = orthogonal(ACTOR_OUTPUT_GAIN)
    this.#policyNet = mlp('policy', { inputSize: observationSize, hiddenSizes, outputSize: 2 * actionSize, outputInit })
    this.#criticNet = mlp('q', {
      inputSize: observationSize + actionSize,
      hiddenSizes,
      outputSize: 1,
      layerNorm: config.criticLayerNorm,
      ensemble: 2,
    })
    this.#actor = new Parameters(this.#policyNet.parameters, rng.split('actor'))
    this.#critics = new Parameters(this.#criticNet.parameters, rng.split('critics'))
    this.#targetCritics = new Parameters(this.#criticNet.parameters, rng)
    this.#targetCritics.copyFrom(this.#critics)
    const logAlphaInit = constant(Math.log(config.initialAlpha))
    this.#logAlpha = new Parameters([{ name: 'logAlpha', shape: [1], init: logAlphaInit }], rng)

    const clip = config.clipNorm === null ? {} : { clipNorm: config.clipNorm }
    this.#actorAdam = new Adam(this.#actor, { learningRate, ...clip })
    this.#criticAdam = new Adam(this.#critics, { learningRate, ...clip })
    this.#alphaAdam = new Adam(this.#logAlpha, { learningRate })

    this.#updateAll = compile('sac update', (inputs) => {
      const criticScalars = this.#criticStep(inputs)
      const actorScalars = this.#actorStep(inputs)
      this.#targetStep()
      return { ...criticScalars, ...actorScalars }
    })
    this.#updateCriticsOnly = compile('sac critic update', (inputs) => {
      const criticScalars = this.#criticStep(inputs)
      this.#targetStep()
      return criticScalars
    })
    this.#sampleAction = compile('sac sample', ({ observation, noise }) => {
      const { mean, logStd } = this.#policy(this.#actor.split(), observation)
      return { action: tf.tanh(tf.add(mean, tf.mul(tf.exp(logStd), noise))) }
    })
    this.#meanAction = compile('sac mean', ({ observation }) => ({ action: this.policyFunction(observation) }))
  }

  /** One gradient step on J_Q. The actor only proposes a' here. */
  #criticStep(inputs: Inputs<CriticInput>): Scalars {
    const { observation, action, reward, nextObservation, discount, nextNoise } = inputs
    const next = this.#sample(this.#actor.split(), nextObservation, nextNoise)
    const nextQ = this.#q(this.#targetCritics.split(), nextObservation, next.action) // [2, B]
    const entropyWeight = this.#config.entropyInBackup ? this.#alpha() : 0
    const target = softTarget(reward, discount, nextQ, next.logProb, entropyWeight) // [B]

    const { values, flatGradient } = valueAndFlatGradient(this.#critics, (weights) => {
      const q = this.#q(weights, observation, action) // [2, B]
      return { loss: criticLoss(q, target), q }
    })
    this.#criticAdam.apply(flatGradient, inputs.criticAdam)
    return {
      'train/critic_loss': values.loss,
      'train/q_mean': tf.mean(values.q),
      'train/target_q_mean': tf.mean(target),
    }
  }

  /** One gradient step on J_pi against the critics as they now are, then one on J(alpha) with the same log-probabilities. */
  #actorStep({ observation, noise, actorAdam, alphaAdam }: Inputs<ActorInput>): Scalars {
    const alpha = this.#alpha()
    const criticWeights = this.#critics.split() // outside of the gradient: J_pi does not move the critics
    const actor = valueAndFlatGradient(this.#actor, (weights) => {
      const { action, logProb } = this.#sample(weights, observation, noise)
      const q = this.#q(criticWeights, observation, action) // [2, B]
      return { loss: actorLoss(q, logProb, alpha), logProb, action }
    })
    this.#actorAdam.apply(actor.flatGradient, actorAdam)
    const { loss, logProb, action } = actor.values
    const scalars: Scalars = {
      'train/actor_loss': loss,
      'train/ent_coef': tf.sum(alpha),
      'train/entropy': tf.neg(tf.mean(logProb)),
      'train/action_saturation': tf.mean(tf.cast(tf.greater(tf.abs(action), 0.99), 'float32')),
    }
    if (!this.#config.learnAlpha) return scalars
    const { values, flatGradient } = valueAndFlatGradient(this.#logAlpha, ({ logAlpha }) => ({
      loss: alphaLoss(logAlpha!, logProb, this.#targetEntropy),
    }))
    this.#alphaAdam.apply(flatGradient, alphaAdam)
    return { ...scalars, 'train/ent_coef_loss': values.loss }
  }

  /** Q' <- Q' + tau (Q - Q')  (algorithm 1, last line). */
  #targetStep(): void {
    this.#targetCritics.follow(this.#critics, this.#config.tau)
  }

  /** Mean and log std [B, A] of the Gaussian before the tanh. */
  #policy(weights: Weights, observation: tf.Tensor): { readonly mean: tf.Tensor; readonly logStd: tf.Tensor } {
    const [mean, raw] = tf.split(this.#policyNet.apply(weights, observation), 2, 1) as [tf.Tensor, tf.Tensor]
    return { mean, logStd: tanhRange(raw, MIN_LOG_STD, MAX_LOG_STD) }
  }

  /** a = f(noise; s)  (eq. 8) with its log-probability (appendix C). */
  #sample(weights: Weights, observation: tf.Tensor, noise: tf.Tensor): SquashedSample {
    const { mean, logStd } = this.#policy(weights, observation)
    return squashedSample(mean, logStd, noise)
  }

  /** Both critics, [2, B]. */
  #q(weights: Weights, observation: tf.Tensor, action: tf.Tensor): tf.Tensor {
    return tf.squeeze(this.#criticNet.apply(weights, tf.concat([observation, action], 1)), [2])
  }

  /** [1] */
  #alpha(): tf.Tensor {
    return tf.exp(this.#logAlpha.variable)
  }

  /**
   * The deterministic policy as a pure function of tensors, [B, observationSize] -> [B, actionSize]: what is exported, with
   * an encoder in front. For use inside a compiled function.
   */
  policyFunction(observation: tf.Tensor): tf.Tensor {
    return tf.tanh(this.#policy(this.#actor.split(), observation).mean)
  }

  async act(observations: Float32Array, count: number, mode: ActMode): Promise<Float32Array> {
    checkObservations(this.spec, observations, count)
    const observation = ndarray(observations, [count, this.spec.observationSize])
    const { action } =
      mode === 'mean'
        ? await this.#meanAction.run({ observation })
        : await this.#sampleAction.run({ observation, noise: this.#noise(this.#rng.current, count) })
    return action.data as Float32Array
  }

  /** @throws ArmatureError `bad-shape`, `bad-value`, or `bad-argument` when called before the last update has ended. */
  async update(batch: TransitionBatch): Promise<Metrics> {
    checkTransitions(this.spec, batch)
    this.#checkIdle('update')
    this.#updating = true
    try {
      const step = this.#criticAdam.step
      const inputs = this.#criticInputs(batch, step)
      const withActor = (step + 1) % this.#config.policyDelay === 0
      const outputs = withActor
        ? await this.#updateAll.run({ ...inputs, ...this.#actorInputs(batch, step) })
        : await this.#updateCriticsOnly.run(inputs)
      this.#criticAdam.advance()
      if (withActor) this.#actorAdam.advance()
      if (withActor && this.#config.learnAlpha) this.#alphaAdam.advance()
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data[0]!]))
    } finally {
      this.#updating = false
    }
  }

  #criticInputs(batch: TransitionBatch, step: number): Record<CriticInput, NdArray> {
    const { size, observation, action, reward, nextObservation, discount } = batch
    const { observationSize, actionSize } = this.spec
    return {
      observation: ndarray(observation, [size, observationSize]),
      action: ndarray(action, [size, actionSize]),
      reward: ndarray(reward, [size]),
      nextObservation: ndarray(nextObservation, [size, observationSize]),
      discount: ndarray(discount, [size]),
      nextNoise: this.#noise(this.#rng.current.split(`next/${step}`), size),
      criticAdam: this.#criticAdam.stepScalars(),
    }
  }

  #actorInputs({ size, observation }: TransitionBatch, step: number): Record<ActorInput, NdArray> {
    return {
      observation: ndarray(observation, [size, this.spec.observationSize]),
      noise: this.#noise(this.#rng.current.split(`actor/${step}`), size),
      actorAdam: this.#actorAdam.stepScalars(),
      alphaAdam: this.#alphaAdam.stepScalars(),
    }
  }

  /** Standard normal [count, actionSize]. Updates draw from a stream per step, so that acting in between changes nothing. */
  #noise(rng: Rng, count: number): NdArray {
    const { actionSize } = this.spec
    return ndarray(rng.fillNormal(new Float32Array(count * actionSize)), [count, actionSize])
  }

  save(): NamedArrays {
    this.#checkIdle('save')
    return saveParts(this.#parts())
  }

  restore(arrays: NamedArrays): void {
    this.#checkIdle('restore')
    restoreParts('sac', this.#parts(), arrays)
  }

  dispose(): void {
    for (const program of [this.#updateAll, this.#updateCriticsOnly, this.#sampleAction, this.#meanAction]) {
      program.dispose()
    }
    for (const owner of [this.#actor, this.#critics, this.#targetCritics, this.#logAlpha]) owner.dispose()
    for (const adam of [this.#actorAdam, this.#criticAdam, this.#alphaAdam]) adam.dispose()
  }

  #parts(): Record<string, Stateful> {
    return {
      actor: this.#actor,
      critics: this.#critics,
      targetCritics: this.#targetCritics,
      alpha: this.#logAlpha,
      actorAdam: this.#actorAdam,
      criticAdam: this.#criticAdam,
      alphaAdam: this.#alphaAdam,
      rng: this.#rng,
    }
  }

  #checkIdle(what: string): void {
    if (!this.#updating) return
    throw new ArmatureError('bad-argument', `sac ${what}`, {
      got: 'a call during an update',
      fix: 'await update() first',
    })
  }
}
