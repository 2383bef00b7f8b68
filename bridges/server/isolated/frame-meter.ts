/** Length of the greeting with which every ZMTP connection begins. */
const GREETING_BYTES = 64
const LONG = 0x02
const COMMAND = 0x04
/** A connection that sends so many times too much is closed. */
const EXCESS = 10

/** What a connection may send: one that goes beyond `maxFrameBytes` or `maxSubscriptions` is closed, what comes too fast is left out. */
export interface FrameLimits {
  readonly maxFrameBytes: number
  readonly framesPerSecond: number
  readonly bytesPerSecond: number
  /** Frames beside the heartbeat in all: subscriptions. Infinity: no such limit. */
  readonly maxSubscriptions: number
}

/** Bytes and frames that are let through on average, and as many of a second at once. */
class Allowance {
  readonly #perSecond: number
  #left: number
  #atUs: number

  constructor(perSecond: number, nowUs: number) {
    this.#perSecond = perSecond
    this.#left = perSecond
    this.#atUs = nowUs
  }

  has(amount: number, nowUs: number): boolean {
    this.#left = Math.min(this.#perSecond, this.#left + ((nowUs - this.#atUs) / 1e6) * this.#perSecond)
    this.#atUs = nowUs
    return this.#left >= amount
  }

  take(amount: number): void {
    this.#left -= amount
  }
}

/**
 * Reads the frames of one connection from a client, ZMTP 3 (RFC 23), as they pass, and leaves out those that come too fast. A frame is let through
 * whole or not at all, and what has been let through is not held: the meter keeps no bytes but those of a header that is not complete.
 * The content of frames, which CURVE encrypts, is not looked at; their lengths and whether they are commands is never encrypted.
 */
export class FrameMeter {
  readonly #limits: FrameLimits
  readonly #frames: Allowance
  readonly #bytes: Allowance
  /** Of frames that are left out: a client that is merely too fast stays, one that floods does not. */
  readonly #excess: Allowance
  #greeting = GREETING_BYTES
  #header: Buffer = Buffer.alloc(0)
  /** Of the frame that is passing: bytes that are still to come, and whether they are let through. */
  #rest = 0
  #isPassing = true
  #handshakeFrames = 0
  #subscriptions = 0
  #dropped = 0

  constructor(limits: FrameLimits, nowUs: number) {
    this.#limits = limits
    this.#frames = new Allowance(limits.framesPerSecond, nowUs)
    this.#bytes = new Allowance(limits.bytesPerSecond, nowUs)
    this.#excess = new Allowance(EXCESS * limits.framesPerSecond, nowUs)
  }

  /** Frames that were left out. */
  get dropped(): number {
    return this.#dropped
  }

  /** The parts of `chunk` to pass on; a text says why the connection must be closed instead. */
  pass(chunk: Buffer, nowUs: number): readonly Buffer[] | string {
    const parts: Buffer[] = []
    let bytes = this.#header.length > 0 ? Buffer.concat([this.#header, chunk]) : chunk
    this.#header = Buffer.alloc(0)
    while (bytes.length > 0) {
      if (this.#greeting > 0 || this.#rest > 0) {
        const used = this.#continue(bytes, parts)
        if (typeof used === 'string') return used
        bytes = bytes.subarray(used)
        continue
      }
      const frame = headOf(bytes)
      if (frame === undefined) {
        this.#header = Buffer.from(bytes)
        break
      }
      const problem = this.#begin(frame, bytes, nowUs)
      if (problem !== undefined) return problem
    }
    return parts
  }

  /** Of the greeting or the frame that is passing: how many of `bytes` belong to it. */
  #continue(bytes: Buffer, parts: Buffer[]): number | string {
    if (this.#greeting > 0) {
      const at = GREETING_BYTES - this.#greeting
      const used = Math.min(this.#greeting, bytes.length)
      if (!isGreeting(bytes, at, used)) return 'it does not speak ZMTP 3'
      this.#greeting -= used
      parts.push(bytes.subarray(0, used))
      return used
    }
    const used = Math.min(this.#rest, bytes.length)
    this.#rest -= used
    if (this.#isPassing) parts.push(bytes.subarray(0, used))
    return used
  }

  #begin({ length, isCommand }: FrameHead, bytes: Buffer, nowUs: number): string | undefined {
    const { maxFrameBytes, maxSubscriptions } = this.#limits
    if (length > maxFrameBytes) return `a frame of ${length} bytes; the limit is ${maxFrameBytes}`
    this.#rest = length
    // A handshake of which a part is missing would never end.
    if (isCommand && this.#handshakeFrames < 4 && !isHeartbeat(bytes)) {
      this.#handshakeFrames++
      this.#isPassing = true
      return undefined
    }
    if (!(isCommand && isHeartbeat(bytes)) && ++this.#subscriptions > maxSubscriptions) {
      return `more than ${maxSubscriptions} subscriptions`
    }
    this.#isPassing = this.#frames.has(1, nowUs) && this.#bytes.has(length, nowUs)
    if (this.#isPassing) {
      this.#frames.take(1)
      this.#bytes.take(length)
      return undefined
    }
    this.#dropped++
    this.#excess.take(1)
    return this.#excess.has(0, nowUs) ? undefined : 'it floods'
  }
}

interface FrameHead {
  /** With its header, bytes. */
  readonly length: number
  readonly isCommand: boolean
}

/** Of the frame that begins with `bytes`; undefined where its header, or the name of a command, is not complete. */
function headOf(bytes: Buffer): FrameHead | undefined {
  const flags = bytes[0]!
  const isCommand = (flags & COMMAND) !== 0
  const headerBytes = (flags & LONG) !== 0 ? 9 : 2
  if (bytes.length < headerBytes) return undefined
  const size = headerBytes === 2 ? bytes[1]! : Number(bytes.readBigUInt64BE(1))
  const named = headerBytes + Math.min(size, 1 + 'PING'.length)
  return isCommand && bytes.length < named ? undefined : { length: headerBytes + size, isCommand }
}

/** Whether a command is one of the heartbeat, as far as that can be seen. */
function isHeartbeat(bytes: Buffer): boolean {
  const at = (bytes[0]! & LONG) !== 0 ? 9 : 2
  const name = bytes.toString('latin1', at, at + 5)
  return name === '\u0004PING' || name === '\u0004PONG'
}

/** Whether bytes `at` to `at + count` of a greeting can be right: signature and major version. */
function isGreeting(bytes: Buffer, at: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const position = at + i
    if (position === 0 && bytes[i] !== 0xff) return false
    if (position === 9 && bytes[i] !== 0x7f) return false
    if (position === 10 && bytes[i]! < 3) return false
  }
  return true
}
