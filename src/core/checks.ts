import { ArmatureError } from './errors.ts'

/** @throws ArmatureError `bad-argument` unless `value` is a whole number of at least `least`. */
export function requireWhole(what: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new ArmatureError('bad-argument', what, { expected: `a whole number >= ${least}`, got: String(value) })
}

/** @throws ArmatureError `bad-argument` unless `value` is a whole number of either sign. */
export function requireInteger(what: string, value: number): void {
  if (Number.isSafeInteger(value)) return
  throw new ArmatureError('bad-argument', what, { expected: 'a whole number', got: String(value) })
}

/** @throws ArmatureError `bad-argument` unless `value` is a whole number of at least `least`, or Infinity. */
export function requireWholeOrInfinity(what: string, value: number, least: number): void {
  if (value === Infinity) return
  if (Number.isSafeInteger(value) && value >= least) return
  throw new ArmatureError('bad-argument', what, {
    expected: `a whole number >= ${least}, or Infinity for never`,
    got: String(value),
  })
}

/** @throws ArmatureError `bad-argument` unless `value` lies in [low, high]. */
export function requireWithin(what: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return
  throw new ArmatureError('bad-argument', what, { expected: `a number from ${low} to ${high}`, got: String(value) })
}

/** @throws ArmatureError `bad-argument` unless `value` is finite and above 0. */
export function requirePositive(what: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return
  throw new ArmatureError('bad-argument', what, { expected: 'a finite number > 0', got: String(value) })
}
