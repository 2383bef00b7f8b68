import type { Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { RngState } from '../../src/core/rng.ts'
import { Rng } from '../../src/core/rng.ts'
import type { CameraSpec } from '../camera/camera.ts'
import type { Task } from '../task.ts'
import type { ActionChannelState } from './action-channel.ts'
import { ActionChannel } from './action-channel.ts'
import type { DistractorOptions, DistractorState } from './distractor.ts'
import { Distractor } from './distractor.ts'
import type { MismatchOptions } from './mismatch.ts'
import { PastActions } from './past-actions.ts'
import type { RandomizeOptions } from './randomize.ts'
import { Randomizer, variesScene } from './randomize.ts'
import type { StateNoiseState } from './state-noise.ts'
import { StateNoise } from './state-noise.ts'

/** The options of a scene that make episodes look or behave different. */
export interface LookOptions {
  readonly distractor?: DistractorOptions
  readonly randomize?: RandomizeOptions
  /** Of it, the delay alone is known here. */
  readonly mismatch?: MismatchOptions
  /** Numbers of noise behind the privileged state. */
  readonly noiseDims?: number
  /** How many of the last actions are seen. */
  readonly pastActions?: number
}

/** Serialisable state of a {@link Look}. */
export interface LookState {
  /** The options that it was made with. */
  readonly options: string
  readonly rng: RngState
  /** All that was drawn for the episode follows from it. */
  readonly episodeSeed: number
  readonly distractor?: DistractorState
  readonly channel?: ActionChannelState
  readonly noise?: StateNoiseState
  /** {@link PastActions.values} */
  readonly past?: readonly number[]
}

/** What `options` ask for; undefined when that is nothing, so that scenes pay for nothing. */
export function createLook(
  task: Task,
  cameras: ReadonlyMap<string, CameraSpec>,
  { distractor, randomize = {}, mismatch: { delaySteps = 0 } = {}, noiseDims = 0, pastActions = 0 }: LookOptions,
): Look | undefined {
  const isDistracting = distractor !== undefined && distractor.kind !== 'none'
  const isRandom = Object.values(randomize).some((amount) => amount > 0)
  if (!isDistracting && !isRandom && delaySteps === 0 && noiseDims === 0 && pastActions === 0) return undefined
  const late = delaySteps > 0 && { mismatch: { delaySteps } }
  return new Look(task, cameras, {
    randomize,
    ...(isDistracting && { distractor }),
    ...late,
    ...(noiseDims > 0 && { noiseDims }),
    ...(pastActions > 0 && { pastActions }),
  })
}

/**
 * What differs from episode to episode besides the task's own start and goal. It draws from a random stream of its own, so starts and goals
 * are the same with and without it.
 */
export class Look {
  readonly distractor: Distractor | undefined
  readonly noise: StateNoise | undefined
  readonly past: PastActions | undefined
  readonly #id: string
  readonly #options: string
  readonly #randomizer: Randomizer | undefined
  readonly #channel: ActionChannel | undefined
  #rng: Rng = streamOf(0)
  #episodeSeed = 0
  #info: Info = {}

  constructor(task: Task, cameras: ReadonlyMap<string, CameraSpec>, options: LookOptions) {
    const { distractor, randomize = {}, mismatch: { delaySteps = 0 } = {}, noiseDims = 0, pastActions = 0 } = options
    const { actionDelay = 0, actionNoise = 0 } = randomize
    this.#id = task.spec.id
    this.#options = JSON.stringify(options, (key, value: unknown) =>
      key === 'frames' && typeof value !== 'string' ? 'given' : value,
    )
    if (distractor !== undefined) this.distractor = new Distractor(distractor, task.scene.spec.shadow !== undefined)
    if (noiseDims > 0) this.noise = new StateNoise(noiseDims)
    if (pastActions > 0) this.past = new PastActions(pastActions, task.spec.actionNames.length)
    if (variesScene(randomize)) this.#randomizer = new Randomizer(randomize, task, cameras)
    if (actionDelay > 0 || actionNoise > 0 || delaySteps > 0) {
      this.#channel = new ActionChannel(task.spec.actionNames.length, actionDelay, actionNoise, delaySteps)
    }
  }

  /** Draws the next episode, before the task's reset. `seed` restarts the stream, as that of the env. */
  begin(seed: number | undefined): void {
    if (seed !== undefined) this.#rng = streamOf(seed)
    this.#episodeSeed = this.#rng.nextSeed()
    const episode = new Rng(this.#episodeSeed)
    this.#randomizer?.draw(episode)
    this.distractor?.begin(episode.split('distractor'))
    this.#channel?.begin(episode.split('action'))
    this.noise?.begin(episode.split('noise'))
    this.past?.begin()
  }

  /** After the task's reset or restore. */
  dress(): void {
    this.#randomizer?.dress()
    this.#info = { ...this.#randomizer?.info, ...this.#channel?.info }
  }

  /** Goes on by a control step, with `action` sent; returns what arrives. */
  advance(action: Float32Array): Float32Array {
    this.distractor?.advance()
    this.noise?.advance()
    return this.#channel?.pass(action) ?? action
  }

  /** Where the camera is in this episode; undefined when it is where it always is. */
  camera(name: string): CameraSpec | undefined {
    return this.#randomizer?.camera(name)
  }

  get info(): Info {
    return { ...this.#info, ...this.distractor?.info }
  }

  get state(): LookState {
    return {
      options: this.#options,
      rng: this.#rng.state,
      episodeSeed: this.#episodeSeed,
      ...(this.distractor && { distractor: this.distractor.state }),
      ...(this.#channel && { channel: this.#channel.state }),
      ...(this.noise && { noise: this.noise.state }),
      ...(this.past && { past: [...this.past.values] }),
    }
  }

  /**
   * Before the task's restore.
   * @throws ArmatureError `bad-argument` for a state of other options.
   */
  restore(state: LookState): void {
    if (state.options !== this.#options) throw otherLook(this.#id)
    this.#rng = Rng.fromState(state.rng)
    this.#episodeSeed = state.episodeSeed
    this.#randomizer?.draw(new Rng(state.episodeSeed))
    if (state.distractor !== undefined) this.distractor!.state = state.distractor
    if (state.channel !== undefined) this.#channel!.state = state.channel
    if (state.noise !== undefined) this.noise!.state = state.noise
    if (state.past !== undefined) this.past!.values.set(state.past)
  }
}

/** The error for a saved state that an env with other randomisation, another distractor, other noise or another number of past actions has made. */
export function otherLook(id: string): ArmatureError {
  return new ArmatureError('bad-argument', `state for ${id}`, {
    expected: 'one saved with the same randomisation, distractor, noise and past actions',
    got: 'one of other options',
  })
}

function streamOf(seed: number): Rng {
  return new Rng(seed).split('look')
}
