import { describe, expect, it } from 'vitest'
import { Gate } from '../../../bridges/server/isolated/gate.ts'
import { Inbox } from '../../../bridges/server/isolated/inbox.ts'
import { WaitingRoom } from '../../../bridges/server/isolated/waiting-room.ts'

/** As decoding a message that is none takes its time. */
function work(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

describe('the inbox of the thread that moves the robot', () => {
  it('leaves the turn to a timer that is due, however much has come at once, and keeps the order', async () => {
    const taken: number[] = []
    const inbox = new Inbox<number>((item) => {
      work(1.1)
      taken.push(item)
    })
    const whenDue = new Promise<number>((resolve) => setTimeout(() => resolve(taken.length), 1))
    for (let k = 0; k < 50; k++) inbox.push(k)
    // Each of them takes longer than a turn may: one was taken at once, the others have to wait.
    expect(taken).toEqual([0])
    expect(inbox.length).toBe(49)
    expect(await whenDue).toBeLessThan(10)
    while (inbox.length > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toEqual(Array.from({ length: 50 }, (_, k) => k))
  })

  it('hands over at once what there is time for', () => {
    const taken: string[] = []
    const inbox = new Inbox<string>((item) => taken.push(item))
    inbox.push('stop')
    expect(taken).toEqual(['stop'])
    expect(inbox.length).toBe(0)
  })
})

describe('the waiting room before it', () => {
  it('holds 96 messages, 32 of one connection, and no more than so many bytes', () => {
    const room = new WaitingRoom()
    const admitted = (name: string, count: number, bytes: number): number =>
      Array.from({ length: count }, () => room.admits(name, bytes, 0)).filter(Boolean).length
    expect(admitted('a', 1000, 10_000)).toBe(32)
    expect(['b', 'c'].map((name) => admitted(name, 1000, 10_000))).toEqual([32, 32])
    expect(admitted('e', 1000, 10_000)).toBe(0)
    const other = new WaitingRoom()
    const large = ['a', 'b', 'c'].flatMap((name) =>
      Array.from({ length: 20 }, () => other.admits(name, 256 * 1024, 0)).filter(Boolean),
    )
    expect(large).toHaveLength(32)
  })

  it('always has room for the few small ones of those who do not flood', () => {
    const room = new WaitingRoom()
    for (let k = 0; k < 10; k++) for (let i = 0; i < 100; i++) room.admits(`flood ${k}`, 1000, 0)
    const stops = Array.from({ length: 20 }, () => room.admits('operator', 200, 0)).filter(Boolean)
    expect(stops).toHaveLength(8)
    expect(room.admits('another', 5000, 0)).toBe(false)
  })

  it('has room again for what was taken, also when the count begins anew', () => {
    const room = new WaitingRoom()
    const passes = (count: number, taken: number): number =>
      Array.from({ length: count }, () => room.admits('a', 10_000, taken | 0)).filter(Boolean).length
    expect(passes(100, 0)).toBe(32)
    expect(passes(100, 10)).toBe(10)
    expect(passes(100, 42)).toBe(32)
    // More than was passed on has never been taken.
    expect(passes(1, -1)).toBe(1)
  })
})

describe('the gate before that', () => {
  it('lets so many a second on, and a few of each connection whatever the others say', () => {
    let nowUs = 0
    const gate = new Gate(400, () => nowUs)
    const admitted = (name: string, count: number): number =>
      Array.from({ length: count }, () => gate.admits(name)).filter(Boolean).length
    expect(admitted('flood 0', 2000)).toBe(800)
    for (let k = 1; k < 10; k++) admitted(`flood ${k}`, 2000)
    expect(admitted('operator', 100)).toBe(20)
    nowUs += 500_000
    expect(admitted('operator', 100)).toBeGreaterThanOrEqual(10)
  })
})
