import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { JpegContent, ObservationContent } from '../../protocol/messages.ts'
import { entryOf, threadUrl } from '../threads.ts'
import type { Compressed, CompressorSetup, CompressorTask } from './compressor-thread.ts'

const THREAD = threadUrl('./compressor-thread', import.meta.url)
/** Frames that are under way: one that is being compressed, and one that waits. More are left out. */
const SLOTS = 2
/** A machine on which threads fail so often cannot compress: starting more of them would only cost time. */
const MAX_FAILURES = 3

/** An observation whose images are JPEG. */
export type CompressedContent = Omit<ObservationContent, 'images'> & {
  readonly images: Readonly<Record<string, JpegContent>>
}

export interface CompressorOptions {
  /** [height, width, 3] by camera. */
  readonly shapes: Readonly<Record<string, readonly number[]>>
  /** 1 to 100. */
  readonly quality: number
  /** Given each observation, in order. */
  readonly onDone: (content: CompressedContent) => void
  /** A thread has failed; the next observation starts new ones, three times. */
  readonly onFailed: (error: Error) => void
}

interface Frame {
  readonly number: number
  readonly slot: number
  readonly content: Omit<ObservationContent, 'images'>
  /** Of which there are still no data. */
  readonly missing: Set<string>
  readonly images: Record<string, JpegContent>
}

/**
 * Compresses camera images in threads of its own: the loop that moves the robot only copies them. A robot whose cameras are too much for its
 * processors skips observations in this form, and is as punctual as before.
 */
export class Compressor {
  readonly #options: CompressorOptions
  readonly #frames: Frame[] = []
  #slots: readonly SharedArrayBuffer[] = []
  #workers: readonly Worker[] = []
  #count = 0
  #dropped = 0
  #failures = 0

  constructor(options: CompressorOptions) {
    this.#options = options
  }

  /** Observations that were left out, because others were still being compressed. */
  get dropped(): number {
    return this.#dropped
  }

  /** Takes an observation, whose arrays are copied, or leaves it out. */
  submit({ images, ...content }: ObservationContent): void {
    const slot = Array.from({ length: SLOTS }, (_, i) => i).find((i) => this.#frames.every((frame) => frame.slot !== i))
    if (slot === undefined || this.#failures >= MAX_FAILURES) {
      this.#dropped++
      return
    }
    this.#start()
    const number = ++this.#count
    // What the robot overwrites meanwhile.
    const { proprio, state, info } = content
    const copied = { proprio: proprio.slice(), state: state.slice(), info: { ...info } }
    const frame: Frame = { number, slot, content: { ...content, ...copied }, missing: new Set(), images: {} }
    this.#frames.push(frame)
    let offset = 0
    for (const [i, [camera, [height, width]]] of Object.entries(this.#options.shapes).entries()) {
      const pixels = images[camera]?.pixels.data
      if (pixels === undefined) continue
      new Uint8Array(this.#slots[slot]!, offset, pixels.length).set(pixels)
      frame.missing.add(camera)
      const task: CompressorTask = { frame: number, slot, camera, offset, size: [height!, width!] }
      // Always the same thread for a camera: its images stay in order.
      this.#workers[i % this.#workers.length]!.postMessage(task, [])
      offset += pixels.length
    }
    this.#finish()
  }

  /** Ends its threads; what is under way is lost. */
  close(): void {
    const workers = this.#workers
    this.#workers = []
    this.#frames.length = 0
    for (const worker of workers) void worker.terminate()
  }

  #start(): void {
    if (this.#workers.length > 0) return
    const { shapes, quality } = this.#options
    const sizes = Object.values(shapes).map((shape) => shape.reduce((product, n) => product * n, 1))
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    this.#slots = Array.from({ length: SLOTS }, () => new SharedArrayBuffer(bytes))
    const workerData: CompressorSetup = { slots: this.#slots, quality }
    // One processor is for the loop that moves the robot.
    const count = Math.max(1, Math.min(sizes.length, availableParallelism() - 1))
    this.#workers = Array.from({ length: count }, () => this.#thread(workerData))
  }

  #thread(workerData: CompressorSetup): Worker {
    const worker = new Worker(entryOf(THREAD), { workerData, argv: [THREAD.href] })
    const isMine = (): boolean => this.#workers.includes(worker)
    worker.on('message', (answer: Compressed) => {
      if (isMine()) this.#take(answer)
    })
    const fail = (error: Error): void => {
      if (!isMine()) return
      this.#failures++
      this.close()
      this.#options.onFailed(error)
    }
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', () => fail(new Error('a thread that compresses images has ended')))
    worker.unref()
    return worker
  }

  #take({ frame: number, camera, data }: Compressed): void {
    const frame = this.#frames.find((other) => other.number === number)
    if (frame === undefined) return
    frame.missing.delete(camera)
    frame.images[camera] = { encoding: 'jpeg', data }
    this.#finish()
  }

  /** In order: none overtakes the one before. */
  #finish(): void {
    while (this.#frames[0]?.missing.size === 0) {
      const { content, images } = this.#frames.shift()!
      this.#options.onDone({ ...content, images })
    }
  }
}
