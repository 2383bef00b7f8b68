import type { ChildProcess } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Wire } from '../protocol/wire.ts'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { TestBridge } from '../helpers.ts'
import { openBridge, PATIENT, until } from '../helpers.ts'
import { MemoryClient } from '../memory-network.ts'
import { RawClient } from '../raw-client.ts'
import { simulatedBridge } from '../simulated-bridge.ts'
import { attacks, garbage, noises, shout, wireArray, withFields } from './garbage.ts'
import { ask, expectConserved, spawnScript } from './harness.ts'
import type { RobotReport } from './robot-process.ts'
import { WAVE } from './robot-process.ts'

/** By hand: a million. */
const MESSAGES = Number(process.env['ARMATURE_FUZZ_MESSAGES'] ?? 30_000)
const ROUNDS_OF_NOISE = 4
/** What strangers can make a robot hold, bridges/README.md. */
const MAX_HELD_MIB = 128
const LARGEST = ['subscriptions_200_kb', 'subscriptions_1_kb', 'subscriptions_40_b', 'connections', 'four_floods']

describe('a robot that hears garbage', () => {
  it(`takes ${MESSAGES} messages of it at all doors, and is moved by its client alone`, async () => {
    const rng = new Rng(7)
    const { server, robot, time, network, client } = await simulatedBridge({ messagesPerSecond: 1e9 })
    const driver = client()
    driver.take(60_000)
    driver.command('start')
    const known = client('controller', 'known')
    const strangers = Array.from({ length: 4 }, () => new MemoryClient(network, time.clock))
    const seeds = attacks(known.actionBytes(0.875))
    for (let k = 0; k < MESSAGES; k++) {
      const bytes = garbage(seeds, rng)
      const { routingId } = k % 4 === 0 ? strangers[rng.int(strangers.length)]! : known
      if (k % 3 === 0) network.control(routingId, bytes)
      else network.action(routingId, bytes)
      if (k % 50 > 0) continue
      driver.act(WAVE[(k / 50) % WAVE.length]!)
      await time.advance(20)
      // What the robot said to them is not what is looked at.
      for (const { heard, observations, events } of [known, driver, ...strangers]) {
        for (const list of [heard, observations, events]) list.length = 0
      }
    }
    expect(server.state).toBe('ACTIVE')
    expect(robot.applied.length).toBeGreaterThan(MESSAGES / 50 - 10)
    expect(robot.applied.every(([x]) => x === 0 || (WAVE as readonly number[]).includes(x!))).toBe(true)
    expectConserved(server.counters)
  }, 600_000)
})

describe('a robot in a process of its own', () => {
  let child: ChildProcess
  let endpoints: Endpoints

  beforeAll(async () => {
    // Its own default: so many messages of one client in a second.
    const spawned = await spawnScript('robot-process.ts', JSON.stringify({ ...PATIENT, messagesPerSecond: 400 }))
    child = spawned.child
    endpoints = spawned.first as Endpoints
  }, 60_000)

  afterAll(() => {
    child.kill('SIGKILL')
  })

  /** That it still lets clients in, has not been moved, and holds no more than it says. */
  async function expectWell(before: RobotReport, what: string): Promise<void> {
    const { isClean, rssBytes } = await ask<RobotReport>(child, 'report')
    expect(isClean, what).toBe(true)
    expect((rssBytes - before.rssBytes) / 2 ** 20, what).toBeLessThan(MAX_HELD_MIB)
    const client = new RawClient(endpoints)
    await client.hello()
    client.close()
    expect(child.exitCode).toBe(null)
  }

  it('holds no more for strangers than it says, whatever they subscribe to, say, and however many they are', async () => {
    const before = await ask<RobotReport>(child, 'report')
    const attacker = (await spawnScript('../../../src/bench/bridge/attacker.ts', JSON.stringify(endpoints))).child
    try {
      for (const attack of LARGEST) {
        expect(await ask(attacker, attack), attack).toBe('done')
        await expectWell(before, attack)
      }
    } finally {
      attacker.kill('SIGKILL')
    }
  }, 60_000)

  it('outlives clients that flood it and vanish, and what does not speak its language', async () => {
    const before = await ask<RobotReport>(child, 'report')
    for (let round = 0; round < 4; round++) {
      const flooder = new RawClient(endpoints)
      await flooder.hello()
      for (let k = 0; k < 3000; k++) void flooder.sendControl(Buffer.alloc(500)).catch(() => undefined)
      flooder.close()
    }
    const rng = new Rng(8)
    const ports = Object.values(endpoints).map((endpoint: string) => Number(endpoint.split(':').at(-1)))
    for (let round = 0; round < ROUNDS_OF_NOISE; round++) {
      await Promise.all(noises(rng).flatMap((noise) => ports.map((port) => shout(port, noise))))
    }
    await expectWell(before, 'noise')
  }, 60_000)
})

describe('the holder of the lease', () => {
  let bridge: TestBridge | undefined
  afterEach(async () => bridge?.close())

  const float = (...values: number[]): Wire => wireArray(Float32Array.from(values), '<f4', [values.length])
  const cases: [string, Record<string, Wire>, string][] = [
    ['NaN', { action: float(NaN, 0) }, 'rejected_not_finite'],
    ['Infinity', { action: float(0, -Infinity) }, 'rejected_not_finite'],
    ['3e38', { action: float(3e38, 0) }, 'rejected_out_of_hard_limits'],
    ['1e308 as float64', { action: wireArray(Float64Array.of(1e308, 0), '<f8', [2]) }, 'rejected_bad_dtype'],
    ['another dtype', { action: wireArray(Uint8Array.of(1, 2), '|u1', [2]) }, 'rejected_bad_dtype'],
    ['an object', { action: wireArray(Float32Array.of(0, 0), '|O', [2]) }, 'rejected_bad_dtype'],
    ['another length', { action: float(0, 0, 0) }, 'rejected_bad_shape'],
    ['another shape', { action: wireArray(Float32Array.of(0, 0), '<f4', [1, 2]) }, 'rejected_bad_shape'],
    ['too few bytes', { action: wireArray(Float32Array.of(0), '<f4', [2]) }, 'rejected_bad_shape'],
    ['a negative seq', { seq: -1 }, 'rejected_decode_failed'],
    ['a seq that is no whole number', { seq: 7.5 }, 'rejected_decode_failed'],
    ['a seq of before', { seq: 1 }, 'rejected_seq_replay'],
    ['far future', { due_us: 2 ** 53 - 1 }, 'too_early'],
    ['the past', { due_us: 1 }, 'late'],
    ['another epoch', { epoch: 0 }, 'rejected_epoch_stale'],
    ['another lease', { lease: 'mine' }, 'rejected_lease_denied'],
  ]

  it('is told what is wrong with each action, and goes on with the next good one', async () => {
    bridge = await openBridge({ messagesPerSecond: 1e5 })
    const { server, robot } = bridge
    const client = new RawClient(server.endpoints)
    await client.hello()
    await client.begin()
    const outcomes: Record<string, string[]> = {}
    for (const [name, fields] of cases) {
      const before = server.counters
      await client.sendAction(withFields(client.actionBytes(0.875), fields))
      await client.sendAction(client.actionBytes(0.25))
      const names = ['actions_received', 'actions_applied', 'actions_pending', 'actions_superseded', 'actions_rejected']
      const isSettled = (): boolean => server.counters['actions_received'] === before['actions_received']! + 2
      expect(await until(isSettled)).toBe(true)
      const after = server.counters
      outcomes[name] = Object.keys(after).filter(
        (key) => key.startsWith('actions_') && !names.includes(key) && after[key] !== (before[key] ?? 0),
      )
    }
    expect(outcomes).toEqual(Object.fromEntries(cases.map(([name, , outcome]) => [name, [`actions_${outcome}`]])))
    // So small that it is nothing, but a number.
    await client.sendAction(withFields(client.actionBytes(0), { action: float(1e-42, 0) }))
    expect(await until(() => robot.applied.at(-1)?.[0] === Math.fround(1e-42))).toBe(true)
    // A jump ahead is allowed; nothing of before it counts any more.
    await client.sendAction(client.actionBytes(0.5, { seq: 2 ** 53 - 1 }))
    expect(await until(() => robot.applied.at(-1)?.[0] === 0.5)).toBe(true)
    expect(robot.applied.every(([x]) => [0, 0.25, 0.5, Math.fround(1e-42)].includes(x!))).toBe(true)
    expect(server.state).toBe('ACTIVE')
    expectConserved(server.counters)
    client.close()
  })

  it('is told at once which of its messages could not be read, wherever their headers could', async () => {
    bridge = await openBridge({ messagesPerSecond: 1e5 })
    const client = new RawClient(bridge.server.endpoints)
    const command = { kind: 'command', command: 'arm' } as const
    const hello = { kind: 'hello', name: 'raw', software: 'test', role: 'controller', protocols: ['1.0'] } as const
    const refused = async (bytes: Buffer, to: 'control' | 'action'): Promise<string> => {
      await (to === 'control' ? client.sendControl(bytes) : client.sendAction(bytes))
      const answer = await client.answerTo(client.seq)
      return answer.kind === 'error' ? answer.code : answer.kind
    }
    const of = (fields: Record<string, Wire>): Buffer => withFields(client.bytesOf(command), fields)
    expect(await refused(withFields(client.bytesOf({ ...hello, arrayCodecs: [] }), { role: 'king' }), 'control')).toBe(
      'decode_failed',
    )
    await client.hello()
    await client.begin()
    expect(await refused(of({ command: 'dance' }), 'control')).toBe('decode_failed')
    expect(await refused(of({ kind: 'ping' }), 'control')).toBe('bad_header')
    const later = of({})
    later.write('Z', 3)
    expect(await refused(later, 'control')).toBe('unknown_kind')
    expect(await refused(withFields(client.actionBytes(0), { action: [0, 0] }), 'action')).toBe('decode_failed')
    expect(
      await refused(
        withFields(client.actionBytes(0), { action: wireArray(Uint8Array.of(1, 2), '|u1', [2]) }),
        'action',
      ),
    ).toBe('bad_dtype')
    expect(await refused(client.bytesOf(command), 'action')).toBe('unknown_kind')
    // A stranger's message is not looked at, and so nothing in it is named.
    const stranger = new RawClient(bridge.server.endpoints, undefined, 300)
    await stranger.sendControl(stranger.bytesOf(command))
    await expect(stranger.answerTo(stranger.seq)).rejects.toThrow()
    expectConserved(bridge.server.counters)
    stranger.close()
    client.close()
  })
})
