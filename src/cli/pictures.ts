import type { Encoder } from '../core/encoder.ts'
import { Rng } from '../core/rng.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import { rgbImage, tile, upscale } from '../io/image.ts'
import { encodePng } from '../io/png.ts'
import { imaginedLatents } from '../compose/goal-sources.ts'

const [GOAL_COLUMNS, GOAL_ROWS, GOAL_SCALE] = [8, 4, 2]

/** A sheet of decoded samples of the encoder's prior: the goals that exploration imagines. */
export async function writeImaginedGoals(file: string, encoder: Encoder, seed: number): Promise<void> {
  const count = GOAL_COLUMNS * GOAL_ROWS
  const latents = imaginedLatents(encoder, count, new Rng(seed).split('imagined goals'))
  const [height, width] = encoder.spec.frameShape
  const pixels = await encoder.decode!(latents, count)
  const size = pixels.length / count
  const images = Array.from({ length: count }, (_, i) =>
    upscale(rgbImage(pixels.subarray(i * size, (i + 1) * size), width, height), GOAL_SCALE),
  )
  await writeFileAtomic(file, encodePng(tile(images, { columns: GOAL_COLUMNS })))
}
