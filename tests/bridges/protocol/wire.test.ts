import * as fc from 'fast-check'
import { pack, Unpackr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { BIN_KEY, MAX_DEPTH, MAX_NODES, WireReader } from '../../../bridges/protocol/wire-reader.ts'
import type { Wire } from './wire.ts'
import { decodeWire, encodeWire } from './wire.ts'

const hexOf = (value: Wire): string => encodeWire(value, '').toString('hex')
const fromHex = (hex: string): Wire => decodeWire(Buffer.from(hex, 'hex'), 0)

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
      .dictionary(fc.string({ maxLength: 9 }), tie('wire'), { maxKeys: 20 })
      .map((record) => new Map(Object.entries(record))),
  ),
}))

describe('plain msgpack', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(wire, (value) => {
        expect(decodeWire(encodeWire(value, 'rb1x'), 4)).toEqual(value)
      }),
    )
  })

  it('is what an independent reader reads', () => {
    const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'auto' } as object)
    fc.assert(
      fc.property(wire, (value) => {
        expect(unpackr.unpack(encodeWire(value, ''))).toEqual(value)
      }),
    )
  })

  it('is what an independent writer writes, for values that it can write', () => {
    const simple = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 300 }))
    fc.assert(
      fc.property(fc.array(simple), (values) => {
        expect(decodeWire(pack(values), 0)).toEqual(values)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    [0, '00'],
    [-0, 'cb8000000000000000'],
    [127, '7f'],
    [128, 'cc80'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [65_535, 'cdffff'],
    [-32_768, 'd18000'],
    [2 ** 31, 'ce80000000'],
    [2 ** 32, 'cf0000000100000000'],
    [2 ** 53 - 1, 'cf001fffffffffffff'],
    [2 ** 53, 'cb4340000000000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [-(2 ** 53 - 1), 'd3ffe0000000000001'],
    [-(2 ** 32), 'd3ffffffff00000000'],
    [-129, 'd1ff7f'],
    [256, 'cd0100'],
    [65_536, 'ce00010000'],
    [-32_769, 'd2ffff7fff'],
    [1.5, 'cb3ff8000000000000'],
    [NaN, 'cb7ff8000000000000'],
    ['é', 'a2c3a9'],
    [new Map<string, Wire>([[`${BIN_KEY}nd`, true]]), '81c4026e64c3'],
  ] as [Wire, string][])('writes %s as %s', (value, hex) => {
    expect(hexOf(value)).toBe(hex)
    expect(fromHex(hex)).toEqual(value)
  })

  it('uses the longer heads where lengths need them', () => {
    const values = [
      'x'.repeat(31),
      'x'.repeat(32),
      'x'.repeat(256),
      'x'.repeat(70_000),
      Buffer.alloc(255),
      Buffer.alloc(256),
      Buffer.alloc(70_000),
      Array.from({ length: 16 }, (_, i) => i),
      new Map(Array.from({ length: 16 }, (_, i) => [`k${i}`, i])),
    ]
    for (const value of values) {
      const back = decodeWire(encodeWire(value, ''), 0)
      if (Buffer.isBuffer(value)) expect(value.equals(back as Buffer)).toBe(true)
      else expect(back).toEqual(value)
    }
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
    expect(() => new WireReader(bytes, 0)).toThrowError(expect.objectContaining({ name: 'ProtocolError', code }))
  })

  it.each(['cf0020000000000000', 'cfffffffffffffffff', 'd3ffe0000000000000', 'd38000000000000000'])(
    'whole numbers beyond 2^53 are none: %s',
    (hex) => expect(new WireReader(Buffer.from(hex, 'hex'), 0).number()).toBeUndefined(),
  )

  it('what is left out is left out whole', () => {
    fc.assert(
      fc.property(wire, (value) => {
        const from = new WireReader(encodeWire([value, 'behind'], ''), 0)
        from.arrayHead()
        from.skip()
        expect(from.text()).toBe('behind')
      }),
    )
  })

  it('a value of another type than asked for stays where it is', () => {
    fc.assert(
      fc.property(wire, (value) => {
        const bytes = encodeWire(value, '')
        const asks = ['nil', 'flag', 'number', 'text', 'binary', 'arrayHead', 'mapHead'] as const
        const answers = asks.map((ask) => new WireReader(bytes, 0)[ask]()).filter((x) => x !== undefined && x !== false)
        expect(answers).toHaveLength(value === false ? 0 : 1)
        const from = new WireReader(bytes, 0)
        for (const ask of asks) if (new WireReader(bytes, 0)[ask]() === undefined) from[ask]()
        from.skip()
        expect(() => from.skip()).toThrow(/cut short/)
      }),
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
