import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ArmatureError, unwritable } from '../core/errors.ts'
import { isFileError } from './atomic.ts'

const LOCK_FILE = '.lock'

/**
 * Keeps `folder` for this process, so that no two write the same run. A lock whose process is gone, e.g. killed, counts for nothing.
 *
 * @returns what gives the folder free
 * @throws ArmatureError `run-exists` while another process has it; `unwritable`.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, LOCK_FILE)
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return () => rm(file, { force: true })
    } catch (error) {
      if (!isFileError(error, 'EEXIST')) throw unwritable(file, error)
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

/** The process that has the lock; undefined where it is gone. */
async function holderOf(file: string): Promise<number | undefined> {
  try {
    const holder = Number(await readFile(file, 'utf8'))
    if (!Number.isInteger(holder) || holder < 1) return undefined
    process.kill(holder, 0)
    return holder
  } catch (error) {
    // EPERM: it runs, as another user.
    if (isFileError(error, 'EPERM')) return Number(await readFile(file, 'utf8'))
    if (isFileError(error, 'ESRCH') || isFileError(error, 'ENOENT')) return undefined
    throw error
  }
}
