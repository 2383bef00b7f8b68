import type { Dataset, DatasetSpec, DepthSpace, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { imageSpace } from '../../core/spaces.ts'
import type { Fields } from './mcap-file.ts'
import { McapFile } from './mcap-file.ts'
import { isPictureSchema, pictureOf } from './mcap-images.ts'

/** Which topics are what; those that are not said are found by their names. */
export interface McapMapping {
  /** Default: the only one that is called an action or a command. */
  readonly action?: string
  /** Default: joint states, and what is called proprio. */
  readonly proprio?: readonly string[]
  /** Observations a second; default: actions a second. */
  readonly fps?: number
}

/** An MCAP file as episodes. */
export interface McapRecording extends Dataset {
  close(): Promise<void>
}

/** An action this long after the one before begins another episode. */
const PAUSE_S = 0.5
/** Of the time between observations: what is logged so much later still counts as of the same time. */
const TOLERANCE = 0.25
const SKIPPED_FIELDS = ['header', 'stamp', 'timestamp', 'frame_id', 'name', 'layout']

/** A topic of numbers, in memory. */
interface Series {
  readonly topic: string
  readonly names: readonly string[]
  readonly timesS: number[]
  readonly values: number[][]
}

/**
 * Opens an MCAP file, as ROS 2 bags and other loggers write it, as episodes: an episode goes on while actions come, at a steady rate, and
 * each observation holds what was logged last by then. Topics of pictures are cameras, of numbers of 16 bits in one channel depth cameras.
 * Topics that have no place are named in `problems`.
 *
 * @throws ArmatureError `not-found`; `corrupt-file` for a damaged file; `bad-argument` where it is not clear which topic is the action.
 */
export async function openMcapRecording(path: string, mapping: McapMapping = {}): Promise<McapRecording> {
  let file: McapFile | undefined
  try {
    file = await McapFile.open(path)
    return await readRecording(path, file, mapping)
  } catch (error) {
    await file?.close()
    if (error instanceof ArmatureError) throw error
    throw new ArmatureError('corrupt-file', path, {
      expected: 'a whole MCAP file',
      got: (error as Error).message,
      cause: error,
    })
  }
}

async function readRecording(path: string, file: McapFile, mapping: McapMapping): Promise<Recording> {
  const problems = file.problems.map((line) => `${path}: ${line}`)
  const shown = [...file.topics.values()].filter(({ schema }) => isPictureSchema(schema)).map(({ name }) => name)
  // Our own exports have a picture of each episode's goal.
  const pictures = shown.filter((name) => !name.startsWith('/goal/'))
  problems.push(...shown.filter((name) => !pictures.includes(name)).map((name) => noPlace(path, name)))
  const others = [...file.topics.keys()].filter((name) => !shown.includes(name))
  const all = await seriesOf(file, others, problems)
  const names = chosenTopics(path, [...all.keys()], mapping)
  for (const topic of all.keys()) {
    if (!Object.values(names).flat().includes(topic)) problems.push(noPlace(path, topic))
  }
  const get = (topic: string): Series => all.get(topic)!
  const action = get(names.action)
  const fps = mapping.fps ?? rateOf(action)
  const cameras = await camerasOf(file, pictures, problems, path)
  const proprio = names.proprio.map(get)
  const labels = proprio.flatMap(({ topic, names: fields }) => fields.map((field) => `${topic}.${field}`))
  const spec: DatasetSpec = {
    source: `recording ${[...file.topics.keys()].find((topic) => topic === names.action)}`,
    fps,
    ...cameras.spaces,
    actionSpace: unbounded(action.names),
    proprioSpace: unbounded(labels),
    stateSpace: unbounded(names.state === undefined ? [] : get(names.state).names),
  }
  const reward = names.reward === undefined ? undefined : get(names.reward)
  const state = names.state === undefined ? undefined : get(names.state)
  return new Recording(path, file, spec, problems, { action, proprio, reward, state, topics: cameras.topics })
}

function noPlace(path: string, topic: string): string {
  return `${path}: topic ${topic} has no place in a dataset`
}

interface Streams {
  readonly action: Series
  readonly proprio: readonly Series[]
  readonly reward: Series | undefined
  readonly state: Series | undefined
  /** Topics by camera, of depth, too. */
  readonly topics: Readonly<Record<string, string>>
}

class Recording implements McapRecording {
  readonly path: string
  readonly spec: DatasetSpec
  readonly problems: readonly string[]
  readonly episodes: readonly EpisodeInfo[]
  readonly #file: McapFile
  readonly #streams: Streams
  /** First and last action of each episode. */
  readonly #spansS: readonly (readonly [first: number, last: number])[]

  constructor(path: string, file: McapFile, spec: DatasetSpec, problems: readonly string[], streams: Streams) {
    this.path = path
    this.spec = spec
    this.problems = problems
    this.#file = file
    this.#streams = streams
    this.#spansS = spansOf(streams.action.timesS)
    this.episodes = this.#spansS.map(([first, last], index) => ({
      index,
      length: Math.round((last - first) * spec.fps) + 2,
      terminated: false,
      policy: 'recorded',
      objects: [],
    }))
  }

  async readEpisode(
    index: number,
    cameras: readonly string[] = Object.keys(this.#streams.topics),
  ): Promise<EpisodeData> {
    const info = this.episodes[index]
    const [firstS] = this.#spansS[index] ?? []
    if (info === undefined || firstS === undefined)
      throw new ArmatureError('not-found', `episode ${index} of ${this.path}`)
    const { fps, stateSpace } = this.spec
    const timesS = Array.from({ length: info.length }, (_, t) => firstS + (t + TOLERANCE) / fps)
    const rows = (series: Series, of: readonly number[]): number[] =>
      of.flatMap((timeS) => this.#latest(index, series, timeS))
    const { action, proprio, reward, state } = this.#streams
    const steps = timesS.slice(0, -1)
    return {
      info,
      ...(await this.#pictures(index, cameras, timesS)),
      proprio: Float32Array.from(timesS.flatMap((timeS) => proprio.flatMap((series) => rows(series, [timeS])))),
      state:
        state === undefined
          ? new Float32Array(info.length * sizeOf(stateSpace.shape))
          : Float32Array.from(rows(state, timesS)),
      actions: Float32Array.from(rows(action, steps)),
      rewards: reward === undefined ? new Float32Array(steps.length) : Float32Array.from(rows(reward, steps)),
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #latest(episode: number, { topic, timesS, values }: Series, timeS: number): number[] {
    let [low, high] = [0, timesS.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (timesS[middle]! <= timeS) low = middle + 1
      else high = middle
    }
    if (low === 0) throw this.#lacks(episode, topic)
    return values[low - 1]!
  }

  #lacks(episode: number, topic: string): ArmatureError {
    return new ArmatureError('corrupt-file', `episode ${episode} of ${this.path}`, {
      expected: `a message of ${topic} before it begins`,
      got: 'none',
    })
  }

  async #pictures(
    episode: number,
    cameras: readonly string[],
    timesS: readonly number[],
  ): Promise<Pick<EpisodeData, 'images' | 'depth'>> {
    const images: Record<string, Uint8Array> = {}
    const depth: Record<string, Uint16Array> = {}
    for (const camera of cameras) {
      const topic = this.#streams.topics[camera]!
      const isDepth = camera in (this.spec.depthCameras ?? {})
      const size = sizeOf((isDepth ? this.spec.depthCameras![camera] : this.spec.cameras[camera])!.shape)
      const out = isDepth ? new Uint16Array(timesS.length * size) : new Uint8Array(timesS.length * size)
      let t = 0
      let last: Uint8Array | undefined
      const fill = async (beforeS: number): Promise<void> => {
        for (; t < timesS.length && timesS[t]! < beforeS; t++) {
          if (last === undefined) throw this.#lacks(episode, topic)
          const { data, kind } = pictureOf(this.#file.topics.get(topic)!.decode(last))
          if (data.length !== size || (kind === 'depth') !== isDepth) throw this.#changes(episode, topic)
          out.set(data, t * size)
        }
      }
      // A camera may be slower than the actions by far.
      const startNs = BigInt(Math.floor((timesS[0]! - 2) * 1e9))
      for await (const { timeNs, bytes } of this.#file.messages([topic], startNs < 0n ? 0n : startNs)) {
        await fill(Number(timeNs) / 1e9)
        if (t >= timesS.length) break
        last = bytes
      }
      await fill(Infinity)
      if (isDepth) depth[camera] = out as Uint16Array
      else images[camera] = out as Uint8Array
    }
    return { images, ...(Object.keys(depth).length > 0 && { depth }) }
  }

  #changes(episode: number, topic: string): ArmatureError {
    return new ArmatureError('corrupt-file', `episode ${episode} of ${this.path}, ${topic}`, {
      expected: 'pictures of one size and kind',
      got: 'another',
    })
  }
}

/** Numbers of all topics that have them. */
async function seriesOf(file: McapFile, topics: readonly string[], problems: string[]): Promise<Map<string, Series>> {
  const all = new Map<string, Series>()
  const bad = new Set<string>()
  if (topics.length === 0) return all
  for await (const { topic, timeNs, bytes } of file.messages(topics)) {
    if (bad.has(topic)) continue
    const numbers = numbersOf(file.topics.get(topic)!.decode(bytes))
    const series = all.get(topic) ?? { topic, names: numbers.map(([name]) => name), timesS: [], values: [] }
    all.set(topic, series)
    if (numbers.length !== series.names.length || numbers.length === 0) {
      const why = numbers.length === 0 ? 'no numbers' : `${numbers.length} numbers after ${series.names.length}`
      problems.push(`topic ${topic}: ${why}`)
      all.delete(topic)
      bad.add(topic)
      continue
    }
    series.timesS.push(Number(timeNs) / 1e9)
    series.values.push(numbers.map(([, value]) => value))
  }
  return all
}

/** Numbers of a message with their names; joints have names of their own. */
function numbersOf(fields: Fields, prefix = ''): [name: string, value: number][] {
  const labels = Array.isArray(fields['name']) ? (fields['name'] as unknown[]).map(String) : []
  return Object.entries(fields).flatMap(([key, value]): [string, number][] => {
    if (SKIPPED_FIELDS.includes(key)) return []
    const name = `${prefix}${key}`
    if (['number', 'bigint', 'boolean'].includes(typeof value)) return [[name, Number(value)]]
    if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array))) {
      return Array.from(value as ArrayLike<unknown>).flatMap((item, i): [string, number][] => {
        const label = `${name}.${labels[i] ?? i}`
        if (['number', 'bigint', 'boolean'].includes(typeof item)) return [[label, Number(item)]]
        return typeof item === 'object' && item !== null ? numbersOf(item as Fields, `${label}.`) : []
      })
    }
    return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
      ? numbersOf(value as Fields, `${name}.`)
      : []
  })
}

function chosenTopics(
  path: string,
  topics: readonly string[],
  { action, proprio }: McapMapping,
): { readonly action: string; readonly proprio: readonly string[]; readonly reward?: string; readonly state?: string } {
  const known = (name: string): string => {
    if (topics.includes(name)) return name
    throw new ArmatureError('not-found', `topic ${name} of numbers in ${path}`, {
      fix: `there is ${topics.join(', ') || 'none'}`,
    })
  }
  const called = topics.filter((name) => /(^|[/_])(actions?|commands?|cmd)($|[/_])/.test(name))
  if (action === undefined && called.length !== 1) {
    throw new ArmatureError('bad-argument', `actions of ${path}`, {
      expected: '--action TOPIC, since it is not clear which one it is',
      got: topics.join(', ') || 'no topic of numbers',
    })
  }
  const chosen = known(action ?? called[0]!)
  const isProprio = (name: string): boolean => /(^|\/)(joint_states?|proprio)$/.test(name) && name !== chosen
  const end = (word: string): string | undefined => topics.find((name) => name === `/${word}` && name !== chosen)
  const [reward, state] = [end('reward'), end('state')]
  return {
    action: chosen,
    proprio: proprio === undefined ? topics.filter(isProprio) : proprio.map(known),
    ...(reward !== undefined && { reward }),
    ...(state !== undefined && { state }),
  }
}

/** Messages a second, by the median of the times between them, as a whole number where it is near one. */
function rateOf({ topic, timesS }: Series): number {
  const steps = timesS
    .slice(1)
    .map((timeS, i) => timeS - timesS[i]!)
    .filter((step) => step > 0 && step < PAUSE_S)
    .toSorted((a, b) => a - b)
  const median = steps[steps.length >> 1]
  if (median === undefined) {
    throw new ArmatureError('bad-argument', `rate of ${topic}`, {
      expected: '--fps N, since it has too few messages to tell',
    })
  }
  return Math.max(1, Math.round(1 / median))
}

function spansOf(timesS: readonly number[]): (readonly [number, number])[] {
  const spans: [number, number][] = []
  for (const timeS of timesS) {
    const last = spans.at(-1)
    if (last !== undefined && timeS - last[1] <= PAUSE_S) last[1] = timeS
    else spans.push([timeS, timeS])
  }
  return spans
}

async function camerasOf(
  file: McapFile,
  topics: readonly string[],
  problems: string[],
  path: string,
): Promise<{
  readonly spaces: Pick<DatasetSpec, 'cameras' | 'depthCameras'>
  readonly topics: Record<string, string>
}> {
  const cameras: Record<string, BoxSpace> = {}
  const depthCameras: Record<string, DepthSpace> = {}
  const byCamera: Record<string, string> = {}
  for (const topic of topics) {
    const name =
      topic.replaceAll(/^\/(camera\/)?|\/(image|image_raw|compressed|color|rgb)(?=\/|$)/g, '').replaceAll('/', '_') ||
      'camera'
    try {
      const { value: first } = await file.messages([topic]).next()
      if (first === undefined) throw new Error('no message')
      const { kind, height, width } = pictureOf(file.topics.get(topic)!.decode((first as { bytes: Uint8Array }).bytes))
      if (kind === 'depth') depthCameras[name] = { shape: [height, width] }
      else cameras[name] = imageSpace(height, width)
      byCamera[name] = topic
    } catch (error) {
      problems.push(`${path}: topic ${topic}: ${(error as Error).message}`)
    }
  }
  const spaces = { cameras, ...(Object.keys(depthCameras).length > 0 && { depthCameras }) }
  return { spaces, topics: byCamera }
}

/** Bounds are not known of a recording. */
function unbounded(names: readonly string[]): BoxSpace {
  const space: BoxSpace = { dtype: 'float32', shape: [names.length], low: -Infinity, high: Infinity }
  return names.length > 0 ? { ...space, names } : space
}
