import { randomBytes } from 'node:crypto'
import type { Role } from '../zmq/keys.ts'

/** Lets `perSecond` messages through on average, and as many at once. */
export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #atUs: number

  constructor(perSecond: number, nowUs: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#atUs = nowUs
  }

  take(nowUs: number): boolean {
    const refill = ((nowUs - this.#atUs) / 1e6) * this.#perSecond
    this.#tokens = Math.min(this.#perSecond, this.#tokens + refill)
    this.#atUs = nowUs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** A client that has said hello and been let in. */
export interface Peer {
  /** Of its control and action sockets; 16 random bytes that no other client knows. */
  readonly routingId: Buffer
  /** 128 random bits, hex: in every message that it sends from now on. */
  readonly session: string
  readonly name: string
  readonly role: Role
  /** Z85; undefined where there are no keys. */
  readonly publicKey: string | undefined
  readonly buckets: { readonly control: TokenBucket; readonly action: TokenBucket }
  /** Highest sequence number seen on each socket: repeats are dropped. */
  readonly lastSeq: { control: number; action: number }
  lastSeenUs: number
}

export interface PeerLimits {
  readonly maxPeers: number
  readonly messagesPerSecond: number
  /** A peer that says nothing for so long is forgotten; Infinity: only when its connection is gone. */
  readonly idleUs: number
}

/** The clients of a robot, by the routing id of their connections. */
export class Peers {
  readonly #limits: PeerLimits
  readonly #peers = new Map<string, Peer>()

  constructor(limits: PeerLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#peers.size
  }

  get isFull(): boolean {
    return this.#peers.size >= this.#limits.maxPeers
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values()
  }

  of(routingId: Buffer): Peer | undefined {
    return this.#peers.get(routingId.toString('latin1'))
  }

  bySession(session: string): Peer | undefined {
    for (const peer of this) if (peer.session === session) return peer
    return undefined
  }

  add(routingId: Buffer, who: Pick<Peer, 'name' | 'role' | 'publicKey'>, nowUs: number): Peer {
    const { messagesPerSecond } = this.#limits
    const peer: Peer = {
      ...who,
      routingId,
      session: randomBytes(16).toString('hex'),
      buckets: {
        control: new TokenBucket(messagesPerSecond, nowUs),
        action: new TokenBucket(messagesPerSecond, nowUs),
      },
      lastSeq: { control: 0, action: 0 },
      lastSeenUs: nowUs,
    }
    this.#peers.set(routingId.toString('latin1'), peer)
    return peer
  }

  remove(peer: Peer): void {
    this.#peers.delete(peer.routingId.toString('latin1'))
  }

  /** Those that have said nothing for so long. */
  silent(nowUs: number, forUs: number): readonly Peer[] {
    return [...this].filter(({ lastSeenUs }) => nowUs - lastSeenUs > forUs)
  }

  /** Forgets the silent ones, and gives them back. */
  prune(nowUs: number): readonly Peer[] {
    const silent = this.silent(nowUs, this.#limits.idleUs)
    for (const peer of silent) this.remove(peer)
    return silent
  }
}
