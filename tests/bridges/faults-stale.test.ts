import { afterEach, describe, expect, it } from 'vitest'
import { RobotServer } from '../../bridges/robot-server.ts'
import { Rng } from '../../src/core/rng.ts'
import type { TestBridge } from './helpers.ts'
import { openBridge, until } from './helpers.ts'
import { RawClient } from './raw-client.ts'
import { clock, SimpleRobot } from './simple-robot.ts'

const FRESH = 0.125
const STALE = 0.875
const RESTARTS = 25
const PER_RESTART = 40

describe('after a restart of the robot', () => {
  it(`none of ${RESTARTS * PER_RESTART} actions of before moves it, with whatever header they come`, async () => {
    const rng = new Rng(1)
    /** Of the controller's life with the robot of before. */
    let old: { session: string; lease: string; epoch: number; bytes: Buffer[] } | undefined
    const routingId = 'the-same-controller'
    let stale = 0
    for (let restart = 0; restart <= RESTARTS; restart++) {
      const robot = new SimpleRobot()
      const server = new RobotServer({ robot, clock, messagesPerSecond: 100_000 })
      await server.start()
      const client = new RawClient(server.endpoints, routingId)
      const before = old
      const replay = async (count: number): Promise<void> => {
        if (before === undefined) return
        for (let k = 0; k < count; k++, stale++) {
          const seq = client.seq + 1 + rng.int(1000)
          const dueUs = rng.int(2) === 0 ? 0 : clock() + rng.int(50_000)
          const headers = [
            { session: before.session, lease: before.lease, epoch: before.epoch },
            { lease: before.lease, epoch: before.epoch },
            { epoch: before.epoch },
            { lease: before.lease },
            { session: before.session },
          ]
          const forged = client.actionBytes(STALE, { ...headers[rng.int(5)]!, seq, dueUs })
          await client.sendAction(rng.int(3) === 0 ? before.bytes[rng.int(before.bytes.length)]! : forged)
        }
      }
      await replay(PER_RESTART / 4)
      await client.hello()
      await replay(PER_RESTART / 4)
      await client.begin()
      await replay(PER_RESTART / 2)
      client.seq += 2000
      await client.sendAction(client.actionBytes(FRESH))
      expect(await until(() => robot.applied.some(([x]) => x === FRESH))).toBe(true)
      expect(robot.applied.every(([x]) => x === 0 || x === FRESH)).toBe(true)
      const { actions_received, actions_applied, actions_rejected } = server.counters
      expect(actions_applied).toBe(1)
      expect(actions_rejected).toBe(actions_received! - 1)
      const bytes = Array.from({ length: 5 }, (_, k) =>
        client.actionBytes(STALE, k % 2 ? { dueUs: clock() + 100_000 * k } : {}),
      )
      old = { session: client.session, lease: client.lease, epoch: client.epoch, bytes }
      client.close()
      await server.close()
    }
    expect(stale).toBe(RESTARTS * PER_RESTART)
  }, 60_000)
})

describe('controllers that race for the lease', () => {
  let bridge: TestBridge | undefined
  afterEach(async () => bridge?.close())

  it('have one winner in each of 1,000 races, and the others move nothing', async () => {
    bridge = await openBridge({ messagesPerSecond: 1e6 })
    const { server, robot } = bridge
    const clients = Array.from({ length: 3 }, () => new RawClient(server.endpoints))
    for (const client of clients) await client.hello()
    const wins = clients.map(() => 0)
    for (let race = 0; race < 1000; race++) {
      const outcomes = await Promise.allSettled(
        clients.map((client) => client.request({ kind: 'lease_request', ttlMs: 5000 })),
      )
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []))
      const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))
      expect(winners).toHaveLength(1)
      expect(reasons).toEqual(['Error: lease_denied', 'Error: lease_denied'])
      const winner = clients[winners[0]!]!
      wins[winners[0]!]!++
      const granted = outcomes[winners[0]!] as PromiseFulfilledResult<{ lease: string }>
      winner.lease = granted.value.lease
      if (race % 100 === 0) {
        await winner.request({ kind: 'command', command: 'arm', lease: winner.lease })
        await winner.request({ kind: 'command', command: 'start', lease: winner.lease, mode: 'realtime' })
        // They even know the lease and the epoch.
        const { lease, epoch } = winner
        for (const loser of clients) {
          if (loser !== winner) await loser.sendAction(loser.actionBytes(STALE, { lease, epoch, seq: 1e6 + race }))
        }
        await winner.sendAction(winner.actionBytes(FRESH))
        expect(await until(() => server.counters.actions_applied === race / 100 + 1)).toBe(true)
      }
      await winner.request({ kind: 'command', command: 'release', lease: winner.lease })
    }
    expect(robot.applied.every(([x]) => x === 0 || x === FRESH)).toBe(true)
    expect(server.counters.actions_applied).toBe(10)
    expect(wins.reduce((sum, count) => sum + count)).toBe(1000)
    for (const client of clients) client.close()
  }, 60_000)

  it('cannot take over the routing id of another', async () => {
    bridge = await openBridge()
    const { server, robot } = bridge
    const holder = new RawClient(server.endpoints, 'holder')
    await holder.hello()
    const thief = new RawClient(server.endpoints, 'holder')
    await expect(thief.hello()).rejects.toThrow()
    await holder.begin()
    const { session, lease, epoch } = holder
    const theft = thief.actionBytes(STALE, { session, lease, epoch, seq: 1e6 })
    await thief.sendAction(theft).catch(() => undefined)
    for (let k = 0; k < 5; k++) await holder.sendAction(holder.actionBytes(FRESH))
    expect(await until(() => robot.applied.some(([x]) => x === FRESH))).toBe(true)
    expect(robot.applied.every(([x]) => x === 0 || x === FRESH)).toBe(true)
    thief.close()
    holder.close()
  }, 20_000)
})
