import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { containedPath, openRegularFile } from '../contained-files.ts'

/** SHA-256, hexadecimal: how the cache of a hub names large files. */
const NAME = /^[0-9a-f]{64}$/

/**
 * Holds the files of a hub's cache, which are links to blobs that are named by their hash, against those names: a line for each that
 * holds other bytes, as after a download that broke off.
 */
export async function checkBlobs(folder: string): Promise<string[]> {
  const lines: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const name = join(entry.parentPath, entry.name).slice(folder.length + 1)
    // What leads out or to nothing is told where it is read.
    const real = await containedPath(folder, name).catch(() => undefined)
    if (real === undefined || !NAME.test(basename(real)) || basename(dirname(real)) !== 'blobs') continue
    const { file } = await openRegularFile(real)
    const digest = createHash('sha256')
    // The stream closes the file.
    for await (const piece of file.createReadStream({ highWaterMark: 1 << 20 })) digest.update(piece as Buffer)
    const found = digest.digest('hex')
    if (found !== basename(real))
      lines.push(`${join(folder, name)}: its SHA-256 is ${found}, its blob is called ${basename(real)}`)
  }
  return lines
}
