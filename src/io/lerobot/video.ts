import { spawn } from 'node:child_process'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'

/** A stretch of a video file, as frames of `width` x `height`. Pixels beyond that are cut off. */
export interface VideoStretch {
  readonly file: string
  /** Number of its first frame in the file. */
  readonly first: number
  readonly count: number
  readonly fps: number
  readonly width: number
  readonly height: number
}

/** Not a dependency: its codecs take 66 MB, and most datasets are recorded as PNG. */
const DECODER = '@napi-rs/webcodecs'

/**
 * Decodes a stretch into `out`, uint8 [count, height, width, 3], with the package `@napi-rs/webcodecs` or the program `ffmpeg`, whichever
 * is there.
 *
 * @throws ArmatureError `engine-unavailable` where neither is; `corrupt-file` when frames are missing or too small.
 */
export async function readVideo(stretch: VideoStretch, out: Uint8Array): Promise<void> {
  const codecs = await loadCodecs()
  const frames = codecs === undefined ? await readWithProgram(stretch, out) : await readWithCodecs(codecs, stretch, out)
  if (frames === stretch.count) return
  const expected = `frames ${stretch.first} to ${stretch.first + stretch.count - 1}`
  throw new ArmatureError('corrupt-file', stretch.file, { expected, got: `${frames} of them` })
}

/** The little that is used of WebCodecs. */
interface Codecs {
  readonly Mp4Demuxer: new (init: { error: (error: Error) => void }) => AsyncIterable<{
    readonly videoChunk?: Packet
  }> & {
    readonly videoDecoderConfig: unknown
    load(path: string): Promise<void>
    close(): void
  }
  readonly VideoDecoder: new (init: { output: (frame: Frame) => void; error: (error: Error) => void }) => {
    configure(config: unknown): void
    decode(packet: Packet): void
    flush(): Promise<void>
    close(): void
  }
}

interface Packet {
  readonly type: 'key' | 'delta'
  /** Microseconds. */
  readonly timestamp: number
}

interface Frame {
  /** Microseconds. */
  readonly timestamp: number
  readonly codedWidth: number
  readonly codedHeight: number
  copyTo(target: Uint8Array, options: { format: string }): Promise<unknown>
  close(): void
}

async function loadCodecs(): Promise<Codecs | undefined> {
  try {
    return (await import(DECODER)) as Codecs
  } catch {
    return undefined
  }
}

async function readWithCodecs(codecs: Codecs, stretch: VideoStretch, out: Uint8Array): Promise<number> {
  const { file, first, count, fps } = stretch
  const copies: Promise<void>[] = []
  const found = new Set<number>()
  const numberOf = ({ timestamp }: { readonly timestamp: number }): number => Math.round((timestamp / 1e6) * fps)
  let failure: Error | undefined
  let isPast = false
  const fail = (error: Error): void => {
    failure ??= error
  }
  const decoder = new codecs.VideoDecoder({
    error: fail,
    output: (frame) => {
      const t = numberOf(frame) - first
      isPast ||= t >= count - 1
      if (t < 0 || t >= count || found.has(t)) return frame.close()
      found.add(t)
      copies.push(copyFrame(frame, stretch, out, t).catch(fail))
    },
  })
  const demuxer = new codecs.Mp4Demuxer({ error: fail })
  try {
    await demuxer.load(file)
    decoder.configure(demuxer.videoDecoderConfig)
    // Decoding starts at the last key frame before the stretch.
    let waiting: Packet[] | undefined = []
    for await (const { videoChunk: packet } of demuxer) {
      if (packet === undefined) continue
      const number = numberOf(packet)
      if (waiting !== undefined && packet.type === 'key' && number <= first) waiting = []
      for (const next of waiting ?? []) if (number >= first) decoder.decode(next)
      if (number >= first) waiting = undefined
      if (waiting === undefined) decoder.decode(packet)
      else waiting.push(packet)
      if (isPast || failure !== undefined) break
    }
    await decoder.flush()
    await Promise.all(copies)
  } catch (error) {
    fail(error as Error)
  } finally {
    demuxer.close()
    decoder.close()
  }
  if (failure !== undefined) throw new ArmatureError('corrupt-file', file, { got: failure.message, cause: failure })
  return found.size
}

async function copyFrame(frame: Frame, { width, height }: VideoStretch, out: Uint8Array, t: number): Promise<void> {
  const { codedWidth, codedHeight } = frame
  if (codedWidth < width || codedHeight < height) {
    frame.close()
    throw new Error(`a video of ${codedWidth}x${codedHeight} instead of ${width}x${height}`)
  }
  const rgba = new Uint8Array(codedWidth * codedHeight * 4)
  await frame.copyTo(rgba, { format: 'RGBA' })
  frame.close()
  for (let y = 0, to = t * width * height * 3; y < height; y++) {
    for (let x = 0, from = y * codedWidth * 4; x < width; x++, from += 4, to += 3) {
      out[to] = rgba[from]!
      out[to + 1] = rgba[from + 1]!
      out[to + 2] = rgba[from + 2]!
    }
  }
}

/** Frames that `ffmpeg` gave. */
function readWithProgram({ file, first, count, width, height }: VideoStretch, out: Uint8Array): Promise<number> {
  const filter = `select=between(n\\,${first}\\,${first + count - 1}),crop=${width}:${height}:0:0`
  const output = ['-vf', filter, '-fps_mode', 'passthrough', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
  const program = spawn('ffmpeg', ['-v', 'error', '-nostdin', '-i', file, ...output], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let bytes = 0
  let text = ''
  program.stdout.on('data', (chunk: Buffer) => {
    out.set(chunk.subarray(0, out.length - bytes), bytes)
    bytes = Math.min(out.length, bytes + chunk.length)
  })
  program.stderr.on('data', (chunk: Buffer) => {
    text = `${text}${chunk.toString()}`.slice(0, 500)
  })
  return new Promise((resolve, reject) => {
    program.on('error', (error) => reject(isFileError(error, 'ENOENT') ? noDecoder(file) : error))
    program.on('close', (code) => {
      if (code === 0) resolve(Math.floor(bytes / (width * height * 3)))
      else reject(new ArmatureError('corrupt-file', file, { got: text.trim() || `ffmpeg ended with ${code}` }))
    })
  })
}

function noDecoder(file: string): ArmatureError {
  return new ArmatureError('engine-unavailable', `cannot decode ${file}`, {
    fix: `run "npm install ${DECODER}", or install ffmpeg, or record with --format png`,
  })
}
