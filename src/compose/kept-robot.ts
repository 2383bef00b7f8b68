import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { robotText, withKeptRobot } from '../../envs/robots/robot-option.ts'
import { ARM_LIFT_ID } from '../../envs/tasks/arm-lift.ts'
import { ARM_PUSH_ID } from '../../envs/tasks/arm-push.ts'
import { ARM_REACH_ID } from '../../envs/tasks/arm-reach.ts'
import type { TrainConfig } from '../config/train-config.ts'

type EnvConfig = TrainConfig['env']

const ARM_SCENES: readonly string[] = [ARM_REACH_ID, ARM_PUSH_ID, ARM_LIFT_ID]

/** Where a run keeps the robot of its scene, as it was when the run began. */
export function keptRobotOf(folder: string): string {
  return join(folder, 'robot.json')
}

/** What a run that begins writes there; undefined where its scene has no robot from a file. */
export async function robotToKeep({ id, options }: EnvConfig): Promise<string | undefined> {
  return ARM_SCENES.includes(id) ? robotText(options) : undefined
}

/** The scene of the run in `folder` with the robot that it keeps, wherever the file of the robot is now, and whatever is in it. */
export function withRobotOf(folder: string, env: EnvConfig): EnvConfig {
  const path = keptRobotOf(folder)
  return existsSync(path) ? { ...env, options: withKeptRobot(env.options, path) } : env
}
