import { randomBytes } from 'node:crypto'
import { decodeMessage, encodeMessage } from '../../bridges/protocol/codec.ts'
import type { Message, MessageOf } from '../../bridges/protocol/messages.ts'
import type { ClientHandlers, ClientTransport } from '../../bridges/client/transport.ts'
import type { Time } from '../../bridges/time.ts'
import type { OpenTransport, RobotTransport, TransportHandlers } from '../../bridges/server/transport.ts'
import { NO_SENDS } from '../../bridges/zmq/queue.ts'

type Content<M extends Message> = M extends Message ? Omit<M, 'session' | 'seq' | 'timeUs' | 'epoch'> : never

/** What one connection is told. */
export interface Line {
  readonly control: (bytes: Buffer) => void
}

/** The sockets of one robot without sockets: messages arrive at once, in order. */
export class MemoryNetwork {
  readonly #lines = new Map<string, Line>()
  readonly #subscribers = new Set<(bytes: Buffer) => void>()
  #handlers: TransportHandlers | undefined
  readonly #sent = { control: 0, observation: 0, telemetry: 0 }

  readonly open: OpenTransport = async (handlers) => {
    this.#handlers = handlers
    return this.#transport()
  }

  /** Plugs a line in; what it says is heard from then on. */
  plug(routingId: Buffer, line: Line): void {
    this.#lines.set(routingId.toString('latin1'), line)
  }

  /** The connection is gone, and the robot's sockets know it. */
  cut(routingId: Buffer): void {
    this.#lines.delete(routingId.toString('latin1'))
    this.#handlers?.disconnected()
  }

  subscribe(take: (bytes: Buffer) => void): () => void {
    this.#subscribers.add(take)
    return () => void this.#subscribers.delete(take)
  }

  control(routingId: Buffer, bytes: Buffer): void {
    this.#handlers?.control(routingId, bytes)
  }

  action(routingId: Buffer, bytes: Buffer): void {
    this.#handlers?.action(routingId, bytes)
  }

  /** As if the robot had published it. */
  publish(bytes: Buffer): void {
    for (const take of this.#subscribers) take(bytes)
  }

  fail(error: Error): void {
    this.#handlers?.failed(error)
  }

  #transport(): RobotTransport {
    const counts = (sent: number): typeof NO_SENDS => ({ ...NO_SENDS, offered: sent, sent })
    const publish = (socket: 'observation' | 'telemetry') => (bytes: Buffer) => {
      this.#sent[socket]++
      for (const take of this.#subscribers) take(bytes)
    }
    const sent = this.#sent
    return {
      endpoints: { control: 'memory:0', action: 'memory:1', observation: 'memory:2', telemetry: 'memory:3' },
      get counts() {
        return {
          control: counts(sent.control),
          observation: counts(sent.observation),
          telemetry: counts(sent.telemetry),
          turnedAway: 0,
        }
      },
      reply: (routingId, bytes) => {
        this.#sent.control++
        const line = this.#lines.get(routingId.toString('latin1'))
        // As a socket does: the answer to a reply comes later.
        if (line === undefined) queueMicrotask(() => this.#handlers?.unreachable(routingId))
        else line.control(bytes)
      },
      publishObservation: publish('observation'),
      publishTelemetry: publish('telemetry'),
      close: async () => {
        this.#handlers = undefined
      },
    }
  }
}

/** A client that says what it is told, and keeps what it hears. The robot answers most messages before `ask` returns. */
export class MemoryClient {
  session = ''
  epoch = 0
  lease = ''
  seq = 0
  readonly heard: Message[] = []
  readonly observations: MessageOf<'observation'>[] = []
  readonly events: MessageOf<'event'>[] = []
  readonly routingId: Buffer
  readonly clock: () => number
  readonly #network: MemoryNetwork

  constructor(
    network: MemoryNetwork,
    clock: () => number,
    routingId: Buffer = Buffer.from(randomBytes(16).toString('hex')),
  ) {
    this.#network = network
    this.clock = clock
    this.routingId = routingId
    network.plug(this.routingId, { control: (bytes) => void this.heard.push(decodeMessage(bytes)) })
    network.subscribe((bytes) => {
      const message = decodeMessage(bytes)
      if (message.kind === 'observation') this.observations.push(message)
      if (message.kind === 'event') this.events.push(message)
    })
  }

  /** Says it, and gives the answer so far. */
  ask(content: Content<Message>): Message | undefined {
    const seq = ++this.seq
    this.#network.control(this.routingId, this.bytesOf(content, seq))
    const answer = this.answerTo(seq)
    if (answer !== undefined && answer.kind !== 'error') this.epoch = answer.epoch
    return answer
  }

  answerTo(seq: number): Message | undefined {
    return this.heard.find((message) => 'refSeq' in message && message.refSeq === seq)
  }

  /** The error that answers it, as text; empty where it was done. */
  refusal(content: Content<Message>): string {
    const answer = this.ask(content)
    return answer?.kind === 'error' ? `${answer.code}: ${answer.text}` : ''
  }

  hello(role: 'observer' | 'controller' | 'operator' = 'controller', name: string = role): string {
    const content = {
      kind: 'hello',
      name,
      software: 'test',
      role,
      protocols: ['1.0'],
      arrayCodecs: ['openpi'],
    } as const
    const answer = this.ask(content)!
    if (answer.kind !== 'welcome') return answer.kind === 'error' ? answer.code : answer.kind
    this.session = answer.session
    return ''
  }

  command(command: MessageOf<'command'>['command'], more: Partial<MessageOf<'command'>> = {}): string {
    return this.refusal({ kind: 'command', command, lease: this.lease, ...more })
  }

  /** The lease, armed. */
  take(ttlMs = 10_000): void {
    this.lease = (this.ask({ kind: 'lease_request', ttlMs }) as MessageOf<'lease'>).lease
    this.command('arm')
  }

  ping(): void {
    this.ask({ kind: 'ping', t1Us: this.clock(), lease: this.lease })
  }

  /** The bytes of an action, with the header that is right unless `header` says otherwise. */
  actionBytes(value: number, header: Partial<MessageOf<'action'>> = {}): Buffer {
    const content = { observationSeq: 0, dueUs: 0, ttlUs: 0, action: Float32Array.of(value, value) }
    const message = { kind: 'action', lease: this.lease, ...content, ...this.#header(++this.seq), ...header } as const
    return encodeMessage(message)
  }

  sendAction(bytes: Buffer): void {
    this.#network.action(this.routingId, bytes)
  }

  act(value: number, header: Partial<MessageOf<'action'>> = {}): void {
    this.#network.action(this.routingId, this.actionBytes(value, header))
  }

  chunk(values: readonly number[], header: Partial<MessageOf<'chunk'>> = {}): void {
    const actions = { data: Float32Array.from(values.flatMap((x) => [x, x])), shape: [values.length, 2] }
    const content = { observationSeq: 0, startUs: 0, stepUs: 20_000, ttlUs: 0, actions }
    const message = { kind: 'chunk', lease: this.lease, ...content, ...this.#header(++this.seq), ...header } as const
    this.#network.action(this.routingId, encodeMessage(message))
  }

  leave(): void {
    this.#network.cut(this.routingId)
  }

  bytesOf(content: Content<Message>, seq: number = ++this.seq): Buffer {
    return encodeMessage({ ...content, ...this.#header(seq) } as Message)
  }

  #header(seq: number): { session: string; seq: number; timeUs: number; epoch: number } {
    return { session: this.session, seq, timeUs: this.clock(), epoch: this.epoch }
  }
}

/** What a network does to messages; none given: nothing, and at once. */
export interface MemoryWeather {
  readonly delayMs?: number
  /** Nothing gets through, and all of it later, as with TCP. */
  readonly isStalled?: boolean
}

/** A {@link MemoryNetwork} as the sockets of a client, through some weather. */
export class MemoryLink implements ClientTransport {
  readonly counts = { control: NO_SENDS, action: NO_SENDS }
  readonly lastProblem = undefined
  routingId: string = randomBytes(16).toString('hex')
  weather: MemoryWeather = {}
  readonly #network: MemoryNetwork
  readonly #time: Time
  readonly #handlers: ClientHandlers
  readonly unsubscribe: () => void
  /** In the order of sending; each when its time has come. */
  #held: (() => void)[] = []
  #newest: Buffer | undefined
  #topic = 'rb1o'
  #isClosed = false

  constructor(network: MemoryNetwork, time: Time, handlers: ClientHandlers) {
    this.#network = network
    this.#time = time
    this.#handlers = handlers
    this.#plug()
    this.unsubscribe = network.subscribe((bytes) => this.#onPublished(bytes))
  }

  async open(...[, , , topic]: Parameters<ClientTransport['open']>): Promise<void> {
    this.#topic = topic
  }

  move(): void {}

  sendControl(message: Buffer): void {
    const id = Buffer.from(this.routingId)
    this.#carry(() => this.#network.control(id, message))
  }

  sendAction(message: Buffer): void {
    const id = Buffer.from(this.routingId)
    this.#carry(() => this.#network.action(id, message))
  }

  /** The connection breaks, and both ends know it: as `ClientLink` does, the client comes back as another one. */
  reset(): void {
    this.#network.cut(Buffer.from(this.routingId))
    this.#held = []
    this.routingId = randomBytes(16).toString('hex')
    this.#plug()
  }

  /** Lets out what was held. */
  clear(): void {
    this.weather = {}
    for (const deliver of this.#held.splice(0)) deliver()
    const newest = this.#newest
    this.#newest = undefined
    if (newest !== undefined) this.#handlers.observation(newest)
  }

  close(): void {
    this.#isClosed = true
    this.unsubscribe()
    this.#network.cut(Buffer.from(this.routingId))
  }

  #plug(): void {
    this.#network.plug(Buffer.from(this.routingId), {
      control: (bytes) => this.#carry(() => this.#handlers.control(bytes)),
    })
  }

  #onPublished(bytes: Buffer): void {
    const topic = bytes.toString('latin1', 0, 4)
    const isObservation = topic === 'rb1o' || topic === 'rb1j'
    if (isObservation && topic !== this.#topic) return
    // A socket that keeps the newest one only.
    if (isObservation && this.weather.isStalled === true) this.#newest = bytes
    else this.#carry(() => (isObservation ? this.#handlers.observation(bytes) : this.#handlers.telemetry(bytes)))
  }

  #carry(deliver: () => void): void {
    const { delayMs = 0, isStalled = false } = this.weather
    const arrive = (): void => void (this.#isClosed || deliver())
    if (isStalled) this.#held.push(arrive)
    else if (delayMs === 0) queueMicrotask(arrive)
    else void this.#time.sleep(delayMs).then(arrive)
  }
}
