import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { ArmatureError } from '../../src/core/errors.ts'
import { simplified } from './mesh-detail.ts'
import { readMeshFile } from './mesh-file.ts'
import type { RobotModel } from './robot-model.ts'
import type { PackageFolders } from './ros-packages.ts'
import { meshCandidates } from './ros-packages.ts'
import type { MeshPart, TriangleMesh } from './triangle-mesh.ts'
import type { UrdfOptions } from './urdf.ts'
import { readRobot } from './urdf.ts'
import type { ShapeRole } from './urdf-shapes.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { decodeXml, parseXml } from './urdf-xml.ts'
import { expandXacro } from './xacro.ts'

const MAX_BYTES = 256_000_000

export interface UrdfFileOptions extends Pick<UrdfOptions, 'visuals'> {
  /** Folders in which ROS packages are, or the folder of each by name; they are also looked for around the file and along `ROS_PACKAGE_PATH`. */
  readonly packages?: PackageFolders
  /** Arguments of a xacro file, e.g. `ur_type:=ur5e`. */
  readonly xacroArguments?: readonly string[]
}

type Meshes = Map<string, readonly MeshPart[]>

/**
 * Reads a robot from a URDF file, or from a xacro file by the user's own `xacro`, and the STL, OBJ and DAE meshes that it names: by
 * `package://name/...`, `file://...` or a path from its folder. Meshes that are too detailed to be drawn at every step are simplified.
 * @throws ArmatureError as {@link readRobot}; `not-found` when `path` cannot be read.
 */
export async function loadUrdf(path: string, options: UrdfFileOptions = {}): Promise<RobotModel> {
  const { packages = [], xacroArguments = [], visuals = 'own' } = options
  const bytes = readIfThere(path)
  if (bytes === undefined) {
    throw new ArmatureError('not-found', `URDF file ${path}`, { fix: 'check the path: it must be a file' })
  }
  const name = basename(path)
  const xml = /\.xacro$/i.test(path) ? await expandXacro(path, xacroArguments) : decodeXml(bytes, name)
  const robot = parseXml(xml, name)
  const folder = dirname(resolve(path))
  const roles: readonly ShapeRole[] = visuals === 'own' ? ['visual', 'collision'] : ['collision']
  const files = new Map<string, readonly MeshPart[] | undefined>()
  const meshes: Partial<Record<ShapeRole, Meshes>> = {}
  const notices: string[] = []
  const simplify = simplifier()
  for (const role of roles) {
    meshes[role] = await readMeshes(robot, role, files, (mesh) => findMesh(mesh, folder, packages))
    const uses = meshElements(robot, role).map((element) => element.text('filename'))
    notices.push(...(await simplify(meshes[role], role, uses)))
  }
  const model = readRobot(robot, { visuals, name, readMesh: (mesh, role) => meshes[role]?.get(mesh) })
  return notices.length === 0 ? model : { ...model, notices: [...(model.notices ?? []), ...notices] }
}

/** All meshes of one role that are found, by their paths in the file; `files` keeps what was read for another role. */
async function readMeshes(
  robot: UrdfElement,
  role: ShapeRole,
  files: Map<string, readonly MeshPart[] | undefined>,
  find: (path: string) => string | undefined,
): Promise<Meshes> {
  const found: Meshes = new Map()
  for (const element of meshElements(robot, role)) {
    const path = element.text('filename')
    if (!files.has(path)) files.set(path, await readMesh(element, path, find(path)))
    const parts = files.get(path)
    if (parts !== undefined) found.set(path, parts)
  }
  return found
}

function meshElements(robot: UrdfElement, role: ShapeRole): UrdfElement[] {
  return robot
    .all('link')
    .flatMap((link) => link.all(role))
    .flatMap((shape) => shape.all('geometry'))
    .flatMap((geometry) => geometry.all('mesh'))
}

async function readMesh(
  element: UrdfElement,
  path: string,
  file: string | undefined,
): Promise<readonly MeshPart[] | undefined> {
  const bytes = file === undefined ? undefined : readIfThere(file)
  if (bytes === undefined) return undefined
  try {
    return await readMeshFile(bytes, path, (name) => readIfThere(resolve(dirname(file!), name.replaceAll('\\', '/'))))
  } catch (error) {
    if (!(error instanceof ArmatureError)) throw error
    throw element.error(error.message, { cause: error }, error.code)
  }
}

/**
 * Replaces meshes by simpler ones where all together are too detailed, and returns what there is to say about it. Many robots look as they collide:
 * the same meshes are simplified once.
 */
function simplifier(): (meshes: Meshes, role: ShapeRole, uses: readonly string[]) => Promise<readonly string[]> {
  let known: readonly TriangleMesh[] = []
  let simple = known
  return async (meshes, role, paths) => {
    const before = [...meshes.values()].flatMap((parts) => parts.map(({ mesh }) => mesh))
    const uses = [...meshes].flatMap(([path, parts]) => parts.map(() => paths.filter((one) => one === path).length))
    const isKnown = before.length === known.length && before.every((mesh, i) => mesh === known[i])
    if (!isKnown) [known, simple] = [before, await simplified(before, uses)]
    if (simple === known) return []
    let next = 0
    for (const [path, parts] of meshes) {
      meshes.set(
        path,
        parts.map((part) => ({ ...part, mesh: simple[next++]! })),
      )
    }
    return [`${role} meshes of ${count(before)} triangles are simplified to ${count(simple)}`]
  }
}

function count(meshes: readonly TriangleMesh[]): number {
  return meshes.reduce((sum, { triangles }) => sum + triangles.length / 3, 0)
}

function findMesh(mesh: string, folder: string, packages: PackageFolders): string | undefined {
  for (const candidate of meshCandidates(mesh, folder, packages)) {
    if (isFile(candidate)) return candidate
  }
  return undefined
}

function isFile(path: string): boolean {
  return !path.includes('\0') && statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function readIfThere(path: string): Uint8Array | undefined {
  if (!isFile(path)) return undefined
  const { size } = statSync(path)
  if (size > MAX_BYTES) {
    throw new ArmatureError('corrupt-file', path, { expected: `at most ${MAX_BYTES} bytes`, got: String(size) })
  }
  return readFileSync(path)
}
