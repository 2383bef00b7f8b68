import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { monotonicUs } from '../../cli/monotonic-clock.ts'
import { ATTACKS } from './attacks.ts'
import type { WorkerStats } from './child.ts'
import { answer, connectTo, realtimeRobot, startMoving } from './realtime.ts'
import type { BenchCameras } from './robot.ts'
import type { Section, SectionContext } from './section.ts'

const ATTACKER = fileURLToPath(new URL(`./attacker${extname(import.meta.url)}`, import.meta.url))
const SMALL: BenchCameras = { count: 1, height: 64, width: 64 }
const CAMERAS: BenchCameras = { count: 3, height: 720, width: 1280 }
const WARM_UP_US = 2e6
const LOOK_US = 200_000
/** Of a robot about which nothing is said. */
const MESSAGES_PER_SECOND = 400

/** A robot that is driven, and what others do to it meanwhile. */
interface Load {
  readonly hz: number
  readonly cameras: BenchCameras
  readonly attack: string
  readonly imageCodec?: 'jpeg'
}

const LOADS: Readonly<Record<string, Load>> = {
  ...Object.fromEntries(Object.keys(ATTACKS).map((attack) => [attack, { hz: 50, cameras: SMALL, attack }])),
  cameras: { hz: 30, cameras: CAMERAS, attack: 'nothing' },
  cameras_jpeg: { hz: 30, cameras: CAMERAS, attack: 'nothing', imageCodec: 'jpeg' },
  cameras_slow_disk: { hz: 30, cameras: CAMERAS, attack: 'slow_disk' },
}

/** How late control periods begin while others do what they can, and what the robot holds for them. One section for each load. */
export const hostileSections: Readonly<Record<string, Section>> = Object.fromEntries(
  Object.entries(LOADS).map(([name, load]): [string, Section] => [
    `load_${name}`,
    {
      measures: `tick lateness of a robot at ${load.hz} Hz that is driven, and its memory, under: ${name.replaceAll('_', ' ')}`,
      run: (context) => under(`load_${name}`, load, context),
    },
  ]),
)

async function under(name: string, load: Load, { seconds, check }: SectionContext): Promise<Record<string, number>> {
  const robot = await realtimeRobot(load.hz, load.cameras, { messagesPerSecond: MESSAGES_PER_SECOND })
  const attacker = fork(ATTACKER, [JSON.stringify(robot.endpoints)])
  try {
    await once(attacker, 'message')
    const client = await connectTo(robot, load.imageCodec === undefined ? {} : { imageCodec: load.imageCodec })
    try {
      await startMoving(client)
      await answer(client, monotonicUs() + WARM_UP_US, () => {})
      const before = await robot.stats(true)
      robot.clearLateness()
      const attacked = attackFor(attacker, load.attack, seconds)
      const seen = { observations: 0, mostRssBytes: 0, isOver: false }
      void attacked.finally(() => (seen.isOver = true))
      while (!seen.isOver) {
        check()
        await answer(client, monotonicUs() + LOOK_US, () => seen.observations++)
        seen.mostRssBytes = Math.max(seen.mostRssBytes, (await robot.stats()).rssBytes)
      }
      await attacked
      return reportOf(name, { before, after: await robot.stats(true), hz: load.hz, ...seen })
    } finally {
      await client.close()
    }
  } finally {
    attacker.kill('SIGKILL')
    robot.end()
  }
}

/** The same again until the time is over. */
async function attackFor(attacker: ChildProcess, attack: string, seconds: number): Promise<void> {
  const endUs = monotonicUs() + seconds * 1e6
  while (monotonicUs() < endUs) {
    const done = once(attacker, 'message')
    attacker.send(attack)
    await done
  }
}

interface Seen {
  readonly before: WorkerStats
  readonly after: WorkerStats
  readonly hz: number
  readonly observations: number
  readonly mostRssBytes: number
}

function reportOf(name: string, { before, after, hz, observations, mostRssBytes }: Seen): Record<string, number> {
  const { tickLatenessUs, ownLatenessUs } = after
  const periods = ((after.atUs - before.atUs) / 1e6) * hz
  const more = (counter: string): number => after.counters[counter]! - before.counters[counter]!
  return {
    [`${name}_period_us`]: 1e6 / hz,
    ...named(`${name}_tick_lateness_us`, tickLatenessUs),
    ...named(`${name}_own_lateness_us`, ownLatenessUs),
    [`${name}_rss_before_mb`]: before.rssBytes / 2 ** 20,
    [`${name}_rss_most_mb`]: mostRssBytes / 2 ** 20,
    [`${name}_rss_after_mb`]: after.rssBytes / 2 ** 20,
    [`${name}_observed_percent`]: (100 * observations) / periods,
    [`${name}_holds`]: more('watchdog_soft'),
    [`${name}_stops`]: more('watchdog_hard'),
    [`${name}_cpu_percent`]: (100 * (after.cpuUs - before.cpuUs)) / (after.atUs - before.atUs),
  }
}

function named(name: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]))
}
