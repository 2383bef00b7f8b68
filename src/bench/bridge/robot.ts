import { setTimeout as sleep } from 'node:timers/promises'
import type { ObservationMessage } from '../../../bridges/protocol/messages.ts'
import type { Robot, RobotReading, RobotSpec } from '../../core/robot.ts'
import { boxSpace, imageSpace } from '../../core/spaces.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'

/** What the cameras of a timed robot show: 64x64 RGB is 12 KB, 640x480 RGB is 0.9 MB. */
export interface BenchCameras {
  readonly count: number
  readonly height: number
  readonly width: number
}

/** Time stands still between two actions of a robot in lock-step, as long as {@link BenchRobot} wants. */
interface Pace {
  readonly trips: number
  readonly onDone: (durationsUs: readonly number[]) => void
}

const JOINTS = ['joint1_rad', 'joint2_rad', 'joint3_rad', 'joint4_rad', 'joint5_rad', 'joint6_rad', 'joint7_rad']

/**
 * A robot of seven joints that costs nothing: it is where it was told to be, and its images never change. In lock-step it sets the pace: it
 * times from the moment it is read, for an observation, to the moment it is told the action that answers it.
 */
export class BenchRobot implements Robot {
  readonly spec: RobotSpec
  readonly #images: Readonly<Record<string, Uint8Array>>
  readonly #proprio = new Float32Array(JOINTS.length)
  #pace: Pace | undefined
  #open: (() => void) | undefined
  #trips: TripTimer | undefined

  constructor(controlHz: number, cameras: BenchCameras, isSimulated: boolean) {
    const { count, height, width } = cameras
    const names = Array.from({ length: count }, (_, i) => `camera${i}`)
    const space = imageSpace(height, width)
    this.spec = {
      name: 'bench',
      serial: 'bench',
      actionSpace: boxSpace([JOINTS.length], -1, 1, JOINTS),
      actionKind: 'position',
      proprioSpace: boxSpace([JOINTS.length], -10, 10, JOINTS),
      stateSpace: boxSpace([0], 0, 0),
      imageSpaces: Object.fromEntries(names.map((name) => [name, space])),
      controlHz,
      maxEpisodeSteps: 0,
      isSimulated,
    }
    this.#images = Object.fromEntries(names.map((name) => [name, new Uint8Array(height * width * 3).fill(127)]))
  }

  /** Lets `trips` more actions through, one each `periodUs`, and gives the times to `onDone`. */
  pace({ periodUs, ...pace }: Pace & { readonly periodUs: number }): void {
    this.#trips = new TripTimer(periodUs)
    this.#pace = pace
    this.#open?.()
  }

  async reset(): Promise<RobotReading> {
    return this.read()
  }

  async read(): Promise<RobotReading> {
    this.#trips?.begin()
    const observation = { images: this.#images, proprio: this.#proprio, state: new Float32Array(0) }
    return { observation, ageUs: 0, reward: 0, terminated: false, truncated: false, info: {} }
  }

  async apply(action: Float32Array): Promise<void> {
    this.#trips?.end()
    this.#proprio.set(action)
    if (!this.spec.isSimulated) return
    if (this.#pace !== undefined && this.#trips!.durationsUs.length >= this.#pace.trips) {
      this.#pace.onDone(this.#trips!.durationsUs)
      this.#pace = undefined
    }
    if (this.#pace === undefined) await new Promise<void>((resolve) => (this.#open = resolve))
    await this.#trips!.due()
  }

  async stop(): Promise<void> {}

  async close(): Promise<void> {}
}

/**
 * Times round trips that begin by a schedule. One that the trip before held up counts from its due time, so that a stall is paid for by all
 * trips that it delayed (no coordinated omission); where only this timer slept too long, it counts from its real beginning.
 */
export class TripTimer {
  readonly durationsUs: number[] = []
  readonly #periodUs: number
  #dueUs = 0
  #beginUs: number | undefined
  #isHeldUp = false

  /** @param periodUs from trip to trip; 0: each as soon as the one before has ended */
  constructor(periodUs: number) {
    this.#periodUs = periodUs
  }

  /** Waits until the next trip is due. */
  async due(): Promise<void> {
    const nowUs = monotonicUs()
    this.#dueUs = this.#dueUs === 0 || this.#periodUs === 0 ? nowUs + this.#periodUs : this.#dueUs + this.#periodUs
    this.#isHeldUp = this.#dueUs < nowUs
    if (this.#dueUs > nowUs) await sleep((this.#dueUs - nowUs) / 1000)
  }

  begin(): void {
    if (this.#dueUs > 0) this.#beginUs = this.#isHeldUp ? this.#dueUs : monotonicUs()
  }

  end(): void {
    if (this.#beginUs === undefined) return
    this.durationsUs.push(monotonicUs() - this.#beginUs)
    this.#beginUs = undefined
  }
}

/** An observation as {@link BenchRobot} sends it, to decode and to send as bare bytes. */
export function sampleObservation({ spec }: BenchRobot): ObservationMessage {
  const images = Object.entries(spec.imageSpaces).map(([name, { shape }]) => {
    const data = new Uint8Array(shape.reduce((product, n) => product * n, 1)).fill(127)
    return [name, { encoding: 'raw' as const, pixels: { data, shape } }] as const
  })
  return {
    kind: 'observation',
    session: 'f'.repeat(32),
    seq: 1000,
    timeUs: monotonicUs(),
    epoch: 12_345_678,
    bridgeState: 'ACTIVE',
    armed: true,
    observationSeq: 1000,
    captureUs: monotonicUs(),
    stale: false,
    proprio: new Float32Array(JOINTS.length),
    state: new Float32Array(0),
    images: Object.fromEntries(images),
    reward: 0,
    terminated: false,
    truncated: false,
    info: {},
    episode: { id: 1, step: 1000 },
    applied: {
      client: 'bench',
      clientId: 1,
      seq: 1000,
      observationSeq: 999,
      action: new Float32Array(JOINTS.length),
      clamped: 0,
      lateUs: 0,
    },
    health: { dropped: 0, rejected: 0, queueLength: 0 },
  }
}
