import type { FileHandle } from 'node:fs/promises'
import { McapWriter } from '@mcap/core'
import type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from '../core/dataset.ts'
import { tooFewEpisodes } from '../core/dataset.ts'
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
 * `/proprio`, `/state`, `/action` and `/reward` named numbers to plot, and at the start of an episode on `/episode` what is known of
 * it and on `/goal/<name>` what the cameras would see at its goal, where that was recorded.
 * Episodes follow each other from time 0 on, with a second between them; the action and the reward of a step have the time of the
 * observation that it starts from. Chunked and indexed; one episode at a time is in memory.
 *
 * @throws ArmatureError `not-found` for episodes and cameras that do not exist; `bad-argument` where there are no episodes; `corrupt-file` when no episode can be read;
 *   `unwritable`. Then `path` is as it was.
 */
export async function writeMcap(path: string, dataset: Dataset, options: McapOptions = {}): Promise<McapReport> {
  const indices = options.episodes ?? dataset.episodes.map(({ index }) => index)
  const infos = new Map(dataset.episodes.map((info) => [info.index, info]))
  for (const index of indices) {
    if (!infos.has(index)) throw new ArmatureError('not-found', `no episode ${index} in ${dataset.path}`)
  }
  if (indices.length === 0) throw tooFewEpisodes(dataset, 'at least 1')
  const cameras = checkedCameras(dataset.spec, options.cameras)

  const written: number[] = []
  const problems: string[] = []
  let counts = { messages: 0, endNs: 0n }
  await streamFileAtomic(path, async (file) => {
    const recorder = await Recorder.start(file, dataset.spec, cameras)
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

/** A channel of numbers, a row for each observation or each step. */
interface NumbersChannel {
  readonly topic: string
  readonly type: MessageType
  readonly fields: readonly string[]
  readonly of: (data: EpisodeData) => Float32Array
}

/** Writes episodes one after the other. The first message registers its schema and channel, so no channel is empty. */
class Recorder {
  readonly #writer: McapWriter
  readonly #spec: DatasetSpec
  readonly #cameras: readonly string[]
  readonly #numbers: readonly NumbersChannel[]
  readonly #image = compressedImageType()
  readonly #episode = episodeType()
  readonly #schemas = new Map<string, number>()
  readonly #channels = new Map<string, number>()
  #startNs = 0n
  #endNs = 0n
  #messages = 0

  private constructor(file: FileHandle, spec: DatasetSpec, cameras: readonly string[]) {
    let position = 0
    this.#spec = spec
    this.#cameras = cameras
    this.#numbers = numbersChannels(spec)
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

  static async start(file: FileHandle, spec: DatasetSpec, cameras: readonly string[]): Promise<Recorder> {
    const recorder = new Recorder(file, spec, cameras)
    await recorder.#writer.start({ profile: '', library: 'armature' })
    const metadata = new Map([
      ['source', spec.source],
      ['fps', String(spec.fps)],
    ])
    await recorder.#writer.addMetadata({ name: 'armature', metadata })
    return recorder
  }

  async write(data: EpisodeData): Promise<void> {
    await this.#add('/episode', this.#episode, this.#startNs, episodeMessage(data.info))
    for (const camera of this.#cameras) {
      const goal = data.goalImages?.[camera]
      if (goal !== undefined) await this.#addPicture(`/goal/${camera}`, camera, this.#startNs, goal)
    }
    for (let time = 0; time < data.info.length; time++) {
      this.#endNs = this.#startNs + BigInt(Math.round((time * 1e9) / this.#spec.fps))
      for (const camera of this.#cameras) {
        const bytes = sizeOf(this.#spec.cameras[camera]!.shape)
        const pixels = data.images[camera]!.subarray(time * bytes, (time + 1) * bytes)
        await this.#addPicture(`/camera/${camera}`, camera, this.#endNs, pixels)
      }
      for (const { topic, type, fields, of } of this.#numbers) {
        const values = of(data).subarray(time * fields.length, (time + 1) * fields.length)
        // The last observation starts no step.
        if (values.length === 0) continue
        await this.#add(topic, type, this.#endNs, Object.fromEntries(fields.map((name, i) => [name, values[i]!])))
      }
    }
    this.#startNs = this.#endNs + GAP_NS
  }

  async end(): Promise<{ readonly messages: number; readonly endNs: bigint }> {
    await this.#writer.end()
    return { messages: this.#messages, endNs: this.#endNs }
  }

  #addPicture(topic: string, camera: string, timeNs: bigint, data: Uint8Array): Promise<void> {
    const [height, width] = this.#spec.cameras[camera]!.shape
    return this.#add(topic, this.#image, timeNs, {
      timestamp: { seconds: Number(timeNs / 1_000_000_000n), nanos: Number(timeNs % 1_000_000_000n) },
      frame_id: camera,
      data: encodePng({ data, width: width!, height: height! }),
      format: 'png',
    })
  }

  async #add(
    topic: string,
    type: MessageType,
    timeNs: bigint,
    message: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const channelId = this.#channels.get(topic) ?? (await this.#register(topic, type))
    const times = { logTime: timeNs, publishTime: timeNs }
    await this.#writer.addMessage({ channelId, sequence: this.#messages++, ...times, data: type.encode(message) })
  }

  async #register(topic: string, { name, schema }: MessageType): Promise<number> {
    const schemaId =
      this.#schemas.get(name) ?? (await this.#writer.registerSchema({ name, encoding: 'protobuf', data: schema }))
    this.#schemas.set(name, schemaId)
    const channel = { topic, schemaId, messageEncoding: 'protobuf', metadata: new Map<string, string>() }
    const id = await this.#writer.registerChannel(channel)
    this.#channels.set(topic, id)
    return id
  }
}

function numbersChannels({ proprioSpace, stateSpace, actionSpace }: DatasetSpec): readonly NumbersChannel[] {
  const channel = (name: string, space: BoxSpace, of: NumbersChannel['of']): NumbersChannel => ({
    topic: `/${name.toLowerCase()}`,
    ...numbersType(name, space),
    of,
  })
  return [
    channel('Proprio', proprioSpace, (data) => data.proprio),
    channel('State', stateSpace, (data) => data.state),
    channel('Action', actionSpace, (data) => data.actions),
    channel('Reward', boxSpace([1], -Infinity, Infinity, ['reward']), (data) => data.rewards),
  ].filter(({ fields }) => fields.length > 0)
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
    looks: info.looks === undefined ? '' : JSON.stringify(info.looks),
  }
}
