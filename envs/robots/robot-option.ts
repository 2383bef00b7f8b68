import { ArmatureError } from '../../src/core/errors.ts'
import type { OptionReader, Values } from '../options.ts'
import { byName, names, oneOf, quantity, readOptions, section, text, vector } from '../options.ts'
import type { FittedArm, Workplace } from './fit-arm.ts'
import { fitArm } from './fit-arm.ts'
import { ownGripper } from './own-gripper.ts'
import { warnOnce } from './notices.ts'
import { loadRobot, robotToJson } from './robot-file.ts'
import type { PoseSpec, RobotModel } from './robot-model.ts'
import { quatOfRpy } from './rotations.ts'
import { fingersOf, tipOf } from './tip.ts'
import type { Fingers, Tool, WithTool } from './tools.ts'
import { TOOL_TIP } from './tools.ts'
import { withUsualStrength } from './usual-strength.ts'
import { weakJoints } from './weak-joints.ts'

const folders: OptionReader<readonly string[] | Readonly<Record<string, string>>> = (value, name) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? byName(text)(value, name) : names(value, name)

/** Options of every scene in which a robot from a file may take the Panda's place. */
export const ROBOT_OPTIONS = {
  /** Path of a URDF or MJCF file, or of a xacro file, which the user's own `xacro` expands. */
  robot: text,
  /** The link that actions move; default: the deepest one that moves, before the fingers of a gripper. */
  tip: text,
  /** `collision` draws the robot as it collides. */
  looks: oneOf('own', 'collision'),
  /** Folders in which ROS packages are looked for, or the folder of each package by its name. */
  packages: folders,
  /** Arguments for xacro, e.g. `ur_type:=ur5e`. */
  xacro: names,
  /** Where the robot's root stands, x away from it and z up from the table, and how it is turned; default: found so that it faces the table. */
  base: section({
    positionM: vector,
    rollDeg: quantity(-360, 360),
    pitchDeg: quantity(-360, 360),
    yawDeg: quantity(-360, 360),
  }),
}

/** The same for scenes that need a tool. */
export const ROBOT_WITH_TOOL_OPTIONS = {
  ...ROBOT_OPTIONS,
  /** The joints of the robot's own gripper, or `none` for the scene's tool in its place; default: found. */
  gripper: names,
}

type RobotOptions = Values<typeof ROBOT_WITH_TOOL_OPTIONS>

/** A robot from a file and how it works at a place. */
export interface UserRobot {
  readonly model: RobotModel
  readonly tip: string
  readonly fitted: FittedArm
  /** Of its tool, if that grips. */
  readonly fingers?: Fingers
}

/**
 * The robot that the options of `owner` name, with a tool where the scene has one, fitted to `place`; undefined where they name none. What was
 * mended in its file is told once.
 * @throws ArmatureError `bad-argument` for options that go with a robot without one, and what reading and fitting it throw.
 */
export async function robotOf(
  owner: string,
  options: RobotOptions,
  place: Workplace,
  withTool?: WithTool,
): Promise<UserRobot | undefined> {
  const { robot } = options
  if (robot === undefined) {
    const others = ['tip', 'looks', 'packages', 'xacro', 'base', 'gripper'] as const
    const alone = others.find((name) => options[name] !== undefined)
    if (alone === undefined) return undefined
    throw new ArmatureError('bad-argument', `${owner} option ${alone}`, {
      got: 'no robot that it is for',
      fix: 'set robot to a URDF or MJCF file too',
    })
  }
  const loaded = await readRobotFile(robot, options)
  for (const notice of loaded.notices ?? []) warnOnce(`robot ${loaded.name}: ${notice}`)
  const model = withUsualStrength(loaded)
  const base = baseOf(options.base, place)
  const made =
    withTool === undefined
      ? fitBare(model, tipOf(model, options.tip), place, base)
      : fitWithTool(model, options, withTool, (tool) => fitTool(tool, place, base))
  if (made.fitted.moved !== undefined) warnOnce(`robot ${model.name}: ${made.fitted.moved}`)
  const weak = weakJoints(made.model, made.fitted.base, made.fitted.home)
  if (weak.length > 0) {
    warnOnce(
      `robot ${model.name}: too weak to hold its own weight where it works, so a real one would sink: ${weak.join(', ')}`,
    )
  }
  return made
}

function fitBare(model: RobotModel, tip: string, place: Workplace, base: PoseSpec | undefined): UserRobot {
  return { model, tip, fitted: fitArm(model, tip, place, base) }
}

function fitTool(tool: Tool, place: Workplace, base: PoseSpec | undefined): UserRobot {
  const { leastScale = 0, mostScale = Infinity } = tool
  const sized = { ...place, leastScale: Math.max(leastScale, place.leastScale ?? 0), mostScale }
  const fitted = fitArm(tool.modelAt, TOOL_TIP, sized, base)
  return {
    model: fitted.model,
    tip: TOOL_TIP,
    fitted,
    ...(tool.fingersAt === undefined ? {} : { fingers: tool.fingersAt(fitted.scale) }),
  }
}

/** With the gripper that the robot has, if it has one that works and is not refused; else with the scene's tool. */
function fitWithTool(
  model: RobotModel,
  options: RobotOptions,
  withTool: WithTool,
  fit: (tool: Tool) => UserRobot,
): UserRobot {
  const isRefused = options.gripper?.length === 1 && options.gripper[0] === 'none'
  const told = isRefused ? undefined : options.gripper
  const flange = tipOf(model, options.tip, told)
  const own = isRefused ? { reason: 'gripper is none' } : ownGripper(model, flange, told)
  let reason = own !== undefined && 'reason' in own ? own.reason : undefined
  if (own !== undefined && !('reason' in own)) {
    try {
      const robot = fit(withTool(model, flange, own))
      warnOnce(`robot ${model.name}: its own gripper is used: ${own.joints.join(', ')}`)
      return robot
    } catch (error) {
      if (told !== undefined || !(error instanceof ArmatureError)) throw error
      const [least, most] = own.gapM.map((gapM) => Math.round(gapM * 1000))
      reason = `with its own, which opens from ${least} to ${most} mm, it reaches no place to work at`
    }
  }
  if (told !== undefined) {
    throw new ArmatureError('bad-argument', `gripper ${told.join(', ')} of ${model.name}`, {
      expected: 'two sides that close on each other at the tip',
      got: reason!,
      fix: 'name other joints, or set gripper=none for the tool of the scene',
    })
  }
  const fingers = [...fingersOf(model)]
  if (fingers.length > 0) {
    const why = reason === undefined ? '' : ` (${reason})`
    warnOnce(`robot ${model.name}: the tool of the scene takes the place of: ${fingers.join(', ')}${why}`)
  }
  return fit(withTool(model, flange, undefined))
}

async function readRobotFile(path: string, { looks, packages, xacro }: RobotOptions): Promise<RobotModel> {
  return loadRobot(path, {
    visuals: looks ?? 'own',
    ...(packages === undefined ? {} : { packages }),
    ...(xacro === undefined ? {} : { xacroArguments: xacro }),
  })
}

/**
 * The robot in the options of a scene as text to keep, so that {@link withKeptRobot} makes the scene again without its files; undefined where there is none.
 */
export async function robotText(given: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  if (typeof given['robot'] !== 'string') return undefined
  const { robot, looks, packages, xacro } = given
  const options = readOptions('robot', ROBOT_OPTIONS, { robot, looks, packages, xacro })
  return robotToJson(await readRobotFile(options.robot!, options))
}

/** The options of a scene with the robot that was kept at `path` instead of its file. */
export function withKeptRobot(given: Readonly<Record<string, unknown>>, path: string): Record<string, unknown> {
  const { looks: _looks, packages: _packages, xacro: _xacro, ...rest } = given
  return { ...rest, robot: path }
}

function baseOf(base: RobotOptions['base'], place: Workplace): PoseSpec | undefined {
  if (base === undefined) return undefined
  const { positionM = place.base.positionM, rollDeg = 0, pitchDeg = 0, yawDeg = 0 } = base
  const [roll, pitch, yaw] = [rollDeg, pitchDeg, yawDeg].map((degrees) => (degrees * Math.PI) / 180)
  return { positionM, quatXyzw: quatOfRpy(roll!, pitch!, yaw!) }
}
