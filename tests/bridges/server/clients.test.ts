import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { runUntilSignal } from '../../../bridges/server/run-until-signal.ts'
import { loadLimits } from '../../../bridges/safety/limits.ts'
import { endpointsBeside, isLoopback } from '../../../bridges/zmq/sockets.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import { MemoryClient } from '../memory-network.ts'
import { simulatedBridge } from '../simulated-bridge.ts'

describe('observers', () => {
  it('never keep out those who drive, or stop the robot', async () => {
    const { client, network, time } = await simulatedBridge()
    const observers = Array.from({ length: 40 }, () => new MemoryClient(network, time.clock).hello('observer'))
    expect(observers.filter((code) => code === '')).toHaveLength(32)
    expect(observers.filter((code) => code === 'busy')).toHaveLength(8)
    const [driver, operator] = [client('controller'), client('operator')]
    driver.take()
    expect(driver.command('start')).toBe('')
    expect(operator.command('stop', { category: 'safe' })).toBe('')
  })

  it('are told nothing that another client is known by', async () => {
    const { client, time } = await simulatedBridge()
    const driver = client('controller', 'policy 7')
    const stranger = client('controller', 'other')
    driver.take()
    stranger.ask({ kind: 'lease_request', ttlMs: 100 })
    for (const command of ['arm', 'start', 'pause', 'stop', 'reset', 'release'] as const) {
      const refusal = stranger.command(command, { lease: 'guess' })
      expect(refusal).toMatch(/^lease_denied: policy 7 holds the lease/)
    }
    await time.advance(100)
    driver.leave()
    await time.advance(1100)
    const texts = [...stranger.heard, ...stranger.events].map((m) => JSON.stringify({ ...m, session: '' }))
    expect(texts.filter((text) => text.includes(driver.session) || text.includes(driver.lease))).toEqual([])
    expect(stranger.events.some(({ text }) => text === 'policy 7 is gone')).toBe(true)
  })
})

describe('operators', () => {
  it('always get in: the one that was silent longest makes room, never one that holds the lease', async () => {
    const { client, network, time, server } = await simulatedBridge()
    const holder = client('operator', 'holder')
    holder.take(60_000)
    for (let k = 0; k < 200; k++) {
      await time.advance(10)
      expect(new MemoryClient(network, time.clock).hello('operator')).toBe('')
    }
    expect(server.peerCount).toBe(32)
    expect(holder.command('stop')).toBe('')
  })
})

describe('an action space without bounds', () => {
  it('can be driven, and its limits are JSON', async () => {
    const { client } = await simulatedBridge(
      {},
      { actionSpace: boxSpace([2], -Infinity, Infinity, ['a_rad', 'b_rad']) },
    )
    const { heard } = client()
    const { limits } = heard.find((m) => m.kind === 'welcome')!
    expect(limits).toMatchObject({ elements: [{ name: 'a_rad', min: null, max: null }, { name: 'b_rad' }] })
    expect(loadLimits(limits).elements[0]).toMatchObject({ min: -Infinity, max: Infinity })
  })
})

describe('a robot whose', () => {
  it.each([
    ['control rate', { controlHz: 0 }, /controlHz of robot .*above 0/],
    ['control rate', { controlHz: -50 }, /controlHz/],
    ['control rate', { controlHz: NaN }, /controlHz/],
    ['names', { actionSpace: { dtype: 'float32', shape: [2], low: -1, high: 1, names: ['a'] } }, /names.*2 names/],
    ['camera', { imageSpaces: { front: boxSpace([4, 4], 0, 255) } }, /camera front/],
  ] as const)('%s makes no sense is refused', async (_, spec, text) => {
    await expect(simulatedBridge({}, spec)).rejects.toThrow(text)
  })
})

describe('an address', () => {
  it.each([
    ['tcp://127.0.0.1:5600', true],
    ['tcp://127.8.9.1:*', true],
    ['tcp://[::1]:5600', true],
    ['tcp://localhost:5600', true],
    ['ipc:///tmp/x', true],
    ['inproc://x', true],
    ['tcp://0.0.0.0:5600', false],
    ['tcp://*:5600', false],
    ['tcp://127.0.0.1.example.org:5600', false],
    ['tcp://eth0:5600', false],
    ['ws://0.0.0.0:5600', false],
    ['ws://127.0.0.1:5600', false],
    ['udp://127.0.0.1:5600', false],
    ['pgm://eth0;239.192.1.1:5555', false],
    ['vmci://*:5555', false],
    ['TCP://127.0.0.1:1', false],
    ['127.0.0.1:5600', false],
  ])('%s is known to be of this machine: %s', (endpoint, isKnown) => expect(isLoopback(endpoint)).toBe(isKnown))

  it.each([
    'ws://0.0.0.0',
    'ws://127.0.0.1:5600',
    'tcp://127.0.0.1:99999',
    'tcp://127.0.0.1:65533',
    'tcp://127.0.0.1',
    '',
    'ipc://',
  ])('"%s" is refused', async (endpoint) => {
    expect(() => endpointsBeside(endpoint)).toThrow(/address to listen on/)
    const { robot, time } = await simulatedBridge()
    expect(() => new RobotServer({ robot, clock: time.clock, endpoint })).toThrow(/address to listen on/)
  })
})

describe('runUntilSignal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection'])(
    'at %s stops the robot and says goodbye',
    async (signal) => {
      const { robot, network, time } = await simulatedBridge()
      const process = new EventEmitter() as unknown as NodeJS.Process
      const server = new RobotServer({ robot, clock: time.clock, sleep: time.sleep, transport: network.open })
      let driver: MemoryClient | undefined
      const onListening = (): void => {
        driver = new MemoryClient(network, time.clock)
        driver.hello()
        driver.take()
        driver.command('start')
      }
      const ended = runUntilSignal(server, { onListening, process })
      ended.catch(() => undefined)
      await time.advance(100)
      expect(server.state).toBe('ACTIVE')
      process.emit(signal as 'exit', (signal.startsWith('SIG') ? signal : new Error('a bug')) as never)
      const begunMs = time.clock() / 1000
      await time.during(ended.catch(() => undefined))
      if (signal.startsWith('SIG')) expect(await ended).toBe(signal)
      else await expect(ended).rejects.toThrow('a bug')
      expect(robot.times('stop')).toEqual([begunMs])
      expect(robot.isClosed).toBe(true)
      expect(driver!.heard.at(-1)).toMatchObject({ kind: 'bye', reason: signal.startsWith('SIG') ? signal : 'a bug' })
      expect(time.clock() / 1000 - begunMs).toBeLessThan(1000)
      expect(process.listenerCount('SIGHUP')).toBe(0)
    },
  )
})
