import type { BoxSpace } from '../../src/core/spaces.ts'
import { widened } from './widened.ts'

/**
 * The last actions that were sent, newest first, zeros before the first of an episode. Where actions arrive late, what the robot will do next
 * follows from those under way: with them in what a policy sees the task is a Markov decision process again (Katsikopoulos & Engelbrecht 2003).
 */
export class PastActions {
  /** [count * actionSize]; overwritten by the next step. */
  readonly values: Float32Array
  readonly #actionSize: number

  constructor(count: number, actionSize: number) {
    this.values = new Float32Array(count * actionSize)
    this.#actionSize = actionSize
  }

  begin(): void {
    this.values.fill(0)
  }

  add(action: Float32Array): void {
    this.values.copyWithin(this.#actionSize, 0, this.values.length - this.#actionSize)
    this.values.set(action)
  }
}

/** `space`, a vector, with the last `count` actions behind its own elements: `<name>_1_ago` and so on. */
export function withPastActions(space: BoxSpace, actionNames: readonly string[], count: number): BoxSpace {
  const names = Array.from({ length: count }, (_, k) => actionNames.map((name) => `${name}_${k + 1}_ago`)).flat()
  return widened(space, names, 1)
}
