import { decodeMessage, topicOf } from '../protocol/codec.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type {
  ActionMessage,
  BridgeMode,
  ChunkMessage,
  CommandMessage,
  Endpoints,
  HelloMessage,
  LeaseRequestMessage,
  Message,
  ObservationContent,
  PingMessage,
} from '../protocol/messages.ts'
import type { Motion } from './motion.ts'
import type { Publisher } from './publisher.ts'
import type { Peer, Peers } from './peers.ts'
import { TokenBucket } from './peers.ts'
import type { Handshake } from './handshake.ts'
import type { Caller, Outcome } from '../safety/outcomes.ts'
import type { Supervisor } from '../safety/supervisor.ts'
import { firstLineOf } from '../time.ts'

export interface DispatcherParts {
  readonly mode: BridgeMode
  readonly clock: () => number
  readonly endpoints: () => Endpoints
  readonly peers: Peers
  readonly handshake: Handshake
  readonly supervisor: Supervisor
  readonly motion: Motion
  readonly publisher: Publisher
  /** The robot itself failed: comes to a stop. */
  readonly onFault: (error: unknown) => void
  /** The client that holds the lease may be gone: find out. */
  readonly probeHolder: () => void
  /** A client has gone. */
  readonly onLeft: (peer: Peer) => void
}

/** Messages per second that are heard of connections that have not been let in: of all of them, and of one. */
const STRANGERS_PER_SECOND = 200
const STRANGER_PER_SECOND = 10
/** Of so many of these it is remembered how much they said. */
const STRANGERS = 256

/**
 * Takes what clients send. Of a client that has not said hello nothing else is decoded, and of one that sends too much nothing at all; what
 * it says is then settled at once, between two control periods if need be.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts
  readonly #allStrangers: TokenBucket
  readonly #strangers = new Map<string, TokenBucket>()
  readonly #received = { control: 0, controlBytes: 0, action: 0, actionBytes: 0 }

  constructor(parts: DispatcherParts) {
    this.#parts = parts
    this.#allStrangers = new TokenBucket(STRANGERS_PER_SECOND, parts.clock())
  }

  /** Messages and bytes that came in. */
  get received(): Readonly<Record<'control' | 'controlBytes' | 'action' | 'actionBytes', number>> {
    return this.#received
  }

  /** A message on the control socket. */
  control(routingId: Buffer, body: Buffer): void {
    this.#received.control++
    this.#received.controlBytes += body.length
    const nowUs = this.#parts.clock()
    const peer = this.#parts.peers.of(routingId)
    const topic = body.toString('latin1', 0, 4)
    if (peer === undefined && topic !== topicOf('hello')) {
      this.#refuseStranger(routingId, topic, nowUs)
    } else if (peer === undefined ? !this.#hears(routingId, nowUs) : !peer.buckets.control.take(nowUs)) {
      this.#parts.publisher.event(reject('rate_limited', 'too many control messages'))
    } else {
      this.#settle(routingId, peer, body, nowUs)
    }
  }

  /** A message on the action socket. */
  action(routingId: Buffer, body: Buffer): void {
    this.#received.action++
    this.#received.actionBytes += body.length
    const { peers, mode, motion, publisher, clock } = this.#parts
    const nowUs = clock()
    const peer = peers.of(routingId)
    if (peer === undefined) {
      publisher.event(reject('unauthorized', 'an action from a connection that has not said hello'))
      return motion.refuse('unauthorized')
    }
    if (peer.role === 'observer') return this.#refuseAction(peer, 'role_forbidden', 'observers may not send actions')
    // In lock-step the answers set the pace.
    if (mode === 'realtime' && !peer.buckets.action.take(nowUs)) {
      return this.#refuseAction(peer, 'rate_limited', 'too many actions')
    }
    let seq: number | undefined
    try {
      const message = decodeMessage(body)
      seq = message.seq
      if (message.kind !== 'action' && message.kind !== 'chunk') {
        throw new ProtocolError('unknown_kind', `the action socket takes no ${message.kind}`)
      }
      if (message.session !== peer.session)
        throw new ProtocolError('unauthorized', 'not the session of this connection')
      peer.lastSeenUs = nowUs
      this.#decide(peer, message, nowUs)
    } catch (error) {
      const { code, message, refSeq = seq } = protocolError(error)
      this.#refuseAction(peer, code, message, refSeq)
    }
  }

  #refuseStranger(routingId: Buffer, topic: string, nowUs: number): void {
    const isOld = /^rb[^1]/.test(topic)
    const code = isOld ? 'version_unsupported' : 'unauthorized'
    const text = isOld ? 'this robot speaks protocol 1' : 'say hello first'
    this.#parts.publisher.event({ event: 'security', code, text: `a connection was refused: ${text}` })
    if (this.#hears(routingId, nowUs)) this.#parts.publisher.reply(routingId, '', { kind: 'error', code, text })
  }

  /** Whether a stranger has not said too much yet: one that floods does not keep the others from being heard. */
  #hears(routingId: Buffer, nowUs: number): boolean {
    const name = routingId.toString('latin1')
    const own = this.#strangers.get(name) ?? new TokenBucket(STRANGER_PER_SECOND, nowUs)
    // The one that was heard last is forgotten last.
    this.#strangers.delete(name)
    this.#strangers.set(name, own)
    if (this.#strangers.size > STRANGERS) this.#strangers.delete(this.#strangers.keys().next().value!)
    return own.take(nowUs) && this.#allStrangers.take(nowUs)
  }

  #settle(routingId: Buffer, peer: Peer | undefined, body: Buffer, nowUs: number): void {
    const { publisher } = this.#parts
    let seq: number | undefined
    try {
      const message = decodeMessage(body)
      seq = message.seq
      if (message.kind === 'hello') return this.#hello(routingId, message, nowUs)
      if (peer === undefined || message.session !== peer.session) {
        throw new ProtocolError('unauthorized', 'not the session of this connection')
      }
      if (message.seq <= peer.lastSeq.control)
        throw new ProtocolError('seq_replay', `message ${message.seq} came before`)
      peer.lastSeq.control = message.seq
      peer.lastSeenUs = nowUs
      this.#obey(peer, message, nowUs)
    } catch (error) {
      const { code, message: text, refSeq = seq } = protocolError(error)
      publisher.event(reject(code, `${peer?.name ?? 'a client'}: ${text}`))
      publisher.reply(routingId, peer?.session ?? '', { kind: 'error', code, text, ...about(refSeq) })
    }
  }

  #hello(routingId: Buffer, message: HelloMessage, nowUs: number): void {
    const { handshake, publisher, endpoints } = this.#parts
    const admitted = handshake.admit(routingId, message, nowUs)
    if ('code' in admitted) {
      publisher.event({ event: 'security', code: admitted.code, text: `${message.name} was refused: ${admitted.text}` })
      return publisher.reply(routingId, '', { kind: 'error', ...admitted, refSeq: message.seq })
    }
    admitted.lastSeenUs = nowUs
    publisher.tell(admitted, handshake.welcome(admitted, message.seq, endpoints()))
    publisher.event({ event: 'peer', code: 'hello', text: `${admitted.name} is here as ${admitted.role}` })
  }

  #obey(peer: Peer, message: Message, nowUs: number): void {
    switch (message.kind) {
      case 'ping':
        return this.#ping(peer, message, nowUs)
      case 'lease_request':
        return this.#lease(peer, message, nowUs)
      case 'command':
        return this.#command(peer, message, nowUs)
      case 'bye':
        this.#parts.publisher.event({ event: 'peer', code: 'bye', text: `${peer.name} left: ${message.reason}` })
        return this.#parts.onLeft(peer)
      default:
        throw new ProtocolError('unknown_kind', `the control socket takes no ${message.kind}`)
    }
  }

  #ping(peer: Peer, { lease, t1Us, seq }: PingMessage, nowUs: number): void {
    const { supervisor, publisher, clock } = this.#parts
    if (lease !== undefined) supervisor.renew(callerOf(peer, lease), nowUs)
    publisher.tell(peer, { kind: 'pong', refSeq: seq, t1Us, t2Us: nowUs, t3Us: clock() })
  }

  #lease(peer: Peer, { ttlMs, preempt, seq }: LeaseRequestMessage, nowUs: number): void {
    const { supervisor, publisher, motion } = this.#parts
    const caller = callerOf(peer)
    const ask = preempt === true ? supervisor.preempt.bind(supervisor) : supervisor.requestLease.bind(supervisor)
    const outcome = ask(caller, ttlMs * 1000, nowUs)
    if (outcome.ok) {
      if (preempt === true) motion.forget()
      const { token, ttlUs } = outcome.lease
      return publisher.tell(peer, { kind: 'lease', refSeq: seq, lease: token, ttlMs: Math.ceil(ttlUs / 1000) })
    }
    const { code, holder, expiresInUs } = outcome
    const retryAfterMs =
      expiresInUs === undefined ? {} : { retryAfterMs: Math.min(1000, Math.ceil(expiresInUs / 1000)) }
    publisher.tell(peer, { kind: 'error', code, text: outcome.text, refSeq: seq, ...retryAfterMs })
    if (holder !== undefined) this.#parts.probeHolder()
  }

  #command(peer: Peer, message: CommandMessage, nowUs: number): void {
    const { publisher, motion, mode } = this.#parts
    const { command, seq } = message
    if (command === 'start' && message.mode !== undefined && message.mode !== mode) {
      throw new ProtocolError('busy', `this robot runs in ${mode}, not ${message.mode}`)
    }
    const outcome = this.#ask(peer, message, nowUs)
    if (!outcome.ok) {
      return publisher.tell(peer, { kind: 'error', code: outcome.code, text: outcome.text, refSeq: seq })
    }
    if (command === 'reset') return void this.#reset(peer, message)
    if (command !== 'arm' && command !== 'start') motion.forget()
    publisher.tell(peer, { kind: 'ack', refSeq: seq, command })
  }

  #ask(peer: Peer, { command, lease, category }: CommandMessage, nowUs: number): Outcome {
    const { supervisor, motion } = this.#parts
    const caller = callerOf(peer, lease)
    if (command === 'stop') return supervisor.stop(category ?? 'hold', caller, nowUs)
    if (command !== 'start') return supervisor[command](caller, nowUs)
    // Limits begin where the robot is: without that nothing may begin.
    return supervisor.start(caller, nowUs, () => motion.anchor())
  }

  async #reset(peer: Peer, { seq, seed, options, command }: CommandMessage): Promise<void> {
    const { motion, publisher, supervisor, onFault } = this.#parts
    const { epoch } = supervisor
    const answer = (observation: ObservationContent): void => {
      supervisor.resetEnded()
      const { goal } = observation
      publisher.tell(peer, { kind: 'ack', refSeq: seq, command, observation, ...(goal === undefined ? {} : { goal }) })
    }
    try {
      await motion.reset(
        { ...(seed === undefined ? {} : { seed }), ...(options === undefined ? {} : { options }) },
        answer,
      )
    } catch (error) {
      // What stopped it has said so already: the robot did not fail.
      const wasStopped = supervisor.epoch !== epoch
      const code = wasStopped ? 'epoch_stale' : 'internal'
      publisher.tell(peer, { kind: 'error', code, text: `reset failed: ${firstLineOf(error)}`, refSeq: seq })
      if (!wasStopped) onFault(error)
    }
  }

  #decide(peer: Peer, message: ActionMessage | ChunkMessage, nowUs: number): void {
    const { supervisor, motion, mode, onFault } = this.#parts
    const steps = message.kind === 'chunk' ? (message.actions.shape[0] ?? 0) : 1
    if (motion.isOver) return this.#refuseAction(peer, 'busy', 'the episode is over: reset', message.seq, steps)
    if (mode === 'lockstep' && message.kind === 'chunk') {
      return this.#refuseAction(peer, 'unknown_kind', 'there are no chunks in lock-step', message.seq, steps)
    }
    const problem =
      mode === 'lockstep' ? motion.lockstepProblem(message as ActionMessage) : motion.problemOf(message, nowUs)
    const { lease, epoch, seq } = message
    const verdict = supervisor.actionArrived({ peer: peer.session, lease, epoch, seq, problem }, nowUs)
    if (!verdict.accepted) return this.#refuseAction(peer, verdict.code, 'the action was refused', seq, steps)
    if (mode === 'realtime' || message.kind === 'chunk') {
      return supervisor.covered(motion.schedule(message, peer, nowUs))
    }
    motion.lockstep(message, peer, () => supervisor.state === 'ACTIVE' && supervisor.epoch === epoch).catch(onFault)
  }

  /** Counts it, and tells those who look on and, unless that is too often, the client. */
  #refuseAction(peer: Peer, code: ErrorCode, text: string, refSeq?: number, steps = 1): void {
    const { publisher, motion, mode } = this.#parts
    motion.refuse(code, steps)
    const isTold = publisher.event(reject(code, `${peer.name}: ${text}`))
    if (!isTold && mode === 'realtime') return
    publisher.tell(peer, { kind: 'error', code, text, ...about(refSeq) })
  }
}

function callerOf({ session, role }: Peer, lease?: string): Caller {
  return { peer: session, role, lease }
}

function about(refSeq: number | undefined): { readonly refSeq?: number } {
  return refSeq === undefined ? {} : { refSeq }
}

function reject(code: ErrorCode, text: string): { event: string; code: string; text: string } {
  return { event: 'reject', code, text }
}

function protocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  return new ProtocolError('internal', 'the message could not be handled')
}
