import type { ClockSync } from '../protocol/clock-sync.ts'
import { encodeMessage } from '../protocol/codec.ts'
import type {
  AnyObservationMessage,
  EventMessage,
  ImageCodec,
  MetricsMessage,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { isObservation } from '../protocol/messages.ts'
import type { Sleep } from '../time.ts'
import { notify, sleepReally } from '../time.ts'
import type { ClientSecurity } from '../zmq/sockets.ts'
import { ClientLink } from './client-link.ts'
import type { ConnectionChange } from './session.ts'
import { Session } from './session.ts'
import type { OpenClientTransport } from './transport.ts'

/** What an observer is shown: the greeting of each robot process, and all that it publishes. */
export type ObservedMessage = WelcomeMessage | AnyObservationMessage | EventMessage | MetricsMessage

/** How a message came. */
export interface Arrival {
  /** As they came; a welcome without the session of this client, which is nobody else's business. */
  readonly bytes: Uint8Array
  /** By this side's clock. */
  readonly arrivalUs: number
  /** When an observation was captured, by this side's clock; absent until clocks are compared. */
  readonly captureUs?: number
}

export interface ObserverClientOptions {
  /** Of the robot's control socket, e.g. `tcp://127.0.0.1:5600`. */
  readonly endpoint: string
  /** Monotonic, whole microseconds. */
  readonly clock: () => number
  /** By the same clock; default: the machine's timers. */
  readonly sleep?: Sleep
  /** What stands for the sockets; default: ZeroMQ. */
  readonly transport?: OpenClientTransport
  /** For the robot's events and logs; default `observer`. */
  readonly name?: string
  /** Keys, for a robot that wants them. */
  readonly security?: ClientSecurity
  /** As what camera images are asked for; default `raw`. They are shown as they come: see `decompressed`. */
  readonly imageCodec?: ImageCodec
  /** For each answer; default 3000. */
  readonly timeoutMs?: number
  /** `onChange` is told `old` where the newest observation was captured longer ago, and `fresh` later; default: the robot's `maxObservationAgeUs`. */
  readonly alarmAgeMs?: number
  /** Told of what comes. What it throws changes nothing. */
  readonly onMessage?: (message: ObservedMessage, arrival: Arrival) => unknown
  readonly onChange?: (change: ConnectionChange, text: string) => unknown
}

const PING_MS = 250

/**
 * Looks on: hears all that a robot publishes, and never asks for the lease. A robot that is restarted is found again, if it is the same one.
 *
 * @example
 * const observer = await ObserverClient.connect({ endpoint: 'tcp://127.0.0.1:5600', clock, onMessage: (m) => console.log(m.kind) })
 * await observer.close()
 *
 * Errors: `env-failed` when the robot refuses or does not answer in time; `closed`.
 */
export class ObserverClient {
  readonly #options: ObserverClientOptions
  readonly #session: Session

  private constructor(options: ObserverClientOptions) {
    const { endpoint, clock, sleep = sleepReally, security, name = 'observer', timeoutMs = 3000, onChange } = options
    this.#options = options
    const time = { clock, sleep }
    const link = { endpoint, security, time, hears: 'all', topics: [] } as const
    this.#session = new Session(
      {
        endpoint,
        time,
        transport: options.transport ?? ((handlers) => new ClientLink(link, handlers)),
        name,
        role: 'observer',
        wants: options.imageCodec === undefined ? {} : { imageCodec: options.imageCodec },
        security,
        timeoutMs,
        pingMs: PING_MS,
        alarmAgeMs: options.alarmAgeMs,
        keepsLooking: true,
      },
      {
        onWelcome: (welcome) => {
          const shown = { ...welcome, session: welcome.run }
          this.#show(shown, encodeMessage(shown))
        },
        onObservation: (message, bytes) => this.#show(message, bytes),
        onTelemetry: (message, bytes) => this.#show(message, bytes),
        onRefusal: () => undefined,
        onChange: (change, text) => {
          if (onChange !== undefined)
            notify(
              () => onChange(change, text),
              () => undefined,
            )
        },
        onBeat: () => undefined,
        onFailure: () => undefined,
      },
    )
  }

  /**
   * Says hello as an observer, connects what the robot publishes, and compares clocks.
   * @throws ArmatureError `env-failed` where there is no robot in time, or it refuses
   */
  static async connect(options: ObserverClientOptions): Promise<ObserverClient> {
    const client = new ObserverClient(options)
    try {
      await client.#session.begin()
    } catch (error) {
      await client.close()
      throw error
    }
    return client
  }

  /** All that the robot said at the start. */
  get welcome(): WelcomeMessage {
    return this.#session.welcome
  }

  get clockSync(): ClockSync {
    return this.#session.clockSync
  }

  /** Asks the robot for its time, and gives the round trip in microseconds. @throws ArmatureError `env-failed` without an answer in a second */
  ping(): Promise<number> {
    return this.#session.ping()
  }

  /** Says goodbye and closes all sockets. May be called twice. */
  close(reason = 'the observer is done'): Promise<void> {
    return this.#session.close(reason)
  }

  #show(message: ObservedMessage, bytes: Uint8Array): void {
    const { clock, onMessage } = this.#options
    if (onMessage === undefined) return
    const captured =
      isObservation(message) && this.clockSync.ready ? { captureUs: this.clockSync.toLocal(message.captureUs) } : {}
    notify(
      () => onMessage(message, { bytes, arrivalUs: clock(), ...captured }),
      () => undefined,
    )
  }
}
