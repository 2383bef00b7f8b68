import { z } from 'zod'
import { architectureSchema } from '../shared/networks.ts'
import type { EncoderPresets } from '../shared/presets.ts'

/** Settings of the autoencoder; where it shares them with the beta-VAE, the defaults are the same. */
export const autoencoderConfigSchema = z.strictObject({
  latentSize: z.int().min(1).max(64).default(8).describe('dimensions of the latent'),
  architecture: architectureSchema,
  noiseStd: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('denoising: standard deviation of the Gaussian noise on input pixels in [0, 1]; 0: none'),
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
})

export type AutoencoderConfig = z.infer<typeof autoencoderConfigSchema>

/** `paper` has the networks and the schedule of RIG's VAE. */
export const autoencoderPresets: EncoderPresets<z.input<typeof autoencoderConfigSchema>> = {
  paper: { config: { architecture: 'rig' }, updates: 50_000, batchSize: 128 },
  default: { updates: 6000, batchSize: 64 },
  debug: { config: { latentSize: 4 }, updates: 20, batchSize: 8 },
}
