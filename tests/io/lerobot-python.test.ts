import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

const PYTHON = process.env['ARMATURE_PYTHON'] ?? 'python3'
const hasReaders = spawnSync(PYTHON, ['-c', 'import pyarrow, pandas']).status === 0
if (!hasReaders) console.log(`skipped: ${PYTHON} has no pyarrow and pandas; set ARMATURE_PYTHON to one that has`)

/** What Python's own readers see of a dataset. */
const PROGRAM = `
import glob, hashlib, json, sys
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq
root = sys.argv[1]
table = pq.read_table(root + '/data/chunk-000/file-000.parquet')
tasks = pd.read_parquet(root + '/meta/tasks.parquet')
episodes = pd.read_parquet(root + '/meta/episodes')
features = json.loads(table.schema.metadata[b'huggingface'])['info']['features']
fixed = table['observation.state'].cast(pa.list_(pa.float32(), 3))
rows = table.to_pylist()
print(json.dumps({
  'types': {field.name: str(field.type) for field in table.schema},
  'groups': pq.ParquetFile(root + '/data/chunk-000/file-000.parquet').num_row_groups,
  'state': [list(row['observation.state']) for row in rows],
  'fixed': str(fixed.type),
  'action': [list(row['action']) for row in rows],
  'reward': [row['next.reward'] for row in rows],
  'done': [row['next.done'] for row in rows],
  'isLast': [row['is_last'] for row in rows],
  'index': [row['index'] for row in rows],
  'png': rows[0]['observation.images.front']['bytes'][:4].hex(),
  'image': features['observation.images.front'],
  'tasks': tasks['task_index'].to_dict(),
  'task of first': tasks.iloc[rows[0]['task_index']].name,
  'lengths': episodes['length'].tolist(),
  'episodeTasks': [list(names) for names in episodes['tasks']],
  'objects': [list(map(int, ids)) for ids in episodes['armature/objects']],
  'goal': [list(map(float, goal)) for goal in episodes['armature/goal']],
  'seeds': episodes['armature/seed'].tolist(),
}))
`

describe.skipIf(!hasReaders)('pyarrow and pandas', () => {
  let folder = ''
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('see the types that LeRobot expects, and every value', async () => {
    folder = await mkdtemp(join(tmpdir(), 'lerobot-python-'))
    const path = join(folder, 'set')
    const episodes = [randomEpisode(2, 3), randomEpisode(3, 2)]
    const writer = await LeRobotWriter.create(path, SPEC, { task: 'push the puck' })
    for (const episode of episodes) await writer.addEpisode(episode)
    await writer.close()
    const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', PROGRAM, path], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    const seen = JSON.parse(stdout) as Record<string, unknown>
    const image = 'struct<bytes: binary, path: string>'
    const vector = 'list<element: float>'
    expect(seen['types']).toEqual({
      'observation.images.front': image,
      'observation.images.side': image,
      'observation.state': vector,
      'observation.environment_state': vector,
      action: vector,
      'next.reward': 'float',
      'next.done': 'bool',
      'next.truncated': 'bool',
      'next.success': 'bool',
      is_last: 'bool',
      timestamp: 'float',
      frame_index: 'int64',
      episode_index: 'int64',
      index: 'int64',
      task_index: 'int64',
    })
    const rowsOf = (data: Float32Array, size: number): number[][] =>
      Array.from({ length: data.length / size }, (_, i) => [...data.subarray(i * size, (i + 1) * size)])
    expect(seen).toMatchObject({
      groups: 2,
      fixed: expect.stringMatching(/^fixed_size_list<\w+: float>\[3\]$/) as unknown,
      state: episodes.flatMap(({ proprio }) => rowsOf(proprio, 3)),
      action: episodes.flatMap(({ actions }) => [...rowsOf(actions, 2), [0, 0]]),
      reward: episodes.flatMap(({ rewards }) => [...rewards, 0]),
      done: [false, true, true, true, true],
      isLast: [false, false, true, false, true],
      index: [0, 1, 2, 3, 4],
      png: '89504e47',
      image: { _type: 'Image' },
      tasks: { 'push the puck': 0 },
      'task of first': 'push the puck',
      lengths: [3, 2],
      episodeTasks: [['push the puck'], ['push the puck']],
      objects: episodes.map(({ info }) => info.objects),
      goal: episodes.map(({ info }) => [...info.goal!]),
      seeds: [-2, -3],
    })
  })
})
