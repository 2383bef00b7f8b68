import { afterEach, describe, expect, it } from 'vitest'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { TestBridge } from '../helpers.ts'
import { openBridge, PATIENT, until } from '../helpers.ts'
import { MemoryClient, MemoryNetwork } from '../memory-network.ts'
import { RawClient } from '../raw-client.ts'
import { SimulatedTime } from '../simulated-time.ts'
import { SimpleRobot } from '../simple-robot.ts'

const FRESH = 0.125
const STALE = 0.875
const RESTARTS = 1000
const PER_RESTART = 12

/** What a controller of a robot that is gone still knows. */
interface Past {
  readonly session: string
  readonly lease: string
  readonly epoch: number
  /** Actions for that robot. */
  readonly bytes: readonly Buffer[]
}

/** Sends `count` actions of before, as they were or with one or more of the headers of then. */
function replay({ session, lease, epoch, bytes }: Past, count: number, by: MemoryClient, rng: Rng): void {
  for (let k = 0; k < count; k++) {
    const seq = by.seq + 1 + rng.int(1000)
    const dueUs = rng.int(2) === 0 ? 0 : by.clock() + rng.int(50_000)
    const headers = [{ session, lease, epoch }, { lease, epoch }, { epoch }, { lease }, { session }]
    by.sendAction(
      rng.int(3) === 0 ? bytes[rng.int(bytes.length)]! : by.actionBytes(STALE, { ...headers[rng.int(5)]!, seq, dueUs }),
    )
  }
  // What the robot says of these is no answer to anything that comes later.
  by.seq += 1000
}

/**
 * One life of a robot, with the controller of the life before: its actions of then are sent before it has said hello, before it has the lease,
 * and after the robot was started.
 * @returns what it knows when the robot is gone
 */
async function live(past: Past | undefined, routingId: Buffer, rng: Rng): Promise<Past> {
  const time = new SimulatedTime()
  const network = new MemoryNetwork()
  const robot = new SimpleRobot({ controlHz: 10 })
  const options = { robot, clock: time.clock, sleep: time.sleep, transport: network.open }
  const server = new RobotServer({ ...options, messagesPerSecond: 100_000, ...PATIENT })
  await time.during(server.start())
  const client = new MemoryClient(network, time.clock, routingId)
  if (past !== undefined) replay(past, PER_RESTART / 4, client, rng)
  client.hello()
  if (past !== undefined) replay(past, PER_RESTART / 4, client, rng)
  client.take()
  client.command('start')
  if (past !== undefined) replay(past, PER_RESTART / 2, client, rng)
  client.act(FRESH)
  await time.advance(200)
  expect(robot.applied.some(([x]) => x === FRESH)).toBe(true)
  expect(robot.applied.every(([x]) => x === FRESH)).toBe(true)
  const { actions_received, actions_applied, actions_rejected } = server.counters
  expect(actions_received).toBe(past === undefined ? 1 : PER_RESTART + 1)
  expect(actions_applied).toBe(1)
  expect(actions_rejected).toBe(actions_received! - 1)
  const bytes = Array.from({ length: 5 }, (_, k) =>
    client.actionBytes(STALE, k % 2 ? { dueUs: time.clock() + 100_000 * k } : {}),
  )
  const { session, lease, epoch } = client
  await time.during(server.close())
  return { session, lease, epoch, bytes }
}

describe('after a restart of the robot', () => {
  it(`none of ${RESTARTS * PER_RESTART} actions of before moves it, in any of ${RESTARTS} restarts`, async () => {
    const rng = new Rng(1)
    let past: Past | undefined
    for (let restart = -1; restart < RESTARTS; restart++) past = await live(past, Buffer.from('controller'), rng)
  })
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
  }, 120_000)

  it('cannot take over the routing id of another', async () => {
    bridge = await openBridge()
    const { server, robot } = bridge
    const holder = new RawClient(server.endpoints, 'holder')
    await holder.hello()
    const thief = new RawClient(server.endpoints, 'holder', 1000)
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
  }, 120_000)
})
