import { describe, expect, it } from 'vitest'
import { capsuleBody, joinBodies, PlanarArm } from '../../envs/world/planar-arm.ts'
import { RungeKutta4 } from '../../envs/world/runge-kutta.ts'

const UPPER = capsuleBody(0.01, 0, 0.12)
const LOWER = joinBodies(capsuleBody(0.01, 0, 0.1), capsuleBody(0.01, 0.12, 0.12))

describe('capsuleBody', () => {
  it('is a ball without a straight part', () => {
    const ball = capsuleBody(0.1, 0.3, 0.3)
    expect(ball.massKg).toBeCloseTo((1000 * 4 * Math.PI * 0.001) / 3, 12)
    expect(ball.inertia).toBeCloseTo(0.4 * ball.massKg * 0.01, 12)
    expect(ball.comM).toBeCloseTo(0.3, 12)
  })

  it('is a rod when thin', () => {
    const rod = capsuleBody(1e-4, 0, 2)
    expect(rod.inertia / rod.massKg).toBeCloseTo(4 / 12, 3)
  })
})

describe('joinBodies', () => {
  it('makes a dumbbell of two balls', () => {
    const [left, right] = [capsuleBody(0.1, 0, 0), capsuleBody(0.1, 1, 1)]
    const both = joinBodies(left, right)
    expect(both.massKg).toBeCloseTo(2 * left.massKg, 12)
    expect(both.comM).toBeCloseTo(0.5, 12)
    expect(both.inertia).toBeCloseTo(2 * (left.inertia + left.massKg * 0.25), 12)
  })
})

describe('PlanarArm', () => {
  /** Kinetic energy and angular momentum about the shoulder, from the speeds of the two bodies. */
  function conserved([q1, q2, v1, v2]: ArrayLike<number> & Iterable<number>): [number, number] {
    let [energy, momentum] = [0, 0]
    const add = (mass: number, inertia: number, spin: number, x: number, y: number, vx: number, vy: number): void => {
      energy += (mass * (vx * vx + vy * vy) + inertia * spin * spin) / 2
      momentum += mass * (x * vy - y * vx) + inertia * spin
    }
    const [c1, s1, c12, s12] = [Math.cos(q1!), Math.sin(q1!), Math.cos(q1! + q2!), Math.sin(q1! + q2!)]
    const u = UPPER.comM
    add(UPPER.massKg, UPPER.inertia, v1!, u * c1, u * s1, -u * s1 * v1!, u * c1 * v1!)
    const [w, spin] = [LOWER.comM, v1! + v2!]
    const [x, y] = [0.12 * c1 + w * c12, 0.12 * s1 + w * s12]
    add(LOWER.massKg, LOWER.inertia, spin, x, y, -0.12 * s1 * v1! - w * s12 * spin, 0.12 * c1 * v1! + w * c12 * spin)
    return [energy, momentum]
  }

  it('keeps energy and angular momentum where nothing acts on it', () => {
    const arm = new PlanarArm(0.12, UPPER, LOWER, 0)
    const ode = new RungeKutta4(4, (state, rate) => arm.rates(state, 0, 0, rate))
    const state = Float64Array.of(0.3, 1.2, 4, -9)
    const before = conserved(state)
    for (let i = 0; i < 2000; i++) ode.step(state, 0.001)
    const after = conserved(state)
    expect(after[0] / before[0]).toBeCloseTo(1, 6)
    expect(after[1] / before[1]).toBeCloseTo(1, 6)
  })

  it('gives the power of its torques, and takes that of its dampers', () => {
    const arm = new PlanarArm(0.12, UPPER, LOWER, 0.01)
    const state = Float64Array.of(0.3, -0.7, 2, 3)
    const rate = new Float64Array(4)
    arm.rates(state, 0.05, -0.03, rate)
    const ahead = (h: number): Float64Array => state.map((value, i) => value + h * rate[i]!)
    const power = (conserved(ahead(1e-6))[0] - conserved(ahead(-1e-6))[0]) / 2e-6
    expect(power).toBeCloseTo((0.05 - 0.02) * 2 + (-0.03 - 0.03) * 3, 6)
  })

  it('keeps the momentum about the shoulder when the second joint is stopped', () => {
    const arm = new PlanarArm(0.12, UPPER, LOWER, 0)
    const state = Float64Array.of(0, 2.001, 1, 5)
    const beyond = Float64Array.of(0, 2, 1, 5)
    arm.stopSecond(state, 2)
    expect([state[1], state[3]]).toEqual([2, 0])
    expect(conserved(state)[1]).toBeCloseTo(conserved(beyond)[1], 12)
    const leaving = Float64Array.of(0, 2.001, 1, -5)
    arm.stopSecond(leaving, 2)
    expect([...leaving]).toEqual([0, 2, 1, -5])
  })

  it('keeps the momentum about the second joint when the first is stopped', () => {
    const arm = new PlanarArm(0.12, UPPER, LOWER, 0)
    const state = Float64Array.of(-1.001, 0.4, -3, 2)
    arm.stopFirst(state, 1)
    expect([state[0], state[2]]).toEqual([-1, 0])
    const d = LOWER.inertia + LOWER.massKg * LOWER.comM ** 2
    const m12 = d + LOWER.massKg * 0.12 * LOWER.comM * Math.cos(0.4)
    expect(d * state[3]!).toBeCloseTo(m12 * -3 + d * 2, 12)
  })
})
