import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { built } from '../built.ts'
import {
  contentOf,
  runCli,
  sets,
  SLOW_MS,
  spawnCli,
  startCli,
  temporaryFolder,
  TINY_PUSH,
  TINY_SAC,
} from './helpers.ts'

const cwd = temporaryFolder()
const KILLER = built('die-at-row.ts', import.meta.url)

const STEPS = 450
/** A row after the checkpoint of step 200 and before that of step 300: it has to be cut off and logged again. */
const KILL_AFTER_ROW = '{"step":250'

const SMALL_PIXELS = {
  'env.options': { size: 24, maxEpisodeSteps: 60 },
  'representation.config': { latentSize: 4, filters: 2, layers: 2 },
  'training.updateEvery': 4,
}

const RUNS = {
  'imagined goals, latent distance': ['rig-push', ...TINY_PUSH],
  'pixel distance, frames in replay': ['pixel-mse-push', ...TINY_PUSH],
  'an encoder that goes on learning': [
    'rig-push',
    ...TINY_PUSH,
    ...sets({ 'representation.refresh': { everySteps: 175, updates: 2 } }),
  ],
  'SAC from state': ['sac-pendulum', ...TINY_SAC],
  // The resumed part has no threads: where envs run changes nothing.
  'several envs in threads': ['sac-pendulum', ...TINY_SAC, '--envs', '5', '--workers', '2'],
  'pixels, with an encoder that learns along': ['dbc', ...TINY_SAC, ...sets(SMALL_PIXELS)],
}

/** All that a run leaves and that a seed decides: everything but wall-clock times. */
function reproducible(run: string): Record<string, string> {
  const files = contentOf(run)
  for (const file of Object.keys(files)) {
    // Times of day, rates, and byte positions in files that hold times.
    const holdsTimes = file.startsWith('events.out') || file === 'timings.jsonl' || file.endsWith('log.json')
    // The command line, and checksums of log.json.
    if (holdsTimes || file === 'config.json' || file.endsWith('checksums.json')) delete files[file]
  }
  const episodes = files['monitor.csv']!.split('\n').slice(1)
  return { ...files, 'monitor.csv': episodes.map((row) => row.split(',').slice(0, 2).join()).join('\n') }
}

describe.each(Object.entries(RUNS))('%s', (name, words) => {
  test(
    'killed in mid-training and resumed, it ends with the bytes of a run that was left alone',
    async () => {
      const straight = join(cwd, `${name} straight`)
      const killed = join(cwd, `${name} killed`)
      const args = (out: string): string[] => ['train', ...words, '--steps', String(STEPS), '--out', out]
      const alone = await runCli(cwd, args(straight))
      expect(alone.code, alone.stderr).toBe(0)

      // Which kills itself: from outside, the right moment is hard to meet.
      const env = { NODE_OPTIONS: `--import ${pathToFileURL(KILLER).href}`, DIE_AT_ROW: KILL_AFTER_ROW }
      expect((await startCli(cwd, args(killed), env).finished).signal).toBe('SIGKILL')
      expect(existsSync(join(killed, 'checkpoints', 'step_000000200'))).toBe(true)
      expect(existsSync(join(killed, 'checkpoints', 'step_000000450'))).toBe(false)
      const logged = readFileSync(join(killed, 'metrics.jsonl'), 'utf8')

      const resumed = await spawnCli(cwd, ['train', '--resume', '--out', killed])
      expect(resumed.code, resumed.stderr).toBe(0)
      const [expected, got] = [reproducible(straight), reproducible(killed)]
      expect(Object.keys(got)).toEqual(Object.keys(expected))
      const different = Object.keys(expected).filter((file) => got[file] !== expected[file])
      expect(different).toEqual([])
      expect(got['metrics.jsonl']!.startsWith(logged)).toBe(true)
      expect(Object.keys(got)).toContain('checkpoints/step_000000450/model.safetensors')
    },
    SLOW_MS,
  )
})
