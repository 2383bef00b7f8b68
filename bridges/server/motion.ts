import { ndarray } from '../../src/core/ndarray.ts'
import type { Robot, RobotReading, StopCategory } from '../../src/core/robot.ts'
import { isGoalRobot } from '../../src/core/robot.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Counters } from '../protocol/counters.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type {
  ActionMessage,
  AppliedContent,
  ChunkMessage,
  GoalContent,
  ImageContent,
  ObservationContent,
} from '../protocol/messages.ts'
import { LimitEngine } from '../safety/limit-engine.ts'
import type { LimitProfile } from '../safety/limits.ts'
import type { TimedSteps } from '../safety/scheduler.ts'
import { ActionScheduler } from '../safety/scheduler.ts'
import type { ActionProblem } from '../safety/supervisor.ts'

export interface MotionOptions {
  readonly robot: Robot
  readonly limits: LimitProfile
  readonly clock: () => number
  /** How long a single action counts where no other follows. */
  readonly holdUs: number
  readonly maxLeadUs: number
  /** Position actions: in a straight line from each step to the next. */
  readonly interpolates: boolean
  /** Given each new observation before the robot can overwrite its arrays. */
  readonly publish: (content: ObservationContent) => void
  /** Told when a step is executed for the first time. */
  readonly onStep: (nowUs: number) => void
}

/** What to do in a control period. */
export type Motive = 'act' | 'hold' | 'rest'

/** Source sequence numbers that are remembered for the feedback. */
const REMEMBERED = 1024

/**
 * The robot, its limits and its queue of actions: the only code that moves it. Calls of the robot never overlap, whoever asks for them.
 */
export class Motion {
  readonly #options: MotionOptions
  readonly #limits: LimitEngine
  readonly #scheduler: ActionScheduler
  readonly #counters = new Counters()
  readonly #answers = new Map<number, number>()
  /** Where the elements of an action are in the proprioception, if all are. */
  readonly #poseIndices: readonly number[] | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #busySinceUs: number | undefined
  #observationSeq = 0
  #answered = 0
  #episode = { id: 0, step: 0 }
  #isOver = false
  #hasCommanded = false
  #pose: Float32Array | undefined
  #applied: AppliedContent | undefined
  #health = { dropped: 0, rejected: 0 }

  constructor(options: MotionOptions) {
    const { actionSpace, actionKind, controlHz, proprioSpace } = options.robot.spec
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

  get atRest(): boolean {
    return this.#limits.atRest
  }

  /** For how long the robot has been busy with one call, microseconds. */
  busyUs(nowUs: number): number {
    return this.#busySinceUs === undefined ? 0 : nowUs - this.#busySinceUs
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

  /** Queues an action that has passed all checks. */
  schedule(message: ActionMessage | ChunkMessage, nowUs: number): void {
    this.#answers.set(message.seq, message.observationSeq)
    if (this.#answers.size > REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!)
    this.#scheduler.add(this.#stepsOf(message, nowUs), nowUs)
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
      this.#options.publish(this.#observe(await this.#options.robot.read()))
    })
  }

  /** Executes the answer to the present observation; `stillWanted` is asked when its turn has come. */
  lockstep(message: ActionMessage, stillWanted: () => boolean): Promise<void> {
    this.#answered = message.observationSeq
    return this.#exclusive(async () => {
      if (!stillWanted() || this.#isOver) {
        this.refuse(this.#isOver ? 'busy' : 'epoch_stale')
        return
      }
      this.#counters.received()
      this.#counters.settle('applied')
      const { action, clamped } = this.#limits.limit(message.action, this.#pose)
      const { seq, observationSeq } = message
      await this.#apply({ seq, observationSeq, action: action.slice(), clamped, lateUs: 0 })
      this.#options.publish(this.#observe(await this.#options.robot.read()))
    })
  }

  /**
   * Brings the robot to where an episode can start.
   * @param answer given the first observation, before the robot can overwrite its arrays
   */
  reset(options: Parameters<Robot['reset']>[0], answer: (content: ObservationContent) => void): Promise<void> {
    this.forget()
    return this.#exclusive(async () => {
      const { robot } = this.#options
      const reading = await robot.reset(options)
      this.#episode = { id: this.#episode.id + 1, step: 0 }
      this.#isOver = false
      this.#hasCommanded = false
      this.#applied = undefined
      const observed = this.#observe(reading)
      this.#limits.reset(this.#pose)
      const goal = isGoalRobot(robot) ? { goal: await goalContent(robot.goal(), robot) } : {}
      const content = { ...observed, ...goal }
      answer(content)
      this.#options.publish(content)
    })
  }

  /** Reads a robot that has not moved yet. */
  read(): Promise<void> {
    return this.#exclusive(async () => {
      this.#options.publish(this.#observe(await this.#options.robot.read()))
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

  stop(category: StopCategory): Promise<void> {
    return this.#exclusive(() => this.#options.robot.stop(category))
  }

  get #size(): number {
    return sizeOf(this.#options.robot.spec.actionSpace.shape)
  }

  #actionFor(motive: Motive, nowUs: number): AppliedContent | undefined {
    const due = motive === 'act' ? this.#scheduler.next(nowUs) : undefined
    if (due !== undefined) {
      if (due.isNew) this.#options.onStep(nowUs)
      const { action, clamped } = this.#limits.limit(due.action, this.#pose)
      const observationSeq = this.#answers.get(due.seq) ?? 0
      return { seq: due.seq, observationSeq, action: action.slice(), clamped, lateUs: Math.round(due.lateUs) }
    }
    if (!this.#hasCommanded || (motive === 'rest' && this.#limits.atRest)) return undefined
    return { seq: 0, observationSeq: 0, action: this.#limits.brake().slice(), clamped: 0, lateUs: 0 }
  }

  async #apply(applied: AppliedContent): Promise<void> {
    this.#hasCommanded = true
    await this.#options.robot.apply(applied.action)
    this.#applied = applied
    this.#episode = { ...this.#episode, step: this.#episode.step + 1 }
  }

  #observe(reading: RobotReading): ObservationContent {
    const { robot, clock } = this.#options
    const { observation, ageUs } = reading
    this.#isOver = reading.terminated || reading.truncated
    if (this.#poseIndices !== undefined) this.#pose = picked(observation.proprio, this.#poseIndices)
    return {
      observationSeq: ++this.#observationSeq,
      captureUs: Math.max(0, Math.round(clock() - ageUs)),
      stale: ageUs > 2e6 / robot.spec.controlHz,
      proprio: observation.proprio,
      state: observation.state,
      images: imageContents(observation.images, robot),
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
    const startUs = message.startUs === 0 ? nowUs : message.startUs
    return { seq, actions: message.actions.data, dueUs: startUs, stepUs: message.stepUs, ...limit }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      this.#busySinceUs = this.#options.clock()
      try {
        return await work()
      } finally {
        this.#busySinceUs = undefined
      }
    }
    const result = this.#turn.then(run, run)
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

async function goalContent(
  goal: Promise<{ readonly state: Float32Array; readonly images: Readonly<Record<string, Uint8Array>> }>,
  robot: Robot,
): Promise<GoalContent> {
  const { state, images } = await goal
  return { state, images: imageContents(images, robot) }
}

function imageContents(images: Readonly<Record<string, Uint8Array>>, robot: Robot): Record<string, ImageContent> {
  const contents: Record<string, ImageContent> = {}
  for (const name of Object.keys(images)) {
    contents[name] = { encoding: 'raw', pixels: ndarray(images[name]!, robot.spec.imageSpaces[name]!.shape) }
  }
  return contents
}

function picked(values: Float32Array, indices: readonly number[]): Float32Array {
  const picks = new Float32Array(indices.length)
  for (let i = 0; i < indices.length; i++) picks[i] = values[indices[i]!]!
  return picks
}
