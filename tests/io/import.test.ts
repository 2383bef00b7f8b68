import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CdrWriter } from '@foxglove/cdr'
import { McapWriter } from '@mcap/core'
import { File, ready } from 'h5wasm/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodePng } from '../../src/io/png.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { runHere } from '../cli/in-process.ts'
import { foreignFolder } from './foreign-folder.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'import-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const at = (name: string): string => join(root, name)
const run = (...args: readonly string[]) => runHere(['data', 'import', ...args])

const STEPS = [4, 3]
const ENV_ARGS = JSON.stringify({ env_name: 'Lift', env_kwargs: { control_freq: 25 } })
const grey = (demo: number, t: number): number => 20 + 90 * demo + 10 * t

/** Robomimic's form, as the library writes it. */
async function robomimicFile(path: string, { hasLast = true, hasLink = false } = {}): Promise<string> {
  await ready
  const file = new File(path, 'w')
  const data = file.create_group('data')
  data.create_attribute('env_args', ENV_ARGS)
  for (const [demo, steps] of STEPS.entries()) {
    const group = data.create_group(`demo_${demo}`)
    group.create_attribute('model_file', '<mujoco/>')
    const numbers = (name: string, shape: number[], of: (i: number) => number, to = group): void => {
      const size = shape.reduce((a, b) => a * b, 1)
      to.create_dataset({ name, data: Float64Array.from({ length: size }, (_, i) => of(i)), shape })
    }
    numbers('actions', [steps, 2], (i) => demo + i / 4)
    numbers('rewards', [steps], (i) => (demo === 0 && i === steps - 1 ? 1 : 0))
    numbers('dones', [steps], (i) => (i === steps - 1 ? 1 : 0))
    numbers('states', [steps, 3], (i) => i)
    for (const [name, later] of [['obs', 0] as const, ...(hasLast ? [['next_obs', 1] as const] : [])]) {
      const to = group.create_group(name)
      numbers('eef_pos', [steps, 3], (i) => demo + Math.floor(i / 3) + later, to)
      numbers('gripper', [steps], (i) => 10 - i - later, to)
      const pixels = Uint8Array.from({ length: steps * 36 }, (_, i) => grey(demo, Math.floor(i / 36) + later))
      to.create_dataset({ name: 'agentview_image', data: pixels, shape: [steps, 3, 4, 3] })
      const depth = Uint16Array.from({ length: steps * 12 }, (_, i) => 1000 * (Math.floor(i / 12) + later) + (i % 12))
      to.create_dataset({ name: 'agentview_depth', data: depth, shape: [steps, 3, 4, 1] })
      numbers('agentview_flow', [steps, 3, 4, 2], () => 0, to)
    }
  }
  file.create_group('mask')
  if (hasLink) data.create_external_link('/etc/hostname', '/x', 'demo_2')
  file.close()
  return path
}

describe('robomimic', () => {
  test('becomes a dataset, and what has no place in one is said', async () => {
    const { code, stdout } = await run(await robomimicFile(at('demos.hdf5')), '--out', at('demos'), '--task', 'lift it')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/demos {2}2 of 2 episodes, 9 frames/)])
    for (const said of [
      'obs/agentview_flow, float64 of shape [3, 4, 2], is no camera',
      'states have no row for the last observation',
      'mask has no place',
      'the attribute model_file of data/demo_N has no place',
    ]) {
      expect(stdout).toContain(`left out: ${at('demos.hdf5')}: ${said}`)
    }
    const dataset = await openDataset(at('demos'))
    expect(dataset.spec).toMatchObject({
      source: 'Lift',
      fps: 25,
      cameras: { agentview: { shape: [3, 4, 3] } },
      depthCameras: { agentview_depth: { shape: [3, 4] } },
      proprioSpace: { names: ['eef_pos.0', 'eef_pos.1', 'eef_pos.2', 'gripper'] },
    })
    expect(dataset.episodes).toMatchObject([
      { length: 5, terminated: true, success: true, task: 'lift it' },
      { length: 4, terminated: true, success: false },
    ])
    const { images, depth, proprio, actions, rewards } = await dataset.readEpisode(1)
    expect(actions).toEqual(Float32Array.of(1, 1.25, 1.5, 1.75, 2, 2.25))
    expect(rewards).toEqual(Float32Array.of(0, 0, 0))
    expect([...proprio]).toEqual([0, 1, 2, 3].flatMap((t) => [1 + t, 1 + t, 1 + t, 10 - t]))
    expect([...images['agentview']!]).toEqual([0, 1, 2, 3].flatMap((t) => Array.from({ length: 36 }, () => grey(1, t))))
    expect(depth!['agentview_depth']!.slice(36)).toEqual(Uint16Array.from({ length: 12 }, (_, i) => 3000 + i))
    expect((await runHere(['data', 'check', at('demos')])).code).toBe(0)
  })

  test('without next_obs the last action leads to no observation', async () => {
    expect((await run(await robomimicFile(at('short.hdf5'), { hasLast: false }), '--out', at('short'))).code).toBe(0)
    const { state, actions } = await (await openDataset(at('short'))).readEpisode(0)
    expect(actions).toHaveLength(6)
    expect([...state]).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })

  test('a link to another file is not followed', async () => {
    const { code, stderr } = await run(await robomimicFile(at('link.hdf5'), { hasLink: true }), '--out', at('link'))
    expect([code, stderr]).toEqual([2, expect.stringMatching(/data\/demo_2 is no group of this file/)])
  })

  test.each([
    ['no HDF5 file', () => Buffer.from('hello, world, hello'), /expected an HDF5 file/],
    ['a damaged one', (bytes: Buffer) => bytes.subarray(0, 400), /expected a file of robomimic's demonstrations/],
  ])('%s is refused in one line', async (name, change, message) => {
    const path = at(`${name.replaceAll(' ', '-')}.hdf5`)
    writeFileSync(path, change(readFileSync(await robomimicFile(at('source.hdf5')))))
    const { code, stderr } = await run(path, '--out', at('none'))
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
    expect(stderr.trim()).not.toContain('\n')
  })

  const python = process.env['ARMATURE_PYTHON'] ?? 'python3'
  test.skipIf(spawnSync(python, ['-c', 'import h5py']).status !== 0)('of h5py, compressed and chunked', async () => {
    const program = `
import h5py, json, numpy as np, sys
with h5py.File(sys.argv[1], 'w') as f:
    d = f.create_group('data'); d.attrs['env_args'] = json.dumps({'env_name': 'Can', 'env_kwargs': {'control_freq': 10}})
    for i in [0, 10, 2]:
        g = d.create_group(f'demo_{i}'); n = 3
        g.create_dataset('actions', data=np.full((n, 2), i, 'f4'), chunks=(1, 2), compression='gzip')
        o = g.create_group('obs'); o.create_dataset('image', data=np.full((n, 4, 5, 3), i, 'u1'), compression='gzip')
        o['q'] = np.arange(n * 2, dtype='i8').reshape(n, 2)
`
    expect(spawnSync(python, ['-c', program, at('h5py.hdf5')]).status).toBe(0)
    expect((await run(at('h5py.hdf5'), '--out', at('h5py'))).code).toBe(0)
    const dataset = await openDataset(at('h5py'))
    const read = await Promise.all([0, 1, 2].map((index) => dataset.readEpisode(index)))
    expect(read.map(({ actions }) => actions[0])).toEqual([0, 2, 10])
    expect(read.map(({ images }) => images['image']![59])).toEqual([0, 2, 10])
    expect([...read[0]!.proprio]).toEqual([0, 1, 2, 3, 4, 5])
  })
})

const JOINT_STATE = `std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
`
const IMAGE = `${JOINT_STATE.slice(0, JOINT_STATE.indexOf('string[]'))}uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
${JOINT_STATE.slice(JOINT_STATE.indexOf('====='))}`

/** A ROS 2 bag: joints at 50 Hz, commands at 20 Hz in two stretches, a camera at 20 Hz and another of depth. */
async function bag(path: string, jointTopic = '/joint_states'): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0n
  const writer = new McapWriter({
    writable: {
      position: () => size,
      write: (bytes) => {
        parts.push(Uint8Array.from(bytes))
        size += BigInt(bytes.length)
        return Promise.resolve()
      },
    },
  })
  await writer.start({ profile: 'ros2', library: 'test' })
  const channel = async (topic: string, name: string, text: string): Promise<number> => {
    const schemaId = await writer.registerSchema({ name, encoding: 'ros2msg', data: Buffer.from(text) })
    return writer.registerChannel({ schemaId, topic, messageEncoding: 'cdr', metadata: new Map() })
  }
  const joints = await channel(jointTopic, 'sensor_msgs/msg/JointState', JOINT_STATE)
  const commands = await channel('/arm/command', 'sensor_msgs/msg/JointState', JOINT_STATE)
  const camera = await channel('/camera/front/image_raw', 'sensor_msgs/msg/Image', IMAGE)
  const depth = await channel('/camera/depth/image_raw', 'sensor_msgs/msg/Image', IMAGE)
  const notes = await channel('/rosout', 'std_msgs/msg/String', 'string data\n')
  const put = (channelId: number, timeS: number, write: (cdr: CdrWriter) => void): Promise<void> => {
    const cdr = new CdrWriter()
    write(cdr)
    const time = BigInt(Math.round(timeS * 1e9))
    return writer.addMessage({ channelId, sequence: 0, logTime: time, publishTime: time, data: cdr.data })
  }
  const header = (cdr: CdrWriter): CdrWriter => cdr.int32(0).uint32(0).string('base')
  const state = (position: readonly number[]) => (cdr: CdrWriter) => {
    header(cdr).sequenceLength(2)
    for (const name of ['shoulder', 'elbow']) cdr.string(name)
    cdr
      .float64Array([...position], true)
      .float64Array([], true)
      .float64Array([], true)
  }
  const picture = (encoding: string, bytes: Uint8Array, rowBytes: number) => (cdr: CdrWriter) =>
    header(cdr).uint32(2).uint32(3).string(encoding).uint8(0).uint32(rowBytes).uint8Array(bytes, true)
  await put(notes, 0.9, (cdr) => cdr.string('hello'))
  for (let i = 0; i < 250; i++) await put(joints, 1 + i / 50, state([i / 50, -i]))
  for (const [start, count] of [[1.1, 10] as const, [3.1, 5] as const]) {
    for (let i = 0; i <= count; i++) {
      const timeS = start + i / 20
      const value = Math.round(timeS * 20)
      await put(
        camera,
        timeS,
        picture(
          'bgr8',
          new Uint8Array(18).fill(value).map((x, c) => (c % 3 === 0 ? 0 : x)),
          9,
        ),
      )
      await put(
        depth,
        timeS,
        picture('16UC1', new Uint8Array(Uint16Array.from({ length: 6 }, (_, p) => 100 * value + p).buffer), 6),
      )
      if (i < count) await put(commands, timeS, state([timeS, 1]))
    }
  }
  await writer.end()
  writeFileSync(path, Buffer.concat(parts))
  return path
}

describe('MCAP', () => {
  test('a ROS 2 bag becomes a dataset, an episode for each stretch of commands', async () => {
    mkdirSync(at('bag'))
    await bag(at('bag/bag_0.mcap'))
    writeFileSync(at('bag/metadata.yaml'), 'rosbag2_bagfile_information: {}\n')
    const { code, stdout } = await run(at('bag'), '--out', at('ros'))
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ros {2}2 of 2 episodes, 17 frames/)])
    expect(stdout).toContain('topic /rosout: no numbers')
    const dataset = await openDataset(at('ros'))
    expect(dataset.spec).toMatchObject({
      fps: 20,
      cameras: { front: { shape: [2, 3, 3] } },
      depthCameras: { depth: { shape: [2, 3] } },
      actionSpace: { names: ['position.shoulder', 'position.elbow'] },
      proprioSpace: { names: ['/joint_states.position.shoulder', '/joint_states.position.elbow'] },
    })
    const { actions, proprio, images, depth } = await dataset.readEpisode(1)
    const times = [0, 1, 2, 3, 4, 5].map((i) => 3.1 + i / 20)
    expect(actions.filter((_, i) => i % 2 === 0)).toEqual(Float32Array.from(times.slice(0, 5)))
    for (const [t, timeS] of times.entries()) expect(Math.abs(proprio[2 * t]! - (timeS - 1))).toBeLessThan(0.021)
    const values = times.map((timeS) => Math.round(timeS * 20))
    expect([...images['front']!]).toEqual(values.flatMap((x) => Array.from({ length: 6 }, () => [x, x, 0]).flat()))
    expect([...depth!['depth']!]).toEqual(values.flatMap((x) => Array.from({ length: 6 }, (_, p) => 100 * x + p)))
    expect((await runHere(['data', 'check', at('ros')])).code).toBe(0)
  })

  test('what we export as MCAP comes back', async () => {
    const writer = await LeRobotWriter.create(at('own'), SPEC)
    for (const i of [0, 1]) await writer.addEpisode(randomEpisode(i, 6 + i))
    await writer.close()
    expect((await runHere(['mcap', at('own'), '--out', at('own.mcap')])).code).toBe(0)
    expect((await run(at('own.mcap'), '--out', at('back'))).code).toBe(0)
    const [old, back] = [await openDataset(at('own')), await openDataset(at('back'))]
    for (const index of [0, 1]) {
      const [a, b] = [await old.readEpisode(index), await back.readEpisode(index)]
      expect([b.actions, b.rewards, b.proprio, b.state, b.images]).toEqual([
        a.actions,
        a.rewards,
        a.proprio,
        a.state,
        a.images,
      ])
    }
  })

  test.each([
    ['a topic that is not there', ['--action', '/nothing'], /topic \/nothing of numbers in .*; there is/],
    ['several that may be the action', [], /expected --action TOPIC, since it is not clear/],
  ])('%s is refused in one line', async (_, flags, message) => {
    const { code, stderr } = await run(await bag(at('two.mcap'), '/hand/command'), ...flags, '--out', at('none'))
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
  })

  test('a damaged file, and a bag of SQLite, are refused in one line', async () => {
    const bytes = readFileSync(await bag(at('cut.mcap')))
    for (const change of [bytes.subarray(0, 3000), Buffer.concat([bytes.subarray(0, 500), bytes.subarray(520)])]) {
      writeFileSync(at('cut.mcap'), change)
      const { code, stderr } = await run(at('cut.mcap'), '--out', at('none'))
      expect([code, stderr]).toEqual([2, expect.stringMatching(/expected a whole MCAP file, got /)])
    }
    mkdirSync(at('sqlite'))
    writeFileSync(at('sqlite/bag_0.db3'), '')
    expect((await run(at('sqlite'), '--out', at('none'))).stderr).toMatch(
      /expected a bag of MCAP files, got one of SQLite/,
    )
  })
})

test('a dataset in the cache of a hub is imported by its main commit', async () => {
  const cache = at('hub/datasets--who--what')
  mkdirSync(join(cache, 'refs'), { recursive: true })
  mkdirSync(join(cache, 'blobs'))
  await foreignFolder(at('hub-source'), { lengths: [4, 2] })
  await foreignFolder(join(cache, 'snapshots/old'), { lengths: [2, 2] })
  cpSync(at('hub-source'), join(cache, 'snapshots/new'), { recursive: true })
  const data = 'data/chunk-000/file-000.parquet'
  cpSync(join(at('hub-source'), data), join(cache, 'blobs/b1'))
  await rm(join(cache, 'snapshots/new', data))
  symlinkSync('../../../../blobs/b1', join(cache, 'snapshots/new', data))
  expect((await run(cache, '--out', at('unclear'))).stderr).toMatch(/expected the folder of one snapshot, got 2/)
  writeFileSync(join(cache, 'refs/main'), 'new')
  expect((await run(cache, '--out', at('from-hub'))).code).toBe(0)
  expect((await openDataset(at('from-hub'))).episodes.map(({ length }) => length)).toEqual([4, 2])
})

test('a file of another kind is refused', async () => {
  writeFileSync(at('picture.png'), encodePng({ data: new Uint8Array(3), width: 1, height: 1 }))
  expect((await run(at('picture.png'), '--out', at('none'))).stderr).toMatch(
    /expected an HDF5 file of robomimic, an MCAP file/,
  )
})
