import { connect } from 'node:net'
import type { Wire } from '../protocol/wire.ts'
import { decodeWire, encodeWire } from '../protocol/wire.ts'
import type { Rng } from '../../../src/core/rng.ts'

const PREFIX_LENGTH = 4

/** The message with some of its fields replaced by whatever, and encoded again. */
export function withFields(message: Buffer, fields: Readonly<Record<string, Wire>>): Buffer {
  const map = new Map(decodeWire(message, PREFIX_LENGTH) as ReadonlyMap<string, Wire>)
  for (const [name, value] of Object.entries(fields)) map.set(name, value)
  return encodeWire(map, message.toString('latin1', 0, PREFIX_LENGTH))
}

/** An array as it is on the wire, which need not fit together. */
export function wireArray(data: Uint8Array | Float32Array | Float64Array, dtype: string, shape: Wire): Wire {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const entries = { __ndarray__: true, data: bytes, dtype, shape }
  return new Map<string, Wire>(Object.entries(entries).map(([key, value]) => [key, value]))
}

const bytesOf = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))

/** What is known to break decoders, with every kind of prefix. */
export function attacks(action: Buffer): Buffer[] {
  const arrayBomb = [0xdd, 0x01, 0xff, 0xff, 0xff]
  const bodies: (string | number[])[][] = [
    [Array.from({ length: 10 }, () => arrayBomb).flat()],
    [Array.from({ length: 8 }, () => [0xdf, 0x7f, 0xff, 0xff, 0xff]).flat()],
    [Array.from({ length: 200_000 }, () => 0x91)],
    [Array.from({ length: 50_000 }, () => 0x81)],
    [[0xd4, 0x72, 0x40, 0x92, 0xa1, 0x61, 0xa1, 0x62, 1, 2]],
    [[0xc7, 0x05, 0x74], 'abcde'],
    [[0xd6, 0xff, 0, 0, 0, 0]],
    [[0xc1]],
    [[0xdb, 0xff, 0xff, 0xff, 0xff], 'short'],
    [[0xc6, 0x12, 0xa0, 0, 0], 'short'],
    [[0x82, 0xa3], 'seq', [1, 0xa3], 'seq', [2]],
    [[0x81, 0xa9], '__proto__', [0x80]],
    [[0x81, 0xa4, 0xff, 0xfe, 0xfd, 0xfc, 1]],
    [[0x81, 0x93, 1, 2, 3, 4]],
    [[0xc0]],
    [[]],
  ]
  const hostile = bodies.flatMap((body) => ['rb1a', 'rb1h', 'rb1q', 'rb9a', 'xxxx'].map((p) => bytesOf(p, ...body)))
  const float = (...values: number[]): Wire => wireArray(Float32Array.from(values), '<f4', [values.length])
  const fields: Record<string, Wire>[] = [
    { action: float(NaN, 0) },
    { action: float(0, -Infinity) },
    { action: float(3e38, 0) },
    { action: float(1e-42, 0) },
    { action: float(0.5) },
    { action: wireArray(Float64Array.of(1e308, 1e308), '<f8', [2]) },
    { action: wireArray(Float32Array.of(0, 0), '|O', [2]) },
    { action: wireArray(Float32Array.of(0, 0), '<f4', [2 ** 31, 2 ** 31]) },
    { action: wireArray(Float32Array.of(0, 0), '<f4', [-2]) },
    { action: wireArray(Uint8Array.of(1, 2, 3), '<f4', [1]) },
    { action: [0, 0] },
    { seq: -1 },
    { seq: 2n ** 64n - 1n },
    { seq: 1.5 },
    { due_us: 2 ** 53 - 1 },
    { due_us: -1 },
    { ttl_us: NaN },
    { epoch: 'one' },
    { session: '0'.repeat(100_000) },
    { kind: 'chunk' },
  ]
  return [...hostile, ...fields.map((field) => withFields(action, field))]
}

/** One of `seeds` as it is, cut short, with bytes changed, or nothing but noise. */
export function garbage(seeds: readonly Buffer[], rng: Rng): Buffer {
  const seed = seeds[rng.int(seeds.length)]!
  // The largest are for now and then.
  if (seed.length > 10_000 && rng.int(20) > 0) return garbage(seeds, rng)
  switch (rng.int(4)) {
    case 0:
      return seed
    case 1:
      return seed.subarray(0, rng.int(seed.length + 1))
    case 2: {
      const noise = Buffer.alloc(rng.int(64))
      for (let i = 0; i < noise.length; i++) noise[i] = rng.int(256)
      return noise
    }
    default: {
      const spoiled = Buffer.from(seed)
      for (let k = 0; k <= rng.int(4); k++) spoiled[rng.int(seed.length)] = rng.int(256)
      return spoiled
    }
  }
}

const SIGNATURE = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f]
const GREETING = bytesOf(
  SIGNATURE,
  [3, 0],
  'NULL',
  Array.from({ length: 16 }, () => 0),
  [0],
  Array.from({ length: 31 }, () => 0),
)
const READY = bytesOf([4, 41, 5], 'READY', [11], 'Socket-Type', [0, 0, 0, 6], 'DEALER', [8], 'Identity', [0, 0, 0, 0])

/** What no ZeroMQ library would say to a port. */
export function noises(rng: Rng): Buffer[] {
  const random = Buffer.alloc(2000)
  for (let i = 0; i < random.length; i++) random[i] = rng.int(256)
  const oldGreeting = [0x01, 0x00]
  return [
    random,
    bytesOf(oldGreeting, [0x06, 0x00], 'rb1h?'),
    bytesOf('GET / HTTP/1.1\r\nHost: robot\r\n\r\n'),
    GREETING.subarray(0, rng.int(64)),
    bytesOf(SIGNATURE, [1, 0], 'NULL'),
    Buffer.concat([GREETING, READY, Buffer.from([2, 0, 0, 0, 0, 0x11, 0xe1, 0xa3, 0]), random]),
    Buffer.concat([GREETING, READY, Buffer.from([2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), random]),
    Buffer.concat([GREETING, random]),
  ]
}

/** Says `bytes` to a port of this machine and leaves soon after. */
export function shout(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    setTimeout(() => socket.destroy(), 50)
  })
}
