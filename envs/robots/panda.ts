import type { GeometryModel, JointModel, LinkModel, PoseSpec, RobotModel } from './robot-model.ts'
import { fixedJoint, frameLink } from './robot-model.ts'
import { between, rodBetween } from './rods.ts'
import { quatOfRpy } from './rotations.ts'

type Vector = readonly [number, number, number]
type Color = readonly [number, number, number]

const WHITE: Color = [232, 236, 240]
const GREY: Color = [120, 130, 142]
const DARK: Color = [58, 64, 74]
const BLUE: Color = [70, 120, 200]
const ORANGE: Color = [255, 168, 40]

const AT_ORIGIN: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }
/** Of the tool's rod, from the flange to its tip. */
const TOOL_LENGTH_M = 0.16
export const TOOL_RADIUS_M: number = 0.018

/**
 * Franka Emika's Panda: joint origins, limits, speeds and efforts as in its public URDF. Masses are those of a published identification,
 * rounded; inertias are those of rods of the links' size; looks and collision shapes are capsules and boxes. Its last link is `flange`.
 */
export const PANDA: RobotModel = {
  name: 'panda',
  links: [
    link('link0', 0, [0, 0, 0], [0, 0, 0.1], 0.06, [box([0.1, 0.08, 0.06], [-0.03, 0, 0.06], DARK)]),
    link('link1', 4.97, [0, 0, -0.19], [0, 0, 0], 0.06, [rod([0, 0, -0.2], [0, 0, -0.05], 0.058, WHITE)]),
    link('link2', 0.65, [0, -0.15, 0], [0, 0, 0], 0.06, [
      rod([0, 0, -0.07], [0, 0, 0.07], 0.06, GREY),
      rod([0, -0.06, 0], [0, -0.18, 0], 0.056, WHITE),
    ]),
    link('link3', 3.23, [0, 0, -0.1], [0.08, 0, 0], 0.06, [
      rod([0, 0, -0.1], [0, 0, -0.04], 0.056, WHITE),
      rod([0.02, 0, -0.01], [0.0825, 0, 0], 0.05, WHITE),
    ]),
    link('link4', 3.59, [0, 0, 0], [-0.08, 0.13, 0], 0.06, [
      rod([0, 0, -0.06], [0, 0, 0.06], 0.056, GREY),
      rod([-0.03, 0.04, 0], [-0.0825, 0.12, 0], 0.052, WHITE),
    ]),
    link('link5', 1.23, [0, 0, -0.24], [0, 0.05, 0], 0.05, [
      rod([0, 0, -0.24], [0, 0.02, -0.08], 0.05, WHITE),
      rod([0, 0.03, -0.08], [0, 0.02, -0.02], 0.05, WHITE),
    ]),
    link('link6', 1.67, [0, 0, 0], [0.088, 0, 0], 0.05, [
      rod([0, 0, -0.05], [0, 0, 0.05], 0.05, GREY),
      rod([0.02, 0, 0], [0.088, 0, 0], 0.045, WHITE),
    ]),
    link('link7', 0.74, [0, 0, 0.02], [0, 0, 0.1], 0.045, [rod([0, 0, 0.04], [0, 0, 0.065], 0.042, WHITE)]),
    frameLink('flange'),
  ],
  joints: [
    revolute(1, [0, 0, 0.333], 0, 2.8973, -2.8973),
    revolute(2, [0, 0, 0], -1, 1.7628, -1.7628),
    revolute(3, [0, -0.316, 0], 1, 2.8973, -2.8973),
    revolute(4, [0.0825, 0, 0], 1, -0.0698, -3.0718),
    revolute(5, [-0.0825, 0.384, 0], -1, 2.8973, -2.8973),
    revolute(6, [0, 0, 0], 1, 3.7525, -0.0175),
    revolute(7, [0.088, 0, 0], 1, 2.8973, -2.8973),
    fixedJoint('joint8', 'link7', 'flange', { positionM: [0, 0, 0.107], quatXyzw: [0, 0, 0, 1] }),
  ],
}

/** The Panda with a round rod for pushing at its flange; link `tip` is the end of the rod. */
export const PANDA_WITH_TOOL: RobotModel = {
  name: 'panda with a rod',
  links: [
    ...PANDA.links,
    link('tool', 0.2, [0, 0, 0], [0, 0, TOOL_LENGTH_M], TOOL_RADIUS_M, [
      {
        shape: { kind: 'cylinder', radiusM: TOOL_RADIUS_M, heightM: TOOL_LENGTH_M },
        pose: { positionM: [0, 0, TOOL_LENGTH_M / 2], quatXyzw: [0, 0, 0, 1] },
        color: ORANGE,
      },
    ]),
    frameLink('tip'),
  ],
  joints: [
    ...PANDA.joints,
    fixedJoint('tool-joint', 'flange', 'tool', AT_ORIGIN),
    fixedJoint('tip-joint', 'tool', 'tip', { positionM: [0, 0, TOOL_LENGTH_M], quatXyzw: [0, 0, 0, 1] }),
  ],
}

/** Fingers are heavier than the real ones (15 g): at less than half of an object's mass a friction grip creeps. */
const FINGER_MASS_KG = 0.1

/**
 * The Panda with its parallel gripper; link `tip` lies between the fingertips. The fingers are two joints, 0 (closed) to 4 cm (open) each,
 * which the real hand couples: give both the same target.
 */
export const PANDA_WITH_GRIPPER: RobotModel = {
  name: 'panda with a gripper',
  links: [
    ...PANDA.links,
    link('hand', 0.73, [0, -0.08, 0.03], [0, 0.08, 0.03], 0.03, [box([0.03, 0.1, 0.028], [0, 0, 0.03], BLUE)]),
    frameLink('tip'),
    finger('finger1', 1),
    finger('finger2', -1),
  ],
  joints: [
    ...PANDA.joints,
    fixedJoint('hand-joint', 'flange', 'hand', { positionM: [0, 0, 0], quatXyzw: quatOfRpy(0, 0, -Math.PI / 4) }),
    fixedJoint('tip-joint', 'hand', 'tip', { positionM: [0, 0, 0.1034], quatXyzw: [0, 0, 0, 1] }),
    fingerJoint('finger-joint1', 'finger1', 1),
    fingerJoint('finger-joint2', 'finger2', -1),
  ],
}

/**
 * The Panda's rod, `scale` times its size, as links of their own; the first begins where it is mounted, `tip` is its end. It collides as a capsule whose
 * round end lies beyond the tip: of the contact of two cylinders of a few millimetres Rapier finds directions that are wrong by a quarter of a turn.
 */
export function rodLinks(scale: number, tip: string): Pick<RobotModel, 'links' | 'joints'> {
  const [lengthM, radiusM] = [TOOL_LENGTH_M * scale, TOOL_RADIUS_M * scale]
  const shape: GeometryModel = {
    shape: { kind: 'cylinder', radiusM, heightM: lengthM },
    pose: { positionM: [0, 0, lengthM / 2], quatXyzw: [0, 0, 0, 1] },
    color: ORANGE,
  }
  return {
    links: [
      {
        ...link('armature_rod', 0.2 * scale ** 3, [0, 0, 0], [0, 0, lengthM], radiusM, [shape]),
        collisions: [rodBetween([0, 0, radiusM], [0, 0, lengthM], radiusM)],
      },
      frameLink(tip),
    ],
    joints: [
      fixedJoint('armature_rod_tip', 'armature_rod', tip, { positionM: [0, 0, lengthM], quatXyzw: [0, 0, 0, 1] }),
    ],
  }
}

/** The Panda's hand, `scale` times its size, the same way, with these names; its fingers are the last two joints. */
export function gripperLinks(
  scale: number,
  {
    hand: handName,
    tip,
    fingers,
  }: { readonly hand: string; readonly tip: string; readonly fingers: readonly string[] },
): Pick<RobotModel, 'links' | 'joints'> {
  const sized = ({ shape, pose, ...rest }: GeometryModel): GeometryModel => ({
    ...rest,
    shape: shape.kind === 'box' ? { kind: 'box', halfExtentsM: times(shape.halfExtentsM, scale) } : shape,
    pose: { ...pose, positionM: times(pose.positionM, scale) },
  })
  const smaller = (model: LinkModel, name: string): LinkModel => ({
    ...model,
    name,
    massKg: model.massKg * scale ** 3,
    inertialPose: { ...model.inertialPose, positionM: times(model.inertialPose.positionM, scale) },
    inertia: model.inertia.map((moment) => moment * scale ** 5) as unknown as LinkModel['inertia'],
    visuals: model.visuals.map(sized),
    collisions: model.collisions.map(sized),
  })
  const [hand, , ...ends] = PANDA_WITH_GRIPPER.links.slice(PANDA.links.length) as [LinkModel, LinkModel, ...LinkModel[]]
  const slides = PANDA_WITH_GRIPPER.joints.slice(-2)
  return {
    links: [smaller(hand, handName), frameLink(tip), ...ends.map((end, i) => smaller(end, fingers[i]!))],
    joints: [
      fixedJoint('armature_hand_tip', handName, tip, { positionM: [0, 0, 0.1034 * scale], quatXyzw: [0, 0, 0, 1] }),
      ...slides.map((joint, i) => ({
        ...joint,
        name: `${fingers[i]!}_slide`,
        parent: handName,
        child: fingers[i]!,
        origin: { ...joint.origin, positionM: times(joint.origin.positionM, scale) },
        upper: joint.upper * scale,
        maxSpeed: joint.maxSpeed * scale,
        maxEffort: joint.maxEffort * scale ** 3,
      })),
    ],
  }
}

function times([x, y, z]: Vector, scale: number): Vector {
  return [x * scale, y * scale, z * scale]
}

function revolute(number: number, positionM: Vector, quarterTurnsX: number, upper: number, lower: number): JointModel {
  const isWrist = number > 4
  return {
    name: `joint${number}`,
    kind: 'revolute',
    parent: `link${number - 1}`,
    child: `link${number}`,
    origin: { positionM, quatXyzw: quatOfRpy((quarterTurnsX * Math.PI) / 2, 0, 0) },
    axis: [0, 0, 1],
    lower,
    upper,
    maxSpeed: isWrist ? 2.61 : 2.175,
    maxEffort: isWrist ? 12 : 87,
  }
}

function fingerJoint(name: string, child: string, side: 1 | -1): JointModel {
  return {
    name,
    kind: 'prismatic',
    parent: 'hand',
    child,
    origin: { positionM: [0, 0, 0.0584], quatXyzw: [0, 0, 0, 1] },
    axis: [0, side, 0],
    lower: 0,
    upper: 0.04,
    maxSpeed: 0.2,
    maxEffort: 20,
  }
}

function finger(name: string, side: 1 | -1): LinkModel {
  return link(name, FINGER_MASS_KG, [0, side * 0.008, 0], [0, side * 0.008, 0.054], 0.01, [
    box([0.011, 0.008, 0.028], [0, side * 0.008, 0.026], ORANGE),
  ])
}

/** A link with the inertia of a solid rod between two points of its frame. */
function link(
  name: string,
  massKg: number,
  from: Vector,
  to: Vector,
  radiusM: number,
  shapes: readonly GeometryModel[],
): LinkModel {
  const { center, lengthM, quat } = between(from, to)
  const across = (massKg * (3 * radiusM * radiusM + lengthM * lengthM)) / 12
  const along = (massKg * radiusM * radiusM) / 2
  return {
    name,
    massKg,
    inertialPose: { positionM: center, quatXyzw: quat },
    inertia: [across, 0, 0, across, 0, along],
    visuals: shapes,
    collisions: shapes,
  }
}

function rod(from: Vector, to: Vector, radiusM: number, color: Color): GeometryModel {
  return { ...rodBetween(from, to, radiusM), color }
}

function box(halfExtentsM: Vector, positionM: Vector, color: Color): GeometryModel {
  return { shape: { kind: 'box', halfExtentsM }, pose: { positionM, quatXyzw: [0, 0, 0, 1] }, color }
}
