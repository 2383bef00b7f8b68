import { Worker } from 'node:worker_threads'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { ArmatureError } from '../../../src/core/errors.ts'
import { LARGE_BYTES } from '../../protocol/codec.ts'
import type { RobotTransport, TransportHandlers } from '../transport.ts'
import type { ZmqTransportOptions } from '../zmq-transport.ts'
import { sleepReally, within } from '../../time.ts'
import { Inbox } from './inbox.ts'
import { entryOf, threadUrl } from '../threads.ts'
import type { FromThread, ThreadSetup, ToThread } from './thread-protocol.ts'
import { alone, BOARD_BYTES, boardView, bufferOf, readCounts, WORD } from './thread-protocol.ts'

const THREAD = threadUrl('./socket-thread', import.meta.url)

export interface IsolatedTransportOptions extends ZmqTransportOptions {
  readonly messagesPerSecond: number
}

/** Messages that may be on their way to the thread: observations, which are soon old, and all others. */
const MAX_OBSERVATIONS = 2
const MAX_OTHERS = 512
/** For the thread to close its sockets. */
const EXIT_MS = 800

/**
 * Threads whose sockets are closed, for the next robot. None is ended before its process: libzmq lets go of the last messages some time after their socket
 * was closed, and zeromq.js then writes to what belonged to the thread.
 */
const idle: Worker[] = []

function aThread(): Worker {
  const known = idle.pop()
  if (known !== undefined) {
    known.ref()
    return known
  }
  const worker = new Worker(entryOf(THREAD), { argv: [THREAD.href] })
  // What one that is idle says is nobody's business; one that is in use has listeners of its own.
  worker.on('error', () => undefined)
  worker.on('exit', () => {
    const at = idle.indexOf(worker)
    if (at >= 0) idle.splice(at, 1)
  })
  return worker
}

/**
 * The sockets of a robot in a thread of their own, so that nothing that strangers send can delay the loop which moves the robot, and behind
 * {@link FrontDoor}s, so that nothing of it grows without a limit.
 * @throws ArmatureError `bad-argument` for an address that cannot be had, or that others could reach without keys
 */
export async function openIsolatedTransport(
  { endpoints, security, observationBacklog, messagesPerSecond }: IsolatedTransportOptions,
  handlers: TransportHandlers,
): Promise<RobotTransport> {
  const { keys, insecureLan = false, refusal } = security
  const shared = new SharedArrayBuffer(BOARD_BYTES)
  const board = boardView(shared)
  const setup: ThreadSetup = {
    endpoints,
    keys: keys && { ...keys },
    insecureLan,
    observationBacklog,
    messagesPerSecond,
    board: shared,
  }
  const worker = aThread()
  const tell = (message: ToThread, transfer: ArrayBuffer[] = []): void => worker.postMessage(message, transfer)
  let isClosing = false
  /** Nothing after the end: the thread may have the sockets of another robot then. */
  const say = (message: ToThread, transfer?: ArrayBuffer[]): void => {
    if (!isClosing) tell(message, transfer)
  }
  const inbox = new Inbox<ClientMessage>(({ kind, routingId, bytes }) => {
    // Only now: what waits here counts as not taken.
    Atomics.add(board.words, WORD.messagesTaken, 1)
    if (!isClosing) handlers[kind](bufferOf(routingId), bufferOf(bytes))
  })
  // A thread that ends with a socket that waits takes the process with it, in the middle of its own end.
  const onExit = (): void => {
    tell({ kind: 'close' })
    Atomics.wait(board.words, WORD.closed, 0, EXIT_MS)
  }
  let detach = (): void => {}
  let onClosed = (_isIdle: boolean): void => {}
  const closed = new Promise<boolean>((resolve) => (onClosed = resolve))
  /** Gives the thread back, or leaves alone one that does not answer: it may not keep the process. */
  const close = async (): Promise<void> => {
    isClosing = true
    tell({ kind: 'close' })
    const isIdle = await within({ sleep: sleepReally }, closed, EXIT_MS, false)
    detach()
    process.off('exit', onExit)
    worker.unref()
    if (isIdle) idle.push(worker)
  }
  process.once('exit', onExit)
  try {
    const opened = await new Promise<typeof endpoints>((resolve, reject) => {
      const onMessage = (message: FromThread): void => {
        if (message.kind === 'open') resolve(message.endpoints)
        else if (message.kind === 'not-open') reject(new Reopened(message.code as ErrorCode, message.message))
        else if (message.kind === 'closed') onClosed(true)
        else if (message.kind === 'zap') {
          void Promise.resolve(refusal?.(message.request) ?? (refusal ? undefined : 'no key is authorized')).then(
            (verdict) => say({ kind: 'verdict', id: message.id, refusal: verdict }),
          )
        } else if (isOfClient(message)) inbox.push(message)
        else take(message, handlers)
      }
      const onError = (error: Error): void => {
        reject(error)
        if (!isClosing) handlers.failed(error)
      }
      const onEnd = (): void => {
        onClosed(false)
        onError(new ArmatureError('env-failed', 'the thread of the sockets', { got: 'it has ended' }))
      }
      worker.on('message', onMessage)
      worker.on('error', onError)
      worker.on('exit', onEnd)
      detach = () => worker.off('message', onMessage).off('error', onError).off('exit', onEnd)
      tell({ kind: 'open', setup })
    })
    return new IsolatedTransport(opened, { board, tell: say }, close)
  } catch (error) {
    await close()
    throw error
  }
}

/** An error of the thread, as it was there. */
class Reopened extends ArmatureError {
  constructor(code: ErrorCode, message: string) {
    super(code, message)
    this.message = message
  }
}

function isOfClient(message: FromThread): message is ClientMessage {
  return message.kind === 'control' || message.kind === 'action'
}

type ClientMessage = Extract<FromThread, { kind: 'control' | 'action' }>

function take(message: Exclude<FromThread, ClientMessage>, handlers: TransportHandlers): void {
  switch (message.kind) {
    case 'unreachable':
      return handlers.unreachable(bufferOf(message.routingId))
    case 'disconnected':
      return handlers.disconnected()
    case 'refused':
      return handlers.refused(message.code, message.text)
    case 'failed':
      return handlers.failed(new Error(message.message))
    default:
      return undefined
  }
}

interface Thread {
  readonly board: ReturnType<typeof boardView>
  readonly tell: (message: ToThread, transfer?: ArrayBuffer[]) => void
}

class IsolatedTransport implements RobotTransport {
  readonly endpoints: RobotTransport['endpoints']
  readonly #thread: Thread
  readonly #close: () => Promise<void>
  #observations = 0
  #others = 0
  /** What the thread had no room for. */
  readonly #dropped = { control: 0, observation: 0, telemetry: 0 }

  constructor(endpoints: RobotTransport['endpoints'], thread: Thread, close: () => Promise<void>) {
    this.endpoints = endpoints
    this.#thread = thread
    this.#close = close
  }

  get counts(): RobotTransport['counts'] {
    const { control, observation, telemetry, turnedAway } = readCounts(this.#thread.board)
    const dropped = this.#dropped
    return {
      control: { ...control, refused: control.refused + dropped.control },
      observation: { ...observation, dropped: observation.dropped + dropped.observation },
      telemetry: { ...telemetry, dropped: telemetry.dropped + dropped.telemetry },
      turnedAway,
    }
  }

  reply(routingId: Buffer, bytes: Buffer): void {
    if (this.#hasRoom()) this.#thread.tell({ kind: 'reply', routingId: alone(routingId), bytes: alone(bytes) })
    else this.#dropped.control++
  }

  publishObservation(bytes: Buffer): void {
    const waiting = (this.#observations - Atomics.load(this.#thread.board.words, WORD.observationsTaken)) | 0
    if (waiting >= MAX_OBSERVATIONS) {
      this.#dropped.observation++
      return
    }
    this.#observations++
    // Memory changes hands, that of a large one as it is.
    const own = bytes.byteLength < LARGE_BYTES ? alone(bytes) : bytes
    this.#thread.tell({ kind: 'observation', bytes: own }, [own.buffer as ArrayBuffer])
  }

  publishTelemetry(bytes: Buffer): void {
    if (this.#hasRoom()) this.#thread.tell({ kind: 'telemetry', bytes: alone(bytes) })
    else this.#dropped.telemetry++
  }

  close(): Promise<void> {
    return this.#close()
  }

  #hasRoom(): boolean {
    const waiting = (this.#others - Atomics.load(this.#thread.board.words, WORD.othersTaken)) | 0
    if (waiting >= MAX_OTHERS) return false
    this.#others++
    return true
  }
}
