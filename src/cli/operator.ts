import { PolicyClient } from '../../bridges/client/policy-client.ts'
import { clientSecurity } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { RobotFlags } from './remote.ts'

/** What an operator can tell a robot that someone else may be moving. */
export type OperatorCommand = 'arm' | 'stop' | 'clear'

export interface OperatorReport {
  readonly robot: string
  readonly state: string
  readonly armed: boolean
}

/**
 * `armature arm`, `stop` and `clear`: an operator lets a robot go for whoever holds its lease, brings it to rest (`safe` latches that), or
 * takes it out of a latched stop.
 * @throws ArmatureError `env-failed` where there is no robot, or it refuses
 */
export async function operate(
  context: CliContext,
  command: OperatorCommand,
  endpoint: string,
  { safe, ...flags }: RobotFlags & { readonly safe?: boolean },
): Promise<OperatorReport> {
  const security = await clientSecurity(flags)
  const client = await PolicyClient.connect({
    endpoint,
    clock: monotonicUs,
    name: 'operator',
    timeoutMs: 10_000,
    role: 'operator',
    ...(security === undefined ? {} : { security }),
  })
  try {
    if (command === 'stop') await client.stop(safe === true ? 'safe' : 'hold')
    else await client[command]()
    const { schema, state, armed } = client
    context.print(`${schema.name} ${schema.serial}: ${state}${armed ? ', armed' : ''}`)
    return { robot: schema.name, state, armed }
  } finally {
    await client.close()
  }
}
