import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ArmatureError, unwritable } from '../core/errors.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import type { FileContent } from './atomic.ts'
import { chunksOf, isFileError, makeFolder, removeFolderAtomic, removeLeftovers, writeFolderAtomic } from './atomic.ts'
import { encodeJson, readJson } from './json.ts'
import { readSafetensors, safetensorsChunks } from './safetensors.ts'

/** What a checkpoint consists of. */
export interface CheckpointParts {
  /** Weights of the policy, e.g. `encoder.conv1.kernel`. Evaluation and export read nothing else. */
  readonly model: NamedArrays
  /** Everything else that training needs to go on, one file per key: replay, optimisers, target networks. */
  readonly trainingState: Readonly<Record<string, NamedArrays>>
  /** JSON values, one file per key: random streams, counters, log position. */
  readonly json: Readonly<Record<string, unknown>>
}

/** A checkpoint as it was read back. */
export interface Checkpoint extends CheckpointParts {
  readonly step: number
  /** The resolved configuration of the run that wrote it. */
  readonly config: unknown
}

/** Which files {@link CheckpointStore.load} reads: `model` leaves `trainingState` empty, and does not touch the replay on disk. */
export type CheckpointScope = 'all' | 'model'

export interface CheckpointStoreOptions {
  /** Resolved configuration, stored in every checkpoint so that one can be used without its run folder. */
  readonly config?: unknown
  /** How many of the newest checkpoints stay. Default 3. */
  readonly keep?: number
}

const MODEL_FILE = 'model.safetensors'
const CONFIG_FILE = 'config.json'
const CHECKSUMS_FILE = 'checksums.json'
const STATE_FOLDER = 'training_state'
const FORMAT = 2
/** A hash takes less than 2 GiB at a time; a replay buffer can be larger. */
const HASH_BYTES = 1 << 30
const FOLDER_PATTERN = /^step_(\d{9,})$/
const PART_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/

/**
 * Checkpoints of one run, one folder per step:
 *
 *     checkpoints/step_000100000/model.safetensors  config.json  checksums.json  training_state/{*.safetensors, *.json}
 *
 * A checkpoint becomes visible complete or not at all, whenever the process dies. `checksums.json` holds the SHA-256 of every
 * other file and is checked before anything is used. One process writes at a time.
 *
 * @example
 * const store = new CheckpointStore(join(runFolder, 'checkpoints'), { config })
 * await store.save(100_000, { model: agent.save(), trainingState: { replay: replay.save() }, json: { rng: rng.state } })
 * const checkpoint = await store.latest()
 */
export class CheckpointStore {
  readonly folder: string
  readonly #config: unknown
  readonly #keep: number

  constructor(folder: string, { config = {}, keep = 3 }: CheckpointStoreOptions = {}) {
    if (!Number.isInteger(keep) || keep < 1) {
      throw new ArmatureError('bad-argument', 'checkpoints to keep', { expected: 'a number >= 1', got: String(keep) })
    }
    this.folder = folder
    this.#config = config
    this.#keep = keep
  }

  /**
   * Writes the checkpoint of `step`, replacing one of the same step, then removes the oldest beyond `keep`. The arrays must
   * not change before it resolves.
   *
   * @throws ArmatureError `unwritable`; `bad-value` for a JSON part that would not read back equal; `bad-argument` for a part
   * name that is no file name.
   */
  async save(step: number, parts: CheckpointParts): Promise<void> {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ArmatureError('bad-argument', 'checkpoint step', { expected: 'a whole number', got: String(step) })
    }
    const files = filesOf(step, parts, this.#config)
    try {
      await makeFolder(this.folder)
      await removeLeftovers(this.folder)
    } catch (error) {
      throw unwritable(this.folder, error)
    }
    await writeFolderAtomic(this.pathOf(step), files)
    const steps = await this.steps()
    // The one just written stays even where newer steps exist: it is what this run will go on from.
    for (const old of steps.slice(0, -this.#keep)) if (old !== step) await removeFolderAtomic(this.pathOf(old))
  }

  /** Steps that have a checkpoint, rising. */
  async steps(): Promise<number[]> {
    let names: string[]
    try {
      names = await readdir(this.folder)
    } catch (error) {
      if (isFileError(error, 'ENOENT')) return []
      throw error
    }
    const matches = names.map((name) => FOLDER_PATTERN.exec(name)).filter((match) => match !== null)
    return matches.map((match) => Number(match[1])).toSorted((a, b) => a - b)
  }

  /**
   * The newest checkpoint, or undefined where there is none yet.
   *
   * @throws ArmatureError `corrupt-file` when the newest is damaged. The message names an older intact one, which is never used silently.
   */
  async latest(scope: CheckpointScope = 'all'): Promise<Checkpoint | undefined> {
    const step = (await this.steps()).at(-1)
    return step === undefined ? undefined : this.load(step, scope)
  }

  /**
   * The checkpoint of `step`.
   *
   * @throws ArmatureError `not-found` with the steps that exist; `corrupt-file` with the newest older step that is intact.
   */
  async load(step: number, scope: CheckpointScope = 'all'): Promise<Checkpoint> {
    const steps = await this.steps()
    if (!steps.includes(step)) {
      throw new ArmatureError('not-found', `no checkpoint of step ${step} in ${this.folder}`, {
        fix: steps.length === 0 ? 'it holds none yet' : `it has steps ${steps.join(', ')}`,
      })
    }
    const damage = await this.#damageOf(step, scope)
    if (damage !== undefined) {
      throw new ArmatureError('corrupt-file', `checkpoint ${this.pathOf(step)} is damaged: ${damage}`, {
        fix: await this.#wayOut(step, steps, scope),
      })
    }
    return this.#read(step, scope)
  }

  /** The folder of `step`'s checkpoint. */
  pathOf(step: number): string {
    return join(this.folder, `step_${String(step).padStart(9, '0')}`)
  }

  async #wayOut(step: number, steps: readonly number[], scope: CheckpointScope): Promise<string> {
    for (const older of steps.filter((other) => other < step).toReversed()) {
      if ((await this.#damageOf(older, scope)) === undefined) {
        return `step ${older} is intact: delete the folder ${this.pathOf(step)} to go on from there`
      }
    }
    return 'no older checkpoint is intact: start the run again in another folder'
  }

  /** What is wrong with the files that `scope` reads, or undefined. */
  async #damageOf(step: number, scope: CheckpointScope): Promise<string | undefined> {
    const folder = this.pathOf(step)
    try {
      const checksums = await readChecksums(join(folder, CHECKSUMS_FILE))
      for (const [file, expected] of Object.entries(checksums)) {
        if (!isInScope(file, scope)) continue
        // Reading a pipe might never end.
        if (!(await stat(join(folder, file))).isFile()) return `${file} is no file`
        if ((await hashFile(join(folder, file))) !== expected) return `${file} does not match its checksum`
      }
      return undefined
    } catch (error) {
      if (error instanceof ArmatureError) return error.message
      if (isFileError(error, 'ENOENT')) return `missing file: ${(error as Error).message}`
      throw error
    }
  }

  async #read(step: number, scope: CheckpointScope): Promise<Checkpoint> {
    const folder = this.pathOf(step)
    const trainingState: [string, NamedArrays][] = []
    const json: [string, unknown][] = []
    for (const file of Object.keys(await readChecksums(join(folder, CHECKSUMS_FILE)))) {
      if (!file.startsWith(`${STATE_FOLDER}/`) || !isInScope(file, scope)) continue
      const name = file.slice(STATE_FOLDER.length + 1)
      if (name.endsWith('.json')) json.push([name.slice(0, -'.json'.length), await readJson(join(folder, file))])
      else trainingState.push([name.slice(0, -'.safetensors'.length), await readArrays(join(folder, file))])
    }
    return {
      step,
      config: await readJson(join(folder, CONFIG_FILE)),
      model: await readArrays(join(folder, MODEL_FILE)),
      trainingState: Object.fromEntries(trainingState),
      json: Object.fromEntries(json),
    }
  }
}

function filesOf(step: number, parts: CheckpointParts, config: unknown): Record<string, FileContent> {
  const files: Record<string, FileContent> = {
    [MODEL_FILE]: safetensorsChunks(parts.model, { step: String(step) }),
    [CONFIG_FILE]: encodeJson(config, CONFIG_FILE),
  }
  for (const [name, arrays] of Object.entries(parts.trainingState)) {
    files[`${STATE_FOLDER}/${partName(name)}.safetensors`] = safetensorsChunks(arrays)
  }
  for (const [name, value] of Object.entries(parts.json)) {
    files[`${STATE_FOLDER}/${partName(name)}.json`] = encodeJson(value, `${name}.json`)
  }
  const checksums = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, hash(content)]))
  files[CHECKSUMS_FILE] = encodeJson({ format: FORMAT, sha256: checksums }, CHECKSUMS_FILE)
  return files
}

function partName(name: string): string {
  if (PART_PATTERN.test(name)) return name
  throw new ArmatureError('bad-argument', 'name of a checkpoint part', {
    expected: 'letters, digits, "_", "-" and "."',
    got: JSON.stringify(name),
  })
}

function isInScope(file: string, scope: CheckpointScope): boolean {
  return scope === 'all' || !file.startsWith(`${STATE_FOLDER}/`) || file.endsWith('.json')
}

async function readArrays(path: string): Promise<NamedArrays> {
  return (await readSafetensors(path)).arrays
}

async function readChecksums(path: string): Promise<Readonly<Record<string, string>>> {
  const content = await readJson(path)
  if (typeof content === 'object' && content !== null && 'format' in content && 'sha256' in content) {
    if (content.format === FORMAT) return content.sha256 as Record<string, string>
    throw new ArmatureError('corrupt-file', path, {
      expected: `checkpoint format ${FORMAT}`,
      got: JSON.stringify(content.format),
    })
  }
  throw new ArmatureError('corrupt-file', path, { expected: '{ format, sha256 }' })
}

function hash(content: FileContent): string {
  const digest = createHash('sha256')
  for (const chunk of chunksOf(content)) {
    for (let start = 0; start < chunk.length; start += HASH_BYTES) {
      digest.update(chunk.subarray(start, start + HASH_BYTES))
    }
  }
  return digest.digest('hex')
}

async function hashFile(path: string): Promise<string> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), digest)
  return digest.digest('hex')
}
