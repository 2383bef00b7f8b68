import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import type { ErrorCode } from '../../src/core/errors.ts'

/** A folder for one test file; `path(name)` is a fresh name in it. */
export function temporaryFolder(): { path(name: string): string } {
  let root = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'armature-test-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))
  return { path: (name) => join(root, name) }
}

/** Runs `action`, which must fail with `code`, and returns the error. */
export async function failure(code: ErrorCode, action: () => unknown): Promise<ArmatureError> {
  try {
    await action()
  } catch (error) {
    if (!(error instanceof ArmatureError)) throw error
    expect(error.code, error.message).toBe(code)
    return error
  }
  throw new Error(`expected an ArmatureError "${code}", nothing was thrown`)
}
