import { describe, expect, it } from 'vitest'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import type { ClientHandlers } from '../../../bridges/client/transport.ts'
import { decodeMessage } from '../../../bridges/protocol/codec.ts'
import type { Message } from '../../../bridges/protocol/messages.ts'
import { ArmatureError } from '../../../src/core/errors.ts'
import { collectGarbage } from '../../../src/bench/garbage.ts'
import { Rng } from '../../../src/core/rng.ts'
import { MemoryLink } from '../memory-network.ts'
import type { SimulatedBridge } from '../simulated-bridge.ts'
import { simulatedBridge } from '../simulated-bridge.ts'
import { garbage } from './garbage.ts'
import { WAVE } from './robot-process.ts'

/** By hand: a million. */
const MESSAGES = Number(process.env['ARMATURE_FUZZ_MESSAGES'] ?? 10_000)
const MAX_HELD_MIB = 64
/** Messages of garbage in a control period. */
const PER_PERIOD = 20

interface Victim extends SimulatedBridge {
  readonly client: SimulatedBridge['client']
  readonly policy: PolicyClient
  /** What the client's sockets call. */
  readonly ears: ClientHandlers
  /** What the robot has said so far, one of each kind and socket. */
  readonly said: Buffer[]
}

const SOCKETS = ['control', 'observation', 'telemetry'] as const

/** A client that hears a robot, and whatever else is put to its ears. */
async function victim(): Promise<Victim> {
  const bridge = await simulatedBridge({ messagesPerSecond: 1e9 })
  const said = new Map<string, Buffer>()
  let ears: ClientHandlers | undefined
  const policy = await bridge.time.during(
    PolicyClient.connect({
      endpoint: 'memory:0',
      clock: bridge.time.clock,
      sleep: bridge.time.sleep,
      onEvent: () => undefined,
      onMetrics: () => undefined,
      transport: (handlers) => {
        ears = handlers
        const remember =
          (socket: (typeof SOCKETS)[number]) =>
          (bytes: Uint8Array): void => {
            said.set(`${socket} ${decodeMessage(bytes).kind}`, Buffer.from(bytes))
            handlers[socket](bytes)
          }
        return new MemoryLink(bridge.network, bridge.time, {
          control: remember('control'),
          observation: remember('observation'),
          telemetry: remember('telemetry'),
        })
      },
    }),
  )
  const begin = async (): Promise<void> => {
    await policy.lease({ ttlMs: 60_000 })
    await policy.arm()
    await policy.reset()
    // So that a refusal, events and numbers are among what it has heard.
    await policy.clear().catch(() => undefined)
    await bridge.time.sleep(1100)
    await policy.start()
  }
  await bridge.time.during(begin())
  return { ...bridge, policy, ears: ears!, said: [...said.values()] }
}

function readable(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes)
  } catch {
    return undefined
  }
}

/** What a policy was given: how many, each newer than the one before, and those between that it was not given. */
interface Given {
  count: number
  isRising: boolean
  missed: number
}

/** Answers what it is given, until `isOver`. */
async function drive(policy: PolicyClient, isOver: () => boolean): Promise<Given> {
  const given: Given = { count: 0, isRising: true, missed: 0 }
  let last: number | undefined
  while (!isOver()) {
    const { observationSeq } = await policy.nextObservation()
    given.isRising &&= last === undefined || observationSeq > last
    given.missed += last === undefined ? 0 : observationSeq - last - 1
    given.count++
    last = observationSeq
    policy.act(Float32Array.of(WAVE[given.count % WAVE.length]!, 0), { observationSeq })
  }
  return given
}

/** That the robot was told nothing but what the policy meant; what this test has kept of it goes. */
function isClean({ robot, events }: Victim): boolean {
  const isWave = robot.applied.every(([x]) => x === 0 || (WAVE as readonly number[]).includes(x!))
  for (const list of [robot.applied, robot.told, robot.stops, events]) list.length = 0
  return isWave
}

/** Of this process, without garbage. */
function heldMib(): number {
  collectGarbage()
  return process.memoryUsage.rss() / 2 ** 20
}

describe('a client that hears garbage', () => {
  it(`of ${MESSAGES} messages that are not of its robot drives as if there were none`, async () => {
    const all = await victim()
    const { policy, time, ears, said, server } = all
    expect(said.length).toBeGreaterThanOrEqual(8)
    const rng = new Rng(11)
    const sessions = new Set(said.map((bytes) => decodeMessage(bytes).session))
    const before = heldMib()
    const state = { isOver: false, heard: 0 }
    const driven = drive(policy, () => state.isOver)
    driven.catch(() => undefined)
    for (let k = 0; k < MESSAGES; k++) {
      const bytes = garbage(said, rng)
      const message = readable(bytes)
      // What has its session and can be read, the robot may have said.
      const isOfRobot = message !== undefined && (sessions.has(message.session) || message.session === '')
      if (!isOfRobot) {
        ears[SOCKETS[k % 3]!](bytes)
        state.heard++
      }
      if (k % PER_PERIOD === 0) await time.advance(20)
      if (k % 1000 === 0) expect(isClean(all)).toBe(true)
    }
    state.isOver = true
    await time.advance(100)
    const given = await driven
    expect(state.heard).toBeGreaterThan(MESSAGES / 3)
    // None is missed, none comes twice.
    expect(given.count).toBeGreaterThan(MESSAGES / PER_PERIOD - 10)
    expect(given).toMatchObject({ isRising: true, missed: 0 })
    expect(server.state).toBe('ACTIVE')
    expect(isClean(all)).toBe(true)
    expect(heldMib() - before).toBeLessThan(MAX_HELD_MIB)
    await time.during(policy.close())
  }, 600_000)

  it(`of ${MESSAGES} messages that could be of its robot ends with an error at worst`, async () => {
    const rng = new Rng(12)
    const before = heldMib()
    let heard = 0
    for (let round = 0; heard < MESSAGES; round++) {
      const all = await victim()
      const { policy, time, ears, said } = all
      const state: { isOver: boolean; failure?: unknown } = { isOver: false }
      const driven = drive(policy, () => state.isOver)
      driven.catch((error: unknown) => {
        state.failure = error
        state.isOver = true
      })
      for (; heard < MESSAGES && !state.isOver; heard++) {
        ears[SOCKETS[rng.int(3)]!](garbage(said, rng))
        if (heard % PER_PERIOD === 0) await time.advance(20)
        if (heard % 1000 === 0) expect(isClean(all)).toBe(true)
      }
      state.isOver = true
      await time.advance(2500)
      if (state.failure === undefined) expect((await driven).isRising).toBe(true)
      else expect(state.failure).toBeInstanceOf(ArmatureError)
      expect(isClean(all)).toBe(true)
      await time.during(policy.close())
      await time.during(all.server.close())
      // One that is told that its robot is another one has ended, rightly; there are not many of these.
      expect(round).toBeLessThan(1 + MESSAGES / 200)
    }
    expect(heldMib() - before).toBeLessThan(MAX_HELD_MIB)
  }, 600_000)
})
