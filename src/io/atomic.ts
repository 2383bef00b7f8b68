import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ArmatureError, unwritable } from '../core/errors.ts'

/** Content of a file: text (UTF-8), bytes, or pieces that are written one after the other. */
export type FileContent = string | Uint8Array | readonly Uint8Array[]

const TEMPORARY_PREFIX = '.tmp-'

/**
 * Makes a folder and those above it. It may exist already. Unlike Node's recursive `mkdir`, it ends where the system takes no folder
 * although the one above is there, as in `/proc`.
 *
 * @throws ArmatureError `unwritable`
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path)
  } catch (error) {
    throw unwritable(path, error)
  }
}

async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (isFileError(error, 'ENOENT') && dirname(path) !== path) {
      await makeFolders(dirname(path))
      await mkdir(path)
      return
    }
    const isThere = (await stat(path).catch(() => undefined))?.isDirectory() ?? false
    if (!isThere) throw error
  }
}

/**
 * Writes a file so that a crash at any moment leaves either the old content or the new one: temporary name beside it, fsync,
 * rename, fsync of the folder. A link stays one: the file that it names is written.
 *
 * @throws ArmatureError `unwritable`; the temporary file is then gone.
 */
export async function writeFileAtomic(file: string, content: FileContent): Promise<void> {
  const path = await linkedFile(file)
  const temporary = temporaryName(path)
  await orUnwritable(path, temporary, async () => {
    await writeSynced(temporary, content)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  })
}

/**
 * As {@link writeFileAtomic}, for a file too large for memory: `write` writes it piece by piece. When it throws, nothing is at `path` that
 * was not there before.
 *
 * @throws ArmatureError `unwritable`; what `write` throws that is no error of Node's.
 */
export async function streamFileAtomic(name: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const path = await linkedFile(name)
  const temporary = temporaryName(path)
  await orUnwritable(path, temporary, async () => {
    const file = await open(temporary, 'w')
    try {
      await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  })
}

/**
 * Writes a whole folder so that it appears complete or not at all: everything goes into a temporary folder beside it, every
 * file and folder is fsynced, then one rename makes it visible. A folder that stood at `path` is renamed away just before and
 * removed afterwards: a crash between the two renames leaves no folder at `path`, never a mixture.
 *
 * @param files content by path inside the folder, with `/` between the parts
 * @throws ArmatureError `unwritable`; the temporary folder is then gone.
 */
export async function writeFolderAtomic(path: string, files: Readonly<Record<string, FileContent>>): Promise<void> {
  const temporary = temporaryName(path)
  await orUnwritable(path, temporary, async () => {
    await rm(temporary, { recursive: true, force: true })
    const folders = new Set([temporary])
    for (const [name, content] of Object.entries(files)) {
      const target = join(temporary, name)
      folders.add(dirname(target))
      await makeFolder(dirname(target))
      await writeSynced(target, content)
    }
    for (const folder of folders) await syncFolder(folder)
    const removeOld = await setAside(path)
    await rename(temporary, path)
    await syncFolder(dirname(path))
    await removeOld()
  })
}

/** Removes a folder so that a crash never leaves part of it under its own name. */
export async function removeFolderAtomic(path: string): Promise<void> {
  const remove = await setAside(path)
  await syncFolder(dirname(path))
  await remove()
}

/** Removes what interrupted writes left in `folder`. Only its single writer may call this. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(TEMPORARY_PREFIX)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** Whether `error` is one of Node's file errors with that code, e.g. `ENOENT`. */
export function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** What a link names; the path itself where it is none, or there is nothing yet. */
function linkedFile(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}

function temporaryName(path: string): string {
  return join(dirname(path), `${TEMPORARY_PREFIX}${process.pid}-${basename(path)}`)
}

async function setAside(path: string): Promise<() => Promise<void>> {
  const aside = `${temporaryName(path)}-old`
  try {
    await rename(path, aside)
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return () => Promise.resolve()
    throw error
  }
  return () => rm(aside, { recursive: true, force: true })
}

async function writeSynced(path: string, content: FileContent): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (const chunk of chunksOf(content)) await file.writeFile(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The pieces of `content` as bytes. */
export function chunksOf(content: FileContent): readonly Uint8Array[] {
  if (typeof content === 'string') return [Buffer.from(content, 'utf8')]
  return content instanceof Uint8Array ? [content] : content
}

/** Waits until the names in a folder are on the disk, so that a file that was made or renamed there survives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder; its renames are journalled.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

let writesUnderWay = 0

/** Whether a file or folder is being written that would be lost if the process ended now. */
export function isWritingFiles(): boolean {
  return writesUnderWay > 0
}

async function orUnwritable(path: string, temporary: string, write: () => Promise<void>): Promise<void> {
  writesUnderWay++
  try {
    await write()
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    const isOfFiles = error instanceof Error && 'code' in error && !(error instanceof ArmatureError)
    throw isOfFiles ? unwritable(path, error) : error
  } finally {
    writesUnderWay--
  }
}
