import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ArmatureError, unwritable } from '../core/errors.ts'
import { isFileError } from './atomic.ts'

const LOCK_FILE = '.lock'
/** What file systems without hard links say. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/** Locks of this process. A process that was killed may have had its number, as the first one of a container always has. */
const held = new Set<string>()

/**
 * Locks `folder` for this process, so that no two write the same run. A lock of a process that is gone, e.g. killed, does not count.
 *
 * @returns what gives the folder free
 * @throws ArmatureError `run-exists` while another process has it; `unwritable`.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(resolve(folder), LOCK_FILE)
  for (;;) {
    if (await take(file)) {
      held.add(file)
      return () => {
        held.delete(file)
        return rm(file, { force: true })
      }
    }
    const holder = await holderOf(file)
    if (holder !== undefined) {
      throw new ArmatureError('run-exists', `${folder} is being written by process ${holder}`, {
        fix: `wait for it or stop it; if that is no run of Armature, remove ${file}`,
      })
    }
    await rm(file, { force: true })
  }
}

/** Makes the lock, with its content from the first moment on: an empty one would look as if its process were gone. */
async function take(file: string): Promise<boolean> {
  const own = `${file}-${process.pid}`
  try {
    await writeFile(own, String(process.pid))
    await link(own, file).catch(async (error: unknown) => {
      // Not every file system has hard links.
      if (!NO_LINKS.some((code) => isFileError(error, code))) throw error
      await writeFile(file, String(process.pid), { flag: 'wx' })
    })
    return true
  } catch (error) {
    if (isFileError(error, 'EEXIST')) return false
    throw unwritable(file, error)
  } finally {
    await rm(own, { force: true })
  }
}

/** The process that has the lock; undefined where it is gone. */
async function holderOf(file: string): Promise<number | undefined> {
  try {
    const holder = Number(await readFile(file, 'utf8'))
    if (!Number.isInteger(holder) || holder < 1) return undefined
    if (holder === process.pid && !held.has(file)) return undefined
    process.kill(holder, 0)
    return holder
  } catch (error) {
    // EPERM: it runs, as another user.
    if (isFileError(error, 'EPERM')) return Number(await readFile(file, 'utf8'))
    if (isFileError(error, 'ESRCH') || isFileError(error, 'ENOENT')) return undefined
    throw error
  }
}
