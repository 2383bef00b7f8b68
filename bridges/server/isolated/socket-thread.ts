import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { firstLineOf } from '../../time.ts'
import type { Endpoints } from '../../zmq/sockets.ts'
import { isLoopback, MAX_COMMAND_BYTES, requireSecure } from '../../zmq/sockets.ts'
import type { ZapRequest } from '../../zmq/zap.ts'
import type { RobotTransport } from '../transport.ts'
import { openZmqTransport } from '../zmq-transport.ts'
import type { FrameLimits } from './frame-meter.ts'
import { FrontDoor } from './front-door.ts'
import { Gate } from './gate.ts'
import type { FromThread, ThreadSetup, ToThread } from './thread-protocol.ts'
import { alone, boardView, bufferOf, WORD, writeCounts } from './thread-protocol.ts'
import { WaitingRoom } from './waiting-room.ts'

/** The largest message twice, so that one after the other passes. */
const CLIENT_BYTES_PER_SECOND = 4 * MAX_COMMAND_BYTES
/** For headers, and what CURVE adds. */
const FRAMING_BYTES = 256
/** A subscriber says hello, subscribes to a few topics, and answers heartbeats. */
const SUBSCRIBER: FrameLimits = {
  maxFrameBytes: 1024,
  framesPerSecond: 50,
  bytesPerSecond: 16 * 1024,
  maxSubscriptions: 32,
}
const MAX_CONNECTIONS = 128
const MAX_PER_ADDRESS = 96
const COUNT_MS = 50
/** For what waits at a socket to hear that it is closed. */
const CLOSE_MS = 50

const setup = workerData as ThreadSetup
const port = parentPort!
const board = boardView(setup.board)
const clock = (): number => Number(process.hrtime.bigint() / 1000n)
const tell = (message: FromThread): void => port.postMessage(message)
const gate = new Gate(setup.messagesPerSecond, clock)
const room = new WaitingRoom()
const doors: FrontDoor[] = []
const verdicts = new Map<number, (refusal: string | undefined) => void>()
let zaps = 0
let transport: RobotTransport | undefined
let folder: string | undefined

function pass(kind: 'control' | 'action', routingId: Buffer, bytes: Buffer): void {
  const name = routingId.toString('latin1')
  if (!gate.admits(name) || !room.admits(name, bytes.length, Atomics.load(board.words, WORD.messagesTaken))) {
    gate.turnAway(1)
    return
  }
  tell({ kind, routingId: alone(routingId), bytes: alone(bytes) })
}

async function open(): Promise<void> {
  const { endpoints, keys, insecureLan, observationBacklog } = setup
  requireSecure(endpoints, { ...(keys && { keys }), insecureLan })
  folder = await mkdtemp(join(tmpdir(), 'armature-bridge-'))
  const paths = Object.fromEntries(
    Object.keys(endpoints).map((name) => [name, join(folder!, name)]),
  ) as unknown as Endpoints
  // Where there are no sockets with paths, libzmq itself has to stand at the door.
  const isTcp = (name: keyof Endpoints): boolean => endpoints[name].startsWith('tcp://') && process.platform !== 'win32'
  const inner = Object.fromEntries(
    (Object.keys(endpoints) as (keyof Endpoints)[]).map((name) => [
      name,
      isTcp(name) ? `ipc://${paths[name]}` : endpoints[name],
    ]),
  ) as unknown as Endpoints
  transport = await openZmqTransport(
    {
      endpoints: inner,
      security: keys === undefined ? {} : { keys, refusal: askRobot },
      observationBacklog,
    },
    {
      control: (routingId, body) => pass('control', routingId, body),
      action: (routingId, body) => pass('action', routingId, body),
      unreachable: (routingId) => tell({ kind: 'unreachable', routingId }),
      disconnected: () => tell({ kind: 'disconnected' }),
      refused: (code, text) => gate.report(() => tell({ kind: 'refused', code, text })),
      failed: (error) => tell({ kind: 'failed', message: firstLineOf(error) }),
    },
  )
  const seen: Record<string, string> = { ...transport.endpoints }
  for (const name of Object.keys(endpoints) as (keyof Endpoints)[]) {
    if (!isTcp(name)) continue
    const door = await openDoor(name, paths[name])
    doors.push(door)
    seen[name] = door.endpoint
  }
  setInterval(() => writeCounts(board, transport!.counts, gate.turnedAway), COUNT_MS).unref()
  tell({ kind: 'open', endpoints: seen as unknown as Endpoints })
}

function openDoor(name: keyof Endpoints, behind: string): Promise<FrontDoor> {
  const takesMessages = name === 'control' || name === 'action'
  const limits: FrameLimits = {
    maxFrameBytes: MAX_COMMAND_BYTES + FRAMING_BYTES,
    framesPerSecond: 1.5 * setup.messagesPerSecond + 50,
    bytesPerSecond: Math.max(CLIENT_BYTES_PER_SECOND, 1024 * setup.messagesPerSecond),
    maxSubscriptions: Infinity,
  }
  return FrontDoor.open({
    endpoint: setup.endpoints[name],
    behind,
    // Of a stranger's subscriptions the text is seen; those who have a key are trusted with a rate.
    limits: takesMessages ? limits : { ...SUBSCRIBER, maxSubscriptions: setup.keys === undefined ? 32 : Infinity },
    maxConnections: MAX_CONNECTIONS,
    maxPerAddress: isLoopback(setup.endpoints[name]) ? MAX_CONNECTIONS : MAX_PER_ADDRESS,
    clock,
    onRefused: (text) => gate.report(() => tell({ kind: 'refused', code: 'rate_limited', text })),
    onDropped: (frames) => gate.turnAway(frames),
  })
}

function askRobot(request: ZapRequest): Promise<string | undefined> {
  const id = ++zaps
  return new Promise((resolve) => {
    verdicts.set(id, resolve)
    tell({ kind: 'zap', id, request })
  })
}

async function close(): Promise<void> {
  for (const door of doors) door.close()
  await transport?.close()
  // What still waited for a message has to hear that there is none, or the end of the thread is the end of the process.
  await new Promise((resolve) => setTimeout(resolve, CLOSE_MS))
  // Before the word is given: a process that ends waits for that alone.
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  Atomics.store(board.words, WORD.closed, 1)
  Atomics.notify(board.words, WORD.closed)
  tell({ kind: 'closed' })
  port.close()
}

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'reply':
      Atomics.add(board.words, WORD.othersTaken, 1)
      return transport?.reply(Buffer.from(message.routingId), bufferOf(message.bytes))
    case 'observation':
      Atomics.add(board.words, WORD.observationsTaken, 1)
      return transport?.publishObservation(bufferOf(message.bytes))
    case 'telemetry':
      Atomics.add(board.words, WORD.othersTaken, 1)
      return transport?.publishTelemetry(bufferOf(message.bytes))
    case 'verdict':
      verdicts.get(message.id)?.(message.refusal)
      verdicts.delete(message.id)
      return undefined
    case 'close':
      return void close()
  }
})

open().catch(async (error: unknown) => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'env-failed'
  tell({ kind: 'not-open', code, message: error instanceof Error ? error.message : String(error) })
  await close()
})
