import { setTimeout as sleep } from 'node:timers/promises'
import type { BridgeSnapshot } from '../../bridges/client/bridge-monitor.ts'
import { BridgeMonitor } from '../../bridges/client/bridge-monitor.ts'
import type { ObserverClient } from '../../bridges/client/observer-client.ts'
import type { WelcomeMessage } from '../../bridges/protocol/messages.ts'
import type { LimitProfile } from '../../bridges/safety/limits.ts'
import { loadLimits } from '../../bridges/safety/limits.ts'
import { ArmatureError } from '../core/errors.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { observeRobot } from './bridge-connect.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { table } from './table.ts'
import { duration } from './watch.ts'

export interface BridgeDoctorOptions extends BridgeKeyFlags {
  /** For so long observations and round trips are measured. */
  readonly seconds: number
}

/** One thing that was looked at; `bad` means that nothing should be driven like this. */
export interface BridgeCheck {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'bad'
  readonly detail: string
}

export interface BridgeDoctorReport {
  readonly ok: boolean
  readonly endpoint: string
  readonly checks: readonly BridgeCheck[]
  /** Absent where there is no robot. */
  readonly robot?: {
    readonly name: string
    readonly serial: string
    readonly observationDigest: string
    readonly actionDigest: string
    readonly limits: unknown
  }
  readonly roundTripUs?: { readonly p50: number; readonly p99: number; readonly max: number; readonly samples: number }
  readonly clockUs?: { readonly offset: number; readonly error: number }
  readonly observed?: BridgeSnapshot
}

const PING_GAP_MS = 25
/** Upper ends of the histogram of round trips, microseconds. */
const BUCKETS_US: readonly number[] = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, Infinity]
const BAR = 40

/**
 * `armature doctor <address>`: whether a robot can be driven from here, without driving it. It looks on for some seconds.
 * @returns a report whose `ok` is false when there is no robot, it refuses, or something is bad
 * @throws ArmatureError `bad-argument` for an address or keys that cannot be used; `interrupted`
 */
export async function bridgeDoctor(
  context: CliContext,
  endpoint: string,
  options: BridgeDoctorOptions,
): Promise<BridgeDoctorReport> {
  const monitor = new BridgeMonitor()
  const broken: string[] = []
  let observer: ObserverClient
  try {
    ;({ observer } = await observeRobot(endpoint, options, {
      name: 'doctor',
      onMessage: (message, arrival) => monitor.add(message, arrival),
      onChange: (change, text) => broken.push(`${change}: ${text}`),
    }))
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'env-failed') throw error
    return report(context, { endpoint, checks: [{ name: 'hello', result: 'bad', detail: error.message }] })
  }
  try {
    const { welcome } = observer
    const trips = await measure(context, observer, options.seconds)
    const observed = monitor.snapshot(monotonicUs())
    const { offsetUs: offset, errorUs: error } = observer.clockSync
    const { name, serial } = welcome.schema
    const checks = [
      ...checkWelcome(welcome, options.key !== undefined),
      checkState(observed),
      checkTrips(welcome, trips),
      checkClock(welcome, offset, error),
      ...checkObservations(welcome, observed, options.seconds),
      { name: 'connection', result: broken.length === 0 ? 'ok' : 'bad', detail: broken[0] ?? 'no fault' } as const,
      checkLimits(welcome),
    ]
    const { observationDigest, actionDigest, limits } = welcome
    return report(
      context,
      {
        endpoint,
        checks,
        robot: { name, serial, observationDigest, actionDigest, limits },
        roundTripUs: { p50: at(trips, 0.5), p99: at(trips, 0.99), max: at(trips, 1), samples: trips.length },
        clockUs: { offset: Math.round(offset), error: Math.round(error) },
        observed,
      },
      trips,
    )
  } finally {
    await observer.close()
  }
}

/** Round trips, ascending, microseconds. */
async function measure(context: CliContext, observer: ObserverClient, seconds: number): Promise<readonly number[]> {
  const trips: number[] = []
  const phase = context.progress.phase('observe', seconds)
  const startUs = monotonicUs()
  for (let passedS = 0; passedS < seconds; passedS = (monotonicUs() - startUs) / 1e6) {
    phase.update(Math.floor(passedS))
    trips.push(await observer.ping().catch(() => Infinity))
    await sleep(PING_GAP_MS)
    throwIfInterrupted(context)
  }
  phase.finish()
  return trips.toSorted((a, b) => a - b)
}

function checkWelcome(welcome: WelcomeMessage, hasKeys: boolean): BridgeCheck[] {
  const { schema, protocol, mode, role, insecure, observationDigest, actionDigest, watchdogs } = welcome
  const { action, proprio, images, actionKind, controlHz } = schema
  const cameras = Object.entries(images).map(([name, { shape }]) => `${name} ${shape[1]}x${shape[0]}`)
  const security = hasKeys
    ? 'both sides have shown their keys; all is encrypted'
    : 'no keys: only this machine can reach it'
  const { softUs, hardUs, leaseUs } = watchdogs
  return [
    {
      name: 'hello',
      result: 'ok',
      detail: `${schema.name} (${schema.serial || 'no serial'}), protocol ${protocol}, as ${role}`,
    },
    insecure
      ? { name: 'security', result: 'warn', detail: 'it listens to the network without keys: anyone there can move it' }
      : { name: 'security', result: 'ok', detail: security },
    {
      name: 'actions',
      result: 'ok',
      detail: `${action.shape.join('x')} ${actionKind} at ${controlHz} Hz, ${mode}: ${action.names.join(', ') || 'without names'}`,
    },
    {
      name: 'sees',
      result: 'ok',
      detail: `proprioception of ${proprio.shape.join('x')}, ${cameras.join(', ') || 'no camera'}`,
    },
    {
      name: 'digests',
      result: 'ok',
      detail: `observations ${observationDigest.slice(0, 16)}, actions ${actionDigest.slice(0, 16)}`,
    },
    {
      name: 'watchdogs',
      result: 'ok',
      detail:
        mode === 'lockstep'
          ? 'none: time stands still between two actions'
          : `holds after ${duration(softUs)} without an action, stops for good after ${duration(hardUs)}, lease lost after ${duration(leaseUs)}`,
    },
  ]
}

function checkState({ state, armed, epoch, lease }: BridgeSnapshot): BridgeCheck {
  const isLatched = state === 'SAFE_STOP' || state === 'ESTOP'
  const detail = `${state}${armed ? ', armed' : ''}, epoch ${epoch}, lease: ${lease}`
  return {
    name: 'state',
    result: isLatched ? 'warn' : 'ok',
    detail: isLatched ? `${detail}; an operator must clear it before it can be driven` : detail,
  }
}

function checkTrips({ schema, mode }: WelcomeMessage, trips: readonly number[]): BridgeCheck {
  const periodUs = 1e6 / schema.controlHz
  const lost = trips.filter((us) => us === Infinity).length
  const detail = `p50 ${duration(at(trips, 0.5))}, p99 ${duration(at(trips, 0.99))}, max ${duration(at(trips, 1))} of ${trips.length}`
  if (lost > 0)
    return { name: 'round trip', result: 'bad', detail: `${lost} of ${trips.length} pings without an answer` }
  if (mode === 'lockstep' || at(trips, 0.99) <= periodUs / 2) return { name: 'round trip', result: 'ok', detail }
  const isSlow = at(trips, 0.5) > periodUs
  return {
    name: 'round trip',
    result: isSlow ? 'bad' : 'warn',
    detail: `${detail}; a control period is ${duration(periodUs)}`,
  }
}

function checkClock({ schema }: WelcomeMessage, offsetUs: number, errorUs: number): BridgeCheck {
  const where = offsetUs < 0 ? `${Math.round(-offsetUs)} us behind` : `${Math.round(offsetUs)} us ahead of`
  const detail = `${where} ours, to within ${duration(errorUs)}`
  return { name: 'clock', result: errorUs > 1e6 / schema.controlHz / 4 ? 'warn' : 'ok', detail }
}

function checkObservations({ schema, mode }: WelcomeMessage, seen: BridgeSnapshot, seconds: number): BridgeCheck[] {
  if (mode === 'lockstep') {
    return [{ name: 'observations', result: 'ok', detail: 'one for each action: no rate to measure in lock-step' }]
  }
  const { observationHz, observations, missed, jitterUs, latencyUs } = seen
  const expected = schema.controlHz * seconds
  const rateCheck = (result: BridgeCheck['result']): BridgeCheck => ({
    name: 'observations',
    result,
    detail: `${observationHz.toFixed(1)}/s of ${schema.controlHz}/s, ${missed} of ${observations + missed} missed`,
  })
  const share = Math.min(observationHz / schema.controlHz, observations / expected)
  const spread = `latency p50 ${duration(latencyUs.p50)}, p99 ${duration(latencyUs.p99)}; jitter p99 ${duration(jitterUs.p99)}`
  return [
    rateCheck(share < 0.9 ? 'bad' : share < 0.98 || missed > expected / 100 ? 'warn' : 'ok'),
    { name: 'timing', result: jitterUs.p99 > 5e5 / schema.controlHz ? 'warn' : 'ok', detail: spread },
  ]
}

function checkLimits({ limits, schema }: WelcomeMessage): BridgeCheck {
  let profile: LimitProfile
  try {
    profile = loadLimits(limits)
  } catch {
    return { name: 'limits', result: 'warn', detail: `a profile of another form: ${JSON.stringify(limits)}` }
  }
  const { name, mode, elements } = profile
  const kinds = ['maxVelocity', 'maxAcceleration', 'maxJerk', 'maxStep', 'maxLead', 'startTolerance'] as const
  const set = kinds.map((kind) => [kind, elements.filter((element) => element[kind] !== undefined).length] as const)
  const some = set.filter(([, count]) => count > 0).map(([kind, count]) => `${kind} of ${count}`)
  const detail = `${name}, ${mode}, ${elements.length} elements: range${some.map((text) => `, ${text}`).join('')}`
  const isOpen = some.length === 0 && !schema.isSimulated
  return { name: 'limits', result: isOpen ? 'warn' : 'ok', detail: isOpen ? `${detail}; nothing limits speed` : detail }
}

function report(
  context: CliContext,
  content: Omit<BridgeDoctorReport, 'ok'>,
  trips: readonly number[] = [],
): BridgeDoctorReport {
  const { checks } = content
  const ok = checks.every(({ result }) => result !== 'bad')
  context.print(table(checks.map(({ name, result, detail }) => [result.padEnd(4), name, detail])))
  if (trips.length > 0) context.print(`round trips\n${histogram(trips)}`)
  const warnings = checks.filter(({ result }) => result === 'warn').length
  context.print(
    ok
      ? `can be driven from here${warnings > 0 ? `, with ${warnings} warning${warnings === 1 ? '' : 's'}` : ''}`
      : 'not fit to be driven from here',
  )
  return { ok, ...content }
}

function histogram(trips: readonly number[]): string {
  const counts = BUCKETS_US.map((end, i) => trips.filter((us) => us <= end && us > (BUCKETS_US[i - 1] ?? -1)).length)
  const most = Math.max(...counts)
  const first = counts.findIndex((count) => count > 0)
  const last = counts.findLastIndex((count) => count > 0)
  const rows = counts.slice(first, last + 1).map((count, i) => {
    const end = BUCKETS_US[first + i]!
    const label = end === Infinity ? `  more than ${duration(BUCKETS_US.at(-2)!)}` : `  up to ${duration(end)}`
    return [label, String(count), '#'.repeat(Math.ceil((count / most) * BAR))]
  })
  return table(rows)
}

function at(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? 0
}
