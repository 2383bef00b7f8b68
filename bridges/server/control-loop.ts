import { Histogram } from '../protocol/histogram.ts'
import type { BridgeMode, BridgeState } from '../protocol/messages.ts'
import type { SupervisorEvent } from '../safety/outcomes.ts'
import type { Supervisor } from '../safety/supervisor.ts'
import type { Time } from '../time.ts'
import { every, firstLineOf } from '../time.ts'
import type { Driver } from './driver.ts'
import type { Motion, Motive } from './motion.ts'
import type { EventContent } from './publisher.ts'

export interface ControlLoopOptions {
  readonly mode: BridgeMode
  readonly time: Time
  readonly driver: Driver
  readonly motion: Motion
  readonly supervisor: Supervisor
  /** The wired emergency stop: whether it is pressed. Anything but `false` counts as pressed. */
  readonly estop: (() => boolean) | undefined
  /** A robot that is busy with one call for so long while it moves has failed; default 150 ms, or three control periods. */
  readonly stuckUs: number | undefined
  readonly report: (event: EventContent) => void
}

/** How often watchdogs are asked, besides at each control period. */
const GUARD_MS = 10
/** Of `stuckUs`, at least. */
const STUCK_US = 150_000
const STUCK_AT_REST_US = 1_000_000
/** Periods that braking may take beyond its longest time before the robot is told to stop as it is. */
const BRAKING_GRACE_PERIODS = 3

const MOVING: ReadonlySet<BridgeState> = new Set(['ACTIVE', 'HOLD'])
const LATCHED: ReadonlySet<BridgeState> = new Set(['SAFE_STOP', 'ESTOP'])

/** A stop that the robot is told of once it has come to rest, or when that takes too long. */
interface PendingStop {
  readonly category: 'hold' | 'safe'
  readonly sinceUs: number
}

/**
 * The one loop that moves the robot, and what ends its motion: a stop by whomever, a watchdog, the emergency stop, the robot's own failure.
 * Nothing here waits for the robot but the period that is under way.
 */
export class ControlLoop {
  readonly #options: ControlLoopOptions
  readonly #lateness = new Histogram()
  readonly #periodUs: number
  #pendingStop: PendingStop | undefined
  #stuckSinceUs = 0
  #skipped = 0

  constructor(options: ControlLoopOptions) {
    this.#options = options
    this.#periodUs = 1e6 / options.driver.spec.controlHz
  }

  /** How late control periods began since the start, microseconds. */
  get lateness(): Histogram {
    return this.#lateness
  }

  /** Control periods without a command because the robot was still busy with the one before. */
  get skipped(): number {
    return this.#skipped
  }

  /** Runs until `signal` is aborted. */
  run(signal: AbortSignal): void {
    const { time, mode } = this.#options
    void every(
      time,
      GUARD_MS,
      () => this.#guard(),
      signal,
      (error) => this.fault(error),
    )
    if (mode === 'realtime') void this.#keepTime(signal)
  }

  /** What a change of state asks of the robot. */
  follow({ fromState, toState }: SupervisorEvent): void {
    const { supervisor, motion, driver, time } = this.#options
    const isLatched = LATCHED.has(toState)
    const wasResetting = !supervisor.isResetting && motion.interrupt()
    if (toState === 'ESTOP' && fromState !== 'ESTOP') {
      // The wire is cut already: nothing is gained by braking along a ramp.
      motion.halt()
      this.#pendingStop = undefined
      void driver.stop('safe')
    } else if (wasResetting) {
      // It moves by itself, where no limits brake it.
      void driver.stop(isLatched ? 'safe' : 'hold')
    } else if (MOVING.has(fromState) && !MOVING.has(toState)) {
      motion.forget()
      this.#pendingStop = { category: isLatched ? 'safe' : 'hold', sinceUs: time.clock() }
    }
  }

  /** The robot failed: nothing moves it until an operator has looked. */
  fault(error: unknown): void {
    const { time, supervisor, motion, driver, report } = this.#options
    report({ event: 'fault', code: 'internal', text: firstLineOf(error) })
    const isNew = !LATCHED.has(supervisor.state) || this.#pendingStop !== undefined
    supervisor.stop('safe', { peer: 'the robot', role: 'operator' }, time.clock())
    motion.halt()
    this.#pendingStop = undefined
    if (isNew) void driver.stop('safe')
  }

  /** Control periods by absolute deadlines: one that begins late does not shift those after it. */
  async #keepTime(signal: AbortSignal): Promise<void> {
    const { clock, sleep } = this.#options.time
    let dueUs = clock() + this.#periodUs
    for (;;) {
      await sleep(Math.max(0, (dueUs - clock()) / 1000), signal)
      if (signal.aborted) return
      const latenessUs = Math.max(0, clock() - dueUs)
      this.#lateness.record(latenessUs)
      this.#period(latenessUs).catch((error: unknown) => this.fault(error))
      // Periods that are over are left out.
      dueUs += this.#periodUs * Math.max(1, Math.ceil((clock() - dueUs) / this.#periodUs))
    }
  }

  async #period(latenessUs: number): Promise<void> {
    const { supervisor, motion, driver, time } = this.#options
    supervisor.tick(time.clock(), latenessUs)
    if (motion.isBusy) {
      this.#skipped++
      return
    }
    await motion.tick(() => this.#motive())
    const stop = this.#pendingStop
    if (stop === undefined || MOVING.has(supervisor.state) || !motion.atRest) return
    this.#pendingStop = undefined
    await driver.stop(stop.category)
  }

  #motive(): Motive {
    const { supervisor, time } = this.#options
    supervisor.tick(time.clock())
    const { state } = supervisor
    if (state === 'ACTIVE') return 'act'
    return state === 'HOLD' ? 'hold' : 'rest'
  }

  #guard(): void {
    const { supervisor, motion, driver, time, mode } = this.#options
    const nowUs = time.clock()
    this.#askEstop(nowUs)
    supervisor.tick(nowUs)
    if (mode === 'lockstep') return
    const { stuckUs = Math.max(STUCK_US, 3 * this.#periodUs) } = this.#options
    const busyUs = driver.busyUs(nowUs)
    const isStuck = busyUs > stuckUs && !supervisor.isResetting
    if (!isStuck) this.#stuckSinceUs = nowUs
    // At rest a reset that was stopped, or a slow bus, has a moment to come back.
    const patienceUs = MOVING.has(supervisor.state) ? 0 : STUCK_AT_REST_US
    if (isStuck && !LATCHED.has(supervisor.state) && nowUs - this.#stuckSinceUs >= patienceUs) {
      return this.fault(new Error(`the robot has not answered for ${Math.round(busyUs / 1000)} ms`))
    }
    const stop = this.#pendingStop
    if (stop === undefined || MOVING.has(supervisor.state)) return
    const graceUs = motion.brakingUs + BRAKING_GRACE_PERIODS * this.#periodUs
    if (!isStuck && nowUs - stop.sinceUs <= graceUs) return
    this.#pendingStop = undefined
    motion.halt()
    void driver.stop(stop.category)
  }

  /** An input that cannot be read counts as pressed: whether someone presses it is not known. */
  #askEstop(nowUs: number): void {
    const { estop, supervisor } = this.#options
    if (estop === undefined) return
    try {
      const answer: unknown = estop()
      if (typeof answer === 'boolean') return supervisor.estop(answer, nowUs)
      if (answer instanceof Promise) answer.catch(() => undefined)
      supervisor.estop(true, nowUs, 'the emergency stop input says neither true nor false at once')
    } catch (error) {
      supervisor.estop(true, nowUs, `the emergency stop cannot be read: ${firstLineOf(error)}`)
    }
  }
}
