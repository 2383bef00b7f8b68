import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the build that the tests start processes from: `bin/armature.js` and `dist/`. */
    build: string
  }
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Apart from the user's own `dist/`, where packages are found as from the project's root. */
const CACHE = join(ROOT, 'node_modules/.cache/armature-tests')
const CONFIG = 'tests/tsconfig.build.json'
const SOURCES = ['src', 'envs', 'agents', 'encoders', 'bridges', 'tests', 'bench']
const COPIED = ['bin', 'package.json']
const DAY_MS = 24 * 3600 * 1000

/** Before all tests: builds the sources once, so that tests which start processes need no loader. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide('build', await build())
  project.onTestsRerun(async () => project.provide('build', await build()))
}

/** A build is named by what it was made from and never changed: runs beside each other share it or have their own. */
async function build(): Promise<string> {
  const folder = join(CACHE, await hashOfSources())
  if (!(await exists(folder))) {
    await removeOldBuilds()
    const unfinished = await mkdtemp(join(CACHE, 'unfinished-'))
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const args = [compiler, '-p', CONFIG, '--outDir', join(unfinished, 'dist')]
    await promisify(execFile)(process.execPath, args, { cwd: ROOT })
    for (const name of COPIED) await cp(join(ROOT, name), join(unfinished, name), { recursive: true })
    try {
      await rename(unfinished, folder)
    } catch (error) {
      // Another run of the tests was faster.
      await rm(unfinished, { recursive: true })
      if (!(await exists(folder))) throw error
    }
  }
  const now = new Date()
  await utimes(folder, now, now)
  return folder
}

async function hashOfSources(): Promise<string> {
  const hash = createHash('sha256')
  const files = ['package-lock.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json', CONFIG, 'bin/armature.js']
  for (const folder of SOURCES) {
    const names = await readdir(join(ROOT, folder), { recursive: true })
    files.push(...names.filter((name) => /(?<!\.test)\.[jt]s$/.test(name)).map((name) => join(folder, name)))
  }
  for (const file of files.toSorted()) hash.update(file).update(await readFile(join(ROOT, file)))
  return hash.digest('hex').slice(0, 16)
}

/** Those that nobody has used for a day. */
async function removeOldBuilds(): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  for (const name of await readdir(CACHE)) {
    const path = join(CACHE, name)
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > DAY_MS) await rm(path, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
