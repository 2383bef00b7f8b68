import { describe, expect, it } from 'vitest'
import { InverseKinematics } from '../../../envs/robots/inverse-kinematics.ts'
import { chainOf, Kinematics } from '../../../envs/robots/kinematics.ts'
import { PANDA, PANDA_WITH_GRIPPER } from '../../../envs/robots/panda.ts'
import type { RobotModel } from '../../../envs/robots/robot-model.ts'
import { quatOfRotation, quatOfRpy, rotationOfQuat } from '../../../envs/robots/rotations.ts'
import { Rng } from '../../../src/core/rng.ts'

function randomPose({ lower, upper }: Kinematics, rng: Rng): Float64Array {
  return lower.map((low, j) => rng.uniform(low + 0.05 * (upper[j]! - low), upper[j]! - 0.05 * (upper[j]! - low)))
}

function tipOf(arm: Kinematics): { position: Float64Array; rotation: Float64Array } {
  const last = arm.model.links.length - 1
  return {
    position: arm.positions.slice(3 * last, 3 * last + 3),
    rotation: arm.rotations.slice(9 * last, 9 * last + 9),
  }
}

describe('kinematics', () => {
  it('puts the flange of the Panda where its public kinematics does', () => {
    const arm = new Kinematics(PANDA)
    arm.forward(new Float64Array(7))
    const straight = tipOf(arm)
    expect(straight.position[0]).toBeCloseTo(0.088, 9)
    expect(straight.position[1]).toBeCloseTo(0, 9)
    expect(straight.position[2]).toBeCloseTo(0.333 + 0.316 + 0.384 - 0.107, 9)
    arm.forward([0, -Math.PI / 4, 0, (-3 * Math.PI) / 4, 0, Math.PI / 2, Math.PI / 4])
    const ready = tipOf(arm)
    expect(ready.position[0]).toBeCloseTo(0.30689, 4)
    expect(ready.position[2]).toBeCloseTo(0.59027, 4)
    expect(ready.rotation[8]).toBeCloseTo(-1, 9)
  })

  it('stands on its base', () => {
    const arm = new Kinematics(PANDA, { positionM: [1, 2, 3], quatXyzw: quatOfRpy(0, 0, Math.PI / 2) })
    arm.forward(new Float64Array(7))
    const { position } = tipOf(arm)
    expect([...position].map((x) => Math.round(x * 1e6) / 1e6)).toEqual([1, 2.088, 3.926])
  })

  it('has the Jacobian that finite differences give, of a tree with sliding joints too', () => {
    const arm = new Kinematics(PANDA_WITH_GRIPPER)
    const rng = new Rng(3)
    const n = arm.joints.length
    expect(n).toBe(9)
    const jacobian = new Float64Array(6 * n)
    for (const name of ['flange', 'finger1', 'finger2']) {
      const link = arm.linkIndex(name)
      const q = randomPose(arm, rng)
      arm.forward(q)
      arm.jacobian(link, jacobian)
      for (let j = 0; j < n; j++) {
        const h = 1e-6
        const at = (delta: number): { p: Float64Array; r: Float64Array } => {
          const moved = q.slice()
          moved[j]! += delta
          arm.forward(moved)
          return {
            p: arm.positions.slice(3 * link, 3 * link + 3),
            r: arm.rotations.slice(9 * link, 9 * link + 9),
          }
        }
        const [plus, minus] = [at(h), at(-h)]
        for (let i = 0; i < 3; i++) {
          expect(jacobian[i * n + j]).toBeCloseTo((plus.p[i]! - minus.p[i]!) / (2 * h), 6)
        }
        // dR R^T is the cross-product matrix of the angular velocity.
        const spin = (row: number, column: number): number => {
          let sum = 0
          for (let k = 0; k < 3; k++) {
            sum +=
              ((plus.r[3 * row + k]! - minus.r[3 * row + k]!) / (2 * h)) *
              ((plus.r[3 * column + k]! + minus.r[3 * column + k]!) / 2)
          }
          return sum
        }
        expect(jacobian[3 * n + j]).toBeCloseTo(spin(2, 1), 5)
        expect(jacobian[4 * n + j]).toBeCloseTo(spin(0, 2), 5)
        expect(jacobian[5 * n + j]).toBeCloseTo(spin(1, 0), 5)
      }
    }
  })

  it('lets a joint follow another', () => {
    const finger = PANDA_WITH_GRIPPER.joints.at(-1)!
    const model: RobotModel = {
      ...PANDA_WITH_GRIPPER,
      joints: [
        ...PANDA_WITH_GRIPPER.joints.slice(0, -1),
        { ...finger, mimic: { joint: 'finger-joint1', multiplier: 1, offset: 0 } },
      ],
    }
    const [coupled, free] = [new Kinematics(model), new Kinematics(PANDA_WITH_GRIPPER)]
    expect(coupled.joints).toHaveLength(8)
    const q = randomPose(coupled, new Rng(1))
    coupled.forward(q)
    free.forward([...q, q[7]!])
    expect(coupled.positions).toEqual(free.positions)
    expect(() => chainOf(model, 'hand', 'finger2')).toThrow('follows "finger-joint1"')
  })

  it('cuts chains, and says why it cannot', () => {
    const chain = chainOf(PANDA_WITH_GRIPPER, 'link0', 'tip')
    expect(new Kinematics(chain).joints).toHaveLength(7)
    expect(chain.links.at(-1)!.name).toBe('tip')
    expect(() => chainOf(PANDA, 'link3', 'link1')).toThrow('one that hangs on "link0"')
    expect(() => chainOf(PANDA, 'link0', 'nose')).toThrow('no such link')
  })

  it('turns quaternions to rotations and back', () => {
    const rng = new Rng(5)
    for (let i = 0; i < 50; i++) {
      const quat = quatOfRpy(rng.uniform(-3, 3), rng.uniform(-1.5, 1.5), rng.uniform(-3, 3))
      const back = quatOfRotation(rotationOfQuat(quat, new Float64Array(9)))
      const dot = quat.reduce((sum, x, k) => sum + x * back[k]!, 0)
      expect(Math.abs(dot)).toBeCloseTo(1, 12)
    }
  })
})

describe('inverse kinematics', () => {
  it('follows a tip by some centimetres within 0.1 mm', () => {
    const arm = new Kinematics(PANDA)
    const ik = new InverseKinematics(arm)
    const rng = new Rng(11)
    for (let trial = 0; trial < 100; trial++) {
      const q = randomPose(arm, rng)
      arm.forward(q)
      const from = tipOf(arm).position
      // A reachable target: the tip of a pose nearby.
      const near = q.map((x) => x + rng.uniform(-0.04, 0.04))
      arm.forward(near)
      const target = tipOf(arm)
      expect(Math.hypot(...from.map((x, i) => x - target.position[i]!))).toBeLessThan(0.08)
      expect(ik.improve(q, target)).toBeLessThan(1e-4)
      arm.forward(q)
      tipOf(arm).position.forEach((x, i) => expect(x).toBeCloseTo(target.position[i]!, 3))
    }
  })

  it('finds 50 random reachable poses from one start, within limits', () => {
    const arm = new Kinematics(PANDA)
    const ik = new InverseKinematics(arm, { iterations: 30, toleranceM: 1e-5 })
    const rng = new Rng(12)
    for (let trial = 0; trial < 50; trial++) {
      arm.forward(randomPose(arm, rng))
      const target = tipOf(arm)
      const q = Float64Array.of(0, -0.8, 0, -2.3, 0, 1.6, 0.8)
      expect(ik.solve(q, target, rng)).toBeLessThan(1e-3)
      q.forEach((x, j) => {
        expect(x).toBeGreaterThanOrEqual(arm.lower[j]!)
        expect(x).toBeLessThanOrEqual(arm.upper[j]!)
      })
    }
  })

  it('gives one pose per place when it has a posture', () => {
    const arm = new Kinematics(PANDA)
    const posture = [0, -0.8, 0, -2.3, 0, 1.6, 0.8]
    const ik = new InverseKinematics(arm, { posture, iterations: 60 })
    arm.forward(posture)
    const { position, rotation } = tipOf(arm)
    const target = { position: position.map((x, i) => x + [0.1, 0.15, -0.1][i]!), rotation }
    const [direct, detour] = [Float64Array.from(posture), Float64Array.from(posture)]
    ik.improve(direct, target)
    ik.improve(detour, { position: position.map((x, i) => x + [-0.05, -0.2, 0.1][i]!), rotation })
    expect(ik.improve(detour, target)).toBeLessThan(1e-4)
    direct.forEach((x, j) => expect(detour[j]).toBeCloseTo(x, 3))
  })
})
