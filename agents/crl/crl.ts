import type { ActMode, Agent, AgentSpec, TransitionBatch } from '../../src/core/agent.ts'
import { checkObservations, checkTransitions } from '../../src/core/agent.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { diagonalCrossEntropy, squaredDistances } from '../../src/tensor/contrastive.ts'
import { euclideanNorm } from '../../src/tensor/gaussian.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import { Parameters, restoreParts, saveParts, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { EntropyWeight } from '../entropy-weight.ts'
import { SquashedPolicy } from '../squashed-policy.ts'
import { StatefulRng } from '../stateful-rng.ts'
import type { CrlConfig } from './config.ts'

/*
 * Contrastive reinforcement learning: Eysenbach et al., "Contrastive Learning as Goal-Conditioned Reinforcement Learning",
 * arXiv 2206.07568. Equation numbers are those of README.md, which says where in the paper they are from.
 *
 * s, a, g   state, action in [-1, 1], and a goal: what was reached k steps later, P(k) ~ gamma^(k-1), in the same episode
 * phi, psi  the towers of the critic, for state with action and for goals
 * f_ij      critic of row i for the goal of row j                pi, alpha  policy, weight of its entropy
 * Shapes: B rows; embeddings are [B, E], f is [B, B].
 */

/** f_ij = phi_i . psi_j, or -|phi_i - psi_j|  (eq. 1): [B, E], [B, E] -> [B, B]. */
export function allScores(phi: tf.Tensor, psi: tf.Tensor, similarity: CrlConfig['similarity']): tf.Tensor {
  if (similarity === 'product') return tf.matMul(phi as tf.Tensor2D, psi as tf.Tensor2D, false, true)
  return tf.neg(tf.sqrt(tf.add(squaredDistances(phi, psi), 1e-12)))
}

/** f_ii alone: [B, E], [B, E] -> [B]. */
export function ownScores(phi: tf.Tensor, psi: tf.Tensor, similarity: CrlConfig['similarity']): tf.Tensor {
  return similarity === 'product' ? tf.sum(tf.mul(phi, psi), 1) : tf.neg(euclideanNorm(tf.sub(phi, psi)))
}

/**
 * -mean_i log sigma(f_ii) - mean_(i != j) log(1 - sigma(f_ij))  (eq. 3), [B, B] -> []. Smallest where f is the log of the ratio of
 * p(g | s, a) to p(g). B >= 2.
 */
export function nceLoss(scores: tf.Tensor): tf.Tensor {
  const size = scores.shape[0]!
  const own = tf.eye(size) // [B, B]
  const weights = tf.div(tf.add(tf.mul(own, size - 2), 1), size * (size - 1)) // 1/B on the diagonal, 1/(B (B - 1)) off it
  // -log sigma(f) = softplus(f) - f, -log(1 - sigma(f)) = softplus(f): one softplus does for both.
  const all = tf.sum(tf.mul(tf.softplus(scores), weights))
  return tf.sub(all, tf.div(tf.sum(tf.mul(scores, own)), size))
}

/**
 * Cross-entropy of the right goal among all of the batch for each row, plus that of the right row for each goal (eq. 4), and
 * `penalty` times the mean squared log-sum-exp of the rows (eq. 5), [B, B] -> [].
 */
export function infoNceLoss(scores: tf.Tensor, penalty: number): tf.Tensor {
  const both = tf.add(diagonalCrossEntropy(scores), diagonalCrossEntropy(tf.transpose(scores)))
  if (penalty === 0) return both
  return tf.add(both, tf.mul(tf.mean(tf.square(tf.logSumExp(scores, 1))), penalty))
}

/** J_pi = mean (alpha log pi(a|s, g) - f(s, a, g)),  a = tanh(...)  (eq. 7), [B] each -> []. Gradient into the actor alone, through a. */
export function actorLoss(score: tf.Tensor, logProb: tf.Tensor, alpha: tf.Tensor): tf.Tensor {
  return tf.mean(tf.sub(tf.mul(alpha, logProb), score))
}

/** The last `share` of the rows get the goal of the row before them, the first that of the last row: goals that were not reached from there. */
export function withRandomGoals(goals: tf.Tensor, share: number): tf.Tensor {
  const [size, width] = goals.shape as [number, number]
  const kept = size - Math.round(size * share)
  if (kept === size) return goals
  const others = tf.concat([tf.slice(goals, [size - 1, 0], [1, width]), tf.slice(goals, [0, 0], [size - 1, width])])
  if (kept === 0) return others
  return tf.concat([tf.slice(goals, [0, 0], [kept, width]), tf.slice(others, [kept, 0], [size - kept, width])])
}

type Tensors = Readonly<Record<string, tf.Tensor>>
type Scalars = Record<string, tf.Tensor>

/** State and goal of each row, [B, S] and [B, G]. */
interface Split {
  readonly state: tf.Tensor
  readonly goal: tf.Tensor
}

/**
 * Contrastive RL on vectors [state | goal]: a critic that tells the goal which was reached from a state and an action from the goals of other
 * rows is, up to what does not depend on the action, the log-probability of reaching it; the actor maximises it. There is no reward, no
 * bootstrap and no target network. One `update` is one compiled program: the critic, then actor and alpha with the updated critic.
 *
 * The goal of each row must have been reached from there, after a geometric number of steps; rewards, discounts and next observations of a
 * batch are not looked at.
 */
export class Crl implements Agent {
  readonly spec: AgentSpec
  readonly #config: CrlConfig
  readonly #rng: StatefulRng

  readonly #policy: SquashedPolicy
  readonly #phiNet: Layer
  readonly #psiNet: Layer
  readonly #actor: Parameters
  readonly #critic: Parameters
  readonly #entropyWeight: EntropyWeight
  readonly #actorAdam: Adam
  readonly #criticAdam: Adam

  readonly #update: Program<string, string>
  readonly #sampleAction: Program<string, 'action'>
  readonly #meanAction: Program<string, 'action'>
  #updating = false

  /** @throws ArmatureError `bad-config` where no part of the observation is a goal. */
  constructor(spec: Omit<AgentSpec, 'name' | 'frameShape'>, config: CrlConfig, rng: Rng) {
    const { observationSize, actionSize } = spec
    const goalSize = goalSizeOf(spec)
    this.spec = { name: 'crl', observationSize, actionSize, goalSize }
    this.#config = config
    this.#rng = new StatefulRng(rng.split('noise'))

    const { hidden: hiddenSizes, embeddingSize: outputSize, criticNorm: norm, learningRate } = config
    const stateSize = observationSize - goalSize
    this.#policy = new SquashedPolicy({ inputSize: observationSize, hiddenSizes, actionSize })
    this.#phiNet = mlp('phi', { inputSize: stateSize + actionSize, hiddenSizes, outputSize, norm })
    this.#psiNet = mlp('psi', { inputSize: goalSize, hiddenSizes, outputSize, norm })
    this.#actor = new Parameters(this.#policy.parameters, rng.split('actor'))
    this.#critic = new Parameters([...this.#phiNet.parameters, ...this.#psiNet.parameters], rng.split('critic'))
    this.#entropyWeight = new EntropyWeight(config, actionSize, rng)
    this.#actorAdam = new Adam(this.#actor, { learningRate })
    this.#criticAdam = new Adam(this.#critic, { learningRate })

    this.#update = compile('crl update', (inputs) => {
      const seen = this.#split(inputs.observation!)
      return { ...this.#criticStep(seen, inputs), ...this.#actorStep(seen, inputs) }
    })
    this.#sampleAction = compile('crl sample', ({ observation, noise }: Tensors) => ({
      action: this.#policy.sample(this.#actor.split(), observation!, noise!).action,
    }))
    this.#meanAction = compile('crl mean', (view: Tensors) => ({ action: this.policyFunction(view) }))
  }

  #split(observation: tf.Tensor): Split {
    const { observationSize, goalSize } = this.spec
    const [state, goal] = tf.split(observation, [observationSize - goalSize!, goalSize!], 1) as [tf.Tensor, tf.Tensor]
    return { state, goal }
  }

  #phi(weights: Weights, state: tf.Tensor, action: tf.Tensor): tf.Tensor {
    return this.#phiNet.apply(weights, tf.concat([state, action], 1)) // [B, E]
  }

  /** One gradient step of the critic on eq. 3 or eqs. 4 and 5. */
  #criticStep({ state, goal }: Split, { action, criticAdam }: Tensors): Scalars {
    const { similarity, loss, logSumExpPenalty } = this.#config
    const { values, flatGradient } = valueAndFlatGradient(this.#critic, (weights) => {
      const scores = allScores(this.#phi(weights, state, action!), this.#psiNet.apply(weights, goal), similarity)
      return { loss: loss === 'nce' ? nceLoss(scores) : infoNceLoss(scores, logSumExpPenalty), scores }
    })
    this.#criticAdam.apply(flatGradient, criticAdam!)
    const { scores } = values
    const size = scores.shape[0]!
    const own = tf.sum(tf.mul(scores, tf.eye(size)), 1) // [B]
    const isBest = tf.cast(tf.greaterEqual(own, tf.max(scores, 1)), 'float32')
    return {
      'train/critic_loss': values.loss,
      'train/critic_accuracy': tf.mean(isBest),
      'train/positive_score': tf.mean(own),
      'train/negative_score': tf.div(tf.sub(tf.sum(scores), tf.sum(own)), size * (size - 1)),
    }
  }

  /** One gradient step on J_pi against the critic as it now is, then one on J(alpha) with the same log-probabilities. */
  #actorStep({ state, goal }: Split, { noise, actorAdam, alphaAdam }: Tensors): Scalars {
    const { randomGoals, similarity } = this.#config
    const wanted = withRandomGoals(goal, randomGoals)
    const alpha = this.#entropyWeight.alpha() // [1]
    const criticWeights = this.#critic.split() // outside of the gradient: J_pi does not move the critic
    const psi = this.#psiNet.apply(criticWeights, wanted)
    const actor = valueAndFlatGradient(this.#actor, (weights) => {
      const { action, logProb } = this.#policy.sample(weights, tf.concat([state, wanted], 1), noise!)
      const score = ownScores(this.#phi(criticWeights, state, action), psi, similarity)
      return { loss: actorLoss(score, logProb, alpha), logProb, action }
    })
    this.#actorAdam.apply(actor.flatGradient, actorAdam!)
    return this.#entropyWeight.follow(actor.values, alpha, alphaAdam!) // eq. 8
  }

  /** The deterministic policy as a pure function of tensors, [B, observationSize] -> [B, actionSize]: what is exported. */
  policyFunction({ observation }: { readonly observation?: tf.Tensor }): tf.Tensor {
    return this.#policy.mean(this.#actor.split(), observation!)
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

  /** @throws ArmatureError `bad-shape`, also for fewer than 2 rows, `bad-value`, or `bad-argument` when called before the last update has ended. */
  async update(batch: TransitionBatch): Promise<Metrics> {
    checkTransitions(this.spec, batch)
    const { size, observation, action } = batch
    if (size < 2) {
      throw new ArmatureError('bad-shape', 'crl update', {
        expected: 'rows to tell apart: 2 or more',
        got: String(size),
      })
    }
    this.#checkIdle('update')
    this.#updating = true
    try {
      const outputs = await this.#update.run({
        observation: ndarray(observation, [size, this.spec.observationSize]),
        action: ndarray(action, [size, this.spec.actionSize]),
        // A stream per step, so that acting in between changes nothing.
        noise: this.#noise(this.#rng.current.split(`actor/${this.#criticAdam.step}`), size),
        criticAdam: this.#criticAdam.stepScalars(),
        actorAdam: this.#actorAdam.stepScalars(),
        alphaAdam: this.#entropyWeight.stepScalars(),
      })
      for (const stepped of [this.#criticAdam, this.#actorAdam, this.#entropyWeight]) stepped.advance()
      return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data[0]!]))
    } finally {
      this.#updating = false
    }
  }

  /** Standard normal [count, actionSize]. */
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
    restoreParts('crl', this.#parts(), arrays)
  }

  dispose(): void {
    for (const program of [this.#update, this.#sampleAction, this.#meanAction]) program.dispose()
    for (const owner of [this.#actor, this.#critic, this.#entropyWeight]) owner.dispose()
    for (const adam of [this.#actorAdam, this.#criticAdam]) adam.dispose()
  }

  #parts(): Record<string, Stateful> {
    return {
      actor: this.#actor,
      critic: this.#critic,
      actorAdam: this.#actorAdam,
      criticAdam: this.#criticAdam,
      ...this.#entropyWeight.parts,
      rng: this.#rng,
    }
  }

  #checkIdle(what: string): void {
    if (!this.#updating) return
    throw new ArmatureError('bad-argument', `crl ${what}`, {
      got: 'a call during an update',
      fix: 'await update() first',
    })
  }
}

function goalSizeOf({ observationSize, goalSize = 0 }: Omit<AgentSpec, 'name'>): number {
  if (goalSize >= 1 && goalSize < observationSize) return goalSize
  throw new ArmatureError('bad-config', 'agent crl', {
    expected: 'observations that end in a goal as it is',
    got: goalSize === 0 ? 'observations without one' : `a goal of ${goalSize} of ${observationSize} numbers`,
    fix: 'train with goals, and set goals.form.name=goal',
  })
}
