import type { Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { RngState } from '../../src/core/rng.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Task } from '../task.ts'
import type { DistractorOptions, DistractorState } from './distractor.ts'
import { Distractor } from './distractor.ts'

/** The options of a scene that make episodes look or behave different. */
export interface LookOptions {
  readonly distractor?: DistractorOptions
}

/** Serialisable state of a {@link Look}. */
export interface LookState {
  /** The options that it was made with. */
  readonly options: string
  readonly rng: RngState
  readonly distractor?: DistractorState
}

/** What `options` ask for; undefined when that is nothing, so that scenes pay for nothing. */
export function createLook(task: Task, options: LookOptions): Look | undefined {
  const { distractor } = options
  return distractor === undefined || distractor.kind === 'none' ? undefined : new Look(task, { distractor })
}

/**
 * What differs from episode to episode besides the task's own start and goal. It draws from a random stream of its own, so starts and goals
 * are the same with and without it.
 */
export class Look {
  readonly distractor: Distractor | undefined
  readonly #id: string
  readonly #options: string
  #rng: Rng = streamOf(0)

  constructor({ scene, spec }: Task, options: LookOptions) {
    this.#id = spec.id
    this.#options = JSON.stringify(options, (key, value: unknown) => (key === 'frames' ? 'given' : value))
    if (options.distractor !== undefined) {
      this.distractor = new Distractor(options.distractor, scene.spec.shadow !== undefined)
    }
  }

  /** Before the task's reset. `seed` restarts the stream, as that of the env. */
  begin(seed: number | undefined): void {
    if (seed !== undefined) this.#rng = streamOf(seed)
    const episode = new Rng(this.#rng.nextSeed())
    this.distractor?.begin(episode.split('distractor'))
  }

  /** After a control step. */
  advance(): void {
    this.distractor?.advance()
  }

  get info(): Info {
    return { ...this.distractor?.info }
  }

  get state(): LookState {
    return {
      options: this.#options,
      rng: this.#rng.state,
      ...(this.distractor && { distractor: this.distractor.state }),
    }
  }

  /** @throws ArmatureError `bad-argument` for a state of other options. */
  set state(state: LookState) {
    if (state.options !== this.#options) throw otherLook(this.#id)
    this.#rng = Rng.fromState(state.rng)
    if (state.distractor !== undefined) this.distractor!.state = state.distractor
  }
}

/** The error for a saved state that an env with other randomisation or another distractor has made. */
export function otherLook(id: string): ArmatureError {
  return new ArmatureError('bad-argument', `state for ${id}`, {
    expected: 'one saved with the same randomisation and distractor',
    got: 'one of other options',
  })
}

function streamOf(seed: number): Rng {
  return new Rng(seed).split('look')
}
