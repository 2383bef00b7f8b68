import type { RobotSpec } from '../../src/core/robot.ts'
import { encodeMessage } from '../protocol/codec.ts'
import type {
  BridgeState,
  ByeMessage,
  EventMessage,
  Header,
  ImageCodec,
  Message,
  ObservationContent,
  RobotHeader,
} from '../protocol/messages.ts'
import type { CompressedContent } from './images/compressor.ts'
import { Compressor } from './images/compressor.ts'
import type { Peer } from './peers.ts'
import { firstLineOf, notify } from '../time.ts'
import type { RobotTransport } from './transport.ts'

/** Any type of message of a robot without its header. */
type WithoutHeader<M> = M extends RobotHeader ? Omit<M, keyof RobotHeader> : never
/** What a robot has to say; {@link Publisher} adds the header. */
export type RobotContent = WithoutHeader<Message> | Omit<ByeMessage, keyof Header>

/** What the publisher puts into headers. */
export interface PublisherSource {
  readonly run: string
  readonly clock: () => number
  readonly wallClock: (() => number) | undefined
  status(): { readonly state: BridgeState; readonly armed: boolean; readonly epoch: number }
}

export type EventContent = Omit<EventMessage, keyof RobotHeader | 'kind' | 'suppressed'>

/** Camera images as JPEG. */
export interface JpegSource {
  readonly imageSpaces: RobotSpec['imageSpaces']
  readonly quality: number
  /** As what images are wanted now. */
  wanted(): Readonly<Record<ImageCodec, boolean>>
}

/** Events of one cause in a second; the rest are counted. */
const EVENTS_PER_SECOND = 10

/** All that a robot sends: numbers it, stamps it, and queues it for the one writer of each socket. */
export class Publisher {
  readonly #source: PublisherSource
  readonly #transport: RobotTransport
  readonly #seq = { control: 0, observation: 0, telemetry: 0 }
  readonly #causes = new Map<string, { sinceUs: number; sent: number; suppressed: number }>()
  readonly #jpeg: JpegSource
  readonly #compressor: Compressor
  readonly #onEvent: ((event: EventContent) => unknown) | undefined
  #lastObservation: Buffer | undefined
  #listenerErrors = 0

  /** @param onEvent whatever it throws is counted, and changes nothing */
  constructor(
    transport: RobotTransport,
    source: PublisherSource,
    jpeg: JpegSource,
    onEvent?: (event: EventContent) => unknown,
  ) {
    this.#transport = transport
    this.#source = source
    this.#jpeg = jpeg
    this.#onEvent = onEvent
    this.#compressor = new Compressor({
      shapes: Object.fromEntries(Object.entries(jpeg.imageSpaces).map(([camera, { shape }]) => [camera, shape])),
      quality: jpeg.quality,
      onDone: (content) => this.#publishCompressed(content),
      // Pictures are missing, and nothing else: who needs them will notice.
      onFailed: (error) => this.event({ event: 'fault', code: 'internal', text: firstLineOf(error) }),
    })
  }

  /** Observations that were left out where JPEG was wanted. */
  get notCompressed(): number {
    return this.#compressor.dropped
  }

  /** What listeners to events have thrown. */
  get listenerErrors(): number {
    return this.#listenerErrors
  }

  /** To one client; `session` is empty for one that has none. */
  reply(routingId: Buffer, session: string, content: RobotContent): void {
    const message = { ...content, ...this.#header('control', session) } as Message
    this.#transport.reply(routingId, encodeMessage(message))
  }

  /** To one client that has said hello. */
  tell(peer: Peer, content: RobotContent): void {
    this.reply(peer.routingId, peer.session, content)
  }

  /** As pixels, as JPEG or both, as those who look want it. */
  publishObservation(content: ObservationContent): void {
    const wanted = this.#jpeg.wanted()
    if (wanted.jpeg) this.#compressor.submit(content)
    if (!wanted.raw) return
    const header = this.#header('observation', this.#source.run)
    this.#lastObservation = encodeMessage({ kind: 'observation', ...header, ...content })
    this.#transport.publishObservation(this.#lastObservation)
  }

  /** The same once more, for those who had not subscribed yet. */
  repeatObservation(): void {
    if (this.#lastObservation !== undefined) this.#transport.publishObservation(this.#lastObservation)
  }

  publishMetrics(content: Extract<RobotContent, { kind: 'metrics' }>): void {
    this.#transport.publishTelemetry(encodeMessage({ ...content, ...this.#header('telemetry', this.#source.run) }))
  }

  /**
   * Publishes what happened; of one cause (`event` and `code`) at most ten a second.
   * @returns whether it was published
   */
  event(content: EventContent): boolean {
    const nowUs = this.#source.clock()
    const cause = this.#cause(`${content.event} ${content.code}`, nowUs)
    if (cause.sent >= EVENTS_PER_SECOND) {
      cause.suppressed++
      return false
    }
    cause.sent++
    const suppressed = cause.suppressed > 0 ? { suppressed: cause.suppressed } : {}
    cause.suppressed = 0
    const header = this.#header('telemetry', this.#source.run)
    this.#transport.publishTelemetry(encodeMessage({ kind: 'event', ...content, ...suppressed, ...header }))
    const listener = this.#onEvent
    if (listener !== undefined)
      notify(
        () => listener(content),
        () => this.#listenerErrors++,
      )
    return true
  }

  /** Ends its threads. */
  close(): void {
    this.#compressor.close()
  }

  #publishCompressed(content: CompressedContent): void {
    const header = this.#header('observation', this.#source.run)
    this.#transport.publishObservation(encodeMessage({ kind: 'compressed_observation', ...header, ...content }))
  }

  #cause(name: string, nowUs: number): { sinceUs: number; sent: number; suppressed: number } {
    const known = this.#causes.get(name)
    if (known !== undefined && nowUs - known.sinceUs < 1e6) return known
    const fresh = { sinceUs: nowUs, sent: 0, suppressed: known?.suppressed ?? 0 }
    this.#causes.set(name, fresh)
    return fresh
  }

  #header(socket: 'control' | 'observation' | 'telemetry', session: string): RobotHeader {
    const { clock, wallClock } = this.#source
    const { state, armed, epoch } = this.#source.status()
    const header = { session, seq: ++this.#seq[socket], timeUs: clock(), epoch, bridgeState: state, armed }
    const wallMs = wallClock === undefined ? undefined : readWallMs(wallClock)
    return wallMs === undefined ? header : { ...header, wallMs }
  }
}

/** Undefined where the clock of the user fails: a log can do without. */
function readWallMs(wallClock: () => number): number | undefined {
  try {
    const wallMs = Math.round(wallClock())
    return Number.isSafeInteger(wallMs) && wallMs >= 0 ? wallMs : undefined
  } catch {
    return undefined
  }
}
