import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { EpisodeResult } from '../evaluate/policy.ts'
import { agentPolicy } from '../run/policies.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { loadRun } from '../compose/load-run.ts'
import type { RobotConnections } from './remote.ts'
import type { WrittenReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'

export interface DriveOptions {
  /** Address of the robot. */
  readonly to: string
  readonly episodes: number
  /** Ends an episode; needed where the robot ends none. */
  readonly maxSeconds?: number
  /** Refuse a robot that runs in real time. */
  readonly lockstep?: boolean
}

/**
 * `armature drive`: the deterministic policy of a run moves a robot for some episodes, from the seeds and to the table of `armature eval`.
 * Whatever ends it, the robot is told to stop and let go; should this process die instead, the robot stops by itself.
 *
 * @throws ArmatureError `bad-argument` for a robot of another kind than the run was trained on; `env-failed` where there is none, it refuses,
 *   or it stops; `interrupted`
 */
export async function driveRun(
  context: CliContext,
  path: string,
  options: DriveOptions,
  robots: RobotConnections,
): Promise<WrittenReport & { step: number }> {
  const { folder, parts, step } = await loadRun(path, { env: options.to, robots })
  const robot = parts.robot!
  const maxSteps = stepsOf(robot, options)
  const name = `${parts.config.preset}-step${step}-driven`
  const report = await movingRobot(context, robot, () =>
    reportPolicy(context, robot, agentPolicy(parts), {
      name,
      episodes: options.episodes,
      folder: folder.evaluations,
      ...(maxSteps === undefined ? {} : { maxSteps }),
      onEpisode: (result) => context.progress.print(`${textOfEpisode(result)}\n`),
    }),
  )
  context.print(reportTable([report]))
  return { ...report, step }
}

/** @throws ArmatureError `bad-argument` for a robot in real time that should not be, or one whose episodes would never end */
export function stepsOf(
  { spec, isLockstep }: RemoteEnv,
  { to, lockstep, maxSeconds }: Pick<DriveOptions, 'to' | 'lockstep' | 'maxSeconds'>,
): number | undefined {
  if (lockstep === true && !isLockstep) {
    throw new ArmatureError('bad-argument', `robot at ${to}`, {
      expected: 'lock-step',
      got: 'real time',
      fix: 'leave --lockstep out, or start the robot with it',
    })
  }
  if (maxSeconds !== undefined) return Math.max(1, Math.round(maxSeconds * spec.controlHz))
  if (spec.maxEpisodeSteps > 0) return undefined
  throw new ArmatureError('bad-argument', `robot at ${to}`, {
    expected: '--max-seconds',
    got: `${spec.id}, which never ends an episode itself`,
  })
}

/** Does `work` that moves `robot`, stops it at once at Ctrl-C, and in the end in any case. */
export async function movingRobot<T>(context: CliContext, robot: RemoteEnv, work: () => Promise<T>): Promise<T> {
  const onAbort = (): void => void robot.letGo()
  context.signal.addEventListener('abort', onAbort)
  try {
    return await work()
  } catch (error) {
    throwIfInterrupted(context)
    throw error
  } finally {
    context.signal.removeEventListener('abort', onAbort)
    await robot.letGo()
  }
}

/** One episode in one line. */
export function textOfEpisode({ seed, length, final, return: total }: EpisodeResult): string {
  const { distance, success } = final
  const parts = [
    `episode of seed ${seed}: ${length} steps`,
    distance === undefined ? `return ${total.toFixed(1)}` : `final distance ${(100 * distance).toFixed(1)} cm`,
    ...(success === undefined ? [] : [success > 0 ? 'success' : 'no success']),
  ]
  return parts.join(', ')
}
