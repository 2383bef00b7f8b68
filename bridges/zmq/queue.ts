import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What happens when a message comes to a full queue: `newest-wins` drops the oldest one that waits, `oldest-wins` drops the new one,
 * `refuse` does too but counts it as refused, for messages whose loss the sender must know of.
 */
export type DropPolicy = 'newest-wins' | 'oldest-wins' | 'refuse'

/** The part of a ZeroMQ socket that a queue writes to. */
export interface MessageSender {
  readonly closed: boolean
  send(message: Uint8Array[]): Promise<void>
}

/** What became of all messages given to a queue: offered = sent + dropped + refused + again + unreachable + failed + waiting. */
export interface SendCounts {
  readonly offered: number
  readonly sent: number
  readonly sentBytes: number
  /** Left behind by the policy, or at close. */
  readonly dropped: number
  readonly refused: number
  /** The socket could not take it (`EAGAIN`): no peer there, or its queue full. */
  readonly again: number
  /** No peer of that routing id (`EHOSTUNREACH`). */
  readonly unreachable: number
  readonly failed: number
}

/** Those of a queue that was given nothing. */
export const NO_SENDS: SendCounts = {
  offered: 0,
  sent: 0,
  sentBytes: 0,
  dropped: 0,
  refused: 0,
  again: 0,
  unreachable: 0,
  failed: 0,
}

/** libzmq looks for room in a full socket at most about once a millisecond. */
const AGAIN_MS = 1

/**
 * The one writer of a socket. zeromq.js throws synchronously when `send` is called while another `send` waits, so nothing else may write to
 * the socket. It sends large parts by reference, also after `send` has resolved: the bytes given here must never be written to again.
 */
export class SendQueue {
  readonly #socket: MessageSender
  readonly #capacity: number
  readonly #policy: DropPolicy
  readonly #onUnreachable: ((peer: Uint8Array) => void) | undefined
  readonly #sendsAgain: boolean
  readonly #waiting: Uint8Array[][] = []
  readonly #counts: { -readonly [name in keyof SendCounts]: number } = { ...NO_SENDS }
  #isWriting = false
  #isClosed = false

  /**
   * @param capacity messages that may wait for the one that is being sent, at least 1
   * @param onUnreachable told the first part of a message, a routing id, when no peer has it (any more)
   * @param sendsAgain a message that the socket cannot take now is tried again until a newer one waits: for peers that wait for it
   */
  constructor(
    socket: MessageSender,
    capacity: number,
    policy: DropPolicy,
    onUnreachable?: (peer: Uint8Array) => void,
    sendsAgain = false,
  ) {
    this.#socket = socket
    this.#capacity = capacity
    this.#policy = policy
    this.#onUnreachable = onUnreachable
    this.#sendsAgain = sendsAgain
  }

  get counts(): SendCounts {
    return { ...this.#counts }
  }

  /** Messages that wait; the one being sent not included. */
  get length(): number {
    return this.#waiting.length
  }

  /** Takes a message, unless the policy says no; never throws and never waits. */
  push(...parts: Uint8Array[]): boolean {
    this.#counts.offered++
    if (this.#isClosed || (this.#waiting.length >= this.#capacity && !this.#makeRoom())) {
      this.#counts[this.#policy === 'refuse' ? 'refused' : 'dropped']++
      return false
    }
    this.#waiting.push(parts)
    if (!this.#isWriting) void this.#write()
    return true
  }

  /** Drops what waits; later messages are dropped too. */
  close(): void {
    this.#isClosed = true
    this.#counts.dropped += this.#waiting.length
    this.#waiting.length = 0
  }

  #makeRoom(): boolean {
    if (this.#policy !== 'newest-wins') return false
    this.#waiting.shift()
    this.#counts.dropped++
    return true
  }

  async #canRetry(): Promise<boolean> {
    await sleep(AGAIN_MS)
    return this.#waiting.length === 0 && !this.#isClosed && !this.#socket.closed
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    for (let parts = this.#waiting.shift(); parts !== undefined; parts = this.#waiting.shift()) {
      try {
        await this.#socket.send(parts)
        this.#counts.sent++
        for (const part of parts) this.#counts.sentBytes += part.byteLength
      } catch (error) {
        const failure = failureOf(error)
        if (failure === 'again' && this.#sendsAgain && (await this.#canRetry())) {
          this.#waiting.unshift(parts)
          continue
        }
        this.#counts[failure]++
        if (failure === 'unreachable') this.#onUnreachable?.(parts[0]!)
        if (this.#socket.closed) this.close()
      }
    }
    this.#isWriting = false
  }
}

function failureOf(error: unknown): 'again' | 'unreachable' | 'failed' {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EAGAIN') return 'again'
  return code === 'EHOSTUNREACH' ? 'unreachable' : 'failed'
}
