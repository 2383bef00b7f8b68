import { describe, expect, it } from 'vitest'
import type { DropPolicy, MessageSender } from '../../../bridges/zmq/queue.ts'
import { SendQueue } from '../../../bridges/zmq/queue.ts'

/** Like a zeromq.js socket: a second `send` while one waits throws at once. */
class SlowSocket implements MessageSender {
  closed = false
  readonly sent: number[] = []
  #finish: ((error?: Error) => void) | undefined

  send([part]: Uint8Array[]): Promise<void> {
    if (this.#finish !== undefined) throw Object.assign(new Error('busy'), { code: 'EBUSY' })
    return new Promise((resolve, reject) => {
      this.#finish = (error) => {
        this.#finish = undefined
        if (error !== undefined) return reject(error)
        this.sent.push(part![0]!)
        resolve()
      }
    })
  }

  async finish(error?: Error): Promise<void> {
    this.#finish?.(error)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function sendFive(policy: DropPolicy): Promise<{ sent: number[]; queue: SendQueue }> {
  const socket = new SlowSocket()
  const queue = new SendQueue(socket, 2, policy)
  for (let i = 0; i < 5; i++) queue.push(Uint8Array.of(i))
  while (queue.counts.sent < 3) await socket.finish()
  return { sent: socket.sent, queue }
}

describe('SendQueue', () => {
  it('sends one at a time and keeps the newest, the oldest, or says no', async () => {
    const newest = await sendFive('newest-wins')
    expect(newest.sent).toEqual([0, 3, 4])
    expect(newest.queue.counts).toMatchObject({ offered: 5, sent: 3, dropped: 2, refused: 0 })
    const oldest = await sendFive('oldest-wins')
    expect(oldest.sent).toEqual([0, 1, 2])
    expect(oldest.queue.counts).toMatchObject({ dropped: 2, refused: 0 })
    const refuse = await sendFive('refuse')
    expect(refuse.sent).toEqual([0, 1, 2])
    expect(refuse.queue.counts).toMatchObject({ dropped: 0, refused: 2 })
  })

  it('tries again until the socket takes it, or something newer waits, where a peer waits for it', async () => {
    const full = (): Error => Object.assign(new Error('full'), { code: 'EAGAIN' })
    const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))
    const socket = new SlowSocket()
    const queue = new SendQueue(socket, 1, 'newest-wins', undefined, true)
    queue.push(Uint8Array.of(1))
    for (let i = 0; i < 3; i++) {
      await socket.finish(full())
      await moment()
    }
    await socket.finish()
    expect(socket.sent).toEqual([1])
    queue.push(Uint8Array.of(2))
    queue.push(Uint8Array.of(3))
    await socket.finish(full())
    await moment()
    await socket.finish()
    expect(socket.sent).toEqual([1, 3])
    expect(queue.counts).toMatchObject({ offered: 3, sent: 2, again: 1, dropped: 0 })
  })

  it('counts what the socket could not send, and goes on', async () => {
    const socket = new SlowSocket()
    const queue = new SendQueue(socket, 8, 'refuse')
    for (let i = 0; i < 4; i++) queue.push(Uint8Array.of(i))
    await socket.finish(Object.assign(new Error('full'), { code: 'EAGAIN' }))
    await socket.finish(Object.assign(new Error('gone'), { code: 'EHOSTUNREACH' }))
    await socket.finish(new Error('odd'))
    await socket.finish()
    expect(queue.counts).toEqual({
      offered: 4,
      sent: 1,
      sentBytes: 1,
      dropped: 0,
      refused: 0,
      again: 1,
      unreachable: 1,
      failed: 1,
    })
  })

  it('drops what waits when it is closed', async () => {
    const socket = new SlowSocket()
    const queue = new SendQueue(socket, 8, 'refuse')
    for (let i = 0; i < 4; i++) queue.push(Uint8Array.of(i))
    queue.close()
    await socket.finish()
    expect(socket.sent).toEqual([0])
    expect(queue.counts).toMatchObject({ offered: 4, sent: 1, dropped: 3 })
    expect(queue.push(Uint8Array.of(9))).toBe(false)
  })
})
