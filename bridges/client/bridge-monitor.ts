import type { Arrival, ObservedMessage } from './observer-client.ts'
import { Histogram } from '../protocol/histogram.ts'
import type { AnyObservationMessage, BridgeState, EventMessage } from '../protocol/messages.ts'
import { CLAMPED } from '../safety/limit-engine.ts'

/** Durations, microseconds. */
export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** One thing that happened, with how long ago. */
export interface PastEvent {
  readonly event: string
  readonly code: string
  readonly text: string
  readonly agoUs: number
}

/** What is going on at a bridge. Rates are of the last seconds, counts since the monitor's start. */
export interface BridgeSnapshot {
  readonly robot: string
  readonly state: BridgeState | 'unknown'
  readonly armed: boolean
  readonly epoch: number
  /** Who holds the lease, as the robot said; `none`, or that it was granted before the monitor's start. */
  readonly lease: string
  readonly mode: string
  readonly controlHz: number
  readonly observationHz: number
  readonly appliedHz: number
  readonly bytesPerSecond: number
  /** From capture by the robot to arrival here. */
  readonly latencyUs: Spread
  /** How far gaps between two observations are from the control period. */
  readonly jitterUs: Spread
  readonly observations: number
  /** Sent by the robot, and not arrived. */
  readonly missed: number
  /** Share of the applied actions that a limit has changed. */
  readonly clampedShare: number
  /** Which limits, by how many actions. */
  readonly clamped: Readonly<Record<string, number>>
  readonly queueLength: number
  readonly rejected: number
  readonly episode: number
  readonly step: number
  /** Of the last second that the robot told of, cumulative since its start. */
  readonly counters: Readonly<Record<string, number>>
  readonly values: Readonly<Record<string, number>>
  /** Oldest first. */
  readonly events: readonly PastEvent[]
}

const WINDOW_US = 2_000_000
const EVENTS = 8
const LEASE_CODES: ReadonlySet<string> = new Set(['lease_granted', 'lease_preempted'])
const HELD: ReadonlySet<string> = new Set(['READY', 'ACTIVE', 'HOLD'])

interface Shown {
  readonly atUs: number
  readonly bytes: number
  readonly applied: boolean
}

/** Sums up what an observer hears of a robot. */
export class BridgeMonitor {
  readonly #latency = new Histogram()
  readonly #jitter = new Histogram()
  readonly #arrivals: Shown[] = []
  readonly #events: { readonly event: EventMessage; readonly atUs: number }[] = []
  readonly #clamped: Record<string, number> = {}
  #header = { state: 'unknown' as BridgeState | 'unknown', armed: false, epoch: 0 }
  #robot = { name: '', mode: '', controlHz: 0, run: '' }
  #lease: string | undefined
  #last: AnyObservationMessage | undefined
  #lastUs = 0
  #counts = { observations: 0, missed: 0, applied: 0, clamped: 0 }
  #metrics: { readonly counters: Record<string, number>; readonly values: Record<string, number> } = {
    counters: {},
    values: {},
  }

  add(message: ObservedMessage, arrival: Arrival): void {
    // Events and observations come by different sockets, and overtake each other.
    const isOld = message.kind !== 'welcome' && message.epoch < this.#header.epoch
    if (!isOld) this.#header = { state: message.bridgeState, armed: message.armed, epoch: message.epoch }
    if (message.kind === 'welcome') this.#begin(message)
    else if (message.kind === 'event') this.#happen(message, arrival.arrivalUs)
    else if (message.kind === 'metrics') this.#metrics = { counters: message.counters, values: message.values }
    else this.#observe(message, arrival)
    if (!HELD.has(this.#header.state)) this.#lease = undefined
  }

  snapshot(nowUs: number): BridgeSnapshot {
    this.#forget(nowUs)
    const { state } = this.#header
    const { observations, missed, applied, clamped } = this.#counts
    const spanUs = Math.max(1, nowUs - (this.#arrivals[0]?.atUs ?? nowUs))
    const perSecond = (count: number): number => (this.#arrivals.length < 2 ? 0 : (count * 1e6) / spanUs)
    const inWindow = this.#arrivals.slice(1)
    return {
      robot: this.#robot.name,
      ...this.#header,
      lease: HELD.has(state) ? (this.#lease ?? 'held since before') : 'none',
      mode: this.#robot.mode,
      controlHz: this.#robot.controlHz,
      observationHz: perSecond(inWindow.length),
      appliedHz: perSecond(inWindow.filter((arrival) => arrival.applied).length),
      bytesPerSecond: perSecond(inWindow.reduce((sum, { bytes }) => sum + bytes, 0)),
      latencyUs: spreadOf(this.#latency),
      jitterUs: spreadOf(this.#jitter),
      observations,
      missed,
      clampedShare: applied === 0 ? 0 : clamped / applied,
      clamped: { ...this.#clamped },
      queueLength: this.#last?.health.queueLength ?? 0,
      rejected: this.#last?.health.rejected ?? 0,
      episode: this.#last?.episode.id ?? 0,
      step: this.#last?.episode.step ?? 0,
      ...this.#metrics,
      events: this.#events.map(({ event: { event, code, text }, atUs }) => ({
        event,
        code,
        text,
        agoUs: nowUs - atUs,
      })),
    }
  }

  #begin({ schema, mode, run }: Extract<ObservedMessage, { kind: 'welcome' }>): void {
    if (run !== this.#robot.run) this.#last = undefined
    this.#robot = { name: schema.name, mode, controlHz: schema.controlHz, run }
  }

  #happen(event: EventMessage, atUs: number): void {
    this.#events.push({ event, atUs })
    if (this.#events.length > EVENTS) this.#events.shift()
    if (LEASE_CODES.has(event.code)) this.#lease = event.text
  }

  #observe(message: AnyObservationMessage, { bytes, arrivalUs: atUs, captureUs }: Arrival): void {
    const { observationSeq, applied, episode } = message
    const last = this.#last
    // Lock-step says the newest one again until it is answered.
    if (last !== undefined && observationSeq <= last.observationSeq) return
    this.#counts.observations++
    if (last !== undefined) {
      this.#counts.missed += observationSeq - last.observationSeq - 1
      const periods = Math.max(1, observationSeq - last.observationSeq)
      this.#jitter.record(Math.abs(atUs - this.#lastUs - (periods * 1e6) / this.#robot.controlHz))
    }
    if (captureUs !== undefined) this.#latency.record(atUs - captureUs)
    const isNew = episode.id !== last?.episode.id || episode.step !== last.episode.step
    const isApplied = applied !== undefined && applied.seq > 0 && last !== undefined && isNew
    if (isApplied) this.#countApplied(applied.clamped)
    this.#last = message
    this.#lastUs = atUs
    this.#arrivals.push({ atUs, bytes: bytes.length, applied: isApplied })
    this.#forget(atUs)
  }

  #countApplied(bits: number): void {
    this.#counts.applied++
    if (bits !== 0) this.#counts.clamped++
    for (const [name, bit] of Object.entries(CLAMPED)) {
      if ((bits & bit) !== 0) this.#clamped[name] = (this.#clamped[name] ?? 0) + 1
    }
  }

  #forget(nowUs: number): void {
    while (this.#arrivals.length > 0 && nowUs - this.#arrivals[0]!.atUs > WINDOW_US) this.#arrivals.shift()
  }
}

function spreadOf(histogram: Histogram): Spread {
  return { p50: histogram.percentileUs(50), p99: histogram.percentileUs(99), max: Math.round(histogram.maxUs) }
}
