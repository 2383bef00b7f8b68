import { fc } from '../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { EpisodeInfo } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { heldOutObjects, splitByEpisode, splitByObject } from '../../src/io/lerobot/splits.ts'

function episodes(policies: readonly string[], objects: (i: number) => readonly number[] = () => []): EpisodeInfo[] {
  return policies.map((policy, index) => ({ index, length: 2, terminated: false, policy, objects: objects(index) }))
}

describe('splits by episode', () => {
  it('put every episode in exactly one part, of each class its share, the same for the same seed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('scripted', 'random'), { maxLength: 60 }),
        fc.integer(),
        (policies, seed) => {
          const all = episodes(policies)
          const shares = { train: 3, validation: 1, test: 1 }
          const parts = splitByEpisode(all, shares, new Rng(seed))
          expect([...parts.train, ...parts.validation, ...parts.test].toSorted((a, b) => a - b)).toEqual(
            all.map(({ index }) => index),
          )
          for (const policy of ['scripted', 'random']) {
            const count = policies.filter((name) => name === policy).length
            const train = parts.train.filter((index) => policies[index] === policy).length
            expect(Math.abs(train - 0.6 * count)).toBeLessThanOrEqual(0.5)
          }
          expect(splitByEpisode(all, shares, new Rng(seed))).toEqual(parts)
        },
      ),
    )
  })

  it('refuse shares that cannot be taken', () => {
    expect(() => splitByEpisode([], { a: 0 }, new Rng(0))).toThrow(/shares: expected numbers from 0 up, not all 0/)
    expect(() => splitByEpisode([], { a: 1, b: -1 }, new Rng(0))).toThrow(/shares/)
  })
})

describe('splits by object', () => {
  it('keep what was never to be seen out of what is learned from', () => {
    const all = episodes(['a', 'a', 'a', 'a'], (i) => [[1], [2], [1, 2], []][i]!)
    expect(splitByObject(all, new Set([2]))).toEqual({ seen: [0], novel: [1], mixed: [2, 3] })
  })

  it('draw at least one object to hold out, never all', () => {
    const all = episodes(['a', 'a', 'a'], (i) => [i, i + 1])
    for (let seed = 0; seed < 20; seed++) {
      expect(heldOutObjects(all, 0.01, new Rng(seed)).size).toBe(1)
      expect(heldOutObjects(all, 0.99, new Rng(seed)).size).toBe(3)
    }
    expect(() => heldOutObjects(all, 1, new Rng(0))).toThrow(/between 0 and 1/)
  })
})
