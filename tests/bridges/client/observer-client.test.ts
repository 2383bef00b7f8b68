import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionChange } from '../../../bridges/client/session.ts'
import type { ObservedMessage, ObserverClientOptions } from '../../../bridges/client/observer-client.ts'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { decodeMessage } from '../../../bridges/protocol/codec.ts'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, PATIENCE_MS, until } from '../helpers.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const it of open.splice(0).toReversed()) await it.close()
})

/** @param endpoint where another one was before, all four of its sockets */
async function bridgeAt(endpoint?: Endpoints, robot?: SimpleRobot): Promise<TestBridge> {
  const bridge = await openBridge(endpoint === undefined ? {} : { endpoint }, robot)
  open.push(bridge)
  return bridge
}

interface Heard {
  readonly observer: ObserverClient
  readonly messages: ObservedMessage[]
  readonly changes: ConnectionChange[]
}

async function observe(endpoint: string, options: Partial<ObserverClientOptions> = {}): Promise<Heard> {
  const messages: ObservedMessage[] = []
  const changes: ConnectionChange[] = []
  const observer = await ObserverClient.connect({
    endpoint,
    clock,
    timeoutMs: PATIENCE_MS,
    onMessage: (message, { bytes, arrivalUs, captureUs }) => {
      // A greeting is shown without the session; all else as it came.
      if (message.kind !== 'welcome') expect(decodeMessage(bytes)).toEqual(message)
      if (captureUs !== undefined) expect(Math.abs(arrivalUs - captureUs)).toBeLessThan(2_000_000)
      messages.push(message)
    },
    onChange: (change) => changes.push(change),
    ...options,
  })
  open.push(observer)
  return { observer, messages, changes }
}

const kinds = (messages: readonly ObservedMessage[], kind: ObservedMessage['kind']): number =>
  messages.filter((message) => message.kind === kind).length

describe('an observer', () => {
  it('hears all that is published, beside the one that drives, and takes nothing away from it', async () => {
    const bridge = await bridgeAt()
    const { observer, messages } = await observe(bridge.server.endpoints.control, { name: 'onlooker' })
    expect(observer.welcome).toMatchObject({ role: 'observer', mode: 'realtime' })
    const driver = await openActive(bridge)
    driver.act(Float32Array.of(0.5, 0.25), { observationSeq: 1 })
    const isApplied = (message: ObservedMessage): boolean =>
      message.kind === 'observation' && message.applied?.seq !== undefined
    expect(await until(() => messages.some(isApplied) && kinds(messages, 'metrics') > 0)).toBe(true)
    expect(bridge.events).toContainEqual({ event: 'peer', code: 'hello', text: 'onlooker is here as observer' })
    const seqs = messages.flatMap((message) => (message.kind === 'observation' ? [message.observationSeq] : []))
    expect(seqs).toEqual(seqs.map((_, i) => seqs[0]! + i))
    expect(messages[0]).toMatchObject({ kind: 'welcome', session: observer.welcome.run })
    expect(await observer.ping()).toBeGreaterThan(0)
    await observer.close()
    expect(driver.hasLease).toBe(true)
    await expect(observer.ping()).rejects.toMatchObject({ code: 'closed' })
  })

  it('finds a restarted robot again, and says when it is another one', async () => {
    const first = await bridgeAt()
    const { endpoints } = first.server
    const { observer, messages, changes } = await observe(endpoints.control)
    const { run } = observer.welcome
    await first.close()
    expect(await until(() => changes.includes('bye'))).toBe(true)
    const second = await bridgeAt(endpoints)
    expect(await until(() => changes.includes('restarted'))).toBe(true)
    expect(observer.welcome.run).not.toBe(run)
    const before = messages.length
    expect(await until(() => kinds(messages.slice(before), 'observation') > 2)).toBe(true)
    await second.close()
    await bridgeAt(endpoints, new SimpleRobot({ actionSpace: boxSpace([2], -2, 2, ['a_rad', 'b_rad']) }))
    expect(await until(() => changes.includes('other'))).toBe(true)
  }, 60_000)

  it('says in one line that there is no robot', async () => {
    const endpoint = 'tcp://127.0.0.1:9'
    await expect(observe(endpoint, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'env-failed',
      message: `no robot at ${endpoint}: got no answer for 300 ms; check that it runs, and whether it wants keys`,
    })
  })
})
