import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ArmatureError } from '../../src/core/errors.ts'
import { robotOfMujoco } from './mjcf.ts'
import { compileMjcf } from './mujoco-model.ts'
import type { RobotModel } from './robot-model.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { decodeXml, parseXml } from './urdf-xml.ts'

/** Of all files of a robot. */
const MAX_BYTES = 1_000_000_000
const MAX_INCLUDES = 100
/** Of the compiler's settings, the folders in which files are. */
const FOLDER_SETTINGS = ['meshdir', 'texturedir', 'assetdir']

/** What is read for the compiler, and what it is given instead of what is not there. */
interface Gathered {
  /** By path from the folder of the main file. */
  readonly files: Map<string, Uint8Array>
  /** Paths of meshes that were not found. */
  readonly missing: Set<string>
}

/**
 * Reads a robot from an MJCF file, with what it includes and the meshes that it names: see {@link robotOfMujoco} for what is taken of it.
 * @throws ArmatureError `corrupt-file` for what MuJoCo refuses, in its words; `not-found` for files that are not there, but for meshes.
 */
export async function loadMjcf(path: string, visuals: 'own' | 'collision' = 'own'): Promise<RobotModel> {
  const { files, missing } = gather(path)
  return robotOfMujoco(await compileMjcf(basename(path), files), { name: basename(path), missing, visuals })
}

/** Whether the text of an XML file is MJCF. */
export function isMjcf(xml: string): boolean {
  return /<\s*mujoco[\s>]/.test(xml.replaceAll(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, '').slice(0, 4096))
}

/** All files that a model names, in each folder that they may be in: which of them is meant, the compiler knows. */
function gather(path: string): Gathered {
  const folder = dirname(resolve(path))
  const documents = withIncludes(basename(path), folder)
  const elements = [...documents.values()].flatMap(({ root }) => descendants(root))
  const settings = elements.filter(({ name }) => name === 'compiler')
  const folders = settings.flatMap((one) => FOLDER_SETTINGS.map((setting) => one.attribute(setting) ?? ''))
  const files = new Map([...documents].map(([file, { bytes }]) => [file, bytes]))
  const missing = new Set<string>()
  for (const element of elements) {
    const file = element.attribute('file')
    if (file === undefined || element.name === 'include') continue
    const places = [...new Set(['', ...folders].flatMap((where) => [join(where, file), join(where, basename(file))]))]
    const found = places.filter((place) => isFile(resolve(folder, place)))
    for (const place of found) files.set(place, readFileSync(resolve(folder, place)))
    if (found.length > 0) continue
    if (element.name !== 'mesh') throw element.error(`file ${file} not found`, {}, 'not-found')
    const standIn = standInFor(file)
    if (standIn === undefined) throw element.error(`mesh file ${file} not found`, {}, 'not-found')
    for (const place of places) {
      files.set(place, standIn)
      missing.add(place)
    }
  }
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0)
  if (bytes > MAX_BYTES) {
    throw new ArmatureError('corrupt-file', path, { expected: `at most ${MAX_BYTES} bytes`, got: String(bytes) })
  }
  return { files, missing }
}

/** The main file and all that it includes, by path from its folder. */
function withIncludes(
  main: string,
  folder: string,
): Map<string, { readonly bytes: Uint8Array; readonly root: UrdfElement }> {
  const documents = new Map<string, { readonly bytes: Uint8Array; readonly root: UrdfElement }>()
  const open = [main]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (documents.has(file)) continue
    if (documents.size > MAX_INCLUDES || !isFile(resolve(folder, file))) {
      throw new ArmatureError('not-found', `file ${file} that ${main} includes`, { fix: 'check its path' })
    }
    const bytes = readFileSync(resolve(folder, file))
    const root = parseXml(decodeXml(bytes, basename(file)), basename(file))
    documents.set(file, { bytes, root })
    for (const include of descendants(root).filter(({ name }) => name === 'include')) {
      const to = include.text('file')
      // From the folder of the main file, or of the one that includes it.
      open.push(isFile(resolve(folder, to)) ? to : join(dirname(file), to))
    }
  }
  return documents
}

function descendants(element: UrdfElement): UrdfElement[] {
  return [element, ...element.children().flatMap(descendants)]
}

function isFile(path: string): boolean {
  return !path.includes('\0') && statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** A cube of 5 cm as a mesh file of that kind. */
function standInFor(file: string): Uint8Array | undefined {
  const half = 0.025
  const corners = Array.from({ length: 8 }, (_, i) => [1, 2, 4].map((bit) => (i & bit ? half : -half)))
  const triangles = [
    0, 2, 3, 0, 3, 1, 4, 5, 7, 4, 7, 6, 0, 1, 5, 0, 5, 4, 2, 6, 7, 2, 7, 3, 0, 4, 6, 0, 6, 2, 1, 3, 7, 1, 7, 5,
  ]
  if (/\.obj$/i.test(file)) {
    const faces = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33].map((t) => triangles.slice(t, t + 3).map((i) => i + 1))
    const lines = [...corners.map((corner) => `v ${corner.join(' ')}`), ...faces.map((face) => `f ${face.join(' ')}`)]
    return new TextEncoder().encode(`${lines.join('\n')}\n`)
  }
  if (!/\.stl$/i.test(file)) return undefined
  const view = new DataView(new ArrayBuffer(84 + 50 * 12))
  view.setUint32(80, 12, true)
  triangles.forEach((corner, i) => {
    const at = 84 + 50 * Math.floor(i / 3) + 12 + 12 * (i % 3)
    corners[corner]!.forEach((value, axis) => view.setFloat32(at + 4 * axis, value, true))
  })
  return new Uint8Array(view.buffer)
}
