import { sizeOf } from '../../src/core/ndarray.ts'
import type {
  GoalRobot,
  Robot,
  RobotReading,
  RobotResetOptions,
  RobotSpec,
  StopCategory,
} from '../../src/core/robot.ts'
import { isGoalRobot } from '../../src/core/robot.ts'
import type { Time } from '../time.ts'
import { attempt, within } from '../time.ts'

export interface DriverOptions {
  readonly robot: Robot
  readonly time: Time
  /** Told of a `stop` that failed or does not answer. */
  readonly onStopFailed: (error: unknown) => void
}

/** A robot that does not confirm a stop is told again so often, so long after. */
const STOP_TRIES = 10
const STOP_ANSWER_MS = 250

/**
 * The robot as the bridge calls it. Whatever the code of a driver does, it ends here as one error: it may throw at once or later, or read
 * nonsense; a stop that it does not confirm is said again. How long it has been busy with one call is for others to judge.
 */
export class Driver {
  readonly #options: DriverOptions
  readonly #spec: RobotSpec
  readonly #closing = new AbortController()
  #busySinceUs: number | undefined
  #stops = 0

  constructor(options: DriverOptions) {
    this.#options = options
    this.#spec = options.robot.spec
  }

  get spec(): RobotSpec {
    return this.#spec
  }

  /** For how long it has been busy with one call, microseconds; 0 between two. */
  busyUs(nowUs: number): number {
    return this.#busySinceUs === undefined ? 0 : nowUs - this.#busySinceUs
  }

  async read(): Promise<RobotReading> {
    return checkedReading(await this.#busy(() => this.#options.robot.read()), this.#spec)
  }

  async apply(action: Float32Array): Promise<void> {
    await this.#busy(() => this.#options.robot.apply(action))
  }

  async reset(options: RobotResetOptions): Promise<RobotReading> {
    return checkedReading(await this.#busy(() => this.#options.robot.reset(options)), this.#spec)
  }

  /** Of the running episode; undefined for a robot that has none. */
  async goal(): Promise<Awaited<ReturnType<GoalRobot['goal']>> | undefined> {
    const { robot } = this.#options
    if (!isGoalRobot(robot)) return undefined
    const goal = await this.#busy(() => robot.goal())
    requireSize('the state of its goal', goal.state, sizeOf(robot.goalSpace.shape))
    requireImages(goal.images, this.#spec)
    return goal
  }

  /** Tells the robot to stop, now, whatever else it is doing; resolves once it has confirmed that, or never will. */
  async stop(category: StopCategory): Promise<void> {
    const { robot, time, onStopFailed } = this.#options
    const own = ++this.#stops
    for (let tries = 1; tries <= STOP_TRIES && own === this.#stops && !this.#closing.signal.aborted; tries++) {
      const outcome = await within(
        time,
        attempt(() => robot.stop(category)).then(
          () => undefined,
          (error: unknown) => ({ error }),
        ),
        STOP_ANSWER_MS,
        { error: new Error(`the robot has not confirmed a stop for ${STOP_ANSWER_MS} ms`) },
      )
      if (outcome === undefined) return
      onStopFailed(outcome.error)
      await time.sleep(STOP_ANSWER_MS / 2, this.#closing.signal)
    }
  }

  close(): Promise<void> {
    this.#closing.abort()
    return attempt(() => this.#options.robot.close())
  }

  async #busy<T>(call: () => Promise<T>): Promise<T> {
    this.#busySinceUs = this.#options.time.clock()
    try {
      return await call()
    } finally {
      this.#busySinceUs = undefined
    }
  }
}

/**
 * `reading` if the bridge can work with it.
 * @throws Error that says what is wrong with it
 */
function checkedReading(reading: RobotReading, spec: RobotSpec): RobotReading {
  const { proprio, state, images } = reading.observation
  requireSize('proprioception', proprio, sizeOf(spec.proprioSpace.shape))
  requireSize('state', state, sizeOf(spec.stateSpace.shape))
  requireImages(images, spec)
  const i = proprio.findIndex((x) => !Number.isFinite(x))
  if (i >= 0) {
    const name = spec.proprioSpace.names?.[i] ?? `element ${i} of its proprioception`
    throw new Error(`a reading of the robot cannot be used: ${name} is ${proprio[i]}`)
  }
  for (const key of ['ageUs', 'reward'] as const) {
    if (!Number.isFinite(reading[key]))
      throw new Error(`a reading of the robot cannot be used: ${key} is ${reading[key]}`)
  }
  return reading
}

function requireImages(images: Readonly<Record<string, Uint8Array>>, { imageSpaces }: RobotSpec): void {
  for (const name of Object.keys(images)) {
    const space = imageSpaces[name]
    if (space === undefined)
      throw new Error(`a reading of the robot has a camera ${name}, of which its spec says nothing`)
    requireSize(`the image of camera ${name}`, images[name]!, sizeOf(space.shape))
  }
}

function requireSize(what: string, { length }: { readonly length: number }, expected: number): void {
  if (length === expected) return
  throw new Error(`a reading of the robot cannot be used: ${what} has ${length} elements instead of ${expected}`)
}
