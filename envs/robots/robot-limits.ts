import { ArmatureError } from '../../src/core/errors.ts'
import type { RobotSpec } from '../../src/core/robot.ts'
import type { JointModel, RobotModel } from './robot-model.ts'
import { movedBy } from './usual-strength.ts'

type Spec = Pick<RobotSpec, 'name' | 'actionSpace' | 'actionKind' | 'controlHz'>
type Element = Readonly<Record<string, string | number | boolean>>

/** Of joints whose file tells no speed: slow enough to stop by hand. */
const UNTOLD_SPEED = { turning: 0.5, sliding: 0.05 }
/** A joint gets to its top speed in this time, or in twice that where its file tells no effort. */
const RISE_S = 0.25
/** Of the effort that a joint may spend on accelerating what hangs on it. */
const EFFORT_SHARE = 0.5
/** Distance to the limits, from the measured position, and of the first action: rad, and m / 10. */
const MARGIN = 0.05
const LEAD = 0.2
const START = 0.1

/**
 * Limits for the bridge out of a robot's own description, as the content of a limits file: the range of each joint less a margin, its speed, and
 * the acceleration that half its effort gives to what hangs on it stretched out, at most the top speed in a quarter of a second. Conservative
 * where the description tells nothing.
 * @throws ArmatureError `bad-argument` where an action of the robot is not one of a joint that the description has.
 */
export function limitsOfRobot(model: RobotModel, spec: Spec): Readonly<Record<string, unknown>> {
  const names = spec.actionSpace.names ?? []
  const elements = names.map((name) => elementOf(model, name, spec))
  const untold = model.joints.filter(
    ({ kind, maxSpeed, maxEffort }) => kind !== 'fixed' && (maxSpeed === 0 || maxEffort === 0),
  )
  const about = `Derived from the description of ${model.name}${untold.length === 0 ? '' : `, which tells no speed or effort of ${untold.map(({ name }) => name).join(', ')}: ours are conservative`}`
  return { name: model.name, about, actionKind: spec.actionKind, mode: 'vector', elements }
}

function elementOf(model: RobotModel, name: string, spec: Spec): Element {
  // A tip's displacement has no joint; its joints are limited by the arm that it moves.
  if (/^(tip_d[xyz]|fingers_open)_/.test(name)) return { name, min: -1, max: 1 }
  const [, jointName, unit, milli] = /^(.*?)_(rad|m|share_of_range|delta_(\d+)mrad)$/.exec(name) ?? []
  const joint = model.joints.find((candidate) => candidate.name === jointName && candidate.kind !== 'fixed')
  if (joint === undefined || unit === undefined) {
    throw new ArmatureError('bad-argument', `limits of ${spec.name} from the description of ${model.name}`, {
      expected: 'actions of its joints, e.g. joint1_rad',
      got: name,
      fix: `it has ${model.joints
        .filter(({ kind }) => kind !== 'fixed')
        .map((one) => one.name)
        .join(', ')}`,
    })
  }
  const { speed, acceleration } = motionOf(model, joint)
  if (unit === 'share_of_range') return { name, min: -1, max: 1 }
  if (milli !== undefined) {
    const unitSpeed = (Number(milli) / 1000) * spec.controlHz
    const most = Math.min(1, speed / unitSpeed)
    return { name, min: -most, max: most, maxAcceleration: acceleration / unitSpeed }
  }
  const small = joint.kind === 'prismatic' ? 0.1 : 1
  const [lower, upper] = Number.isFinite(joint.lower) ? [joint.lower, joint.upper] : [-Math.PI, Math.PI]
  const softMargin = Math.min(MARGIN * small, (upper - lower) / 10)
  if (spec.actionKind === 'velocity') return { name, min: -speed, max: speed, maxAcceleration: acceleration }
  return {
    name,
    min: lower,
    max: upper,
    softMargin,
    maxVelocity: speed,
    maxAcceleration: acceleration,
    maxLead: LEAD * small,
    startTolerance: START * small,
  }
}

function motionOf(model: RobotModel, joint: JointModel): { readonly speed: number; readonly acceleration: number } {
  const isSliding = joint.kind === 'prismatic'
  const speed = joint.maxSpeed > 0 ? joint.maxSpeed : isSliding ? UNTOLD_SPEED.sliding : UNTOLD_SPEED.turning
  if (joint.maxEffort === 0) return { speed, acceleration: speed / (2 * RISE_S) }
  const inertia = movedBy(model, joint.child).reduce(
    (sum, { massKg, awayM }) => sum + massKg * (isSliding ? 1 : awayM * awayM),
    0,
  )
  const byEffort = inertia > 0 ? (EFFORT_SHARE * joint.maxEffort) / inertia : Infinity
  return { speed, acceleration: Math.min(speed / RISE_S, byEffort) }
}
