import type { JointModel } from './robot-model.ts'
import { readOrigin } from './urdf-links.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { quote } from './urdf-xml.ts'

const KINDS = ['revolute', 'continuous', 'prismatic', 'fixed'] as const
/** Kinds of URDF that move in more than one way. */
const OTHER_KINDS = ['planar', 'floating']

/** @throws ArmatureError with the line of what is wrong. */
export function readJoint(joint: UrdfElement): JointModel {
  joint.checkChildren([
    'parent',
    'child',
    'origin',
    'axis',
    'limit',
    'mimic',
    'dynamics',
    'calibration',
    'safety_controller',
  ])
  const name = joint.text('name')
  const kind = readKind(joint, name)
  const mimic = joint.optional('mimic')
  return {
    name,
    kind,
    parent: joint.required('parent').text('link'),
    child: joint.required('child').text('link'),
    origin: readOrigin(joint),
    axis: kind === 'fixed' ? [1, 0, 0] : readAxis(joint.optional('axis')),
    ...readLimits(joint, name, kind),
    ...(mimic === undefined || kind === 'fixed' ? {} : { mimic: readMimic(mimic) }),
  }
}

function readKind(joint: UrdfElement, name: string): JointModel['kind'] {
  const type = joint.text('type')
  const kind = KINDS.find((known) => known === type)
  if (kind !== undefined) return kind
  if (OTHER_KINDS.includes(type)) {
    const fix = `there is ${KINDS.join(', ')}: build it of those, or make it fixed`
    throw joint.error(`joint ${quote(name)}: ${type} joints are not supported`, { fix }, 'unsupported-op')
  }
  throw joint.error(`joint ${quote(name)} type`, { expected: KINDS.join(' or '), got: quote(type) })
}

function readAxis(axis: UrdfElement | undefined): JointModel['axis'] {
  if (axis === undefined) return [1, 0, 0]
  const [x, y, z] = axis.vector('xyz', 3) as [number, number, number]
  const length = Math.hypot(x, y, z)
  if (length < 1e-9) throw axis.error('<axis> xyz', { expected: 'a direction', got: `${x} ${y} ${z}` })
  return [x / length, y / length, z / length]
}

type Limits = Pick<JointModel, 'lower' | 'upper' | 'maxSpeed' | 'maxEffort'>

function readLimits(joint: UrdfElement, name: string, kind: JointModel['kind']): Limits {
  if (kind === 'fixed') return { lower: 0, upper: 0, maxSpeed: 0, maxEffort: 0 }
  const free = { lower: -Infinity, upper: Infinity }
  const limit = joint.optional('limit')
  if (limit === undefined) {
    if (kind === 'continuous') return { ...free, maxSpeed: Infinity, maxEffort: Infinity }
    const fix = 'add <limit lower="" upper="" effort="" velocity=""/>'
    throw joint.error(`${kind} joint ${quote(name)} has no <limit>`, { fix })
  }
  const strength = { maxSpeed: aboveZero(limit, 'velocity'), maxEffort: aboveZero(limit, 'effort') }
  if (kind === 'continuous') return { ...free, ...strength }
  if (limit.attribute('lower') === undefined && limit.attribute('upper') === undefined) {
    throw limit.error(`joint ${quote(name)} cannot move: its <limit> has neither lower nor upper`, {
      fix: 'add them, or make the joint continuous or fixed',
    })
  }
  const [lower, upper] = [limit.number('lower', 0), limit.number('upper', 0)]
  if (lower > upper) {
    throw limit.error(`joint ${quote(name)} limit`, { expected: 'lower below upper', got: `${lower} and ${upper}` })
  }
  return { lower, upper, ...strength }
}

function aboveZero(limit: UrdfElement, name: 'velocity' | 'effort'): number {
  const value = limit.number(name)
  if (value > 0) return value
  throw limit.error(`<limit> ${name}`, {
    expected: 'a number above 0',
    got: String(value),
    fix: 'a joint of 0 cannot be driven: write what its motor can do, or make it fixed',
  })
}

function readMimic(mimic: UrdfElement): NonNullable<JointModel['mimic']> {
  return {
    joint: mimic.text('joint'),
    multiplier: mimic.quantity('multiplier', 1),
    offset: mimic.quantity('offset', 0),
  }
}
