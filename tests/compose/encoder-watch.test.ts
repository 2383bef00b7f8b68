import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { registerEncoder } from '../../encoders/index.ts'
import { singleFrameSpec } from '../../encoders/shared/frames.ts'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { loadEncoderRun } from '../../src/compose/encoder-run.ts'
import { SLOW_MS, temporaryFolder } from '../cli/helpers.ts'
import { runHere } from '../cli/in-process.ts'

const cwd = temporaryFolder()
const data = join(cwd, 'data')

/** Latents are the mean colours of a frame beside a constant; from update `from` on, they differ ten times less with each. */
class Shrinking implements LearningEncoder<'frames'> {
  readonly spec
  #scale = 1
  #updates = 0
  readonly #from: number

  constructor(frameShape: readonly [number, number, number], from: number) {
    this.spec = singleFrameSpec('shrinking', frameShape, 4)
    this.#from = from
  }

  async update(): Promise<{ loss: number }> {
    if (++this.#updates >= this.#from) this.#scale /= 10
    return { loss: 1 }
  }

  async evaluate(): Promise<{ loss: number }> {
    return { loss: 1 }
  }

  async encode({ frames, count }: EncoderInput): Promise<Float32Array> {
    const size = frames.length / count
    return Float32Array.from({ length: 4 * count }, (_, at) => {
      if (at % 4 === 3) return 100
      let sum = 0
      for (let i = at % 4; i < size; i += 3) sum += frames[Math.floor(at / 4) * size + i]!
      return (3 * this.#scale * sum) / size
    })
  }

  save(): { state: { data: Float32Array; shape: number[] } } {
    return { state: { data: Float32Array.of(this.#scale, this.#updates), shape: [2] } }
  }

  restore({ state }: Parameters<LearningEncoder['restore']>[0]): void {
    ;[this.#scale, this.#updates] = state!.data as unknown as [number, number]
  }

  dispose(): void {}
}

beforeAll(async () => {
  registerEncoder('shrinking', {
    summary: 'collapses',
    configSchema: z.strictObject({ from: z.int().default(1e9) }),
    create: (frameShape, config) => new Shrinking(frameShape, (config as { from: number }).from),
  })
  const { code } = await runHere(['collect', 'disc-arena', '--episodes', '12', '--set', 'size=16', '--out', data])
  expect(code).toBe(0)
}, SLOW_MS)

const FLAGS = ['--data', data, '--batch', '4', '--updates', '20', '--validation', '0.3', '--set', 'logEvery=1']
const pretrain = (out: string, ...flags: string[]) =>
  runHere(['pretrain', 'shrinking', '--out', join(cwd, out), ...FLAGS, ...flags])

const rowsOf = (run: string): Record<string, number>[] =>
  readFileSync(join(cwd, run, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>)

describe('an encoder that collapses while it learns', { timeout: SLOW_MS }, () => {
  test('is said to have, once, and its metrics say when; the run goes on to its end', async () => {
    const { code, stdout, stderr } = await pretrain('told', '--set', 'config.from=8')
    expect(code).toBe(0)
    expect(stderr.match(/shrinking: collapsed since update/g)).toHaveLength(1)
    expect(stdout).toMatch(/^collapsed since update \d+: .*; try /m)
    const collapsed = rowsOf('told').map((row) => row['embed/collapsed'])
    expect(collapsed).toEqual([...Array.from({ length: 10 }, () => 0), ...Array.from({ length: 10 }, () => 1)])
    expect(rowsOf('told')[0]!['embed/neighbour_error']).toEqual(expect.any(Number))
  })

  test('stops on request, saved, with exit code 1 and one line', async () => {
    const { code, stderr } = await pretrain('stopped', '--set', 'config.from=8', '--stop-on-collapse')
    expect(code).toBe(1)
    expect(stderr).toMatch(/\narmature: collapsed since update 9: .*; try .*; saved at update 11 in .*stopped\n$/)
    const { update, encoder } = await loadEncoderRun(join(cwd, 'stopped'))
    expect(update).toBe(11)
    encoder.dispose()
    expect(existsSync(join(cwd, 'stopped', 'eval', 'embedding.json'))).toBe(false)
  })

  test('one that does not, is not', async () => {
    const { code, stdout, stderr } = await pretrain('well', '--stop-on-collapse')
    expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining('collapsed since')])
    expect(rowsOf('well').every((row) => row['embed/collapsed'] === 0)).toBe(true)
  })
})
