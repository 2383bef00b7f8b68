import { ArmatureError } from '../../core/errors.ts'
import { openRegularFile } from '../contained-files.ts'
import type { VideoStretch } from './frame-sink.ts'
import { FrameSink } from './frame-sink.ts'
import type { DecodedFrame, FrameStream, OpenFrames } from './frame-stream.ts'
import { loadCodecs, openWithCodecs } from './video-codecs.ts'
import { openWithProgram } from './video-program.ts'

/** Streams that wait for the stretch that follows. */
const WAITING = 8
/** A stream that nobody has asked for so long is closed. */
const IDLE_MS = 10_000
/** Further ahead than this, seeking is faster than decoding what lies between. */
const SKIPPED_S = 2

interface Waiting {
  readonly frames: FrameStream
  /** The frame behind the last stretch, which had to be decoded to know that the stretch was over. */
  readonly pending: DecodedFrame
  /** All frames up to here were given out, in seconds of the file. */
  readonly doneS: number
  readonly timer: NodeJS.Timeout
}

/**
 * Reads stretches of video files, with the package `@napi-rs/webcodecs` or the program `ffmpeg`, whichever is there. Frames are found by
 * their time: both decoders give the same. A stream stays open behind a stretch, so that a file that many episodes share is decoded once
 * where they are read in order.
 */
export class VideoFiles {
  /** By file, the one used last at the end. */
  readonly #waiting: Map<string, Waiting> = new Map()
  readonly #open: OpenFrames | undefined

  /** @param open the decoder, for tests; default: the first that is there */
  constructor(open?: OpenFrames) {
    this.#open = open
  }

  /**
   * The frames of a stretch, uint8 [times, height, width, 3].
   * @throws ArmatureError `engine-unavailable` where there is no decoder; `corrupt-file` for what is no MP4 file, when a time has no
   *   frame, or frames are of another size.
   */
  async read(stretch: VideoStretch): Promise<Uint8Array> {
    const { file, what, timesS } = stretch
    if (timesS.length === 0) return new Uint8Array()
    await requireMp4(file)
    const codecs = this.#open === undefined ? await loadCodecs() : undefined
    const open = this.#open ?? (codecs === undefined ? openWithProgram : openWithCodecs(codecs))
    try {
      const sink = new FrameSink(stretch)
      await this.#fill(sink, file, open)
      return sink.frames()
    } catch (error) {
      if (error instanceof ArmatureError) throw error
      const got = (error as Error).message
      throw new ArmatureError('corrupt-file', `${file}, ${what}`, { got, cause: error })
    }
  }

  async #fill(sink: FrameSink, file: string, open: OpenFrames): Promise<void> {
    const kept = this.#take(file, sink.fromS)
    await this.#pull(sink, file, kept?.frames ?? open(file, sink.fromS, false), kept?.pending)
    // Some files say that a key frame is later than it is: those are read from their start.
    if (!sink.isComplete && sink.fromS > 0) await this.#pull(sink, file, open(file, sink.fromS, true))
  }

  async #pull(sink: FrameSink, file: string, frames: FrameStream, first?: DecodedFrame): Promise<void> {
    let isKept = false
    try {
      let frame = first ?? (await frames.next())
      while (frame !== undefined && frame.timeS <= sink.toS) {
        await sink.offer(frame)
        frame = await frames.next()
      }
      if (frame !== undefined && sink.isComplete) {
        this.#keep(file, frames, frame, sink.toS)
        isKept = true
      }
    } finally {
      if (!isKept) frames.close()
    }
  }

  /** A stream that waits shortly before `fromS`. It is the caller's from now on. */
  #take(file: string, fromS: number): Waiting | undefined {
    const waiting = this.#waiting.get(file)
    if (waiting === undefined) return undefined
    this.#waiting.delete(file)
    clearTimeout(waiting.timer)
    if (waiting.doneS <= fromS && fromS - waiting.pending.timeS < SKIPPED_S) {
      waiting.frames.setBusy(true)
      return waiting
    }
    waiting.frames.close()
    return undefined
  }

  #keep(file: string, frames: FrameStream, pending: DecodedFrame, doneS: number): void {
    this.#drop(file)
    if (this.#waiting.size >= WAITING) this.#drop(this.#waiting.keys().next().value!)
    frames.setBusy(false)
    const timer = setTimeout(() => this.#drop(file), IDLE_MS).unref()
    this.#waiting.set(file, { frames, pending, doneS, timer })
  }

  #drop(file: string): void {
    const waiting = this.#waiting.get(file)
    if (waiting === undefined) return
    this.#waiting.delete(file)
    clearTimeout(waiting.timer)
    waiting.frames.close()
  }
}

/** Text that names other files, as a playlist does, is read by decoders too: only MP4 files may come to them. */
async function requireMp4(path: string): Promise<void> {
  const { file } = await openRegularFile(path)
  try {
    const head = Buffer.alloc(8)
    await file.read(head, 0, 8, 0)
    if (['ftyp', 'moov', 'wide', 'mdat', 'free', 'skip'].includes(head.toString('latin1', 4))) return
  } finally {
    await file.close()
  }
  throw new ArmatureError('corrupt-file', path, { expected: 'an MP4 file', got: 'a file that does not start as one' })
}
