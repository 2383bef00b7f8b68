import type { JointGains } from './arm.ts'
import { cornersInFrame } from './frame-points.ts'
import { chainOf, Kinematics } from './kinematics.ts'
import type { OwnGripper } from './own-gripper.ts'
import { PAD_SHARE } from './own-gripper.ts'
import { gripperLinks, rodLinks, TOOL_RADIUS_M } from './panda.ts'
import type { JointModel, LinkModel, PoseSpec, RobotModel } from './robot-model.ts'
import { fixedJoint, frameLink } from './robot-model.ts'
import { rodBetween } from './rods.ts'
import { rotationOfQuat, turned } from './rotations.ts'
import { bodyOf, fingersOf } from './tip.ts'

/** The link of a tool that actions move, and its hand, whose z points to the fingers. */
export const TOOL_TIP = 'armature_tip'
export const TOOL_HAND = 'armature_hand'
const TOOL_FINGERS: readonly string[] = ['armature_finger1', 'armature_finger2']

type Vector = readonly [number, number, number]

/** Two sides that grip: the last coordinates of a robot's model. */
export interface Fingers {
  /** [1 or 2] positions of their coordinates, rad or m. */
  readonly closed: readonly number[]
  readonly open: readonly number[]
  /** Between the sides when they are closed and open, metres. */
  readonly gapM: readonly [number, number]
  /** Of the joints that move them; undefined for others. */
  readonly gains: (joint: JointModel) => JointGains | undefined
}

/** What an arm works with, which is as large as the things that it works on. */
export interface Tool {
  /** The robot with the tool, which ends in {@link TOOL_TIP}. */
  readonly modelAt: (scale: number) => RobotModel
  /** Absent for tools that do not grip. */
  readonly fingersAt?: (scale: number) => Fingers
  /** What it can work on, 1 being the size of a Panda's things; absent: any. */
  readonly leastScale?: number
  readonly mostScale?: number
}

/** Puts a scene's tool on a link of a robot. */
export type WithTool = (model: RobotModel, link: string, own: OwnGripper | undefined) => Tool

/** Closed on a cube of 4 cm they press with 10 N. Heavy damping, 100 N s/m, would let the grip creep by a millimetre per second. */
const FINGER_GAINS: JointGains = { stiffness: 500, damping: 20 }
/** Of the cube that is gripped at scale 1, metres and kilograms. */
const CUBE_M = 0.04
const CUBE_KG = 0.1
/** From the tip between the fingers to their ends, at scale 1. */
const INSET_M = 0.009
/** A gripper opens by as much of the side of a cube, which may lie askew, and closes to as much of it. */
const WIDEST = 1.5
const NARROWEST = 0.7
/** Fingers whose pads are as long, at scale 1, reach around a cube. */
const PAD_LENGTH_M = 0.03
/** From the hand's frame to its palm, and to the tip, at scale 1. */
const PALM_M = 0.058
const HAND_LENGTH_M = 0.1034

/** The force of a grip grows with the weight of the cube, the way with its side. */
function fingerGains(scale: number): JointGains {
  return { stiffness: FINGER_GAINS.stiffness * scale ** 2, damping: FINGER_GAINS.damping * scale ** 2 }
}

/** Those of a Panda's gripper, `scale` times as large, whose joints are those that `isTheirs` tells. */
export function pandaFingers(scale: number, isTheirs: (joint: JointModel) => boolean): Fingers {
  const open = 0.04 * scale
  const gains = fingerGains(scale)
  return {
    closed: [0, 0],
    open: [open, open],
    gapM: [0, 2 * open],
    gains: (joint) => (isTheirs(joint) ? gains : undefined),
  }
}

/**
 * The robot's own gripper, closed, which collides as a rod between its fingertips: as boxes of a few millimetres they push a puck askew. Or else
 * a round rod in the place of its fingers.
 */
export const withRod: WithTool = (model, link, own) =>
  own === undefined
    ? { modelAt: mounting(model, link, (scale) => rodLinks(scale, TOOL_TIP)) }
    : ownTool(
        (scale) => pushing(model, own, scale),
        own,
        () => 0,
      )

/** The robot's own gripper, or else a Panda's in the place of its fingers. */
export const withGripper: WithTool = (model, link, own) => {
  if (own === undefined) {
    const names = { hand: TOOL_HAND, tip: TOOL_TIP, fingers: TOOL_FINGERS }
    return {
      modelAt: mounting(model, link, (scale) => gripperLinks(scale, names)),
      fingersAt: (scale) => pandaFingers(scale, ({ child }) => TOOL_FINGERS.includes(child)),
    }
  }
  const [closedM, openM] = own.gapM
  return {
    ...ownTool(
      () => model,
      own,
      (scale) => INSET_M * scale,
    ),
    leastScale: closedM / (NARROWEST * CUBE_M),
    mostScale: Math.min(openM / (WIDEST * CUBE_M), (PAD_SHARE * own.lengthM) / PAD_LENGTH_M),
  }
}

/** The robot with fingers that do not collide, but for a rod along them, whose round end lies beyond them as that of the scene's rod does. */
function pushing(model: RobotModel, { links, carrier, end, lengthM, halfM }: OwnGripper, scale: number): RobotModel {
  const at = (backM: number): Vector => outFrom(end, -backM).positionM
  const rod = rodBetween(at(lengthM), at(Math.max(0, halfM - TOOL_RADIUS_M * scale)), halfM)
  return {
    ...model,
    links: model.links.map((link) => {
      if (link.name === carrier) return { ...link, collisions: [...link.collisions, rod] }
      return links.has(link.name) ? { ...link, collisions: [] } : link
    }),
  }
}

/** @param insetM how far the tip is from the ends of the fingers, for each scale. */
function ownTool(robotAt: Tool['modelAt'], own: OwnGripper, insetM: (scale: number) => number): Tool {
  const isFinger = (name: string): boolean => own.links.has(name)
  const { carrier, end } = own
  return {
    modelAt: (scale) => {
      const model = robotAt(scale)
      const joints = model.joints.filter(({ child }) => isFinger(child))
      const roots = new Set(joints.filter(({ parent }) => !isFinger(parent)).map(({ child }) => child))
      const fingers = model.links
        .filter(({ name }) => isFinger(name))
        .map((link) => (roots.has(link.name) ? heavier(link, CUBE_KG * scale ** 3) : link))
      const at = (backM: number): PoseSpec => outFrom(end, -backM)
      return {
        ...model,
        links: [...model.links.filter(({ name }) => !isFinger(name)), CAMERA_MOUNT, frameLink(TOOL_TIP), ...fingers],
        joints: [
          ...model.joints.filter(({ child }) => !isFinger(child)),
          fixedJoint('armature_hand_mount', carrier, TOOL_HAND, at(insetM(scale) + HAND_LENGTH_M * scale)),
          fixedJoint('armature_tip_mount', carrier, TOOL_TIP, at(insetM(scale))),
          ...joints,
        ],
      }
    },
    fingersAt: (scale) => ({
      ...own,
      gains: (joint) => (isFinger(joint.child) ? ownGains(own, joint, scale) : undefined),
    }),
  }
}

/** At less than half of an object's mass a friction grip creeps. */
function heavier(link: LinkModel, leastKg: number): LinkModel {
  if (link.massKg >= leastKg) return link
  const factor = leastKg / Math.max(link.massKg, 1e-6)
  return { ...link, massKg: leastKg, inertia: link.inertia.map((x) => x * factor) as unknown as LinkModel['inertia'] }
}

/** As hard as a Panda's fingers press on the same cube, which those that do not close wholly meet later. */
function ownGains({ gapM, levers }: OwnGripper, { child }: JointModel, scale: number): JointGains {
  const { stiffness, damping } = fingerGains(scale)
  const half = (CUBE_M / 2) * scale
  const later = half / Math.max(half - gapM[0] / 2, half / 4)
  const lever = levers.get(child) ?? 1
  return { stiffness: stiffness * later * lever ** 2, damping: damping * later * lever ** 2 }
}

/** A link that only carries the camera of the wrist: a speck that nothing is seen of. */
const CAMERA_MOUNT: LinkModel = {
  ...frameLink(TOOL_HAND),
  visuals: [
    {
      shape: { kind: 'box', halfExtentsM: [1e-7, 1e-7, 1e-7] },
      pose: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
    },
  ],
}

/** A pose moved along its z axis. */
function outFrom({ positionM, quatXyzw }: PoseSpec, byM: number): PoseSpec {
  const way = turned(rotationOfQuat(quatXyzw, new Float64Array(9)), [0, 0, byM])
  return { positionM: positionM.map((x, i) => x + way[i]!) as unknown as Vector, quatXyzw }
}

/** A tool of each scale at a link, or before what of the robot stands out there further than the tool's own hand would. */
function mounting(
  model: RobotModel,
  link: string,
  toolAt: (scale: number) => Pick<RobotModel, 'links' | 'joints'>,
): Tool['modelAt'] {
  const bare = withoutFingers(model)
  const quatXyzw = outwards(model, link)
  const beyondM = reachBeyond(bare, link, quatXyzw)
  return (scale) => {
    const tool = toolAt(scale)
    const origin = outFrom({ positionM: [0, 0, 0], quatXyzw }, beyondM > PALM_M * scale ? beyondM : 0)
    const mount = fixedJoint('armature_mount', link, tool.links[0]!.name, origin)
    return { ...bare, links: [...bare.links, ...tool.links], joints: [...bare.joints, mount, ...tool.joints] }
  }
}

/** How far what is fixed to a link, and collides, stands out beyond its origin along the z axis of `quatXyzw`. */
function reachBeyond(model: RobotModel, link: string, quatXyzw: PoseSpec['quatXyzw']): number {
  const whole = new Kinematics(model)
  whole.forward(new Float64Array(whole.joints.length))
  const [x, y, z] = turned(rotationOfQuat(quatXyzw, new Float64Array(9)), [0, 0, 1])
  const body = bodyOf(model, link)
  const corners = cornersInFrame(whole, link, (name) => body.has(name)).flat()
  return corners.reduce((most, corner) => Math.max(most, corner[0] * x! + corner[1] * y! + corner[2] * z!), 0)
}

function withoutFingers(model: RobotModel): RobotModel {
  const fingers = fingersOf(model)
  return {
    ...model,
    links: model.links.filter(({ name }) => !fingers.has(name)),
    joints: model.joints.filter(({ child }) => !fingers.has(child)),
  }
}

/** Turns by which z becomes the axis of a link that points away from the joint that moves it. */
const TURNS: readonly { readonly axis: Vector; readonly quatXyzw: PoseSpec['quatXyzw'] }[] = [
  { axis: [0, 0, 1], quatXyzw: [0, 0, 0, 1] },
  { axis: [1, 0, 0], quatXyzw: [0, Math.SQRT1_2, 0, Math.SQRT1_2] },
  { axis: [-1, 0, 0], quatXyzw: [0, -Math.SQRT1_2, 0, Math.SQRT1_2] },
  { axis: [0, 1, 0], quatXyzw: [-Math.SQRT1_2, 0, 0, Math.SQRT1_2] },
  { axis: [0, -1, 0], quatXyzw: [Math.SQRT1_2, 0, 0, Math.SQRT1_2] },
  { axis: [0, 0, -1], quatXyzw: [1, 0, 0, 0] },
]
/** A link as near to its joint tells no direction: its z is taken, as of flanges. */
const NEAR_M = 1e-3

function outwards(model: RobotModel, link: string): PoseSpec['quatXyzw'] {
  const chain = new Kinematics(chainOf(model, model.links[0]!.name, link))
  chain.forward(new Float64Array(chain.joints.length))
  const last = chain.model.joints.findLast(({ kind }) => kind !== 'fixed')!
  const [from, to] = [3 * chain.linkIndex(last.child), 3 * chain.linkIndex(link)]
  const away = [0, 1, 2].map((i) => chain.positions[to + i]! - chain.positions[from + i]!)
  if (Math.hypot(...away) < NEAR_M) return TURNS[0]!.quatXyzw
  const r = chain.rotations.subarray(3 * to, 3 * to + 9)
  // In the frame of the link.
  const own = [0, 1, 2].map((i) => r[i]! * away[0]! + r[3 + i]! * away[1]! + r[6 + i]! * away[2]!)
  const along = ({ axis }: (typeof TURNS)[number]): number => axis.reduce((sum, x, i) => sum + x * own[i]!, 0)
  return TURNS.toSorted((a, b) => along(b) - along(a))[0]!.quatXyzw
}
