import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ArmatureError } from '../core/errors.ts'
import { isFileError } from './atomic.ts'

/**
 * SHA-256 of everything in a folder, hexadecimal: of each file in the order of its path, the path (with `/`), its size and its bytes.
 * Read in pieces, so that memory stays flat.
 *
 * @throws ArmatureError `not-found` where there is no such folder.
 */
export async function hashFolder(path: string): Promise<string> {
  const digest = createHash('sha256')
  for (const file of await filesOf(path)) {
    const full = join(path, file)
    digest.update(`${file.replaceAll('\\', '/')}\0${(await stat(full)).size}\0`)
    for await (const piece of createReadStream(full, { highWaterMark: 1 << 20 })) digest.update(piece as Buffer)
  }
  return digest.digest('hex')
}

async function filesOf(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    return files.map((entry) => join(entry.parentPath, entry.name).slice(join(path, '/').length)).toSorted()
  } catch (error) {
    if (!isFileError(error, 'ENOENT') && !isFileError(error, 'ENOTDIR')) throw error
    throw new ArmatureError('not-found', `no folder ${path}`, { cause: error })
  }
}
