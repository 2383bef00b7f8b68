import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import type { AppliedContent, GoalContent, ImageContent, ObservationMessage } from '../protocol/messages.ts'
import type { RobotSchema } from '../protocol/schema.ts'
import { spaceOf } from '../protocol/schema.ts'

/** Pixels that an episode may hold in memory: a robot that never ends one is cut there. */
const MAX_PIXEL_BYTES = 512 * 2 ** 20

/** What a dataset of a robot's recordings has in common. */
export function datasetSpecOf(schema: RobotSchema): DatasetSpec {
  const cameras = Object.entries(schema.images).map(([name, { shape }]) => [name, imageSpace(shape[0]!, shape[1]!)])
  return {
    source: schema.name,
    fps: schema.controlHz,
    cameras: Object.fromEntries(cameras) as DatasetSpec['cameras'],
    actionSpace: spaceOf(schema.action),
    proprioSpace: spaceOf(schema.proprio),
    stateSpace: spaceOf(schema.state),
    ...(schema.goal === undefined ? {} : { goalSpace: spaceOf(schema.goal) }),
    tellsControllers: true,
  }
}

interface Row {
  readonly observation: ObservationMessage
  readonly images: Readonly<Record<string, ImageContent>>
  readonly goal: GoalContent | undefined
  /** That led here from the row before; undefined in the first row. */
  readonly applied?: AppliedContent
}

/**
 * Cuts a robot's observations into episodes, with the actions that were applied. An episode begins at the last observation before a policy's
 * first action and ends at the one after its last; holding and braking between are actions as well, at the ends they are left out. It
 * is also cut where the robot rested or an observation is missing: what happened there is not known.
 */
export class EpisodeCutter {
  readonly #cameras: readonly string[]
  readonly #policy: string
  #rows: Row[] = []
  #pixelBytes = 0
  #images: Record<string, ImageContent> = {}
  #goal: { readonly run: string; readonly episode: number; readonly content: GoalContent } | undefined
  #last: { readonly run: string; readonly seq: number } | undefined
  #episodes = 0
  #missed = 0
  #stale = 0

  /** @param policy what acted, for `EpisodeInfo.policy` */
  constructor(schema: RobotSchema, policy: string) {
    this.#cameras = Object.keys(schema.images)
    this.#policy = policy
  }

  /** Observations that the robot sent and the recording lacks. */
  get missed(): number {
    return this.#missed
  }

  /** Observations left out because they were nothing new, or had no image of a camera yet. */
  get stale(): number {
    return this.#stale
  }

  /** Takes the next observation. @returns the episode that has ended with the one before, if one has */
  add(observation: ObservationMessage): EpisodeData | undefined {
    const { observationSeq: seq, session: run, episode, goal } = observation
    const before = this.#last?.run === run ? this.#last.seq : undefined
    if (before !== undefined && seq <= before) return undefined
    if (before !== undefined) this.#missed += seq - before - 1
    this.#last = { run, seq }
    if (before === undefined) this.#images = {}
    Object.assign(this.#images, observation.images)
    if (goal !== undefined) this.#goal = { run, episode: episode.id, content: goal }
    if (observation.stale || this.#cameras.some((camera) => this.#images[camera] === undefined)) {
      this.#stale++
      return this.finish()
    }
    return this.#place(observation, before !== undefined && seq === before + 1)
  }

  /** The episode that has begun; none unless a policy has acted in it. */
  finish(): EpisodeData | undefined {
    const end = this.#rows.findLastIndex(({ applied }) => isOfPolicy(applied))
    const rows = this.#rows.slice(0, end + 1)
    this.#rows = []
    this.#pixelBytes = 0
    return rows.length < 2 ? undefined : this.#episodeOf(rows)
  }

  #place(observation: ObservationMessage, isNext: boolean): EpisodeData | undefined {
    const {
      session,
      episode: { id },
    } = observation
    const goal = this.#goal?.run === session && this.#goal.episode === id ? this.#goal.content : undefined
    const row = { observation, images: { ...this.#images }, goal }
    const last = this.#rows.at(-1)?.observation
    const { episode, applied } = observation
    const isSame = last !== undefined && isNext && episode.id === last.episode.id
    const isStep = isSame && applied !== undefined && episode.step === last.episode.step + 1
    if (isStep && (this.#rows.length > 1 || isOfPolicy(applied))) {
      this.#rows.push({ ...row, applied })
      this.#pixelBytes += bytesOf(row.images)
      if (this.#pixelBytes <= MAX_PIXEL_BYTES) return undefined
    }
    const ended = this.finish()
    this.#rows = [row]
    return ended
  }

  #episodeOf(rows: readonly Row[]): EpisodeData {
    const { observation: last, goal } = rows.at(-1)!
    const success = last.info['success']
    const steps = rows.slice(1)
    const images = this.#cameras.map((camera) => [camera, pixelsOf(rows, camera)])
    return {
      info: {
        index: this.#episodes++,
        length: rows.length,
        terminated: last.terminated,
        ...(success === undefined ? {} : { success: success > 0 }),
        policy: this.#policy,
        objects: [],
        ...(goal === undefined ? {} : { goal: goal.state }),
      },
      images: Object.fromEntries(images) as EpisodeData['images'],
      proprio: joined(rows.map(({ observation }) => observation.proprio)),
      state: joined(rows.map(({ observation }) => observation.state)),
      actions: joined(steps.map(({ applied }) => applied!.action)),
      rewards: Float32Array.from(steps, ({ observation }) => observation.reward),
      controllers: steps.map(({ applied }) => controllerOf(applied)),
      ...(goal === undefined ? {} : { goalImages: goalPixels(goal) }),
    }
  }
}

/** Not of the robot itself, which holds or brakes where no action comes. */
function isOfPolicy(applied: AppliedContent | undefined): boolean {
  return applied !== undefined && applied.seq > 0
}

/** Who was in control: what decided, where the message said so, or else the client; empty where the robot acted by itself. */
function controllerOf(applied: AppliedContent | undefined): string {
  return isOfPolicy(applied) ? (applied?.policy ?? applied?.client ?? 'unknown') : ''
}

function bytesOf(images: Readonly<Record<string, ImageContent>>): number {
  return Object.values(images).reduce((sum, { pixels }) => sum + pixels.data.length, 0)
}

function pixelsOf(rows: readonly Row[], camera: string): Uint8Array {
  return new Uint8Array(Buffer.concat(rows.map(({ images }) => images[camera]!.pixels.data)))
}

function goalPixels({ images }: GoalContent): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(images).map(([camera, { pixels }]) => [camera, pixels.data]))
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const size = parts[0]?.length ?? 0
  const all = new Float32Array(parts.length * size)
  parts.forEach((part, i) => all.set(part, i * size))
  return all
}
