import type { DatasetSpec, EpisodeData } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { containedPath, readRegularFile } from '../contained-files.ts'
import type { ImageSize } from '../decode-image.ts'
import { decodeDepth, decodeImage } from '../decode-image.ts'
import type { Row } from '../parquet/file.ts'
import type { EpisodeEntry } from './episode-entry.ts'
import type { CameraSource } from './foreign.ts'
import { isObject } from './recording.ts'
import { VideoFiles } from './video.ts'

/** Of an image in a file of its own. */
const MAX_IMAGE_BYTES = 64 * 2 ** 20

/** Rows of an episode, and when each is shown. */
export interface EpisodeRows {
  readonly rows: readonly Row[]
  /** Seconds since its start. */
  readonly timesS: Float64Array
}

/** Reads the frames of episodes: out of tables, of files that they name, and of videos. */
export class EpisodeImages {
  readonly #folder: string
  readonly #spec: DatasetSpec
  readonly #fps: number
  readonly #videos: VideoFiles = new VideoFiles()

  constructor(folder: string, spec: DatasetSpec, fps: number) {
    this.#folder = folder
    this.#spec = spec
    this.#fps = fps
  }

  /**
   * @param sources cameras by their names
   * @throws ArmatureError `corrupt-file` that names file, frame and episode; `engine-unavailable` for a video without a decoder.
   */
  async read(
    entry: EpisodeEntry,
    sources: readonly (readonly [string, CameraSource])[],
    rows: EpisodeRows,
  ): Promise<Pick<EpisodeData, 'images' | 'depth'>> {
    const images: Record<string, Uint8Array> = {}
    const depth: Record<string, Uint16Array> = {}
    for (const [camera, source] of sources) {
      const { shape } = (source.isDepth ? this.#spec.depthCameras : this.#spec.cameras)![camera]!
      const size = shape as unknown as ImageSize
      if (source.isDepth) depth[camera] = await this.#frames(entry, source.key, rows, size, decodeDepth)
      else if (source.isVideo) images[camera] = await this.#video(entry, camera, source.key, rows)
      else images[camera] = await this.#frames(entry, source.key, rows, size, decodeImage)
    }
    return { images, ...(Object.keys(depth).length > 0 && { depth }) }
  }

  #video({ info, videos }: EpisodeEntry, camera: string, key: string, { timesS }: EpisodeRows): Promise<Uint8Array> {
    const [height, width] = this.#spec.cameras[camera]!.shape as [number, number]
    const { file, fromS } = videos[camera]!
    const what = `${key} of episode ${info.index}`
    return this.#videos.read({
      file,
      what,
      timesS: timesS.map((timeS) => fromS + timeS),
      fps: this.#fps,
      width,
      height,
    })
  }

  async #frames<T extends Uint8Array | Uint16Array>(
    entry: EpisodeEntry,
    key: string,
    { rows }: EpisodeRows,
    size: ImageSize,
    decode: (file: Uint8Array, size: ImageSize) => { readonly data: T },
  ): Promise<T> {
    let all: T | undefined
    for (const [t, row] of rows.entries()) {
      try {
        const { data } = decode(await this.#fileOf(row[key]), size)
        // Not before a frame has the size that was declared: that is what a damaged folder may say anything of.
        all ??= new (data.constructor as new (length: number) => T)(rows.length * data.length)
        all.set(data, t * data.length)
      } catch (error) {
        const where = `${entry.dataFile}, frame ${t} of episode ${entry.info.index}`
        throw new ArmatureError('corrupt-file', where, { got: (error as Error).message, cause: error })
      }
    }
    return all!
  }

  /** As Hugging Face's Image columns have it: bytes, or the path of a file. */
  async #fileOf(value: unknown): Promise<Uint8Array> {
    const { bytes, path } = isObject(value) ? value : { bytes: value }
    if (bytes instanceof Uint8Array) return bytes
    if (typeof path === 'string') return readRegularFile(await containedPath(this.#folder, path), MAX_IMAGE_BYTES)
    throw new Error('no image')
  }
}
