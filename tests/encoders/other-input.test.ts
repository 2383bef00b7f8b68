import { beforeAll, expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { makeEncoder } from '../../src/compose/make.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'

beforeAll(() => startEngine({ threads: 1 }))

const make = (name: string, frameShape: readonly [number, number, number], config = {}): Encoder =>
  makeEncoder(name, frameShape, new Rng(1), config, 2)

/** Puts the weights of one into the other, which must refuse them and stay as it is. */
function refusal(from: Encoder, to: Encoder): string {
  const before = structuredClone(to.save())
  let message = ''
  try {
    to.restore(from.save())
  } catch (error) {
    message = (error as Error).message
  }
  expect(to.save()).toEqual(before)
  for (const encoder of [from, to]) encoder.dispose()
  return message
}

// `pixels` has no weights.
const names = Object.keys(encoders).filter((name) => name !== 'pixels')

test.each(names)('weights of %s say which frames they look at, and go to no encoder of others', (name) => {
  for (const other of [
    [28, 24, 3],
    [24, 24, 9],
  ] as const) {
    expect(refusal(make(name, [24, 24, 3]), make(name, other))).toMatch(
      new RegExp(`^weights for ${name}: expected those that look at .*${other.join('x')}.*, got .*24x24x3`),
    )
  }
})

test('nor to one of another window', () => {
  const [apart, near] = [1, 3].map((stride) => make('mftcn', [24, 24, 3], { stride })) as [Encoder, Encoder]
  expect(refusal(apart, near)).toMatch(/expected .* 3 steps apart, got .* 1 steps apart/)
})

test('a file from before weights said so is still taken', () => {
  const [from, to] = [make('tcn', [24, 24, 3]), make('tcn', [24, 24, 3])]
  const { 'input/shape': input, ...rest } = from.save()
  expect([...input!.data]).toEqual([24, 24, 3, 1, 1, 0])
  to.restore(rest)
  expect(to.save()).toEqual(from.save())
  for (const encoder of [from, to]) encoder.dispose()
})
