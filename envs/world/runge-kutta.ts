/** Writes d(state)/dt at `state` into `rate`; both are [size], and `state` must be left alone. */
export type Derivative = (state: Float64Array, rate: Float64Array) => void

/**
 * The classical Runge-Kutta method of fourth order for x' = f(x), in float64 and without allocation per step. Inputs that are held
 * over a step, such as a motor's force, belong to the closure of `derivative`.
 *
 * @example
 * const fall = new RungeKutta4(2, (state, rate) => {
 *   rate[0] = state[1]!
 *   rate[1] = -9.81
 * })
 * fall.step(heightAndSpeed, 0.01)
 */
export class RungeKutta4 {
  readonly #derivative: Derivative
  readonly #probe: Float64Array
  readonly #rates: readonly [Float64Array, Float64Array, Float64Array, Float64Array]

  constructor(size: number, derivative: Derivative) {
    this.#derivative = derivative
    this.#probe = new Float64Array(size)
    const rate = (): Float64Array => new Float64Array(size)
    this.#rates = [rate(), rate(), rate(), rate()]
  }

  /** Moves `state` [size] on by `dtS` seconds, in place. */
  step(state: Float64Array, dtS: number): void {
    const k1 = this.#rates[0]
    const k2 = this.#rates[1]
    const k3 = this.#rates[2]
    const k4 = this.#rates[3]
    this.#derivative(state, k1)
    this.#derivative(this.#ahead(state, k1, dtS / 2), k2)
    this.#derivative(this.#ahead(state, k2, dtS / 2), k3)
    this.#derivative(this.#ahead(state, k3, dtS), k4)
    for (let i = 0; i < state.length; i++) {
      state[i] = state[i]! + (dtS / 6) * (k1[i]! + 2 * (k2[i]! + k3[i]!) + k4[i]!)
    }
  }

  #ahead(state: Float64Array, rate: Float64Array, dtS: number): Float64Array {
    const probe = this.#probe
    for (let i = 0; i < probe.length; i++) probe[i] = state[i]! + dtS * rate[i]!
    return probe
  }
}
