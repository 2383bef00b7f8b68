import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { BIN } from '../built.ts'
import { SLOW_MS, temporaryFolder, TINY_SAC } from './helpers.ts'

/** Where programs keep what outlives them, beside the folder that they are told. */
const PLACES = `HOME USERPROFILE APPDATA LOCALAPPDATA TMPDIR TEMP TMP
  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_RUNTIME_DIR`.split(/\s+/)

it('a run writes into its run folder alone', { timeout: SLOW_MS }, async () => {
  const folder = temporaryFolder()
  const work = join(folder, 'work')
  const outside = join(folder, 'outside')
  // Nothing else of the environment: ONNX Runtime's telemetry is quiet where a variable tells of continuous integration.
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], SystemRoot: process.env['SystemRoot'] }
  mkdirSync(work)
  for (const name of PLACES) mkdirSync((env[name] = join(outside, name)), { recursive: true })
  const args = [BIN, 'train', 'sac-pendulum', '--steps', '200', '--quiet', '--out', 'run', ...TINY_SAC]
  const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: work, env })
  expect(stderr).toBe('')
  expect(readdirSync(work)).toEqual(['run'])
  const found = readdirSync(outside, { recursive: true, encoding: 'utf8' }).toSorted()
  expect(found).toEqual(PLACES.toSorted())
})
