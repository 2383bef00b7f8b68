import { Context, Dealer, Publisher, Router, Subscriber } from 'zeromq'
import type { Event, Socket } from 'zeromq'
import { ArmatureError } from '../../src/core/errors.ts'
import { watchEvents } from './events.ts'
import type { KeyPair } from './keys.ts'
import type { ZapRefusal } from './zap.ts'
import { ZapHandler } from './zap.ts'

/** Largest message that a robot takes from a peer. */
export const MAX_COMMAND_BYTES: number = 256 * 1024
/** Largest message that a client takes from a robot: camera frames are larger than commands. */
export const MAX_OBSERVATION_BYTES: number = 64 * 1024 * 1024

/**
 * Sockets that queue all that comes. With a limit, libzmq 4.3.5 stops reading when the queue is full, and aborts the process ("Assertion
 * failed: !_io_error") if that peer then goes away and a heartbeat is due: its own, or one of the peer that still waits to be read. Taking a
 * routing id over from a connection (`handover`) comes to the same. So there is no limit to give: who reads must keep up (see `readAll`) and
 * drop what is too much.
 */
const READS_ALL = { receiveHighWaterMark: 0 }

const COMMON = { linger: 0, heartbeatInterval: 200, heartbeatTimeout: 1000, handshakeInterval: 3000 }

const ZMQ_RCVHWM = 24

/** Reads all subscriptions, see {@link READS_ALL}; zeromq.js has that option for sockets with messages to read only. */
class RobotPublisher extends Publisher {
  constructor(options: ConstructorParameters<typeof Publisher>[0]) {
    super(options)
    this.setInt32Option(ZMQ_RCVHWM, 0)
  }
}

/** Where the four sockets of a robot are. */
export interface Endpoints {
  readonly control: string
  readonly action: string
  readonly observation: string
  readonly telemetry: string
}

/** Who may connect to a robot: on loopback everyone, unless there are keys. */
export interface RobotSecurity {
  readonly keys?: KeyPair
  /** Why a connection is refused; needed with `keys`. */
  readonly refusal?: ZapRefusal
  /** Lets addresses other than loopback go without keys: anyone in the network can then move the robot. */
  readonly insecureLan?: boolean
}

/** A robot's sockets, bound. */
export interface RobotSockets {
  readonly control: Router
  readonly action: Router
  readonly observation: Publisher
  readonly telemetry: Publisher
  /** Where they really are: ports chosen by the system are filled in. */
  readonly endpoints: Endpoints
  /** Lets go of the addresses at once; resolves when the sockets have given their last events. */
  close(): Promise<void>
}

/** Highest port of TCP. */
const MAX_PORT = 65_535

/**
 * The endpoints beside a control address: with a port, the next three; with port `*`, any; otherwise names that begin like it.
 * @throws ArmatureError `bad-argument` for an address that the bridge cannot listen on
 */
export function endpointsBeside(control: string): Endpoints {
  if (/^(ipc|inproc):\/\/./.test(control)) {
    return {
      control,
      action: `${control}-action`,
      observation: `${control}-observation`,
      telemetry: `${control}-telemetry`,
    }
  }
  const [, host, port] = /^(tcp:\/\/.+):(\d+|\*)$/.exec(control) ?? []
  if (host === undefined || Number(port) + 3 > MAX_PORT) {
    throw new ArmatureError('bad-argument', 'address to listen on', {
      expected: `tcp://host:port, with a port up to ${MAX_PORT - 3}, or * for any; or ipc://path`,
      got: control,
    })
  }
  const at = (offset: number): string => `${host}:${port === '*' || port === '0' ? '*' : Number(port) + offset}`
  return { control: at(0), action: at(1), observation: at(2), telemetry: at(3) }
}

/**
 * Where a client finds the sockets that a robot bound: a robot that listens on all addresses does not know by which of them it is reached, so
 * the host is that of the control address which the client used.
 */
export function endpointsSeenFrom(control: string, bound: Omit<Endpoints, 'control'>): Endpoints {
  const host = /^(tcp:\/\/.+):\d+$/.exec(control)?.[1]
  const seen = (endpoint: string): string =>
    host === undefined ? endpoint : endpoint.replace(/^tcp:\/\/.+:(\d+)$/, `${host}:$1`)
  return {
    control,
    action: seen(bound.action),
    observation: seen(bound.observation),
    telemetry: seen(bound.telemetry),
  }
}

/** Whether only this machine can reach `endpoint`, as far as is known: of any other kind of address that is not. */
export function isLoopback(endpoint: string): boolean {
  if (/^(ipc|inproc):\/\//.test(endpoint)) return true
  const host = /^tcp:\/\/(.+):[^:]*$/.exec(endpoint)?.[1]
  return host === 'localhost' || host === '[::1]' || (host !== undefined && /^127(\.\d{1,3}){3}$/.test(host))
}

/**
 * Binds the four sockets of a robot in a context of their own.
 * @param onEvent told of connections: that one is there, has ended, or failed
 * @param observationBacklog observations (default 4) that wait for a slow subscriber before it misses some; the socket looks at most about once a
 *   millisecond whether one is on its way
 * @throws ArmatureError `bad-argument` for an address that others can reach, without keys; or one that cannot be bound
 */
export async function bindRobotSockets(
  endpoints: Endpoints,
  security: RobotSecurity,
  onEvent: (socket: keyof Endpoints, event: Event) => void,
  observationBacklog = 4,
): Promise<RobotSockets> {
  requireSecure(endpoints, security)
  const context = new Context({ blocky: false })
  const zap = security.keys && (await ZapHandler.start(context, security.refusal ?? (() => 'no key is authorized')))
  const curve = security.keys && { curveServer: true, curveSecretKey: security.keys.secretKey }
  const common = { ...COMMON, ...curve, context, maxMessageSize: MAX_COMMAND_BYTES }
  const domain = (name: keyof Endpoints): { zapDomain?: string } => (curve === undefined ? {} : { zapDomain: name })
  const sockets = {
    control: new Router({
      ...common,
      ...READS_ALL,
      ...domain('control'),
      sendTimeout: 0,
      mandatory: true,
      handover: false,
    }),
    action: new Router({ ...common, ...READS_ALL, ...domain('action'), handover: false }),
    observation: new RobotPublisher({
      ...common,
      ...domain('observation'),
      sendTimeout: 0,
      sendHighWaterMark: observationBacklog,
    }),
    telemetry: new RobotPublisher({ ...common, ...domain('telemetry'), sendTimeout: 0, sendHighWaterMark: 256 }),
  }
  const names = Object.keys(sockets) as (keyof Endpoints)[]
  const watches: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const name of names) sockets[name].close()
    zap?.close()
    await Promise.all(watches.map((end) => end()))
  }
  try {
    for (const name of names) {
      const socket: Socket = sockets[name]
      watches.push(watchEvents(socket, (event) => onEvent(name, event)))
      await sockets[name].bind(endpoints[name])
    }
  } catch (error) {
    await close()
    throw new ArmatureError('bad-argument', `cannot listen on ${endpoints.control}`, {
      got: error instanceof Error ? error.message : String(error),
      fix: 'choose another address or port',
      cause: error,
    })
  }
  const at = (name: keyof Endpoints): string => sockets[name].lastEndpoint!
  const bound = {
    control: at('control'),
    action: at('action'),
    observation: at('observation'),
    telemetry: at('telemetry'),
  }
  return { ...sockets, endpoints: bound, close }
}

/** @throws ArmatureError `bad-argument` for an address that others can reach, without keys */
export function requireSecure(endpoints: Endpoints, { keys, insecureLan }: RobotSecurity): void {
  const open = Object.values(endpoints).find((endpoint: string) => !isLoopback(endpoint)) as string | undefined
  if (open === undefined || keys !== undefined || insecureLan === true) return
  throw new ArmatureError('bad-argument', `${open} can be reached by others`, {
    expected: 'keys, so that not everyone in the network can move the robot',
    got: 'none',
    fix: 'make them with "armature keygen", or listen on tcp://127.0.0.1, or say that the network is safe (insecureLan)',
  })
}

/** How a client proves who it is to a robot with keys. */
export interface ClientSecurity {
  readonly keys: KeyPair
  /** Public key of the robot, Z85: no other robot will be talked to. */
  readonly robotKey: string
}

/** A client's connection to the control socket, made before it knows where the other three are. */
export interface ControlConnection {
  readonly context: Context
  readonly control: Dealer
}

/**
 * @param routingId 16 random bytes or so, as text: whoever knows it could keep others from connecting with it
 * @param context of a connection before; default: one of its own
 */
export function connectControl(
  endpoint: string,
  security: ClientSecurity | undefined,
  routingId: string,
  context: Context = new Context({ blocky: false }),
): ControlConnection {
  const control = new Dealer({
    ...COMMON,
    ...curveOptions(security),
    context,
    routingId,
    immediate: true,
    sendTimeout: 0,
    maxMessageSize: MAX_OBSERVATION_BYTES,
  })
  control.connect(endpoint)
  return { context, control }
}

/** A client's sockets beside control. */
export interface ClientSockets {
  action: Dealer
  readonly observation: Subscriber
  readonly telemetry: Subscriber
}

/**
 * Makes the rest, still unconnected. The observation socket keeps only the newest message (`conflate` must be set before `connect`); the action socket refuses
 * messages while there is no connection (`immediate`), so that no old action waits for a robot to come back.
 *
 * @param topics as prefixes of messages: of the observation, and of telemetry, where none is none at all
 * @param actionBacklog actions (default 2) that the socket takes before it knows that they are on their way; it looks at most about once a millisecond
 */
export function makeClientSockets(
  context: Context,
  security: ClientSecurity | undefined,
  routingId: string,
  topics: { readonly observation: string; readonly telemetry: readonly string[] },
  actionBacklog = 2,
): ClientSockets {
  const options = { ...COMMON, ...curveOptions(security), context, maxMessageSize: MAX_OBSERVATION_BYTES }
  const action = makeActionSocket(context, security, routingId, actionBacklog)
  const observation = new Subscriber({ ...options, conflate: true })
  const telemetry = new Subscriber({ ...options, ...READS_ALL })
  observation.subscribe(topics.observation)
  for (const topic of topics.telemetry) telemetry.subscribe(topic)
  return { action, observation, telemetry }
}

/** What an observer listens to. */
export type ObserverSockets = Pick<ClientSockets, 'observation' | 'telemetry'>

/** The sockets of an observer that wants every observation of `topic`, not only the newest, and all telemetry; still unconnected. */
export function makeObserverSockets(
  context: Context,
  security: ClientSecurity | undefined,
  topic: string,
): ObserverSockets {
  const options = { ...COMMON, ...curveOptions(security), context, maxMessageSize: MAX_OBSERVATION_BYTES }
  const observation = new Subscriber({ ...options, ...READS_ALL })
  const telemetry = new Subscriber({ ...options, ...READS_ALL })
  observation.subscribe(topic)
  telemetry.subscribe()
  return { observation, telemetry }
}

/** The action socket alone, still unconnected, see {@link makeClientSockets}. */
export function makeActionSocket(
  context: Context,
  security: ClientSecurity | undefined,
  routingId: string,
  actionBacklog: number,
): Dealer {
  const options = { ...COMMON, ...curveOptions(security), context, maxMessageSize: MAX_OBSERVATION_BYTES }
  return new Dealer({ ...options, routingId, immediate: true, sendTimeout: 0, sendHighWaterMark: actionBacklog })
}

function curveOptions(security: ClientSecurity | undefined): {
  curveServerKey?: string
  curvePublicKey?: string
  curveSecretKey?: string
} {
  if (security === undefined) return {}
  const { keys, robotKey } = security
  return { curveServerKey: robotKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey }
}
