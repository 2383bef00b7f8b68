import { ArmatureError } from '../../src/core/errors.ts'
import type { OptionReader, Values } from '../options.ts'
import { byName, names, oneOf, quantity, readOptions, section, text, vector } from '../options.ts'
import type { FittedArm, Workplace } from './fit-arm.ts'
import { fitArm } from './fit-arm.ts'
import { warnOnce } from './notices.ts'
import { loadRobot, robotToJson } from './robot-file.ts'
import type { PoseSpec, RobotModel } from './robot-model.ts'
import { quatOfRpy } from './rotations.ts'
import { fingersOf, tipOf } from './tip.ts'
import { TOOL_TIP } from './tools.ts'
import { withUsualStrength } from './usual-strength.ts'

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

type RobotOptions = Values<typeof ROBOT_OPTIONS>

/** Puts a tool of a scale, with its link {@link TOOL_TIP}, on a link of a robot. */
export type WithTool = (model: RobotModel, link: string, scale: number) => RobotModel

/** A robot from a file and how it works at a place. */
export interface UserRobot {
  readonly model: RobotModel
  readonly tip: string
  readonly fitted: FittedArm
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
    const alone = (['tip', 'looks', 'packages', 'xacro', 'base'] as const).find((name) => options[name] !== undefined)
    if (alone === undefined) return undefined
    throw new ArmatureError('bad-argument', `${owner} option ${alone}`, {
      got: 'no robot that it is for',
      fix: 'set robot to a URDF or MJCF file too',
    })
  }
  const loaded = await readRobotFile(robot, options)
  for (const notice of loaded.notices ?? []) warnOnce(`robot ${loaded.name}: ${notice}`)
  const model = withUsualStrength(loaded)
  const flange = tipOf(model, options.tip)
  const fingers = withTool === undefined ? [] : [...fingersOf(model)]
  if (fingers.length > 0)
    warnOnce(`robot ${model.name}: the tool of the scene takes the place of: ${fingers.join(', ')}`)
  const modelAt = withTool === undefined ? model : (scale: number): RobotModel => withTool(model, flange, scale)
  const tip = withTool === undefined ? flange : TOOL_TIP
  const fitted = fitArm(modelAt, tip, place, baseOf(options.base, place))
  if (fitted.moved !== undefined) warnOnce(`robot ${model.name}: ${fitted.moved}`)
  return { model: fitted.model, tip, fitted }
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
