import type { RobotServerOptions } from '../../../bridges/server/options.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'

/**
 * A robot in a process of its own, which says where it is, and then how it is whenever it is asked. The only argument, if any, are
 * {@link RobotServerOptions} as JSON.
 */
export interface RobotReport {
  readonly rssBytes: number
  readonly state: string
  readonly counters: Readonly<Record<string, number>>
  /** Whether all that the robot was told is what {@link isWave} lets through. */
  readonly isClean: boolean
  /** First elements of all that the robot was told, each once. */
  readonly values: readonly number[]
  readonly observationSeq: number
  readonly latenessUsP99: number
  readonly latenessUsP999: number
  readonly latenessUsMax: number
}

/** What the valid client sends: nothing else may reach the robot. */
export const WAVE = [0.125, 0.25, 0.375] as const

const robot = new SimpleRobot()
const options = JSON.parse(process.argv[2] ?? '{}') as Partial<RobotServerOptions>
// A busy machine may keep a valid client waiting longer than a robot would.
const server = new RobotServer({ robot, clock, messagesPerSecond: 1e7, watchdogs: { hardUs: 3e6 }, ...options })
await server.start()

process.on('message', (command) => {
  // A `glance` is asked for often.
  if (command === 'clear') server.tickLateness.clear()
  if (command === 'report') globalThis.gc?.()
  const report: RobotReport = {
    rssBytes: process.memoryUsage.rss(),
    state: server.state,
    counters: server.counters,
    isClean: robot.applied.every(([x]) => x === 0 || (WAVE as readonly number[]).includes(x!)),
    values: [...new Set(robot.applied.map(([x]) => x!))],
    observationSeq: server.counters['observations_sent']!,
    latenessUsP99: server.tickLateness.percentileUs(99),
    latenessUsP999: server.tickLateness.percentileUs(99.9),
    latenessUsMax: server.tickLateness.maxUs,
  }
  process.send?.(report)
})
process.on('disconnect', () => process.exit())
process.send?.(server.endpoints)
