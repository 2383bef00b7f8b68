import type { AddressInfo, Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChaosProxy } from './chaos-proxy.ts'

let echo: Server
let proxy: ChaosProxy
beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => {
    echo.listen(0, '127.0.0.1', resolve)
  })
  proxy = await ChaosProxy.to((echo.address() as AddressInfo).port)
})
afterEach(async () => {
  await proxy.close()
  echo.close()
})

function client(): { send: (text: string) => void; received: () => string; isClosed: () => boolean } {
  const socket = connect(proxy.port, '127.0.0.1')
  let text = ''
  let closed = false
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  return { send: (more) => void socket.write(more), received: () => text, isClosed: () => closed }
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await setTimeout(10)
  expect(condition()).toBe(true)
}

describe('the chaos proxy', () => {
  it('passes bytes on in order, late by the delay of both ways', async () => {
    const { send, received } = client()
    send('abc')
    await until(() => received() === 'abc')
    proxy.weather = { delayMs: 100 }
    const start = performance.now()
    for (const letter of 'defghi') send(letter)
    await until(() => received() === 'abcdefghi')
    expect(performance.now() - start).toBeGreaterThanOrEqual(199)
  })

  it('lets nothing through while it is stalled, and all of it afterwards', async () => {
    const { send, received, isClosed } = client()
    send('a')
    await until(() => received() === 'a')
    proxy.weather = { isStalled: true }
    send('bc')
    await setTimeout(150)
    expect([received(), isClosed()]).toEqual(['a', false])
    proxy.weather = {}
    await until(() => received() === 'abc')
  })

  it('throttles', async () => {
    const { send, received } = client()
    send('a')
    await until(() => received() === 'a')
    proxy.weather = { bytesPerSecond: 10_000 }
    const start = performance.now()
    send('b'.repeat(1000))
    await until(() => received().length === 1001)
    expect(performance.now() - start).toBeGreaterThanOrEqual(99)
  })

  it('changes bytes, and cuts connections', async () => {
    proxy.weather = { corruptEvery: 5 }
    const { send, received, isClosed } = client()
    send('0'.repeat(20))
    await until(() => received().length === 20)
    expect(received()).toMatch(/[^0]/)
    proxy.cut()
    await until(isClosed)
    proxy.weather = {}
    const again = client()
    again.send('x')
    await until(() => again.received() === 'x')
  })
})
