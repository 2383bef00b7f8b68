import { firstLineOf } from '../time.ts'
import type { RobotServer } from './robot-server.ts'

/** What ends a robot's process: Ctrl-C, its service or system, and the terminal that it was started from. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface RunOptions {
  /** Called once the robot can be reached. */
  readonly onListening?: () => void
  /** Where signals and failures of the process come from; default: this process. */
  readonly process?: Pick<NodeJS.Process, 'on' | 'off'>
}

/**
 * Runs a robot until its process is told to end: starts the server, and at SIGINT, SIGTERM or SIGHUP, or an error that nobody has caught,
 * stops the robot, tells its clients goodbye and closes it, in less than a second. More signals meanwhile change nothing.
 *
 * @example
 * const reason = await runUntilSignal(new RobotServer({ robot, clock }))
 * @returns why it ended: the name of the signal
 * @throws what {@link RobotServer.start} throws, and an error that nobody has caught, once the robot is at rest
 */
export async function runUntilSignal(server: RobotServer, options: RunOptions = {}): Promise<string> {
  const { onListening, process: host = process } = options
  let resolve!: (signal: string) => void
  let reject!: (error: unknown) => void
  const ended = new Promise<string>((...settle) => ([resolve, reject] = settle))
  // Until `ended` is waited for, a failure of it is no news to anyone else.
  ended.catch(() => undefined)
  for (const signal of SIGNALS) host.on(signal, resolve)
  host.on('uncaughtException', reject)
  host.on('unhandledRejection', reject)
  let reason = 'its process ends'
  try {
    await Promise.race([server.start(), ended])
    onListening?.()
    return (reason = await ended)
  } catch (error) {
    reason = firstLineOf(error)
    throw error
  } finally {
    await server.close(reason)
    for (const signal of SIGNALS) host.off(signal, resolve)
    host.off('uncaughtException', reject)
    host.off('unhandledRejection', reject)
  }
}
