import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchChild, WorkerStats } from './child.ts'
import { slope } from './numbers.ts'
import { answer, connectTo, realtimeRobot, startMoving } from './realtime.ts'
import { collectGarbage } from '../garbage.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'
import type { SectionContext } from './section.ts'

const HZ = 50
const SAMPLES = 60
/** Of the samples, which are left out at the beginning: caches fill, code is compiled, V8 finds the size of its heap. */
const WARM_UP_SHARE = 1 / 3
/** Longer than the hard watchdog. */
const SILENCE_MS = 1200

interface Sample {
  readonly atUs: number
  readonly robot: WorkerStats
  readonly clientRssBytes: number
  readonly clientHeapBytes: number
  readonly clientFiles: number
}

/**
 * A robot at 50 Hz that is answered for minutes. Then the client falls silent, once, so that both watchdogs must act. Memory is
 * measured after all garbage has been collected, because V8 lets its heap grow and shrink by more than a slow leak makes in that time;
 * slopes are those of the last two thirds.
 */
export async function soak({ minutes, check }: SectionContext): Promise<Record<string, number>> {
  const child = await realtimeRobot(HZ)
  try {
    const client = await connectTo(child, { role: 'operator' })
    try {
      const samples: Sample[] = [await sampleOf(child)]
      await startMoving(client)
      while (samples.length <= SAMPLES) {
        check()
        await answer(client, monotonicUs() + (minutes * 60e6) / SAMPLES, () => {})
        samples.push(await sampleOf(child))
        // A loaded machine may have stopped it; that is counted, and it goes on.
        if (client.state === 'SAFE_STOP') await client.clear()
        if (client.state === 'IDLE') await startMoving(client)
      }
      const seconds = (samples.at(-1)!.atUs - samples[0]!.atUs) / 1e6
      await sleep(SILENCE_MS)
      const after = await child.stats()
      return {
        soak_minutes: seconds / 60,
        ...growth(samples),
        ...watchdogs(samples, after),
        ...fates(client.counters, after),
      }
    } finally {
      await client.close()
    }
  } finally {
    child.end()
  }
}

async function sampleOf(child: BenchChild): Promise<Sample> {
  const robot = await child.stats(true)
  const clientFiles = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  return { atUs: monotonicUs(), robot, clientRssBytes: rss, clientHeapBytes: heapUsed, clientFiles }
}

function growth(samples: readonly Sample[]): Record<string, number> {
  const steady = samples.slice(Math.floor(samples.length * WARM_UP_SHARE))
  const [first, last] = [steady[0]!, steady.at(-1)!]
  const perHour = (bytes: (sample: Sample) => number): number =>
    slope(steady.map((sample) => [sample.atUs / 3.6e9, bytes(sample) / 1e6]))
  return {
    soak_robot_rss_mb_per_hour: perHour(({ robot }) => robot.rssBytes),
    soak_client_rss_mb_per_hour: perHour(({ clientRssBytes }) => clientRssBytes),
    soak_robot_heap_mb_per_hour: perHour(({ robot }) => robot.heapBytes),
    soak_client_heap_mb_per_hour: perHour(({ clientHeapBytes }) => clientHeapBytes),
    soak_robot_rss_mb: last.robot.rssBytes / 1e6,
    soak_client_rss_mb: last.clientRssBytes / 1e6,
    soak_robot_files_grown: last.robot.openFiles - first.robot.openFiles,
    soak_client_files_grown: last.clientFiles - first.clientFiles,
  }
}

/** Alarms while the client answered, and how many of the two that its silence calls for were missing. */
function watchdogs(samples: readonly Sample[], { counters, state }: WorkerStats): Record<string, number> {
  const before = samples.at(-1)!.robot
  const soft = counters.watchdog_soft! - before.counters.watchdog_soft!
  const isStopped = state === 'SAFE_STOP'
  return {
    soak_watchdog_soft: before.counters.watchdog_soft!,
    soak_watchdog_hard: before.counters.watchdog_hard!,
    soak_watchdogs_missed: (soft >= 1 || before.state !== 'ACTIVE' ? 0 : 1) + (isStopped ? 0 : 1),
    'soak_tick_lateness_us.p50': before.tickLatenessUs.p50,
    'soak_tick_lateness_us.p99': before.tickLatenessUs.p99,
    'soak_tick_lateness_us.max': before.tickLatenessUs.max,
  }
}

function fates(client: Readonly<Record<string, number>>, { counters }: WorkerStats): Record<string, number> {
  const count = (name: string): number => counters[`actions_${name}`]!
  const names = ['applied', 'late', 'too_early', 'rejected', 'superseded', 'pending'] as const
  const settled = names.reduce((sum, name) => sum + count(name), 0)
  return {
    soak_actions_sent: client.actions_sent!,
    soak_actions_not_sent: client.actions_not_sent!,
    ...Object.fromEntries(names.map((name) => [`soak_actions_${name}`, count(name)])),
    soak_actions_unaccounted: client.actions_sent! - settled,
  }
}
