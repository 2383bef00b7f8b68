import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DatasetSpec } from '../../src/core/dataset.ts'
import { decodeDepth, decodeImage } from '../../src/io/decode-image.ts'
import { checkDataset } from '../../src/io/lerobot/check-dataset.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { encodePng } from '../../src/io/png.ts'
import { CAMERA, foreignFolder } from './foreign-folder.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'decode-image-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** Made by Pillow 12.3, 10 x 8, of one colour: (200, 60, 20), in a JPEG of quality 95 and in WebP files with and without losses. */
const FILES = {
  jpeg: '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAAIAAoDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAf/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAACAn/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCBgCepI//Z',
  webp: 'UklGRkAAAABXRUJQVlA4IDQAAADQAQCdASoKAAgAAMASJaACdLoB+AADsAD+82mX/u837nz9z5/xe//rYP62D+tg/+tAAAAA',
  losslessWebp: 'UklGRh4AAABXRUJQVlA4TBEAAAAvCcABAAdQniKXov+BiOh/AAA=',
}
const COLOUR = [200, 60, 20]
const bytesOf = (name: keyof typeof FILES): Uint8Array => new Uint8Array(Buffer.from(FILES[name], 'base64'))

describe('JPEG and WebP', () => {
  it.each(Object.keys(FILES) as (keyof typeof FILES)[])('%s is read for what it is', (name) => {
    const { width, height, data } = decodeImage(bytesOf(name), [8, 10])
    expect([width, height, data.length]).toEqual([10, 8, 240])
    for (const [i, x] of data.entries()) expect(Math.abs(x - COLOUR[i % 3]!)).toBeLessThanOrEqual(6)
  })

  it.each(Object.keys(FILES) as (keyof typeof FILES)[])(
    '%s of another size, or damaged, is refused in one line',
    (name) => {
      const bytes = bytesOf(name)
      expect(() => decodeImage(bytes, [10, 8])).toThrow(/an image of 10x8 instead of 8x10/)
      // The size may be whole, and what follows missing.
      expect(() => decodeImage(bytes.subarray(0, Math.min(40, bytes.length - 3)), [8, 10])).toThrow(
        /got (no PNG, JPEG|a \w+ that is cut off)/,
      )
      expect(() => decodeDepth(bytes, [8, 10])).toThrow(/expected a PNG of one channel, got no PNG/)
      for (let at = 0; at < bytes.length; at += 7) {
        const changed = Uint8Array.from(bytes)
        changed[at] = 0xff
        try {
          expect(decodeImage(changed, [8, 10]).data).toHaveLength(240)
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt-file' })
        }
      }
    },
  )

  it('in a folder, each file by what it is and not by its name', async () => {
    const encoded = Object.values(FILES)
    const path = await foreignFolder(join(root, 'mixed'), {
      changeRows: (rows) =>
        rows.map((row, t) => ({ ...row, [CAMERA]: { bytes: Buffer.from(encoded[t]!, 'base64'), path: `${t}.png` } })),
    })
    const dataset = await openDataset(path)
    const { images } = await dataset.readEpisode(0)
    for (const [i, x] of images['front']!.entries()) expect(Math.abs(x - COLOUR[i % 3]!)).toBeLessThanOrEqual(6)
    expect(dataset.problems).toEqual([])
  })
})

describe('depth', () => {
  const distances = Uint16Array.from({ length: 80 }, (_, i) => i * 800)
  const png = encodePng({ data: distances, width: 10, height: 8 })
  const withDepth = (shape: number[], extra: Record<string, unknown> = {}): ReturnType<typeof foreignFolder> =>
    foreignFolder(join(root, `depth-${shape.join('-')}-${Object.keys(extra).join('-')}`), {
      changeInfo: (info) => Object.assign(info.features[CAMERA]!, { shape, ...extra }),
      changeRows: (rows) => rows.map((row, t) => ({ ...row, [CAMERA]: { bytes: png, path: `${t}.png` } })),
    })

  it.each([
    ['one channel behind', [8, 10, 1], {}],
    ['one channel before', [1, 8, 10], { names: ['channels', 'height', 'width'] }],
    ['no channel', [8, 10], { names: ['height', 'width'] }],
    ['three channels, said to be depth', [8, 10, 3], { info: { is_depth_map: true } }],
  ])('declared with %s is a camera of its own kind', async (_, shape, extra) => {
    const dataset = await openDataset(await withDepth(shape, extra))
    expect(dataset.spec.cameras).toEqual({})
    expect(dataset.spec.depthCameras).toEqual({ front: { shape: [8, 10] } })
    const { images, depth } = await dataset.readEpisode(0)
    expect(images).toEqual({})
    expect(depth!['front']).toEqual(Uint16Array.from([...distances, ...distances, ...distances]))
  })

  it('is never read as RGB, nor RGB as depth', async () => {
    const asRgb = await openDataset(await withDepth([8, 10, 3]))
    await expect(asRgb.readEpisode(0)).rejects.toThrow(
      /expected a PNG, JPEG or WebP of 8 bits per channel, got a PNG of 16/,
    )
    const asDepth = await openDataset(
      await foreignFolder(join(root, 'rgb'), {
        changeInfo: (info) => Object.assign(info.features[CAMERA]!, { shape: [8, 10, 1] }),
      }),
    )
    await expect(asDepth.readEpisode(0)).rejects.toThrow(/expected a PNG of one channel, got a PNG of 3 channels of 8/)
  })

  it('as video is named, and left out', async () => {
    const path = await foreignFolder(join(root, 'video'), {
      images: 'video',
      changeInfo: (info) => Object.assign(info.features[CAMERA]!, { info: { 'video.is_depth_map': true } }),
    })
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([expect.stringMatching(/front is a video of depth, which is not read/)])
    expect((await dataset.readEpisode(0)).images).toEqual({})
  })

  it('is recorded and read back exactly, with its statistics', async () => {
    const spec: DatasetSpec = { ...SPEC, depthCameras: { distance: { shape: [3, 4] } } }
    const episode = {
      ...randomEpisode(3, 4),
      depth: { distance: Uint16Array.from({ length: 48 }, (_, i) => i * 1000) },
    }
    const path = join(root, 'own')
    const writer = await LeRobotWriter.create(path, spec)
    await writer.addEpisode(episode)
    await writer.close()
    const dataset = await openDataset(path)
    expect(dataset.spec.depthCameras).toEqual(spec.depthCameras)
    expect((await dataset.readEpisode(0)).depth).toEqual(episode.depth)
    expect((await checkDataset(dataset, () => undefined)).faults).toEqual([])
    const { depth, ...without } = episode
    const other = await LeRobotWriter.create(join(root, 'without'), spec)
    await expect(other.addEpisode(without)).rejects.toThrow(/depth camera distance: expected 48 elements, got 0/)
    expect(depth).toBeDefined()
  })
})
