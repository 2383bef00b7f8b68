import type { SendCounts } from '../../zmq/queue.ts'
import { NO_SENDS } from '../../zmq/queue.ts'
import type { Endpoints } from '../../zmq/sockets.ts'
import type { ZapRequest } from '../../zmq/zap.ts'

/** What a thread is given to open the sockets of a robot. */
export interface ThreadSetup {
  readonly endpoints: Endpoints
  /** Of the robot; undefined: no keys. */
  readonly keys: { readonly name: string; readonly publicKey: string; readonly secretKey: string } | undefined
  readonly insecureLan: boolean
  readonly observationBacklog: number
  readonly messagesPerSecond: number
  /** {@link BOARD_BYTES} of counters. */
  readonly board: SharedArrayBuffer
}

/** From the robot's thread. */
export type ToThread =
  | { readonly kind: 'open'; readonly setup: ThreadSetup }
  | { readonly kind: 'reply'; readonly routingId: Uint8Array; readonly bytes: Uint8Array }
  | { readonly kind: 'observation' | 'telemetry'; readonly bytes: Uint8Array }
  | { readonly kind: 'verdict'; readonly id: number; readonly refusal: string | undefined }
  | { readonly kind: 'close' }

/** To the robot's thread. */
export type FromThread =
  | { readonly kind: 'open'; readonly endpoints: Endpoints }
  | { readonly kind: 'not-open'; readonly code: string; readonly message: string }
  | { readonly kind: 'control' | 'action'; readonly routingId: Uint8Array; readonly bytes: Uint8Array }
  | { readonly kind: 'unreachable'; readonly routingId: Uint8Array }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'refused'; readonly code: 'unauthorized' | 'bad_header' | 'rate_limited'; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'zap'; readonly id: number; readonly request: ZapRequest }
  /** All sockets are closed: the thread can open others. */
  | { readonly kind: 'closed' }

const SOCKETS = ['control', 'observation', 'telemetry'] as const
const FIELDS = Object.keys(NO_SENDS) as (keyof SendCounts)[]

/** Places of {@link BoardView.words}. */
export const WORD = { observationsTaken: 0, othersTaken: 1, messagesTaken: 2, closed: 3 } as const
const WORDS = 4
export const BOARD_BYTES: number = 8 * (SOCKETS.length * FIELDS.length + 1) + 4 * WORDS

/** The counters that both threads see. */
export interface BoardView {
  readonly numbers: Float64Array
  /** What each side has taken of what the other sent, modulo 2^32; and whether the sockets are closed. */
  readonly words: Int32Array
}

export function boardView(board: SharedArrayBuffer): BoardView {
  const count = SOCKETS.length * FIELDS.length + 1
  return { numbers: new Float64Array(board, 0, count), words: new Int32Array(board, 8 * count, WORDS) }
}

type Counts = Readonly<Record<(typeof SOCKETS)[number], SendCounts>>

export function writeCounts({ numbers }: BoardView, counts: Counts, turnedAway: number): void {
  let at = 0
  for (const socket of SOCKETS) for (const field of FIELDS) numbers[at++] = counts[socket][field]
  numbers[at] = turnedAway
}

export function readCounts({ numbers }: BoardView): Counts & { readonly turnedAway: number } {
  let at = 0
  const one = (): SendCounts =>
    Object.fromEntries(FIELDS.map((field) => [field, numbers[at++]!])) as unknown as SendCounts
  const [control, observation, telemetry] = [one(), one(), one()]
  return { control, observation, telemetry, turnedAway: numbers[at]! }
}

/** `bytes` alone in their memory: what is sent to another thread is all of the memory that it lies in. */
export function alone(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.byteLength ? bytes : new Uint8Array(bytes)
}

/** As it came from the other thread, without copying. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}
