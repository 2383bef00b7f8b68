import type { ActMode, Agent, AgentSpec, TransitionBatch } from '../../src/core/agent.ts'
import { checkObservations, checkTransitions } from '../../src/core/agent.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NamedArrays } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { restoreParts, saveParts } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { StatefulRng } from '../stateful-rng.ts'
import type { AimConfig } from './config.ts'

/**
 * Goes where it is shown: the first numbers that it sees, times `gains`, are its first actions, and all others are 0. Nothing is learned. With
 * the form of goals `heat`, and gains that take the picture to the robot, it grasps at the hottest place: the policy without reinforcement
 * learning of Grasp2Vec (Jang et al. 2018, section 4.1).
 */
export class AimAgent implements Agent {
  readonly spec: AgentSpec
  readonly #rng: StatefulRng
  readonly #gains: readonly number[]
  readonly #noise: number

  /** @throws ArmatureError `bad-config` for more gains than there are numbers to see, or actions. */
  constructor(spec: Omit<AgentSpec, 'name'>, { gains, noise }: AimConfig, rng: Rng) {
    const most = Math.min(spec.observationSize, spec.actionSize)
    if (gains.length > most) {
      throw new ArmatureError('bad-config', 'gains of agent aim', {
        expected: `at most ${most}: there are ${spec.observationSize} numbers to see and ${spec.actionSize} actions`,
        got: String(gains.length),
      })
    }
    this.spec = { name: 'aim', ...spec }
    this.#gains = gains
    this.#noise = noise
    this.#rng = new StatefulRng(rng)
  }

  async act(observations: Float32Array, count: number, mode: ActMode): Promise<Float32Array> {
    checkObservations(this.spec, observations, count)
    const { observationSize, actionSize } = this.spec
    const actions = new Float32Array(count * actionSize)
    if (mode === 'sample') this.#rng.current.fillNormal(actions)
    for (let i = 0; i < actions.length; i++) {
      const [row, number] = [Math.floor(i / actionSize), i % actionSize]
      const gain = this.#gains[number]
      const aimed = gain === undefined ? 0 : gain * observations[row * observationSize + number]!
      actions[i] = Math.max(-1, Math.min(1, aimed + this.#noise * actions[i]!))
    }
    return actions
  }

  async update(batch: TransitionBatch): Promise<Metrics> {
    checkTransitions(this.spec, batch)
    return {}
  }

  /** The deterministic policy, [B, actionSize] of vectors [B, observationSize], for an exported graph. */
  policyFunction({ observation }: { readonly observation?: tf.Tensor }): tf.Tensor {
    const size = this.#gains.length
    const aimed = tf.mul(tf.slice(observation!, [0, 0], [-1, size]), tf.tensor2d([...this.#gains], [1, size]))
    const within = tf.minimum(tf.maximum(aimed, -1), 1)
    return tf.pad(within, [
      [0, 0],
      [0, this.spec.actionSize - size],
    ])
  }

  save(): NamedArrays {
    return saveParts({ rng: this.#rng })
  }

  restore(arrays: NamedArrays): void {
    restoreParts(this.spec.name, { rng: this.#rng }, arrays)
  }

  dispose(): void {}
}
