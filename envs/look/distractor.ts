import type { Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import type { ImageSize } from '../camera/camera.ts'
import type { Backdrop } from '../camera/rasterizer.ts'
import type { OptionReader } from '../options.ts'
import { badOption, integer, oneOf, section } from '../options.ts'
import type { Canvas, Clip, Footage } from './clips.ts'
import { colorClip, discsClip, footageClip, noiseClip, textureClip, toGrey } from './clips.ts'
import { readFootageFiles } from './footage-files.ts'

const KINDS = ['none', 'colour', 'discs', 'texture', 'noise', 'frames'] as const
type Kind = (typeof KINDS)[number]

/** The option `distractor` of every scene; see {@link Distractor}. */
export interface DistractorOptions {
  readonly kind: Kind
  /** Which clips are played; default `train`. None of `test` is ever seen with `train`. */
  readonly split?: 'train' | 'test'
  /** What gives way: the `background` only, where there is no primitive, or (default) the scene's `ground` as well. */
  readonly onto?: 'background' | 'ground'
  /** `on` plays the clips in grey, as the original DBC experiments do. */
  readonly grey?: 'on' | 'off'
  /** How many clips there are; default 8 to train with and 4 to test with. */
  readonly trainClips?: number
  readonly testClips?: number
  /** Frames of a clip that is made up; default 400. Recorded frames are shared out among the clips instead. */
  readonly clipFrames?: number
  /** Which clips there are; default 0. */
  readonly seed?: number
  /** For the kind `frames`: decoded pictures, or the path of a folder of PNG pictures or of a GIF. */
  readonly frames?: Footage | string
}

const readFields = section({
  kind: oneOf(...KINDS),
  split: oneOf('train', 'test'),
  onto: oneOf('background', 'ground'),
  grey: oneOf('on', 'off'),
  trainClips: integer(1, 10_000),
  testClips: integer(1, 10_000),
  clipFrames: integer(2, 100_000),
  seed: integer(-(2 ** 31), 2 ** 32),
  frames: readFootage,
})

/** A kind, or an object with more. */
export const distractorOption: OptionReader<DistractorOptions> = (value, name) => {
  const fields = readFields(typeof value === 'string' ? { kind: value } : value, name)
  const { kind, frames } = fields
  if (kind === undefined) throw badOption(`${name}.kind`, KINDS.join(' or '), undefined)
  if ((kind === 'frames') !== (frames !== undefined)) {
    throw new ArmatureError('bad-argument', `${name}.frames`, {
      expected: 'frames with the kind "frames", and with no other',
      fix: 'name a folder of PNG pictures or a GIF, or pass { width, height, frames: [Uint8Array RGB, ...] }',
    })
  }
  return { ...fields, kind }
}

/** Serialisable state of a {@link Distractor}. */
export interface DistractorState {
  readonly clip: number
  readonly tick: number
  readonly goalSeed: number
}

/**
 * A moving picture behind the scene, which has nothing to do with the task: what DBC and DeepMDP are tested with. It is fixed to the image,
 * the same for every observation camera, and advances by one frame per control step, forth and back through its clip. Every episode
 * starts in a random clip of the split at a random frame.
 *
 * Goal images never have the background of the observation: they show another clip of the split (with one clip: another frame of
 * it), which depends on the episode and the goal.
 */
export class Distractor {
  readonly #options: DistractorOptions
  readonly #firstClip: number
  readonly #clipCount: number
  readonly #makeClip: (index: number) => Clip
  readonly #clips: Map<number, Clip> = new Map()
  readonly #screens: Map<number, Screen> = new Map()
  readonly #onGround: boolean
  #clip: number
  #tick = 0
  #goalSeed = 0

  /** @throws ArmatureError `bad-argument` for a scene without ground, or frames too few to give the split a second picture. */
  constructor(options: DistractorOptions, hasGround: boolean) {
    if (options.onto === 'ground' && !hasGround) {
      throw new ArmatureError('bad-argument', 'distractor onto ground', { got: 'a scene without a ground' })
    }
    this.#options = options
    this.#onGround = options.onto !== 'background' && hasGround
    const { train, test, make } = clipSource(options)
    this.#firstClip = options.split === 'test' ? train : 0
    this.#clip = this.#firstClip
    this.#clipCount = options.split === 'test' ? test : train
    this.#makeClip = make
    if (this.#clipCount < 1 || (this.#clipCount === 1 && this.#clipOf(this.#firstClip).frameCount < 2)) {
      throw new ArmatureError('bad-argument', 'distractor frames', {
        expected: 'at least two in each split, so that goals can have another background',
        fix: 'give more frames, or ask for fewer clips',
      })
    }
  }

  /** A fresh clip and offset. */
  begin(rng: Rng): void {
    this.#clip = this.#firstClip + rng.int(this.#clipCount)
    this.#tick = rng.int(this.#period(this.#clip))
    this.#goalSeed = rng.nextSeed()
  }

  advance(): void {
    this.#tick = (this.#tick + 1) % this.#period(this.#clip)
  }

  /** The clip (those to test with have the higher numbers) and its frame: what an encoder should not know. */
  get info(): Info {
    return { distractor_clip: this.#clip, distractor_step: this.#frame }
  }

  get state(): DistractorState {
    return { clip: this.#clip, tick: this.#tick, goalSeed: this.#goalSeed }
  }

  set state({ clip, tick, goalSeed }: DistractorState) {
    this.#clip = clip
    this.#tick = tick
    this.#goalSeed = goalSeed
  }

  /** The present frame; overwritten by the next call. */
  now(size: ImageSize): Backdrop {
    return this.#paint(this.#clip, this.#frame, size)
  }

  /** The frame of goal images of `goal`; overwritten by the next call. */
  forGoal(goal: Float32Array, size: ImageSize): Backdrop {
    const rng = new Rng(this.#goalSeed).split(goal.join(' '))
    if (this.#clipCount > 1) {
      const ahead = 1 + rng.int(this.#clipCount - 1)
      const clip = this.#firstClip + ((this.#clip - this.#firstClip + ahead) % this.#clipCount)
      return this.#paint(clip, rng.int(this.#clipOf(clip).frameCount), size)
    }
    const { frameCount } = this.#clipOf(this.#clip)
    return this.#paint(this.#clip, (this.#frame + 1 + rng.int(frameCount - 1)) % frameCount, size)
  }

  get #frame(): number {
    return Math.min(this.#tick, this.#period(this.#clip) - this.#tick)
  }

  /** Frames until a clip that is played forth and back is at its start again. */
  #period(clip: number): number {
    return Math.max(1, 2 * (this.#clipOf(clip).frameCount - 1))
  }

  #clipOf(index: number): Clip {
    const clip = this.#clips.get(index) ?? this.#makeClip(index)
    this.#clips.set(index, clip)
    return clip
  }

  #paint(clip: number, frame: number, size: ImageSize): Backdrop {
    const key = size.width * 65536 + size.height
    const screen = this.#screens.get(key) ?? new Screen(size, this.#onGround)
    this.#screens.set(key, screen)
    // All cameras of one size show the same picture.
    if (screen.clip !== clip || screen.frame !== frame) {
      this.#clipOf(clip).paint(frame, screen)
      if (this.#options.grey === 'on') toGrey(screen.rgb)
      screen.clip = clip
      screen.frame = frame
    }
    return screen
  }
}

class Screen implements Canvas, Backdrop {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
  readonly shade: Float32Array
  readonly onGround: boolean
  clip = -1
  frame = -1

  constructor({ width, height }: ImageSize, onGround: boolean) {
    this.width = width
    this.height = height
    this.rgb = new Uint8Array(width * height * 3)
    this.shade = new Float32Array(width * height)
    this.onGround = onGround
  }
}

interface ClipSource {
  readonly train: number
  readonly test: number
  /** Clip `index`: below `train` those to train with, then those to test with. */
  readonly make: (index: number) => Clip
}

const MAKERS = { colour: colorClip, discs: discsClip, texture: textureClip, noise: noiseClip }

function clipSource(options: DistractorOptions): ClipSource {
  const { kind, trainClips: train = 8, testClips: test = 4, clipFrames = 400, seed = 0, frames } = options
  if (frames !== undefined) {
    return footageSource(typeof frames === 'string' ? readFootageFiles(frames) : frames, train, test)
  }
  const maker = MAKERS[kind as keyof typeof MAKERS]
  const rng = new Rng(seed)
  const label = (index: number): string => (index < train ? `train/${index}` : `test/${index - train}`)
  return { train, test, make: (index) => maker(rng.split(`${kind}/${label(index)}`), clipFrames) }
}

/** Cuts the frames into clips that follow each other; with fewer frames than clips each is one, and the splits keep their ratio. */
function footageSource(footage: Footage, train: number, test: number): ClipSource {
  const count = footage.frames.length
  const clips = Math.min(train + test, count)
  const toTrain = clips === train + test ? train : Math.round((clips * train) / (train + test))
  const length = Math.floor(count / clips)
  return { train: toTrain, test: clips - toTrain, make: (index) => footageClip(footage, index * length, length) }
}

function readFootage(value: unknown, name: string): Footage | string {
  if (typeof value === 'string') return value
  const { width, height, frames } = (value ?? {}) as Partial<Footage>
  const side = integer(1, 65535)
  const size = { width: side(width, `${name}.width`), height: side(height, `${name}.height`) }
  const isPicture = (frame: unknown): boolean =>
    frame instanceof Uint8Array && frame.length === size.width * size.height * 3
  if (!Array.isArray(frames) || frames.length === 0 || !frames.every(isPicture)) {
    throw new ArmatureError('bad-argument', `${name}.frames`, {
      expected: `a list of Uint8Array, each ${size.width} x ${size.height} RGB`,
    })
  }
  return { ...size, frames: frames as Uint8Array[] }
}
