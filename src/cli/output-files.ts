import { lstat, readFile, stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { ArmatureError, unwritable } from '../core/errors.ts'
import { isFileError, makeFolder, writeFileAtomic } from '../io/atomic.ts'
import { encodeGif, MAX_GIF_FPS } from '../io/gif.ts'
import type { RgbImage } from '../io/image.ts'
import { encodeMp4, MAX_MP4_FPS } from '../io/mp4.ts'
import { encodePng } from '../io/png.ts'

/**
 * Called before the work that `file` is to hold.
 * @param overwrite a file may be there; a folder, a pipe or a device may not
 * @throws ArmatureError `bad-argument` when something is there that may not be replaced; `unwritable` where nothing can be.
 */
export async function requireNewFile(file: string, overwrite = false): Promise<void> {
  if (!(await isThere(file))) return
  if (!overwrite)
    throw new ArmatureError('bad-argument', `${file} exists`, { fix: 'name another file or use --overwrite' })
  const target = await stat(file).catch((error: unknown) => {
    // A link to what is not there yet.
    if (isFileError(error, 'ENOENT')) return undefined
    throw unwritable(file, error)
  })
  if (target === undefined || target.isFile()) return
  throw new ArmatureError('bad-argument', file, {
    expected: 'a file',
    got: target.isDirectory() ? 'a folder' : 'a device or a pipe',
  })
}

/** Whether there is something at `path`, be it a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return false
    throw unwritable(path, error)
  }
}

/**
 * Writes a file, and the folders above it where they are missing.
 * @throws ArmatureError `unwritable`.
 */
export async function writeOutput(file: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(file))
  await writeFileAtomic(file, content)
}

/**
 * Writes `folder/<name>.json`, or where that holds something else, the first of `<name>-2.json`, `<name>-3.json` and so on that is free or
 * holds the same: nothing that was found earlier is lost.
 * @returns the file
 * @throws ArmatureError `unwritable`.
 */
export async function writeVersion(folder: string, name: string, text: string): Promise<string> {
  for (let version = 1; ; version++) {
    const file = join(folder, `${name}${version === 1 ? '' : `-${version}`}.json`)
    const present = await readFile(file, 'utf8').catch((error: unknown) => {
      if (isFileError(error, 'ENOENT')) return undefined
      throw unwritable(file, error)
    })
    if (present === undefined) await writeOutput(file, text)
    if (present === undefined || present === text) return file
  }
}

/** How pictures become a file; those of a still are one. */
export interface PictureFormat {
  readonly isStill?: boolean
  readonly maxFps: number
  readonly encode: (frames: readonly RgbImage[], fps: number) => Uint8Array | Promise<Uint8Array>
}

/** By the ending of the file. */
const FORMATS: Readonly<Record<string, PictureFormat>> = {
  '.png': { isStill: true, maxFps: Infinity, encode: ([frame]) => encodePng(frame!) },
  '.gif': { maxFps: MAX_GIF_FPS, encode: encodeGif },
  '.mp4': { maxFps: MAX_MP4_FPS, encode: encodeMp4 },
}

/**
 * What the ending of `file` asks for.
 * @param option that named it
 * @param endings those that it may have
 * @throws ArmatureError `bad-argument` for another one.
 */
export function pictureFormat(
  file: string,
  option: string,
  endings: readonly ('.png' | '.gif' | '.mp4')[] = ['.png', '.gif', '.mp4'],
): PictureFormat {
  const ending = endings.find((known) => known === extname(file).toLowerCase())
  if (ending !== undefined) return FORMATS[ending]!
  const names = `${endings.slice(0, -1).join(', ')}${endings.length > 1 ? ' or ' : ''}${endings.at(-1)}`
  throw new ArmatureError('bad-argument', option, { expected: `a file that ends in ${names}`, got: file })
}

/** All frames of an animation are held in memory until they are encoded. */
export const MAX_ANIMATION_BYTES = 2 ** 30
