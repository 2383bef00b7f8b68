import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { decode } from 'fast-png'
import { GifReader } from 'omggif'
import { ArmatureError } from '../../src/core/errors.ts'
import { toRgb } from '../../src/core/rgb.ts'
import type { Footage } from './clips.ts'

/** Decoded, all in memory. */
const MAX_BYTES = 2 ** 30

/**
 * Pictures to show behind a scene, from files: a folder of PNG pictures of one size, in the order of their names (`2.png` before
 * `10.png`), or an animated GIF.
 * @throws ArmatureError `not-found`, `corrupt-file` or `bad-argument` that names the file.
 */
export function readFootageFiles(path: string): Footage {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw notFootage('not-found', path, 'nothing there')
  if (found.isDirectory()) return readPngFolder(path)
  if (extname(path).toLowerCase() === '.gif') return readGif(path)
  throw notFootage('bad-argument', path, 'another file')
}

function readPngFolder(folder: string): Footage {
  const names = readdirSync(folder)
    .filter((name) => extname(name).toLowerCase() === '.png')
    .toSorted(new Intl.Collator('en', { numeric: true }).compare)
  if (names.length === 0) throw notFootage('not-found', folder, 'no PNG pictures in it')
  const pictures = names.map((name) => ({ name, ...decodeFile(join(folder, name), decodePng) }))
  const { width, height } = pictures[0]!
  const other = pictures.find((picture) => picture.width !== width || picture.height !== height)
  if (other !== undefined) {
    throw new ArmatureError('bad-argument', join(folder, other.name), {
      expected: `${width} x ${height} pixels, like ${names[0]!}`,
      got: `${other.width} x ${other.height}`,
    })
  }
  requireRoom(folder, width * height * 3 * names.length)
  return { width, height, frames: pictures.map(({ rgb }) => rgb) }
}

interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

function decodePng(bytes: Uint8Array): Picture {
  const png = decode(bytes)
  return { width: png.width, height: png.height, rgb: toRgb(png) }
}

function readGif(file: string): Footage {
  return decodeFile(file, (bytes) => {
    const gif = new GifReader(bytes)
    const { width, height } = gif
    requireRoom(file, width * height * 3 * gif.numFrames())
    let canvas: Uint8Array = new Uint8Array(width * height * 4)
    const frames = Array.from({ length: gif.numFrames() }, (_, frame) => {
      const info = gif.frameInfo(frame)
      const before = info.disposal === 3 ? canvas.slice() : undefined
      gif.decodeAndBlitFrameRGBA(frame, canvas)
      const rgb = withoutAlpha(canvas)
      if (before !== undefined) canvas = before
      if (info.disposal === 2) clear(canvas, width, info)
      return rgb
    })
    return { width, height, frames }
  })
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: (rgba.length / 4) * 3 }, (_, i) => rgba[Math.floor(i / 3) * 4 + (i % 3)]!)
}

function clear(rgba: Uint8Array, width: number, area: { x: number; y: number; width: number; height: number }): void {
  for (let row = area.y; row < area.y + area.height; row++) {
    rgba.fill(0, (row * width + area.x) * 4, (row * width + area.x + area.width) * 4)
  }
}

function decodeFile<T>(file: string, read: (bytes: Uint8Array) => T): T {
  const bytes = readFileSync(file)
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof ArmatureError) throw error
    throw new ArmatureError('corrupt-file', `cannot read ${file}`, {
      got: error instanceof Error ? error.message : String(error),
      fix: 'save it again as PNG or GIF',
      cause: error,
    })
  }
}

function requireRoom(path: string, bytes: number): void {
  if (bytes <= MAX_BYTES) return
  throw new ArmatureError('bad-argument', path, {
    expected: `at most ${MAX_BYTES / 2 ** 20} MiB of decoded pictures`,
    got: `${Math.ceil(bytes / 2 ** 20)} MiB`,
    fix: 'use fewer or smaller pictures',
  })
}

function notFootage(code: 'not-found' | 'bad-argument', path: string, got: string): ArmatureError {
  return new ArmatureError(code, `distractor frames ${path}`, {
    expected: 'a folder of PNG pictures or a .gif file',
    got,
  })
}
