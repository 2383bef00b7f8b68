import type { RobotReading, RobotResetOptions } from '../../src/core/robot.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Counters } from '../protocol/counters.ts'
import { Histogram } from '../protocol/histogram.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { ActionMessage, AppliedContent, ChunkMessage, ObservationContent } from '../protocol/messages.ts'
import type { Driver } from './driver.ts'
import { LimitEngine } from '../safety/limit-engine.ts'
import type { LimitProfile } from '../safety/limits.ts'
import type { TimedSteps } from '../safety/scheduler.ts'
import { ActionScheduler } from '../safety/scheduler.ts'
import { goalContent, imageContents, picked } from './contents.ts'
import type { ActionProblem } from '../safety/outcomes.ts'

/** Who sent an action, and what decided on it, where that was said. */
export interface Sender {
  readonly id: number
  readonly name: string
  readonly policy?: string | undefined
}

export interface MotionOptions {
  readonly driver: Driver
  readonly limits: LimitProfile
  readonly clock: () => number
  /** How long a single action counts where no other follows. */
  readonly holdUs: number
  readonly maxLeadUs: number
  /** An action that answers an observation captured before that is refused; Infinity: none is. */
  readonly maxObservationAgeUs: number
  /** Of chunks that say nothing of blending, and of those that say more than the limit. */
  readonly blending: { readonly defaultUs: number; readonly maxUs: number }
  /** Position actions: in a straight line from each step to the next. */
  readonly interpolates: boolean
  /** Given each new observation before the robot can overwrite its arrays. */
  readonly publish: (content: ObservationContent) => void
  /** Told of each reading that is fresh. */
  readonly onFreshReading: (nowUs: number) => void
}

/** What to do in a control period. */
export type Motive = 'act' | 'hold' | 'rest'

/** Messages and observations that are remembered: for the feedback, and to know how old what an action answers is. */
const REMEMBERED = 1024
/** Of nobody: the robot brakes. */
const NOBODY: Sender = { id: 0, name: '' }

/**
 * The robot, its limits and its queue of actions: the only code that moves it. Calls of the robot never overlap, whoever asks for them.
 */
export class Motion {
  readonly #options: MotionOptions
  readonly #limits: LimitEngine
  readonly #scheduler: ActionScheduler
  readonly #counters = new Counters()
  readonly #answers = new Map<number, { readonly observationSeq: number; readonly sender: Sender }>()
  /** When observation k was captured, at k modulo their number. */
  readonly #capturesUs = new Float64Array(REMEMBERED)
  /** Where the elements of an action are in the proprioception, if all are. */
  readonly #poseIndices: readonly number[] | undefined
  readonly #ages = new Histogram()
  #turn: Promise<unknown> = Promise.resolve()
  #turns = 0
  #interruption: AbortController | undefined
  #observationSeq = 0
  #answered = 0
  #episode = { id: 0, step: 0 }
  #isOver = false
  #hasCommanded = false
  #pose: Float32Array | undefined
  #applied: AppliedContent | undefined
  #health = { dropped: 0, rejected: 0 }

  constructor(options: MotionOptions) {
    const { actionSpace, actionKind, controlHz, proprioSpace } = options.driver.spec
    this.#options = options
    this.#limits = new LimitEngine(options.limits, actionKind, 1 / controlHz)
    this.#scheduler = new ActionScheduler({
      size: sizeOf(actionSpace.shape),
      kind: actionKind,
      interpolates: options.interpolates,
      maxLeadUs: options.maxLeadUs,
    })
    const indices = actionSpace.names?.map((name) => proprioSpace.names?.indexOf(name) ?? -1)
    this.#poseIndices = indices?.every((i) => i >= 0) === true ? indices : undefined
  }

  get observationSeq(): number {
    return this.#observationSeq
  }

  /** Whether the robot ended the episode: until the next reset it does not move. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the robot is called, or about to be. */
  get isBusy(): boolean {
    return this.#turns > 0
  }

  get atRest(): boolean {
    return this.#limits.atRest
  }

  /** Longest time that it takes to come to rest, microseconds. */
  get brakingUs(): number {
    return this.#limits.brakingTimeS * 1e6
  }

  /** How old readings were when they came, microseconds. */
  get readingAges(): Histogram {
    return this.#ages
  }

  /** What became of all actions: received = applied + late + too_early + superseded + rejected + pending. */
  counts(): Readonly<Record<string, number>> {
    const direct = this.#counters.toRecord()
    const { received, applied, late, tooEarly, superseded, pending } = this.#scheduler.counters
    return {
      ...direct,
      actions_received: direct.actions_received! + received,
      actions_applied: direct.actions_applied! + applied,
      actions_late: direct.actions_late! + late,
      actions_too_early: direct.actions_too_early! + tooEarly,
      actions_superseded: direct.actions_superseded! + superseded,
      actions_pending: pending,
    }
  }

  /** An action that will not be executed. */
  refuse(code: ErrorCode, count = 1): void {
    this.#counters.received(count)
    if (code === 'late') this.#counters.settle('late', count)
    else if (code === 'too_early') this.#counters.settle('tooEarly', count)
    else this.#counters.reject(code, count)
    if (code !== 'late' && code !== 'too_early') this.#health.rejected += count
    else this.#health.dropped += count
  }

  /** What is wrong with an action in itself, before anyone asks who sent it. */
  problemOf(message: ActionMessage | ChunkMessage, nowUs: number): ActionProblem | undefined {
    const { observationSeq } = message
    if (observationSeq > this.#observationSeq) return 'too_early'
    if (observationSeq > 0 && nowUs - this.#captureUs(observationSeq) > this.#options.maxObservationAgeUs) {
      return 'stale_observation'
    }
    for (const action of actionsOf(message, this.#size)) {
      const problem = this.#limits.validate(action)
      if (problem !== undefined) return problem
    }
    const steps = this.#stepsOf(message, nowUs)
    if (steps.actions.length === 0) return 'bad_shape'
    return this.#scheduler.verdict(steps, nowUs)
  }

  /** The same for lock-step, where an action answers one observation and has no time. */
  lockstepProblem(message: ActionMessage): ActionProblem | undefined {
    if (message.observationSeq > this.#observationSeq) return 'too_early'
    if (message.observationSeq < this.#observationSeq || this.#answered === message.observationSeq) return 'late'
    return this.#limits.validate(message.action)
  }

  /**
   * Queues an action that has passed all checks.
   * @returns until when what is queued lasts
   */
  schedule(message: ActionMessage | ChunkMessage, sender: Sender, nowUs: number): number {
    const { seq, observationSeq } = message
    this.#answers.set(seq, { observationSeq, sender: { id: sender.id, name: sender.name, policy: message.policy?.id } })
    if (this.#answers.size > REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!)
    const steps = this.#stepsOf(message, nowUs)
    this.#scheduler.add(steps, nowUs)
    // A single action counts only for want of another: it does not ask for time.
    const endUs = message.kind === 'action' ? steps.dueUs : (this.#scheduler.endUs ?? nowUs)
    return Math.min(endUs, nowUs + this.#options.maxLeadUs)
  }

  /** After a stop nothing of before it may move the robot. */
  forget(): void {
    this.#scheduler.clear()
    this.#answers.clear()
  }

  /** One control period: executes what is due, holds, or leaves the robot at rest; then reads it. */
  tick(motive: () => Motive): Promise<void> {
    return this.#exclusive(async () => {
      // Asked only now: a stop may have come while the robot was busy.
      const nowUs = this.#options.clock()
      const action = this.#isOver ? undefined : this.#actionFor(motive(), nowUs)
      if (action !== undefined) await this.#apply(action)
      this.#options.publish(this.#observe(await this.#options.driver.read()))
    })
  }

  /** Executes the answer to the present observation; `stillWanted` is asked when its turn has come. */
  lockstep(message: ActionMessage, sender: Sender, stillWanted: () => boolean): Promise<void> {
    this.#answered = message.observationSeq
    return this.#exclusive(async () => {
      if (!stillWanted() || this.#isOver) {
        this.refuse(this.#isOver ? 'busy' : 'epoch_stale')
        return
      }
      this.#counters.received()
      this.#counters.settle('applied')
      const { action, clamped } = this.#limits.limit(message.action, this.#pose)
      const { seq, observationSeq, policy } = message
      await this.#apply({
        ...clientOf({ ...sender, policy: policy?.id }),
        seq,
        observationSeq,
        action: action.slice(),
        clamped,
        lateUs: 0,
      })
      this.#options.publish(this.#observe(await this.#options.driver.read()))
    })
  }

  /**
   * Brings the robot to where an episode can start. {@link interrupt} ends that, and rejects at once.
   * @param answer given the first observation, before the robot can overwrite its arrays
   */
  async reset(
    options: Omit<RobotResetOptions, 'signal'>,
    answer: (content: ObservationContent) => void,
  ): Promise<void> {
    this.forget()
    const interruption = (this.#interruption = new AbortController())
    const { signal } = interruption
    const interrupted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    const done = this.#exclusive(async () => {
      try {
        signal.throwIfAborted()
        const reading = await this.#options.driver.reset({ ...options, signal })
        await this.#begin(reading, signal, answer)
      } finally {
        if (this.#interruption === interruption) this.#interruption = undefined
      }
    })
    await Promise.race([done, interrupted])
  }

  /**
   * Ends a reset that is under way.
   * @returns whether there was one
   */
  interrupt(): boolean {
    const interruption = this.#interruption
    this.#interruption = undefined
    interruption?.abort(new Error('the robot was stopped while it was reset'))
    return interruption !== undefined
  }

  /** Reads a robot that has not moved yet. */
  read(): Promise<void> {
    return this.#exclusive(async () => {
      this.#options.publish(this.#observe(await this.#options.driver.read()))
      this.#limits.reset(this.#pose)
    })
  }

  /** Forgets also where the robot was sent: it has failed, and nothing more is commanded before the next start. */
  halt(): void {
    this.forget()
    this.#hasCommanded = false
  }

  /** Actions are limited from where the robot is now, unless it is still braking. */
  anchor(): void {
    if (this.#hasCommanded && !this.#limits.atRest) return
    this.#limits.reset(this.#pose)
    this.#hasCommanded = false
  }

  get #size(): number {
    return sizeOf(this.#options.driver.spec.actionSpace.shape)
  }

  async #begin(
    reading: RobotReading,
    signal: AbortSignal,
    answer: (content: ObservationContent) => void,
  ): Promise<void> {
    const { driver, publish } = this.#options
    signal.throwIfAborted()
    this.#episode = { id: this.#episode.id + 1, step: 0 }
    this.#isOver = false
    this.#hasCommanded = false
    this.#applied = undefined
    const observed = this.#observe(reading)
    this.#limits.reset(this.#pose)
    const goal = await driver.goal()
    const content = goal === undefined ? observed : { ...observed, goal: goalContent(goal, driver.spec) }
    signal.throwIfAborted()
    // Done: what the client does at once with the answer interrupts nothing.
    this.#interruption = undefined
    answer(content)
    publish(content)
  }

  #captureUs(observationSeq: number): number {
    const isKnown = this.#observationSeq - observationSeq < REMEMBERED
    return isKnown ? this.#capturesUs[observationSeq % REMEMBERED]! : -Infinity
  }

  #actionFor(motive: Motive, nowUs: number): AppliedContent | undefined {
    const due = motive === 'act' ? this.#scheduler.next(nowUs) : undefined
    if (due !== undefined) {
      const { action, clamped } = this.#limits.limit(due.action, this.#pose)
      const { observationSeq, sender } = this.#answers.get(due.seq) ?? { observationSeq: 0, sender: NOBODY }
      const { seq, lateUs } = due
      return {
        ...clientOf(sender),
        seq,
        observationSeq,
        action: action.slice(),
        clamped,
        lateUs: Math.round(lateUs),
      }
    }
    if (!this.#hasCommanded || (motive === 'rest' && this.#limits.atRest)) return undefined
    const action = this.#limits.brake().slice()
    return { ...clientOf(NOBODY), seq: 0, observationSeq: 0, action, clamped: 0, lateUs: 0 }
  }

  async #apply(applied: AppliedContent): Promise<void> {
    this.#hasCommanded = true
    await this.#options.driver.apply(applied.action)
    this.#applied = applied
    this.#episode = { ...this.#episode, step: this.#episode.step + 1 }
  }

  #observe(reading: RobotReading): ObservationContent {
    const { driver, clock, onFreshReading } = this.#options
    const { observation, ageUs } = reading
    const nowUs = clock()
    this.#ages.record(Math.max(0, ageUs))
    const stale = ageUs > 2e6 / driver.spec.controlHz
    const captureUs = Math.max(0, Math.round(nowUs - ageUs))
    this.#isOver = reading.terminated || reading.truncated
    if (this.#poseIndices !== undefined) this.#pose = picked(observation.proprio, this.#poseIndices)
    this.#capturesUs[++this.#observationSeq % REMEMBERED] = captureUs
    if (!stale) onFreshReading(nowUs)
    return {
      observationSeq: this.#observationSeq,
      captureUs,
      stale,
      proprio: observation.proprio,
      state: observation.state,
      images: imageContents(observation.images, driver.spec),
      reward: reading.reward,
      terminated: reading.terminated,
      truncated: reading.truncated,
      info: reading.info,
      episode: this.#episode,
      ...(this.#applied === undefined ? {} : { applied: this.#applied }),
      health: { ...this.#health, queueLength: this.#scheduler.counters.pending },
    }
  }

  #stepsOf(message: ActionMessage | ChunkMessage, nowUs: number): TimedSteps {
    const { seq, ttlUs } = message
    const limit = ttlUs > 0 ? { ttlUs } : {}
    if (message.kind === 'action') {
      const dueUs = message.dueUs === 0 ? nowUs : message.dueUs
      return { seq, actions: message.action, dueUs, stepUs: this.#options.holdUs, ...limit }
    }
    const { defaultUs, maxUs } = this.#options.blending
    const blendUs = Math.min(message.blendUs ?? defaultUs, maxUs)
    const startUs = message.startUs === 0 ? nowUs : message.startUs
    return { seq, actions: message.actions.data, dueUs: startUs, stepUs: message.stepUs, blendUs, ...limit }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    this.#turns++
    const result = this.#turn.then(work, work).finally(() => this.#turns--)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** Each action of a message; of a chunk whose rows have another length than `size`, the rows as they are. */
function* actionsOf(message: ActionMessage | ChunkMessage, size: number): Iterable<Float32Array> {
  if (message.kind === 'action') {
    yield message.action
    return
  }
  const { data, shape } = message.actions
  const width = shape[1] ?? size
  for (let i = 0; i < data.length; i += width) yield data.subarray(i, i + width)
}

function clientOf({ id, name, policy }: Sender): Pick<AppliedContent, 'client' | 'clientId' | 'policy'> {
  return { client: name, clientId: id, ...(policy === undefined ? {} : { policy }) }
}
