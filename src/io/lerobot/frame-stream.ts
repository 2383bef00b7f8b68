/** A frame of a video. */
export interface DecodedFrame {
  /** When it is shown, in seconds of the file. */
  readonly timeS: number
  readonly width: number
  readonly height: number
  /** Bytes of a pixel, of which the first three are RGB. */
  readonly channels: 3 | 4
  /** The pixels, row by row; only valid until the next frame is asked for. */
  pixels(): Promise<Uint8Array> | Uint8Array
}

/** Decoded frames of a video file in the order of their times, from a place in it on. */
export interface FrameStream {
  /**
   * The next frame; undefined after the last one.
   * @throws Error of the decoder
   */
  next(): Promise<DecodedFrame | undefined>
  /** Whether the process must wait for it: not while nobody asks. */
  setBusy(isBusy: boolean): void
  close(): void
}

/** Opens a stream from `fromS` seconds on; frames before may come, too. `fromStart`: without seeking. */
export type OpenFrames = (file: string, fromS: number, fromStart: boolean) => FrameStream
