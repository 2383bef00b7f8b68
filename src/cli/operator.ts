import { PolicyClient } from '../../bridges/client/policy-client.ts'
import { clientSecurity } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { RobotFlags } from './remote.ts'
import type { NamedRobot } from './robot-names.ts'
import { robotOf, robotsOf } from './robot-names.ts'

/** What an operator can tell a robot that someone else may be moving. */
export type OperatorCommand = 'arm' | 'stop' | 'clear'

export interface OperatorReport {
  readonly robot: string
  readonly state: string
  readonly armed: boolean
  /** All of them, where a name stands for several. */
  readonly robots?: readonly OperatorReport[]
}

/**
 * `armature arm`, `stop` and `clear`: an operator lets a robot go for whoever holds its lease, brings it to rest (`safe` latches that), or
 * takes it out of a latched stop. `stop` also takes a name that stands for several robots, and stops them all.
 * @throws ArmatureError `env-failed` where there is no robot, or it refuses
 */
export async function operate(
  context: CliContext,
  command: OperatorCommand,
  robot: string,
  { safe, ...flags }: RobotFlags & { readonly safe?: boolean },
): Promise<OperatorReport> {
  if (command !== 'stop') return tell(context, command, await robotOf(robot, flags))
  const stop = safe === true ? 'stop --safe' : 'stop'
  // One that cannot be reached keeps none of the others from being stopped.
  const outcomes = await Promise.allSettled((await robotsOf(robot, flags)).map((one) => tell(context, stop, one)))
  const reports = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return reports.length === 1 ? reports[0]! : { ...reports[0]!, robots: reports }
}

async function tell(
  context: CliContext,
  command: OperatorCommand | 'stop --safe',
  { endpoint, ...keys }: NamedRobot,
): Promise<OperatorReport> {
  const security = await clientSecurity(keys)
  const client = await PolicyClient.connect({
    endpoint,
    clock: monotonicUs,
    name: 'operator',
    timeoutMs: 10_000,
    role: 'operator',
    ...(security === undefined ? {} : { security }),
  })
  try {
    if (command === 'stop' || command === 'stop --safe') await client.stop(command === 'stop' ? 'hold' : 'safe')
    else await client[command]()
    const { schema, state, armed } = client
    context.print(`${schema.name} ${schema.serial}: ${state}${armed ? ', armed' : ''}`)
    return { robot: schema.name, state, armed }
  } finally {
    await client.close()
  }
}
