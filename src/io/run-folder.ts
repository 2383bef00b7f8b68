import { readFile, readdir, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArmatureError, unwritable } from '../core/errors.ts'
import { isFileError, makeFolder, writeFileAtomic } from './atomic.ts'
import { encodeJson, readJson } from './json.ts'

/** What `config.json` of a run records: enough to run it again. */
export interface RunRecord {
  /** The resolved configuration, defaults included. */
  readonly config: unknown
  readonly seed: number
  /** The command line as it was given, e.g. `['train', 'rig-push', '--seed', '1']`. */
  readonly command: readonly string[]
  /** Versions of Armature, Node and the packages whose results a run depends on, by name. */
  readonly versions: Readonly<Record<string, string>>
}

/** Paths inside a run folder. */
export interface RunFolder {
  readonly path: string
  readonly checkpoints: string
  /** One JSON file per evaluation. */
  readonly evaluations: string
  readonly videos: string
  readonly record: RunRecord
}

const RECORD_FILE = 'config.json'
const PACKAGE_NAME = 'armature'
const NUMERIC_PACKAGES = [
  '@dimforge/rapier3d-compat',
  '@dimforge/rapier3d-simd-compat',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-node-gpu',
  'onnxruntime-node',
  'pure-rand',
] as const

/**
 * Makes the folder of a new run, with `config.json` written and empty folders for checkpoints, evaluations and videos.
 *
 * @throws ArmatureError `run-exists` when `path` holds anything already; `unwritable`; `bad-value` when the configuration is
 * not JSON.
 */
export async function createRunFolder(path: string, run: Omit<RunRecord, 'versions'>): Promise<RunFolder> {
  const record: RunRecord = { ...run, versions: await runVersions() }
  const text = encodeJson(record, RECORD_FILE)
  const folder = pathsOf(path, record)
  try {
    await makeFolder(path)
    if ((await readdir(path)).length > 0) {
      throw new ArmatureError('run-exists', `${path} is not empty`, { fix: 'use --resume or another --out' })
    }
    for (const inner of [folder.checkpoints, folder.evaluations, folder.videos]) await mkdir(inner)
  } catch (error) {
    throw error instanceof ArmatureError ? error : unwritable(path, error)
  }
  await writeFileAtomic(join(path, RECORD_FILE), text)
  return folder
}

/**
 * Opens the folder of an earlier run.
 *
 * @throws ArmatureError `not-found` when `path` is no run folder; `corrupt-file` when its `config.json` is damaged.
 */
export async function openRunFolder(path: string): Promise<RunFolder> {
  const file = join(path, RECORD_FILE)
  let record: unknown
  try {
    record = await readJson(file)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'not-found') throw error
    throw new ArmatureError('not-found', `${path} is not a run folder: it has no ${RECORD_FILE}`, { cause: error })
  }
  if (!isRunRecord(record)) {
    throw new ArmatureError('corrupt-file', file, { expected: 'an object with config, seed, command and versions' })
  }
  return pathsOf(path, record)
}

/** The versions that `config.json` records; packages that are not installed are left out. */
export async function runVersions(): Promise<Record<string, string>> {
  const versions: Record<string, string> = { node: process.versions.node }
  for (const folder of parentsOf(dirname(fileURLToPath(import.meta.url)))) {
    const own = await packageIn(folder)
    if (own?.name === PACKAGE_NAME) versions[PACKAGE_NAME] ??= own.version
    for (const name of NUMERIC_PACKAGES) {
      const version = (await packageIn(join(folder, 'node_modules', name)))?.version
      if (version !== undefined) versions[name] ??= version
    }
  }
  return versions
}

/** `folder` and those above it, innermost first: where Node looks for packages, without the rules of their export maps. */
function parentsOf(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...parentsOf(parent)]
}

async function packageIn(folder: string): Promise<{ name: string; version: string } | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { name: string; version: string }
  } catch (error) {
    if (isFileError(error, 'ENOENT') || isFileError(error, 'ENOTDIR')) return undefined
    throw error
  }
}

function pathsOf(path: string, record: RunRecord): RunFolder {
  return {
    path,
    checkpoints: join(path, 'checkpoints'),
    evaluations: join(path, 'eval'),
    videos: join(path, 'videos'),
    record,
  }
}

function isRunRecord(value: unknown): value is RunRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'config' in value &&
    'seed' in value &&
    typeof value.seed === 'number' &&
    'command' in value &&
    Array.isArray(value.command) &&
    'versions' in value
  )
}
