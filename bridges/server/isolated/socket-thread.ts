import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { firstLineOf } from '../../time.ts'
import type { Endpoints } from '../../zmq/sockets.ts'
import { isLoopback, MAX_COMMAND_BYTES, requireSecure } from '../../zmq/sockets.ts'
import type { ZapRequest } from '../../zmq/zap.ts'
import type { RobotTransport, TransportHandlers } from '../transport.ts'
import { openZmqTransport } from '../zmq-transport.ts'
import type { FrameLimits } from './frame-meter.ts'
import { FrontDoor } from './front-door.ts'
import { Gate } from './gate.ts'
import type { BoardView, FromThread, ThreadSetup, ToThread } from './thread-protocol.ts'
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

const port = parentPort!
const clock = (): number => Number(process.hrtime.bigint() / 1000n)
const tell = (message: FromThread): void => port.postMessage(message)

/** The sockets of one robot, and the doors before them. */
class RobotSocketsOfThread {
  readonly #setup: ThreadSetup
  readonly #board: BoardView
  readonly #gate: Gate
  readonly #room = new WaitingRoom()
  readonly #doors: FrontDoor[] = []
  readonly #verdicts = new Map<number, (refusal: string | undefined) => void>()
  #zaps = 0
  #counting: NodeJS.Timeout | undefined
  #transport: RobotTransport | undefined
  #folder: string | undefined

  constructor(setup: ThreadSetup) {
    this.#setup = setup
    this.#board = boardView(setup.board)
    this.#gate = new Gate(setup.messagesPerSecond, clock)
  }

  /** @returns where clients find them */
  async open(): Promise<Endpoints> {
    const { endpoints, keys, insecureLan, observationBacklog } = this.#setup
    requireSecure(endpoints, { ...(keys && { keys }), insecureLan })
    const folder = await mkdtemp(join(tmpdir(), 'armature-bridge-'))
    this.#folder = folder
    const names = Object.keys(endpoints) as (keyof Endpoints)[]
    // Where there are no sockets with paths, libzmq itself has to stand at the door.
    const isTcp = (name: keyof Endpoints): boolean =>
      endpoints[name].startsWith('tcp://') && process.platform !== 'win32'
    const path = (name: keyof Endpoints): string => join(folder, name)
    const inner = Object.fromEntries(
      names.map((name) => [name, isTcp(name) ? `ipc://${path(name)}` : endpoints[name]]),
    ) as unknown as Endpoints
    const security = keys === undefined ? {} : { keys, refusal: (request: ZapRequest) => this.#askRobot(request) }
    const transport = await openZmqTransport({ endpoints: inner, security, observationBacklog }, this.#handlers())
    this.#transport = transport
    const seen = { ...transport.endpoints }
    for (const name of names.filter(isTcp)) {
      const door = await this.#openDoor(name, path(name))
      this.#doors.push(door)
      seen[name] = door.endpoint
    }
    const count = (): void => writeCounts(this.#board, transport.counts, this.#gate.turnedAway)
    this.#counting = setInterval(count, COUNT_MS)
    return seen
  }

  take(message: Exclude<ToThread, { readonly kind: 'open' | 'close' }>): void {
    switch (message.kind) {
      case 'reply':
        Atomics.add(this.#board.words, WORD.othersTaken, 1)
        return this.#transport?.reply(Buffer.from(message.routingId), bufferOf(message.bytes))
      case 'observation':
        Atomics.add(this.#board.words, WORD.observationsTaken, 1)
        return this.#transport?.publishObservation(bufferOf(message.bytes))
      case 'telemetry':
        Atomics.add(this.#board.words, WORD.othersTaken, 1)
        return this.#transport?.publishTelemetry(bufferOf(message.bytes))
      case 'verdict':
        this.#verdicts.get(message.id)?.(message.refusal)
        this.#verdicts.delete(message.id)
        return undefined
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#counting)
    for (const door of this.#doors) door.close()
    await this.#transport?.close()
    // What still waited for a message has to hear that there is none, or the end of the process is not a clean one.
    await new Promise((resolve) => setTimeout(resolve, CLOSE_MS))
    // Before the word is given: a process that ends waits for that alone.
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
    Atomics.store(this.#board.words, WORD.closed, 1)
    Atomics.notify(this.#board.words, WORD.closed)
  }

  #handlers(): TransportHandlers {
    return {
      control: (routingId, body) => this.#pass('control', routingId, body),
      action: (routingId, body) => this.#pass('action', routingId, body),
      unreachable: (routingId) => tell({ kind: 'unreachable', routingId }),
      disconnected: () => tell({ kind: 'disconnected' }),
      refused: (code, text) => this.#gate.report(() => tell({ kind: 'refused', code, text })),
      failed: (error) => tell({ kind: 'failed', message: firstLineOf(error) }),
    }
  }

  #pass(kind: 'control' | 'action', routingId: Buffer, bytes: Buffer): void {
    const name = routingId.toString('latin1')
    const taken = Atomics.load(this.#board.words, WORD.messagesTaken)
    if (!this.#gate.admits(name) || !this.#room.admits(name, bytes.length, taken)) {
      this.#gate.turnAway(1)
      return
    }
    tell({ kind, routingId: alone(routingId), bytes: alone(bytes) })
  }

  #openDoor(name: keyof Endpoints, behind: string): Promise<FrontDoor> {
    const { messagesPerSecond, keys, endpoints } = this.#setup
    const takesMessages = name === 'control' || name === 'action'
    const limits: FrameLimits = {
      maxFrameBytes: MAX_COMMAND_BYTES + FRAMING_BYTES,
      framesPerSecond: 1.5 * messagesPerSecond + 50,
      bytesPerSecond: Math.max(CLIENT_BYTES_PER_SECOND, 1024 * messagesPerSecond),
      maxSubscriptions: Infinity,
    }
    return FrontDoor.open({
      endpoint: endpoints[name],
      behind,
      // Of a stranger's subscriptions the text is seen; those who have a key are trusted with a rate.
      limits: takesMessages ? limits : { ...SUBSCRIBER, maxSubscriptions: keys === undefined ? 32 : Infinity },
      maxConnections: MAX_CONNECTIONS,
      maxPerAddress: isLoopback(endpoints[name]) ? MAX_CONNECTIONS : MAX_PER_ADDRESS,
      clock,
      onRefused: (text) => this.#gate.report(() => tell({ kind: 'refused', code: 'rate_limited', text })),
      onDropped: (frames) => this.#gate.turnAway(frames),
    })
  }

  #askRobot(request: ZapRequest): Promise<string | undefined> {
    const id = ++this.#zaps
    return new Promise((resolve) => {
      this.#verdicts.set(id, resolve)
      tell({ kind: 'zap', id, request })
    })
  }
}

let sockets: RobotSocketsOfThread | undefined

async function open(setup: ThreadSetup): Promise<void> {
  const own = new RobotSocketsOfThread(setup)
  sockets = own
  try {
    tell({ kind: 'open', endpoints: await own.open() })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'env-failed'
    tell({ kind: 'not-open', code, message: error instanceof Error ? error.message : String(error) })
  }
}

async function close(): Promise<void> {
  const own = sockets
  sockets = undefined
  await own?.close()
  tell({ kind: 'closed' })
}

port.on('message', (message: ToThread) => {
  if (message.kind === 'open') void open(message.setup)
  else if (message.kind === 'close') void close()
  else sockets?.take(message)
})
