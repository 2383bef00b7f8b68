import type { Robot, RobotReading, RobotSpec, StopCategory } from '../../src/core/robot.ts'
import { boxSpace } from '../../src/core/spaces.ts'

/** Monotonic microseconds. */
export const clock = (): number => Number(process.hrtime.bigint() / 1000n)

/** A robot of two joints that is where it was last told to be, and remembers what it was told. */
export class SimpleRobot implements Robot {
  readonly spec: RobotSpec
  readonly applied: number[][] = []
  readonly stops: StopCategory[] = []
  resets = 0
  isClosed = false
  /** Thrown by the next `apply`. */
  failure: Error | undefined
  /** Awaited by each `apply`. */
  delay: () => Promise<void> = async () => {}
  #position = new Float32Array(2)
  #step = 0

  constructor(spec: Partial<RobotSpec> = {}) {
    this.spec = {
      name: 'test/Simple',
      serial: '1',
      actionSpace: boxSpace([2], -1, 1, ['a_rad', 'b_rad']),
      actionKind: 'position',
      proprioSpace: boxSpace([2], -10, 10, ['a_rad', 'b_rad']),
      stateSpace: boxSpace([0], 0, 0),
      imageSpaces: {},
      controlHz: 50,
      maxEpisodeSteps: 0,
      isSimulated: true,
      ...spec,
    }
  }

  async reset(): Promise<RobotReading> {
    this.resets++
    this.#position = new Float32Array(2)
    this.#step = 0
    return this.read()
  }

  async read(): Promise<RobotReading> {
    const { maxEpisodeSteps } = this.spec
    return {
      observation: { images: {}, proprio: this.#position, state: new Float32Array(0) },
      ageUs: 0,
      reward: this.#step,
      terminated: false,
      truncated: maxEpisodeSteps > 0 && this.#step >= maxEpisodeSteps,
      info: { step: this.#step },
    }
  }

  async apply(action: Float32Array): Promise<void> {
    await this.delay()
    if (this.failure !== undefined) throw this.failure
    this.#position.set(action)
    this.#step++
    this.applied.push([...action])
  }

  async stop(category: StopCategory): Promise<void> {
    this.stops.push(category)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}
