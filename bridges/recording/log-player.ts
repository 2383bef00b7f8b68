import { randomBytes } from 'node:crypto'
import { decodeMessage, encodeMessage } from '../protocol/codec.ts'
import type { Message, RobotHeader, WelcomeMessage } from '../protocol/messages.ts'
import type { RobotContent } from '../server/publisher.ts'
import type { HandshakeKeys } from '../server/handshake.ts'
import { SendQueue } from '../zmq/queue.ts'
import type { Endpoints, RobotSockets } from '../zmq/sockets.ts'
import { bindRobotSockets, endpointsBeside, isLoopback } from '../zmq/sockets.ts'
import type { ZapRequest } from '../zmq/zap.ts'
import type { Sleep } from '../time.ts'
import { sleepReally } from '../time.ts'
import type { LogFiles } from './log-files.ts'
import { topicIs } from './log-files.ts'

export interface LogPlayerOptions {
  /** Monotonic, whole microseconds. */
  readonly clock: () => number
  /** By the same clock; default: the machine's timers. */
  readonly sleep?: Sleep
  /** Of the control socket. Default `tcp://127.0.0.1:*`; one that others can reach needs `security`. */
  readonly endpoint?: string
  /** Keys of the player, and who may look on: all on the list, whatever their role. */
  readonly security?: HandshakeKeys
  /** Lets addresses other than loopback go without keys: anyone in the network can then look on. */
  readonly insecureLan?: boolean
  /** Times as fast as it was; default 1. */
  readonly speed?: number
}

/** From the first sign of a listener to the first message, so that it has subscribed by then. */
const LEAD_US = 500_000
/** Records by which the robot's clock is compared with the recorder's: the one that travelled fastest counts. */
const CLOCK_RECORDS = 256
/** For the last messages to get out before the sockets close. */
const FAREWELL_MS = 100
/** How often the list of keys is looked at. */
const RELOAD_MS = 1000

/**
 * Shows a recording as if its robot were there: answers `hello` and pings, publishes what was recorded with its timing, and refuses to be
 * driven. It begins when the first listener has come. Clients can convert its times as they can a robot's; that is exact at speed 1.
 *
 * @example
 * const player = await LogPlayer.open(await LogFiles.open('x.rblog'), { clock })
 * console.log(player.endpoints.control)
 * await player.play(signal)
 * await player.close()
 */
export class LogPlayer {
  readonly #log: LogFiles
  readonly #clock: () => number
  readonly #sleep: Sleep
  readonly #speed: number
  readonly #sockets: RobotSockets
  readonly #queues: Readonly<Record<'control' | 'observation' | 'telemetry', SendQueue>>
  readonly #sessions = new Map<string, { readonly session: string; readonly routingId: Buffer }>()
  readonly #firstUs: number
  /** The recorder's clock minus the robot's. */
  readonly #offsetUs: number
  readonly #listener: Promise<void>
  readonly #isInsecure: boolean
  readonly #reloading: NodeJS.Timeout | undefined
  #welcome: WelcomeMessage
  #startUs: number | undefined
  #seq = 0
  #isClosed = false
  #greetListener: () => void = () => {}

  private constructor(
    log: LogFiles,
    sockets: RobotSockets,
    { clock, sleep = sleepReally, speed = 1, security }: LogPlayerOptions,
    start: { readonly welcome: WelcomeMessage; readonly firstUs: number; readonly offsetUs: number },
  ) {
    this.#log = log
    this.#clock = clock
    this.#sleep = sleep
    this.#speed = speed
    this.#sockets = sockets
    this.#welcome = start.welcome
    this.#firstUs = start.firstUs
    this.#offsetUs = start.offsetUs
    this.#queues = {
      control: new SendQueue(sockets.control, 256, 'refuse'),
      observation: new SendQueue(sockets.observation, 64, 'oldest-wins'),
      telemetry: new SendQueue(sockets.telemetry, 256, 'oldest-wins'),
    }
    this.#listener = new Promise((resolve) => (this.#greetListener = resolve))
    this.#isInsecure = security === undefined && !isLoopback(sockets.endpoints.control)
    // A list that cannot be read stays as it was.
    const reload = (): unknown => security?.authorization.reload().catch(() => undefined)
    this.#reloading = security && setInterval(reload, RELOAD_MS).unref()
    void this.#receive()
  }

  /** @throws ArmatureError `corrupt-file`; `bad-argument` for an address that cannot be had, or that others could reach without keys. */
  static async open(log: LogFiles, options: LogPlayerOptions): Promise<LogPlayer> {
    const { endpoint = 'tcp://127.0.0.1:*', security, insecureLan = false } = options
    const start = await startOf(log)
    const keys = security && {
      keys: security.keys,
      refusal: ({ publicKey }: ZapRequest): string | undefined => {
        const entry = security.authorization.admit(publicKey)
        return typeof entry === 'string' ? entry : undefined
      },
    }
    let player: LogPlayer | undefined
    const listens = (socket: keyof Endpoints): boolean => socket === 'observation' || socket === 'telemetry'
    const sockets = await bindRobotSockets(endpointsBeside(endpoint), { ...keys, insecureLan }, (socket, { type }) => {
      if (type === 'handshake' && player !== undefined && listens(socket)) player.#begin()
    })
    player = new LogPlayer(log, sockets, options, start)
    return player
  }

  get endpoints(): Endpoints {
    return this.#sockets.endpoints
  }

  get welcome(): WelcomeMessage {
    return this.#welcome
  }

  /** Waits for a listener, then publishes everything. @returns messages published, fewer after an abort */
  async play(signal: AbortSignal): Promise<number> {
    await Promise.race([this.#listener, aborted(signal)])
    const startUs = this.#startUs
    if (startUs === undefined) return 0
    let published = 0
    for await (const { arrivalUs, bytes } of this.#log) {
      const dueUs = startUs + (arrivalUs - this.#firstUs) / this.#speed
      const waitMs = (dueUs - this.#clock()) / 1000
      if (waitMs > 0) await this.#sleep(waitMs, signal)
      if (signal.aborted) break
      if (topicIs(bytes, 'welcome')) this.#welcome = decodeMessage(bytes) as WelcomeMessage
      else if (this.#publish(bytes)) published++
    }
    return published
  }

  /** Tells the listeners and closes all sockets. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#reloading)
    for (const { session, routingId } of this.#sessions.values()) {
      this.#send(routingId, session, { kind: 'bye', reason: 'the recording is over' })
    }
    await sleepReally(FAREWELL_MS)
    for (const queue of Object.values(this.#queues)) queue.close()
    await this.#sockets.close()
  }

  #begin(): void {
    this.#startUs ??= this.#clock() + LEAD_US
    this.#greetListener()
  }

  #publish(bytes: Uint8Array): boolean {
    const isObserved = topicIs(bytes, 'observation') || topicIs(bytes, 'compressed_observation')
    if (isObserved) return this.#queues.observation.push(bytes)
    return this.#queues.telemetry.push(bytes)
  }

  async #receive(): Promise<void> {
    try {
      for await (const [routingId, body] of this.#sockets.control) {
        if (routingId !== undefined && body !== undefined) this.#answer(routingId, body)
      }
    } catch (error) {
      if (!this.#isClosed) throw error
    }
  }

  #answer(routingId: Buffer, body: Buffer): void {
    let message: Message
    try {
      message = decodeMessage(body)
    } catch {
      return
    }
    const name = routingId.toString('latin1')
    const refSeq = message.seq
    const session = this.#sessions.get(name)?.session
    if (message.kind === 'hello') return this.#greet(routingId, refSeq)
    if (session === undefined) {
      return this.#send(routingId, '', { kind: 'error', code: 'unauthorized', text: 'say hello first', refSeq })
    }
    if (message.kind === 'bye') return void this.#sessions.delete(name)
    if (message.kind === 'ping') {
      const nowUs = this.#robotTimeUs()
      return this.#send(routingId, session, { kind: 'pong', refSeq, t1Us: message.t1Us, t2Us: nowUs, t3Us: nowUs })
    }
    const text = 'this is a recording: it cannot be driven'
    this.#send(routingId, session, { kind: 'error', code: 'role_forbidden', text, refSeq })
  }

  #greet(routingId: Buffer, refSeq: number): void {
    const name = routingId.toString('latin1')
    const session = this.#sessions.get(name)?.session ?? randomBytes(16).toString('hex')
    this.#sessions.set(name, { session, routingId })
    this.#begin()
    const { endpoints } = this
    this.#send(routingId, session, {
      ...this.#welcome,
      refSeq,
      role: 'observer',
      endpoints,
      insecure: this.#isInsecure,
    })
  }

  #send(routingId: Buffer, session: string, content: RobotContent): void {
    const { epoch, bridgeState, armed } = this.#welcome
    const header: RobotHeader = { session, seq: ++this.#seq, timeUs: this.#robotTimeUs(), epoch, bridgeState, armed }
    this.#queues.control.push(routingId, encodeMessage({ ...content, ...header } as Message))
  }

  /** What the robot's clock would have shown. */
  #robotTimeUs(): number {
    const sinceUs = this.#clock() - (this.#startUs ?? this.#clock())
    return Math.max(0, Math.round(this.#firstUs + sinceUs * this.#speed - this.#offsetUs))
  }
}

async function startOf(
  log: LogFiles,
): Promise<{ readonly welcome: WelcomeMessage; readonly firstUs: number; readonly offsetUs: number }> {
  const welcome = await log.welcome()
  let firstUs: number | undefined
  let offsetUs = Infinity
  let count = 0
  for await (const { arrivalUs, bytes } of log) {
    firstUs ??= arrivalUs
    offsetUs = Math.min(offsetUs, arrivalUs - decodeMessage(bytes).timeUs)
    if (++count >= CLOCK_RECORDS) break
  }
  return { welcome, firstUs: firstUs!, offsetUs }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
