import type { Env, GoalEnv, Observation } from '../../src/core/env.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import type { ActionKind, GoalRobot, Robot, RobotReading, RobotSpec } from '../../src/core/robot.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'

/** What a scene does not say of itself as a robot. */
export interface EnvRobotOptions {
  /** Default: by the names of the actions. Shares of a joint's range are positions; displacements, forces and torques rest at 0. */
  readonly actionKind?: ActionKind
  /** Default `simulated`. */
  readonly serial?: string
}

/**
 * A scene as a robot. Time stands still between two actions, so that the same seed and actions show the same observations, bit for bit, as
 * the scene in process. An episode that has ended stays as it is until the next reset, whatever is applied; and a robot that is read before
 * its first reset is reset.
 *
 * @example const robot = envRobot(await makeEnv('armature/PushPuck-v0'))
 */
export function envRobot(env: GoalEnv, options?: EnvRobotOptions): GoalRobot
export function envRobot(env: Env, options?: EnvRobotOptions): Robot | GoalRobot
export function envRobot(env: Env, options: EnvRobotOptions = {}): Robot | GoalRobot {
  return isGoalEnv(env) ? new GoalEnvRobot(env, options) : new EnvRobot(env, options)
}

class EnvRobot implements Robot {
  readonly spec: RobotSpec
  readonly #env: Env
  #reading: RobotReading | undefined

  constructor(env: Env, { actionKind = kindOf(env.spec.actionSpace), serial = 'simulated' }: EnvRobotOptions) {
    const { id, actionSpace, proprioSpace, stateSpace, imageSpaces, controlHz, maxEpisodeSteps } = env.spec
    const spaces = { actionSpace, proprioSpace, stateSpace, imageSpaces }
    this.spec = { name: id, serial, ...spaces, actionKind, controlHz, maxEpisodeSteps, isSimulated: true }
    this.#env = env
  }

  async reset(options: Parameters<Robot['reset']>[0] = {}): Promise<RobotReading> {
    const { observation, info } = await this.#env.reset(options)
    this.#reading = readingOf(observation, { info })
    return this.#reading
  }

  async read(): Promise<RobotReading> {
    return this.#reading ?? (await this.reset())
  }

  async apply(action: Float32Array): Promise<void> {
    const { terminated, truncated } = await this.read()
    if (terminated || truncated) return
    const { observation, ...result } = await this.#env.step(action)
    this.#reading = readingOf(observation, result)
  }

  /** Nothing moves but by `apply`. */
  async stop(): Promise<void> {}

  async close(): Promise<void> {
    await this.#env.close()
  }
}

class GoalEnvRobot extends EnvRobot implements GoalRobot {
  readonly goalSpace: BoxSpace
  readonly #goalEnv: GoalEnv
  #goal: Awaited<ReturnType<GoalRobot['goal']>> | undefined

  constructor(env: GoalEnv, options: EnvRobotOptions) {
    super(env, options)
    this.goalSpace = env.goalSpace
    this.#goalEnv = env
  }

  override async reset(options: Parameters<Robot['reset']>[0] = {}): Promise<RobotReading> {
    this.#goal = undefined
    return super.reset(options)
  }

  async goal(): ReturnType<GoalRobot['goal']> {
    await this.read()
    this.#goal ??= {
      state: this.#goalEnv.goal.slice(),
      images: await this.#goalEnv.renderGoal(this.#goalEnv.goal),
    }
    return this.#goal
  }
}

function readingOf(observation: Observation, result: Partial<RobotReading>): RobotReading {
  return { observation, ageUs: 0, reward: 0, terminated: false, truncated: false, info: {}, ...result }
}

function kindOf({ names }: BoxSpace): ActionKind {
  const arePositions =
    names !== undefined && names.length > 0 && names.every((name) => name.endsWith('_share_of_range'))
  return arePositions ? 'position' : 'velocity'
}
