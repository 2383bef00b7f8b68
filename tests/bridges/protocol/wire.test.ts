import { fc } from '../../fast-check.ts'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { decodeMsgpack, encodeMsgpack, wireBytes, wireNumber } from '../../../bridges/protocol/msgpack.ts'
import { MAX_DEPTH, MAX_NODES, scan } from '../../../bridges/protocol/scan.ts'
import type { Wire } from './wire.ts'
import { BIN_KEY, decodeWire, encodeWire } from './wire.ts'

const fromHex = (hex: string): Wire => decodeWire(Buffer.from(hex, 'hex'), 0)
const PREFIX = Buffer.from('rb1x')

/** Values that survive the way there and back. */
const { wire } = fc.letrec<{ wire: Wire }>((tie) => ({
  wire: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('wire'), { maxLength: 20 }),
    fc
      // No message has that key: the scan refuses it.
      .dictionary(
        fc.string({ maxLength: 9 }).filter((key) => key !== '__proto__'),
        tie('wire'),
        { maxKeys: 20 },
      )
      .map((record) => new Map(Object.entries(record))),
  ),
}))

/** As the encoder has to be given it. */
function given(value: Wire): unknown {
  if (typeof value === 'number') return wireNumber(value)
  if (value instanceof Uint8Array) return wireBytes(value)
  if (value instanceof Map) {
    return Object.fromEntries([...(value as ReadonlyMap<string, Wire>)].map(([key, item]) => [key, given(item)]))
  }
  return Array.isArray(value) ? (value as Wire[]).map(given) : value
}

describe('plain msgpack', () => {
  it('comes back as it went, and is what an independent reader reads', () => {
    fc.assert(
      fc.property(wire, (value) => {
        const bytes = encodeMsgpack(PREFIX, given(value))
        expect(bytes.toString('latin1', 0, 4)).toBe('rb1x')
        expect(decodeWire(bytes, 4)).toEqual(value)
        expect(encodeMsgpack(PREFIX, decodeMsgpack(bytes, 4))).toBeDefined()
      }),
    )
  })

  it('is read as another writer writes it', () => {
    fc.assert(
      fc.property(wire, (value) => {
        expect(decodeWire(encodeWire(value, ''), 0)).toEqual(value)
      }),
    )
    const packr = new Packr({ useRecords: false, variableMapSize: true } as object)
    const simple = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 300 }))
    fc.assert(
      fc.property(fc.array(simple), (values) => {
        expect(decodeMsgpack(packr.pack(values), 0)).toEqual(values)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    [-0, 'cb8000000000000000'],
    [2 ** 31, 'ce80000000'],
    [2 ** 32, 'd30000000100000000'],
    [2 ** 53 - 1, 'd3001fffffffffffff'],
    [2 ** 53, 'cb4340000000000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [-(2 ** 53 - 1), 'd3ffe0000000000001'],
    [1.5, 'cb3ff8000000000000'],
  ])('writes %s as %s', (value, hex) => {
    const bytes = encodeMsgpack(Buffer.alloc(0), wireNumber(value))
    expect(bytes.toString('hex')).toBe(hex)
    expect(decodeMsgpack(bytes, 0)).toBe(value)
  })

  it('is never written to again', () => {
    const kept = Array.from({ length: 200 }, (_, k) => encodeMsgpack(PREFIX, { k, text: 'x'.repeat(k) }))
    kept.forEach((bytes, k) => expect(decodeMsgpack(bytes, 4)).toEqual({ k, text: 'x'.repeat(k) }))
  })

  it('has arrays whose keys were bytes once read, too', () => {
    const entries: [string, Wire][] = [
      [`${BIN_KEY}__ndarray__`, true],
      ['x', [new Map([[`${BIN_KEY}a`, 1]])]],
    ]
    expect(decodeMsgpack(encodeWire(new Map(entries), ''), 0)).toEqual({ __ndarray__: true, x: [{ a: 1 }] })
  })
})

describe('what is refused', () => {
  it.each([
    ['an array of 33 million', 'dd01ffffff', 'decode_limit'],
    ['a map of 33 million', 'df01ffffff', 'decode_limit'],
    ['an array longer than the message', '9fc0', 'decode_failed'],
    ['a long array longer than the message', 'dc0fff00', 'decode_failed'],
    ['bytes longer than the message', 'c6ffffffff00', 'decode_failed'],
    ['text longer than the message', 'dbffffffff00', 'decode_failed'],
    ['ten nested array bombs', 'dd01ffffff'.repeat(10), 'decode_limit'],
    ['200 kB of nesting', '91'.repeat(200_000), 'decode_limit'],
    ['nothing', '', 'decode_failed'],
    ['a number cut short', 'cb0000', 'decode_failed'],
    ['a byte left over', 'c000', 'decode_failed'],
    ['a record definition', 'd47240', 'decode_failed'],
    ['an extension', 'c7010500', 'decode_failed'],
    ['a fixed extension', 'd80500000000000000000000000000000000', 'decode_failed'],
    ['the code that is never used', 'c1', 'decode_failed'],
    ['text that is not UTF-8', 'a2c328', 'decode_failed'],
    ['overlong UTF-8', 'a2c080', 'decode_failed'],
    ['half a surrogate pair', 'a3eda080', 'decode_failed'],
    ['a key twice', '82a16101a16102', 'decode_failed'],
    ['a key twice, as bytes', '82c4016101c4016102', 'decode_failed'],
    ['a key twice, with another head', '82a16101d9016102', 'decode_failed'],
    ['a key twice, both nil, in a list', '9182a161c0a161c0', 'decode_failed'],
    ['a number as key', '810102', 'decode_failed'],
    ['a list as key', '819001', 'decode_failed'],
  ])('%s', (_, hex, code) => {
    const bytes = Buffer.from(hex, 'hex')
    expect(() => scan(bytes, 0)).toThrowError(expect.objectContaining({ name: 'ProtocolError', code }))
  })

  it.each(['cf0020000000000000', 'cfffffffffffffffff', 'd3ffe0000000000000', 'd38000000000000000'])(
    'whole numbers beyond 2^53: %s',
    (hex) => expect(() => scan(Buffer.from(hex, 'hex'), 0)).toThrow(/beyond 2\^53/),
  )

  it('a key that is the way to an object, and keys that come twice among thousands', () => {
    expect(() => fromHex(`81a9${Buffer.from('__proto__').toString('hex')}80`)).toThrow(/not allowed/)
    const many = Array.from({ length: 2000 }, (_, k): [string, Wire] => [`key ${k}`, k])
    expect(decodeWire(encodeWire(new Map(many), ''), 0)).toEqual(new Map(many))
    const bytes = encodeWire(new Map(many), '')
    const at = bytes.indexOf('key 1999')
    bytes.write('key 1000', at)
    expect(() => scan(bytes, 0)).toThrow(/comes twice/)
  })

  it('anything but what it lets through: what it passes, the decoder reads, whatever bytes they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const bytes = Buffer.from(noise)
        let isAllowed = true
        try {
          scan(bytes, 0)
        } catch {
          isAllowed = false
        }
        if (isAllowed) expect(() => decodeMsgpack(bytes, 0)).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })

  it('depth and number of values are exact', () => {
    expect(() => fromHex(`${'91'.repeat(MAX_DEPTH - 1)}c0`)).not.toThrow()
    expect(() => fromHex(`${'91'.repeat(MAX_DEPTH)}c0`)).toThrowError(expect.objectContaining({ code: 'decode_limit' }))
    const listOf = (n: number): string => `dc${n.toString(16).padStart(4, '0')}${'c0'.repeat(n)}`
    expect(fromHex(listOf(MAX_NODES - 1))).toHaveLength(MAX_NODES - 1)
    expect(() => fromHex(listOf(MAX_NODES))).toThrowError(expect.objectContaining({ code: 'decode_limit' }))
  })

  it('a key of bytes is not the key of text', () => {
    expect(fromHex('82a16101c4016102')).toEqual(
      new Map([
        ['a', 1],
        [`${BIN_KEY}a`, 2],
      ]),
    )
  })
})
