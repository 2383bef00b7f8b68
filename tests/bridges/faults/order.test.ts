import { afterEach, describe, expect, it, vi } from 'vitest'
import { RobotRefusal } from '../../../bridges/client/robot-refusal.ts'
import { actionDigest, observationDigest } from '../../../bridges/protocol/schema.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import { Rng } from '../../../src/core/rng.ts'
import { MemoryClient } from '../memory-network.ts'
import type { TestRobot } from '../simulated-bridge.ts'
import { simulatedBridge, simulatedClient } from '../simulated-bridge.ts'
import { expectConserved } from './harness.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** First elements of what the robot was told, each where it differs from the one before. */
const changes = ({ applied }: TestRobot): number[] =>
  applied.map(([x]) => x!).filter((x, k, all) => k === 0 || x !== all[k - 1])

describe('actions that come twice and out of order', () => {
  it('are executed in the order of their sequence numbers, each once', async () => {
    const rng = new Rng(4)
    const { server, robot, time, client } = await simulatedBridge({ messagesPerSecond: 1e6 })
    const driver = client()
    driver.take(60_000)
    driver.command('start')
    let sent = 0
    for (let window = 0; window < 500; window++) {
      const first = 1 + driver.seq
      const actions = Array.from({ length: 8 }, (_, k) => {
        const dueUs = rng.int(2) === 0 ? 0 : time.clock() + rng.int(40_000)
        return driver.actionBytes((first + k) / 65536, { dueUs })
      })
      const shuffled = rng.shuffle([...actions, ...actions])
      for (const bytes of shuffled) driver.sendAction(bytes)
      sent += shuffled.length
      await time.advance(5)
    }
    expect(server.counters['actions_received']).toBe(sent)
    const values = changes(robot).map((x) => x * 65536)
    expect(values.length).toBeGreaterThan(50)
    for (let k = 1; k < values.length; k++) expect(values[k]).toBeGreaterThan(values[k - 1]!)
    expect(server.counters['actions_rejected_seq_replay']).toBeGreaterThan(sent / 2 - 1)
    expectConserved(server.counters)
  })
})

describe('the clock on the wall', () => {
  it('may jump by an hour on either side, and nothing happens', async () => {
    let wallMs = 1.7e12
    vi.spyOn(Date, 'now').mockImplementation(() => wallMs)
    const bridge = await simulatedBridge({ wallClock: () => Date.now() })
    const { server, robot, time } = bridge
    const { client } = await simulatedClient(bridge)
    const begin = async (): Promise<void> => {
      await client.lease()
      await client.arm()
      await client.start()
    }
    await time.during(begin())
    const { epoch } = server
    let sent = 0
    for (const jumpMs of [0, 3_600_000, -7_200_000, 3_600_000]) {
      wallMs += jumpMs
      const before = changes(robot).length
      for (let k = 0; k < 100; k++) {
        client.act(Float32Array.of(++sent / 4096, 0), { observationSeq: 0 })
        await time.advance(20)
      }
      expect(changes(robot).length).toBeGreaterThan(before + 95)
      expect(server.state).toBe('ACTIVE')
      // Both sides have the same monotonic clock here.
      expect(Math.abs(client.clockSync.offsetUs)).toBeLessThanOrEqual(client.clockSync.errorUs + 1)
      expect(client.hasLease).toBe(true)
    }
    expect(server.epoch).toBe(epoch)
    expect(server.counters).toMatchObject({ watchdog_soft: 0, watchdog_hard: 0, actions_late: 0 })
    expectConserved(server.counters)
  })
})

describe('a policy that was trained for another schema', () => {
  it('is refused, and told what both are', async () => {
    const { schema } = (await simulatedClient(await simulatedBridge())).client
    const bridge = await simulatedBridge(
      {},
      { actionSpace: boxSpace([2], -2, 2, ['a_rad', 'b_rad']), name: 'test/Other' },
    )
    const options = { actionDigest: actionDigest(schema), observationDigest: observationDigest(schema) }
    const { client } = await simulatedClient(bridge)
    const live = client.schema
    const refused = await simulatedClient(bridge, options).then(
      () => '',
      (error: unknown) => String(error),
    )
    expect(refused).toContain('schema_mismatch')
    expect(refused).toContain(actionDigest(schema))
    expect(refused).toContain(actionDigest(live))
    expect(refused).not.toContain(observationDigest(schema))
    // One that knows more than the digests is told in words what differs.
    const knowing = await simulatedClient(bridge, { expectedSchema: schema }).catch((error: unknown) => error)
    expect(knowing).toBeInstanceOf(RobotRefusal)
    expect(knowing).toMatchObject({ code: 'bad-argument', reason: 'schema_mismatch', schema: live })
    expect((knowing as Error).message).toContain(
      'expected test/Simple, got test/Other, which has action low [-2, -2] instead of [-1, -1], action high [2, 2] instead of [1, 1]; use',
    )
    expect((knowing as Error).message).not.toContain('\n')
    const fitting = await simulatedClient(bridge, { expectedSchema: live })
    await bridge.time.during(fitting.client.close())
    // The robot's is in the message itself, for whoever wants to compare.
    const raw = new MemoryClient(bridge.network, bridge.time.clock)
    const hello = { kind: 'hello', name: 'raw', software: 'test', role: 'controller', protocols: ['1.0'] } as const
    const answer = raw.ask({ ...hello, arrayCodecs: ['openpi'], ...options })
    expect(answer).toMatchObject({ kind: 'error', code: 'schema_mismatch', schema: live })
    expect(bridge.server.peerCount).toBe(1)
  })
})
