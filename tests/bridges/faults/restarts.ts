import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { until, wait } from '../helpers.ts'
import { clock } from '../simple-robot.ts'
import type { RobotReport } from './robot-process.ts'
import { ask } from './harness.ts'

const STEPS = 4096
const PATIENCE_MS = 60_000

export interface RestartReport {
  readonly restarts: number
  /** Actions that the client gave to its socket, and those which a robot saw before it was killed. */
  readonly sent: number
  readonly received: number
  readonly applied: number
  /** What robots were told that was not of their own life. */
  readonly stale: readonly number[]
}

/**
 * Kills a robot's process and starts it anew at the same ports, again and again, while one client sends actions all the time: when the robot is
 * there, while it is gone, and before it has the lease of the next one. Half of them are due in up to a second, by a clock that all processes
 * share. What it sends changes only once it knows of the restart, so that anything else moves the robot wrongly.
 *
 * @param spawn `robot-process.ts` at given endpoints, or wherever it likes, once it says where it is
 */
export async function restartAgainAndAgain(
  restarts: number,
  spawn: (endpoint?: Endpoints) => Promise<{ child: ChildProcess; first: unknown }>,
): Promise<RestartReport> {
  let { child, first } = await spawn()
  const endpoints = first as Endpoints
  let life = 1
  const client = await PolicyClient.connect({
    endpoint: endpoints.control,
    clock,
    timeoutMs: PATIENCE_MS,
    onEvent: (event) => {
      if (event.source === 'connection' && event.code === 'restarted') life++
    },
  })
  let sent = 0
  const sending = setInterval(() => {
    const dueUs = ++sent % 2 === 0 || !client.clockSync.ready ? 0 : clock() + ((sent * 7919) % 1000) * 1000
    client.act(Float32Array.of(life / STEPS, 0), { observationSeq: 0, dueUs })
  }, 5)
  const stale: number[] = []
  let received = 0
  let applied = 0
  try {
    for (let k = 0; k <= restarts; k++) {
      if (!(await until(() => life === k + 1, PATIENCE_MS))) throw new Error(`restart ${k} was not noticed`)
      await client.lease({ ttlMs: 10_000 })
      await client.arm()
      await client.start()
      let report: RobotReport
      do {
        await wait(50)
        report = await ask<RobotReport>(child, 'report')
      } while (!report.values.includes(life / STEPS) && report.state === 'ACTIVE')
      if (!report.values.includes(life / STEPS)) throw new Error(`robot ${k} is in ${report.state}`)
      stale.push(...report.values.filter((value) => value !== life / STEPS))
      received += report.counters['actions_received']!
      applied += report.counters['actions_applied']!
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      if (k < restarts) child = (await spawn(endpoints)).child
    }
  } finally {
    clearInterval(sending)
    child.kill('SIGKILL')
    await client.close()
  }
  return { restarts, sent, received, applied, stale }
}
