import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Parts } from './parts.ts'
import { storeOptions } from './trainer.ts'

/** A frame of a batch becomes float32, and its convolutions keep about as much again several times: a rough figure. */
const BYTES_PER_PIXEL_LEARNED = 32

/** What one setting makes a run keep in memory. */
export interface MemoryNeed {
  readonly setting: string
  readonly value: number
  readonly bytes: number
  /** Elements of its largest array. */
  readonly elements: number
}

/**
 * Called before a run is made: one that cannot fit would fail, or be killed, only after a long time.
 * @throws ArmatureError `bad-config` for settings that ask for more memory than this machine has, or for arrays that Node cannot make.
 */
export function requireMemory(parts: Parts): void {
  const available = Math.min(totalmem(), process.constrainedMemory() || Infinity)
  const needs = memoryOf(parts)
  const worst = needs.toSorted((a, b) => b.bytes - a.bytes)[0]!
  const total = needs.reduce((sum, { bytes }) => sum + bytes, 0)
  const tooLong = needs.find(({ elements }) => elements > constants.MAX_LENGTH)
  if (total <= available && tooLong === undefined) return
  const { setting, value, bytes } = tooLong ?? worst
  const limit = tooLong === undefined ? available : Math.min(available, constants.MAX_LENGTH)
  throw new ArmatureError('bad-config', `${setting}=${value}`, {
    expected: `what fits into ${gib(limit)} of memory`,
    got: gib(bytes),
    fix: 'choose a smaller one',
  })
}

/** What a run keeps in memory besides programs and weights: the replay first. */
export function memoryOf(parts: Parts): MemoryNeed[] {
  const { config, encoder } = parts
  const { capacity, featureSize, goalSize = featureSize, actionSize, frameSize, keepsReached } = storeOptions(parts)
  const goals = (keepsReached === true ? 2 : 1) * goalSize
  const row = 4 * (featureSize + goals + actionSize + 1) + 9 + frameSize
  const elements = capacity * Math.max(featureSize, actionSize, frameSize, 1)
  const needs: MemoryNeed[] = [{ setting: 'replay.capacity', value: capacity, bytes: capacity * row, elements }]
  if (encoder === undefined) return needs
  const pixels = sizeOf(encoder.spec.frameShape)
  if (config.representation.kind === 'pixels') {
    const { batchSize: value } = config.training
    const learned = { bytes: value * pixels * BYTES_PER_PIXEL_LEARNED, elements: value * pixels }
    return [...needs, { setting: 'training.batchSize', value, ...learned }]
  }
  if (config.representation.kind !== 'encoder') return needs
  const { from, pretrain, refresh } = config.representation
  const add = (setting: 'frames' | 'goalFrames' | 'extraStarts' | 'batchSize', bytesPerPixel: number): void => {
    const value = pretrain[setting]
    const count = value * pixels
    needs.push({
      setting: `representation.pretrain.${setting}`,
      value,
      bytes: count * bytesPerPixel,
      elements: count,
    })
  }
  if (from === undefined) {
    add('frames', 1)
    add('goalFrames', 1)
    add('extraStarts', 1)
  }
  if (from === undefined || refresh.everySteps > 0) add('batchSize', BYTES_PER_PIXEL_LEARNED)
  return needs
}

function gib(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`
}

/** The memory of a run in one line, e.g. `replay of 60,000 observations 411 MiB, all together 430 MiB`. */
export function memoryText(needs: readonly MemoryNeed[]): string {
  const mib = (bytes: number): string => `${Number((bytes / 2 ** 20).toPrecision(3)).toLocaleString('en')} MiB`
  const [replay] = needs
  const total = needs.reduce((sum, { bytes }) => sum + bytes, 0)
  return `replay of ${replay!.value.toLocaleString('en')} observations ${mib(replay!.bytes)}, all together ${mib(total)}`
}
