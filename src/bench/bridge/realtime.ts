import { setTimeout as sleep } from 'node:timers/promises'
import type { PolicyClientOptions } from '../../../bridges/client/options.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import type { ObservationContent } from '../../../bridges/protocol/messages.ts'
import type { WorkerTask } from './child.ts'
import { BenchChild } from './child.ts'
import { median, percentiles } from './numbers.ts'
import type { BenchCameras } from './robot.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'
import type { Section, SectionContext } from './section.ts'

const HZ = 50
const SMALL: BenchCameras = { count: 1, height: 64, width: 64 }
const THREE_CAMERAS: BenchCameras = { count: 3, height: 480, width: 640 }
const CONNECTIONS = 5
const RESTARTS = 3
/** Actions between two turns of the event loop. */
const FLOOD = 8
const ACTION_SIZE = 7

/** Robots that run by the clock. */
export const realtimeSections: Readonly<Record<string, Section>> = {
  tick: { measures: `a robot at ${HZ} Hz whose every observation is answered at once`, run: tick },
  throughput: {
    measures: 'as many observations and actions as get through, and three 640x480 cameras at 30 Hz',
    run: throughput,
  },
  connect: { measures: 'from nothing to the first observation; from a restart of the robot to the next', run: connect },
}

/** A robot in real time, in a child. */
export function realtimeRobot(
  controlHz: number,
  cameras: BenchCameras = SMALL,
  more: Pick<Extract<WorkerTask, { kind: 'robot' }>, 'endpoints' | 'messagesPerSecond'> = {},
): Promise<BenchChild> {
  return BenchChild.start({ kind: 'robot', mode: 'realtime', controlHz, cameras, ...more })
}

export function connectTo(child: BenchChild, options: Partial<PolicyClientOptions> = {}): Promise<PolicyClient> {
  return PolicyClient.connect({
    endpoint: child.endpoints.control,
    clock: monotonicUs,
    timeoutMs: 20_000,
    observationTimeoutMs: 20_000,
    ...options,
  })
}

export async function startMoving(client: PolicyClient): Promise<void> {
  await client.lease()
  await client.arm()
  await client.start()
}

/** Answers observations until `untilUs`, and gives each to `look` before. */
export async function answer(
  client: PolicyClient,
  untilUs: number,
  look: (seen: ObservationContent) => void,
): Promise<void> {
  const action = new Float32Array(ACTION_SIZE)
  while (monotonicUs() < untilUs) {
    const observation = await client.nextObservation()
    client.act(action, { observationSeq: observation.observationSeq })
    look(observation)
  }
}

async function withRobot<T>(
  child: Promise<BenchChild>,
  work: (child: BenchChild, client: PolicyClient) => Promise<T>,
): Promise<T> {
  const robot = await child
  let client: PolicyClient | undefined
  try {
    client = await connectTo(robot)
    return await work(robot, client)
  } finally {
    robot.end()
    await client?.close()
  }
}

function tick({ seconds, check }: SectionContext): Promise<Record<string, number>> {
  return withRobot(realtimeRobot(HZ), async (child, client) => {
    await startMoving(client)
    await answer(client, monotonicUs() + 1e6, () => {})
    child.clearLateness()
    const trips = new RealtimeTrips()
    const before = await child.stats()
    const untilUs = monotonicUs() + seconds * 1e6
    await answer(client, untilUs, (seen) => {
      check()
      trips.see(seen)
    })
    const { tickLatenessUs, cpuUs, atUs } = await child.stats()
    const { p50, p99, p999, max } = tickLatenessUs
    return {
      'tick_lateness_us.p50': p50,
      'tick_lateness_us.p99': p99,
      'tick_lateness_us.p999': p999,
      'tick_lateness_us.max': max,
      ...percentiles('verdict_us', trips.toVerdictUs),
      ...percentiles('round_trip_tick_us', trips.toExecutionUs),
      round_trip_tick_unanswered: trips.unanswered,
      robot_cpu_percent: (100 * (cpuUs - before.cpuUs)) / (atUs - before.atUs),
    }
  })
}

/** What observations say of the actions that were executed before them, all by the robot's clock. */
class RealtimeTrips {
  readonly toVerdictUs: number[] = []
  readonly toExecutionUs: number[] = []
  readonly #captureUs = new Map<number, number>()
  #lastSeq = 0
  #count = 0

  /** Observations so far without an answer that was executed. */
  get unanswered(): number {
    return Math.max(0, this.#count - 1 - this.toExecutionUs.length)
  }

  see({ observationSeq, captureUs, applied }: ObservationContent): void {
    this.#count++
    this.#captureUs.set(observationSeq, captureUs)
    if (applied === undefined || applied.seq <= this.#lastSeq) return
    this.#lastSeq = applied.seq
    const beganUs = this.#captureUs.get(applied.observationSeq)
    if (beganUs === undefined) return
    this.toExecutionUs.push(captureUs - beganUs)
    this.toVerdictUs.push(captureUs - applied.lateUs - beganUs)
  }
}

async function throughput({ seconds }: SectionContext): Promise<Record<string, number>> {
  const share = Math.max(0.5, seconds / 3)
  return { ...(await actionRate(share)), ...(await observationRate(share)), ...(await cameraRate(share)) }
}

function actionRate(seconds: number): Promise<Record<string, number>> {
  return withRobot(realtimeRobot(HZ), async (child, client) => {
    await startMoving(client)
    const action = new Float32Array(ACTION_SIZE)
    const before = await child.stats()
    const untilUs = monotonicUs() + seconds * 1e6
    while (monotonicUs() < untilUs) {
      for (let i = 0; i < FLOOD; i++) client.act(action, { observationSeq: 0 })
      await new Promise((resolve) => setImmediate(resolve))
    }
    const after = await child.stats()
    const taken = after.counters.actions_received! - before.counters.actions_received!
    return { throughput_actions_per_s: (taken * 1e6) / (after.atUs - before.atUs) }
  })
}

function observationRate(seconds: number): Promise<Record<string, number>> {
  return withRobot(realtimeRobot(10_000), async (_, client) => ({
    throughput_observations_per_s: (await receivedFor(client, seconds)) / seconds,
  }))
}

function cameraRate(seconds: number): Promise<Record<string, number>> {
  return withRobot(realtimeRobot(30, THREE_CAMERAS), async (child, client) => {
    await sleep(500)
    const before = await child.stats()
    const received = await receivedFor(client, seconds)
    const after = await child.stats()
    const sent = after.counters.observations_sent! - before.counters.observations_sent!
    return {
      throughput_cameras_per_s: received / seconds,
      throughput_cameras_lost_percent: Math.max(0, (100 * (sent - received)) / sent),
      throughput_cameras_cpu_percent: (100 * (after.cpuUs - before.cpuUs)) / (after.atUs - before.atUs),
    }
  })
}

async function receivedFor(client: PolicyClient, seconds: number): Promise<number> {
  const before = client.counters.observations_received!
  await sleep(seconds * 1000)
  return client.counters.observations_received! - before
}

async function connect({ check }: SectionContext): Promise<Record<string, number>> {
  const idle = await realtimeRobot(20)
  try {
    await sleep(500)
    const before = await idle.stats()
    await sleep(2000)
    const after = await idle.stats()
    const connectMs: number[] = []
    while (connectMs.length < CONNECTIONS) {
      check()
      const beginUs = monotonicUs()
      const client = await connectTo(idle)
      try {
        await client.nextObservation()
        connectMs.push((monotonicUs() - beginUs) / 1000)
      } finally {
        await client.close()
      }
    }
    return {
      connect_ms: median(connectMs),
      reconnect_ms: median(await reconnections()),
      idle_cpu_percent: (100 * (after.cpuUs - before.cpuUs)) / (after.atUs - before.atUs),
    }
  } finally {
    idle.end()
  }
}

/** Milliseconds from when a robot that was killed is there again, at the same ports, to its first observation at the same client. */
async function reconnections(): Promise<number[]> {
  let child = await realtimeRobot(HZ)
  const { endpoints } = child
  const client = await connectTo(child)
  const times: number[] = []
  try {
    while (times.length < RESTARTS) {
      await client.nextObservation()
      child.end()
      const { run } = client.welcome
      child = await realtimeRobot(HZ, SMALL, { endpoints })
      const beginUs = monotonicUs()
      while (client.welcome.run === run) await client.nextObservation()
      times.push((monotonicUs() - beginUs) / 1000)
    }
    return times
  } finally {
    child.end()
    await client.close()
  }
}
