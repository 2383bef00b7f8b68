import type { FileHandle } from 'node:fs/promises'
import { McapWriter } from '@mcap/core'
import type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { boxSpace } from '../core/spaces.ts'
import { streamFileAtomic } from './atomic.ts'
import type { MessageType } from './mcap-messages.ts'
import { compressedImageType, episodeType, numbersType } from './mcap-messages.ts'
import { encodePng } from './png.ts'

/** Between the end of an episode and the start of the next on the time line of the file. */
const GAP_NS = 1_000_000_000n

export interface McapOptions {
  /** Indices of the episodes to write, in that order; default all. */
  readonly episodes?: readonly number[]
  /** Default all. */
  readonly cameras?: readonly string[]
  /** After every episode; what it throws ends the writing, and no file is left. */
  readonly onEpisode?: (done: number, of: number) => void
}

/** What was written. */
export interface McapReport {
  /** Indices of the episodes in the file. */
  readonly episodes: readonly number[]
  readonly messages: number
  readonly durationS: number
  /** One line for each episode that could not be read and is not in the file. */
  readonly problems: readonly string[]
}

/**
 * Writes episodes as an MCAP file that Foxglove and Rerun open: on `/camera/<name>` pictures (PNG in `foxglove.CompressedImage`), on
 * `/proprio`, `/state`, `/action` and `/reward` named numbers to plot, on `/episode` what is known of an episode at its start.
 * Episodes follow each other from time 0 on, with a second between them; the action and the reward of a step have the time of the
 * observation that it starts from. Chunked and indexed; one episode at a time is in memory.
 *
 * @throws ArmatureError `not-found` for episodes and cameras that there are none of; `corrupt-file` when no episode can be read;
 *   `unwritable`. Then `path` is as it was.
 */
export async function writeMcap(path: string, dataset: Dataset, options: McapOptions = {}): Promise<McapReport> {
  const indices = options.episodes ?? dataset.episodes.map(({ index }) => index)
  const infos = new Map(dataset.episodes.map((info) => [info.index, info]))
  for (const index of indices) {
    if (!infos.has(index)) throw new ArmatureError('not-found', `no episode ${index} in ${dataset.path}`)
  }
  if (indices.length === 0) throw new ArmatureError('not-found', `no episodes in ${dataset.path}`)
  const cameras = checkedCameras(dataset.spec, options.cameras)

  const written: number[] = []
  const problems: string[] = []
  let counts = { messages: 0, endNs: 0n }
  await streamFileAtomic(path, async (file) => {
    const recorder = await Recorder.start(file, dataset, cameras)
    for (const [done, index] of indices.entries()) {
      const data = await readOrName(dataset, index, cameras, problems)
      if (data !== undefined) {
        await recorder.write(data)
        written.push(index)
      }
      options.onEpisode?.(done + 1, indices.length)
    }
    if (written.length === 0) throw new ArmatureError('corrupt-file', problems[0]!)
    counts = await recorder.end()
  })
  return { episodes: written, messages: counts.messages, durationS: Number(counts.endNs) / 1e9, problems }
}

function checkedCameras(spec: DatasetSpec, chosen: readonly string[] | undefined): readonly string[] {
  const names = Object.keys(spec.cameras)
  const unknown = chosen?.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new ArmatureError('not-found', `no camera "${unknown}" in ${spec.source}`, {
      fix: `it has ${names.join(', ')}`,
    })
  }
  return chosen ?? names
}

async function readOrName(
  dataset: Dataset,
  index: number,
  cameras: readonly string[],
  problems: string[],
): Promise<EpisodeData | undefined> {
  try {
    return await dataset.readEpisode(index, cameras)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'corrupt-file') throw error
    problems.push(error.message)
    return undefined
  }
}

/** A channel of numbers: how to get those of moment `time`, where it has any. */
interface NumbersChannel {
  readonly id: number
  readonly type: MessageType
  readonly fields: readonly string[]
  readonly of: (data: EpisodeData) => Float32Array
}

class Recorder {
  readonly #writer: McapWriter
  readonly #nsPerFrame: number
  #pictures: { readonly camera: string; readonly id: number; readonly size: readonly number[] }[] = []
  #numbers: NumbersChannel[] = []
  #episodeChannel = 0
  readonly #image = compressedImageType()
  readonly #episode = episodeType()
  #startNs = 0n
  #endNs = 0n
  #messages = 0

  private constructor(file: FileHandle, fps: number) {
    let position = 0
    this.#nsPerFrame = 1e9 / fps
    this.#writer = new McapWriter({
      writable: {
        position: () => BigInt(position),
        write: async (bytes) => {
          await file.writeFile(bytes)
          position += bytes.length
        },
      },
    })
  }

  static async start(file: FileHandle, { spec }: Dataset, cameras: readonly string[]): Promise<Recorder> {
    const recorder = new Recorder(file, spec.fps)
    await recorder.#open(spec, cameras)
    return recorder
  }

  async #open(spec: DatasetSpec, cameras: readonly string[]): Promise<void> {
    await this.#writer.start({ profile: '', library: 'armature' })
    const metadata = new Map([
      ['source', spec.source],
      ['fps', String(spec.fps)],
    ])
    await this.#writer.addMetadata({ name: 'armature', metadata })
    this.#episodeChannel = await this.#channel('/episode', await this.#schema(this.#episode))
    const imageSchema = await this.#schema(this.#image)
    for (const camera of cameras) {
      const id = await this.#channel(`/camera/${camera}`, imageSchema)
      this.#pictures.push({ camera, id, size: spec.cameras[camera]!.shape })
    }
    await this.#addNumbers('/proprio', 'Proprio', spec.proprioSpace, (data) => data.proprio)
    await this.#addNumbers('/state', 'State', spec.stateSpace, (data) => data.state)
    await this.#addNumbers('/action', 'Action', spec.actionSpace, (data) => data.actions)
    await this.#addNumbers('/reward', 'Reward', boxSpace([1], -Infinity, Infinity, ['reward']), (data) => data.rewards)
  }

  async #addNumbers(topic: string, name: string, space: BoxSpace, of: NumbersChannel['of']): Promise<void> {
    if (sizeOf(space.shape) === 0) return
    const { type, fields } = numbersType(name, space)
    this.#numbers.push({ id: await this.#channel(topic, await this.#schema(type)), type, fields, of })
  }

  #schema({ name, schema }: MessageType): Promise<number> {
    return this.#writer.registerSchema({ name, encoding: 'protobuf', data: schema })
  }

  #channel(topic: string, schemaId: number): Promise<number> {
    return this.#writer.registerChannel({ topic, schemaId, messageEncoding: 'protobuf', metadata: new Map() })
  }

  async write(data: EpisodeData): Promise<void> {
    await this.#add(this.#episodeChannel, this.#startNs, this.#episode.encode(episodeMessage(data.info)))
    for (let time = 0; time < data.info.length; time++) {
      const timeNs = this.#startNs + BigInt(Math.round(time * this.#nsPerFrame))
      this.#endNs = timeNs
      for (const { camera, id, size } of this.#pictures) {
        await this.#add(id, timeNs, this.#picture(data.images[camera]!, time, size, camera, timeNs))
      }
      for (const { id, type, fields, of } of this.#numbers) {
        const values = of(data).subarray(time * fields.length, (time + 1) * fields.length)
        // The last observation starts no step.
        if (values.length === 0) continue
        await this.#add(id, timeNs, type.encode(Object.fromEntries(fields.map((name, i) => [name, values[i]!]))))
      }
    }
    this.#startNs = this.#endNs + GAP_NS
  }

  async end(): Promise<{ readonly messages: number; readonly endNs: bigint }> {
    await this.#writer.end()
    return { messages: this.#messages, endNs: this.#endNs }
  }

  #picture(images: Uint8Array, time: number, size: readonly number[], camera: string, timeNs: bigint): Uint8Array {
    const bytes = sizeOf(size)
    const pixels = images.subarray(time * bytes, (time + 1) * bytes)
    return this.#image.encode({
      timestamp: { seconds: Number(timeNs / 1_000_000_000n), nanos: Number(timeNs % 1_000_000_000n) },
      frame_id: camera,
      data: encodePng({ data: pixels, width: size[1]!, height: size[0]! }),
      format: 'png',
    })
  }

  async #add(channelId: number, timeNs: bigint, data: Uint8Array): Promise<void> {
    await this.#writer.addMessage({ channelId, sequence: this.#messages++, logTime: timeNs, publishTime: timeNs, data })
  }
}

function episodeMessage(info: EpisodeInfo): Readonly<Record<string, unknown>> {
  return {
    index: info.index,
    observations: info.length,
    policy: info.policy,
    terminated: info.terminated,
    outcome: info.success === undefined ? 'unknown' : info.success ? 'success' : 'failure',
    seed: info.seed === undefined ? '' : String(info.seed),
    distractor: info.distractor ?? '',
    objects: info.objects,
    goal: info.goal ?? [],
  }
}
