import type { z } from 'zod'
import type { Encoder } from '../src/core/encoder.ts'
import type { Rng } from '../src/core/rng.ts'
import { BetaVae } from './beta-vae/beta-vae.ts'
import type { BetaVaeConfig } from './beta-vae/config.ts'
import { betaVaeConfigSchema } from './beta-vae/config.ts'

/** How the catalogue makes an encoder. `config` has gone through `configSchema`. */
export interface EncoderEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  create(frameShape: readonly [height: number, width: number, channels: number], config: unknown, rng: Rng): Encoder
}

/** The catalogue of representations: a new one is a folder here and a line below. */
export const encoders: Readonly<Record<string, EncoderEntry>> = {
  'beta-vae': {
    summary: 'beta-VAE of RIG: latents that reconstruct the image, with a prior to imagine goals from',
    configSchema: betaVaeConfigSchema,
    create: (frameShape, config, rng) => new BetaVae(frameShape, config as BetaVaeConfig, rng),
  },
}
