import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'
import type { DecodedFrame, FrameStream } from './frame-stream.ts'
import { DECODER } from './video-codecs.ts'

/** Key frames are sought this much earlier: the time of a packet may be off by its place in the order of decoding. */
const SEEK_MARGIN_S = 1
/** Without a byte for so long, the program is ended. */
const STALL_MS = 60_000

/**
 * Decodes with `ffmpeg`, which reads the file as MP4 and nothing else. It says of each frame when it is shown and how large it is; the
 * pixels come in the same order. It waits while nobody reads, and ends with this process.
 * Its stream throws ArmatureError `engine-unavailable` where there is no such program.
 */
export function openWithProgram(file: string, fromS: number, fromStart: boolean): FrameStream {
  const isSought = !fromStart && fromS > SEEK_MARGIN_S
  const seek = isSought ? ['-seek_timestamp', '1', '-ss', String(fromS - SEEK_MARGIN_S)] : []
  const input = ['-protocol_whitelist', 'file', '-f', 'mp4', ...seek, '-copyts', '-i', `file:${file}`]
  const filters = `select=gte(t\\,${fromS.toFixed(6)}),showinfo=checksum=0`
  const form = ['-fps_mode', 'passthrough', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
  return new ProgramStream(file, ['-nostats', ...input, '-map', '0:v:0', '-vf', filters, ...form])
}

interface Announced {
  readonly timeS: number
  readonly width: number
  readonly height: number
}

class ProgramStream implements FrameStream {
  readonly #program: ChildProcess
  readonly #pixels: AsyncIterator<Buffer>
  readonly #announced: Announced[] = []
  #line = ''
  #complaint = ''
  /** Seconds of a unit of time. */
  #unitS = 0
  #chunks: Buffer[] = []
  #bytes = 0
  #isEnded = false
  /** Resolves when the program has ended; fails where it could not start, or ended badly. */
  readonly #end: Promise<void>
  /** Called when something came, or nothing more will. */
  #wake: () => void = () => undefined

  constructor(file: string, args: readonly string[]) {
    this.#program = spawn('ffmpeg', ['-hide_banner', '-nostdin', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#pixels = (this.#program.stdout as Readable).iterator() as AsyncIterator<Buffer>
    this.#program.stderr!.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    this.#end = new Promise((resolve, reject) => {
      this.#program.on('error', (error) => reject(isFileError(error, 'ENOENT') ? noDecoder(file) : error))
      this.#program.on('close', (code) => {
        this.#isEnded = true
        this.#wake()
        if (code === 0) resolve()
        else reject(new Error(this.#complaint || `ffmpeg ended with ${code}`))
      })
    })
    this.#end.catch(() => this.#wake())
  }

  async next(): Promise<DecodedFrame | undefined> {
    const stall = setTimeout(() => {
      this.#complaint = `nothing from ffmpeg for ${STALL_MS / 1000} s`
      this.#program.kill('SIGKILL')
    }, STALL_MS)
    try {
      const first = await this.#chunk()
      if (!first) {
        await this.#end
        return undefined
      }
      // What is said of a frame may come after its first bytes.
      while (this.#announced.length === 0 && !this.#isEnded) await this.#news()
      const frame = this.#announced.shift()
      if (frame === undefined) throw new Error('pixels of a frame that ffmpeg did not announce')
      const size = frame.width * frame.height * 3
      while (this.#bytes < size) if (!(await this.#chunk(true))) throw new Error('a frame that is cut off')
      const all = Buffer.concat(this.#chunks)
      this.#chunks = all.length > size ? [all.subarray(size)] : []
      this.#bytes = all.length - size
      return { ...frame, channels: 3, pixels: () => all }
    } finally {
      clearTimeout(stall)
    }
  }

  setBusy(isBusy: boolean): void {
    const act = isBusy ? 'ref' : 'unref'
    this.#program[act]()
    for (const pipe of [this.#program.stdout, this.#program.stderr]) (pipe as unknown as NodeJS.Timeout)[act]()
  }

  close(): void {
    this.#program.kill('SIGKILL')
    this.#program.stdout!.destroy()
  }

  /** Waits for more pixels, unless some are there and no more are asked for; false at the end. */
  async #chunk(isMore = false): Promise<boolean> {
    if (this.#bytes > 0 && !isMore) return true
    const { value, done } = await this.#pixels.next()
    if (done === true) return false
    this.#chunks.push(value)
    this.#bytes += value.length
    return true
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #hear(text: string): void {
    const lines = `${this.#line}${text}`.split('\n')
    this.#line = lines.pop()!
    for (const line of lines) this.#read(line)
    this.#wake()
  }

  #read(line: string): void {
    const base = /config in time_base: (\d+)\/(\d+)/.exec(line)
    if (base !== null) this.#unitS = Number(base[1]) / Number(base[2])
    const frame = /\bpts: *(-?\d+) .* s:(\d+)x(\d+) /.exec(line)
    if (frame !== null) {
      const [pts, width, height] = frame.slice(1).map(Number)
      this.#announced.push({ timeS: pts! * this.#unitS, width: width!, height: height! })
    } else if (!line.includes('showinfo') && line.trim() !== '') this.#complaint = line.trim().slice(0, 300)
  }
}

function noDecoder(file: string): ArmatureError {
  return new ArmatureError('engine-unavailable', `cannot decode ${file}`, {
    fix: `run "npm install ${DECODER}", or install ffmpeg, or record with --format png`,
  })
}
