import { describe, expect, test } from 'vitest'
import { checkInput, encoderInput, goalInput } from '../../src/core/encoder-input.ts'
import { marked, PIXEL } from '../contracts/fake-encoders.ts'

const spec = (frames: number, stride: number, takesContext = false) =>
  ({ name: 'mine', frameShape: PIXEL, window: { frames, stride }, takesContext }) as const
const marks = (frames: Uint8Array): number[] => [...frames].filter((_, i) => i % 3 === 0)

describe('the input of an encoder', () => {
  test('is the frame of each moment, from the episode of its row', () => {
    const { count, frames, context } = encoderInput(spec(1, 1), [4, 0], (row, time) => marked(10 * row + time))
    expect([count, marks(frames), context]).toEqual([2, [4, 10], undefined])
  })

  test('is a window that ends there, the oldest frame first, and stops at the start of the episode', () => {
    const { frames } = encoderInput(spec(3, 2), [5, 3, 0], (row, time) => marked(10 * row + time))
    expect(marks(frames)).toEqual([1, 3, 5, 10, 11, 13, 20, 20, 20])
  })

  test('has the first frame of its episode beside it, where the encoder takes it', () => {
    const { frames, context } = encoderInput(spec(1, 1, true), [4, 2], (row, time) => marked(100 * row + time + 1))
    expect([marks(frames), marks(context!)]).toEqual([
      [5, 103],
      [1, 101],
    ])
  })

  test('of a goal is a window in which nothing moves, in the context of the episode', () => {
    expect(marks(goalInput(spec(3, 2), marked(9), undefined).frames)).toEqual([9, 9, 9])
    const { frames, context } = goalInput(spec(2, 1, true), marked(9), marked(4))
    expect([marks(frames), marks(context!)]).toEqual([[9, 9], [4]])
    expect(() => goalInput(spec(1, 1, true), marked(9), undefined)).toThrow('the first frame of the episode')
  })

  test('is refused where it does not fit', () => {
    const frames = new Uint8Array(6)
    expect(() => checkInput(spec(1, 1), { count: 2, frames })).not.toThrow()
    expect(() => checkInput(spec(2, 1), { count: 2, frames })).toThrow('mine frames: expected uint8 [2, 2, 1, 1, 3]')
    expect(() => checkInput(spec(1, 1, true), { count: 2, frames })).toThrow('mine context: expected the first frame')
    expect(() => checkInput(spec(1, 1, true), { count: 2, frames, context: marked(0) })).toThrow('[2, 1, 1, 3]')
  })
})
