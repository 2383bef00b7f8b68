import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { RgbImage } from '../../src/io/image.ts'
import { rgbImage } from '../../src/io/image.ts'
import { encodeMp4 } from '../../src/io/mp4.ts'
import { failure } from './helpers.ts'

const CONTAINERS = ['moov', 'trak', 'mdia', 'minf', 'stbl']

/** Content of the boxes of an MP4 file (ISO/IEC 14496-12) by name; those inside containers too. */
function boxesOf(bytes: Uint8Array): Record<string, DataView> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Record<string, DataView> = {}
  for (let at = 0; at < bytes.length;) {
    const size = view.getUint32(at)
    const name = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1')
    const content = bytes.subarray(at + 8, at + size)
    found[name] = new DataView(content.buffer, content.byteOffset, content.byteLength)
    if (CONTAINERS.includes(name)) Object.assign(found, boxesOf(content))
    at += size
  }
  return found
}

function read(bytes: Uint8Array): { width: number; height: number; seconds: number; sizes: number[]; codec: string } {
  const { tkhd, mdhd, stsz, stsd } = boxesOf(bytes)
  // Samples of one size are written without a table.
  const common = stsz!.getUint32(4)
  const sizes = Array.from({ length: stsz!.getUint32(8) }, (_, i) => common || stsz!.getUint32(12 + 4 * i))
  return {
    width: tkhd!.getUint32(76) / 65536,
    height: tkhd!.getUint32(80) / 65536,
    seconds: mdhd!.getUint32(16) / mdhd!.getUint32(12),
    sizes,
    codec: Buffer.from(new Uint8Array(stsd!.buffer, stsd!.byteOffset + 12, 4)).toString('latin1'),
  }
}

/** A bright square on dark ground, `left` pixels from the left. */
function square(width: number, height: number, left: number): RgbImage {
  const data = new Uint8Array(width * height * 3).fill(30)
  for (let y = 4; y < 12; y++) data.fill(220, (y * width + left) * 3, (y * width + left + 8) * 3)
  return rgbImage(data, width, height)
}

describe('MP4', () => {
  it('is H.264 with every frame, at its pace', async () => {
    const frames = Array.from({ length: 12 }, (_, i) => square(64, 48, 2 * i))
    const { sizes, seconds, ...rest } = read(await encodeMp4(frames, 20))
    expect(rest).toEqual({ width: 64, height: 48, codec: 'avc1' })
    expect(sizes).toHaveLength(12)
    expect(seconds).toBeCloseTo(12 / 20, 6)
    expect(sizes.every((size) => size > 0)).toBe(true)
  })

  it('says which frames are key frames, so that players that seek start at one', async () => {
    const frames = Array.from({ length: 45 }, (_, i) => square(64, 48, i))
    const { stss, stsz } = boxesOf(await encodeMp4(frames, 20))
    const keys = Array.from({ length: stss!.getUint32(4) }, (_, i) => stss!.getUint32(8 + 4 * i))
    expect(keys).toEqual([1, 21, 41])
    const size = (number: number): number => stsz!.getUint32(12 + 4 * (number - 1))
    for (const key of keys.slice(1)) expect(size(key)).toBeGreaterThan(size(key - 1))
  })

  it.skipIf(spawnSync('ffmpeg', ['-version']).status !== 0)('is sought in by ffmpeg to the frame', async () => {
    const shades = Array.from({ length: 60 }, (_, t) => 4 * t)
    const frames = shades.map((shade) => rgbImage(new Uint8Array(16 * 16 * 3).fill(shade), 16, 16))
    const folder = await mkdtemp(join(tmpdir(), 'mp4-'))
    const file = join(folder, 'shades.mp4')
    await writeFile(file, await encodeMp4(frames, 10))
    for (const t of [0, 9, 10, 20, 35, 59]) {
      const args = [
        '-v',
        'error',
        '-ss',
        String(t / 10),
        '-i',
        file,
        '-frames:v',
        '1',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-',
      ]
      const { stdout } = spawnSync('ffmpeg', args)
      expect(Math.abs(stdout[0]! - shades[t]!), `frame ${t}`).toBeLessThan(4)
    }
    await rm(folder, { recursive: true })
  })

  it('stores what moves, and hardly what stands still', async () => {
    const still = read(await encodeMp4([square(64, 48, 8), square(64, 48, 8)], 10))
    const moving = read(await encodeMp4([square(64, 48, 8), square(64, 48, 30)], 10))
    expect(still.sizes[0]).toBe(moving.sizes[0])
    expect(still.sizes[1]).toBeLessThan(moving.sizes[1]!)
  })

  it('makes odd sizes even', async () => {
    const { width, height } = read(await encodeMp4([square(33, 19, 3)], 10))
    expect([width, height]).toEqual([34, 20])
  })

  it('gives the same bytes each time', async () => {
    const frames = [square(32, 32, 1), square(32, 32, 9)]
    const [first, second] = await Promise.all([encodeMp4(frames, 10), encodeMp4(frames, 10)])
    expect(second).toEqual(first)
  })

  it('leaves no listeners of the encoder in the process, and all others', async () => {
    const require = createRequire(import.meta.url)
    delete require.cache[require.resolve('h264-mp4-encoder')]
    const added: [event: string, listener: unknown][] = []
    const on = process.on.bind(process)
    const spy = vi.spyOn(process, 'on').mockImplementation((...call: unknown[]) => {
      // The test runner may listen meanwhile, too.
      if (new Error('where').stack!.includes('h264-mp4-encoder')) added.push(call as (typeof added)[number])
      return (on as (...call: unknown[]) => NodeJS.Process)(...call)
    })
    const video = encodeMp4([square(32, 32, 1)], 10)
    const other = (): void => undefined
    process.on('unhandledRejection', other)
    await video
    spy.mockRestore()
    expect(process.listeners('unhandledRejection')).toContain(other)
    process.off('unhandledRejection', other)
    expect(added.length).toBeGreaterThan(0)
    for (const [event, listener] of added) expect(process.listeners(event as 'exit')).not.toContain(listener)
  })

  it('refuses what is no video', async () => {
    await failure('bad-argument', () => encodeMp4([], 10))
    await failure('bad-argument', () => encodeMp4([square(32, 32, 1)], 0))
    await failure('bad-shape', () => encodeMp4([square(32, 32, 1), square(32, 30, 1)], 10))
  })
})
