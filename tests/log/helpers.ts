import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'

/** A clock that stands still until it is moved. */
export interface FakeClock {
  (): number
  advance(seconds: number): void
}

export function fakeClock(startS = 1_700_000_000): FakeClock {
  let ms = startS * 1000
  return Object.assign(() => ms, { advance: (seconds: number) => (ms += seconds * 1000) })
}

/** A fresh folder for every test of a file. */
export function freshFolder(): { readonly path: string; file(name: string): string } {
  let path = ''
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'armature-test-'))
  })
  afterEach(() => rm(path, { recursive: true, force: true }))
  return {
    get path() {
      return path
    },
    file: (name) => join(path, name),
  }
}
