import type { z } from 'zod'
import type { Encoder } from '../src/core/encoder.ts'
import { PLAIN_NAME, register } from '../src/core/registry.ts'
import type { Rng } from '../src/core/rng.ts'
import { Autoencoder } from './autoencoder/autoencoder.ts'
import type { AutoencoderConfig } from './autoencoder/config.ts'
import { autoencoderConfigSchema } from './autoencoder/config.ts'
import { BetaVae } from './beta-vae/beta-vae.ts'
import type { BetaVaeConfig } from './beta-vae/config.ts'
import { betaVaeConfigSchema } from './beta-vae/config.ts'
import { CcVae } from './cc-vae/cc-vae.ts'
import type { CcVaeConfig } from './cc-vae/config.ts'
import { ccVaeConfigSchema } from './cc-vae/config.ts'
import type { PcaConfig } from './pca/config.ts'
import { pcaConfigSchema } from './pca/config.ts'
import { Pca } from './pca/pca.ts'
import type { PixelsConfig } from './pixels/config.ts'
import { pixelsConfigSchema } from './pixels/config.ts'
import { Pixels } from './pixels/pixels.ts'
import type { RandomNetworkConfig } from './random/config.ts'
import { randomNetworkConfigSchema } from './random/config.ts'
import { RandomNetwork } from './random/random.ts'

/** How the catalogue makes an encoder. `config` has gone through `configSchema`. */
export interface EncoderEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  create(frameShape: readonly [height: number, width: number, channels: number], config: unknown, rng: Rng): Encoder
}

const catalogue: Record<string, EncoderEntry> = {
  'beta-vae': {
    summary: 'beta-VAE of RIG: latents that reconstruct the image, with a prior to imagine goals from',
    configSchema: betaVaeConfigSchema,
    create: (frameShape, config, rng) => new BetaVae(frameShape, config as BetaVaeConfig, rng),
  },
  autoencoder: {
    summary: 'the same networks without the KL term: latents that reconstruct the image, optionally denoising',
    configSchema: autoencoderConfigSchema,
    create: (frameShape, config, rng) => new Autoencoder(frameShape, config as AutoencoderConfig, rng),
  },
  'cc-vae': {
    summary: 'context-conditioned VAE of CC-RIG: what moves, apart from what is the same throughout an episode',
    configSchema: ccVaeConfigSchema,
    create: (frameShape, config, rng) => new CcVae(frameShape, config as CcVaeConfig, rng),
  },
  pca: {
    summary: 'control: principal components of the frames',
    configSchema: pcaConfigSchema,
    create: (frameShape, config) => new Pca(frameShape, config as PcaConfig),
  },
  random: {
    summary: 'control: the same network, untrained',
    configSchema: randomNetworkConfigSchema,
    create: (frameShape, config, rng) => new RandomNetwork(frameShape, config as RandomNetworkConfig, rng),
  },
  pixels: {
    summary: 'control: the pixels themselves, downsampled',
    configSchema: pixelsConfigSchema,
    create: (frameShape, config) => new Pixels(frameShape, config as PixelsConfig),
  },
}

/** The catalogue of representations: a new one is a folder here and an entry above. */
export const encoders: Readonly<Record<string, EncoderEntry>> = catalogue

/**
 * Makes an encoder of your own known by its name, to everything that takes one.
 * @throws ArmatureError `bad-argument` for a name that is none or is taken.
 */
export function registerEncoder(name: string, entry: EncoderEntry): void {
  register('encoder', catalogue, PLAIN_NAME, name, entry, { configSchema: 'object', create: 'function' })
}
