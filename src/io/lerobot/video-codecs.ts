import { setImmediate } from 'node:timers/promises'
import type { DecodedFrame, FrameStream, OpenFrames } from './frame-stream.ts'

/** Not a dependency: its codecs take 66 MB, and most datasets are recorded as PNG. */
export const DECODER = '@napi-rs/webcodecs'

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

interface Frame extends Packet {
  readonly visibleRect: { readonly width: number; readonly height: number }
  copyTo(target: Uint8Array, options: { format: string }): Promise<unknown>
  close(): void
}

/** The package, where it is installed. */
export async function loadCodecs(): Promise<Codecs | undefined> {
  try {
    return (await import(DECODER)) as Codecs
  } catch {
    return undefined
  }
}

/** Packets that are given to the decoder before its frames are taken. */
const AHEAD = 16

/** Decodes with the package, in this process. */
export function openWithCodecs(codecs: Codecs): OpenFrames {
  return (file, fromS, fromStart) => new CodecStream(codecs, file, fromStart ? 0 : fromS)
}

class CodecStream implements FrameStream {
  readonly #file: string
  readonly #fromS: number
  readonly #demuxer: InstanceType<Codecs['Mp4Demuxer']>
  readonly #decoder: InstanceType<Codecs['VideoDecoder']>
  #packets: AsyncIterator<Packet> | undefined
  /** Decoded, and not asked for yet. */
  readonly #frames: Frame[] = []
  #current: Frame | undefined
  #failure: Error | undefined
  #isFlushed = false

  constructor(codecs: Codecs, file: string, fromS: number) {
    this.#file = file
    this.#fromS = fromS
    const fail = (error: Error): void => {
      this.#failure ??= error
    }
    this.#decoder = new codecs.VideoDecoder({ error: fail, output: (frame) => this.#frames.push(frame) })
    this.#demuxer = new codecs.Mp4Demuxer({ error: fail })
  }

  async next(): Promise<DecodedFrame | undefined> {
    this.#current?.close()
    this.#current = undefined
    while (this.#frames.length === 0 && !this.#isFlushed && this.#failure === undefined) await this.#feed()
    if (this.#failure !== undefined) throw this.#failure
    const frame = this.#frames.shift()
    if (frame === undefined) return undefined
    this.#current = frame
    const { width, height } = frame.visibleRect
    const pixels = async (): Promise<Uint8Array> => {
      const rgba = new Uint8Array(width * height * 4)
      await frame.copyTo(rgba, { format: 'RGBA' })
      return rgba
    }
    return { timeS: frame.timestamp / 1e6, width, height, channels: 4, pixels }
  }

  setBusy(): void {
    // Nothing runs while nobody asks.
  }

  close(): void {
    for (const frame of [this.#current, ...this.#frames.splice(0)]) frame?.close()
    this.#current = undefined
    this.#demuxer.close()
    this.#decoder.close()
  }

  /** Gives the decoder a few packets, and the time to decode them. */
  async #feed(): Promise<void> {
    if (this.#packets === undefined) {
      await this.#demuxer.load(this.#file)
      this.#decoder.configure(this.#demuxer.videoDecoderConfig)
      this.#packets = neededPackets(this.#demuxer, this.#fromS)
    }
    for (let i = 0; i < AHEAD; i++) {
      const { value, done } = await this.#packets.next()
      if (done === true) {
        await this.#decoder.flush()
        this.#isFlushed = true
        return
      }
      this.#decoder.decode(value)
    }
    await setImmediate()
  }
}

/** Packets from the last key frame on that is shown no later than `fromS`. */
async function* neededPackets(
  packets: AsyncIterable<{ readonly videoChunk?: Packet }>,
  fromS: number,
): AsyncGenerator<Packet> {
  let waiting: Packet[] | undefined = []
  for await (const { videoChunk: packet } of packets) {
    if (packet === undefined) continue
    if (waiting !== undefined && packet.timestamp / 1e6 < fromS) {
      if (packet.type === 'key') waiting = []
      waiting.push(packet)
      continue
    }
    yield* waiting ?? []
    waiting = undefined
    yield packet
  }
  yield* waiting ?? []
}
