import { z } from 'zod'
import { ArmatureError } from '../core/errors.ts'
import type { ShownGoals } from '../core/goals.ts'
import type { Representation } from '../run/representation.ts'
import { tf } from '../tensor/tf.ts'
import type { ExportableGoalForm } from './goal-form.ts'

/** Settings of {@link heatForm}. */
export const heatSchema = z.strictObject({
  sharpness: z
    .number()
    .gt(0)
    .max(1000)
    .default(64)
    .describe('power of the heat by which the hottest place is found: high, the hottest counts alone'),
  windowPlaces: z
    .number()
    .gt(0)
    .max(100)
    .default(1.2)
    .describe('standard deviation of the window about it, in places, in which the middle of the heat is found'),
})

export type HeatConfig = z.infer<typeof heatSchema>

/** Numbers before the heat of the places. */
const HEAD = 3
/** Times that the window is moved to the middle of what it shows. */
const SHIFTS = 3
/** Keeps a map without any heat from dividing by zero. */
const TINY = 1e-6

/**
 * What a picture of an object says of a scene whose features are known by place (Grasp2Vec, Jang et al. 2018, section 3.3): the heat of a place is
 * the inner product of its features with the goal, where that is above 0. The agent sees [x, y, hottest, heat of all places]: where the
 * heat has its middle about the hottest place, in [-1, 1] from left to right and from bottom to top of the picture (mean shift, so that it is
 * known better than by places); the hottest, over the goal's squared length; and all heats over the hottest.
 * @throws ArmatureError `bad-config` for a representation without places
 */
export function heatForm(
  config: HeatConfig,
  representation: Pick<Representation, 'name' | 'mapPlaces'>,
): ExportableGoalForm {
  const { mapPlaces } = representation
  if (mapPlaces === undefined) {
    throw new ArmatureError('bad-config', 'goals.form heat', {
      expected: 'features by place',
      got: `representation ${representation.name}`,
      fix: 'set representation.places=true with an encoder that has them, such as grasp2vec',
    })
  }
  const { rows, columns, first, stride, height, width } = mapPlaces
  const places = {
    xs: Float32Array.from({ length: rows * columns }, (_, at) => (2 * (first + stride * (at % columns))) / width - 1),
    ys: Float32Array.from(
      { length: rows * columns },
      (_, at) => 1 - (2 * (first + stride * Math.floor(at / columns))) / height,
    ),
    perPlace: [(2 * stride) / width, (2 * stride) / height],
  } as const
  return {
    name: 'heat',
    needsOneSpace: false,
    hidesFeatures: true,
    inputSize: () => HEAD + rows * columns,
    write: (inputs, shown) => writeHeat(inputs, shown, places, config),
    graph: (features, goal) => heatGraph(features, goal, places, config),
  }
}

/** Where the middle of each place is, row by row, in [-1, 1], and how far it is to the next in x and y. */
interface Places {
  readonly xs: Float32Array
  readonly ys: Float32Array
  readonly perPlace: readonly [x: number, y: number]
}

function writeHeat(
  inputs: Float32Array,
  { size, features, goals }: ShownGoals,
  places: Places,
  config: HeatConfig,
): void {
  const { xs, ys, perPlace } = places
  const [count, goalSize, width] = [xs.length, goals.length / size, HEAD + xs.length]
  for (let row = 0; row < size; row++) {
    const heat = inputs.subarray(row * width + HEAD, (row + 1) * width)
    let [hottest, length] = [0, 0]
    for (let i = row * goalSize; i < (row + 1) * goalSize; i++) length += goals[i]! ** 2
    for (let at = 0; at < count; at++) {
      let product = 0
      const from = (row * count + at) * goalSize
      for (let i = 0; i < goalSize; i++) product += features[from + i]! * goals[row * goalSize + i]!
      heat[at] = Math.max(0, product)
      hottest = Math.max(hottest, heat[at]!)
    }
    for (let at = 0; at < count; at++) heat[at]! /= hottest + TINY
    let [x, y] = middle(heat, places, (at) => heat[at]! ** config.sharpness)
    for (let shift = 0; shift < SHIFTS; shift++) {
      ;[x, y] = middle(heat, places, (at) => {
        const apart = ((xs[at]! - x) / perPlace[0]) ** 2 + ((ys[at]! - y) / perPlace[1]) ** 2
        return heat[at]! * Math.exp(-apart / (2 * config.windowPlaces ** 2))
      })
    }
    inputs.set([x, y, hottest / (length + TINY)], row * width)
  }
}

function middle(heat: Float32Array, { xs, ys }: Places, weightOf: (at: number) => number): [x: number, y: number] {
  let [sum, x, y] = [TINY, 0, 0]
  for (let at = 0; at < heat.length; at++) {
    const weight = weightOf(at)
    sum += weight
    x += weight * xs[at]!
    y += weight * ys[at]!
  }
  return [x / sum, y / sum]
}

/** The same from features [B, places * G] and goals [B, G]. */
function heatGraph(features: tf.Tensor, goal: tf.Tensor, places: Places, config: HeatConfig): tf.Tensor {
  const { perPlace } = places
  const count = places.xs.length
  const goalSize = goal.shape[1]!
  const [xs, ys] = [tf.tensor2d(places.xs, [1, count]), tf.tensor2d(places.ys, [1, count])]
  const maps = tf.reshape(features, [-1, count, goalSize])
  const heat = tf.relu(tf.sum(tf.mul(maps, tf.reshape(goal, [-1, 1, goalSize])), 2)) // [B, places]
  const hottest = tf.max(heat, 1, true) // [B, 1]
  const relative = tf.div(heat, tf.add(hottest, TINY))
  const mean = (weights: tf.Tensor, of: tf.Tensor): tf.Tensor =>
    tf.div(tf.sum(tf.mul(weights, of), 1, true), tf.add(tf.sum(weights, 1, true), TINY))
  const sharp = tf.pow(relative, config.sharpness)
  let [x, y] = [mean(sharp, xs), mean(sharp, ys)]
  for (let shift = 0; shift < SHIFTS; shift++) {
    const apart = tf.add(tf.square(tf.div(tf.sub(xs, x), perPlace[0])), tf.square(tf.div(tf.sub(ys, y), perPlace[1])))
    const weights = tf.mul(relative, tf.exp(tf.div(apart, -2 * config.windowPlaces ** 2)))
    ;[x, y] = [mean(weights, xs), mean(weights, ys)]
  }
  const length = tf.sum(tf.square(goal), 1, true)
  return tf.concat([x, y, tf.div(hottest, tf.add(length, TINY)), relative], 1) // [B, 3 + places]
}
