import { afterEach, describe, expect, it, vi } from 'vitest'
import { RobotRefusal } from '../../../bridges/client/robot-refusal.ts'
import { actionDigest, observationDigest } from '../../../bridges/protocol/schema.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, until, wait } from '../helpers.ts'
import { RawClient } from '../raw-client.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'
import { expectConserved, TimedRobot } from './harness.ts'

let bridge: TestBridge | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await bridge?.close()
})

describe('actions that come twice and out of order', () => {
  it('are executed in the order of their sequence numbers, each once', async () => {
    const rng = new Rng(4)
    const robot = new TimedRobot()
    bridge = await openBridge({ messagesPerSecond: 1e6 }, robot)
    const { server } = bridge
    const client = new RawClient(server.endpoints)
    await client.hello()
    await client.begin()
    let sent = 0
    for (let window = 0; window < 150; window++) {
      const first = 1 + client.seq
      const actions = Array.from({ length: 8 }, (_, k) => {
        const dueUs = rng.int(2) === 0 ? 0 : clock() + rng.int(40_000)
        return client.actionBytes((first + k) / 65536, { dueUs })
      })
      const shuffled = rng.shuffle([...actions, ...actions])
      for (const bytes of shuffled) await client.sendAction(bytes)
      sent += shuffled.length
      await wait(5)
    }
    expect(await until(() => server.counters['actions_received'] === sent)).toBe(true)
    const values = robot.changes().map(({ value }) => value * 65536)
    expect(values.length).toBeGreaterThan(10)
    for (let k = 1; k < values.length; k++) expect(values[k]).toBeGreaterThan(values[k - 1]!)
    expect(server.counters['actions_rejected_seq_replay']).toBeGreaterThan(sent / 2 - 1)
    expectConserved(server.counters)
    client.close()
  })
})

describe('the clock on the wall', () => {
  it('may jump by an hour on either side, and nothing happens', async () => {
    let jumpMs = 0
    const now = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => now() + jumpMs)
    const robot = new TimedRobot()
    bridge = await openBridge({ wallClock: () => Date.now() }, robot)
    const { server } = bridge
    const client = await openActive(bridge)
    let sent = 0
    const driving = setInterval(() => client.act(Float32Array.of(++sent / 4096, 0), { observationSeq: 0 }), 20)
    expect(await until(() => robot.changes().length > 5)).toBe(true)
    const { epoch } = server
    for (const ms of [3_600_000, -3_600_000, 0]) {
      jumpMs = ms
      const before = robot.changes().length
      expect(await until(() => robot.changes().length > before + 10)).toBe(true)
      expect(server.state).toBe('ACTIVE')
      // Both sides have the same monotonic clock here.
      expect(Math.abs(client.clockSync.offsetUs)).toBeLessThanOrEqual(client.clockSync.errorUs + 1)
      expect(client.hasLease).toBe(true)
    }
    clearInterval(driving)
    expect(server.epoch).toBe(epoch)
    expect(server.counters['watchdog_hard']).toBe(0)
    expect(server.counters['actions_late']).toBe(0)
    expectConserved(server.counters)
  })
})

describe('a policy that was trained for another schema', () => {
  it('is refused, and told what both are', async () => {
    const trained = await openBridge()
    const { schema } = await trained.connect()
    await trained.close()
    bridge = await openBridge(
      {},
      new SimpleRobot({ actionSpace: boxSpace([2], -2, 2, ['a_rad', 'b_rad']), name: 'test/Other' }),
    )
    const options = { actionDigest: actionDigest(schema), observationDigest: observationDigest(schema) }
    const { schema: live } = await bridge.connect()
    const refused = await bridge.connect(options).then(
      () => '',
      (error: unknown) => String(error),
    )
    expect(refused).toContain('schema_mismatch')
    expect(refused).toContain(actionDigest(schema))
    expect(refused).toContain(actionDigest(live))
    expect(refused).not.toContain(observationDigest(schema))
    // One that knows more than the digests is told in words what differs.
    const knowing = await bridge.connect({ expectedSchema: schema }).catch((error: unknown) => error)
    expect(knowing).toBeInstanceOf(RobotRefusal)
    expect(knowing).toMatchObject({ code: 'bad-argument', reason: 'schema_mismatch', schema: live })
    expect((knowing as Error).message).toContain(
      'expected test/Simple, got test/Other, which has action low [-2, -2] instead of [-1, -1], action high [2, 2] instead of [1, 1]; use',
    )
    expect((knowing as Error).message).not.toContain('\n')
    await (await bridge.connect({ expectedSchema: live })).close()
    // The robot's is in the message itself, for whoever wants to compare.
    const raw = new RawClient(bridge.server.endpoints)
    const hello = { kind: 'hello', name: 'raw', software: 'test', role: 'controller', protocols: ['1.0'] } as const
    await expect(raw.request({ ...hello, arrayCodecs: ['openpi'], ...options })).rejects.toThrow('schema_mismatch')
    raw.close()
    expect(bridge.server.peerCount).toBe(1)
  })
})
