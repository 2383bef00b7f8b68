import { chmodSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Running } from '../cli/helpers.ts'
import { SLOW_MS, startNode, temporaryFolder } from '../cli/helpers.ts'

const cwd = temporaryFolder()
const LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const SCRIPT = fileURLToPath(new URL('../../bench/compare.ts', import.meta.url))

function compare(...args: string[]): Running {
  return startNode(['--import', LOADER, SCRIPT, ...args], cwd)
}

describe('the comparison with PyTorch, JAX and MuJoCo', { timeout: SLOW_MS }, () => {
  test.each([
    [['--python', '/no/such/python'], '--python: expected a Python interpreter, got /no/such/python'],
    [['--rounds', 'none'], '--rounds: expected a whole number above 0, got none'],
    [['--speed'], "Unknown option '--speed'"],
  ])('%j is refused in one line', async (args, text) => {
    const { code, stdout, stderr } = await compare(...args).finished
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(text)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('a reader that leaves early is no error', async () => {
    const python = join(cwd, 'python with nothing')
    writeFileSync(python, '#!/bin/sh\n')
    chmodSync(python, 0o755)
    const running = compare('--python', python, '--rounds', '1', '--repetitions', '1', '--only', 'replay_sample_ms')
    running.child.stdout!.destroy()
    const { code, stderr } = await running.finished
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('so not compared: mujoco\n')
    expect(stderr).toContain('round 1 of 1: armature')
    expect(stderr).not.toContain('    at ')
  })
})
