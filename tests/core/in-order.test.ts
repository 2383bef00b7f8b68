import { describe, expect, it } from 'vitest'
import { inOrder } from '../../src/core/in-order.ts'

/** Work that ends when it is told to, by its number. */
function piecework(): {
  readonly begun: [lane: string, index: number][]
  readonly work: (lane: string, index: number) => Promise<number>
  readonly end: (index: number, error?: Error) => Promise<void>
} {
  const begun: [string, number][] = []
  const ends = new Map<number, (error?: Error) => void>()
  const work = (lane: string, index: number): Promise<number> => {
    begun.push([lane, index])
    return new Promise((resolve, reject) =>
      ends.set(index, (error) => (error === undefined ? resolve(10 * index) : reject(error))),
    )
  }
  const end = async (index: number, error?: Error): Promise<void> => {
    ends.get(index)!(error)
    await new Promise(setImmediate)
  }
  return { begun, work, end }
}

async function gathered(results: AsyncIterable<number>, into: number[]): Promise<void> {
  for await (const result of results) into.push(result)
}

describe('work in order', () => {
  it('is one piece after the other on one lane', async () => {
    const { begun, work, end } = piecework()
    const results: number[] = []
    const all = gathered(inOrder(['a'], 2, work), results)
    await end(0)
    expect([begun.length, results]).toEqual([2, [0]])
    await end(1)
    await all
    expect(results).toEqual([0, 10])
  })

  it('comes in order though the later pieces are done first, and few wait', async () => {
    const { begun, work, end } = piecework()
    const results: number[] = []
    const all = gathered(inOrder(['a', 'b'], 5, work), results)
    await end(1)
    await end(2)
    // The first is not done: 3 is too far ahead of it.
    expect([begun.map(([, index]) => index), results]).toEqual([[0, 1, 2], []])
    await end(0)
    expect([begun.map(([, index]) => index), results]).toEqual([
      [0, 1, 2, 3, 4],
      [0, 10, 20],
    ])
    await end(4)
    await end(3)
    await all
    expect(results).toEqual([0, 10, 20, 30, 40])
    expect(new Set(begun.map(([lane]) => lane))).toEqual(new Set(['a', 'b']))
  })

  it('yields what came before a failure, starts nothing more and waits for what runs', async () => {
    const { begun, work, end } = piecework()
    const results: number[] = []
    let isOver = false
    const all = gathered(inOrder(['a', 'b', 'c'], 9, work), results).finally(() => (isOver = true))
    all.catch(() => {})
    await end(1, new Error('no luck'))
    await end(0)
    expect([results, isOver, begun.length]).toEqual([[0], false, 3])
    await end(2)
    await expect(all).rejects.toThrow('no luck')
    expect(begun.length).toBe(3)
  })
})
