import { chainOf, Kinematics } from './kinematics.ts'
import { gripperLinks, rodLinks } from './panda.ts'
import type { JointModel, PoseSpec, RobotModel } from './robot-model.ts'
import { fingersOf } from './tip.ts'

/** The link of a tool that actions move, its hand, and its fingers. */
export const TOOL_TIP = 'armature_tip'
export const TOOL_HAND = 'armature_hand'
export const TOOL_FINGERS: readonly string[] = ['armature_finger1', 'armature_finger2']

type Vector = readonly [number, number, number]

/** A robot with a round rod, `scale` times a Panda's, at `link`, whose fingers it takes the place of. */
export function withRod(model: RobotModel, link: string, scale: number): RobotModel {
  return fitted(model, link, rodLinks(scale, TOOL_TIP))
}

/** The same with a parallel gripper, whose two fingers are its last coordinates. */
export function withGripper(model: RobotModel, link: string, scale: number): RobotModel {
  return fitted(model, link, gripperLinks(scale, { hand: TOOL_HAND, tip: TOOL_TIP, fingers: TOOL_FINGERS }))
}

function fitted(model: RobotModel, link: string, tool: Pick<RobotModel, 'links' | 'joints'>): RobotModel {
  const bare = withoutFingers(model)
  const mount: JointModel = {
    name: 'armature_mount',
    kind: 'fixed',
    parent: link,
    child: tool.links[0]!.name,
    origin: { positionM: [0, 0, 0], quatXyzw: outwards(model, link) },
    axis: [0, 0, 1],
    lower: 0,
    upper: 0,
    maxSpeed: 0,
    maxEffort: 0,
  }
  return { ...bare, links: [...bare.links, ...tool.links], joints: [...bare.joints, mount, ...tool.joints] }
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
