import type { EnvSpec, Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { whyOutside } from '../../src/core/spaces.ts'
import type {
  AutoresetMode,
  FinalStep,
  VectorEnv,
  VectorResetOptions,
  VectorResetResult,
  VectorStepResult,
} from '../../src/core/vector-env.ts'
import type { ResetPlan } from './env-group.ts'
import { EnvFailure } from './env-group.ts'
import type { Infos } from './info-board.ts'
import type { VectorArrays } from './vector-arrays.ts'
import { row } from './vector-arrays.ts'

/** The thread of env `index` died: nothing can be done with the vector any more. */
export class ThreadDeath extends EnvFailure {}

/** What a vector env checks, remembers and hands out, wherever its envs run. */
export abstract class VectorEnvBase implements VectorEnv {
  readonly numEnvs: number
  readonly spec: EnvSpec
  readonly autoreset: AutoresetMode
  protected readonly arrays: VectorArrays
  readonly #infos: Infos
  readonly #actionRows: readonly Float32Array[]
  /** Where each env may be stepped. */
  readonly #isRunning: Uint8Array
  /** Where the last step ended an episode. */
  readonly #isOver: Uint8Array
  /** Last seed of each env, and its episodes since then, counted from 1. */
  readonly #seeds: (number | undefined)[]
  readonly #episodes: number[]
  #isBusy = false
  #closing: Promise<void> | undefined

  constructor(spec: EnvSpec, arrays: VectorArrays, infos: Infos, autoreset: AutoresetMode) {
    this.numEnvs = arrays.rows.length
    this.spec = spec
    this.autoreset = autoreset
    this.arrays = arrays
    this.#infos = infos
    this.#actionRows = arrays.rows.map((_, index) => row(arrays.actions, index, arrays.rows.length))
    this.#isRunning = new Uint8Array(this.numEnvs)
    this.#isOver = new Uint8Array(this.numEnvs)
    this.#seeds = Array.from({ length: this.numEnvs }, () => undefined)
    this.#episodes = Array.from({ length: this.numEnvs }, () => 0)
  }

  /** Does what `plan` says to all envs. @throws EnvFailure */
  protected abstract resetEnvs(plan: ResetPlan): Promise<void>
  /** Steps all envs by the actions in `arrays`. @throws EnvFailure */
  protected abstract stepEnvs(): Promise<void>
  /** Ends everything. @param isBusy whether a reset or step is under way. */
  protected abstract closeEnvs(isBusy: boolean): Promise<void>

  async reset(options: VectorResetOptions = {}): Promise<VectorResetResult> {
    this.#requireFree()
    const plan = this.#plan(options)
    for (const [index, isChosen] of plan.mask.entries()) {
      if (!isChosen) continue
      const seed = plan.seeds[index]
      this.#episodes[index] = seed === undefined ? this.#episodes[index]! + 1 : 1
      if (seed !== undefined) this.#seeds[index] = seed
      this.#isOver[index] = 0
    }
    await this.#run(() => this.resetEnvs(plan))
    for (const [index, isChosen] of plan.mask.entries()) if (isChosen) this.#isRunning[index] = 1
    return { observation: this.arrays.observation, infos: this.#readInfos() }
  }

  async step(actions: Float32Array): Promise<VectorStepResult> {
    this.#requireFree()
    const waiting = this.#isRunning.indexOf(0)
    if (waiting >= 0) {
      throw new ArmatureError('needs-reset', `env ${waiting} of ${this.spec.id} cannot be stepped yet`, {
        fix: this.autoreset === 'disabled' ? 'call reset, with a mask for single envs' : 'call reset first',
      })
    }
    this.#checkActions(actions)
    this.arrays.actions.set(actions)
    await this.#run(() => this.stepEnvs())
    const { observation, rewards, terminated, truncated } = this.arrays
    this.#noteEnds()
    return { observation, rewards, terminated, truncated, infos: this.#readInfos(), finals: this.#readFinals() }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  #requireFree(): void {
    this.#requireOpen()
    if (this.#isBusy) {
      throw new ArmatureError('bad-argument', `${this.spec.id} vector env is still at work`, {
        fix: 'await a reset or step before the next call',
      })
    }
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new ArmatureError('closed', `${this.spec.id} vector env is closed`)
  }

  #plan({ seed, seeds, mask, options }: VectorResetOptions): ResetPlan {
    const { numEnvs } = this
    const lengths = Object.entries({ seeds, mask }).find(([, list]) => list !== undefined && list.length !== numEnvs)
    if (lengths !== undefined || (seed !== undefined && seeds !== undefined)) {
      throw new ArmatureError('bad-argument', `${this.spec.id} vector reset`, {
        expected: lengths === undefined ? 'seed or seeds' : `${numEnvs} entries in ${lengths[0]}`,
        got: lengths === undefined ? 'both' : String(lengths[1]!.length),
      })
    }
    const given =
      seeds ?? Array.from({ length: numEnvs }, (_, index) => (seed === undefined ? undefined : seed + index))
    const bad = given.find((value) => value !== undefined && !Number.isInteger(value))
    if (bad !== undefined) {
      const what = `${this.spec.id} vector reset`
      throw new ArmatureError('bad-argument', what, { expected: 'integer seeds', got: String(bad) })
    }
    return {
      mask: mask ?? Array.from({ length: numEnvs }, () => true),
      seeds: given.map((value, index) => value ?? (this.#seeds[index] === undefined ? index : undefined)),
      options,
    }
  }

  #checkActions(actions: Float32Array): void {
    const { shape } = this.spec.actionSpace
    const size = sizeOf(shape)
    if (actions.length !== this.numEnvs * size) {
      throw new ArmatureError('bad-shape', 'actions', {
        expected: `[${this.numEnvs}, ${size}]`,
        got: `${actions.length} elements`,
      })
    }
    for (let index = 0; index < this.numEnvs; index++) {
      const why = whyOutside(this.spec.actionSpace, actions.subarray(index * size, (index + 1) * size))
      if (why === undefined) continue
      throw new ArmatureError('bad-value', `action of env ${index}`, { got: why, fix: 'clip it to the action space' })
    }
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#isBusy = true
    try {
      await work()
    } catch (error) {
      this.#isRunning.fill(0)
      this.#requireOpen()
      if (error instanceof ThreadDeath) await (this.#closing = this.#end())
      throw this.#described(error)
    } finally {
      this.#isBusy = false
    }
    this.#requireOpen()
  }

  async #end(): Promise<void> {
    try {
      await this.closeEnvs(this.#isBusy)
    } catch (error) {
      throw this.#described(error)
    }
  }

  #described(error: unknown): unknown {
    if (!(error instanceof EnvFailure)) return error
    const { index, message, cause } = error
    const seed = this.#seeds[index]
    const when = seed === undefined ? 'before its first reset' : `seed ${seed}, episode ${this.#episodes[index]}`
    const code = cause instanceof ArmatureError ? cause.code : 'env-failed'
    return new ArmatureError(code, `${this.spec.id} env ${index} of ${this.numEnvs} (${when}): ${message}`, { cause })
  }

  #noteEnds(): void {
    const { terminated, truncated } = this.arrays
    for (let index = 0; index < this.numEnvs; index++) {
      const isOver = (terminated[index]! | truncated[index]!) !== 0
      const hasReset = this.autoreset === 'same-step' ? isOver : this.#isOver[index] === 1
      if (hasReset) this.#episodes[index]!++
      this.#isOver[index] = isOver ? 1 : 0
      if (this.autoreset === 'disabled' && isOver) this.#isRunning[index] = 0
    }
  }

  #readInfos(): Info[] {
    return this.#actionRows.map((_, index) => this.#infos.read(index))
  }

  #readFinals(): (FinalStep | undefined)[] {
    const { terminated, truncated, finalRows } = this.arrays
    return finalRows.map((observation, index) => {
      if (this.autoreset !== 'same-step' || (terminated[index]! | truncated[index]!) === 0) return undefined
      return { observation, info: this.#infos.read(this.numEnvs + index) }
    })
  }
}
