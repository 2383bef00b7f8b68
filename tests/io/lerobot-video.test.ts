import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DatasetSpec } from '../../src/core/dataset.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import type { VideoStretch } from '../../src/io/lerobot/frame-sink.ts'
import { VideoFiles } from '../../src/io/lerobot/video.ts'
import { loadCodecs, openWithCodecs } from '../../src/io/lerobot/video-codecs.ts'
import { openWithProgram } from '../../src/io/lerobot/video-program.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { CAMERA, flatFrame, foreignFolder, shade } from './foreign-folder.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

const codecs = await loadCodecs()
const hasProgram = spawnSync('ffmpeg', ['-version']).status === 0

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lerobot-video-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** How far, on average, values are from one shade a frame. */
function error(frames: Uint8Array, length: number, episode: number): number {
  const size = frames.length / length
  const sum = frames.reduce((total, x, i) => total + Math.abs(x - shade(episode, Math.floor(i / size))), 0)
  return sum / frames.length
}

describe.skipIf(codecs === undefined && !hasProgram)('recordings as MP4 are read back', () => {
  it.each([
    [8, 8],
    [9, 8],
    [49, 49],
    [15, 33],
    [1, 1],
    [17, 2],
  ])('of %i x %i pixels, with episodes of 1, 2 and 20 frames', async (height, width) => {
    const spec: DatasetSpec = { ...SPEC, fps: 12.5, cameras: { front: imageSpace(height, width) } }
    const path = join(root, `own-${height}-${width}`)
    const writer = await LeRobotWriter.create(path, spec, { images: 'mp4' })
    const lengths = [1, 2, 20]
    for (const [episode, length] of lengths.entries()) {
      const { goalImages: _none, ...data } = randomEpisode(episode, length, spec)
      const frames = Array.from({ length }, (_, t) => flatFrame(episode, t, height, width))
      await writer.addEpisode({ ...data, images: { front: Uint8Array.from(Buffer.concat(frames)) } })
    }
    await writer.close()
    const dataset = await openDataset(path)
    for (const [episode, length] of lengths.entries()) {
      const { images } = await dataset.readEpisode(episode)
      expect(images['front']).toHaveLength(length * height * width * 3)
      expect(error(images['front']!, length, episode)).toBeLessThan(4)
    }
    expect(dataset.problems).toEqual([])
  })

  it('a video of another size, or too short for its rows, is named', async () => {
    const larger = await openDataset(
      await foreignFolder(join(root, 'larger'), { images: 'video', videoSize: [16, 20] }),
    )
    await expect(larger.readEpisode(0)).rejects.toThrow(/front of episode 0: got a video of 20x16 instead of 10x8/)
    const changeEpisodes = (rows: Record<string, unknown>[]): Record<string, unknown>[] =>
      rows.map((row) => ({ ...row, [`videos/${CAMERA}/from_timestamp`]: 0.4 }))
    const late = await openDataset(await foreignFolder(join(root, 'late'), { images: 'video', changeEpisodes }))
    await expect(late.readEpisode(1)).rejects.toThrow(
      /front of episode 1: got 1 of 2 frames .*none at 0\.500 s \(row 1\)/,
    )
  })
})

const decoders = [
  ...(codecs === undefined ? [] : [['the package', openWithCodecs(codecs)] as const]),
  ...(hasProgram ? [['ffmpeg', openWithProgram] as const] : []),
]

describe.each(decoders)('a video that episodes share, with %s', (_, open) => {
  const lengths = Array.from({ length: 6 }, () => 25)
  const stretchOf = (file: string, episode: number): VideoStretch => ({
    file,
    what: '',
    timesS: Float64Array.from({ length: 25 }, (_unused, t) => (25 * episode + t) / 10),
    fps: 10,
    width: 16,
    height: 16,
  })
  let file = ''
  beforeAll(async () => {
    const path = await foreignFolder(await mkdtemp(join(root, 'shared-')).then((parent) => join(parent, 'set')), {
      images: 'video',
      lengths,
      height: 16,
      width: 16,
    })
    file = join(path, `videos/${CAMERA}/chunk-000/file-000.mp4`)
  })

  it('is decoded once where they are read in order', async () => {
    let opened = 0
    const videos = new VideoFiles((...args) => {
      opened++
      return open(...args)
    })
    for (const episode of lengths.keys()) {
      const frames = await videos.read(stretchOf(file, episode))
      expect(error(frames, 25, episode)).toBeLessThan(4)
    }
    expect(opened).toBe(1)
  })

  it('gives the same frames in any order, and to several readers at once', async () => {
    const videos = new VideoFiles(open)
    for (const episode of [3, 1, 2, 2, 5, 0, 4]) {
      expect(error(await videos.read(stretchOf(file, episode)), 25, episode)).toBeLessThan(4)
    }
    const read = await Promise.all([1, 2, 1].map((episode) => videos.read(stretchOf(file, episode))))
    for (const [i, episode] of [1, 2, 1].entries()) expect(error(read[i]!, 25, episode)).toBeLessThan(4)
  })
})

it.skipIf(decoders.length < 2)('both decoders give the same frames', async () => {
  const path = await foreignFolder(join(root, 'both'), { images: 'video', lengths: [30, 40], height: 16, width: 16 })
  const file = join(path, `videos/${CAMERA}/chunk-000/file-000.mp4`)
  const timesS = Float64Array.from({ length: 25 }, (_, t) => (35 + t) / 10)
  const stretch = { file, what: '', timesS, fps: 10, width: 16, height: 16 }
  const [a, b] = await Promise.all(decoders.map(([, open]) => new VideoFiles(open).read(stretch)))
  expect(Math.max(...a!.map((x, i) => Math.abs(x - b![i]!)))).toBeLessThanOrEqual(2)
  const first = a!.subarray(0, 768).reduce((sum, x) => sum + x, 0) / 768
  expect(Math.abs(first - shade(1, 5))).toBeLessThan(4)
})
