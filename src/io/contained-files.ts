import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { lstat, open, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { ArmatureError } from '../core/errors.ts'
import { isFileError } from './atomic.ts'

/**
 * The real path of `name`, a path relative to `folder`, which must stay in it. A link may lead to three places: inside the folder; to the
 * `blobs` of the same repository, where a Hugging Face cache keeps the files of its `snapshots`; to the file of that name in another
 * copy of the folder. What a folder from elsewhere says of paths can so never make us read other files.
 *
 * @throws ArmatureError `corrupt-file` for a path that leads out; `not-found` for one that is not there.
 */
export async function containedPath(folder: string, name: string): Promise<string> {
  const path = resolve(folder, name)
  const inside = relative(resolve(folder), path)
  if (name.includes('\0') || !isInside(inside)) throw leadsOut(name)
  const [root, real] = await Promise.all([folder, path].map(resolveLinks))
  const isMirror = real!.endsWith(`${sep}${inside}`)
  if (isInside(relative(root!, real!)) || isMirror) return real!
  const blobs = blobsOf(root!)
  if (blobs !== undefined && isInside(relative(blobs, real!))) return real!
  throw leadsOut(name)
}

/**
 * Opens a regular file for reading; never waits for a pipe or reads a device.
 * @throws ArmatureError `not-found`; `corrupt-file` for what is no regular file, or larger than `maxBytes`.
 */
export async function openRegularFile(path: string, maxBytes = Infinity): Promise<{ file: FileHandle; size: number }> {
  // A pipe without a writer would hold back an ordinary open for ever.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => {
    if (isFileError(error, 'ENOENT')) throw new ArmatureError('not-found', `no file ${path}`)
    throw new ArmatureError('corrupt-file', path, { got: (error as Error).message, cause: error })
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new ArmatureError('corrupt-file', path, { expected: 'a regular file' })
    if (stats.size <= maxBytes) return { file, size: stats.size }
    throw new ArmatureError('corrupt-file', path, { expected: `at most ${maxBytes} bytes`, got: String(stats.size) })
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * The bytes of a regular file.
 * @throws ArmatureError as {@link openRegularFile}.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer> {
  const { file } = await openRegularFile(path, maxBytes)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** `blobs` beside the `snapshots` that a Hugging Face cache keeps a folder in. */
function blobsOf(root: string): string | undefined {
  const parts = root.split(sep)
  const at = parts.lastIndexOf('snapshots')
  const isCache = at > 0 && /^(datasets|models)--/.test(parts[at - 1]!)
  return isCache ? [...parts.slice(0, at), 'blobs'].join(sep) : undefined
}

function isInside(path: string): boolean {
  return path !== '..' && !path.startsWith(`..${sep}`) && path !== resolve(path)
}

function leadsOut(name: string): ArmatureError {
  return new ArmatureError('corrupt-file', name, { expected: 'a path inside the dataset', got: 'one that leads out' })
}

async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isFileError(error, 'ENOENT') && !isFileError(error, 'ENOTDIR')) {
      throw new ArmatureError('corrupt-file', path, { got: (error as Error).message, cause: error })
    }
    const isLink = await lstat(path).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    )
    if (isLink) throw new ArmatureError('not-found', `${path} is a link to nothing`)
    // The part that exists, so that a missing file is told from one that is elsewhere.
    return join(await resolveLinks(dirname(path)), basename(path))
  }
}
