import type { ActMode, Agent, AgentSpec, TransitionBatch } from '../../src/core/agent.ts'
import { checkObservations, checkTransitions } from '../../src/core/agent.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { FeatureNetwork } from '../../src/tensor/features.ts'
import { stopGradient } from '../../src/tensor/gradients.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import {
  ParameterGroup,
  Parameters,
  restoreParts,
  saveParts,
  valueAndFlatGradient,
} from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { EntropyWeight } from '../entropy-weight.ts'
import { SquashedPolicy } from '../squashed-policy.ts'
import { StatefulRng } from '../stateful-rng.ts'
import type { SacConfig } from './config.ts'
import { besideLoss, SelfPrediction } from './self-prediction.ts'
import type { View } from './state.ts'
import { StateMap } from './state.ts'

/*
 * Soft actor-critic with a learned entropy weight: Haarnoja et al., "Soft Actor-Critic Algorithms and Applications",
 * arXiv 1812.05905. Equation numbers are that paper's. With `criticNorm: batch`, the critics of CrossQ: Bhatt, Palenicek et al., "Batch
 * Normalization in Deep Reinforcement Learning for Greater Sample Efficiency and Simplicity", ICLR 2024, arXiv 1902.05605.
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

type Tensors = Readonly<Record<string, tf.Tensor>>
type Scalars = Record<string, tf.Tensor>

/** Q_i(s, a) [2, B] with gradient, and y [B] without. */
interface CriticPass {
  readonly q: tf.Tensor
  readonly target: tf.Tensor
}

/**
 * SAC on vectors of `observationSize` numbers, on frames or vectors through a feature network, or on vectors beside frames. One `update` is
 * one compiled program: critics, then actor and alpha (every `policyDelay`-th time) with the updated critics, then the targets.
 *
 * With frames, s is [features | vector]; of vectors that go through a network, their features. The critics' loss trains the network (unless
 * `trainFeatures` is off), the actor sees its features without gradient, and a slow copy of the network shows s' to the target critics and
 * to the policy that proposes a' (as in Fujimoto et al. 2025; Yarats et al. 2019 and Kostrikov et al. 2020 encode s' once more for the
 * policy). Frames are encoded twice an update: s with gradient, whose values the actor learns from too, and s' without. With
 * `criticNorm: batch` there are neither target critics nor the copy. With `selfPrediction` the same s and s' serve {@link SelfPrediction}.
 */
export class Sac implements Agent {
  readonly spec: AgentSpec
  readonly #config: SacConfig
  readonly #rng: StatefulRng

  readonly #policy: SquashedPolicy
  readonly #criticNet: Layer
  readonly #state: StateMap
  readonly #actor: Parameters
  readonly #critics: Parameters
  /** Copies that make y; absent with batch normalisation, which has running statistics instead. */
  readonly #targetCritics: Parameters | undefined
  readonly #targetFeatures: Parameters | undefined
  readonly #statistics: Parameters | undefined
  readonly #selfPrediction: SelfPrediction | undefined
  readonly #entropyWeight: EntropyWeight
  readonly #actorAdam: Adam
  /** What J_Q moves, and self-prediction besides. */
  readonly #criticsAndFeatures: Parameters | ParameterGroup
  readonly #criticAdam: Adam

  readonly #updateAll: Program<string, string>
  readonly #updateCriticsOnly: Program<string, string>
  readonly #sampleAction: Program<string, 'action'>
  readonly #meanAction: Program<string, 'action'>
  #updating = false

  /**
   * @param features what it looks at frames, or at its vector, through; it stays with whoever made it.
   * @throws ArmatureError `bad-config` for a vector that is normalised before such a network sees it, and for self-prediction without a network
   */
  constructor(spec: Omit<AgentSpec, 'name' | 'frameShape'>, config: SacConfig, rng: Rng, features?: FeatureNetwork) {
    const { observationSize, actionSize } = spec
    const { hidden: hiddenSizes, criticNorm, normalizeObservations } = config
    const seen = features && (features.isVector ? { hasVectorNetwork: true } : { frameShape: features.inputShape })
    this.spec = { name: 'sac', observationSize, actionSize, ...seen }
    this.#config = config
    this.#state = new StateMap(observationSize, normalizeObservations, features)
    const stateSize = this.#state.size
    this.#rng = new StatefulRng(rng.split('noise'))

    this.#policy = new SquashedPolicy({ inputSize: stateSize, hiddenSizes, actionSize })
    this.#criticNet = mlp('q', {
      inputSize: stateSize + actionSize,
      hiddenSizes,
      outputSize: 1,
      norm: criticNorm,
      ensemble: 2,
    })
    this.#actor = new Parameters(this.#policy.parameters, rng.split('actor'))
    this.#critics = new Parameters(this.#criticNet.parameters, rng.split('critics'))
    if (criticNorm === 'batch') this.#statistics = new Parameters(this.#criticNet.statistics!, rng)
    else {
      this.#targetCritics = copyOf(this.#critics)
      this.#targetFeatures = features && copyOf(features.parameters)
    }
    this.#selfPrediction = selfPredictionOf(config, this.#state, actionSize, rng)
    const models = this.#selfPrediction ? [this.#selfPrediction.parameters] : []
    this.#criticsAndFeatures =
      features && this.#learnsFeatures
        ? new ParameterGroup([this.#critics, features.parameters, ...models])
        : this.#critics
    this.#entropyWeight = new EntropyWeight(config, actionSize, rng)

    const { learningRate, learningRateDrop, weightDecay, clipNorm } = config
    const options = { learningRate, learningRateDrop, weightDecay, ...(clipNorm !== null && { clipNorm }) }
    this.#actorAdam = new Adam(this.#actor, options)
    this.#criticAdam = new Adam(this.#criticsAndFeatures, options)

    this.#updateAll = compile('sac update', (inputs) => {
      const { state, scalars } = this.#criticStep(inputs)
      const actorScalars = this.#actorStep(state, inputs)
      this.#targetStep()
      return { ...scalars, ...actorScalars }
    })
    this.#updateCriticsOnly = compile('sac critic update', (inputs) => {
      const { scalars } = this.#criticStep(inputs)
      this.#targetStep()
      return scalars
    })
    this.#sampleAction = compile('sac sample', ({ noise, ...view }: Tensors) => {
      return { action: this.#policy.sample(this.#actor.split(), this.#state.now(view), noise!).action }
    })
    this.#meanAction = compile('sac mean', (view: Tensors) => ({ action: this.policyFunction(view) }))
  }

  get #learnsFeatures(): boolean {
    return this.#state.features !== undefined && (this.#config.trainFeatures || this.#selfPrediction !== undefined)
  }

  /** One gradient step on J_Q. The actor only proposes a' here. Also gives s before the step, without gradient. */
  #criticStep(inputs: Tensors): { readonly state: tf.Tensor; readonly scalars: Scalars } {
    this.#state.moments?.follow(inputs.observation!, inputs.momentsWeight!)
    const nextView = this.#state.next(inputs)
    const nextState = this.#targetFeatures
      ? this.#state.of(this.#targetFeatures.split(), nextView)
      : this.#state.now(nextView)
    const next = this.#policy.sample(this.#actor.split(), nextState, inputs.nextNoise!)
    const alpha = this.#config.entropyInBackup ? this.#entropyWeight.alpha() : 0
    const targetOf = (nextQ: tf.Tensor): tf.Tensor =>
      softTarget(inputs.reward!, inputs.discount!, nextQ, next.logProb, alpha) // [B]
    const target = this.#targetCritics && targetOf(this.#q(this.#targetCritics.split(), nextState, next.action))

    const untrained = this.#learnsFeatures ? undefined : this.#state.now(inputs)
    const statistics: Record<string, tf.Tensor> = {}
    const { values, flatGradient } = valueAndFlatGradient(this.#criticsAndFeatures, (weights) => {
      const state = untrained ?? this.#state.of(weights, inputs)
      const seen = this.#config.trainFeatures ? state : stopGradient(state)
      const pass: CriticPass = target
        ? { q: this.#q(weights, seen, inputs.action!), target }
        : this.#jointPass(weights, [seen, nextState], [inputs.action!, next.action], targetOf, statistics)
      const ofCritics = criticLoss(pass.q, pass.target)
      const { action, reward } = inputs as { action: tf.Tensor; reward: tf.Tensor }
      const ofModels = this.#selfPrediction?.loss(weights, { state, action, reward, nextState })
      const loss = ofModels ? besideLoss(ofCritics, ofModels, this.#config.selfPrediction) : ofCritics
      return {
        loss,
        ofCritics: tf.clone(ofCritics),
        ...(ofModels && { ofModels }),
        ...pass,
        state: tf.clone(state),
        ...statistics,
      }
    })
    this.#criticAdam.apply(flatGradient, inputs.criticAdam!)
    this.#statistics?.follow(values, this.#config.statisticsTau)
    const scalars = {
      'train/critic_loss': values.ofCritics,
      'train/q_mean': tf.mean(values.q),
      'train/target_q_mean': tf.mean(values.target),
      ...(values.ofModels && { 'train/self_prediction_loss': values.ofModels }),
    }
    return { state: values.state, scalars }
  }

  /**
   * Q of (s, a) and of (s', a') in one pass of the critics themselves, whose batch normalisation so sees the actions of replay and those of
   * the policy alike (CrossQ, section 3.2 and figure 3). No gradient goes to y, nor to s'; one goes through the statistics of the batch.
   * @param statistics gets those of the batch
   */
  #jointPass(
    weights: Weights,
    states: tf.Tensor[],
    actions: tf.Tensor[],
    targetOf: (nextQ: tf.Tensor) => tf.Tensor,
    statistics: Record<string, tf.Tensor>,
  ): CriticPass {
    const both = this.#q(weights, tf.concat(states), tf.concat(actions), statistics) // [2, 2 B]
    const [q, nextQ] = tf.split(both, 2, 1) as [tf.Tensor, tf.Tensor] // [2, B] each
    return { q, target: stopGradient(targetOf(nextQ)) }
  }

  /** One gradient step on J_pi against the critics as they now are, then one on J(alpha) with the same log-probabilities. */
  #actorStep(state: tf.Tensor, { noise, actorAdam, alphaAdam }: Tensors): Scalars {
    const alpha = this.#entropyWeight.alpha()
    // Outside of the gradient: J_pi does not move the critics. Batch normalisation goes by the running statistics.
    const criticWeights = { ...this.#critics.split(), ...this.#statistics?.split() }
    const actor = valueAndFlatGradient(this.#actor, (weights) => {
      const { action, logProb } = this.#policy.sample(weights, state, noise!)
      const q = this.#q(criticWeights, state, action) // [2, B]
      return { loss: actorLoss(q, logProb, alpha), logProb, action }
    })
    this.#actorAdam.apply(actor.flatGradient, actorAdam!)
    return this.#entropyWeight.follow(actor.values, alpha, alphaAdam!) // eq. 18
  }

  /** Q' <- Q' + tau (Q - Q')  (algorithm 1, last line), and the same of the feature network. */
  #targetStep(): void {
    this.#targetCritics?.follow(this.#critics, this.#config.tau)
    this.#targetFeatures?.follow(this.#state.features!.parameters, this.#config.featureTau)
  }

  /** Both critics, [2, B]; `batch` as for a `Layer`. */
  #q(weights: Weights, state: tf.Tensor, action: tf.Tensor, batch?: Record<string, tf.Tensor>): tf.Tensor {
    return tf.squeeze(this.#criticNet.apply(weights, tf.concat([state, action], 1), batch), [2])
  }

  /**
   * The deterministic policy as a pure function of tensors: from `observation` [B, observationSize], and `frames` where it looks at them, to
   * [B, actionSize]. It is what is exported. For use inside a compiled function.
   */
  policyFunction(view: View): tf.Tensor {
    return this.#policy.mean(this.#actor.split(), this.#state.now(view))
  }

  async act(observations: Float32Array, count: number, mode: ActMode, frames?: Uint8Array): Promise<Float32Array> {
    checkObservations(this.spec, observations, count, frames)
    const view = this.#state.inputs(count, observations, frames)
    const { action } =
      mode === 'mean'
        ? await this.#meanAction.run(view)
        : await this.#sampleAction.run({ ...view, noise: this.#noise(this.#rng.current, count) })
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
        ? await this.#updateAll.run({ ...inputs, ...this.#actorInputs(batch.size, step) })
        : await this.#updateCriticsOnly.run(inputs)
      this.#criticAdam.advance()
      if (withActor) for (const stepped of [this.#actorAdam, this.#entropyWeight]) stepped.advance()
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data[0]!]))
    } finally {
      this.#updating = false
    }
  }

  #criticInputs(batch: TransitionBatch, step: number): Record<string, NdArray> {
    const { size, action, reward, discount } = batch
    return {
      ...this.#state.inputs(size, batch.observation, batch.frames),
      ...this.#state.inputs(size, batch.nextObservation, batch.nextFrames, 'next'),
      action: ndarray(action, [size, this.spec.actionSize]),
      reward: ndarray(reward, [size]),
      discount: ndarray(discount, [size]),
      // The n-th batch weighs 1 / n: a mean over all that was drawn.
      ...(this.#state.moments && { momentsWeight: ndarray(Float32Array.of(1 / (step + 1)), [1]) }),
      nextNoise: this.#noise(this.#rng.current.split(`next/${step}`), size),
      criticAdam: this.#criticAdam.stepScalars(),
    }
  }

  #actorInputs(size: number, step: number): Record<string, NdArray> {
    return {
      noise: this.#noise(this.#rng.current.split(`actor/${step}`), size),
      actorAdam: this.#actorAdam.stepScalars(),
      alphaAdam: this.#entropyWeight.stepScalars(),
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
    const copies = [this.#targetCritics, this.#targetFeatures, this.#statistics]
    const networks = [this.#actor, this.#critics, this.#selfPrediction?.parameters, ...copies]
    const optimizers = [this.#actorAdam, this.#criticAdam]
    for (const owner of [...networks, this.#state.moments, this.#entropyWeight, ...optimizers]) owner?.dispose()
  }

  #parts(): Record<string, Stateful> {
    return {
      actor: this.#actor,
      critics: this.#critics,
      ...(this.#targetCritics && { targetCritics: this.#targetCritics }),
      ...(this.#targetFeatures && { targetFeatures: this.#targetFeatures }),
      ...(this.#statistics && { criticStatistics: this.#statistics }),
      ...(this.#selfPrediction && { selfPrediction: this.#selfPrediction.parameters }),
      ...(this.#state.moments && { moments: this.#state.moments }),
      actorAdam: this.#actorAdam,
      criticAdam: this.#criticAdam,
      ...this.#entropyWeight.parts,
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

/** @throws ArmatureError `bad-config` where there is no network whose features could be predicted */
function selfPredictionOf(
  { selfPrediction }: SacConfig,
  { features, size }: StateMap,
  actionSize: number,
  rng: Rng,
): SelfPrediction | undefined {
  if (selfPrediction === 0) return undefined
  if (features) return new SelfPrediction(size, actionSize, rng.split('self-prediction'))
  throw new ArmatureError('bad-config', 'agent.config.selfPrediction', {
    expected: '0, where no network learns along whose features could be predicted',
    got: String(selfPrediction),
    fix: 'leave it out, or learn from a representation of kind "pixels" or "vectors"',
  })
}

/** Weights of their own that start at those of `source`. */
function copyOf(source: Parameters): Parameters {
  const copy = new Parameters(source.specs, new Rng(0))
  copy.copyFrom(source)
  return copy
}
