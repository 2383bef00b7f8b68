/** The part of libjpeg-turbo, compiled to WebAssembly, that is used here. */
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs' {
  export interface FrameInfo {
    readonly width: number
    readonly height: number
    readonly bitsPerSample: number
    readonly componentCount: number
    readonly isSigned: boolean
  }
  /** Buffers are views of its memory, until the next call. */
  export interface Encoder {
    getDecodedBuffer(frame: FrameInfo): Uint8Array
    setQuality(quality: number): void
    setProgressive(isProgressive: boolean): void
    /** 0: 4:4:4, 1: 4:2:2, 2: 4:2:0 */
    setSubSampling(kind: number): void
    encode(): void
    getEncodedBuffer(): Uint8Array
  }
  export interface Decoder {
    getEncodedBuffer(bytes: number): Uint8Array
    readHeader(): void
    getFrameInfo(): FrameInfo
    decode(): void
    getDecodedBuffer(): Uint8Array
  }
  export interface Turbo {
    readonly JPEGEncoder: new () => Encoder
    readonly JPEGDecoder: new () => Decoder
  }
  export default function load(): Promise<Turbo>
}
