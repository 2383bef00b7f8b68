import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { PolicyShare } from '../config/behaviours.ts'
import { MAX_ENVS, MAX_SEED } from '../config/limits.ts'
import type { Size } from './render-scene.ts'

/** What reads the text of one option or argument. */
export type Parser<T> = (text: string) => T

/** More env steps than any run takes. */
const MAX_STEPS = 1e9
/** More episodes than a disk or a patient user has room for. */
const MAX_EPISODES = 1e6
/** Node's timers hold at most 2^31 ms. */
const MAX_SECONDS = 2_000_000
/** More threads than any machine's engine gains from; each has a stack of its own. */
const MAX_THREADS = 256
/** Pixels of an image from side to side. */
const MAX_PIXELS = 4096
/** Pixels of a view in a contact sheet from top to bottom. */
const MAX_VIEW_PIXELS = 1024

/** A whole number in decimal digits, from `min` to `max`. */
export function wholeNumber(min: number, max: number): Parser<number> {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }
}

/** A decimal number strictly between `above` and `below`. */
export function numberBetween(above: number, below: number): Parser<number> {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
    if (value > above && value < below) return value
    throw new InvalidArgumentError(`Expected a number between ${above} and ${below}.`)
  }
}

export const seed = wholeNumber(0, MAX_SEED)
export const steps = wholeNumber(1, MAX_STEPS)
export const stepsOrNone = wholeNumber(0, MAX_STEPS)
/** `check` keeps what it has seen. */
export const checkSteps = wholeNumber(1, 10_000)
export const episodes = wholeNumber(1, MAX_EPISODES)
/** Which one of a dataset. */
export const episodeNumber = wholeNumber(0, MAX_EPISODES)
export const envCount = wholeNumber(1, MAX_ENVS)
export const workerCount = wholeNumber(0, MAX_ENVS)
export const repetitions = wholeNumber(1, 1e6)
export const rows = wholeNumber(1, 1e6)
export const threads = wholeNumber(1, MAX_THREADS)
export const wholeSeconds = wholeNumber(1, MAX_SECONDS)
export const minutes = wholeNumber(1, Math.floor(MAX_SECONDS / 60))
export const megabytes = wholeNumber(1, 1e9)
export const port = wholeNumber(0, 65_535)
export const jpegQuality = wholeNumber(0, 100)
export const viewHeight = wholeNumber(1, MAX_VIEW_PIXELS)
export const seconds = numberBetween(0, MAX_SECONDS)
export const speed = numberBetween(0, 1e6)
export const share = numberBetween(0, 1)
export const rate = numberBetween(0, 1000)

/** `128x96`, or `128` for a square. */
export function imageSize(text: string): Size {
  const [, width, height = width] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? []
  const size = { width: Number(width), height: Number(height) }
  const isValid = [size.width, size.height].every((pixels) => pixels >= 1 && pixels <= MAX_PIXELS)
  if (!isValid) throw new InvalidArgumentError(`Expected WIDTHxHEIGHT, each from 1 to ${MAX_PIXELS} pixels.`)
  return size
}

/** Different names, separated by commas. */
export function commaNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('') || new Set(names).size < names.length) {
    throw new InvalidArgumentError('Expected different names, separated by commas.')
  }
  return names
}

/** Different whole numbers, separated by commas. */
export function commaCounts(text: string): readonly number[] {
  return commaNames(text).map(wholeNumber(0, MAX_EPISODES))
}

/** `scripted:0.7,runs/a:0.3`; a share that is left out is 1. */
export function policyShares(text: string): readonly PolicyShare[] {
  const shares = text.split(',').map((part) => {
    const [, name = '', share = '1'] = /^(.*?)(?::(\d*\.?\d+))?$/.exec(part.trim()) ?? []
    return { name, share: Number(share) }
  })
  const names = new Set(shares.map(({ name }) => name))
  if (names.has('') || names.size < shares.length || !shares.some(({ share }) => share > 0)) {
    throw new InvalidArgumentError('Expected different policies, separated by commas, each with a share if you like.')
  }
  return shares
}

/** `--set`: all its values, in order; absent where there are none. */
export function settings(what: string): Option {
  return new Option('--set <key=value>', `${what}; may be repeated`).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  )
}

/** The options of a command that plays episodes. */
export function withCopiesFlags(command: Command): Command {
  return command
    .option('--envs <n>', 'episodes that are played at the same time, which changes none of them', envCount, 1)
    .option('--workers <n>', 'threads that share the envs; 0: none but the main one', workerCount, 0)
}
