import type { SendCounts } from '../zmq/queue.ts'
import type { Endpoints } from '../zmq/sockets.ts'

/** What a robot is told of its sockets. None of it may throw. */
export interface TransportHandlers {
  /** A message on the control socket, and which connection it came from. */
  readonly control: (routingId: Buffer, body: Buffer) => void
  /** A message on the action socket. */
  readonly action: (routingId: Buffer, body: Buffer) => void
  /** There is no connection with that routing id any more. */
  readonly unreachable: (routingId: Buffer) => void
  /** Some connection to the control socket has ended; which one is not known. */
  readonly disconnected: () => void
  /** A connection or a message was turned away before anyone read it. */
  readonly refused: (code: 'unauthorized' | 'bad_header' | 'rate_limited', text: string) => void
  /** The sockets are gone: nobody can be heard any more. */
  readonly failed: (error: unknown) => void
}

/** The four sockets of a robot, or what stands for them. Messages given to it must never be written to again. */
export interface RobotTransport {
  /** Where clients find it. */
  readonly endpoints: Endpoints
  /** Cumulative, by socket; `turnedAway`: messages that came too fast to be looked at. */
  readonly counts: Readonly<Record<'control' | 'observation' | 'telemetry', SendCounts>> & {
    readonly turnedAway: number
  }
  /** To one client, on control. */
  reply(routingId: Buffer, message: Buffer): void
  /** Only the newest one waits for those who are slow. */
  publishObservation(message: Buffer): void
  publishTelemetry(message: Buffer): void
  close(): Promise<void>
}

/** Opens the sockets of a robot; what comes in goes to `handlers` from then on. */
export type OpenTransport = (handlers: TransportHandlers) => Promise<RobotTransport>
