import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { WireArray } from '../../../bridges/protocol/arrays.ts'
import { decodeMessage, encodeMessage } from '../../../bridges/protocol/codec.ts'
import type { ObservationMessage } from '../../../bridges/protocol/messages.ts'
import { actionDigest, observationDigest } from '../../../bridges/protocol/schema.ts'
import { sampleMessages, sampleSchema } from '../protocol/samples.ts'
import { frame, runPeer, unframe, whyNoPython } from './python.ts'

const reason = whyNoPython('zmq', 'msgpack', 'numpy')
const observation = sampleMessages.find(({ kind }) => kind === 'observation') as ObservationMessage
const jsonOf = (bytes: Buffer): unknown => JSON.parse(bytes.toString())

describe.skipIf(reason !== '')(`Python and TypeScript ${reason}`, () => {
  it('read and write each other’s messages of every kind', () => {
    const back = unframe(runPeer('echo', frame(sampleMessages.map((message) => encodeMessage(message)))))
    expect(back.map((bytes) => decodeMessage(bytes))).toEqual(sampleMessages)
  })

  it('carry arrays of every element type bit for bit', () => {
    const bits = fc.uint8Array({ minLength: 48, maxLength: 48 })
    const extras = fc.sample(bits, { numRuns: 40, seed: 5 }).map((bytes): Readonly<Record<string, WireArray>> => {
      const { buffer } = bytes.slice()
      return {
        a: { dtype: 'uint8', shape: [4, 12], data: new Uint8Array(buffer) },
        b: { dtype: 'int8', shape: [48], data: new Int8Array(buffer) },
        c: { dtype: 'uint16', shape: [24], data: new Uint16Array(buffer) },
        d: { dtype: 'int16', shape: [2, 3, 4], data: new Int16Array(buffer) },
        e: { dtype: 'uint32', shape: [12], data: new Uint32Array(buffer) },
        f: { dtype: 'int32', shape: [12], data: new Int32Array(buffer) },
        g: { dtype: 'int64', shape: [6], data: new BigInt64Array(buffer) },
        h: { dtype: 'float32', shape: [12], data: new Float32Array(buffer) },
        i: { dtype: 'float64', shape: [6], data: new Float64Array(buffer) },
        j: { dtype: 'bool', shape: [48], data: new Uint8Array(buffer).map((byte) => byte & 1) },
        k: { dtype: 'float64', shape: [0, 5], data: new Float64Array(0) },
        l: { dtype: 'uint32', shape: [], data: Uint32Array.of(bytes[0]!) },
      }
    })
    const sent = extras.map((each) => encodeMessage({ ...observation, extras: each }))
    const back = unframe(runPeer('echo', frame(sent))).map(
      (bytes) => (decodeMessage(bytes) as ObservationMessage).extras!,
    )
    const bytesOf = ({ data }: WireArray): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    back.forEach((each, i) => {
      for (const [name, array] of Object.entries(each)) {
        const original = extras[i]![name]!
        expect([array.dtype, array.shape]).toEqual([original.dtype, original.shape])
        expect(bytesOf(array).equals(bytesOf(original)), name).toBe(true)
      }
    })
  })

  it('agree on numpy arrays of every layout and byte order, and on a red pixel', () => {
    const message = decodeMessage(unframe(runPeer('arrays', Buffer.alloc(0)))[0]!) as ObservationMessage
    const { nan, ...extras } = message.extras!
    expect(extras).toEqual({
      strided: { dtype: 'int32', shape: [2, 3], data: Int32Array.of(0, 2, 4, 10, 12, 14) },
      reversed: { dtype: 'int32', shape: [4], data: Int32Array.of(15, 10, 5, 0) },
      fortran: { dtype: 'int32', shape: [2, 2], data: Int32Array.of(0, 1, 5, 6) },
      transposed: { dtype: 'int32', shape: [3, 2], data: Int32Array.of(0, 5, 1, 6, 2, 7) },
      big_endian: { dtype: 'float64', shape: [2], data: Float64Array.of(1.5, -2) },
      big_endian_int: { dtype: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
      scalar: { dtype: 'uint16', shape: [], data: Uint16Array.of(7) },
      empty: { dtype: 'float32', shape: [0, 3], data: new Float32Array(0) },
      flags: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
    })
    expect(new Uint32Array((nan!.data as Float32Array).buffer)).toEqual(
      Uint32Array.of(0x7fc00001, 0xff800001, 0x80000000),
    )
    const { data, shape } = message.images['top']!.pixels
    expect(shape).toEqual([2, 3, 3])
    expect([...data.subarray(3, 6)]).toEqual([255, 0, 0])
    expect(data.reduce((sum, byte) => sum + byte, 0)).toBe(255)
    expect([message.timeUs, message.captureUs, message.reward]).toEqual([2 ** 53 - 1, 5, 0.5])
  })

  it('need nothing of this project to read an observation', () => {
    const seen = jsonOf(runPeer('foreign', frame([encodeMessage(observation)])))
    expect(seen).toEqual({
      topic: 'rb1o',
      red: [255, 0, 0],
      proprio: [...new Uint32Array(observation.proprio.buffer)],
      ticks: [Number(2n ** 63n - 1n), Number(-(2n ** 63n))],
      time_us: observation.timeUs,
    })
  })

  it('refuse the same garbage', () => {
    const corpus = {
      '': 'bad_magic',
      '474554': 'bad_magic',
      '72623270': 'version_unsupported',
      '7262315a': 'unknown_kind',
      '72623170': 'decode_failed',
      '726231700180': 'decode_failed',
      '7262317080': 'bad_header',
      '72623170dd01ffffff': 'decode_failed',
      '72623170d47240': 'decode_failed',
      '72623170c7010500': 'decode_failed',
      '7262317082a16101a16102': 'decode_failed',
      '72623170a2c328': 'decode_failed',
      '7262317081a16181a16181a161d6ff00000000': 'decode_failed',
    }
    const garbage = Object.keys(corpus).map((hex) => Buffer.from(hex, 'hex'))
    const nested = Buffer.concat([Buffer.from('rb1p'), Buffer.alloc(200_000, 0x91)])
    expect(jsonOf(runPeer('refuse', frame([...garbage, nested])))).toEqual([...Object.values(corpus), 'decode_limit'])
  })

  it('write numbers alike, and so have the same digests', () => {
    const special = [0, -0, 1, -1, 1e21, 1e20, 123456789012345680000, 1e-6, 1e-7, 1.5e-7, 5e-324, 0.1, 100, 1e300, 0.5]
    const values = [
      ...special,
      ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 500, seed: 3 }),
    ]
    expect(jsonOf(runPeer('numbers', Buffer.from(Float64Array.from(values).buffer)))).toEqual(
      values.map((value) => JSON.stringify(value)),
    )
    const welcome = sampleMessages.find(({ kind }) => kind === 'welcome')!
    expect(jsonOf(runPeer('digests', frame([encodeMessage(welcome)])))).toEqual([
      observationDigest(sampleSchema),
      actionDigest(sampleSchema),
    ])
  })

  it('agree on the secret that two keys share', () => {
    const pairs = Array.from(
      { length: 5 },
      () => [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')] as const,
    )
    const raw = (der: Buffer): Buffer => der.subarray(-32)
    const input = pairs.flatMap(([own, other]) => [
      raw(own.privateKey.export({ format: 'der', type: 'pkcs8' })),
      raw(other.publicKey.export({ format: 'der', type: 'spki' })),
    ])
    const shared = pairs.map(([own, other]) => {
      const privateKey = createPrivateKey(own.privateKey.export({ format: 'pem', type: 'pkcs8' }))
      const publicKey = createPublicKey(other.publicKey.export({ format: 'pem', type: 'spki' }))
      return diffieHellman({ privateKey, publicKey }).toString('hex')
    })
    expect(jsonOf(runPeer('x25519', Buffer.concat(input)))).toEqual(shared)
  })
})
