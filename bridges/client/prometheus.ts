import type { BridgeSnapshot } from './bridge-monitor.ts'

/** A robot as it is watched. */
export interface WatchedRobot {
  /** By which it is told from others, as the label `robot`. */
  readonly name: string
  /** What was last seen; undefined where it cannot be reached. */
  readonly snapshot: BridgeSnapshot | undefined
}

/** Of the robot's counters, those that also fall. */
const GAUGES: ReadonlySet<string> = new Set(['actions_pending', 'peers'])
const STATES = ['IDLE', 'READY', 'ACTIVE', 'HOLD', 'SAFE_STOP', 'ESTOP'] as const

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/**
 * What is known of robots in the text form that Prometheus reads (exposition format 0.0.4): the robot's own counters as `armature_<name>_total`, its
 * values as `armature_<name>`, and what this side sees of it.
 */
export function prometheusText(robots: readonly WatchedRobot[]): string {
  const families = new Map<string, { readonly type: 'counter' | 'gauge'; readonly samples: Sample[] }>()
  const add = (type: 'counter' | 'gauge', name: string, { labels, value }: Sample): void => {
    const full = `armature_${name.replaceAll(/\W/g, '_')}`
    const family = families.get(full) ?? { type, samples: [] }
    families.set(full, family)
    family.samples.push({ labels, value })
  }
  for (const { name: robot, snapshot } of robots) {
    add('gauge', 'up', { labels: { robot }, value: snapshot === undefined ? 0 : 1 })
    if (snapshot === undefined) continue
    for (const [name, value] of Object.entries(snapshot.counters)) {
      if (GAUGES.has(name)) add('gauge', name, { labels: { robot }, value })
      else add('counter', `${name}_total`, { labels: { robot }, value })
    }
    const { observationHz, appliedHz, clampedShare, missed, latencyUs, armed, epoch } = snapshot
    for (const [name, value] of Object.entries(snapshot.values)) add('gauge', name, { labels: { robot }, value })
    for (const state of STATES) {
      add('gauge', 'state', { labels: { robot, state }, value: snapshot.state === state ? 1 : 0 })
    }
    const seen = { armed: armed ? 1 : 0, epoch, observation_hz: observationHz, applied_hz: appliedHz }
    const latency = { observation_latency_us_p50: latencyUs.p50, observation_latency_us_p99: latencyUs.p99 }
    for (const [name, value] of Object.entries({ ...seen, ...latency, clamped_share: clampedShare })) {
      add('gauge', name, { labels: { robot }, value })
    }
    add('counter', 'observations_missed_total', { labels: { robot }, value: missed })
  }
  return [...families]
    .map(([name, { type, samples }]) => [`# TYPE ${name} ${type}\n`, ...samples.map((s) => line(name, s))].join(''))
    .join('')
}

function line(name: string, { labels, value }: Sample): string {
  const texts = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}{${texts.join(',')}} ${numberText(value)}\n`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
