import { randomBytes } from 'node:crypto'
import type { ImageCodec } from '../protocol/messages.ts'
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
  /** Of this client, in `applied`. */
  readonly id: number
  /** 128 random bits, hex: in every message that it sends from now on. */
  readonly session: string
  readonly name: string
  readonly role: Role
  /** What it is sent camera images as. */
  readonly imageCodec: ImageCodec
  /** Z85; undefined where there are no keys. */
  readonly publicKey: string | undefined
  readonly buckets: { readonly control: TokenBucket; readonly action: TokenBucket }
  /** Highest sequence number seen on each socket: repeats are dropped. */
  readonly lastSeq: { control: number; action: number }
  lastSeenUs: number
}

export interface PeerLimits {
  /** Of each role: those who look on cannot keep out one who drives. */
  readonly maxPeers: number
  /** With one key. */
  readonly maxPeersPerKey: number
  readonly messagesPerSecond: number
}

/** Too many of a kind, and the one of them to give up if there must be room. */
export interface Crowd {
  readonly text: string
  readonly longestSilent: Peer | undefined
}

/** The clients of a robot, by the routing id of their connections. */
export class Peers {
  readonly #limits: PeerLimits
  readonly #peers = new Map<string, Peer>()
  #ids = 0

  constructor(limits: PeerLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#peers.size
  }

  /**
   * Who has to go before another one of `role` and `publicKey` fits in: nobody, or those of its own role or key who have been silent longest.
   * @param keeps whom not
   */
  crowd({ role, publicKey }: Pick<Peer, 'role' | 'publicKey'>, keeps: (peer: Peer) => boolean): Crowd | undefined {
    const { maxPeers, maxPeersPerKey } = this.#limits
    const ofRole = [...this].filter((peer) => peer.role === role)
    const ofKey = publicKey === undefined ? [] : [...this].filter((peer) => peer.publicKey === publicKey)
    const crowded = ofKey.length >= maxPeersPerKey ? ofKey : ofRole.length >= maxPeers ? ofRole : undefined
    if (crowded === undefined) return undefined
    const silent = crowded.filter((peer) => !keeps(peer)).toSorted((a, b) => a.lastSeenUs - b.lastSeenUs)
    const text = `${crowded.length} ${crowded === ofKey ? 'clients with this key' : `${role}s`} are connected already`
    return { text, longestSilent: silent[0] }
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

  /** As what camera images are wanted; who looks on without a word is sent pixels. */
  get codecs(): Readonly<Record<ImageCodec, boolean>> {
    const wanted = { jpeg: false, raw: this.size === 0 }
    for (const { imageCodec } of this) wanted[imageCodec] = true
    return wanted
  }

  add(routingId: Buffer, who: Pick<Peer, 'name' | 'role' | 'publicKey' | 'imageCodec'>, nowUs: number): Peer {
    const { messagesPerSecond } = this.#limits
    const peer: Peer = {
      ...who,
      routingId,
      id: ++this.#ids,
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
}
