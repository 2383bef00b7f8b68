import { ArmatureError } from '../core/errors.ts'
import type { Rng } from '../core/rng.ts'
import type { FrameShape } from '../core/frame-fit.ts'

/** One step of an augmenter: draws what it will do, then does it to frame after frame. */
export interface Stage {
  readonly outputShape: FrameShape
  readonly draw: (rng: Rng) => void
  /** Changes the frame at byte `from`; it then stands at byte `to`, which differs only where the frame's size does. */
  readonly apply: (frames: Uint8Array, from: number, to: number) => void
}

/** True with `probability`; always takes one random number. */
export function chance(rng: Rng, probability: number): boolean {
  return rng.uniform() < probability
}

/** @throws ArmatureError `bad-argument` for a value outside [low, high], or not whole where it must be. */
export function requireRange(what: string, value: number, low: number, high: number, isWhole = false): void {
  if (value >= low && value <= high && (!isWhole || Number.isInteger(value))) return
  throw new ArmatureError('bad-argument', `augmentation ${what}`, {
    expected: `a ${isWhole ? 'whole ' : ''}number from ${low} to ${high}`,
    got: String(value),
  })
}
