import type { Info, SimulatedEnv } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import type { Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { oneOf } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'
import { RungeKutta4 } from '../world/runge-kutta.ts'
import { CAMERAS, createCartPoleScene, POLE_M, RAIL_HEIGHT_M, RAIL_M } from './cart-pole-scene.ts'
import { tolerance } from './tolerance.ts'

export const CART_POLE_ID = 'armature/CartPole-v0'

const GRAVITY = 9.81
const CART_KG = 1
const POLE_KG = 0.1
/** From the hinge to the pole's centre of mass. */
const HALF_M = POLE_M / 2
const FORCE_N = 10
const DT_S = 0.01
/** Far beyond what a policy gets to: they keep the state in its space. */
const MAX_SPEED = 20
const MAX_SPIN = 60
/** Upright, as dm_control's sparse reward has it: within 5.7 degrees, in the middle half metre of the rail. */
const UPRIGHT_COS = 0.995
const MIDDLE_M = 0.25
const HOLD_STEPS = 200

const CART_NAMES = ['cart_x_m', 'cart_speed_m_per_s']
const STATE_NAMES = ['cart_x_m', 'cos_pole', 'sin_pole', 'cart_speed_m_per_s', 'pole_speed_rad_per_s']

const CART_POLE_SPEC: TaskSpec = {
  id: CART_POLE_ID,
  actionNames: ['cart_force_10_n'],
  proprioSpace: symmetricSpace([RAIL_M, MAX_SPEED], CART_NAMES),
  stateSpace: symmetricSpace([RAIL_M, 1, 1, MAX_SPEED, MAX_SPIN], STATE_NAMES),
  controlHz: 1 / DT_S,
  maxEpisodeSteps: 1000,
  starts: ['default', 'random'],
}

const OPTIONS = { task: oneOf('balance', 'swingup') }

/**
 * Keep a pole upright on a cart that is pushed along a rail: the cartpole of dm_control (1 kg cart, 1 m pole of 0.1 kg, 10 N per unit
 * of action, 100 Hz, 10 s) without its traces of friction. `task: 'balance'` (default) starts near upright, `'swingup'` hanging down;
 * `{ start: 'random' }` anywhere at any speed, so that speeds cannot be told from positions. The pole's angle is 0 upright and grows
 * towards +x. State: [cart x, cos, sin, cart speed, pole speed]; proprio: those of the cart, which its motor measures.
 *
 * Reward in [0, 1]: dm_control's product of upright, centred, small control and small pole speed; with `reward: 'sparse'` 1 where the
 * pole is upright (within 5.7 degrees) in the middle (within 25 cm), else 0. `success` in info: that has been so for 2 s. Never
 * terminates. At the ends of the rail the cart stops dead, and the pole keeps its angular momentum about the hinge; dm_control has
 * a soft spring there.
 */
export async function makeCartPole(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  const options = readSceneOptions(CART_POLE_ID, OPTIONS, given)
  return sceneEnv(new CartPole(options.task ?? 'balance', options.reward === 'sparse'), options)
}

interface SavedState {
  readonly state: readonly number[]
  readonly upright: number
  readonly poleKg: number
}

class CartPole implements Task {
  readonly spec: TaskSpec = CART_POLE_SPEC
  readonly scene: Scene = createCartPoleScene()
  /** There is no friction. */
  readonly scales = ['mass'] as const
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #startsDown: boolean
  readonly #isSparse: boolean
  readonly #cart = this.scene.primitive('cart')
  readonly #axle = this.scene.primitive('axle')
  readonly #pole = this.scene.primitive('pole')
  /** Cart position and pole angle, then their speeds. */
  readonly #state = new Float64Array(4)
  readonly #ode = new RungeKutta4(4, (state, rate) => cartPoleRates(state, rate, this.#forceN, this.#poleKg))
  #forceN = 0
  #poleKg = POLE_KG
  /** Steps that the pole has been upright for, without a break. */
  #uprightSteps = 0

  constructor(task: 'balance' | 'swingup', isSparse: boolean) {
    this.#startsDown = task === 'swingup'
    this.#isSparse = isSparse
  }

  reset(start: string, rng: Rng): void {
    const s = this.#state
    this.#uprightSteps = 0
    if (start === 'random') {
      s[0] = rng.uniform(-1, 1)
      s[1] = rng.uniform(-Math.PI, Math.PI)
      s[2] = rng.uniform(-2, 2)
      s[3] = rng.uniform(-5, 5)
      return
    }
    s[0] = this.#startsDown ? 0.01 * rng.normal() : rng.uniform(-0.1, 0.1)
    s[1] = this.#startsDown ? Math.PI + 0.01 * rng.normal() : rng.uniform(-0.034, 0.034)
    s[2] = 0.01 * rng.normal()
    s[3] = 0.01 * rng.normal()
  }

  step(action: Float32Array): void {
    this.#forceN = FORCE_N * action[0]!
    this.#ode.step(this.#state, DT_S)
    stopAtRailEnds(this.#state)
    this.#uprightSteps = this.#isUpright() ? this.#uprightSteps + 1 : 0
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const s = this.#state
    const [cos, sin] = [Math.cos(s[1]!), Math.sin(s[1]!)]
    state[0] = proprio[0] = s[0]!
    state[1] = cos
    state[2] = sin
    state[3] = proprio[1] = s[2]!
    state[4] = s[3]!
    setPosition(this.#cart, s[0]!, 0, RAIL_HEIGHT_M)
    setPosition(this.#axle, s[0]!, -0.2, RAIL_HEIGHT_M)
    setPosition(this.#pole, s[0]! + HALF_M * sin, -0.12, RAIL_HEIGHT_M + HALF_M * cos)
    setRotation(this.#pole, 0, Math.sin(s[1]! / 2), 0, Math.cos(s[1]! / 2))
  }

  reward(action: Float32Array): number {
    if (this.#isSparse) return this.#isUpright() ? 1 : 0
    const s = this.#state
    return cartPoleReward(s[0]!, s[1]!, s[3]!, action[0]!)
  }

  info(): Info {
    return { success: this.#uprightSteps >= HOLD_STEPS ? 1 : 0 }
  }

  /** Scales the pole's mass. */
  scaleDynamics(massScale: number): void {
    this.#poleKg = POLE_KG * massScale
  }

  save(): TaskState {
    const saved: SavedState = { state: [...this.#state], upright: this.#uprightSteps, poleKg: this.#poleKg }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { state, upright, poleKg } = json as SavedState
    this.#state.set(state)
    this.#uprightSteps = upright
    this.#poleKg = poleKg
  }

  close(): void {}

  #isUpright(): boolean {
    return Math.cos(this.#state[1]!) >= UPRIGHT_COS && Math.abs(this.#state[0]!) <= MIDDLE_M
  }
}

/**
 * Rates of [x, theta, xDot, thetaDot] for a frictionless cart with a uniform pole (Barto, Sutton and Anderson 1983; Florian 2007 without
 * friction), theta 0 upright.
 */
export function cartPoleRates(state: Float64Array, rate: Float64Array, forceN: number, poleKg: number = POLE_KG): void {
  const [sin, cos] = [Math.sin(state[1]!), Math.cos(state[1]!)]
  const spin = state[3]!
  const totalKg = CART_KG + poleKg
  const push = (forceN + poleKg * HALF_M * spin * spin * sin) / totalKg
  const turn = (GRAVITY * sin - cos * push) / (HALF_M * (4 / 3 - (poleKg * cos * cos) / totalKg))
  rate[0] = state[2]!
  rate[1] = spin
  rate[2] = push - (poleKg * HALF_M * turn * cos) / totalKg
  rate[3] = turn
}

/** dm_control's smooth reward: (1 + cos) / 2 and how centred, gentle (action in [-1, 1]) and slow-turning it is, multiplied. */
export function cartPoleReward(x: number, theta: number, thetaDot: number, action: number): number {
  const upright = (Math.cos(theta) + 1) / 2
  const centred = (1 + tolerance(x, 0, 0, { margin: 2 })) / 2
  const gentle = (4 + tolerance(action, 0, 0, { margin: 1, sigmoid: 'quadratic', valueAtMargin: 0 })) / 5
  const slow = (1 + tolerance(thetaDot, 0, 0, { margin: 5 })) / 2
  return upright * gentle * slow * centred
}

/** An inelastic stop acts on x alone, so the momentum that belongs to theta, m l cos(theta) xDot + 4/3 m l^2 thetaDot, stays. */
function stopAtRailEnds(s: Float64Array): void {
  const [x, speed] = [s[0]!, s[2]!]
  if (Math.abs(x) >= RAIL_M) {
    s[0] = Math.sign(x) * RAIL_M
    if (x * speed > 0) {
      s[3] = s[3]! + (0.75 / HALF_M) * Math.cos(s[1]!) * speed
      s[2] = 0
    }
  }
  s[2] = clamp(s[2]!, MAX_SPEED)
  s[3] = clamp(s[3]!, MAX_SPIN)
}

function clamp(x: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, x))
}
