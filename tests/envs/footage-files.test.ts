import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { readFootageFiles } from '../../envs/look/footage-files.ts'
import { encodeGif } from '../../src/io/gif.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footage-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Fills a 2 x 2 picture with one value. */
function still(value: number, channels: 1 | 2 | 3 | 4, depth: 8 | 16 = 8): Uint8Array {
  const data = depth === 8 ? new Uint8Array(4 * channels) : new Uint16Array(4 * channels)
  return encode({ width: 2, height: 2, channels, depth, data: data.fill(depth === 8 ? value : value * 257) })
}

/** A GIF89a of 2 x 1 with a palette of red, green, blue and nothing: red green, then blue over the left pixel alone. */
function tinyGif(disposalOfSecond: number): Uint8Array {
  const frame = (x: number, width: number, disposal: number, codes: readonly number[]): number[][] => [
    [0x21, 0xf9, 4, (disposal << 2) | 1, 0, 0, 3, 0],
    [0x2c, x, 0, 0, 0, width, 0, 1, 0, 0],
    [2, codes.length, ...codes, 0],
  ]
  const parts = [
    [...new TextEncoder().encode('GIF89a')],
    [2, 0, 1, 0, 0x81, 0, 0],
    [255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0],
    // LZW codes of 3 bits, from the lowest bit on: clear (4), the pixels, end (5).
    ...frame(0, 2, 1, [0b01_000_100, 0b01010]),
    ...frame(0, 1, disposalOfSecond, [0b01_010_100, 0b1]),
    ...frame(1, 1, 1, [0b01_010_100, 0b1]),
    [0x3b],
  ]
  return Uint8Array.from(parts.flat())
}

describe('a folder of pictures', () => {
  it('is read in the order of its numbers, whatever kind of PNG they are', async () => {
    const pictures = { '10.png': still(40, 2), '2.png': still(20, 3), '1.png': still(10, 1), '3.PNG': still(30, 4, 16) }
    for (const [name, bytes] of Object.entries(pictures)) await writeFile(join(folder, name), bytes)
    await writeFile(join(folder, 'notes.txt'), 'not a picture')
    const { width, height, frames } = readFootageFiles(folder)
    expect([width, height]).toEqual([2, 2])
    expect(frames.map((frame) => [...new Set(frame)])).toEqual([[10], [20], [30], [40]])
    expect(frames.every((frame) => frame.length === 12)).toBe(true)
  })

  it('makes the background of a scene', async () => {
    const env = await makeEnv('armature/PushPuck-v0', {
      size: 8,
      supersample: 'off',
      distractor: { kind: 'frames', frames: folder, trainClips: 1, testClips: 1, onto: 'background' },
    })
    const { info } = await env.reset({ seed: 0 })
    expect(info['distractor_clip']).toBe(0)
    await env.close()
  })

  it('is refused by name', async () => {
    await writeFile(join(folder, '4.png'), encode({ width: 3, height: 2, channels: 1, data: new Uint8Array(6) }))
    expect(() => readFootageFiles(folder)).toThrow(/4\.png: expected 2 x 2 pixels, like 1\.png, got 3 x 2/)
    await writeFile(join(folder, '4.png'), still(10, 1).subarray(0, 40))
    expect(() => readFootageFiles(folder)).toThrow(/cannot read .*4\.png/)
    expect(() => readFootageFiles(join(folder, 'nowhere'))).toThrow(/a folder of PNG pictures or a \.gif file/)
    expect(() => readFootageFiles(join(folder, 'notes.txt'))).toThrow(/a folder of PNG pictures or a \.gif file/)
  })
})

describe('an animation', () => {
  it('is read frame by frame', async () => {
    const file = join(folder, 'a.gif')
    const frames = [0, 120, 240].map((value) => ({ width: 4, height: 3, data: new Uint8Array(36).fill(value) }))
    await writeFile(file, encodeGif(frames, 10))
    const footage = readFootageFiles(file)
    expect([footage.width, footage.height]).toEqual([4, 3])
    expect(footage.frames.map((frame) => [...new Set(frame)])).toEqual([[0], [120], [240]])
  })

  it.each([
    ['stays', 1, [0, 0, 255, 0, 0, 255]],
    ['is cleared', 2, [0, 0, 0, 0, 0, 255]],
    ['gives way to what was before', 3, [255, 0, 0, 0, 0, 255]],
  ] as const)('whose frame %s', async (_, disposal, last) => {
    const file = join(folder, `${disposal}.gif`)
    await writeFile(file, tinyGif(disposal))
    const { frames } = readFootageFiles(file)
    expect([...frames[0]!]).toEqual([255, 0, 0, 0, 255, 0])
    expect([...frames[1]!]).toEqual([0, 0, 255, 0, 255, 0])
    expect([...frames[2]!]).toEqual(last)
  })
})
