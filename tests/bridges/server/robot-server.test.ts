import { afterEach, describe, expect, it } from 'vitest'
import type { RobotServerOptions } from '../../../bridges/server/options.ts'
import { endpointsSeenFrom } from '../../../bridges/zmq/sockets.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, until, wait } from '../helpers.ts'
import { networkTo, TimedRobot } from '../faults/harness.ts'
import { RawClient } from '../raw-client.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'

let bridge: TestBridge

afterEach(() => bridge.close())

async function open(options: Partial<RobotServerOptions> = {}, robot?: SimpleRobot): Promise<TestBridge> {
  bridge = await openBridge(options, robot)
  return bridge
}

function expectConserved(): void {
  const c = bridge.server.counters
  const settled = c.actions_applied! + c.actions_late! + c.actions_too_early! + c.actions_superseded!
  expect(c.actions_received).toBe(settled + c.actions_rejected! + c.actions_pending!)
}

describe('RobotServer in real time', () => {
  it('executes the actions of the client and tells it which', async () => {
    const { robot, server } = await open()
    const client = await openActive(bridge)
    let acted = 0
    const applied: number[] = []
    for await (const observation of client.observations()) {
      if (observation.applied !== undefined && observation.applied.seq > 0) {
        applied.push(observation.applied.action[0]!)
        expect(observation.proprio[0]).toBe(observation.applied.action[0])
      }
      if (++acted > 10) break
      client.act(Float32Array.of(acted / 16, 0), { observationSeq: observation.observationSeq })
    }
    expect(server.state).toBe('ACTIVE')
    expect(applied.length).toBeGreaterThan(5)
    expect(robot.applied.map(([a]) => a)).toEqual(expect.arrayContaining(applied))
    expectConserved()
    expect(server.tickLateness.count).toBeGreaterThan(10)
  })

  it('a stop is acknowledged at once, also in a flood of actions, and nothing of before is executed after it', async () => {
    const { robot, server } = await open({ messagesPerSecond: 100_000 })
    const client = await openActive(bridge)
    const flooding = { on: true }
    const flood = (async () => {
      for (let i = 0; flooding.on; i++) {
        for (let k = 0; k < 5; k++) client.act(Float32Array.of(0.9, 0.9), { observationSeq: i })
        await wait(1)
      }
    })()
    await wait(100)
    const startUs = clock()
    await client.stop()
    const stopMs = (clock() - startUs) / 1000
    const before = robot.applied.length
    await wait(100)
    flooding.on = false
    await flood
    expect(stopMs).toBeLessThan(1000)
    expect(server.state).toBe('READY')
    // One that was with the robot already may have been counted late; brakes hold where it is.
    expect(robot.applied.length - before).toBeLessThanOrEqual(2)
    expect(await until(() => robot.stops.includes('hold'))).toBe(true)
    expect(server.counters.actions_rejected).toBeGreaterThan(10)
    expectConserved()
  })

  it('stops for good when the robot fails or does not answer', async () => {
    const { robot, server, events } = await open()
    const client = await openActive(bridge)
    robot.failure = new Error('motor 3 is hot')
    client.act(Float32Array.of(0.1, 0), { observationSeq: 1 })
    expect(await until(() => server.state === 'SAFE_STOP')).toBe(true)
    expect(events.some(({ event, text }) => event === 'fault' && text === 'motor 3 is hot')).toBe(true)
    expect(robot.stops).toContain('safe')
    await bridge.close()
    const stuck = new SimpleRobot()
    stuck.delay = () => wait(1500)
    await open({}, stuck)
    const other = await openActive(bridge)
    const keep = setInterval(() => other.act(Float32Array.of(0.1, 0), { observationSeq: 1 }), 20)
    expect(await until(() => bridge.server.state === 'SAFE_STOP')).toBe(true)
    clearInterval(keep)
    expect(stuck.stops).toContain('safe')
  })

  it('keeps to the emergency stop until an operator clears it', async () => {
    let isPressed = false
    const { server } = await open({ estop: () => isPressed })
    const client = await openActive(bridge)
    isPressed = true
    expect(await until(() => server.state === 'ESTOP')).toBe(true)
    await expect(client.clear()).rejects.toThrow(/role_forbidden/)
    const operator = await bridge.connect({ role: 'operator', name: 'operator' })
    await expect(operator.clear()).rejects.toThrow(/still pressed/)
    isPressed = false
    await wait(30)
    await operator.clear()
    expect(server.state).toBe('IDLE')
    await client.lease()
    await client.arm()
    await client.start()
    expect(server.state).toBe('ACTIVE')
  })

  it('lets one controller have the lease, and an operator take it', async () => {
    await open()
    const first = await openActive(bridge)
    const second = await bridge.connect({ name: 'second' })
    await expect(second.lease()).rejects.toThrow(/policy holds the lease/)
    const operator = await bridge.connect({ role: 'operator' })
    await operator.lease({ preempt: true })
    first.act(Float32Array.of(0.7, 0.7), { observationSeq: 1 })
    expect(await until(() => bridge.server.counters.actions_rejected === 1)).toBe(true)
    await wait(60)
    expect(bridge.robot.applied).toEqual([])
  })

  it('stops when the controller leaves or its process is gone', async () => {
    await open()
    const client = await openActive(bridge)
    client.act(Float32Array.of(0.2, 0), { observationSeq: 1 })
    await client.close()
    expect(await until(() => bridge.server.state === 'SAFE_STOP')).toBe(true)
    expect(bridge.server.peerCount).toBe(0)
  })

  it.each(['action', 'chunk'] as const)('executes nothing whose time to live ends while it waits: %s', async (kind) => {
    const { robot, server } = await open({}, new SimpleRobot({ controlHz: 2 }))
    const client = await openActive(bridge)
    let isBusy = false
    let release = (): void => {}
    robot.delay = () => {
      isBusy = true
      return new Promise((resolve) => (release = resolve))
    }
    client.act(Float32Array.of(0.1, 0), { observationSeq: 1 })
    expect(await until(() => isBusy)).toBe(true)
    robot.delay = async () => {}
    const limit = { observationSeq: 1, ttlUs: 50_000 }
    if (kind === 'action') client.act(Float32Array.of(0.2, 0), limit)
    else client.chunk(Float32Array.of(0.2, 0), { ...limit, startUs: 0, stepUs: 60e6 })
    expect(await until(() => server.counters.actions_pending === 1)).toBe(true)
    await wait(60)
    release()
    expect(await until(() => server.counters.actions_pending === 0)).toBe(true)
    client.act(Float32Array.of(0.3, 0), { observationSeq: 1 })
    expect(await until(() => robot.applied.some(([a]) => Math.fround(0.3) === a))).toBe(true)
    expect(robot.applied.some(([a]) => a === Math.fround(0.2))).toBe(false)
    expect(server.counters).toMatchObject({ actions_received: 3, actions_applied: 2, actions_late: 1 })
    expectConserved()
  })

  it('executes chunks at their times', async () => {
    const { robot, server } = await open({}, new TimedRobot())
    const client = await openActive(bridge)
    const [leadUs, stepUs] = [200_000, 400_000]
    const startUs = client.robotTimeUs() + leadUs
    const actions = Float32Array.of(0.1, 0, 0.2, 0, 0.3, 0, 0.4, 0)
    client.chunk(actions, { observationSeq: 1, startUs, stepUs })
    expect(await until(() => server.counters.actions_pending === 0 && server.counters.actions_received === 4)).toBe(
      true,
    )
    const executed = (robot as TimedRobot)
      .changes()
      .map(({ atUs, value }) => ({ atUs, step: Math.round(value * 10) - 1 }))
    const { errorUs } = client.clockSync
    // None before its time, whatever the machine does; which of them a stall of the event loop swallows is not the subject.
    for (const { atUs, step } of executed) expect(atUs).toBeGreaterThanOrEqual(startUs + step * stepUs - errorUs)
    const steps = executed.map(({ step }) => step)
    expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b))
    expect(steps.length).toBeGreaterThanOrEqual(3)
    expectConserved()
  })
})

describe('RobotServer in lock-step', () => {
  it('waits for each answer, and ends episodes', async () => {
    const { robot } = await open({ mode: 'lockstep' }, new SimpleRobot({ maxEpisodeSteps: 5 }))
    const client = await bridge.connect()
    await client.lease()
    await client.arm()
    for (let episode = 0; episode < 2; episode++) {
      let observation = await client.reset({ seed: 1 })
      await client.start()
      await wait(150)
      for (let step = 0; !observation.truncated; step++) {
        observation = await client.step(Float32Array.of(step / 8, 0), observation.observationSeq)
        expect(observation.applied!.action[0]).toBe(step / 8)
      }
      await expect(client.step(Float32Array.of(0, 0), observation.observationSeq)).rejects.toThrow(/episode is over/)
    }
    expect(robot.applied.map(([a]) => a! * 8)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    expect(bridge.server.counters).toMatchObject({ actions_applied: 10, actions_rejected: 2 })
    expectConserved()
  })

  it('forgets clients whose connection is gone, and none that only says nothing', async () => {
    let jumpUs = 0
    const { server } = await open({ mode: 'lockstep', maxPeers: 4, clock: () => clock() + jumpUs })
    const network = await networkTo(server.endpoints)
    try {
      const thinker = new RawClient(server.endpoints)
      const [left, cut] = [
        new RawClient(server.endpoints),
        new RawClient(endpointsSeenFrom(network.endpoint, server.endpoints)),
      ]
      const holder = new RawClient(server.endpoints)
      for (const client of [thinker, left, cut, holder]) await client.hello()
      await holder.request({ kind: 'lease_request', ttlMs: 3_600_000 })
      await expect(bridge.connect()).rejects.toThrow(/busy/)
      jumpUs = 600e6
      await wait(2500)
      expect(server.peerCount).toBe(4)
      // Closed, and cut off without a word to anyone.
      left.close()
      network.weather = { isStalled: true }
      expect(await until(() => server.peerCount === 2)).toBe(true)
      jumpUs += 600e6
      await thinker.request({ kind: 'ping', t1Us: 1 })
      expect(server.state).toBe('READY')
      holder.close()
      expect(await until(() => server.peerCount === 1 && server.state === 'IDLE')).toBe(true)
      await thinker.request({ kind: 'lease_request', ttlMs: 1000 })
      const others = await Promise.all([1, 2, 3].map(() => bridge.connect({ role: 'observer' })))
      expect(server.peerCount).toBe(1 + others.length)
      thinker.close()
      cut.close()
    } finally {
      await network.close()
    }
  })

  it('is refused for hardware', async () => {
    await expect(openBridge({ mode: 'lockstep' }, new SimpleRobot({ isSimulated: false }))).rejects.toThrow(/lock-step/)
  })
})
