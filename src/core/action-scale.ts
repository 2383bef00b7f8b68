import { ArmatureError } from './errors.ts'
import { sizeOf } from './ndarray.ts'
import type { BoxSpace } from './spaces.ts'
import { bound } from './spaces.ts'

/**
 * Between the actions of agents, in [-1, 1], and those of an env, in the bounds of its action space: linear, element by element, as in
 * Stable-Baselines3. Where the bounds are -1 and 1 already, actions pass as they are.
 *
 * @example
 * const scale = new ActionScale(boxSpace([1], 0, 10), 'my/Env-v0')
 * scale.toEnv(Float32Array.of(0)) // [5]
 */
export class ActionScale {
  readonly isIdentity: boolean
  readonly #low: Float32Array
  readonly #high: Float32Array

  /** @throws ArmatureError `bad-config` for a space without finite bounds, or with no room between them. */
  constructor(space: BoxSpace, envId: string) {
    const size = sizeOf(space.shape)
    this.#low = Float32Array.from({ length: size }, (_, i) => floatAtLeast(bound(space.low, i)))
    this.#high = Float32Array.from({ length: size }, (_, i) => -floatAtLeast(-bound(space.high, i)))
    for (let i = 0; i < size; i++) {
      const [low, high] = [this.#low[i]!, this.#high[i]!]
      if (Number.isFinite(low) && Number.isFinite(high) && low < high) continue
      throw new ArmatureError('bad-config', `action space of ${envId}: element ${space.names?.[i] ?? i}`, {
        expected: 'finite bounds with room between them',
        got: `[${bound(space.low, i)}, ${bound(space.high, i)}]`,
        fix: 'state what the robot can do in spec.actionSpace',
      })
    }
    this.isIdentity = this.#low.every((low) => low === -1) && this.#high.every((high) => high === 1)
  }

  /** Lowest and highest action of the env, element by element. */
  get bounds(): { readonly low: Float32Array; readonly high: Float32Array } {
    return { low: this.#low, high: this.#high }
  }

  /** The env's action for an agent's, each [actionSize]; never outside the space. */
  toEnv(action: Float32Array): Float32Array {
    if (this.isIdentity) return action
    return action.map((x, i) => {
      const [low, high] = [this.#low[i]!, this.#high[i]!]
      return Math.min(high, Math.max(low, low + ((x + 1) / 2) * (high - low)))
    })
  }

  /** The agent's action for one of the env, e.g. for what a robot has in fact done. */
  toAgent(action: Float32Array): Float32Array {
    if (this.isIdentity) return action
    return action.map((x, i) => {
      const [low, high] = [this.#low[i]!, this.#high[i]!]
      return Math.min(1, Math.max(-1, (2 * (x - low)) / (high - low) - 1))
    })
  }
}

const bits = new DataView(new ArrayBuffer(4))

/** The lowest float32 that is not below `value`: rounding must not lead out of a space. */
function floatAtLeast(value: number): number {
  const rounded = Math.fround(value)
  if (!(rounded < value)) return rounded
  bits.setFloat32(0, rounded)
  bits.setInt32(0, bits.getInt32(0) + (rounded < 0 ? -1 : 1))
  // Above a zero of either sign comes the smallest float.
  return rounded === 0 ? 2 ** -149 : bits.getFloat32(0)
}
