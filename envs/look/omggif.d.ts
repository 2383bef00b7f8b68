/** What is used of `omggif`, which comes without types. */
declare module 'omggif' {
  export interface GifFrameInfo {
    readonly x: number
    readonly y: number
    readonly width: number
    readonly height: number
    /** What happens to the frame before the next one: 2 clears it, 3 puts back what was there. */
    readonly disposal: number
  }

  export class GifReader {
    constructor(bytes: Uint8Array)
    readonly width: number
    readonly height: number
    numFrames(): number
    frameInfo(frame: number): GifFrameInfo
    /** Writes the pixels of `frame` that are not transparent into `pixels`, uint8 [height, width, 4]. */
    decodeAndBlitFrameRGBA(frame: number, pixels: Uint8Array): void
  }
}
