import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const folder = temporaryFolder()
const out = join(folder, 'made')
const set = (assignment: string): string[] => ['train', 'rig-push', '--out', out, '--set', assignment]

test.each([
  ['frames as large as a house', set('env.options.size=100000'), 'size: expected an integer from 1 to 4096'],
  ['frames that no encoder takes', set('env.options.size=4096'), 'expected 8 to 512 pixels'],
  [
    'more observations than numbers',
    set('replay.capacity=1e12'),
    'replay.capacity: expected number to be <=1000000000',
  ],
  ['more observations than memory', set('replay.capacity=1e9'), 'replay.capacity=1000000000: expected what fits into'],
  ['more frames than memory', set('representation.pretrain.frames=1e9'), 'frames=1000000000: expected what fits into'],
  ['batches of a billion', set('training.batchSize=1e9'), 'training.batchSize: expected number to be <=65536'],
  ['a network without end', set('agent.config.hidden=[1000000]'), 'expected number to be <=4096'],
  ['a seed below 0', set('seed=-1'), 'seed: expected number to be >=0, got -1'],
  [
    'an endless number of episodes',
    ['collect', 'armature/Pendulum-v1', '--out', out, '--episodes', '1000000000000'],
    'from 1 to 1000000',
  ],
  [
    'an endless number of steps',
    ['train', 'sac-pendulum', '--out', out, '--steps', '1000000000000'],
    'from 1 to 1000000000',
  ],
])('%s: refused at once, with nothing made', async (_what, args, text) => {
  const { code, stdout, stderr } = await runHere(args)
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^armature: .*\n$/)
  expect(stderr).toContain(text)
  expect(existsSync(out)).toBe(false)
})
