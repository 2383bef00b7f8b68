import { parentPort, workerData } from 'node:worker_threads'
import { Jpeg } from '../../protocol/jpeg.ts'

/** What a thread is given at its start. */
export interface CompressorSetup {
  /** Where images are put, each for one frame. */
  readonly slots: readonly SharedArrayBuffer[]
  readonly quality: number
}

/** One image of a frame. */
export interface CompressorTask {
  readonly frame: number
  readonly slot: number
  readonly camera: string
  /** Where it begins in its slot. */
  readonly offset: number
  readonly size: readonly [height: number, width: number]
}

/** Its answer. */
export interface Compressed {
  readonly frame: number
  readonly camera: string
  readonly data: Uint8Array<ArrayBuffer>
}

const { slots, quality } = workerData as CompressorSetup
const port = parentPort!
const jpeg = Jpeg.load()

port.on('message', ({ frame, slot, camera, offset, size }: CompressorTask) => {
  const pixels = new Uint8Array(slots[slot]!, offset, size[0] * size[1] * 3)
  const data = jpeg.encode(pixels, size, quality)
  const answer: Compressed = { frame, camera, data }
  port.postMessage(answer, [data.buffer])
})
