import { expect, test } from 'vitest'
import { curveImage } from '../../src/io/curve.ts'
import type { RgbImage } from '../../src/io/image.ts'

const OPTIONS = { width: 120, height: 60, count: 5, range: [-1, 0] } as const

/** Places of a colour: blue is the line, red the newest point. */
function placesOf({ data, width }: RgbImage, colour: 'line' | 'point'): { x: number; y: number }[] {
  const isIt = (at: number): boolean => {
    const [red, blue] = [data[at]!, data[at + 2]!]
    return colour === 'line' ? blue > red + 50 : red > blue + 50
  }
  return Array.from({ length: data.length / 3 }, (_, i) => i)
    .filter((i) => isIt(3 * i))
    .map((i) => ({ x: i % width, y: Math.floor(i / width) }))
}

const centre = (places: readonly { x: number; y: number }[], axis: 'x' | 'y'): number =>
  places.reduce((sum, place) => sum + place[axis], 0) / places.length

test('a curve grows to the right, up where values rise', () => {
  const values = [-1, -0.75, -0.5, -0.25, 0]
  const points = [1, 3, 5].map((count) => placesOf(curveImage(values.slice(0, count), OPTIONS), 'point'))
  expect(points.map((places) => Math.round(centre(places, 'x')))).toEqual([3, 60, 116])
  const heights = points.map((places) => centre(places, 'y'))
  expect(heights[0]! > heights[1]! && heights[1]! > heights[2]!).toBe(true)
  // What was drawn stays where it was, but for the point that covered it.
  const [half, whole] = [
    placesOf(curveImage(values.slice(0, 3), OPTIONS), 'line'),
    placesOf(curveImage(values, OPTIONS), 'line'),
  ]
  const drawn = new Set(whole.map(({ x, y }) => `${x}/${y}`))
  expect(half.length).toBeGreaterThan(50)
  expect(half.every(({ x, y }) => drawn.has(`${x}/${y}`))).toBe(true)
})

test.each<[string, readonly number[], readonly [number, number]]>([
  ['no value', [], [-1, 0]],
  ['one value, one level', [2], [2, 2]],
  ['values beyond the range', [-50, 50], [-1, 1]],
])('%s stays inside the frame', (_what, values, range) => {
  const image = curveImage(values, { ...OPTIONS, range })
  expect(image).toMatchObject({ width: 120, height: 60 })
  const places = placesOf(image, 'point')
  expect(places.length > 0).toBe(values.length > 0)
  expect(places.every(({ x, y }) => x > 0 && y > 0 && x < 119 && y < 59)).toBe(true)
})

test('a frame too small for numbers has none', () => {
  expect(curveImage([1, 2], { width: 12, height: 10, count: 2, range: [1, 2] }).data).toHaveLength(360)
})
