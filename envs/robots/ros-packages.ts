import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How far above the URDF file its package may begin, and how far below a folder of packages one may lie. */
const LEVELS_UP = 6
const LEVELS_DOWN = 3
const MOST_FOLDERS = 2000
/** Folders that hold no packages, and too many files. */
const SKIPPED = ['node_modules', '.git', 'build', 'log']

/** Folders in which packages are, or the folder of each package by its name. */
export type PackageFolders = readonly string[] | Readonly<Record<string, string>>

/**
 * Where a mesh may be, the likeliest place first: where its path says; in the package of that name, by the option, by the folder's name or
 * by `package.xml` around the file, along `ROS_PACKAGE_PATH` and `AMENT_PREFIX_PATH`; and, since repositories are renamed and moved, by the
 * end of the path in the folders above the file.
 */
export function* meshCandidates(mesh: string, folder: string, packages: PackageFolders): Generator<string> {
  const path = mesh.replaceAll('\\', '/')
  const [, name, inside] = /^(?:package|model):\/\/([^/]+)\/(.*)$/.exec(path) ?? []
  if (name === undefined) {
    const plain = path.startsWith('file:') ? pathOfUrl(path) : path
    if (plain === undefined) return
    yield resolve(folder, plain)
    yield* byItsEnd(plain, folder)
    return
  }
  const told = isList(packages) ? undefined : packages[name]
  if (told !== undefined) {
    yield resolve(told, inside!)
    return
  }
  if (isList(packages)) {
    for (const root of packages.flatMap((where) => [...packagesBelow(where, name)])) yield resolve(root, inside!)
  }
  for (const root of packageRoots(name, folder)) yield join(root, inside!)
  yield* byItsEnd(inside!, folder)
  yield* lyingDeeper(`${name}/${inside!}`, folder)
}

/** Files in the package of the URDF file whose path ends as this one does: `package://collision/arm.stl` may be `meshes/arm7/collision/arm.stl`. */
function* lyingDeeper(path: string, folder: string): Generator<string> {
  const above = foldersAbove(folder)
  const root = above.find((at) => packageName(at) !== undefined) ?? above[1] ?? folder
  let open = [root]
  for (let level = 0, seen = 0; level <= LEVELS_DOWN + 1; level++) {
    const next: string[] = []
    for (const at of open) {
      if (seen++ > MOST_FOLDERS) return
      const candidate = join(at, ...path.split('/'))
      if (statSync(candidate, { throwIfNoEntry: false }) !== undefined) yield candidate
      next.push(...foldersIn(at))
    }
    open = next
  }
}

function isList(packages: PackageFolders): packages is readonly string[] {
  return Array.isArray(packages)
}

function* packageRoots(name: string, folder: string): Generator<string> {
  const above = foldersAbove(folder)
  for (const root of above) {
    if (basename(root) === name || packageName(root) === name) yield root
    yield join(root, name)
  }
  const told = (process.env['ROS_PACKAGE_PATH'] ?? '').split(delimiter).filter((root) => root !== '')
  for (const root of told) yield* packagesBelow(root, name)
  for (const prefix of (process.env['AMENT_PREFIX_PATH'] ?? '').split(delimiter)) {
    if (prefix !== '') yield join(prefix, 'share', name)
  }
  // A package beside that of the file, under a folder of another name.
  const own = above.findIndex((root) => packageName(root) !== undefined)
  if (own >= 0) yield* packagesBelow(dirname(above[own]!), name)
}

/** Folders of that package in and below `root`. */
function* packagesBelow(root: string, name: string): Generator<string> {
  let open = [root]
  let seen = 0
  for (let level = 0; level <= LEVELS_DOWN; level++) {
    const next: string[] = []
    for (const at of open) {
      if (seen++ > MOST_FOLDERS) return
      const own = packageName(at)
      if (own === name || (own === undefined && basename(at) === name)) yield at
      if (own === undefined) next.push(...foldersIn(at))
    }
    open = next
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !SKIPPED.includes(entry.name))
      .map((entry) => join(folder, entry.name))
      .toSorted()
  } catch {
    return []
  }
}

/** The name in a folder's `package.xml`, if it has one. */
function packageName(folder: string): string | undefined {
  const file = join(folder, 'package.xml')
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  return /<name>\s*([^<]+?)\s*<\/name>/.exec(readFileSync(file, 'utf8'))?.[1]
}

function foldersAbove(folder: string): string[] {
  const above = [folder]
  while (above.length < LEVELS_UP && dirname(above.at(-1)!) !== above.at(-1)) above.push(dirname(above.at(-1)!))
  return above
}

/** The longest ends of `path` first, at least a folder and a file, in each folder above. */
function* byItsEnd(path: string, folder: string): Generator<string> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..')
  for (let from = 0; from < Math.max(1, parts.length - 1); from++) {
    for (const root of foldersAbove(folder)) yield join(root, ...parts.slice(from))
  }
}

function pathOfUrl(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}
