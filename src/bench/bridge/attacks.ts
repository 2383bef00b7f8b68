import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dealer } from 'zeromq'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { encodeMessage } from '../../../bridges/protocol/codec.ts'
import { LogWriter } from '../../../bridges/recording/log-writer.ts'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'

const ATTACK_MS = 3000

/** What others do to the sockets of a robot, by name; those without `known` never say hello. */
export const ATTACKS: Readonly<Record<string, (endpoints: Endpoints) => Promise<unknown>>> = {
  nothing: () => new Promise((resolve) => setTimeout(resolve, ATTACK_MS)),
  subscriptions_200_kb: (at) => subscribe(at, 10, 200_000),
  subscriptions_1_kb: (at) => subscribe(at, 50_000, 1000),
  subscriptions_40_b: (at) => subscribe(at, 1_000_000, 40),
  connections: (at) => crowd(at, 3000, 2000),
  flood_500_b: (at) => flood(at, 500, ATTACK_MS),
  flood_10_b: (at) => flood(at, 10, ATTACK_MS),
  four_floods: (at) => Promise.all([1, 10, 500, 200_000].map((bytes) => flood(at, bytes, ATTACK_MS))),
  known_garbage: (at) => Promise.all([1, 2, 3, 4].map(() => knownGarbage(at, 200, ATTACK_MS))),
  slow_disk: (at) => recordOnBusyDisk(at, ATTACK_MS),
}

const NULL_GREETING = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]),
  Buffer.from('NULL'.padEnd(20, '\0')),
  Buffer.alloc(32),
])

function frame(flags: number, body: Buffer): Buffer {
  if (body.length < 256) return Buffer.concat([Buffer.from([flags, body.length]), body])
  const head = Buffer.alloc(9)
  head[0] = flags | 2
  head.writeBigUInt64BE(BigInt(body.length), 1)
  return Buffer.concat([head, body])
}

function ready(type: string): Buffer {
  const property = (name: string, value: string): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value.length)
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)])
  }
  return frame(4, Buffer.concat([Buffer.from('\u0005READY'), property('Socket-Type', type), property('Identity', '')]))
}

const portOf = (endpoint: string): number => Number(endpoint.split(':').at(-1))

/** A connection that has shaken hands as a socket of `type`; undefined where it was turned away. */
export function shakeHands(endpoint: string, type: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(portOf(endpoint), '127.0.0.1', () => socket.write(NULL_GREETING))
    let received = 0
    socket.on('data', (chunk) => {
      if (received < 64 && received + chunk.length >= 64) socket.write(ready(type))
      received += chunk.length
      if (received > 64 + 30) resolve(socket)
    })
    socket.on('error', () => resolve(undefined))
    socket.on('close', () => resolve(undefined))
  })
}

/** Subscribes to `count` topics of `bytes` each, none like another, as fast as it is let. @returns bytes that the robot took */
export async function subscribe(endpoints: Endpoints, count: number, bytes: number): Promise<number> {
  const socket = await shakeHands(endpoints.observation, 'SUB')
  if (socket === undefined) return 0
  for (let k = 0; k < count && !socket.destroyed; k++) {
    const topic = Buffer.alloc(1 + bytes, k % 256)
    topic[0] = 1
    topic.writeUInt32BE(k, 1)
    if (!socket.write(frame(0, topic))) {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve)
        socket.once('close', resolve)
      })
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  const taken = socket.bytesWritten - socket.writableLength
  socket.destroy()
  return taken
}

/** Opens `count` connections within `ms`, each of which says half a greeting, and keeps them for a while. */
export async function crowd(endpoints: Endpoints, count: number, ms: number): Promise<void> {
  const ports = Object.values(endpoints).map((endpoint: string) => portOf(endpoint))
  const sockets: Socket[] = []
  const startMs = performance.now()
  while (sockets.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs) / ms) * count))
    while (sockets.length < due) {
      const socket = connect(ports[sockets.length % ports.length]!, '127.0.0.1', () =>
        socket.write(NULL_GREETING.subarray(0, 30)),
      )
      socket.on('error', () => undefined)
      sockets.push(socket)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  for (const socket of sockets) socket.destroy()
}

/** Messages of `bytes` as fast as they are taken, for so long, as a socket that never says hello. @returns messages that left */
export async function flood(endpoints: Endpoints, bytes: number, ms: number): Promise<number> {
  const socket = await shakeHands(endpoints.control, 'DEALER')
  if (socket === undefined) return 0
  const burst = Buffer.concat(Array.from({ length: 256 }, () => frame(0, Buffer.alloc(bytes, 0x72))))
  const endMs = performance.now() + ms
  let sent = 0
  while (performance.now() < endMs && !socket.destroyed) {
    if (socket.write(burst)) await new Promise((resolve) => setImmediate(resolve))
    else {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve)
        socket.once('close', resolve)
        setTimeout(resolve, 100)
      })
    }
    sent += 256
  }
  socket.destroy()
  return sent
}

/** Messages of `bytes` that are no msgpack, on both sockets, as fast as they are taken, of a client that has said hello. */
export async function knownGarbage(endpoints: Endpoints, bytes: number, ms: number): Promise<void> {
  const options = { routingId: randomBytes(16).toString('hex'), linger: 0, sendTimeout: 100 }
  const [control, action] = [new Dealer(options), new Dealer(options)]
  control.connect(endpoints.control)
  action.connect(endpoints.action)
  const header = { session: '', seq: 1, timeUs: monotonicUs(), epoch: 0 }
  const hello = { kind: 'hello', name: 'garbage', software: 'bench', role: 'controller', ...header } as const
  await control.send(encodeMessage({ ...hello, protocols: ['1.0'], arrayCodecs: ['openpi'] }))
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    const body = Buffer.concat([Buffer.from('rb1a'), randomBytes(bytes)])
    await Promise.all([control, action].map((socket) => socket.send(body).catch(() => undefined)))
  }
  control.close()
  action.close()
}

/** Records all that the robot publishes, while the disk has to write large files to its last byte. */
async function recordOnBusyDisk(endpoints: Endpoints, ms: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'armature-bench-'))
  const writer = await LogWriter.create(join(folder, 'x.rblog'))
  const observer = await ObserverClient.connect({
    endpoint: endpoints.control,
    clock: monotonicUs,
    timeoutMs: 20_000,
    onMessage: (_, { bytes, arrivalUs }) => writer.append(arrivalUs, bytes),
  })
  const other = await open(join(folder, 'other'), 'w')
  const block = Buffer.alloc(32 * 2 ** 20, 1)
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    await other.write(block, 0, block.length, 0)
    await other.sync()
  }
  await other.close()
  await observer.close()
  await writer.close()
  await rm(folder, { recursive: true, force: true })
}
