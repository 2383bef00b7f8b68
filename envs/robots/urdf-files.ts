import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArmatureError } from '../../src/core/errors.ts'
import type { RobotModel } from './robot-model.ts'
import type { UrdfOptions } from './urdf.ts'
import { parseUrdf } from './urdf.ts'

const MAX_BYTES = 64_000_000

export interface UrdfFileOptions extends Pick<UrdfOptions, 'visuals'> {
  /** Folders of ROS packages by name; others are looked for in and above the folder of the URDF file. */
  readonly packages?: Readonly<Record<string, string>>
}

/**
 * Reads a robot from a URDF file and the STL meshes that it names: by `package://name/...`, `file://...` or a path from its folder.
 * @throws ArmatureError as {@link parseUrdf}; `not-found` when `path` cannot be read.
 */
export function loadUrdf(path: string, options: UrdfFileOptions = {}): RobotModel {
  const { packages = {}, ...rest } = options
  const bytes = readIfThere(path)
  if (bytes === undefined) {
    throw new ArmatureError('not-found', `URDF file ${path}`, { fix: 'check the path: it must be a file' })
  }
  const folder = dirname(resolve(path))
  return parseUrdf(new TextDecoder().decode(bytes), {
    ...rest,
    name: basename(path),
    readMesh: (mesh) => {
      for (const candidate of candidates(mesh, folder, packages)) {
        const found = readIfThere(candidate)
        if (found !== undefined) return found
      }
      return undefined
    },
  })
}

function* candidates(mesh: string, folder: string, packages: Readonly<Record<string, string>>): Generator<string> {
  const [, name, inside] = /^(?:package|model):\/\/([^/]+)\/(.*)$/.exec(mesh) ?? []
  if (name === undefined) {
    const path = mesh.startsWith('file:') ? pathOfUrl(mesh) : resolve(folder, mesh)
    if (path !== undefined) yield path
    return
  }
  if (Object.hasOwn(packages, name)) {
    yield join(packages[name]!, inside!)
    return
  }
  for (let above = folder; ; above = dirname(above)) {
    if (basename(above) === name) yield join(above, inside!)
    yield join(above, name, inside!)
    if (dirname(above) === above) return
  }
}

function pathOfUrl(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  const entry = path.includes('\0') ? undefined : statSync(path, { throwIfNoEntry: false })
  if (entry === undefined || !entry.isFile()) return undefined
  if (entry.size > MAX_BYTES) {
    throw new ArmatureError('corrupt-file', path, { expected: `at most ${MAX_BYTES} bytes`, got: String(entry.size) })
  }
  return readFileSync(path)
}
