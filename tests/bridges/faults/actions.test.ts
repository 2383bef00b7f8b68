import { describe, expect, it } from 'vitest'
import type { MemoryClient } from '../memory-network.ts'
import type { SimulatedBridge } from '../simulated-bridge.ts'
import { simulatedBridge } from '../simulated-bridge.ts'

type Options = Parameters<typeof simulatedBridge>[0]

async function active(options: Options = {}): Promise<SimulatedBridge & { driver: MemoryClient }> {
  const bridge = await simulatedBridge(options)
  const driver = bridge.client()
  driver.take()
  driver.command('start')
  return { ...bridge, driver }
}

const newest = (driver: MemoryClient): number => driver.observations.at(-1)!.observationSeq

/** Lets time pass while `driver` keeps its lease alive. */
async function wait({ time }: SimulatedBridge, driver: MemoryClient, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    driver.ping()
    await time.advance(Math.min(100, ms - passed))
  }
}

describe('chunks', () => {
  it('are executed to their end, and the watchdogs wait for that', async () => {
    const bridge = await active()
    const { driver, server, robot } = bridge
    const ramp = (from: number): number[] => Array.from({ length: 50 }, (_, k) => (from + k) / 100)
    driver.chunk(ramp(0))
    await wait(bridge, driver, 600)
    expect(server.state).toBe('ACTIVE')
    driver.chunk(ramp(30))
    await wait(bridge, driver, 1000)
    expect(server.state).toBe('ACTIVE')
    expect(robot.applied.at(-1)![0]).toBeCloseTo(0.79)
    expect(server.counters).toMatchObject({ actions_late: 0, actions_pending: 0, watchdog_soft: 0, watchdog_hard: 0 })
    await wait(bridge, driver, 120)
    expect(server.state).toBe('HOLD')
    await wait(bridge, driver, 420)
    expect(server.state).toBe('SAFE_STOP')
  })

  it('that are due later wait for their time at rest', async () => {
    const bridge = await active()
    const { driver, server, robot, time } = bridge
    driver.chunk([0.5, 0.6], { startUs: time.clock() + 1_000_000 })
    await wait(bridge, driver, 900)
    expect(server.state).toBe('ACTIVE')
    expect(robot.applied).toEqual([])
    await wait(bridge, driver, 140)
    expect(robot.applied.map(([x]) => x)).toEqual([Math.fround(0.5), Math.fround(0.6)])
  })

  it('cannot keep the watchdogs asleep by a step that never ends', async () => {
    const bridge = await active()
    const { driver, server } = bridge
    driver.chunk([0.5], { stepUs: 3600e6 })
    await wait(bridge, driver, 2000)
    expect(server.state).toBe('ACTIVE')
    await wait(bridge, driver, 600)
    expect(server.state).toBe('SAFE_STOP')
  })

  it('go over into each other without a jump, in a time that has a limit', async () => {
    const bridge = await active({ interpolates: true })
    const { driver, robot } = bridge
    const commands = async (blendUs: number | undefined): Promise<number[]> => {
      driver.chunk(Array.from({ length: 50 }, () => 0))
      await wait(bridge, driver, 400)
      const from = robot.applied.length
      driver.chunk(
        Array.from({ length: 100 }, () => 1),
        blendUs === undefined ? {} : { blendUs },
      )
      await wait(bridge, driver, 1000)
      // With the one before, or a jump at once would not be seen.
      return robot.applied.slice(from - 1).map(([x]) => x!)
    }
    const largestStep = (xs: readonly number[]): number => Math.max(...xs.slice(1).map((x, k) => Math.abs(x - xs[k]!)))
    const byDefault = await commands(undefined)
    expect(largestStep(byDefault)).toBeLessThanOrEqual(0.21)
    expect(byDefault.findIndex((x) => x === 1)).toBeLessThanOrEqual(7)
    const atOnce = await commands(0)
    expect(largestStep(atOnce)).toBe(1)
    const endless = await commands(3600e6)
    expect(largestStep(endless)).toBeLessThanOrEqual(0.05)
    expect(endless.findIndex((x) => x === 1)).toBeLessThanOrEqual(27)
  })
})

describe('an action that answers an observation', () => {
  it('from long ago is not executed, counted and told', async () => {
    const bridge = await active()
    const { driver, server, robot, time } = bridge
    await time.advance(40)
    const old = newest(driver)
    driver.chunk(
      Array.from({ length: 40 }, () => 0.1),
      { observationSeq: old },
    )
    await wait(bridge, driver, 720)
    driver.act(0.9, { observationSeq: old })
    driver.chunk([0.9, 0.9], { observationSeq: old })
    await time.advance(40)
    expect(robot.applied.some(([x]) => x! > 0.5)).toBe(false)
    expect(server.counters).toMatchObject({ actions_rejected_stale_observation: 3, actions_rejected: 3 })
    expect(driver.heard.some((m) => m.kind === 'error' && m.code === 'stale_observation')).toBe(true)
    driver.act(0.2, { observationSeq: newest(driver) })
    await time.advance(40)
    expect(robot.applied.at(-1)![0]).toBeCloseTo(0.2)
  })

  it('is judged by the limit of its robot, which is told', async () => {
    const bridge = await active({ watchdogs: { maxObservationAgeUs: 50_000 } })
    const { driver, server, time } = bridge
    expect(driver.heard.find((m) => m.kind === 'welcome')).toMatchObject({ watchdogs: { maxObservationAgeUs: 50_000 } })
    await time.advance(40)
    const old = newest(driver)
    await time.advance(60)
    driver.act(0.1, { observationSeq: old })
    expect(server.counters['actions_rejected_stale_observation']).toBe(1)
  })

  it('that has not been made yet is too early', async () => {
    const { driver, server, time } = await active()
    await time.advance(40)
    driver.act(0.1, { observationSeq: newest(driver) + 10 })
    expect(server.counters['actions_too_early']).toBe(1)
  })

  it('does not feed the watchdogs when it is old', async () => {
    const { driver, server, time } = await active()
    await time.advance(40)
    const old = newest(driver)
    for (let ms = 0; ms < 1200; ms += 20) {
      driver.act(0.1, { observationSeq: old })
      await time.advance(20)
    }
    expect(server.state).toBe('SAFE_STOP')
  })
})

describe('what was applied', () => {
  it('says whose it was', async () => {
    const { driver, client, time } = await active()
    const other = client('operator', 'ann')
    driver.act(0.1)
    await time.advance(40)
    const ids = [driver, other].map(({ heard }) => heard.flatMap((m) => (m.kind === 'welcome' ? [m.clientId] : []))[0])
    expect(driver.observations.at(-1)!.applied).toMatchObject({ client: 'controller', clientId: ids[0] })
    expect(ids[0]).not.toBe(ids[1])
    other.lease = (other.ask({ kind: 'lease_request', ttlMs: 5000, preempt: true }) as { lease: string }).lease
    await time.advance(40)
    other.command('arm')
    other.command('start')
    other.act(0.2)
    await time.advance(40)
    expect(driver.observations.at(-1)!.applied).toMatchObject({ client: 'ann', clientId: ids[1] })
  })
})
