import { join } from 'node:path'
import type { DatasetSpec } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { containedPath } from '../contained-files.ts'
import { readJson } from '../json.ts'
import { PATHS } from './layout.ts'

/** What meta/armature.json holds: what LeRobot's own files have no place for. */
export interface Recording {
  /** Of this file's form. */
  readonly format: 1
  readonly spec: DatasetSpec
  readonly record: Readonly<Record<string, unknown>>
}

/**
 * Reads meta/armature.json; undefined where there is none: the folder was made elsewhere.
 * @throws ArmatureError `corrupt-file`.
 */
export async function readRecording(path: string): Promise<Recording | undefined> {
  const file = join(path, PATHS.recording)
  let value: unknown
  try {
    value = await readJson(await containedPath(path, PATHS.recording))
  } catch (error) {
    if (error instanceof ArmatureError && error.code === 'not-found') return undefined
    throw error
  }
  if (isRecording(value)) return value
  throw new ArmatureError('corrupt-file', file, { expected: 'format 1 with the spaces of the dataset and a record' })
}

function isRecording(value: unknown): value is Recording {
  if (!isObject(value) || value['format'] !== 1 || !isObject(value['spec']) || !isObject(value['record'])) return false
  const { fps, source, cameras, depthCameras = {}, actionSpace, proprioSpace, stateSpace, goalSpace } = value['spec']
  return (
    typeof fps === 'number' &&
    typeof source === 'string' &&
    isObject(cameras) &&
    isObject(depthCameras) &&
    [...Object.values(cameras), ...Object.values(depthCameras)].every(isBox) &&
    [actionSpace, proprioSpace, stateSpace].every(isBox) &&
    (goalSpace === undefined || isBox(goalSpace))
  )
}

function isBox(value: unknown): value is BoxSpace {
  return isObject(value) && Array.isArray(value['shape']) && value['shape'].every((n) => Number.isInteger(n))
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
