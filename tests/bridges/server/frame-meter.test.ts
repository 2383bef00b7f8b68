import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { FrameMeter } from '../../../bridges/server/isolated/frame-meter.ts'

const GREETING = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]),
  Buffer.from('NULL'.padEnd(20, '\0')),
  Buffer.alloc(32),
])
const LIMITS = { maxFrameBytes: 1000, framesPerSecond: 10, bytesPerSecond: 2000, maxSubscriptions: Infinity }

function frame(body: Buffer, isCommand = false): Buffer {
  if (body.length < 256) return Buffer.concat([Buffer.from([isCommand ? 4 : 0, body.length]), body])
  const head = Buffer.alloc(9)
  head[0] = isCommand ? 6 : 2
  head.writeBigUInt64BE(BigInt(body.length), 1)
  return Buffer.concat([head, body])
}

const ping = frame(Buffer.from('\u0004PING\0\0'), true)
const meter = (limits = LIMITS): FrameMeter => new FrameMeter(limits, 0)

/** What passes of `bytes`, given in pieces of `size`. */
function passed(of: FrameMeter, bytes: Buffer, size: number, nowUs = 0): Buffer | string {
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const parts = of.pass(bytes.subarray(at, at + size), nowUs)
    if (typeof parts === 'string') return parts
    out.push(...parts)
  }
  return Buffer.concat(out)
}

describe('the meter of a connection', () => {
  it('lets everything through that comes slowly enough, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ length: fc.nat(400), isCommand: fc.boolean() }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 200 }),
        (frames, size) => {
          const all = frames.map(({ length, isCommand }) => frame(Buffer.alloc(length, 7), isCommand))
          const bytes = Buffer.concat([GREETING, ...all])
          expect(passed(meter({ ...LIMITS, bytesPerSecond: 1e5 }), bytes, size)).toEqual(bytes)
        },
      ),
    )
  })

  it('leaves out whole frames that come too fast, and goes on when there is room again', () => {
    for (const size of [1, 3, 1e6]) {
      const it = meter()
      const frames = Array.from({ length: 25 }, (_, k) => frame(Buffer.alloc(5, k)))
      const first = passed(it, Buffer.concat([GREETING, ...frames]), size)
      expect(first).toEqual(Buffer.concat([GREETING, ...frames.slice(0, 10)]))
      expect(it.dropped).toBe(15)
      expect(passed(it, frames[20]!, size, 1e6)).toEqual(frames[20])
    }
  })

  it('counts bytes', () => {
    const large = frame(Buffer.alloc(900))
    expect(passed(meter(), Buffer.concat([GREETING, large, large, large]), 1e6)).toHaveLength(64 + 2 * large.length)
  })

  it.each<[string, Buffer, RegExp]>([
    ['noise', Buffer.from('GET / HTTP/1.1\r\n'), /ZMTP 3/],
    ['an old version', Buffer.concat([GREETING.subarray(0, 10), Buffer.from([1])]), /ZMTP 3/],
    [
      'a frame that is too large',
      Buffer.concat([GREETING, frame(Buffer.alloc(1001))]),
      /1010 bytes; the limit is 1000/,
    ],
    [
      'a frame beyond all memory',
      Buffer.concat([GREETING, Buffer.from([2, 255, 255, 255, 255, 255, 255, 255, 255])]),
      /limit/,
    ],
    ['a flood', Buffer.concat([GREETING, ...Array.from({ length: 1000 }, () => frame(Buffer.alloc(1)))]), /floods/],
  ])('closes a connection of %s', (_, bytes, why) => {
    for (const size of [1, 7, 1e6]) expect(passed(meter(), bytes, size)).toMatch(why)
  })

  it('closes a connection that subscribes to too much, and none for its heartbeat', () => {
    const limits = { ...LIMITS, maxSubscriptions: 3 }
    const subscription = frame(Buffer.from('\u0001rb1o'))
    const some = Buffer.concat([GREETING, ...Array.from({ length: 3 }, () => subscription)])
    expect(passed(meter(limits), some, 5)).toEqual(some)
    expect(passed(meter(limits), Buffer.concat([some, subscription]), 5)).toMatch(/3 subscriptions/)
    const it = meter(limits)
    passed(it, some, 5)
    for (let second = 1; second < 100; second++) {
      for (let k = 0; k < 5; k++) expect(passed(it, ping, 3, second * 1e6)).toEqual(ping)
    }
  })
})
