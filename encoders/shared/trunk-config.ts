import { z } from 'zod'

/** The setting of every encoder that can look at vectors as well. */
export const vectorTrunkSettings = {
  vectorUnits: z
    .array(z.int().min(1).max(4096))
    .max(8)
    .optional()
    .describe('where it looks at vectors: units of each hidden layer; absent: two of latentSize'),
}

/** Settings of every encoder whose features are `pixelTrunk`; sizes that two cores can pay for (the papers have 84 px, 50 dimensions). */
export const trunkSettings = {
  latentSize: z.int().min(1).max(256).default(32).describe('dimensions of the latent'),
  filters: z.int().min(1).max(128).default(16).describe('channels of each convolution (32 in the papers)'),
  layers: z.int().min(1).max(6).default(4).describe('readout flat: convolutions, the first of which halves the sides'),
  readout: z
    .enum(['flat', 'positions'])
    .default('flat')
    .describe(
      'what the latent is read off: all of the maps (the papers), or where each channel is active in each frame, and how far that moved',
    ),
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
}
