import { SendQueue } from '../zmq/queue.ts'
import { readAll } from '../zmq/reader.ts'
import type { Endpoints, RobotSecurity } from '../zmq/sockets.ts'
import { bindRobotSockets } from '../zmq/sockets.ts'
import type { RobotTransport, TransportHandlers } from './transport.ts'

export interface ZmqTransportOptions {
  readonly endpoints: Endpoints
  readonly security: RobotSecurity
  /** Observations that wait for a slow subscriber before it misses some. */
  readonly observationBacklog: number
}

/**
 * The sockets of a robot in this thread.
 * @throws ArmatureError `bad-argument` for an address that cannot be had, or that others could reach without keys
 */
export async function openZmqTransport(
  { endpoints, security, observationBacklog }: ZmqTransportOptions,
  handlers: TransportHandlers,
): Promise<RobotTransport> {
  let isClosed = false
  const sockets = await bindRobotSockets(
    endpoints,
    security,
    (socket, event) => {
      if (isClosed) return
      if (event.type.startsWith('handshake:error')) {
        const why = 'error' in event ? event.error.message : event.type
        handlers.refused('unauthorized', `a connection to the ${socket} socket failed: ${why}`)
      } else if (event.type === 'disconnect' && socket === 'control') handlers.disconnected()
    },
    observationBacklog,
  )
  const queues = {
    control: new SendQueue(sockets.control, 256, 'refuse', (id) => handlers.unreachable(Buffer.from(id))),
    observation: new SendQueue(sockets.observation, 1, 'newest-wins'),
    telemetry: new SendQueue(sockets.telemetry, 256, 'oldest-wins'),
  }
  const receive = (name: 'control' | 'action'): Promise<void> =>
    readAll(sockets[name], (parts) => {
      const [routingId, body] = parts
      if (parts.length === 2) handlers[name](routingId!, body!)
      else handlers.refused('bad_header', 'a message of several parts')
    }).catch((error: unknown) => {
      if (!isClosed) handlers.failed(error)
    })
  void receive('control')
  void receive('action')
  return {
    endpoints: sockets.endpoints,
    get counts() {
      const { control, observation, telemetry } = queues
      const counts = { control: control.counts, observation: observation.counts, telemetry: telemetry.counts }
      return { ...counts, turnedAway: 0 }
    },
    reply: (routingId, message) => void queues.control.push(routingId, message),
    publishObservation: (message) => void queues.observation.push(message),
    publishTelemetry: (message) => void queues.telemetry.push(message),
    close: async () => {
      isClosed = true
      for (const queue of Object.values(queues)) queue.close()
      await sockets.close()
    },
  }
}
