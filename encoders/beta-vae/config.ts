import { z } from 'zod'
import { architectureSchema, silhouetteSetting } from '../shared/networks.ts'
import { warmUpSettings } from '../shared/posterior.ts'
import { priorSettings } from '../shared/prior.ts'
import type { EncoderPresets } from '../shared/presets.ts'

/** Settings of the beta-VAE; the defaults are RIG's where they carry over (see README.md beside this file). */
export const betaVaeConfigSchema = z.strictObject({
  latentSize: z
    .int()
    .min(1)
    .max(64)
    .default(8)
    .describe(
      'dimensions of the latent; twice what moves in the scene, else one thing can be coded at the cost of another',
    ),
  architecture: architectureSchema,
  beta: z
    .union([z.number().gt(0), z.literal('auto')])
    .default('auto')
    .describe(
      'weight of the KL term against squared error summed over pixels in [0, 1]; auto: the pixel variance of the weakest direction to keep',
    ),
  ...warmUpSettings,
  keepDirections: z
    .int()
    .min(1)
    .max(32)
    .default(12)
    .describe('principal directions of the frames that beta auto keeps'),
  silhouette: silhouetteSetting,
  ...priorSettings,
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
})

export type BetaVaeConfig = z.infer<typeof betaVaeConfigSchema>

/** `paper` is RIG's: its networks and four dimensions, beta as it stands in the paper, goals from N(0, I). */
export const betaVaePresets: EncoderPresets<z.input<typeof betaVaeConfigSchema>> = {
  paper: {
    config: { architecture: 'rig', latentSize: 4, beta: 5, betaStart: 1, betaAnneal: 0, prior: 'standard' },
    updates: 50_000,
    batchSize: 128,
  },
  default: { updates: 6000, batchSize: 64 },
  debug: { config: { latentSize: 4, betaAnneal: 10 }, updates: 20, batchSize: 8 },
}
