import { writeFile } from 'node:fs/promises'
import { fc } from '../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { writeFileAtomic } from '../../src/io/atomic.ts'
import { decodeSafetensors, encodeSafetensors, readSafetensors, safetensorsChunks } from '../../src/io/safetensors.ts'
import { failure, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()

const example: NamedArrays = {
  'actor.bias': ndarray(Float32Array.of(1.5, -0, NaN), [3]),
  count: ndarray(Int32Array.of(-7), []),
  'replay.frames': ndarray(Uint8Array.of(0, 255, 3), [1, 3]),
  returns: ndarray(Float64Array.of(Math.PI, Infinity), [2, 1]),
  empty: ndarray(new Float32Array(0), [0, 4]),
}

/** A file with this header text and data. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([prefix, json, data])
}

const arbitraryArray: fc.Arbitrary<NdArray> = fc
  .tuple(fc.array(fc.nat(4), { maxLength: 3 }), fc.constantFrom(Float32Array, Float64Array, Int32Array, Uint8Array))
  .chain(([shape, Type]) => {
    const bytes = sizeOf(shape) * Type.BYTES_PER_ELEMENT
    return fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((raw) => ndarray(new Type(new Uint8Array(raw).buffer), shape))
  })

const arbitraryArrays = fc
  .dictionary(fc.string({ unit: 'binary' }), arbitraryArray)
  .filter((arrays) => !Object.hasOwn(arrays, '__metadata__'))

/** Bit patterns, so that NaN payloads and signed zeros count. */
function bits(arrays: NamedArrays): unknown {
  return Object.entries(arrays)
    .map(([name, { data, shape }]) => [
      name,
      data.constructor.name,
      shape,
      [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
    ])
    .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
}

describe('safetensors', () => {
  it('lays out a known file byte by byte', () => {
    const bytes = encodeSafetensors({ w: ndarray(Float32Array.of(1), [1]) }, { step: '5' })
    const json = '{"__metadata__":{"step":"5"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8)
    expect(Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))).toBe(padded.length)
    expect(Buffer.from(bytes.subarray(8, 8 + padded.length)).toString()).toBe(padded)
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0x80, 0x3f])
  })

  it('gives back all four element types bit by bit, and the metadata', () => {
    const { arrays, metadata } = decodeSafetensors(encodeSafetensors(example, { note: 'ünit' }), 'memory')
    expect(bits(arrays)).toEqual(bits(example))
    expect(metadata).toEqual({ note: 'ünit' })
  })

  it('gives the same bytes whatever the order of the names', () => {
    const reversed = Object.fromEntries(Object.entries(example).toReversed())
    expect(encodeSafetensors(reversed)).toEqual(encodeSafetensors(example))
  })

  it('returns copies, also of a pooled Buffer at an odd offset', () => {
    const bytes = encodeSafetensors(example)
    const odd = new Uint8Array(bytes.length + 1).subarray(1)
    odd.set(bytes)
    const { arrays } = decodeSafetensors(Buffer.from(odd.buffer, odd.byteOffset, odd.length), 'memory')
    odd.fill(0)
    expect(bits(arrays)).toEqual(bits(example))
    expect(arrays['count']!.data.buffer.byteLength).toBe(4)
  })

  it('reads a file array by array, equal to the decoder', async () => {
    const path = folder.path('a.safetensors')
    await writeFileAtomic(path, safetensorsChunks(example, { a: 'b' }))
    const read = await readSafetensors(path)
    expect(bits(read.arrays)).toEqual(bits(example))
    expect(read.metadata).toEqual({ a: 'b' })
  })

  it('round-trips any arrays under any names', () => {
    fc.assert(
      fc.property(arbitraryArrays, (arrays) => {
        expect(bits(decodeSafetensors(encodeSafetensors(arrays), 'memory').arrays)).toEqual(bits(arrays))
      }),
      { numRuns: 200, seed: 1 },
    )
  })

  it('refuses what the format cannot hold', async () => {
    await failure('bad-argument', () => encodeSafetensors({ __metadata__: ndarray(new Uint8Array(1), [1]) }))
    await failure('bad-shape', () => encodeSafetensors({ a: { data: new Uint8Array(2), shape: [3] } }))
    await failure('not-found', () => readSafetensors(folder.path('missing.safetensors')))
  })
})

describe('a damaged safetensors file', () => {
  const entry = { dtype: 'U8', shape: [2], data_offsets: [0, 2] }
  const cases: [string, Uint8Array, string][] = [
    ['empty', new Uint8Array(0), 'ends inside the length'],
    ['header longer than the file', fileOf({ a: entry }).subarray(0, 12), 'does not fit'],
    ['huge header length', new Uint8Array(16).fill(255), 'does not fit'],
    ['not JSON', fileOf('{"a":'), 'not JSON'],
    ['not UTF-8', Buffer.concat([fileOf('   ').subarray(0, 8), Uint8Array.of(0xff, 0xfe, 0xfd)]), 'not JSON'],
    ['a list', fileOf([]), 'not a JSON object'],
    ['metadata with numbers', fileOf({ __metadata__: { a: 1 } }), '__metadata__'],
    ['entry not an object', fileOf({ a: 3 }), 'array "a": its entry'],
    ['other dtype', fileOf({ a: { ...entry, dtype: 'BF16' } }, new Uint8Array(2)), 'dtype "BF16"'],
    ['negative size', fileOf({ a: { ...entry, shape: [-2] } }, new Uint8Array(2)), 'shape [-2]'],
    ['fractional size', fileOf({ a: { ...entry, shape: [0.5] } }, new Uint8Array(2)), 'shape [0.5]'],
    ['offsets missing', fileOf({ a: { dtype: 'U8', shape: [2] } }, new Uint8Array(2)), 'data_offsets'],
    ['offsets reversed', fileOf({ a: { ...entry, data_offsets: [2, 0] } }, new Uint8Array(2)), 'do not lie within'],
    ['data cut off', fileOf({ a: entry }, new Uint8Array(1)), 'do not lie within the 1 bytes'],
    ['size and shape differ', fileOf({ a: { ...entry, shape: [3] } }, new Uint8Array(2)), 'needs 3 bytes'],
    ['shape overflows', fileOf({ a: { ...entry, shape: [2 ** 40, 2 ** 40] } }, new Uint8Array(2)), 'needs'],
    ['overlap', fileOf({ a: entry, b: { ...entry, data_offsets: [1, 3] } }, new Uint8Array(3)), '"a" and "b" overlap'],
    ['gap', fileOf({ a: { ...entry, data_offsets: [1, 3] } }, new Uint8Array(3)), '1 bytes before array "a"'],
    ['bytes left over', fileOf({ a: entry }, new Uint8Array(5)), 'last 3 bytes'],
  ]

  it.each(cases)('%s: is refused with the file name and the fault', async (name, bytes, fault) => {
    const path = folder.path(`${name.replaceAll(' ', '-')}.safetensors`)
    await writeFile(path, bytes)
    for (const read of [() => decodeSafetensors(bytes, path), () => readSafetensors(path)]) {
      const error = await failure('corrupt-file', read)
      expect(error.message).toContain(path)
      expect(error.message).toContain(fault)
    }
  })

  it('never crashes in another way, however bytes are cut, flipped or invented', () => {
    const sound = encodeSafetensors(example, { a: 'b' })
    const mutated = fc
      .tuple(fc.nat(sound.length), fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 }))
      .map(([length, edits]) => {
        const bytes = new Uint8Array(sound)
        for (const [at, value] of edits) bytes[at] = value
        return edits.length > 2 ? bytes : bytes.subarray(0, length)
      })
    const dataStart = 8 + Number(new DataView(sound.buffer, sound.byteOffset).getBigUint64(0, true))
    const retouched = fc
      .tuple(fc.integer({ min: dataStart, max: sound.length - 1 }), fc.nat(255))
      .map(([at, value]) => {
        const bytes = new Uint8Array(sound)
        bytes[at] = value
        return bytes
      })
    const invented = fc.tuple(fc.json(), fc.uint8Array()).map(([json, data]) => fileOf(json, data))
    const outcomes = { read: 0, refused: 0 }
    fc.assert(
      fc.property(fc.oneof(mutated, retouched, invented, fc.uint8Array()), (bytes) => {
        try {
          const { arrays } = decodeSafetensors(bytes, 'memory')
          for (const { data, shape } of Object.values(arrays)) expect(data.length).toBe(sizeOf(shape))
          outcomes.read++
        } catch (error) {
          if (!(error instanceof ArmatureError)) throw error
          expect(error.code).toBe('corrupt-file')
          outcomes.refused++
        }
      }),
      { numRuns: 1000, seed: 2 },
    )
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(20)
  })
})
