import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { isLearning } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'

const page = readFileSync(new URL('../../docs/encoders.md', import.meta.url), 'utf8')
const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))

test.each(Object.entries(encoders))('docs say of %s what the catalogue says', (name, { needs, goodAt, badAt }) => {
  const row = rows.find(([, first]) => first === `[\`${name}\`](../encoders/${name}/README.md)`)
  expect(row?.slice(2, 5)).toEqual([needs, goodAt, badAt])
})

test('docs have the cost of every encoder that learns', () => {
  for (const [name, entry] of Object.entries(encoders)) {
    const encoder = entry.create([48, 48, 3], entry.configSchema.parse({}), new Rng(1), 2)
    const row = rows.find(([, first, cost]) => first === `\`${name}\`` && /^[\d.]+$/.test(cost ?? ''))
    expect(row !== undefined, name).toBe(isLearning(encoder))
    encoder.dispose()
  }
})
