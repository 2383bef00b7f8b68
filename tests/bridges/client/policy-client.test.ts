import { afterEach, describe, expect, it } from 'vitest'
import type { ClientEvent } from '../../../bridges/client/options.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { ObservationInbox } from '../../../bridges/client/observation-inbox.ts'
import type { ObservationMessage } from '../../../bridges/protocol/messages.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, until, wait } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

let bridges: TestBridge[] = []

afterEach(async () => {
  for (const bridge of bridges) await bridge.close()
  bridges = []
})

async function open(...options: Parameters<typeof openBridge>): Promise<TestBridge> {
  const bridge = await openBridge(...options)
  bridges.push(bridge)
  return bridge
}

function observation(observationSeq: number, timeUs: number, stale = false): ObservationMessage {
  const nothing = new Float32Array(0)
  return {
    kind: 'observation',
    session: 'run',
    seq: observationSeq,
    timeUs,
    epoch: 1,
    bridgeState: 'ACTIVE',
    armed: true,
    observationSeq,
    captureUs: timeUs,
    stale,
    proprio: nothing,
    state: nothing,
    images: {},
    reward: 0,
    terminated: false,
    truncated: false,
    info: {},
    episode: { id: 1, step: 0 },
    health: { dropped: 0, rejected: 0, queueLength: 0 },
  }
}

describe('ObservationInbox', () => {
  const nowUs = 1_000_000
  const inbox = (): ObservationInbox => {
    const box = new ObservationInbox(({ timeUs }) => nowUs - timeUs)
    box.expect('run', 100_000)
    return box
  }
  const next = (box: ObservationInbox): Promise<number | string> => {
    const answer = box.next(30, nowUs).then(
      ({ observationSeq }) => observationSeq,
      ({ message }: Error) => message,
    )
    box.expire(nowUs + 29_999, () => 'too early')
    box.expire(nowUs + 30_000, () => 'in a test')
    return answer
  }

  it('gives the newest once, and none that is old, repeated or of another process', async () => {
    const box = inbox()
    box.put(observation(1, nowUs))
    box.put(observation(2, nowUs))
    expect(await next(box)).toBe(2)
    expect(await next(box)).toMatch(/no fresh one for 30 ms \(in a test\)/)
    for (const late of [observation(2, nowUs), observation(1, nowUs), { ...observation(9, nowUs), session: 'other' }]) {
      box.put(late)
    }
    expect(await next(box)).toMatch(/no fresh one/)
    box.put(observation(3, nowUs - 100_001))
    expect(await next(box)).toMatch(/no fresh one/)
    box.put(observation(4, nowUs, true))
    expect(await next(box)).toMatch(/no fresh one/)
    box.put(observation(5, nowUs - 99_999))
    expect(await next(box)).toBe(5)
    expect([box.received, box.stale, box.skipped]).toEqual([8, 2, 1])
  })

  it('skips what a reset has ended', async () => {
    const box = inbox()
    box.put(observation(6, nowUs))
    box.skipTo(7)
    box.put(observation(7, nowUs))
    box.put(observation(8, nowUs))
    expect(await next(box)).toBe(8)
  })
})

describe('PolicyClient', () => {
  it('says clearly that there is no robot', async () => {
    const startUs = clock()
    const connecting = PolicyClient.connect({ endpoint: 'tcp://127.0.0.1:9', clock, timeoutMs: 300 })
    await expect(connecting).rejects.toThrow(/no robot at tcp:\/\/127.0.0.1:9.*no answer for 300 ms/)
    expect((clock() - startUs) / 1000).toBeLessThan(2000)
  })

  it('compares clocks, and refuses actions that the robot would refuse', async () => {
    const bridge = await open()
    const client = await openActive(bridge)
    expect(client.clockSync.ready).toBe(true)
    expect(Math.abs(client.clockSync.offsetUs)).toBeLessThanOrEqual(client.clockSync.errorUs)
    expect(() => client.act(Float32Array.of(1), { observationSeq: 1 })).toThrow(/length 2/)
    expect(() => client.act(Float32Array.of(1, NaN), { observationSeq: 1 })).toThrow(/NaN at 1/)
    expect(client.counters.actions_sent).toBe(0)
  })

  it('finds a robot again that was restarted, and nothing of before is executed', async () => {
    const first = await open()
    const { control } = first.server.endpoints
    const events: ClientEvent[] = []
    const client = await openActive(first, (event) => events.push(event))
    client.act(Float32Array.of(0.5, 0.5), { observationSeq: 1 })
    expect(await until(() => first.robot.applied.length > 0)).toBe(true)
    await first.server.close()
    for (let i = 0; i < 20; i++) {
      client.act(Float32Array.of(-0.9, -0.9), { observationSeq: 2 })
      await wait(5)
    }
    const elsewhere = 'tcp://127.0.0.1:*'
    const endpoint = { control, action: elsewhere, observation: elsewhere, telemetry: elsewhere }
    const second = await open({ endpoint })
    expect(
      await until(() => events.some(({ source }) => source === 'connection') && second.server.peerCount === 1),
    ).toBe(true)
    expect(await until(() => events.some((event) => event.source === 'connection' && event.code === 'restarted'))).toBe(
      true,
    )
    expect(second.robot.applied).toEqual([])
    await client.lease()
    await client.arm()
    await client.start()
    // The action socket may take another moment to connect: what cannot be sent is lost, as it should be.
    for (let i = 0; i < 100 && second.robot.applied.length === 0; i++) {
      const { observationSeq } = await client.nextObservation()
      client.act(Float32Array.of(0.25, 0.25), { observationSeq })
    }
    expect(second.robot.applied.length).toBeGreaterThan(0)
    expect(second.robot.applied.every(([a]) => a === 0.25)).toBe(true)
  })
})
