import type { ActionKind } from '../../src/core/robot.ts'

/** Steps that follow each other: a single action is a chunk of one. All times are microseconds of the robot's monotonic clock. */
export interface TimedSteps {
  /** Sequence number of the message that brought them. */
  readonly seq: number
  /** [steps * size] row-major; copied. */
  readonly actions: Float32Array
  /** When the first step is due; 0: now. */
  readonly dueUs: number
  /** From step to step, and how long the last one counts. */
  readonly stepUs: number
  /** No step is executed, first or again, when it is due for longer than this; absent: no such limit. */
  readonly ttlUs?: number
  /** From the first due time on, what is replaced fades into these steps for so long; absent or 0: they begin at once. */
  readonly blendUs?: number
}

/** What is due at one control tick. */
export interface DueAction {
  /** [size], overwritten by the next call. */
  readonly action: Float32Array
  /** Of the message that it came with. */
  readonly seq: number
  /** How long after its due time it is executed first, or again. */
  readonly lateUs: number
  /** False where the tick before executed the same step. */
  readonly isNew: boolean
}

/** Counted in steps; `received = applied + late + tooEarly + superseded + pending` at any time. */
export interface SchedulerCounters {
  readonly received: number
  readonly applied: number
  readonly late: number
  readonly tooEarly: number
  readonly superseded: number
  readonly pending: number
}

/** What an {@link ActionScheduler} takes and how much of it. */
export interface SchedulerOptions {
  /** Length of an action. */
  readonly size: number
  readonly kind: ActionKind
  /** Position actions only: go in a straight line from each step to the next (default false: each step holds until the next). */
  readonly interpolates?: boolean
  /** Steps due further ahead are dropped as too early; default 2 s. */
  readonly maxLeadUs?: number
  /** Steps that may wait; those beyond are too early. Default 512. */
  readonly capacity?: number
}

interface Step {
  readonly seq: number
  readonly action: Float32Array
  readonly dueUs: number
  /** Not at this time any more. */
  readonly untilUs: number
  /** At this time for the last time. */
  readonly lastUs: number
}

/** What was replaced, and until when it still counts for a share. */
interface Fade {
  readonly fromUs: number
  readonly untilUs: number
  /** In order of their due times; the last one counts on. */
  readonly steps: readonly Step[]
  /** What these steps were fading in from themselves. */
  readonly before: Fade | undefined
}

/** Fades within fades: each new one ends the oldest beyond so many. */
const MAX_FADES = 4

/**
 * Which action is due at a control tick. A step counts from its due time until the next step's, at most for `stepUs` and `ttlUs`. Steps that
 * arrive replace all that wait at or after their first due time; those before stay. Where steps with `blendUs` replace others that have not come
 * to their end, the action goes over from these to those in that time, linearly. A step whose time has passed is never executed, and where no
 * step covers the present there is none: the robot holds.
 *
 * @example
 * const scheduler = new ActionScheduler({ size: 7, kind: 'position', interpolates: true })
 * scheduler.add({ seq: 4, actions, dueUs: 1_000_000, stepUs: 50_000 }, 990_000)
 * const due = scheduler.next(1_010_000)
 */
export class ActionScheduler {
  readonly #size: number
  readonly #interpolates: boolean
  readonly #maxLeadUs: number
  readonly #capacity: number
  readonly #out: Float32Array
  /** In order of their due times. */
  #waiting: Step[] = []
  #current: Step | undefined
  #fade: Fade | undefined
  #received = 0
  #applied = 0
  #late = 0
  #tooEarly = 0
  #superseded = 0

  constructor({ size, kind, interpolates = false, maxLeadUs = 2_000_000, capacity = 512 }: SchedulerOptions) {
    this.#size = size
    this.#interpolates = interpolates && kind === 'position'
    this.#maxLeadUs = maxLeadUs
    this.#capacity = capacity
    this.#out = new Float32Array(size)
  }

  get counters(): SchedulerCounters {
    return {
      received: this.#received,
      applied: this.#applied,
      late: this.#late,
      tooEarly: this.#tooEarly,
      superseded: this.#superseded,
      pending: this.#waiting.length,
    }
  }

  /** Why {@link add} would take none of the steps, or undefined where it takes at least one. */
  verdict(steps: TimedSteps, nowUs: number): 'late' | 'too_early' | undefined {
    const count = this.#count(steps)
    const firstUs = steps.dueUs === 0 ? nowUs : steps.dueUs
    if (firstUs - nowUs > this.#maxLeadUs) return 'too_early'
    return isOver(timesOf(steps, firstUs, count - 1), nowUs) ? 'late' : undefined
  }

  /**
   * Takes the steps that are neither past nor too far ahead, and counts the others. Steps of which none can be taken replace nothing.
   * @returns as {@link verdict}.
   */
  add(steps: TimedSteps, nowUs: number): 'late' | 'too_early' | undefined {
    const { seq, actions } = steps
    const count = this.#count(steps)
    const verdict = this.verdict(steps, nowUs)
    const firstUs = steps.dueUs === 0 ? nowUs : steps.dueUs
    this.#received += count
    if (verdict === 'late') this.#late += count
    if (verdict === 'too_early') this.#tooEarly += count
    if (verdict !== undefined) return verdict
    const kept = this.#waiting.filter((step) => step.dueUs < firstUs)
    this.#fade = this.#fadeInto(steps, firstUs, nowUs)
    this.#superseded += this.#waiting.length - kept.length
    this.#waiting = kept
    for (let k = 0; k < count; k++) {
      const times = timesOf(steps, firstUs, k)
      // One whose time to live is over still takes the place of what was before it, until its own time is.
      if (times.untilUs <= nowUs) this.#late++
      else if (times.dueUs - nowUs > this.#maxLeadUs || this.#waiting.length >= this.#capacity) this.#tooEarly++
      else {
        const action = actions.slice(k * this.#size, (k + 1) * this.#size)
        this.#waiting.push({ seq, action, ...times })
      }
    }
    return undefined
  }

  /** When the last step that waits or is executed ends; undefined where there is none. */
  get endUs(): number | undefined {
    return (this.#waiting.at(-1) ?? this.#current)?.untilUs
  }

  /** What to execute at `nowUs`, or undefined: hold. `nowUs` must not go back. */
  next(nowUs: number): DueAction | undefined {
    let newest: Step | undefined
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueUs <= nowUs) {
      if (newest !== undefined) this.#passOver(newest, nowUs)
      newest = this.#waiting.shift()!
    }
    if (newest !== undefined && isOver(newest, nowUs)) {
      // It ended before this tick, and so did what it replaced.
      this.#late++
      this.#current = undefined
      return undefined
    }
    if (newest !== undefined) {
      this.#applied++
      this.#current = newest
    }
    const current = this.#current
    if (current === undefined || isOver(current, nowUs)) {
      this.#current = undefined
      return undefined
    }
    return {
      action: this.#at(current, nowUs),
      seq: current.seq,
      lateUs: nowUs - current.dueUs,
      isNew: newest !== undefined,
    }
  }

  /** Forgets all that waits and what is being executed: after a stop nothing of before it may move the robot. */
  clear(): void {
    this.#superseded += this.#waiting.length
    this.#waiting = []
    this.#current = undefined
    this.#fade = undefined
  }

  #count({ actions }: TimedSteps): number {
    return actions.length / this.#size
  }

  #passOver(step: Step, nowUs: number): void {
    if (isOver(step, nowUs)) this.#late++
    else this.#superseded++
  }

  /** What new steps from `firstUs` on fade in from: all that would have been executed then without them. */
  #fadeInto({ blendUs = 0 }: TimedSteps, firstUs: number, nowUs: number): Fade | undefined {
    const fromUs = Math.max(firstUs, nowUs)
    const untilUs = fromUs + blendUs
    const steps = [...(this.#current === undefined ? [] : [this.#current]), ...this.#waiting]
    const goesOn = steps.some((step) => step.dueUs < untilUs && Math.min(step.untilUs, step.lastUs) > fromUs)
    if (blendUs > 0 && goesOn) return { fromUs, untilUs, steps, before: shortened(this.#fade, MAX_FADES - 1) }
    return firstUs > nowUs ? this.#fade : undefined
  }

  #at(step: Step, nowUs: number): Float32Array {
    const out = this.#out
    out.set(this.#between(step, this.#waiting[0], nowUs))
    mix(out, this.#fade, nowUs, (fade) => this.#sample(fade.steps, nowUs))
    if (this.#fade !== undefined && nowUs >= this.#fade.untilUs) this.#fade = undefined
    return out
  }

  /** What `steps` would have said at `nowUs`; after their end what they said last. */
  #sample(steps: readonly Step[], nowUs: number): Float32Array {
    const last = Math.max(
      0,
      steps.findLastIndex(({ dueUs }) => dueUs <= nowUs),
    )
    return this.#between(steps[last]!, steps[last + 1], nowUs)
  }

  #between(step: Step, next: Step | undefined, nowUs: number): Float32Array {
    const { action, dueUs, untilUs } = step
    if (!this.#interpolates || next === undefined || next.dueUs > untilUs || nowUs < dueUs) return action
    const share = (nowUs - dueUs) / (next.dueUs - dueUs)
    return action.map((x, i) => x + (next.action[i]! - x) * share)
  }
}

/** Moves `out` back towards what it fades in from. */
function mix(out: Float32Array, fade: Fade | undefined, nowUs: number, sample: (fade: Fade) => Float32Array): void {
  if (fade === undefined || nowUs >= fade.untilUs || nowUs < fade.fromUs) return
  const share = (nowUs - fade.fromUs) / (fade.untilUs - fade.fromUs)
  const old = sample(fade).slice()
  mix(old, fade.before, nowUs, sample)
  for (let i = 0; i < out.length; i++) out[i] = old[i]! + (out[i]! - old[i]!) * share
}

function shortened(fade: Fade | undefined, depth: number): Fade | undefined {
  if (fade === undefined || depth === 0) return undefined
  return { ...fade, before: shortened(fade.before, depth - 1) }
}

type Times = Pick<Step, 'dueUs' | 'untilUs' | 'lastUs'>

/** Of step `k` of those of which the first is due at `firstUs`. */
function timesOf({ stepUs, ttlUs = Infinity }: TimedSteps, firstUs: number, k: number): Times {
  const dueUs = firstUs + k * stepUs
  return { dueUs, untilUs: dueUs + stepUs, lastUs: dueUs + ttlUs }
}

function isOver({ untilUs, lastUs }: Times, nowUs: number): boolean {
  return nowUs >= untilUs || nowUs > lastUs
}
