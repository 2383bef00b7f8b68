import type { Encoder } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { concatenated } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import { EVALUATION_SEED } from '../evaluate/policy.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import { rgbImage, tile, upscale } from '../io/image.ts'
import { encodePng } from '../io/png.ts'
import { imaginedLatents } from '../compose/goal-sources.ts'
import type { Parts } from '../compose/parts.ts'
import type { Representation } from '../run/representation.ts'

const [GOAL_COLUMNS, GOAL_ROWS, GOAL_SCALE] = [8, 4, 2]

/**
 * A sheet of decoded samples of the encoder's prior: the goals that exploration imagines. Where they depend on the episode, each row is of
 * another one, and begins with what its first observation decodes to.
 */
export async function writeImaginedGoals(
  file: string,
  encoder: Encoder,
  { env, representation, seed }: Pick<Parts, 'env' | 'representation'> & { readonly seed: number },
): Promise<void> {
  const count = GOAL_COLUMNS * GOAL_ROWS
  const rng = new Rng(seed).split('imagined goals')
  const latents = encoder.spec.takesContext
    ? await goalsByEpisode(encoder, env, representation, rng)
    : imaginedLatents(encoder, count, rng)
  const [height, width] = encoder.spec.frameShape
  const pixels = await encoder.decode!(latents, count)
  const size = pixels.length / count
  const images = Array.from({ length: count }, (_, i) =>
    upscale(rgbImage(pixels.subarray(i * size, (i + 1) * size), width, height), GOAL_SCALE),
  )
  await writeFileAtomic(file, encodePng(tile(images, { columns: GOAL_COLUMNS })))
}

/** Rows [start | goals imagined from it] of the first evaluation episodes. */
async function goalsByEpisode(
  encoder: Encoder,
  env: Env,
  representation: Representation,
  rng: Rng,
): Promise<Float32Array> {
  const rows: Float32Array[] = []
  for (let row = 0; row < GOAL_ROWS; row++) {
    const { observation } = await env.reset({ seed: EVALUATION_SEED + row })
    const start = await representation.begin().observe(observation)
    rows.push(start)
    for (let column = 1; column < GOAL_COLUMNS; column++) rows.push(encoder.imagine!(rng, start))
  }
  return concatenated(rows)
}
