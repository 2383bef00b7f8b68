import { beforeAll, describe, expect, test } from 'vitest'
import { goalForms } from '../../src/compose/goal-forms.ts'
import { heatForm, heatSchema } from '../../src/compose/heat-form.ts'
import { placesEncoder } from '../../src/compose/places-encoder.ts'
import { makeEncoder } from '../../src/compose/make.ts'
import { encodeGoal } from '../../src/core/encoder.ts'
import { agentInput } from '../../src/core/goals.ts'
import { Rng } from '../../src/core/rng.ts'
import { encoderRepresentation } from '../../src/run/representation.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'
import { markEncoder } from '../contracts/fake-encoders.ts'

beforeAll(() => startEngine({ threads: 1 }))

const [ROWS, COLUMNS, SIZE] = [6, 8, 2]
/** As if each place looked at the pixels of its own. */
const PLACES = { rows: ROWS, columns: COLUMNS, first: 2, stride: 4, height: 4 * ROWS, width: 4 * COLUMNS }
const form = heatForm(heatSchema.parse({}), { name: 'places', mapPlaces: PLACES })

/** A map in which two things lie: [row, column, strength] of each, with a blob about it. */
function mapOf(things: readonly (readonly [number, number, number])[]): Float32Array {
  const map = new Float32Array(ROWS * COLUMNS * SIZE)
  for (const [kind, [row, column, strength]] of things.entries()) {
    for (let at = 0; at < ROWS * COLUMNS; at++) {
      const apart = (Math.floor(at / COLUMNS) - row) ** 2 + ((at % COLUMNS) - column) ** 2
      map[at * SIZE + kind] = strength * Math.exp(-apart)
    }
  }
  return map
}

describe('the heat of a goal over a scene', () => {
  const map = mapOf([
    [1.3, 2.4, 2],
    [4, 6, 3],
  ])

  test.each([
    [Float32Array.of(1, 0), 1.3, 2.4],
    [Float32Array.of(0, 1), 4, 6],
  ])('%s: its middle about the hottest place, finer than places', (goal, row, column) => {
    const [x, y] = agentInput(map, goal, form)
    expect(x).toBeCloseTo((2 * column + 1) / COLUMNS - 1, 1)
    expect(y).toBeCloseTo(1 - (2 * row + 1) / ROWS, 1)
    expect(Math.abs(x! - ((2 * column + 1) / COLUMNS - 1)) * (COLUMNS / 2)).toBeLessThan(0.15)
    expect(Math.abs(y! - (1 - (2 * row + 1) / ROWS)) * (ROWS / 2)).toBeLessThan(0.15)
  })

  test('shows how hot it is for the length of the goal, and all places', () => {
    const input = agentInput(map, Float32Array.of(0, 2), form)
    expect(input).toHaveLength(3 + ROWS * COLUMNS)
    expect(input[2]).toBeCloseTo(3 / 2, 4)
    expect(Math.max(...input.subarray(3))).toBeCloseTo(1, 4)
    expect(input.indexOf(Math.max(...input.subarray(3)), 3) - 3).toBe(4 * COLUMNS + 6)
  })

  test('is the same row by row, and as a graph', () => {
    const goals = Float32Array.of(1, 0, 0, 1)
    const both = new Float32Array(2 * form.inputSize(map.length, SIZE))
    const features = Float32Array.from([...map, ...map])
    form.write(both, { size: 2, features, goals })
    expect([...both.subarray(0, both.length / 2)]).toEqual([...agentInput(map, goals.subarray(0, 2), form)])
    expect([...both.subarray(both.length / 2)]).toEqual([...agentInput(map, goals.subarray(2), form)])
    const graph = form.graph(tf.tensor2d(features, [2, map.length]), tf.tensor2d(goals, [2, SIZE])).dataSync()
    for (const [i, value] of both.entries()) expect(graph[i]).toBeCloseTo(value, 4)
  })

  test('without any heat it is the middle of nothing, and finite', () => {
    expect([...agentInput(new Float32Array(map.length), Float32Array.of(1, 1), form)].every((x) => x === 0)).toBe(true)
  })

  test('needs features by place', () => {
    const plain = encoderRepresentation(markEncoder({}), 'top')
    expect(() => goalForms['heat']!.create(heatSchema.parse({}), plain)).toThrow(
      'goals.form heat: expected features by place, got representation marks',
    )
  })
})

test('an encoder shows places in the room of its latent, and goals as vectors', async () => {
  const encoder = makeEncoder('grasp2vec', [16, 24, 3], new Rng(1), { width: 4 })
  const places = placesEncoder(encoder)
  const frames = Uint8Array.from({ length: 16 * 24 * 3 }, (_, i) => (i * 37) % 256)
  const { data, shape } = await encoder.spatialMap!({ frames, count: 1 })
  expect(shape.slice(1, 3)).toEqual([encoder.mapPlaces!.rows, encoder.mapPlaces!.columns])
  expect(await places.encode({ frames, count: 1 })).toEqual(data)
  expect(places.spec.latentSize).toBe(data.length)
  const goal = await encodeGoal(places, { frames, count: 1 })
  expect(goal).toEqual(await encodeGoal(encoder, { frames, count: 1 }))
  expect(places.goalSize).toBe(goal.length)
  encoder.dispose()
  expect(() => placesEncoder(markEncoder({}))).toThrow(
    'representation.places: expected an encoder that knows features by place',
  )
})
