import type { Env } from '../../src/core/env.ts'
import type { AutoresetMode } from '../../src/core/vector-env.ts'
import type { ResetPlan } from './env-group.ts'
import { EnvGroup } from './env-group.ts'
import { InfoList } from './info-board.ts'
import { vectorArrays, vectorBytes } from './vector-arrays.ts'
import { VectorEnvBase } from './vector-env-base.ts'

/** Envs stepped one after the other in the calling thread. */
export class SyncVectorEnv extends VectorEnvBase {
  readonly #group: EnvGroup

  /** @param envs at least one, all made in the same way; the vector env closes them. */
  constructor(envs: readonly Env[], autoreset: AutoresetMode) {
    const { spec } = envs[0]!
    const arrays = vectorArrays(spec, envs.length, new ArrayBuffer(vectorBytes(spec, envs.length)))
    const infos = new InfoList(2 * envs.length)
    super(spec, arrays, infos, autoreset)
    this.#group = new EnvGroup(envs, 0, { arrays, infos, autoreset })
  }

  protected resetEnvs(plan: ResetPlan): Promise<void> {
    return this.#group.reset(plan)
  }

  protected stepEnvs(): Promise<void> {
    return this.#group.step()
  }

  protected closeEnvs(): Promise<void> {
    return this.#group.close()
  }
}
