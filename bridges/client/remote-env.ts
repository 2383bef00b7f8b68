import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Env,
  EnvSpec,
  EnvState,
  GoalEnv,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { checkAction, imageSpace } from '../../src/core/spaces.ts'
import type { PolicyClientOptions } from './options.ts'
import { PolicyClient } from './policy-client.ts'
import type { GoalContent, ImageContent, ObservationContent } from '../protocol/messages.ts'
import type { Json, RobotSchema } from '../protocol/schema.ts'
import { spaceOf } from '../protocol/schema.ts'

export interface RemoteEnvOptions extends PolicyClientOptions {
  /**
   * The same scene in this process: answers what a robot cannot be asked across the bridge, such as the distance between two goals.
   * It is never stepped.
   */
  readonly twin?: GoalEnv
  /** Whether a reset arms the robot where it is not; default true. Otherwise an operator does that first. */
  readonly arms?: boolean
}

/** Observations in real time after which an action counts as not executed. */
const PATIENCE = 4
/** For a robot to say that it stops. */
const LET_GO_MS = 500

interface Recorded {
  readonly reset?: ResetOptions
  readonly action?: readonly number[]
}

/**
 * A robot across the bridge as an ordinary env: training, collection and evaluation run on it as they are. In lock-step it is bit-equal to
 * the scene in process. In real time a step lasts a control period and returns what the robot then shows; `appliedAction` is what it did.
 * There the robot is started by the first step of an episode and rests from its end to the next, however long that takes.
 *
 * In real time it is no simulated env: a robot's state cannot be saved, and what needs that waits for the end of an episode. In lock-step it
 * is one: an episode is played again from its reset, which must have had a seed, and the state is the same bit for bit.
 *
 * @example
 * const env = await connectRemoteEnv({ endpoint: 'tcp://127.0.0.1:5600', clock })
 * let { observation } = await env.reset({ seed: 7 })
 *
 * Errors, besides those of every env: `env-failed` when the robot refuses, stops or cannot be reached.
 */
export class RemoteEnv implements Env {
  /** In lock-step alone. */
  declare readonly saveState?: SimulatedEnv['saveState']
  /** In lock-step alone. @throws ArmatureError `unsupported-op` for an episode that was reset without a seed */
  declare readonly restoreState?: SimulatedEnv['restoreState']
  readonly spec: EnvSpec
  readonly client: PolicyClient
  protected goalContent: GoalContent | undefined
  /** Since the last reset with a seed. */
  readonly #history: Recorded[] = []
  readonly #arms: boolean
  #latest: ObservationContent | undefined
  #isOver = true
  #isStarted = false
  #isClosed = false

  constructor(client: PolicyClient, arms = true) {
    this.client = client
    this.#arms = arms
    this.spec = specOf(client.schema)
    if (!this.isLockstep) return
    const saving: Pick<SimulatedEnv, 'saveState' | 'restoreState'> = {
      saveState: () => this.#saveState(),
      restoreState: (state) => this.#replay(state),
    }
    Object.assign(this, saving)
  }

  /** Whether it would take a step now: it has been reset, and the episode goes on. */
  get isInEpisode(): boolean {
    return !this.#isOver && !this.#isClosed
  }

  get isLockstep(): boolean {
    return this.client.welcome.mode === 'lockstep'
  }

  async reset(options: ResetOptions = {}): Promise<ResetResult> {
    this.#requireOpen()
    await this.#prepare()
    const { seed } = options
    const observation = await this.client.reset({
      ...(seed === undefined ? {} : { seed }),
      ...(options.options === undefined ? {} : { options: options.options as Readonly<Record<string, Json>> }),
    })
    if (this.isLockstep) await this.client.start()
    this.#isStarted = this.isLockstep
    if (seed !== undefined) this.#history.length = 0
    this.#history.push({ reset: options })
    this.goalContent = observation.goal
    this.#latest = observation
    this.#isOver = false
    return { observation: observationOf(observation), info: observation.info }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.#requireOpen()
    if (this.#isOver) throw new ArmatureError('needs-reset', `env ${this.spec.id}`, { fix: 'call reset first' })
    checkAction(this.spec.actionSpace, action)
    const { observationSeq } = this.#latest!
    const { isLockstep } = this
    const next = isLockstep
      ? await this.client.step(action, observationSeq)
      : await this.#stepInTime(action, observationSeq)
    if (isLockstep) this.#history.push({ action: [...action] })
    this.#latest = next
    const { reward, terminated, truncated, info, applied } = next
    this.#isOver = terminated || truncated
    if (this.#isOver && !isLockstep) await this.client.pause()
    const result = { observation: observationOf(next), reward, terminated, truncated, info }
    return applied === undefined ? result : { ...result, appliedAction: applied.action }
  }

  /** What a camera showed last; a robot renders nothing else. */
  async render(camera?: string, size?: { readonly width: number; readonly height: number }): Promise<Uint8Array> {
    this.#requireOpen()
    const name = camera ?? Object.keys(this.spec.imageSpaces)[0]
    const image = name === undefined ? undefined : this.#latest?.images[name]
    const [height, width] = image?.pixels.shape ?? []
    if (image === undefined || (size !== undefined && (size.width !== width || size.height !== height))) {
      throw new ArmatureError('bad-argument', `render of ${this.spec.id} across the bridge`, {
        expected: `a camera of ${Object.keys(this.spec.imageSpaces).join(' or ') || 'none'} in its own size, after a reset`,
        got: `${name ?? 'none'}${size === undefined ? '' : ` ${size.width}x${size.height}`}`,
      })
    }
    return image.pixels.data.slice()
  }

  async #saveState(): Promise<EnvState> {
    this.#requireOpen()
    if (this.#latest === undefined)
      throw new ArmatureError('needs-reset', `env ${this.spec.id}`, { fix: 'call reset first' })
    return { id: this.spec.id, json: JSON.stringify(this.#history), snapshot: new Uint8Array(0) }
  }

  async #replay({ id, json }: EnvState): Promise<void> {
    if (id !== this.spec.id) throw new ArmatureError('bad-value', 'env state', { expected: this.spec.id, got: id })
    const history = JSON.parse(json) as Recorded[]
    if (history[0]?.reset?.seed === undefined) {
      throw new ArmatureError('unsupported-op', `the interrupted episode of ${id}`, {
        got: 'a reset without a seed, which cannot be had twice',
        fix: 'reset with a seed',
      })
    }
    for (const { reset, action } of history) {
      if (reset !== undefined) await this.reset(reset)
      if (action !== undefined) await this.step(Float32Array.from(action))
    }
  }

  /** Comes to rest and gives the lease back, as far as the robot answers within half a second; the next reset takes it again. */
  async letGo(): Promise<void> {
    this.#isOver = true
    const stop = async (): Promise<void> => {
      if (this.client.hasLease) await this.client.stop('hold')
      if (this.client.hasLease) await this.client.release()
    }
    // A robot that is latched refuses this, and one that is gone does not answer: nothing more can be done from here.
    await Promise.race([stop().catch(() => undefined), sleep(LET_GO_MS, undefined, { ref: false })])
  }

  /** Lets the robot go: a client that leaves one in motion makes it latch its stop. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.letGo()
    await this.client.close()
  }

  /** Lease and arming, where they are missing: at the start, and after the robot took them away. */
  async #prepare(): Promise<void> {
    if (!this.client.hasLease || this.client.state === 'IDLE') await this.client.lease()
    if (!this.client.armed && this.#arms) await this.client.arm()
  }

  async #stepInTime(action: Float32Array, observationSeq: number): Promise<ObservationContent> {
    if (!this.#isStarted) await this.client.start()
    this.#isStarted = true
    const seq = this.client.act(action, { observationSeq })
    let next = await this.client.nextObservation()
    for (let i = 1; i < PATIENCE && (next.applied?.seq ?? 0) < seq; i++) next = await this.client.nextObservation()
    const { state } = this.client
    if (state === 'ACTIVE' || state === 'HOLD') return next
    this.#isOver = true
    throw new ArmatureError('env-failed', `robot ${this.spec.id}`, {
      expected: 'ACTIVE',
      got: state,
      fix:
        state === 'READY' || state === 'IDLE' ? 'reset to go on' : 'an operator must clear it: see its events for why',
    })
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ArmatureError('closed', `env ${this.spec.id}`)
  }
}

/** A robot that is told what to reach. Goals other than the episode's are asked of the twin, where there is one. */
export class RemoteGoalEnv extends RemoteEnv implements GoalEnv {
  readonly goalSpace: BoxSpace
  readonly #twin: GoalEnv | undefined

  constructor(client: PolicyClient, goalSpace: BoxSpace, { twin, arms }: Pick<RemoteEnvOptions, 'twin' | 'arms'> = {}) {
    super(client, arms)
    this.goalSpace = goalSpace
    this.#twin = twin
  }

  get goal(): Float32Array {
    if (this.goalContent === undefined) throw new ArmatureError('needs-reset', 'goal', { fix: 'call reset first' })
    return this.goalContent.state
  }

  sampleGoal(rng: Rng): Float32Array {
    return this.#scene('another goal').sampleGoal(rng)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return this.#scene('the goal that a state has reached').achievedGoal(state)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return this.#scene('the distance between two goals').goalDistances(achieved, desired)
  }

  async renderGoal(goal: Float32Array): Promise<Readonly<Record<string, Uint8Array>>> {
    const own = this.goalContent
    const isOwn = own?.state.length === goal.length && own.state.every((x, i) => Object.is(x, goal[i]))
    return own !== undefined && isOwn ? pixelsOf(own.images) : this.#scene('a picture of another goal').renderGoal(goal)
  }

  #scene(what: string): GoalEnv {
    if (this.#twin !== undefined) return this.#twin
    throw new ArmatureError('unsupported-op', `${what} of ${this.spec.id}`, {
      got: 'a robot across the bridge, which knows the goal of its episode only',
      fix: 'give connectRemoteEnv a twin, the same scene in this process',
    })
  }
}

/**
 * Connects to a robot and takes its lease, so that no other client can move it.
 * @throws ArmatureError `env-failed` where there is none, or it refuses
 */
export async function connectRemoteEnv(options: RemoteEnvOptions): Promise<RemoteEnv | RemoteGoalEnv> {
  const client = await PolicyClient.connect(options)
  try {
    await client.lease()
  } catch (error) {
    await client.close()
    throw error
  }
  const { goal } = client.schema
  return goal === undefined ? new RemoteEnv(client, options.arms) : new RemoteGoalEnv(client, spaceOf(goal), options)
}

function specOf(schema: RobotSchema): EnvSpec {
  const { name, action, proprio, state, images, controlHz, maxEpisodeSteps } = schema
  const cameras = Object.entries(images).map(
    ([camera, { shape }]) => [camera, imageSpace(shape[0]!, shape[1]!)] as const,
  )
  return {
    id: name,
    actionSpace: spaceOf(action),
    proprioSpace: spaceOf(proprio),
    stateSpace: spaceOf(state),
    imageSpaces: Object.fromEntries(cameras),
    controlHz,
    maxEpisodeSteps,
  }
}

function observationOf({ images, proprio, state }: ObservationContent): Observation {
  return { images: pixelsOf(images), proprio, state }
}

function pixelsOf(images: Readonly<Record<string, ImageContent>>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(images).map(([name, { pixels }]) => [name, pixels.data]))
}
