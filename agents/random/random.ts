import type { ActMode, Agent, AgentSpec, TransitionBatch } from '../../src/core/agent.ts'
import { checkObservations, checkTransitions } from '../../src/core/agent.ts'
import type { Metrics, NamedArrays } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { restoreParts, saveParts } from '../../src/tensor/parameters.ts'
import { StatefulRng } from '../stateful-rng.ts'

/**
 * Uniform actions in the box [-1, 1]: the lowest line of every plot.
 *
 * `mean` is the mean of that distribution, the zero action. `update` learns nothing and reports nothing, so that the same
 * training loop runs this baseline; it still refuses a batch that a learner would refuse.
 */
export class RandomAgent implements Agent {
  readonly spec: AgentSpec
  readonly #rng: StatefulRng

  constructor(spec: Omit<AgentSpec, 'name'>, rng: Rng) {
    this.spec = { name: 'random', ...spec }
    this.#rng = new StatefulRng(rng)
  }

  act(observations: Float32Array, count: number, mode: ActMode): Promise<Float32Array> {
    return settle(() => {
      checkObservations(this.spec, observations, count)
      const actions = new Float32Array(count * this.spec.actionSize)
      return mode === 'mean' ? actions : this.#rng.current.fillUniform(actions, -1, 1)
    })
  }

  update(batch: TransitionBatch): Promise<Metrics> {
    return settle(() => {
      checkTransitions(this.spec, batch)
      return {}
    })
  }

  save(): NamedArrays {
    return saveParts({ rng: this.#rng })
  }

  restore(arrays: NamedArrays): void {
    restoreParts(this.spec.name, { rng: this.#rng }, arrays)
  }

  dispose(): void {}
}

/** The contract is asynchronous: what `work` throws must reject, not throw. */
async function settle<T>(work: () => T): Promise<T> {
  return work()
}
