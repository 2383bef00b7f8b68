import { requireWhole } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import type { EpisodeStart, Goal } from '../core/goals.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { concatenated, ndarray } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'

export interface EpisodeStoreOptions {
  /** Observations kept, at least 2; an episode of T steps takes T + 1. The oldest are overwritten first. */
  readonly capacity: number
  /** Numbers of the features of an observation, 0 where frames are all there is. */
  readonly featureSize: number
  /** Numbers of a goal, where goals have a space of their own; default: `featureSize`. */
  readonly goalSize?: number
  readonly actionSize: number
  /** Bytes per frame, 0 to keep no frames. */
  readonly frameSize: number
  /** Whether each observation is kept as a goal as well, where goals have a space of their own; else its features are that. */
  readonly keepsReached?: boolean
}

/** How features are made anew from what a replay keeps; each returns fresh features. */
export interface StoreEncoding {
  /** [count, featureSize] of observations at positions that follow each other. */
  observations(positions: readonly number[]): Promise<Float32Array>
  /** [featureSize] of the first observation of an episode, by its frame. */
  start(frame: Uint8Array): Promise<Float32Array>
  /** [count, goalSize] of the same observations as goals: for a store that keeps them. */
  reached?(positions: readonly number[]): Promise<Float32Array>
  /** [goalSize] of a goal, by its frame and the first frame of the episode that it is for. */
  goal(frame: Uint8Array, start: Uint8Array): Promise<Float32Array>
}

const CONTINUES = 0
const TERMINATED = 1
const TRUNCATED = 2

/**
 * Experience as whole episodes in a ring of observations. Each observation is stored once, as features (latent or state) and,
 * if asked, as a uint8 frame. Positions are counted from the first observation ever stored and never reused, so an
 * episode is a range of positions and a transition goes from position p to p + 1. `terminated` and `truncated` stay apart.
 */
export class EpisodeStore {
  readonly options: EpisodeStoreOptions
  /** Numbers of a goal. */
  readonly goalSize: number
  readonly #features: Float32Array
  readonly #goals: Float32Array
  /** The features themselves where they are goals. */
  readonly #reached: Float32Array
  readonly #actions: Float32Array
  readonly #rewards: Float32Array
  readonly #ends: Uint8Array
  readonly #starts: Float64Array
  #frames: Uint8Array
  /** First position of each episode still (partly) stored, to its last; the open episode is not in it. */
  readonly #lastOf = new Map<number, number>()
  readonly #goalFrames = new Map<number, Uint8Array>()
  /** First observation of the one episode whose start was overwritten while later steps of it are still stored. */
  #lostStart: { readonly position: number; features: Float32Array; readonly frame: Uint8Array } | undefined
  #count = 0
  #openStart = -1
  #transitions = 0

  /** @throws ArmatureError `bad-argument` for sizes that are no whole numbers, or too small. */
  constructor(options: EpisodeStoreOptions) {
    this.options = options
    const { capacity, featureSize, goalSize = featureSize, actionSize, frameSize } = options
    this.goalSize = goalSize
    requireWhole('replay capacity', capacity, 2)
    requireWhole('replay featureSize', featureSize, frameSize > 0 ? 0 : 1)
    requireWhole('replay goalSize', goalSize, 0)
    requireWhole('replay actionSize', actionSize, 1)
    requireWhole('replay frameSize', frameSize, 0)
    this.#features = new Float32Array(capacity * featureSize)
    this.#goals = new Float32Array(capacity * goalSize)
    this.#reached = options.keepsReached === true ? new Float32Array(capacity * goalSize) : this.#features
    this.#actions = new Float32Array(capacity * actionSize)
    this.#rewards = new Float32Array(capacity)
    this.#ends = new Uint8Array(capacity)
    this.#starts = new Float64Array(capacity)
    this.#frames = new Uint8Array(capacity * frameSize)
  }

  /** Oldest position still stored. */
  get oldest(): number {
    return Math.max(0, this.#count - this.options.capacity)
  }

  /** One past the newest position. */
  get end(): number {
    return this.#count
  }

  /** Transitions that can be sampled. */
  get transitions(): number {
    return this.#transitions
  }

  /** Opens an episode with its first observation. @throws ArmatureError `bad-argument` while one is open. */
  begin(features: Float32Array, frame?: Uint8Array, goal?: Goal): void {
    if (this.#openStart >= 0) throw new ArmatureError('bad-argument', 'replay', { got: 'begin() within an episode' })
    this.#openStart = this.#count
    if (goal?.frame !== undefined && this.options.frameSize > 0) {
      this.#goalFrames.set(this.#count, Uint8Array.from(goal.frame))
    }
    this.#push(features, frame, goal?.features)
  }

  /**
   * Adds one step: the action taken from the newest observation, what it paid, and the observation it led to; `reached` is that observation
   * as a goal, where the store keeps it.
   */
  append(
    step: { action: Float32Array; reward: number; terminated: boolean; truncated: boolean },
    features: Float32Array,
    frame?: Uint8Array,
    reached?: Float32Array,
  ): void {
    if (this.#openStart < 0) throw new ArmatureError('bad-argument', 'replay', { got: 'append() before begin()' })
    const { actionSize, keepsReached = false } = this.options
    const { goalSize } = this
    if (keepsReached && reached?.length !== goalSize) {
      throw new ArmatureError('bad-shape', 'what a step has reached', {
        expected: `${goalSize} numbers`,
        got: String(reached?.length),
      })
    }
    const from = this.#slot(this.#count - 1)
    this.#actions.set(step.action, from * actionSize)
    this.#rewards[from] = step.reward
    const goal = view(this.#goals, from, goalSize)
    this.#push(features, frame, goal)
    if (keepsReached) this.#reached.set(reached!, this.#slot(this.#count - 1) * goalSize)
    this.#transitions++
    if (!step.terminated && !step.truncated) return
    this.#ends[this.#slot(this.#count - 1)] = step.terminated ? TERMINATED : TRUNCATED
    this.#lastOf.set(this.#openStart, this.#count - 1)
    this.#openStart = -1
  }

  /** Ends the open episode where it is, as when time runs out: bootstrap from its last observation. */
  cut(): void {
    if (this.#openStart < 0) throw new ArmatureError('bad-argument', 'replay', { got: 'cut() before begin()' })
    this.#ends[this.#slot(this.#count - 1)] = TRUNCATED
    this.#lastOf.set(this.#openStart, this.#count - 1)
    this.#openStart = -1
  }

  /** True where a transition starts at `position` (it is stored and is not the last observation of its episode). */
  startsTransition(position: number): boolean {
    return position >= this.oldest && position < this.#count - 1 && this.#ends[this.#slot(position)] === CONTINUES
  }

  /** Where a transition starts, each as likely. @throws ArmatureError `bad-argument` for an empty store. */
  drawTransition(rng: Rng): number {
    if (this.#transitions === 0)
      throw new ArmatureError('bad-argument', 'replay', { got: 'a sample of an empty store' })
    const { oldest } = this
    const span = this.#count - oldest
    for (;;) {
      const position = oldest + rng.int(span)
      if (this.startsTransition(position)) return position
    }
  }

  /** True where the transition into `position` terminated its episode. */
  terminatedAt(position: number): boolean {
    return this.#ends[this.#slot(position)] === TERMINATED
  }

  /** Position of the first observation of the episode that `position` belongs to; it may be overwritten by now. */
  firstOfEpisode(position: number): number {
    return this.#starts[this.#slot(position)]!
  }

  /** The first observation of the episode that `position` belongs to, also where the ring has overwritten it. */
  startOf(position: number): EpisodeStart {
    const start = this.firstOfEpisode(position)
    if (start < this.oldest) {
      const { features, frame } = this.#lostStart!
      return frame.length === 0 ? { features } : { features, frame }
    }
    const features = this.featuresAt(start)
    return this.options.frameSize === 0 ? { features } : { features, frame: this.frameAt(start) }
  }

  /** Last position stored of the episode that `position` belongs to. */
  lastOfEpisode(position: number): number {
    return this.#lastOf.get(this.#starts[this.#slot(position)]!) ?? this.#count - 1
  }

  /** Views into the store, valid until it is written to. */
  featuresAt(position: number): Float32Array {
    return view(this.#features, this.#slot(position), this.options.featureSize)
  }

  goalAt(position: number): Float32Array {
    return view(this.#goals, this.#slot(position), this.goalSize)
  }

  actionAt(position: number): Float32Array {
    return view(this.#actions, this.#slot(position), this.options.actionSize)
  }

  /** Copies what is stored at `position` to `target` from `offset` on: for batches, where a view per row costs too much. */
  readFeatures(position: number, target: Float32Array, offset: number): void {
    copyRow(this.#features, this.#slot(position), this.options.featureSize, target, offset)
  }

  /** The same of what the step to `position` reached, as a goal. */
  readReached(position: number, target: Float32Array, offset: number): void {
    copyRow(this.#reached, this.#slot(position), this.goalSize, target, offset)
  }

  readGoal(position: number, target: Float32Array, offset: number): void {
    copyRow(this.#goals, this.#slot(position), this.goalSize, target, offset)
  }

  readAction(position: number, target: Float32Array, offset: number): void {
    copyRow(this.#actions, this.#slot(position), this.options.actionSize, target, offset)
  }

  rewardAt(position: number): number {
    return this.#rewards[this.#slot(position)]!
  }

  frameAt(position: number): Uint8Array {
    const { frameSize } = this.options
    if (frameSize === 0)
      throw new ArmatureError('bad-argument', 'replay', { got: 'frameAt() of a store without frames' })
    const slot = this.#slot(position)
    return this.#frames.subarray(slot * frameSize, (slot + 1) * frameSize)
  }

  /** All frames stored, in no particular order, [count, ...]: a view. */
  storedFrames(): Uint8Array {
    const { capacity, frameSize } = this.options
    return this.#frames.subarray(0, Math.min(this.#count, capacity) * frameSize)
  }

  /** The image of the goal that the episode of `position` was collected for. */
  goalFrameAt(position: number): Uint8Array {
    const frame = this.#goalFrames.get(this.#starts[this.#slot(position)]!)
    if (frame === undefined)
      throw new ArmatureError('bad-argument', 'replay', { got: 'an episode without a goal frame' })
    return frame
  }

  /** Frame of observation `time` in the episode of `position`; where the ring has overwritten it, the next that is left (the first is kept). */
  frameWithin(position: number, time: number): Uint8Array {
    const start = this.firstOfEpisode(position)
    if (time === 0) return this.startOf(position).frame!
    return this.frameAt(Math.max(start + time, this.oldest))
  }

  /** Replaces all stored features, after the encoder has learned on. Goals without a frame stay. */
  async reencode(encode: StoreEncoding, chunk = 256): Promise<void> {
    const { goalSize } = this
    const { featureSize } = this.options
    for (let from = this.oldest; from < this.#count; from += chunk) {
      const positions = Array.from({ length: Math.min(chunk, this.#count - from) }, (_, i) => from + i)
      const features = await encode.observations(positions)
      positions.forEach((position, row) => this.featuresAt(position).set(view(features, row, featureSize)))
      const reached = this.options.keepsReached === true ? await encode.reached!(positions) : features
      positions.forEach((position, row) =>
        view(this.#reached, this.#slot(position), goalSize).set(view(reached, row, goalSize)),
      )
    }
    if (this.#lostStart) this.#lostStart.features = await encode.start(this.#lostStart.frame)
    for (const [start, frame] of this.#goalFrames) {
      const last = this.#lastOf.get(start) ?? this.#count - 1
      const goal = await encode.goal(frame, this.frameWithin(last, 0))
      for (let p = Math.max(start, this.oldest); p <= last; p++) this.goalAt(p).set(goal)
    }
  }

  /** The whole content by name; `restore` of a store with the same options continues exactly. */
  save(): NamedArrays {
    const { goalSize } = this
    const { capacity, featureSize, actionSize, frameSize, keepsReached = false } = this.options
    const stored = Math.min(this.#count, capacity)
    const starts = [...this.#lastOf.keys()]
    const goalFrames = [...this.#goalFrames]
    return {
      features: ndarray(this.#features.subarray(0, stored * featureSize), [stored, featureSize]),
      goals: ndarray(this.#goals.subarray(0, stored * goalSize), [stored, goalSize]),
      ...(keepsReached && {
        reached: ndarray(this.#reached.subarray(0, stored * goalSize), [stored, goalSize]),
      }),
      actions: ndarray(this.#actions.subarray(0, stored * actionSize), [stored, actionSize]),
      rewards: ndarray(this.#rewards.subarray(0, stored), [stored]),
      ends: ndarray(this.#ends.subarray(0, stored), [stored]),
      starts: ndarray(this.#starts.subarray(0, stored), [stored]),
      frames: ndarray(this.#frames.subarray(0, stored * frameSize), [stored, frameSize]),
      episodes: ndarray(Float64Array.from(starts.flatMap((s) => [s, this.#lastOf.get(s)!])), [starts.length, 2]),
      goalFrameStarts: ndarray(
        Float64Array.from(goalFrames, ([start]) => start),
        [goalFrames.length],
      ),
      goalFrames: ndarray(concatenated([new Uint8Array(0), ...goalFrames.map(([, f]) => f)]), [
        goalFrames.length,
        frameSize,
      ]),
      ...this.#savedLostStart(),
      cursor: ndarray(Float64Array.of(this.#count, this.#openStart, this.#transitions), [3]),
    }
  }

  restore(arrays: NamedArrays): void {
    const take = (name: string, into: { set(data: ArrayLike<number>): void; length: number }): void => {
      const array = arrays[name]
      if (array === undefined || array.data.length > into.length) {
        throw new ArmatureError('corrupt-file', `replay array ${name}`, {
          expected: `at most ${into.length} elements`,
          got: array === undefined ? 'nothing' : String(array.data.length),
        })
      }
      into.set(array.data)
    }
    const cursor = new Float64Array(3)
    take('features', this.#features)
    take('goals', this.#goals)
    if (this.options.keepsReached === true) take('reached', this.#reached)
    take('actions', this.#actions)
    take('rewards', this.#rewards)
    take('ends', this.#ends)
    take('starts', this.#starts)
    take('frames', this.#frames)
    take('cursor', cursor)
    ;[this.#count, this.#openStart, this.#transitions] = [cursor[0]!, cursor[1]!, cursor[2]!]
    const { lostStart, lostStartFeatures, lostStartFrame } = arrays
    this.#lostStart = lostStart && {
      position: lostStart.data[0]!,
      features: Float32Array.from(lostStartFeatures!.data),
      frame: Uint8Array.from(lostStartFrame!.data),
    }
    this.#lastOf.clear()
    const episodes = arrays.episodes!.data
    for (let i = 0; i < episodes.length; i += 2) this.#lastOf.set(episodes[i]!, episodes[i + 1]!)
    this.#goalFrames.clear()
    const { frameSize } = this.options
    const bytes = arrays.goalFrames!.data as Uint8Array
    arrays.goalFrameStarts!.data.forEach((start, i) => {
      this.#goalFrames.set(start, bytes.slice(i * frameSize, (i + 1) * frameSize))
    })
  }

  #savedLostStart(): NamedArrays {
    if (this.#lostStart === undefined) return {}
    const { position, features, frame } = this.#lostStart
    return {
      lostStart: ndarray(Float64Array.of(position), [1]),
      lostStartFeatures: ndarray(features, [features.length]),
      lostStartFrame: ndarray(frame, [frame.length]),
    }
  }

  /** Row of the ring that holds `position`. Not `%`, which is a slow call for numbers that are not small integers. */
  #slot(position: number): number {
    const { capacity } = this.options
    return position - Math.floor(position / capacity) * capacity
  }

  #push(features: Float32Array, frame: Uint8Array | undefined, goal: Float32Array | undefined): void {
    const { capacity, featureSize, frameSize } = this.options
    const slot = this.#slot(this.#count)
    if (this.#count >= capacity) this.#forget(this.#count - capacity)
    this.#features.set(features, slot * featureSize)
    if (goal !== undefined) this.#goals.set(goal, slot * this.goalSize)
    if (frameSize > 0) {
      if (frame?.length !== frameSize) {
        throw new ArmatureError('bad-shape', 'replay frame', {
          expected: `${frameSize} bytes`,
          got: String(frame?.length),
        })
      }
      this.#frames.set(frame, slot * frameSize)
    }
    this.#ends[slot] = CONTINUES
    this.#starts[slot] = this.#openStart
    this.#count++
  }

  /** The observation at `position` is about to be overwritten. */
  #forget(position: number): void {
    const start = this.#starts[this.#slot(position)]!
    if (this.#ends[this.#slot(position)] === CONTINUES) {
      this.#transitions--
      if (position === start) this.#keepStart(position)
      return
    }
    if (this.#lostStart?.position === start) this.#lostStart = undefined
    this.#lastOf.delete(start)
    this.#goalFrames.delete(start)
  }

  #keepStart(position: number): void {
    const frame = this.options.frameSize === 0 ? new Uint8Array(0) : this.frameAt(position).slice()
    this.#lostStart = { position, features: this.featuresAt(position).slice(), frame }
  }
}

function view(data: Float32Array, row: number, width: number): Float32Array {
  return data.subarray(row * width, (row + 1) * width)
}

/** A loop: below a hundred elements `subarray` and `set` take longer to call than to copy. */
function copyRow(data: Float32Array, row: number, width: number, target: Float32Array, offset: number): void {
  for (let i = 0, from = row * width; i < width; i++) target[offset + i] = data[from + i]!
}
