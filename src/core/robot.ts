import type { Info, Observation } from './env.ts'
import type { BoxSpace } from './spaces.ts'

/**
 * What an action means, and so how a robot comes to rest: a `position` is held, a `velocity` (or a displacement per step) goes to zero.
 */
export type ActionKind = 'position' | 'velocity'

/** What is known of a robot before it runs; all spaces have names with units. */
export interface RobotSpec {
  /** e.g. `armature/PushPuck-v0` for a simulated one */
  readonly name: string
  readonly serial: string
  readonly actionSpace: BoxSpace
  readonly actionKind: ActionKind
  readonly proprioSpace: BoxSpace
  /** Privileged state of a simulated robot; shape [0] on hardware. */
  readonly stateSpace: BoxSpace
  readonly imageSpaces: Readonly<Record<string, BoxSpace>>
  readonly controlHz: number
  /** Steps after which the robot itself ends an episode; 0: never. */
  readonly maxEpisodeSteps: number
  /** True where time stands still between two `apply` calls: only such a robot can run in lock-step. */
  readonly isSimulated: boolean
}

/** What a robot shows at one moment. */
export interface RobotReading {
  /** The robot's arrays, overwritten by its next `apply` or `reset`. */
  readonly observation: Observation
  /** Microseconds before this reading that it was captured: known sensor latency. */
  readonly ageUs: number
  readonly reward: number
  readonly terminated: boolean
  readonly truncated: boolean
  readonly info: Info
}

/** How to come to rest: stay powered and hold, or whatever is safest for this machine. */
export type StopCategory = 'hold' | 'safe'

export interface RobotResetOptions {
  readonly seed?: number
  readonly options?: Readonly<Record<string, unknown>>
  /** Aborted when someone stops the robot meanwhile, or its client is gone: end the motion, and reject. `stop` is called right after. */
  readonly signal?: AbortSignal
}

/**
 * The adapter on the robot's side of the bridge: a simulated arm, a mock, or a driver of real hardware. The bridge calls `reset`, `read` and
 * `apply` from one loop, never two of them at a time, and `apply` only with actions that have passed the limits. Only `stop` may come at any
 * time, also while one of the others is under way, whose motion it then ends.
 *
 * A method may throw, reject or never answer: the bridge then stops the robot for good, as it does for a reading that is not finite or has
 * other sizes than `spec` says.
 */
export interface Robot {
  readonly spec: RobotSpec
  /** Brings it to where an episode can start. It moves: see {@link RobotResetOptions.signal}. */
  reset(options?: RobotResetOptions): Promise<RobotReading>
  /** The newest reading. */
  read(): Promise<RobotReading>
  /** Executes `action` for one control period. A simulated robot advances by it. */
  apply(action: Float32Array): Promise<void>
  /** Comes to rest. Must be safe to call at any time, again and again. */
  stop(category: StopCategory): Promise<void>
  close(): Promise<void>
}

/** A goal robot can be told what to reach; a policy across the bridge is told it with the observations. */
export interface GoalRobot extends Robot {
  readonly goalSpace: BoxSpace
  /** Of the running episode, with what the cameras would see there. */
  goal(): Promise<{ readonly state: Float32Array; readonly images: Readonly<Record<string, Uint8Array>> }>
}

export function isGoalRobot(robot: Robot): robot is GoalRobot {
  return 'goalSpace' in robot
}
