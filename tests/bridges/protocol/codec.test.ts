import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { decodeMessage, encodeMessage, MAX_CLIENT_MESSAGE_BYTES, topicOf } from '../../../bridges/protocol/codec.ts'
import { ProtocolError } from '../../../bridges/protocol/errors.ts'
import type { Message, ObservationMessage } from '../../../bridges/protocol/messages.ts'
import { KIND_LETTERS } from '../../../bridges/protocol/messages.ts'
import { collectGarbage } from '../../../src/bench/garbage.ts'
import { sampleMessages } from './samples.ts'
import type { Wire } from './wire.ts'
import { decodeWire, encodeWire } from './wire.ts'

const sample = (kind: Message['kind']): Message => sampleMessages.find((message) => message.kind === kind)!
const coded = (code: string): unknown => expect.objectContaining({ name: 'ProtocolError', code })

/** The sample of `kind` as it is on the wire after `change`. */
function changed(kind: Message['kind'], change: (map: Map<string, Wire>) => void): Buffer {
  const bytes = encodeMessage(sample(kind))
  const map = decodeWire(bytes, 4) as Map<string, Wire>
  change(map)
  return encodeWire(map, bytes.toString('latin1', 0, 4))
}

describe('a message', () => {
  it('is there as a sample for every kind', () => {
    expect(new Set(sampleMessages.map(({ kind }) => kind))).toEqual(new Set(Object.keys(KIND_LETTERS)))
  })

  it.each(sampleMessages.map((message) => [message.kind, message] as const))(
    '%s comes back as it went',
    (_, message) => {
      expect(decodeMessage(encodeMessage(message))).toEqual(message)
    },
  )

  it('comes back as it went from a place without alignment', () => {
    const bytes = encodeMessage(sample('chunk'))
    for (let offset = 0; offset < 8; offset++) {
      const place = Buffer.alloc(bytes.length + 8)
      place.set(bytes, offset)
      expect(decodeMessage(place.subarray(offset, offset + bytes.length))).toEqual(sample('chunk'))
    }
  })

  it('carries an action bit for bit, NaN payloads too', () => {
    fc.assert(
      fc.property(fc.uint32Array({ minLength: 1, maxLength: 16 }), (bits) => {
        const action = new Float32Array(bits.buffer, bits.byteOffset, bits.length)
        const back = decodeMessage(encodeMessage({ ...sample('action'), action } as Message)) as {
          action: Float32Array
        }
        expect(new Uint32Array(back.action.buffer)).toEqual(bits.slice())
      }),
    )
  })

  it('begins with what subscribers filter by', () => {
    expect(encodeMessage(sample('observation')).toString('latin1', 0, 4)).toBe(topicOf('observation'))
    expect(topicOf('observation')).toBe('rb1o')
  })

  it('has the bytes that the README shows', () => {
    const ping: Message = { kind: 'ping', session: 'ab', seq: 3, timeUs: 1000, epoch: 1, t1Us: 1000 }
    expect(encodeMessage(ping).toString('hex')).toBe(
      '72623170' +
        '86a46b696e64a470696e67a773657373696f6ea26162a373657103a774696d655f7573cd03e8a565706f636801a574315f7573cd03e8',
    )
  })

  it('ignores keys that it does not know, and takes nil for a missing one', () => {
    const bytes = changed('ping', (map) => map.set('from_the_future', 1).set('lease', null))
    expect(decodeMessage(bytes)).toEqual({ ...sample('ping'), lease: undefined })
  })

  it('shares no memory with the next one', () => {
    const first = encodeMessage(sample('ping'))
    const copy = Buffer.from(first)
    for (let i = 0; i < 100; i++) encodeMessage({ ...sample('ping'), seq: i + 1000 } as Message)
    expect(first).toEqual(copy)
  })
})

describe('what is no message', () => {
  it.each([
    ['', 'bad_magic'],
    ['GET / HTTP/1.1', 'bad_magic'],
    ['rb', 'bad_prefix'],
    ['rbxa', 'bad_prefix'],
    ['rb2h\u0080', 'version_unsupported'],
    ['rb1', 'unknown_kind'],
    ['rb1Z', 'unknown_kind'],
    ['rb1p', 'decode_failed'],
    ['rb1p\u0001', 'bad_header'],
    ['rb1p\u0080', 'bad_header'],
  ])('%j is %s', (text, code) => {
    expect(() => decodeMessage(Buffer.from(text, 'latin1'))).toThrowError(coded(code))
  })

  it.each([
    ['another kind inside', 'ping', 'kind', 'pong', 'bad_header'],
    ['no sequence number', 'ping', 'seq', undefined, 'bad_header'],
    ['a negative one', 'ping', 'seq', -1, 'decode_failed'],
    ['one beyond 2^53', 'ping', 'seq', 2n ** 60n, 'decode_failed'],
    ['one that is a float', 'ping', 'seq', 2 ** 60, 'decode_failed'],
    ['a fraction', 'ping', 'epoch', 0.5, 'decode_failed'],
    ['a time that is text', 'ping', 't1_us', '1', 'decode_failed'],
    ['no lease', 'action', 'lease', undefined, 'decode_failed'],
    ['an endless text', 'action', 'lease', 'x'.repeat(5000), 'decode_failed'],
    ['a command of its own', 'command', 'command', 'explode', 'decode_failed'],
    ['a list as action', 'action', 'action', [0, 0], 'decode_failed'],
    ['a reward that is no number', 'observation', 'reward', NaN, 'not_finite'],
    ['an endless reward', 'observation', 'reward', Infinity, 'not_finite'],
    ['a name that is a trap', 'metrics', 'values', new Map([['__proto__', 1]]), 'decode_failed'],
    ['images that are a list', 'observation', 'images', [], 'decode_failed'],
  ] as const)('%s: %s.%s', (_, kind, key, value, code) => {
    const bytes = changed(kind, (map) => (value === undefined ? map.delete(key) : map.set(key, value)))
    expect(() => decodeMessage(bytes)).toThrowError(coded(code))
  })

  it.each([
    ['whole numbers', 'dtype', '<i4', 'bad_dtype'],
    ['big-endian', 'dtype', '>f4', 'bad_dtype'],
    ['objects', 'dtype', '|O', 'bad_dtype'],
    ['another length', 'shape', [3], 'bad_shape'],
    ['two axes', 'shape', [1, 2], 'bad_shape'],
    ['a negative axis', 'shape', [-2], 'bad_shape'],
    ['axes that overflow', 'shape', [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], 'bad_shape'],
    ['no data', 'data', null, 'decode_failed'],
  ] as const)('an action of %s', (_, key, value, code) => {
    const bytes = changed('action', (map) => (map.get('action') as Map<string, Wire>).set(key, value))
    expect(() => decodeMessage(bytes)).toThrowError(coded(code))
  })

  it.each([
    ['of the message', '82a46b696e64a470696e67a46b696e64a470696e67'],
    ['of a record', '81a6636f756e7465727382a16101a16102'],
    ['that nobody knows', '82a16101a16102'],
    ['in something that nobody knows', '81a16182a16201a16202'],
  ])('a key twice %s is refused', (_, hex) => {
    const kind = hex.startsWith('82') ? 'rb1p' : 'rb1m'
    expect(() => decodeMessage(Buffer.concat([Buffer.from(kind), Buffer.from(hex, 'hex')]))).toThrowError(
      coded('decode_failed'),
    )
  })

  it('an array with a key twice is refused', () => {
    const bytes = encodeMessage(sample('action'))
    const at = bytes.indexOf('dtype')
    const twice = Buffer.concat([bytes.subarray(0, at), Buffer.from('shape'), bytes.subarray(at + 5)])
    expect(() => decodeMessage(twice)).toThrowError(coded('decode_failed'))
  })

  it('names the field, and nothing of what was in it', () => {
    const bytes = changed('welcome', (map) =>
      ((map.get('schema') as Map<string, Wire>).get('action') as Map<string, Wire>).set('low', ['<script>']),
    )
    expect(() => decodeMessage(bytes)).toThrowError('welcome.schema.action.low[0] is not a number')
  })

  it.each([0, -50, NaN, Infinity])('a robot of %s Hz is none', (hz) => {
    const bytes = changed('welcome', (map) => (map.get('schema') as Map<string, Wire>).set('control_hz', hz))
    expect(() => decodeMessage(bytes)).toThrowError(/welcome\.schema\.control_hz is/)
  })

  it('is named by its number wherever that could be read', () => {
    const refSeq = (bytes: Buffer): number | undefined => {
      try {
        decodeMessage(bytes)
      } catch (error) {
        return (error as ProtocolError).refSeq
      }
      throw new Error('was decoded')
    }
    const { seq } = sample('ping')
    const ping = encodeMessage(sample('ping'))
    const later = Buffer.from(ping)
    later.write('Z', 3)
    expect(refSeq(changed('ping', (map) => map.set('t1_us', 'now')))).toBe(seq)
    expect(refSeq(changed('ping', (map) => map.set('kind', 'pong')))).toBe(seq)
    expect(refSeq(later)).toBe(seq)
    expect(
      [-1, 1.5, 2n ** 63n, 'one', null].map((bad) => refSeq(changed('ping', (map) => map.set('seq', bad)))),
    ).toEqual(Array.from({ length: 5 }))
    expect([ping, later].map((bytes) => refSeq(bytes.subarray(0, -1)))).toEqual([undefined, undefined])
  })

  it('is refused unread when it is too large', () => {
    const large = Buffer.alloc(MAX_CLIENT_MESSAGE_BYTES + 1, 0x91)
    large.write('rb1a')
    expect(() => decodeMessage(large)).toThrowError(coded('too_large'))
  })

  it('is never encoded from an array that does not fill its shape', () => {
    const actions = { data: new Float32Array(3), shape: [2, 2] }
    expect(() => encodeMessage({ ...sample('chunk'), actions } as Message)).toThrowError(coded('bad_shape'))
  })
})

describe('garbage', () => {
  const valid = sampleMessages.map((message) => encodeMessage(message))

  /** Decodes, and fails on anything but a message or a ProtocolError. */
  function survives(bytes: Uint8Array): boolean {
    try {
      decodeMessage(bytes)
      return true
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return false
    }
  }

  it('of every kind ends in a message or an error of the protocol', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.from('rb1a'), bytes])),
      fc.tuple(fc.nat(valid.length - 1), fc.nat(), fc.nat(255)).map(([index, at, byte]) => {
        const bytes = Buffer.from(valid[index]!)
        bytes[at % bytes.length] = byte
        return bytes
      }),
      fc
        .tuple(fc.nat(valid.length - 1), fc.nat())
        .map(([index, at]) => valid[index]!.subarray(0, at % valid[index]!.length)),
    )
    fc.assert(
      fc.property(garbage, (bytes) => {
        expect(() => survives(bytes)).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })

  it('cut short anywhere is refused', () => {
    for (const bytes of valid) {
      const lengths = Array.from(bytes.keys()).filter((length) => survives(bytes.subarray(0, length)))
      expect(lengths).toEqual([])
    }
  })

  it('a hundred thousand times leaves memory as it was', () => {
    const bombs = ['dd01ffffff'.repeat(10), '91'.repeat(100), 'd47240', 'df7fffffff', 'c6ffffffff'].map((hex) =>
      Buffer.concat([Buffer.from('rb1a'), Buffer.from(hex, 'hex')]),
    )
    const run = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const base = i % 2 === 0 ? bombs[i % bombs.length]! : valid[i % valid.length]!
        const bytes = Buffer.from(base)
        bytes[(i * 7919) % bytes.length] = (i * 104_729) & 0xff
        survives(bytes)
      }
    }
    run(5000)
    // Without garbage: V8 lets its young generation grow by as much.
    const held = (): number => {
      collectGarbage()
      return process.memoryUsage.rss()
    }
    const before = held()
    run(100_000)
    expect(held() - before).toBeLessThan(20 * 2 ** 20)
    expect(decodeMessage(valid[0]!)).toEqual(sampleMessages[0])
  })
})

it('an observation of 12 KB costs about that many bytes', () => {
  const pixels = { data: new Uint8Array(64 * 64 * 3), shape: [64, 64, 3] }
  const message = {
    ...(sample('observation') as ObservationMessage),
    images: { top: { encoding: 'raw', pixels } },
  } as const
  expect(encodeMessage(message).length - pixels.data.length).toBeLessThan(1200)
})
