import type { Robot } from '../../src/core/robot.ts'
import { isGoalRobot } from '../../src/core/robot.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type {
  Blending,
  BridgeMode,
  Endpoints,
  HelloMessage,
  RobotHeader,
  Watchdogs,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { PROTOCOL_VERSION } from '../protocol/messages.ts'
import type { Json, RobotSchema } from '../protocol/schema.ts'
import { actionDigest, observationDigest, schemaOf } from '../protocol/schema.ts'
import type { Peer, Peers } from './peers.ts'
import type { Authorization } from '../zmq/authorization.ts'
import { covers } from '../zmq/authorization.ts'
import { isKeyProof } from '../zmq/key-proof.ts'
import type { KeyPair } from '../zmq/keys.ts'
import { MAX_COMMAND_BYTES } from '../zmq/sockets.ts'

/** How clients are checked where there are keys. */
export interface HandshakeKeys {
  readonly keys: KeyPair
  readonly authorization: Authorization
}

export interface HandshakeOptions {
  readonly run: string
  readonly mode: BridgeMode
  readonly limits: Json
  readonly watchdogs: Watchdogs
  readonly blending: Blending
  /** Of the JPEG that clients may ask for; 0: they may not. */
  readonly jpegQuality: number
  readonly isInsecure: boolean
  /** Let clients that say so drive although they were trained for another schema. */
  readonly allowsMismatch: boolean
  readonly security: HandshakeKeys | undefined
  /** Whether a client holds the lease: it never has to make room. */
  readonly isHolder: (peer: Peer) => boolean
  /** Told of a client that has to. */
  readonly onRemoved: (peer: Peer, why: string) => void
}

export interface Refusal {
  readonly code: ErrorCode
  readonly text: string
  /** The robot's, where that is what does not fit. */
  readonly schema?: RobotSchema
}

/** Decides on a `hello`: protocol, key, role and schema. */
export class Handshake {
  readonly #options: HandshakeOptions
  readonly #peers: Peers
  readonly #schema: RobotSchema
  readonly #digests: { readonly observationDigest: string; readonly actionDigest: string }

  constructor(robot: Robot, peers: Peers, options: HandshakeOptions) {
    this.#options = options
    this.#peers = peers
    this.#schema = schemaOf(robot.spec, isGoalRobot(robot) ? robot.goalSpace : undefined)
    this.#digests = { observationDigest: observationDigest(this.#schema), actionDigest: actionDigest(this.#schema) }
  }

  /** The client as a peer, or why not. One that is known already, and asks again, stays who it is. */
  admit(routingId: Buffer, hello: HelloMessage, nowUs: number): Peer | Refusal {
    const refused = this.#refusal(routingId, hello)
    if (refused !== undefined) return refused
    const known = this.#peers.of(routingId)
    const { role } = hello
    const imageCodec = hello.imageCodec === 'jpeg' && this.#options.jpegQuality > 0 ? 'jpeg' : 'raw'
    const publicKey = this.#options.security && hello.publicKey
    const name = this.#nameOf(hello)
    if (known !== undefined && known.role === role && known.publicKey === publicKey) return known
    if (known !== undefined) return { code: 'seq_replay', text: 'this connection has said hello as someone else' }
    const crowd = this.#peers.crowd({ role, publicKey }, this.#options.isHolder)
    if (crowd !== undefined) {
      // Operators always get in: whoever has to stop the robot cannot wait for others to leave.
      if (role !== 'operator' || crowd.longestSilent === undefined) return { code: 'busy', text: crowd.text }
      this.#options.onRemoved(crowd.longestSilent, `another operator needed the place: ${crowd.text}`)
    }
    return this.#peers.add(routingId, { name, role, publicKey, imageCodec }, nowUs)
  }

  welcome(
    { role, id, imageCodec }: Peer,
    refSeq: number,
    endpoints: Endpoints,
  ): Omit<WelcomeMessage, keyof RobotHeader> {
    const { run, mode, limits, watchdogs, blending, isInsecure, jpegQuality } = this.#options
    return {
      kind: 'welcome',
      refSeq,
      protocol: PROTOCOL_VERSION,
      arrayCodec: 'openpi',
      imageCodec,
      ...(imageCodec === 'jpeg' ? { jpegQuality } : {}),
      clientId: id,
      role,
      run,
      mode,
      schema: this.#schema,
      ...this.#digests,
      limits,
      watchdogs,
      blending,
      endpoints,
      maxMessageBytes: MAX_COMMAND_BYTES,
      insecure: isInsecure,
    }
  }

  /** Why the key of `peer` is not good enough any more: taken out of the list, expired, or of a lower role. */
  revocation({ publicKey, role, name }: Peer): string | undefined {
    if (this.#options.security === undefined || publicKey === undefined) return undefined
    const key = this.#options.security.authorization.admit(publicKey)
    if (typeof key === 'string') return key
    return covers(key.role, role) ? undefined : `${name} is now ${key.role}`
  }

  /** As in the list of keys, where there is one: a client cannot choose whose name is in the events. */
  #nameOf({ name, publicKey }: HelloMessage): string {
    const key = this.#options.security?.authorization.admit(publicKey ?? '')
    return typeof key === 'object' ? key.name : name
  }

  #refusal(routingId: Buffer, hello: HelloMessage): Refusal | undefined {
    const { protocols, arrayCodecs } = hello
    if (!protocols.some((version) => version.split('.')[0] === PROTOCOL_VERSION.split('.')[0])) {
      const text = `this robot speaks protocol ${PROTOCOL_VERSION}, the client ${protocols.join(', ')}`
      return { code: 'version_unsupported', text }
    }
    if (!arrayCodecs.includes('openpi')) {
      return {
        code: 'version_unsupported',
        text: 'this robot sends arrays as openpi does, which the client cannot read',
      }
    }
    return this.#keyRefusal(routingId, hello) ?? this.#schemaRefusal(hello)
  }

  #keyRefusal(routingId: Buffer, { publicKey, keyProof, role }: HelloMessage): Refusal | undefined {
    if (this.#options.security === undefined) return undefined
    const { keys, authorization } = this.#options.security
    if (publicKey === undefined || keyProof === undefined) {
      return { code: 'unauthorized', text: 'hello has no public key with a proof' }
    }
    const key = authorization.admit(publicKey)
    if (typeof key === 'string') return { code: 'unauthorized', text: key }
    if (!isKeyProof(keyProof, keys.secretKey, publicKey, routingId)) {
      return { code: 'unauthorized', text: `this connection does not hold the key of ${key.name}` }
    }
    return covers(key.role, role)
      ? undefined
      : { code: 'role_forbidden', text: `the key of ${key.name} is for the role ${key.role}, not ${role}` }
  }

  #schemaRefusal(hello: HelloMessage): Refusal | undefined {
    const differs = (['observationDigest', 'actionDigest'] as const).filter(
      (digest) => hello[digest] !== undefined && hello[digest] !== this.#digests[digest],
    )
    if (differs.length === 0) return undefined
    if (hello.acceptMismatch === true && this.#options.allowsMismatch) return undefined
    const text = differs.map((d) => `${d} is ${this.#digests[d]}, the client's ${hello[d]}`).join('; ')
    return { code: 'schema_mismatch', text, schema: this.#schema }
  }
}
