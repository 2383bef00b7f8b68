import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { trunkSettings } from '../shared/trunk-config.ts'

/** Settings of the autoencoder; where it shares them with the beta-VAE, the defaults are the same. */
export const autoencoderConfigSchema = z.strictObject({
  latentSize: z.int().min(1).max(256).default(8).describe('dimensions of the latent'),
  architecture: z
    .enum(['spatial', 'rig', 'palette', 'trunk'])
    .default('spatial')
    .describe(
      "networks: by positions, RIG's flattened ones, those for colours that differ by image, or the pixel agents' with its mirror image as decoder",
    ),
  filters: z.int().min(1).max(128).default(16).describe('trunk: channels of each convolution (32 in SAC-AE)'),
  layers: z.int().min(1).max(6).default(4).describe('trunk: convolutions, the first of which halves the sides'),
  readout: trunkSettings.readout,
  noiseStd: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('denoising: standard deviation of the Gaussian noise on input pixels in [0, 1]; 0: none'),
  targetBits: z
    .int()
    .min(1)
    .max(8)
    .default(8)
    .describe('bits that are left of the pixels to be reconstructed, the rest is uniform noise; 8: as they are'),
  latentPenalty: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of |z|^2 / 2 against squared error averaged over pixels (SAC-AE: 1e-6); 0: none'),
  decoderDecay: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of half the squared norm of the decoder's weights, against the same (SAC-AE: 1e-7); 0: none"),
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
})

export type AutoencoderConfig = z.infer<typeof autoencoderConfigSchema>

/** `paper` is SAC-AE: networks, batches and penalties of its released code. */
export const autoencoderPresets: EncoderPresets<z.input<typeof autoencoderConfigSchema>> = {
  paper: {
    config: {
      architecture: 'trunk',
      latentSize: 50,
      filters: 32,
      targetBits: 5,
      latentPenalty: 1e-6,
      decoderDecay: 1e-7,
    },
    updates: 500_000,
    batchSize: 128,
  },
  default: { updates: 6000, batchSize: 64 },
  debug: { config: { latentSize: 4 }, updates: 20, batchSize: 8 },
}
