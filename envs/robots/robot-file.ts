import { readFileSync, statSync } from 'node:fs'
import { ArmatureError } from '../../src/core/errors.ts'
import type { RobotModel } from './robot-model.ts'
import { isMjcf, loadMjcf } from './mjcf-files.ts'
import type { UrdfFileOptions } from './urdf-files.ts'
import { loadUrdf } from './urdf-files.ts'

const FORMAT = 'armature-robot-1'

/**
 * A robot as text, with its meshes and without what was said of its file: what a run keeps, so that the file may change or go.
 * {@link loadRobot} reads it from a file that ends with `.json`.
 */
export function robotToJson({ notices: _told, ...model }: RobotModel): string {
  const plain = (_key: string, value: unknown): unknown => {
    if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>)
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
  }
  return `${JSON.stringify({ format: FORMAT, model }, plain)}\n`
}

/**
 * Reads a robot from a URDF or xacro file, as {@link loadUrdf}, from an MJCF file, as {@link loadMjcf}, or from what {@link robotToJson} wrote.
 * @throws ArmatureError as those; `corrupt-file` for another JSON file.
 */
export async function loadRobot(path: string, options: UrdfFileOptions = {}): Promise<RobotModel> {
  const isKept = /\.json$/i.test(path) && statSync(path, { throwIfNoEntry: false })?.isFile() === true
  if (!isKept) return isMjcfFile(path) ? loadMjcf(path, options.visuals) : loadUrdf(path, options)
  const infinite = (_key: string, value: unknown): unknown =>
    value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : value
  let kept: { readonly format?: unknown; readonly model?: RobotModel } | null
  try {
    kept = JSON.parse(readFileSync(path, 'utf8'), infinite) as typeof kept
  } catch (cause) {
    throw new ArmatureError('corrupt-file', `robot ${path}`, { expected: 'JSON', cause })
  }
  if (kept?.format === FORMAT && kept.model !== undefined) return kept.model
  throw new ArmatureError('corrupt-file', `robot ${path}`, {
    expected: `a robot that a run keeps ("format": "${FORMAT}")`,
    fix: 'give a URDF, xacro or MJCF file',
  })
}

/** By what it says, since URDF files end with .xml too. */
function isMjcfFile(path: string): boolean {
  if (/\.xacro$/i.test(path) || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  return isMjcf(readFileSync(path, { encoding: 'latin1' }))
}
