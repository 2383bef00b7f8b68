import { setTimeout as sleep } from 'node:timers/promises'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Robot, RobotReading, RobotSpec, StopCategory } from '../../src/core/robot.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { bound, imageSpace } from '../../src/core/spaces.ts'

/** How a mock robot is built and how sluggish it is. */
export interface MockRobotOptions {
  /** Microseconds of a monotonic clock, by which the joints move. */
  readonly clock: () => number
  /** Positions of the joints, with names. Default: two joints, -1 to 1 rad. */
  readonly jointSpace?: BoxSpace
  readonly controlHz?: number
  /** Time constant of the joints' approach to their targets; default 30 ms. */
  readonly lagMs?: number
  /** From a command until the joints begin to follow it; default 0. */
  readonly deadTimeMs?: number
  /** Known latency of its sensors, reported with every reading; default 0. */
  readonly sensorLatencyUs?: number
  /** Side of the square image of camera `front`; 0: no camera. Default 32. */
  readonly imageSize?: number
  readonly serial?: string
}

/** What can be made to go wrong, at any time. */
export interface MockFaults {
  readFails: boolean
  applyFails: boolean
  /** Every `apply` takes so long. */
  applyDelayMs: number
  isEstopPressed: boolean
}

/** What happened to a mock robot, in order. */
export type MockRecord =
  | { readonly kind: 'apply'; readonly atUs: number; readonly action: Float32Array }
  | { readonly kind: 'stop'; readonly atUs: number; readonly category: StopCategory }
  | { readonly kind: 'reset'; readonly atUs: number }

/** A mock robot with what tests look at and turn. */
export interface MockRobot extends Robot {
  readonly faults: MockFaults
  readonly record: readonly MockRecord[]
}

const JOINTS: BoxSpace = { dtype: 'float32', shape: [2], low: -1, high: 1, names: ['joint1_rad', 'joint2_rad'] }

/**
 * A robot of joints that follow position commands with a first-order lag after a dead time, in the time of its clock. Its proprioception has
 * the names of its actions, its camera shows a bar for each joint, and it records all that it was told.
 *
 * @example const robot = mockRobot({ clock, lagMs: 50, deadTimeMs: 20 })
 */
export function mockRobot(options: MockRobotOptions): MockRobot {
  return new Mock(options)
}

class Mock implements MockRobot {
  readonly spec: RobotSpec
  readonly faults: MockFaults = { readFails: false, applyFails: false, applyDelayMs: 0, isEstopPressed: false }
  readonly record: MockRecord[] = []
  readonly #options: Required<MockRobotOptions>
  readonly #q: Float64Array
  readonly #home: Float64Array
  readonly #image: Uint8Array
  /** Commands on their way through the dead time. */
  #coming: { readonly fromUs: number; readonly target: Float64Array }[] = []
  #target: Float64Array
  #atUs: number

  constructor(given: MockRobotOptions) {
    const options = {
      jointSpace: JOINTS,
      controlHz: 50,
      lagMs: 30,
      deadTimeMs: 0,
      sensorLatencyUs: 0,
      imageSize: 32,
      serial: 'mock',
      ...given,
    }
    const { jointSpace, controlHz, imageSize, serial } = options
    this.#options = options
    this.spec = {
      name: 'mock',
      serial,
      actionSpace: jointSpace,
      actionKind: 'position',
      proprioSpace: jointSpace,
      stateSpace: { dtype: 'float32', shape: [0], low: 0, high: 0 },
      imageSpaces: imageSize > 0 ? { front: imageSpace(imageSize, imageSize) } : {},
      controlHz,
      maxEpisodeSteps: 0,
      isSimulated: false,
    }
    this.#home = Float64Array.from({ length: jointSpace.shape[0]! }, (_, i) => this.#range(i, 0.5))
    this.#q = this.#home.slice()
    this.#target = this.#home
    this.#image = new Uint8Array(imageSize * imageSize * 3)
    this.#atUs = options.clock()
  }

  async reset(): Promise<RobotReading> {
    this.#advance()
    this.record.push({ kind: 'reset', atUs: this.#atUs })
    this.#coming = []
    this.#target = this.#home
    this.#q.set(this.#home)
    return this.read()
  }

  async read(): Promise<RobotReading> {
    if (this.faults.readFails) throw new ArmatureError('env-failed', 'the mock robot cannot be read, as it was told')
    this.#advance()
    const images = this.#options.imageSize > 0 ? { front: this.#draw() } : {}
    const observation = { images, proprio: Float32Array.from(this.#q), state: new Float32Array(0) }
    return {
      observation,
      ageUs: this.#options.sensorLatencyUs,
      reward: 0,
      terminated: false,
      truncated: false,
      info: {},
    }
  }

  async apply(action: Float32Array): Promise<void> {
    const { applyFails, applyDelayMs } = this.faults
    if (applyDelayMs > 0) await sleep(applyDelayMs)
    if (applyFails) throw new ArmatureError('env-failed', 'the mock robot takes no action, as it was told')
    this.#advance()
    this.record.push({ kind: 'apply', atUs: this.#atUs, action: action.slice() })
    const fromUs = this.#atUs + this.#options.deadTimeMs * 1000
    this.#coming.push({ fromUs, target: Float64Array.from(action) })
  }

  async stop(category: StopCategory): Promise<void> {
    this.#advance()
    this.record.push({ kind: 'stop', atUs: this.#atUs, category })
    if (category === 'hold') return
    this.#coming = []
    this.#target = this.#q.slice()
  }

  async close(): Promise<void> {}

  /** Moves the joints to the present: between commands they follow q(t) = target + (q(0) - target) exp(-t / lag). */
  #advance(): void {
    const nowUs = this.#options.clock()
    while (this.#coming.length > 0 && this.#coming[0]!.fromUs <= nowUs) {
      const { fromUs, target } = this.#coming.shift()!
      this.#follow(fromUs)
      this.#target = target
    }
    this.#follow(nowUs)
  }

  #follow(untilUs: number): void {
    const lagUs = this.#options.lagMs * 1000
    const left = lagUs > 0 ? Math.exp(-Math.max(0, untilUs - this.#atUs) / lagUs) : 0
    for (let i = 0; i < this.#q.length; i++) this.#q[i] = this.#target[i]! + (this.#q[i]! - this.#target[i]!) * left
    this.#atUs = Math.max(this.#atUs, untilUs)
  }

  /** Red bars from the bottom, one for each joint, as high as its share of its range. */
  #draw(): Uint8Array {
    const { imageSize: size } = this.#options
    this.#image.fill(32)
    for (let column = 0; column < size; column++) {
      const i = Math.floor((column * this.#q.length) / size)
      const share = (this.#q[i]! - this.#range(i, 0)) / (this.#range(i, 1) - this.#range(i, 0))
      const height = Math.round(Math.min(1, Math.max(0, share)) * size)
      for (let row = size - height; row < size; row++) this.#image[(row * size + column) * 3] = 255
    }
    return this.#image
  }

  #range(i: number, share: number): number {
    const { low, high } = this.#options.jointSpace
    return bound(low, i) + (bound(high, i) - bound(low, i)) * share
  }
}
