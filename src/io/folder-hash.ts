import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ArmatureError } from '../core/errors.ts'
import { isFileError } from './atomic.ts'
import { containedPath, openRegularFile } from './contained-files.ts'

/**
 * SHA-256 of everything in a folder, hexadecimal: of each file in the order of its path, the path (with `/`), its size and its bytes.
 * A link counts as what it leads to, as in the cache of a hub, so that a folder and one of links to its files have the same hash; one
 * that leads out of the dataset (see `containedPath`) or to nothing counts as its text, and what is neither file nor folder as its name.
 * Read in pieces, so that memory stays flat.
 *
 * @throws ArmatureError `not-found` where there is no such folder.
 */
export async function hashFolder(path: string): Promise<string> {
  const digest = createHash('sha256')
  for (const { name, real, note } of await filesOf(path)) {
    const head = name.replaceAll('\\', '/')
    if (real === undefined) {
      digest.update(`${head}\0${note ?? ''}\0`)
      continue
    }
    const { file, size } = await openRegularFile(real)
    digest.update(`${head}\0${size}\0`)
    // The stream closes the file.
    for await (const piece of file.createReadStream({ highWaterMark: 1 << 20 })) digest.update(piece as Buffer)
  }
  return digest.digest('hex')
}

/** Of a folder, by its path in it: the file to read, or what stands for one that is not read. */
interface FolderFile {
  readonly name: string
  readonly real?: string
  readonly note?: string
}

async function filesOf(path: string): Promise<FolderFile[]> {
  try {
    const files = await filesIn(path, '', new Set([await realpath(path)]))
    return files.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (!isFileError(error, 'ENOENT') && !isFileError(error, 'ENOTDIR')) throw error
    throw new ArmatureError('not-found', `no folder ${path}`, { cause: error })
  }
}

/** @param above real paths of the folders around, which no link may lead back to */
async function filesIn(root: string, folder: string, above: ReadonlySet<string>): Promise<FolderFile[]> {
  const files: FolderFile[] = []
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const name = join(folder, entry.name)
    const found = await followed(root, name, entry)
    const isLoop = found.kind === 'folder' && above.has(found.real)
    if (found.kind === 'folder' && !isLoop) files.push(...(await filesIn(root, name, new Set([...above, found.real]))))
    else if (found.kind === 'file') files.push({ name, real: found.real })
    else files.push({ name, note: 'note' in found ? found.note : 'a loop of links' })
  }
  return files
}

type Found = { kind: 'file' | 'folder'; real: string } | { kind: 'other'; note: string }

async function followed(root: string, name: string, entry: Dirent): Promise<Found> {
  const path = join(root, name)
  if (entry.isFile()) return { kind: 'file', real: path }
  if (entry.isDirectory()) return { kind: 'folder', real: await realpath(path) }
  if (!entry.isSymbolicLink()) return { kind: 'other', note: 'not a file' }
  try {
    const real = await containedPath(root, name)
    const stats = await stat(real)
    if (stats.isFile()) return { kind: 'file', real }
    return stats.isDirectory() ? { kind: 'folder', real } : { kind: 'other', note: 'not a file' }
  } catch (error) {
    if (!(error instanceof ArmatureError)) throw error
    return { kind: 'other', note: await readlink(path) }
  }
}
