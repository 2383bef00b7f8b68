import type { BridgeMode } from '../protocol/messages.ts'
import type { SendCounts } from '../zmq/queue.ts'
import type { Endpoints } from '../zmq/sockets.ts'

/** What is done with the messages of each socket. None of it may throw. */
export interface ClientHandlers {
  readonly control: (bytes: Uint8Array) => void
  readonly observation: (bytes: Uint8Array) => void
  readonly telemetry: (bytes: Uint8Array) => void
}

/** The sockets of a client, or what stands for them. Messages given to it must never be written to again. */
export interface ClientTransport {
  /** Of control and action; nobody else can know it. It changes when the connection was lost. */
  readonly routingId: string
  readonly counts: { readonly control: SendCounts; readonly action: SendCounts }
  /** Why the connection did not come about, as far as the sockets know. */
  readonly lastProblem: string | undefined
  /**
   * Connects the sockets beside control, and waits until they are.
   * @param topic of observations: the form in which the robot sends them to this client
   * @throws ArmatureError `env-failed`
   */
  open(endpoints: Endpoints, timeoutMs: number, mode: BridgeMode, topic: string): Promise<void>
  /** Connects to where the robot is now, if that is elsewhere than before. */
  move(endpoints: Endpoints): void
  sendControl(message: Buffer): void
  /** The newest wins where the socket is slow; none waits for a connection. */
  sendAction(message: Buffer): void
  /** Observations and telemetry are not wanted any more: some time before {@link close}. */
  unsubscribe(): void
  close(): void
}

export type OpenClientTransport = (handlers: ClientHandlers) => ClientTransport
