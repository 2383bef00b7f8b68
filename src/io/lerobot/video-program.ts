import { spawn } from 'node:child_process'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'
import type { FrameSink } from './frame-sink.ts'
import { DECODER } from './video-codecs.ts'

/** Key frames are sought this much earlier: the time of a packet may be off by its place in the order of decoding. */
const SEEK_MARGIN_S = 1
/** Without a byte for so long, the program is ended. */
const STALL_MS = 60_000

/**
 * Decodes with `ffmpeg`, which reads the file as MP4 and nothing else. It says of each frame when it is shown and how large it is; the
 * pixels come in the same order.
 * @throws ArmatureError `engine-unavailable` where there is no such program; Error of the program, or for frames of another size.
 */
export async function readWithProgram(file: string, sink: FrameSink): Promise<void> {
  const isLate = sink.fromS > SEEK_MARGIN_S
  await run(file, sink, isLate)
  // Some files say that a key frame is later than it is: those are read from their start.
  if (isLate && !sink.isComplete) await run(file, sink, false)
}

async function run(file: string, sink: FrameSink, isSought: boolean): Promise<void> {
  const filters = `select=between(t\\,${sink.fromS.toFixed(6)}\\,${sink.toS.toFixed(6)}),showinfo=checksum=0`
  const seek = isSought ? ['-seek_timestamp', '1', '-ss', String(sink.fromS - SEEK_MARGIN_S)] : []
  const input = ['-protocol_whitelist', 'file', '-f', 'mp4', ...seek, '-copyts', '-i', `file:${file}`]
  const until = ['-to', String(sink.toS + SEEK_MARGIN_S)]
  const output = [
    '-map',
    '0:v:0',
    '-vf',
    filters,
    '-fps_mode',
    'passthrough',
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-',
  ]
  const program = spawn('ffmpeg', ['-hide_banner', '-nostdin', '-nostats', ...input, ...until, ...output], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const frames = new ProgramFrames(sink)
  let failure: Error | undefined
  const stop = (error: Error): void => {
    failure ??= error
    program.kill('SIGKILL')
  }
  let stall: NodeJS.Timeout | undefined
  const heard = (take: () => void): void => {
    clearTimeout(stall)
    stall = setTimeout(() => stop(new Error(`nothing from ffmpeg for ${STALL_MS / 1000} s`)), STALL_MS)
    try {
      take()
    } catch (error) {
      stop(error as Error)
    }
  }
  heard(() => undefined)
  program.stdout.on('data', (chunk: Buffer) => heard(() => frames.addPixels(chunk)))
  program.stderr.setEncoding('utf8').on('data', (text: string) => heard(() => frames.addText(text)))
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      program.on('error', (error) => reject(isFileError(error, 'ENOENT') ? noDecoder(file) : error))
      program.on('close', resolve)
    })
    if (code !== 0) failure ??= new Error(frames.complaint || `ffmpeg ended with ${code}`)
  } finally {
    clearTimeout(stall)
  }
  if (failure !== undefined) throw failure
}

/** Joins what the program says of frames with their pixels. */
class ProgramFrames {
  readonly #sink: FrameSink
  #line = ''
  #lastWords = ''
  /** Seconds of a unit of time. */
  #unitS = 0
  readonly #announced: { readonly timeS: number; readonly width: number; readonly height: number }[] = []
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** The last line that was not about a frame. */
  get complaint(): string {
    return this.#lastWords
  }

  addText(text: string): void {
    const lines = `${this.#line}${text}`.split('\n')
    this.#line = lines.pop()!
    for (const line of lines) this.#read(line)
    this.#pump()
  }

  addPixels(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#pump()
  }

  #read(line: string): void {
    const base = /config in time_base: (\d+)\/(\d+)/.exec(line)
    if (base !== null) this.#unitS = Number(base[1]) / Number(base[2])
    const frame = /\bpts: *(-?\d+) .* s:(\d+)x(\d+) /.exec(line)
    if (frame !== null) {
      const [pts, width, height] = frame.slice(1).map(Number)
      this.#announced.push({ timeS: pts! * this.#unitS, width: width!, height: height! })
    } else if (!line.includes('showinfo') && line.trim() !== '') this.#lastWords = line.trim().slice(0, 300)
  }

  #pump(): void {
    for (let next = this.#announced[0]; next !== undefined; next = this.#announced[0]) {
      const size = next.width * next.height * 3
      if (this.#bytes < size) return
      const all = Buffer.concat(this.#chunks)
      const t = this.#sink.take(next.timeS, next.width, next.height)
      if (t !== undefined) this.#sink.store(t, all, next.width, 3)
      this.#chunks = [all.subarray(size)]
      this.#bytes -= size
      this.#announced.shift()
    }
  }
}

function noDecoder(file: string): ArmatureError {
  return new ArmatureError('engine-unavailable', `cannot decode ${file}`, {
    fix: `run "npm install ${DECODER}", or install ffmpeg, or record with --format png`,
  })
}
