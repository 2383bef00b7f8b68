import { encodePng } from '../../io/png.ts'
import { ArmatureError } from '../../core/errors.ts'
import type { FrameRef } from './model.ts'

/** One image, uint8 RGB [height, width, 3]. */
export interface Frame {
  readonly data: Uint8Array
  readonly height: number
  readonly width: number
}

/** Widest picture on the page: a page full of them stays below a few megabytes. */
const MAX_WIDTH = 64

/** Pictures of the page by name: frames that were asked for before the episodes are read once more. */
export class FrameGallery {
  readonly #wanted = new Map<number, Set<number>>()
  readonly #uris = new Map<string, string>()

  /** Asks for a frame. */
  want({ episode, time }: FrameRef): void {
    const times = this.#wanted.get(episode) ?? new Set()
    this.#wanted.set(episode, times.add(time))
  }

  /** Episodes of which a frame was asked for, in order. */
  get episodes(): readonly number[] {
    return [...this.#wanted.keys()].toSorted((a, b) => a - b)
  }

  /** Keeps what was asked for of one episode: `frames` is uint8 [length, height, width, 3]. */
  fill(episode: number, frames: Uint8Array, height: number, width: number): void {
    const size = height * width * 3
    for (const time of this.#wanted.get(episode) ?? []) {
      const data = frames.subarray(time * size, (time + 1) * size)
      this.#uris.set(`${episode}/${time}`, dataUri({ data, height, width }))
    }
  }

  /** Keeps the picture of the goal of an episode. */
  fillGoal(episode: number, frame: Frame): void {
    this.#uris.set(`${episode}/goal`, dataUri(frame))
  }

  /** @throws ArmatureError `not-found` for a frame that was not asked for in time. */
  uri({ episode, time }: FrameRef): string {
    const uri = this.#uris.get(`${episode}/${time}`)
    if (uri === undefined) throw new ArmatureError('not-found', `frame ${time} of episode ${episode}`)
    return uri
  }

  /** The picture of the goal of an episode, where there is one. */
  goalUri(episode: number): string | undefined {
    return this.#uris.get(`${episode}/goal`)
  }
}

/** A PNG picture inside the page, shrunk to at most 64 pixels of width. */
function dataUri(frame: Frame): string {
  const { data, width, height } = shrink(frame)
  return `data:image/png;base64,${Buffer.from(encodePng({ data, width, height })).toString('base64')}`
}

/** Means over blocks of pixels, the smallest blocks that make it narrow enough. */
function shrink(frame: Frame): Frame {
  const step = Math.ceil(frame.width / MAX_WIDTH)
  if (step === 1) return frame
  const width = Math.floor(frame.width / step)
  const height = Math.floor(frame.height / step)
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let i = 0; i < step * step; i++) {
          const row = y * step + Math.floor(i / step)
          const column = x * step + (i % step)
          sum += frame.data[(row * frame.width + column) * 3 + c]!
        }
        data[(y * width + x) * 3 + c] = Math.round(sum / (step * step))
      }
    }
  }
  return { data, width, height }
}
