import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as foxglove from '@foxglove/schemas/internal.js'
import { McapIndexedReader } from '@mcap/core'
import { FileHandleReadable } from '@mcap/nodejs'
import { decode } from 'fast-png'
import protobuf from 'protobufjs'
import 'protobufjs/ext/descriptor.js'
import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { writeMcap } from '../../src/io/mcap.ts'
import { compressedImageType, numbersType } from '../../src/io/mcap-messages.ts'
import { FAKE_SPEC, FakeDataset, fakeEpisode } from '../replay/fake-dataset.ts'
import { failure, temporaryFolder } from './helpers.ts'
import type { McapMessage } from './mcap-reader.ts'
import { protobufFields, readMcap } from './mcap-reader.ts'

const folder = temporaryFolder()
const lengths = [3, 5, 2]
/** 10 frames a second, and a second between episodes: where each of them starts. */
const STARTS_NS = [0, 1_200_000_000, 2_600_000_000]

async function written(name: string, dataset = new FakeDataset(lengths)): Promise<ReturnType<typeof readMcap>> {
  const path = folder.path(name)
  await writeMcap(path, dataset)
  return readMcap(readFileSync(path))
}

function on(messages: readonly McapMessage[], topic: string): McapMessage[] {
  return messages.filter((message) => message.topic === topic)
}

describe('MCAP files', () => {
  test('keep to the specification: magic, every CRC, indexes, offsets, statistics', async () => {
    const file = await written('spec.mcap')
    expect(file.library).toBe('armature')
    expect(file.metadata).toEqual({ armature: { source: 'tests/Fake-v0', fps: '10' } })
    expect(file.channels).toEqual({
      '/episode': { topic: '/episode', schema: 'armature.Episode', encoding: 'protobuf' },
      '/camera/scene': { topic: '/camera/scene', schema: 'foxglove.CompressedImage', encoding: 'protobuf' },
      '/camera/outcome': { topic: '/camera/outcome', schema: 'foxglove.CompressedImage', encoding: 'protobuf' },
      '/proprio': { topic: '/proprio', schema: 'armature.Proprio', encoding: 'protobuf' },
      '/state': { topic: '/state', schema: 'armature.State', encoding: 'protobuf' },
      '/action': { topic: '/action', schema: 'armature.Action', encoding: 'protobuf' },
      '/reward': { topic: '/reward', schema: 'armature.Reward', encoding: 'protobuf' },
    })
  })

  test('are found damaged by the reader above when they are', async () => {
    const path = folder.path('damaged.mcap')
    await writeMcap(path, new FakeDataset(lengths))
    const bytes = readFileSync(path)
    for (const at of [3, 200, bytes.length >> 1, bytes.length - 300]) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1
      expect(() => readMcap(damaged), `byte ${at}`).toThrow()
    }
  })

  test('have each number and each picture of the episodes at its time', async () => {
    const { messages } = await written('content.mcap')
    const times = lengths.flatMap((length, i) =>
      Array.from({ length }, (_, time) => BigInt(STARTS_NS[i]! + time * 100_000_000)),
    )
    for (const topic of ['/proprio', '/state', '/camera/scene', '/camera/outcome']) {
      expect(on(messages, topic).map(({ logTime }) => logTime)).toEqual(times)
    }
    const stepTimes = times.filter((time) => !times.every((other) => other <= time || other >= time + 1_000_000_000n))
    expect(on(messages, '/action').map(({ logTime }) => logTime)).toEqual(stepTimes)
    const second = fakeEpisode(1, 5)
    // Proto3 leaves zeros out.
    const numbers = on(messages, '/state').map(({ data }) =>
      [1, 2, 3].map((n) => protobufFields(data).get(n)?.[0] ?? 0),
    )
    expect(numbers.slice(3, 8).flat()).toEqual([...second.state])
    const rewards = on(messages, '/reward').map(({ data }) => protobufFields(data).get(1)?.[0] ?? 0)
    expect(rewards.slice(2, 6)).toEqual([...second.rewards])
    const picture = protobufFields(on(messages, '/camera/outcome')[3 + 4]!.data)
    expect([picture.get(4)!.join(), picture.get(3)!.join()]).toEqual(['outcome', 'png'])
    expect(protobufFields(picture.get(1)![0] as Buffer)).toEqual(
      new Map([
        [1, [1n]],
        [2, [600_000_000n]],
      ]),
    )
    const { data, width, height } = decode(picture.get(2)![0] as Buffer)
    expect([width, height]).toEqual([5, 4])
    expect([...data]).toEqual([...second.images.outcome!.subarray(4 * 60)])
  })

  test('show the goal of an episode at its start, where it was recorded', async () => {
    const goalImages = { scene: new Uint8Array(60).fill(7), outcome: new Uint8Array(60).fill(8) }
    const dataset = new FakeDataset(lengths)
    dataset.readEpisode = async (index) => {
      const data = fakeEpisode(index, lengths[index]!)
      return index === 1 ? { ...data, goalImages } : data
    }
    const { messages } = await written('goals.mcap', dataset)
    const goals = ['/goal/scene', '/goal/outcome'].flatMap((topic) => on(messages, topic))
    expect(goals.map(({ logTime }) => logTime)).toEqual([1_200_000_000n, 1_200_000_000n])
    const pictures = goals.map(({ data }) => decode(protobufFields(data).get(2)![0] as Buffer).data)
    expect(pictures.map((pixels) => pixels[0])).toEqual([7, 8])
  })

  test('say how an episode looked, where it was recorded', async () => {
    const dataset = new FakeDataset(lengths)
    dataset.readEpisode = async (index) => {
      const data = fakeEpisode(index, lengths[index]!)
      return index === 1 ? { ...data, info: { ...data.info, looks: { hue_cube_rad: -0.5 } } } : data
    }
    const { messages } = await written('looks.mcap', dataset)
    const looks = on(messages, '/episode').map(({ data }) => String(protobufFields(data).get(10)?.[0] ?? ''))
    expect(looks).toEqual(lengths.map((_, i) => (i === 1 ? '{"hue_cube_rad":-0.5}' : '')))
  })

  test('are read by the indexed reader of the MCAP project, in order of time', async () => {
    const path = folder.path('vendor.mcap')
    await writeMcap(path, new FakeDataset(lengths))
    const handle = await open(path)
    const reader = await McapIndexedReader.Initialize({ readable: new FileHandleReadable(handle) })
    const topics: string[] = []
    for await (const { channelId } of reader.readMessages({ startTime: 1_200_000_000n, endTime: 1_299_999_999n })) {
      topics.push(reader.channelsById.get(channelId)!.topic)
    }
    await handle.close()
    expect(topics).toEqual(['/episode', '/camera/scene', '/camera/outcome', '/proprio', '/state', '/action', '/reward'])
  })

  test('are cut into chunks, so that viewers read what they show', async () => {
    const spec = { ...FAKE_SPEC, cameras: { scene: { ...FAKE_SPEC.cameras.scene!, shape: [256, 256, 3] } } }
    const dataset = new FakeDataset([10], { spec })
    const noisy = await dataset.readEpisode(0)
    const rng = new Rng(0)
    noisy.images.scene!.forEach((_, i, frames) => (frames[i] = rng.int(256)))
    dataset.readEpisode = async () => noisy
    const { chunks, messages } = await written('chunks.mcap', dataset)
    expect(chunks).toBe(2)
    expect(on(messages, '/camera/scene').length).toBe(10)
  })

  test("hold pictures as Foxglove's own definition has them", () => {
    const text = foxglove.generateProto(foxglove.foxgloveMessageSchemas.CompressedImage, [])
    const wanted = protobuf.parse(text, { keepCase: true }).root.lookupType('foxglove.CompressedImage')
    const { schema } = compressedImageType()
    const got = protobuf.Root.fromDescriptor(schema, { keepCase: true }).lookupType('foxglove.CompressedImage')
    const facts = (type: protobuf.Type): unknown =>
      type.fieldsArray
        .map(({ name, id, type: of, repeated }) => ({ name, id, of: of.replace(/^\./, ''), repeated }))
        .toSorted((a, b) => a.id - b.id)
    expect(facts(got)).toEqual(facts(wanted))
  })

  test('name numbers as the space does, as far as protobuf allows', () => {
    const names = ['hand_x_m', 'left wrist.pos', 'left_wrist_pos', '3rd', 'hand_x_m', '']
    expect(numbersType('State', boxSpace([6], 0, 1, names)).fields).toEqual([
      'hand_x_m',
      'left_wrist_pos',
      'left_wrist_pos_2',
      '_3rd',
      'hand_x_m_2',
      '_',
    ])
    expect(numbersType('State', boxSpace([2], 0, 1)).fields).toEqual(['element_0', 'element_1'])
  })

  test('leave out what a dataset does not have, and what was not asked for', async () => {
    const path = folder.path('some.mcap')
    const report = await writeMcap(
      path,
      new FakeDataset(lengths, { spec: { ...FAKE_SPEC, stateSpace: boxSpace([0], 0, 0) } }),
      {
        episodes: [2, 0],
        cameras: ['outcome'],
      },
    )
    expect(report).toEqual({ episodes: [2, 0], messages: 18, durationS: 1.3, problems: [] })
    const { channels, messages } = readMcap(readFileSync(path))
    expect(Object.keys(channels)).toEqual(['/episode', '/camera/outcome', '/proprio', '/action', '/reward'])
    expect(on(messages, '/episode').map(({ data }) => protobufFields(data).get(1)?.[0] ?? 0n)).toEqual([2n, 0n])
  })
})

describe('what goes wrong', () => {
  test('an episode that cannot be read is named, the others are written; none at all leaves no file', async () => {
    const path = folder.path('corrupt.mcap')
    const report = await writeMcap(path, new FakeDataset(lengths, { corrupt: [1] }))
    expect([report.episodes, report.problems]).toEqual([[0, 2], ['fake/1.parquet']])
    expect(on(readMcap(readFileSync(path)).messages, '/episode').length).toBe(2)
    const none = folder.path('none.mcap')
    await failure('corrupt-file', () => writeMcap(none, new FakeDataset([2], { corrupt: [0] })))
    expect(existsSync(none)).toBe(false)
  })

  test('stopped half-way, the file that was there is as it was, and nothing lies beside it', async () => {
    const path = folder.path('stopped.mcap')
    writeFileSync(path, 'old')
    const before = readdirSync(dirname(path))
    const stop = (): never => {
      throw new Error('stopped')
    }
    await expect(writeMcap(path, new FakeDataset(lengths), { onEpisode: stop })).rejects.toThrow('stopped')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(dirname(path))).toEqual(before)
  })

  test('episodes and cameras that are not there are named', async () => {
    const path = folder.path('unknown.mcap')
    const noEpisode = await failure('not-found', () => writeMcap(path, new FakeDataset(lengths), { episodes: [3] }))
    expect(noEpisode.message).toContain('no episode 3 in fake')
    const noCamera = await failure('not-found', () => writeMcap(path, new FakeDataset(lengths), { cameras: ['wrist'] }))
    expect(noCamera.message).toContain('no camera "wrist" in tests/Fake-v0; it has scene, outcome')
    await failure('not-found', () => writeMcap(path, new FakeDataset([])))
    await failure('unwritable', () => writeMcap(folder.path('no/folder.mcap'), new FakeDataset(lengths)))
    expect(existsSync(path)).toBe(false)
  })
})

const python = process.env.ARMATURE_PYTHON ?? 'python3'
const hasProtobuf = spawnSync(python, ['-c', 'import google.protobuf']).status === 0
if (!hasProtobuf) console.warn(`skipped: ${python} has no protobuf to read MCAP messages with`)

test.skipIf(!hasProtobuf)("Google's protobuf takes the schemas of a file and reads its messages", async () => {
  const path = folder.path('python.mcap')
  await writeMcap(path, new FakeDataset(lengths))
  const script = fileURLToPath(new URL('mcap.py', import.meta.url))
  const { status, stdout, stderr } = spawnSync(python, [script, path], { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  const topics = JSON.parse(stdout) as Record<string, [number, Record<string, unknown>][]>
  const state = fakeEpisode(1, 5).state
  expect(topics['/state']!.slice(3, 8)).toEqual(
    [0, 1, 2, 3, 4].map((time) => [
      1_200_000_000 + time * 100_000_000,
      { time: state[3 * time], object0_instance: state[3 * time + 1], object1_instance: state[3 * time + 2] },
    ]),
  )
  expect(topics['/episode']![1]![1]).toMatchObject({ index: 1, observations: 5, policy: 'random', terminated: true })
  expect(topics['/camera/scene']![4]![1]).toMatchObject({
    timestamp: '1970-01-01T00:00:01.300Z',
    frame_id: 'scene',
    format: 'png',
  })
})
