import { describe, expect, it } from 'vitest'
import type { SimulatedBridge, SimulatedClient } from '../simulated-bridge.ts'
import { simulatedBridge, simulatedClient } from '../simulated-bridge.ts'
import { expectConserved } from './harness.ts'

const PERIOD_MS = 20
const STEPS = 4096

type Driven = Omit<SimulatedBridge, 'client'> &
  SimulatedClient & {
    readonly operator: SimulatedClient['client']
    /** States that the robot came into, and when. */
    readonly states: { state: string; atMs: number }[]
    /** When each action was sent and when it was due, microseconds, by its value times {@link STEPS}. */
    readonly sent: Map<number, { atUs: number; dueUs: number }>
    /** An action in every period for so long, due `leadMs` after it was sent, or with 0 whenever it arrives. */
    readonly drive: (ms: number, leadMs?: number, ttlMs?: number) => Promise<void>
  }

async function driven(): Promise<Driven> {
  const states: { state: string; atMs: number }[] = []
  const sent = new Map<number, { atUs: number; dueUs: number }>()
  const bridge: SimulatedBridge = await simulatedBridge({
    onEvent: ({ toState, fromState }) => {
      if (toState !== undefined && toState !== fromState) states.push({ state: toState, atMs: bridge.nowMs() })
    },
  })
  const { time } = bridge
  const driver = await simulatedClient(bridge)
  const { client: operator } = await simulatedClient(bridge, { role: 'operator' })
  await time.during(driver.client.lease())
  await time.during(driver.client.arm())
  await time.during(driver.client.start())
  const drive: Driven['drive'] = async (ms, leadMs = 0, ttlMs = 0) => {
    for (let passed = 0; passed < ms; passed += PERIOD_MS) {
      const value = sent.size + 1
      const dueUs = leadMs === 0 ? 0 : driver.client.robotTimeUs() + leadMs * 1000
      sent.set(value, { atUs: time.clock(), dueUs })
      driver.client.act(Float32Array.of(value / STEPS, 0), { observationSeq: 0, dueUs, ttlUs: ttlMs * 1000 })
      await time.advance(PERIOD_MS)
    }
  }
  await drive(500)
  expect(bridge.server.state).toBe('ACTIVE')
  states.length = 0
  return { ...bridge, ...driver, operator, states, sent, drive }
}

/** Values that the robot was told since `fromMs`, each once, with when it was told them first. */
function told({ robot }: Pick<Driven, 'robot'>, fromMs = 0): { atMs: number; value: number }[] {
  const all = robot.told.flatMap(({ what, atMs, value }) =>
    what === 'apply' ? [{ atMs, value: Number(value) * STEPS }] : [],
  )
  return all.filter(({ atMs, value }, k) => atMs >= fromMs && value !== all[k - 1]?.value)
}

/** Lets nothing through for so long, while actions go on being sent. @returns when that began */
async function stall({ link, drive, nowMs }: Driven, ms: number): Promise<number> {
  const startMs = nowMs()
  link.weather = { isStalled: true }
  await drive(ms)
  link.clear()
  return startMs
}

/** That the robot does not move before it has been cleared, leased, armed and started, and does then. */
async function recover(it: Driven): Promise<void> {
  const { time, server, client, operator, drive, nowMs } = it
  const fromMs = nowMs()
  await drive(300)
  expect(server.state).toBe('SAFE_STOP')
  expect(told(it, fromMs + PERIOD_MS)).toEqual([])
  await expect(time.during(client.lease())).rejects.toThrow('fault_latched')
  await time.during(operator.clear())
  await expect(time.during(client.arm())).rejects.toThrow(/lease/)
  await time.during(client.lease())
  await expect(time.during(client.start())).rejects.toThrow('not_armed')
  await time.during(client.arm())
  await drive(100)
  expect(told(it, fromMs + PERIOD_MS)).toEqual([])
  await time.during(client.start())
  await drive(200)
  expect(told(it, fromMs + PERIOD_MS).length).toBeGreaterThan(5)
  expect(server.state).toBe('ACTIVE')
  expectConserved(server.counters)
}

describe('a network that', () => {
  it('is gone for 50 ms is not noticed', async () => {
    const it = await driven()
    await stall(it, 60)
    await it.drive(200)
    expect(it.states).toEqual([])
    expect(it.connection).toEqual([])
    expectConserved(it.server.counters)
  })

  it('is gone for 300 ms makes the robot hold, and it goes on by itself', async () => {
    const it = await driven()
    const startMs = await stall(it, 300)
    expect(it.states.map(({ state }) => state)).toEqual(['HOLD', 'ACTIVE'])
    expect(it.states[0]!.atMs - startMs).toBeGreaterThan(100 - PERIOD_MS)
    expect(it.states[0]!.atMs - startMs).toBeLessThanOrEqual(100 + PERIOD_MS)
    await it.drive(200)
    expect(it.server.state).toBe('ACTIVE')
    // The newest of those that were on their way, and none of the others.
    expect(told(it, startMs + 300).filter(({ atMs }) => atMs <= startMs + 340).length).toBeLessThanOrEqual(2)
    expectConserved(it.server.counters)
  })

  it.each([2000, 6500])('is gone for %i ms stops it for good, until someone has looked', async (ms) => {
    const it = await driven()
    const startMs = await stall(it, ms)
    expect(it.states.map(({ state }) => state)).toEqual(['HOLD', 'SAFE_STOP'])
    expect(it.states[1]!.atMs - startMs).toBeGreaterThan(500 - PERIOD_MS)
    expect(it.states[1]!.atMs - startMs).toBeLessThanOrEqual(500 + PERIOD_MS)
    await it.time.advance(1000)
    expect(it.connection.slice(0, 2)).toEqual(['old', 'lost'])
    expect(it.connection.some((code) => code === 'back' || code === 'restarted')).toBe(true)
    await recover(it)
  })

  it('resets all connections: the client is back on new ones', async () => {
    const it = await driven()
    const startMs = it.nowMs()
    it.link.reset()
    await it.drive(PERIOD_MS)
    expect(it.states).toEqual([{ state: 'SAFE_STOP', atMs: startMs }])
    await it.time.advance(1000)
    expect(it.connection).toContain('restarted')
    await recover(it)
  })

  it('stutters as one that loses packets does: what comes in a bunch moves the robot once', async () => {
    const it = await driven()
    for (let k = 0; k < 12; k++) {
      await stall(it, 60)
      await it.drive(60)
    }
    expect(it.states).toEqual([])
    const values = told(it).map(({ value }) => value)
    expect(values).toEqual(values.toSorted((a, b) => a - b))
    expectConserved(it.server.counters)
  })

  it('becomes 195 ms slower: timed actions are dropped when they are late, and the robot stops', async () => {
    const it = await driven()
    const { client } = it
    it.link.weather = { delayMs: 5 }
    await it.drive(500, 60, 30)
    const before = it.server.counters['actions_late']!
    it.states.length = 0
    it.link.weather = { delayMs: 200 }
    const slowMs = it.nowMs()
    await it.drive(1000, 60, 30)
    expect(it.states.map(({ state }) => state)).toEqual(['HOLD', 'SAFE_STOP'])
    expect(it.server.counters['actions_late']! - before).toBeGreaterThan(5)
    const latenessMs = told(it, slowMs - 400).map(({ atMs, value }) => atMs - it.sent.get(value)!.dueUs / 1000)
    expect(Math.max(...latenessMs)).toBeLessThanOrEqual(30 + client.clockSync.errorUs / 1000)
    expect(Math.min(...latenessMs)).toBeGreaterThanOrEqual(-client.clockSync.errorUs / 1000)
    expectConserved(it.server.counters)
  })
})
