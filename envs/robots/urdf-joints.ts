import type { Notices } from './notices.ts'
import type { JointModel } from './robot-model.ts'
import { readOrigin } from './urdf-shapes.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { quote } from './urdf-xml.ts'

const KINDS = ['revolute', 'continuous', 'prismatic', 'fixed'] as const
/** Kinds of URDF that move in more than one way. */
const OTHER_KINDS = ['planar', 'floating']

/** @throws ArmatureError with the line of what is wrong. */
export function readJoint(joint: UrdfElement, notices: Notices): JointModel {
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
    ...readLimits(joint, name, kind, notices),
    ...(mimic === undefined || kind === 'fixed' ? {} : { mimic: readMimic(mimic) }),
  }
}

function readKind(joint: UrdfElement, name: string): JointModel['kind'] {
  const type = joint.text('type')
  const kind = KINDS.find((known) => known === type)
  if (kind !== undefined) return kind
  if (OTHER_KINDS.includes(type)) {
    const fix = `there is ${KINDS.join(', ')}: build it of those, or make it fixed`
    throw joint.error(`joint ${quote(name)}: ${type} joints are not supported`, { fix }, 'bad-argument')
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

/** No joint turns further than this many turns: such limits are written in degrees. */
const MOST_TURNS = 4

function readLimits(joint: UrdfElement, name: string, kind: JointModel['kind'], notices: Notices): Limits {
  if (kind === 'fixed') return { lower: 0, upper: 0, maxSpeed: 0, maxEffort: 0 }
  const free = { lower: -Infinity, upper: Infinity }
  const limit = joint.optional('limit')
  if (limit === undefined) {
    if (kind === 'continuous') return { ...free, maxSpeed: 0, maxEffort: 0 }
    return { ...limitsFor(joint, name, kind, notices), maxSpeed: 0, maxEffort: 0 }
  }
  const strength = {
    maxSpeed: toldOr0(limit, 'velocity', name, notices),
    maxEffort: toldOr0(limit, 'effort', name, notices),
  }
  if (kind === 'continuous') return { ...free, ...strength }
  if (limit.attribute('lower') === undefined && limit.attribute('upper') === undefined) {
    return { ...limitsFor(limit, name, kind, notices), ...strength }
  }
  const [first, second] = [limit.number('lower', 0), limit.number('upper', 0)]
  if (first > second) notices.add('a lower limit above the upper one is exchanged with it', name)
  const [lower, upper] = [Math.min(first, second), Math.max(first, second)]
  if (kind === 'revolute' && Math.max(-lower, upper) > MOST_TURNS * 2 * Math.PI) {
    notices.add('limits that look like degrees are read as radians, as URDF has them, and cut to half a turn', name)
  }
  return { lower, upper, ...strength }
}

/** Of a joint whose file tells none: half a turn to either side; how far one slides cannot be known. */
function limitsFor(
  element: UrdfElement,
  name: string,
  kind: JointModel['kind'],
  notices: Notices,
): Pick<Limits, 'lower' | 'upper'> {
  if (kind === 'prismatic') {
    throw element.error(`prismatic joint ${quote(name)} has no limits`, {
      fix: 'add <limit lower="" upper="" effort="" velocity=""/>, or make it fixed',
    })
  }
  notices.add('a joint without limits turns by half a turn to either side', name)
  return { lower: -Math.PI, upper: Math.PI }
}

/** 0 where the file tells nothing: exporters write 0, or -1, for what they do not know. */
function toldOr0(limit: UrdfElement, attribute: 'velocity' | 'effort', joint: string, notices: Notices): number {
  const value = limit.number(attribute, 0)
  if (value > 0) return value
  const usual = attribute === 'effort' ? 'three times what holds the links beyond' : 'a usual speed'
  notices.add(`${attribute} 0 is read as not told, and ${usual} is taken`, joint)
  return 0
}

function readMimic(mimic: UrdfElement): NonNullable<JointModel['mimic']> {
  return {
    joint: mimic.text('joint'),
    multiplier: mimic.quantity('multiplier', 1),
    offset: mimic.quantity('offset', 0),
  }
}
