import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { CLAMPED, LimitEngine } from '../../../bridges/safety/limit-engine.ts'
import type { ElementLimits, LimitProfile } from '../../../bridges/safety/limits.ts'
import { unlimited } from '../../../bridges/safety/limits.ts'
import type { ActionKind } from '../../../src/core/robot.ts'
import { Rng } from '../../../src/core/rng.ts'
import { boxSpace } from '../../../src/core/spaces.ts'

const SIZE = 3

function element(limits: Partial<ElementLimits> & { min: number; max: number }, i = 0): ElementLimits {
  return { name: `joint${i}_rad`, softMargin: 0, isGripper: false, ...limits }
}

function profileOf(
  elements: readonly ElementLimits[],
  actionKind: ActionKind = 'position',
  mode: LimitProfile['mode'] = 'vector',
): LimitProfile {
  return { name: 'test', actionKind, mode, elements }
}

const PANDA_LIKE = profileOf([
  element({ min: -2.8, max: 2.8, softMargin: 0.05, maxVelocity: 2.175, maxAcceleration: 15, maxJerk: 7500 }, 0),
  element({ min: -1.7, max: 1.7, maxVelocity: 1, maxAcceleration: 4, maxJerk: 60 }, 1),
  element({ min: 0, max: 0.08, maxVelocity: 0.2, isGripper: true }, 2),
])

/**
 * Breaches of `profile` in what went out, by plain differences of the float32 outputs. Rounding moves each output by up to one spacing `u`,
 * so that the first difference may be off by 2 u / dt, the second by 4 u / dt^2 and the third by 8 u / dt^3.
 */
function breaches(
  profile: LimitProfile,
  outputs: readonly Float32Array[],
  start: readonly number[],
  dtS: number,
): string[] {
  const found: string[] = []
  profile.elements.forEach((limits, i) => {
    const { min, max, softMargin, maxStep = Infinity, maxVelocity, maxAcceleration, maxJerk } = limits
    const bounds =
      profile.actionKind === 'position' ? [maxVelocity, maxAcceleration, maxJerk] : [maxAcceleration, maxJerk]
    const u = Math.max(Math.abs(min), Math.abs(max)) * 2 ** -23
    const past = [start[i]!, start[i]!, start[i]!]
    outputs.forEach((output, k) => {
      const x = output[i]!
      if (!(x >= min + softMargin && x <= max - softMargin)) found.push(`${k}: ${limits.name} at ${x}`)
      if (Math.abs(x - past[0]!) > maxStep + 2 * u) found.push(`${k}: ${limits.name} steps ${x - past[0]!}`)
      const differences = [
        (x - past[0]!) / dtS,
        (x - 2 * past[0]! + past[1]!) / dtS ** 2,
        (x - 3 * past[0]! + 3 * past[1]! - past[2]!) / dtS ** 3,
      ]
      bounds.forEach((limit, order) => {
        const rounding = (2 ** (order + 1) * u) / dtS ** (order + 1)
        if (Math.abs(differences[order]!) > (limit ?? Infinity) * (1 + 1e-6) + rounding) {
          found.push(`${k}: ${limits.name} difference ${order + 1} is ${differences[order]!} of ${limit}`)
        }
      })
      past.unshift(x)
    })
  })
  return found
}

const maybe = (low: number, high: number): fc.Arbitrary<number | undefined> =>
  fc.option(fc.double({ min: low, max: high, noNaN: true }), { nil: undefined })

const elementArbitrary: fc.Arbitrary<Partial<ElementLimits> & { min: number; max: number }> = fc
  .record({
    reach: fc.double({ min: 0.05, max: 3, noNaN: true }),
    offset: fc.double({ min: -0.04, max: 0.04, noNaN: true }),
    softMargin: fc.constantFrom(0, 0.005),
    maxVelocity: fc.double({ min: 0.05, max: 4, noNaN: true }),
    maxAcceleration: maybe(0.3, 30),
    maxJerk: maybe(5, 5000),
    maxStep: maybe(0.01, 1),
    isGripper: fc.boolean(),
  })
  .map(({ reach, offset, maxJerk, ...limits }) => ({
    ...limits,
    min: offset - reach,
    max: offset + reach,
    maxJerk: limits.maxAcceleration === undefined ? undefined : maxJerk,
  }))

const profileArbitrary: fc.Arbitrary<LimitProfile> = fc
  .record({
    elements: fc.array(elementArbitrary, { minLength: SIZE, maxLength: SIZE }),
    kind: fc.constantFrom<ActionKind>('position', 'velocity'),
    mode: fc.constantFrom<LimitProfile['mode']>('vector', 'per-joint'),
  })
  .map(({ elements, kind, mode }) =>
    profileOf(
      elements.map((limits, i) => element(kind === 'velocity' ? { ...limits, maxVelocity: undefined } : limits, i)),
      kind,
      mode,
    ),
  )

/** A stream of requests as bad policies send them: held far targets, noise, steps, drifts, nonsense, and now and then braking. */
function* requests(rng: Rng, profile: LimitProfile, steps: number): Generator<Float32Array | 'brake'> {
  const ranges = profile.elements.map(({ min, max }) => [min - 0.2 * (max - min), max + 0.2 * (max - min)] as const)
  const anywhere = (): Float32Array => Float32Array.from(ranges, ([low, high]) => rng.uniform(low, high))
  for (let done = 0; done < steps;) {
    const length = 1 + rng.int(40)
    const from = anywhere()
    const to = anywhere()
    const habit = rng.int(6)
    for (let k = 0; k < length && done < steps; k++, done++) {
      if (habit === 0) yield anywhere()
      else if (habit === 1) yield to
      else if (habit === 2) yield from.map((x, i) => x + ((to[i]! - x) * k) / length)
      else if (habit === 3) yield to.map((x) => x + 0.01 * rng.normal())
      else if (habit === 4 && k < 5) yield 'brake'
      else
        yield from.map((x, i) => (rng.int(50) === 0 ? [NaN, Infinity, -1e38, 1e-45][rng.int(4)]! : k % 2 ? x : to[i]!))
    }
  }
}

function startOf(profile: LimitProfile): number[] {
  return profile.elements.map(({ min, max }) => (profile.actionKind === 'velocity' ? 0 : Math.fround((min + max) / 2)))
}

/** Outputs of the engine for a stream of requests; `onStep` sees the engine and each request before it is executed. */
function drive(profile: LimitProfile, dtS: number, seed: number, steps: number): Float32Array[] {
  const engine = new LimitEngine(profile, profile.actionKind, dtS)
  engine.reset(Float32Array.from(startOf(profile)))
  const outputs: Float32Array[] = []
  for (const request of requests(new Rng(seed), profile, steps)) {
    outputs.push((request === 'brake' ? engine.brake() : engine.limit(request).action).slice())
  }
  return outputs
}

describe('whatever comes in', () => {
  it('what goes out stays inside random profiles, over a million elements', () => {
    fc.assert(
      fc.property(profileArbitrary, fc.constantFrom(0.05, 0.02, 0.005), fc.integer(), (profile, dtS, seed) => {
        expect(breaches(profile, drive(profile, dtS, seed, 2500), startOf(profile), dtS)).toEqual([])
      }),
      { numRuns: 140, seed: 3, endOnFailure: true },
    )
  })

  it('at 1 kHz, too', () => {
    expect(breaches(PANDA_LIKE, drive(PANDA_LIKE, 0.001, 5, 5000), startOf(PANDA_LIKE), 0.001)).toEqual([])
  })

  it('the checker sees what it should', () => {
    const profile = profileOf([element({ min: -1, max: 1, maxVelocity: 2, maxAcceleration: 10, maxJerk: 80 })])
    const seen = (...values: number[]): string[] =>
      breaches(
        profile,
        values.map((x) => Float32Array.of(x)),
        [0],
        0.1,
      )
    expect(seen(0.05, 0.1, 0.1)).toEqual([])
    expect(seen(1.01)[0]).toContain('at 1.0')
    expect(seen(0, 0.25)[0]).toContain('difference 1')
    expect(seen(0.05, 0.1, 0.02).join()).toContain('difference 2')
    expect(seen(0.05, 0.05, 0.1).join()).toContain('difference 3')
  })

  it('an output fed back is unchanged, bit for bit', () => {
    fc.assert(
      fc.property(profileArbitrary, fc.constantFrom(0.05, 0.01), fc.integer(), (profile, dtS, seed) => {
        const stream = [...requests(new Rng(seed), profile, 40)]
        const after = (count: number): LimitEngine => {
          const engine = new LimitEngine(profile, profile.actionKind, dtS)
          engine.reset(Float32Array.from(startOf(profile)))
          for (const request of stream.slice(0, count)) {
            if (request === 'brake') engine.brake()
            else engine.limit(request)
          }
          return engine
        }
        stream.forEach((request, k) => {
          if (request === 'brake') return
          const output = after(k).limit(request).action.slice()
          expect(after(k).limit(output).action).toEqual(output)
        })
      }),
      { numRuns: 40, seed: 4, endOnFailure: true },
    )
  })

  it('comes to rest in the braking time of the profile from wherever it is', () => {
    fc.assert(
      fc.property(profileArbitrary, fc.constantFrom(0.05, 0.005), fc.integer(), (profile, dtS, seed) => {
        const engine = new LimitEngine(profile, profile.actionKind, dtS)
        engine.reset(Float32Array.from(startOf(profile)))
        const rng = new Rng(seed)
        for (let trial = 0; trial < 10; trial++) {
          for (const request of requests(rng, profile, 1 + rng.int(60))) if (request !== 'brake') engine.limit(request)
          let steps = 0
          while (!engine.atRest && steps < 1e5) {
            engine.brake()
            steps++
          }
          expect(steps * dtS).toBeLessThanOrEqual(engine.brakingTimeS)
          const rest = engine.brake().slice()
          expect(engine.brake()).toEqual(rest)
          if (profile.actionKind === 'velocity') expect(rest).toEqual(new Float32Array(SIZE))
        }
      }),
      { numRuns: 80, seed: 5, endOnFailure: true },
    )
  })
})

describe('a request', () => {
  it('inside the box of an unlimited profile passes bit for bit', () => {
    for (const kind of ['position', 'velocity'] as const) {
      const engine = new LimitEngine(unlimited(boxSpace([SIZE], -1, 1), kind), kind, 0.05)
      engine.reset(kind === 'position' ? undefined : new Float32Array(SIZE))
      const rng = new Rng(1)
      const special = [-1, 1, 0, -0, 1e-45, Math.fround(0.1), -1 + 2 ** -24]
      for (let k = 0; k < 2000; k++) {
        const request = Float32Array.from({ length: SIZE }, () =>
          rng.int(4) === 0 ? special[rng.int(special.length)]! : rng.uniform(-1, 1),
        )
        expect(engine.validate(request)).toBeUndefined()
        const { action, clamped } = engine.limit(request)
        expect(new Uint8Array(action.slice().buffer)).toEqual(new Uint8Array(request.buffer))
        expect(clamped).toBe(0)
      }
    }
  })

  it('keeps its direction in vector mode, from rest to rest', () => {
    const joints = [
      element({ min: -2.8, max: 2.8, maxVelocity: 2, maxAcceleration: 15, maxJerk: 7500 }, 0),
      element({ min: -2.8, max: 2.8, maxVelocity: 1, maxAcceleration: 4, maxJerk: 7500 }, 1),
      element({ min: -2.8, max: 2.8, maxVelocity: 2, maxAcceleration: 2 }, 2),
    ]
    const engine = new LimitEngine(profileOf(joints), 'position', 0.02)
    const rng = new Rng(2)
    let worst = 0
    for (let trial = 0; trial < 40; trial++) {
      const from = Float32Array.from(joints, () => rng.uniform(-2, 2))
      const to = Float32Array.from(joints, () => rng.uniform(-2, 2))
      engine.reset(from)
      const length = Math.hypot(...to.map((x, i) => x - from[i]!))
      for (let k = 0; k < 250; k++) {
        const moved = engine.limit(to).action.map((x, i) => x - from[i]!)
        const along = moved.reduce((sum, x, i) => sum + (x * (to[i]! - from[i]!)) / length, 0)
        worst = Math.max(worst, Math.hypot(...moved.map((x, i) => x - (along * (to[i]! - from[i]!)) / length)))
      }
      expect(engine.limit(to).action).toEqual(to)
      expect(engine.atRest).toBe(true)
    }
    expect(worst).toBeLessThan(0.02)
  })

  it('to a far place is reached, and hardly overshot', () => {
    for (const dtS of [0.05, 0.02, 0.001]) {
      const engine = new LimitEngine(profileOf([PANDA_LIKE.elements[0]!]), 'position', dtS)
      engine.reset(Float32Array.of(0))
      let highest = 0
      for (let k = 0; k < 1.5 / dtS; k++) highest = Math.max(highest, engine.limit(Float32Array.of(1)).action[0]!)
      expect(engine.limit(Float32Array.of(1)).action[0]).toBe(1)
      expect(engine.atRest).toBe(true)
      // What one period of full speed takes.
      expect(highest - 1).toBeLessThan(2.175 * dtS)
    }
  })

  it('that moves at the highest speed is followed at that speed, and one that moves faster is no reason to brake', () => {
    const engine = new LimitEngine(
      profileOf([element({ min: -100, max: 100, maxVelocity: 2, maxAcceleration: 15 })]),
      'position',
      0.02,
    )
    engine.reset(Float32Array.of(0))
    let at = 0
    for (let k = 1; k < 200; k++) {
      const next = engine.limit(Float32Array.of(0.0404 * k)).action[0]!
      if (k > 20) expect(next - at).toBeCloseTo(0.04, 6)
      at = next
    }
  })

  it('that asks for more yields more, where speed alone is limited', () => {
    const engine = (): LimitEngine => {
      const made = new LimitEngine(profileOf([element({ min: -1, max: 1, maxVelocity: 1 })]), 'position', 0.1)
      made.reset(Float32Array.of(0.2))
      made.limit(Float32Array.of(0.3))
      return made
    }
    let last = -Infinity
    for (let x = -1.5; x < 1.5; x += 0.01) {
      const next = engine().limit(Float32Array.of(x)).action[0]!
      expect(next).toBeGreaterThanOrEqual(last - 1e-7)
      last = next
    }
  })

  it('says which limits it would have broken', () => {
    const limits = element({
      min: -1,
      max: 1,
      softMargin: 0.1,
      maxVelocity: 2,
      maxAcceleration: 10,
      maxJerk: 120,
      maxLead: 0.5,
    })
    const clamped = (request: number, measured?: number): number => {
      const engine = new LimitEngine(profileOf([limits]), 'position', 0.1)
      engine.reset(Float32Array.of(0.85))
      return engine.limit(Float32Array.of(request), measured === undefined ? undefined : Float32Array.of(measured))
        .clamped
    }
    expect(clamped(0.85)).toBe(0)
    expect(clamped(0.6)).toBe(CLAMPED.velocity | CLAMPED.acceleration | CLAMPED.jerk)
    expect(clamped(0.7)).toBe(CLAMPED.acceleration | CLAMPED.jerk)
    expect(clamped(0.95) & CLAMPED.range).toBe(CLAMPED.range)
    expect(clamped(0.85, 0.2) & CLAMPED.lead).toBe(CLAMPED.lead)
    expect(clamped(NaN)).toBe(CLAMPED.invalid)
  })

  it('is refused when no clamping would make sense of it', () => {
    const engine = new LimitEngine(
      profileOf([element({ min: -1, max: 1, softMargin: 0.1, maxVelocity: 2, startTolerance: 0.1 })]),
      'position',
      0.1,
    )
    engine.reset(Float32Array.of(0.5))
    expect(engine.validate(Float32Array.of(0, 0))).toBe('bad_shape')
    expect(engine.validate(Float32Array.of(NaN))).toBe('not_finite')
    expect(engine.validate(Float32Array.of(-Infinity))).toBe('not_finite')
    expect(engine.validate(Float32Array.of(1.001))).toBe('out_of_hard_limits')
    expect(engine.validate(Float32Array.of(0.95))).toBe('too_far')
    expect(engine.validate(Float32Array.of(0.59))).toBeUndefined()
    engine.limit(Float32Array.of(0.59))
    expect(engine.validate(Float32Array.of(0.95))).toBeUndefined()
    engine.reset(Float32Array.of(0))
    expect(engine.validate(Float32Array.of(0.95))).toBe('too_far')
  })
})

describe('a robot', () => {
  it('that begins beyond its range may only come back', () => {
    const engine = new LimitEngine(
      profileOf([element({ min: -1, max: 1, maxVelocity: 1, maxAcceleration: 5, maxJerk: 100 })]),
      'position',
      0.02,
    )
    engine.reset(Float32Array.of(1.2))
    let at = 1.2
    for (let k = 0; k < 100; k++) {
      const next = engine.limit(Float32Array.of(k % 30 < 20 ? 0.9 : 1)).action[0]!
      expect(next).toBeLessThanOrEqual(Math.fround(1.2))
      at = next
    }
    expect(at).toBeLessThanOrEqual(1)
  })

  it('whose position is not known can be limited in range alone', () => {
    const limited = new LimitEngine(profileOf([element({ min: -1, max: 1, maxVelocity: 1 })]), 'position', 0.1)
    expect(() => limited.reset()).toThrow('expected the measured position of the robot')
    expect(() => limited.reset(Float32Array.of(NaN))).toThrow('1 finite numbers')
    const free = new LimitEngine(unlimited(boxSpace([1], -1, 1), 'position'), 'position', 0.1)
    free.reset()
    expect(free.atRest).toBe(true)
    expect(() => free.brake()).toThrow('call reset')
    expect(free.limit(Float32Array.of(0.7)).action[0]).toBe(Math.fround(0.7))
    expect(free.brake()[0]).toBe(Math.fround(0.7))
  })

  it('that is blocked is not sent further ahead than its lead allows', () => {
    const engine = new LimitEngine(
      profileOf([element({ min: -1, max: 1, maxVelocity: 1, maxLead: 0.1 })]),
      'position',
      0.05,
    )
    engine.reset(Float32Array.of(0))
    for (let k = 0; k < 50; k++) {
      expect(engine.limit(Float32Array.of(1), Float32Array.of(0)).action[0]).toBeLessThanOrEqual(Math.fround(0.1))
    }
  })

  it('needs limits of its kind, and a velocity that may be 0', () => {
    expect(() => new LimitEngine(PANDA_LIKE, 'velocity', 0.1)).toThrow('expected velocity actions, got position')
    const space = boxSpace([1], 0.5, 1)
    expect(() => new LimitEngine(unlimited(space, 'velocity'), 'velocity', 0.1)).toThrow('0 in it, which is rest')
  })
})
