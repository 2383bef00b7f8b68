import type { FrameSink } from './frame-sink.ts'

/** Not a dependency: its codecs take 66 MB, and most datasets are recorded as PNG. */
export const DECODER = '@napi-rs/webcodecs'

/** A packet comes at most this much before one that is shown earlier. */
const REORDERED_S = 2

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

/** Decodes with the package. @throws Error of the decoder, or for frames of another size. */
export async function readWithCodecs(codecs: Codecs, file: string, sink: FrameSink): Promise<void> {
  const copies: Promise<void>[] = []
  let failure: Error | undefined
  let isPast = false
  const fail = (error: Error): void => {
    failure ??= error
  }
  const decoder = new codecs.VideoDecoder({
    error: fail,
    output: (frame) => {
      isPast ||= frame.timestamp / 1e6 > sink.toS
      copies.push(keep(frame, sink).catch(fail))
    },
  })
  const demuxer = new codecs.Mp4Demuxer({ error: fail })
  try {
    await demuxer.load(file)
    decoder.configure(demuxer.videoDecoderConfig)
    for await (const packet of neededPackets(demuxer, sink)) {
      decoder.decode(packet)
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
  if (failure !== undefined) throw failure
}

/** Packets from the last key frame on that is shown no later than the first frame that is wanted. */
async function* neededPackets(
  packets: AsyncIterable<{ readonly videoChunk?: Packet }>,
  { fromS, toS }: FrameSink,
): AsyncGenerator<Packet> {
  let waiting: Packet[] | undefined = []
  for await (const { videoChunk: packet } of packets) {
    if (packet === undefined) continue
    const timeS = packet.timestamp / 1e6
    if (timeS > toS + REORDERED_S) break
    if (waiting !== undefined && timeS < fromS) {
      if (packet.type === 'key') waiting = []
      waiting.push(packet)
      continue
    }
    yield* waiting ?? []
    waiting = undefined
    yield packet
  }
}

async function keep(frame: Frame, sink: FrameSink): Promise<void> {
  const { width, height } = frame.visibleRect
  try {
    const t = sink.take(frame.timestamp / 1e6, width, height)
    if (t === undefined) return
    const rgba = new Uint8Array(width * height * 4)
    await frame.copyTo(rgba, { format: 'RGBA' })
    sink.store(t, rgba, width, 4)
  } finally {
    frame.close()
  }
}
