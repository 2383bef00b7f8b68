import { describe, expect, it } from 'vitest'
import { BridgeMonitor } from '../../../bridges/client/bridge-monitor.ts'
import type { ObservedMessage } from '../../../bridges/client/observer-client.ts'
import type { EventMessage, WelcomeMessage } from '../../../bridges/protocol/messages.ts'
import { CLAMPED } from '../../../bridges/safety/limit-engine.ts'
import { appliedOf, observationOf } from '../observations.ts'
import { sampleMessages } from '../protocol/samples.ts'

const sample = sampleMessages.find((message): message is WelcomeMessage => message.kind === 'welcome')!
const welcome: WelcomeMessage = {
  ...sample,
  epoch: 1,
  bridgeState: 'IDLE',
  schema: { ...sample.schema, controlHz: 20 },
}

function event(code: string, text: string, change: Partial<EventMessage> = {}): EventMessage {
  const header = { session: 'aa', seq: 1, timeUs: 0, epoch: 2, bridgeState: 'READY', armed: false } as const
  return { kind: 'event', ...header, event: 'state', code, text, ...change }
}

function heard(...messages: readonly (readonly [ObservedMessage, number, number?])[]): BridgeMonitor {
  const monitor = new BridgeMonitor()
  for (const [message, arrivalUs, captureUs] of messages) {
    monitor.add(message, { bytes: new Uint8Array(100), arrivalUs, ...(captureUs === undefined ? {} : { captureUs }) })
  }
  return monitor
}

describe('a bridge monitor', () => {
  it('gives rates, latency, jitter, what is missing and what limits changed', () => {
    const bits = CLAMPED.velocity | CLAMPED.jerk
    const steps = Array.from({ length: 20 }, (_, i) => {
      const late = i === 10 ? 7000 : 0
      const atUs = 1e6 + 50_000 * i + late
      return [observationOf(i + 1, i, appliedOf(i, i % 4 === 0 ? bits : 0)), atUs, atUs - 2000 - late] as const
    })
    const monitor = heard([welcome, 0], ...steps.filter((_, i) => i !== 15))
    const seen = monitor.snapshot(1e6 + 50_000 * 19)
    expect(seen).toMatchObject({ robot: welcome.schema.name, state: 'ACTIVE', armed: true, epoch: 3, observations: 19 })
    expect(seen).toMatchObject({ missed: 1, queueLength: 1, rejected: 2, episode: 1, step: 19 })
    expect(seen.observationHz).toBeCloseTo(18 / 0.95, 6)
    expect(seen.bytesPerSecond).toBeCloseTo(1800 / 0.95, 6)
    expect(seen.latencyUs).toMatchObject({ max: 9000 })
    expect(seen.latencyUs.p50).toBeCloseTo(2000, -2)
    // The period after the missing one is two periods long, and no jitter.
    expect(seen.jitterUs).toMatchObject({ p50: 0, max: 7000 })
    expect(seen.clamped).toEqual({ velocity: 4, jerk: 4 })
    expect(seen.clampedShare).toBeCloseTo(4 / 18, 6)
    expect(monitor.snapshot(1e8)).toMatchObject({ observationHz: 0, appliedHz: 0, bytesPerSecond: 0 })
  })

  it('counts neither repeats nor what the robot did by itself', () => {
    const monitor = heard(
      [welcome, 0],
      [observationOf(1, 0), 1e6],
      [observationOf(2, 1, appliedOf(0, 255)), 1.05e6],
      [observationOf(2, 1, appliedOf(0, 255)), 1.1e6],
      // At rest: the last action is told again.
      [observationOf(3, 2, appliedOf(9)), 1.15e6],
      [observationOf(4, 2, appliedOf(9)), 1.2e6],
    )
    const seen = monitor.snapshot(1.2e6)
    expect(seen).toMatchObject({ observations: 4, missed: 0, clampedShare: 0, clamped: {} })
    expect(seen.appliedHz).toBeCloseTo(1 / 0.2, 6)
  })

  it('knows who holds the lease once it has heard, and forgets when it is gone', () => {
    const granted = event('lease_granted', 'drive holds the lease')
    expect(heard([welcome, 0]).snapshot(0).lease).toBe('none')
    expect(heard([welcome, 0], [observationOf(1, 0), 1]).snapshot(1).lease).toBe('held since before')
    expect(heard([welcome, 0], [granted, 1]).snapshot(1).lease).toBe('drive holds the lease')
    const lost = event('hard_watchdog', 'no action', { epoch: 4, bridgeState: 'SAFE_STOP' })
    expect(heard([welcome, 0], [granted, 1], [lost, 2]).snapshot(2)).toMatchObject({
      state: 'SAFE_STOP',
      lease: 'none',
    })
    // An observation that an event has overtaken changes nothing.
    expect(heard([welcome, 0], [lost, 2], [observationOf(1, 0), 3]).snapshot(3)).toMatchObject({
      state: 'SAFE_STOP',
      epoch: 4,
    })
  })

  it('keeps the last events, with how long ago they were', () => {
    const events = Array.from({ length: 12 }, (_, i) => [event(`code${i}`, 'x'), 1000 * i] as const)
    const seen = heard([welcome, 0], ...events).snapshot(12_000)
    expect(seen.events.map(({ code, agoUs }) => [code, agoUs])).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11].map((i) => [`code${i}`, 12_000 - 1000 * i]),
    )
  })
})
