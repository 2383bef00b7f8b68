/**
 * The picture of docs/results/grasp2vec.md: bins with novel objects, pictures of three of their objects from other episodes, and where
 * Grasp2Vec finds each.
 *
 *   npx tsx bench/claims/grasp2vec-figure.ts [FILE]
 */
import { writeFile } from 'node:fs/promises'
import { encodeGoal } from '../../src/core/encoder.ts'
import { encodePng } from '../../src/io/png.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { grasp2VecPresets } from '../../encoders/grasp2vec/config.ts'
import { CELL, graspTowers, heatMap } from './grasp2vec.ts'
import { OUTCOME, recordGrasps, SCENE } from './grasps.ts'
import { frameOf } from './laboratory.ts'

const [SEED, TRAINING_EPISODES, TEST_EPISODES] = [0, 800, 60]
const [BINS, OBJECTS] = [4, 3]
const [SIDE, ZOOM, GAP] = [48, 3, 2]
const TILE = SIDE * ZOOM + GAP

const file = process.argv[2] ?? 'docs/results/grasp2vec.png'
await startEngine({ threads: 1 })
const { encoder } = await graspTowers(
  await recordGrasps('train', TRAINING_EPISODES, 0.15, 1000 + SEED),
  SEED,
  grasp2VecPresets.default.updates,
)
const { episodes, lifts } = await recordGrasps('novel', TEST_EPISODES, 0, 3000 + SEED)

const columns = 1 + 2 * OBJECTS
const sheet = {
  width: columns * TILE,
  height: BINS * TILE,
  data: new Uint8Array(columns * TILE * BINS * TILE * 3).fill(255),
}

function draw(tile: number, bin: number, colourAt: (row: number, column: number) => ArrayLike<number>): void {
  for (let y = 0; y < SIDE * ZOOM; y++) {
    for (let x = 0; x < SIDE * ZOOM; x++) {
      const colour = colourAt(Math.floor(y / ZOOM), Math.floor(x / ZOOM))
      sheet.data.set(Array.from(colour), ((bin * TILE + y) * sheet.width + tile * TILE + x) * 3)
    }
  }
}

/** The place whose middle is nearest to a pixel. */
const placeOf = (pixel: number): number =>
  Math.min(SIDE / CELL.pixels - 1, Math.max(0, Math.round((pixel - CELL.middle) / CELL.pixels)))

const pixelOf = (frame: Uint8Array, row: number, column: number): Uint8Array =>
  frame.subarray((row * SIDE + column) * 3, (row * SIDE + column) * 3 + 3)

for (let bin = 0; bin < BINS; bin++) {
  const scene = frameOf(episodes[bin]!, SCENE, 0)
  const places = await encoder.spatialMap!({ frames: scene, count: 1 })
  draw(0, bin, (row, column) => pixelOf(scene, row, column))
  const wanted = lifts.filter(({ episode }) => episode === bin).slice(0, OBJECTS)
  for (const [i, { instance }] of wanted.entries()) {
    const view = lifts.find((lift) => lift.episode >= BINS && lift.instance === instance)!
    const picture = frameOf(episodes[view.episode]!, OUTCOME, view.time + 1)
    draw(1 + 2 * i, bin, (row, column) => pixelOf(picture, row, column))
    const heat = heatMap(places, await encodeGoal(encoder, { frames: picture, count: 1 }))
    const highest = Math.max(...heat)
    draw(2 + 2 * i, bin, (row, column) => {
      const share = Math.max(0, heat[placeOf(row) * places.shape[2]! + placeOf(column)]! / highest)
      const grey = pixelOf(scene, row, column).reduce((sum, value) => sum + value / 6, 0)
      return [grey + (255 - grey) * share, grey * (1 - share) + 60 * share, grey * (1 - share)]
    })
  }
}
encoder.dispose()
await writeFile(file, encodePng(sheet))
