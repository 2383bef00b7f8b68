/** A robot before it is written as URDF, which traits of real files change. */
export interface Draft {
  readonly links: DraftLink[]
  readonly joints: DraftJoint[]
  /** Beside the URDF file, by path. */
  readonly files: Map<string, string | Uint8Array>
  /** Of the URDF file, from the folder of everything. */
  path: string
  /** Stands before and after the links. */
  head: string
  /** Changes the whole text. */
  readonly finish: ((xml: string) => string | Uint8Array)[]
}

export interface DraftLink {
  readonly name: string
  mass: string
  inertia: readonly [string, string, string]
  /** Geometry elements with their origins; empty for none. */
  visual: string
  collision: string
  material: string
  inertial: boolean
  more: string
}

export interface DraftJoint {
  readonly name: string
  type: string
  readonly parent: string
  readonly child: string
  xyz: string
  rpy: string
  axis: string
  lower: string
  upper: string
  effort: string
  velocity: string
  more: string
}

/** Lengths from the foot to the tool, and the axes by turns: about the vertical and across. */
const LENGTHS = [0.12, 0.3, 0.28, 0.08, 0.08, 0.06]
const AXES = ['0 0 1', '0 1 0', '0 1 0', '0 0 1', '0 1 0', '0 0 1']

/** A sound arm of six joints, `scale` times the size of one of 0.9 m. */
export function soundArm(scale = 1): Draft {
  const rod = (length: number): string => {
    const at = `<origin xyz="0 0 ${(length * scale) / 2}"/>`
    return `${at}<geometry><cylinder radius="${0.03 * scale}" length="${length * scale}"/></geometry>`
  }
  const mass = Math.max(0.02, scale ** 3)
  const moment = String(0.01 * mass * scale * scale)
  const links = [0.08, ...LENGTHS].map((length, i) => ({
    ...bareLink(i === 0 ? 'foot' : `part${i}`),
    mass: String(mass),
    inertia: [moment, moment, moment] as const,
    visual: rod(length),
    collision: rod(length),
    inertial: true,
  }))
  const joints = AXES.map((axis, i) => ({
    ...bareJoint(`turn${i + 1}`, links[i]!.name, links[i + 1]!.name),
    type: 'revolute',
    xyz: `0 0 ${scale * (i === 0 ? 0.08 : LENGTHS[i - 1]!)}`,
    axis,
    effort: String(60 * Math.max(0.02, scale ** 4)),
  }))
  const tool = bareJoint('tool_mount', 'part6', 'tool')
  tool.xyz = `0 0 ${0.06 * scale}`
  return {
    links: [...links, bareLink('tool')],
    joints: [...joints, tool],
    files: new Map(),
    path: 'urdf/arm.urdf',
    head: '',
    finish: [],
  }
}

export function bareLink(name: string): DraftLink {
  const inertia = ['0', '0', '0'] as const
  return { name, mass: '0', inertia, visual: '', collision: '', material: '', inertial: false, more: '' }
}

export function bareJoint(name: string, parent: string, child: string): DraftJoint {
  return {
    name,
    type: 'fixed',
    parent,
    child,
    xyz: '0 0 0',
    rpy: '0 0 0',
    axis: '0 0 1',
    lower: '-2.8',
    upper: '2.8',
    effort: '60',
    velocity: '3',
    more: '',
  }
}

/** The URDF file of a draft. */
export function urdfOf(draft: Draft): string | Uint8Array {
  const links = draft.links.map((link) => {
    const { name, mass, inertia, visual, collision, material, inertial, more } = link
    const [ixx, iyy, izz] = inertia
    const tensor = `<inertia ixx="${ixx}" iyy="${iyy}" izz="${izz}" ixy="0" ixz="0" iyz="0"/>`
    return [
      `<link name="${name}">`,
      inertial ? `<inertial><mass value="${mass}"/>${tensor}</inertial>` : '',
      visual === '' ? '' : `<visual>${visual}${material}</visual>`,
      collision === '' ? '' : `<collision>${collision}</collision>`,
      `${more}</link>`,
    ].join('\n')
  })
  const joints = draft.joints.map((joint) => {
    const { name, type, parent, child, xyz, rpy, axis, lower, upper, effort, velocity, more } = joint
    const range = `${lower === '' ? '' : `lower="${lower}"`} ${upper === '' ? '' : `upper="${upper}"`}`
    const limit = `<limit ${range} ${effort === '' ? '' : `effort="${effort}"`} ${velocity === '' ? '' : `velocity="${velocity}"`}/>`
    return `<joint name="${name}" type="${type}"><parent link="${parent}"/><child link="${child}"/>
<origin xyz="${xyz}" rpy="${rpy}"/><axis xyz="${axis}"/>${type === 'fixed' ? '' : limit}${more}</joint>`
  })
  const xml = `<?xml version="1.0"?>\n<robot name="draft">${draft.head}\n${[...links, ...joints].join('\n')}\n</robot>\n`
  return draft.finish.reduce<string | Uint8Array>(
    (text, change) => (typeof text === 'string' ? change(text) : text),
    xml,
  )
}

/** Arms of several sizes and kinds of joints by name, as URDF. */
export function generatedArms(): Readonly<Record<string, string | Uint8Array>> {
  const changed = (scale: number, change: (draft: Draft) => void = () => {}): string | Uint8Array => {
    const draft = soundArm(scale)
    change(draft)
    return urdfOf(draft)
  }
  return {
    'desk-arm': changed(0.3),
    'sound-arm': changed(1),
    'large-arm': changed(2.5),
    'pan-of-a-turn': changed(1, ({ joints }) => {
      Object.assign(joints[0]!, { lower: '-3.14159', upper: '3.14159', effort: '20', velocity: '6' })
    }),
    'continuous-wrists': changed(1, ({ joints }) => {
      joints[3]!.type = 'continuous'
      joints[5]!.type = 'continuous'
    }),
    'links-without-mass': changed(1, ({ links }) => {
      for (const link of links.slice(1, 4)) link.mass = '0'
    }),
    'five-joints': changed(1, ({ joints }) => {
      joints[3]!.type = 'fixed'
    }),
    'narrow-joints': changed(1, ({ joints }) => {
      Object.assign(joints[3]!, { lower: '-0.06', upper: '0.06' })
      Object.assign(joints[4]!, { lower: '-0.4', upper: '0.1' })
    }),
    'locked-joint': changed(1, ({ joints }) => Object.assign(joints[3]!, { lower: '0.4', upper: '0.4' })),
    'on-a-slide': changed(1, ({ joints }) => {
      Object.assign(joints[0]!, { type: 'prismatic', axis: '0 1 0', lower: '-0.3', upper: '0.3', effort: '400' })
    }),
  }
}

/** How the fingers of {@link withGripper} move. */
export type GripperKind = 'slides' | 'mimic' | 'one-sided ranges' | 'turns' | 'one moves'

/** A draft with a gripper at its tool, which opens to about 9 cm times `scale`. */
export function withGripper(draft: Draft, scale: number, kind: GripperKind, mountRpy = '0 0 0'): Draft {
  const m = (x: number): string => String(x * scale)
  const box = (at: readonly number[], size: readonly number[]): string =>
    `<origin xyz="${at.map(m).join(' ')}"/><geometry><box size="${size.map(m).join(' ')}"/></geometry>`
  const body = (name: string, kg: number, shape: string): DraftLink => ({
    ...bareLink(name),
    mass: String(kg * scale ** 3),
    inertia: [String(1e-4 * scale ** 5), String(1e-4 * scale ** 5), String(1e-4 * scale ** 5)],
    visual: shape,
    collision: shape,
    inertial: true,
  })
  const isTurning = kind === 'turns'
  const palm = body('palm', 0.4, box([0, 0, 0.025], [0.04, 0.16, 0.05]))
  const left = body('finger_left', 0.02, box([0, 0.006, 0.03], [0.02, 0.012, 0.06]))
  const right = body('finger_right', 0.02, box([0, -0.006, 0.03], [0.02, 0.012, 0.06]))
  const mount = { ...bareJoint('palm_mount', 'tool', 'palm'), rpy: mountRpy }
  const finger = (name: string, child: string, side: number): DraftJoint => ({
    ...bareJoint(name, 'palm', child),
    type: isTurning ? 'revolute' : 'prismatic',
    xyz: `0 ${m(isTurning ? side * 0.012 : 0)} ${m(0.05)}`,
    axis: isTurning ? `${-side} 0 0` : `0 ${side} 0`,
    lower: isTurning ? '-0.1' : '0',
    upper: isTurning ? '0.6' : m(0.045),
    effort: m(20),
    velocity: isTurning ? '3' : m(0.3),
  })
  const first = finger('finger_joint_left', 'finger_left', 1)
  const second = finger('finger_joint_right', 'finger_right', -1)
  if (kind === 'mimic') second.more = '<mimic joint="finger_joint_left"/>'
  if (kind === 'one moves') second.type = 'fixed'
  if (kind === 'one-sided ranges') Object.assign(second, { axis: '0 1 0', lower: m(-0.045), upper: '0' })
  draft.links.push(palm, left, right)
  draft.joints.push(mount, first, second)
  return draft
}
