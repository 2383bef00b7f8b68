import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { python, whyNoPython } from './python.ts'

const reason = whyNoPython('mypy', 'zmq', 'msgpack', 'numpy', 'gymnasium')
const folder = fileURLToPath(new URL('../../../bridges/python', import.meta.url))

describe.skipIf(reason !== '')(`the Python files ${reason}`, { timeout: 120_000 }, () => {
  it('have types that mypy --strict accepts', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.py'))
    const parts = ['-m', 'mypy', '--strict', '--cache-dir', '/dev/null', ...files]
    const { status, stdout } = spawnSync(python, parts, { cwd: folder, encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('no issues found') })
  })
})
