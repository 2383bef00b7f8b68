import type { z } from 'zod'
import type { StackShape } from '../src/core/encoder-input.ts'
import type { Encoder } from '../src/core/encoder.ts'
import { PLAIN_NAME, register } from '../src/core/registry.ts'
import type { Rng } from '../src/core/rng.ts'
import { Autoencoder } from './autoencoder/autoencoder.ts'
import type { AutoencoderConfig } from './autoencoder/config.ts'
import { autoencoderConfigSchema, autoencoderPresets } from './autoencoder/config.ts'
import { BetaVae } from './beta-vae/beta-vae.ts'
import type { BetaVaeConfig } from './beta-vae/config.ts'
import { betaVaeConfigSchema, betaVaePresets } from './beta-vae/config.ts'
import { CcVae } from './cc-vae/cc-vae.ts'
import type { CcVaeConfig } from './cc-vae/config.ts'
import { ccVaeConfigSchema, ccVaePresets } from './cc-vae/config.ts'
import type { CurlConfig } from './curl/config.ts'
import { curlConfigSchema, curlPresets } from './curl/config.ts'
import { Curl } from './curl/curl.ts'
import type { DbcConfig } from './dbc/config.ts'
import { dbcConfigSchema, dbcPresets } from './dbc/config.ts'
import { Dbc } from './dbc/dbc.ts'
import type { DeepMdpConfig } from './deepmdp/config.ts'
import { deepMdpConfigSchema, deepMdpPresets } from './deepmdp/config.ts'
import { DeepMdp } from './deepmdp/deepmdp.ts'
import type { Grasp2VecConfig } from './grasp2vec/config.ts'
import { grasp2VecConfigSchema, grasp2VecPresets } from './grasp2vec/config.ts'
import { Grasp2Vec } from './grasp2vec/grasp2vec.ts'
import type { MfTcnConfig } from './mftcn/config.ts'
import { mfTcnConfigSchema, mfTcnPresets } from './mftcn/config.ts'
import { MfTcn } from './mftcn/mftcn.ts'
import type { PcaConfig } from './pca/config.ts'
import { pcaConfigSchema } from './pca/config.ts'
import { Pca } from './pca/pca.ts'
import type { PixelsConfig } from './pixels/config.ts'
import { pixelsConfigSchema } from './pixels/config.ts'
import { Pixels } from './pixels/pixels.ts'
import type { EncoderPreset } from './shared/presets.ts'
import type { TcnConfig } from './tcn/config.ts'
import { tcnConfigSchema, tcnPresets } from './tcn/config.ts'
import { Tcn } from './tcn/tcn.ts'
import type { TrunkConfig } from './trunk/config.ts'
import { trunkConfigSchema } from './trunk/config.ts'
import { Trunk } from './trunk/trunk.ts'
import type { RandomNetworkConfig } from './random/config.ts'
import { randomNetworkConfigSchema } from './random/config.ts'
import { RandomNetwork } from './random/random.ts'

/** How the catalogue makes an encoder. `config` has gone through `configSchema`. */
export interface EncoderEntry {
  readonly summary: string
  /** What it learns from, what its latents keep and what they do not, in a few words each: for `armature list encoders`. */
  readonly needs?: string
  readonly goodAt?: string
  readonly badAt?: string
  readonly configSchema: z.ZodType
  /** What `armature pretrain --preset` takes; of the catalogue's own that learn: `paper`, `default` and `debug`. */
  readonly presets?: Readonly<Record<string, EncoderPreset>>
  /** @param actionSize length of the actions in its batches, for a method that has a model of what they do */
  create(
    frameShape: readonly [height: number, width: number, channels: number],
    config: unknown,
    rng: Rng,
    actionSize: number,
  ): Encoder
  /** The same for frames that are seen at once; absent: it looks at one of each moment, or at windows of its own. */
  createForStack?(shape: StackShape, config: unknown, rng: Rng, actionSize: number): Encoder
  /** The same for float32 vectors of `size` numbers; absent: it looks at frames alone. */
  createForVectors?(size: number, config: unknown, rng: Rng, actionSize: number): Encoder
}

const catalogue: Record<string, EncoderEntry> = {
  'beta-vae': {
    summary: 'beta-VAE of RIG: latents that reconstruct the image, with a prior to imagine goals from',
    needs: 'frames of one camera',
    goodAt: 'places of what takes pixels; goals can be imagined',
    badAt: 'small things; a background that moves',
    configSchema: betaVaeConfigSchema,
    presets: betaVaePresets,
    create: (frameShape, config, rng) => new BetaVae(frameShape, config as BetaVaeConfig, rng),
  },
  autoencoder: {
    summary: 'the same networks without the KL term: latents that reconstruct the image, optionally denoising',
    needs: 'frames of one camera',
    goodAt: 'places of what takes pixels',
    badAt: 'the same; no prior to imagine goals from',
    configSchema: autoencoderConfigSchema,
    presets: autoencoderPresets,
    create: (frameShape, config, rng) => new Autoencoder(frameShape, config as AutoencoderConfig, rng),
    createForStack: (shape, config, rng) => new Autoencoder(shape, config as AutoencoderConfig, rng),
  },
  'cc-vae': {
    summary: 'context-conditioned VAE of CC-RIG: what moves, apart from what is the same throughout an episode',
    needs: 'frames, each with the first of its episode',
    goodAt: 'what moves within an episode; goals in its own colours',
    badAt: 'an episode in which everything changes',
    configSchema: ccVaeConfigSchema,
    presets: ccVaePresets,
    create: (frameShape, config, rng) => new CcVae(frameShape, config as CcVaeConfig, rng),
  },
  grasp2vec: {
    summary: 'Grasp2Vec: what the bin has lost is what the gripper holds',
    needs: 'grasps: the bin before and after, what was lifted by an outcome camera',
    goodAt: 'which objects are there, and where',
    badAt: 'two of the same object; an arm in the picture',
    configSchema: grasp2VecConfigSchema,
    presets: grasp2VecPresets,
    create: (frameShape, config, rng) => new Grasp2Vec(frameShape, config as Grasp2VecConfig, rng),
  },
  tcn: {
    summary: 'TCN: one moment seen by two cameras is the same, two moments seen by one are not',
    needs: 'moments by two synchronised cameras',
    goodAt: 'where in the task the robot is, from either side; rewards from a demonstration',
    badAt: 'states that come twice; speeds; what one camera alone sees',
    configSchema: tcnConfigSchema,
    presets: tcnPresets,
    create: (frameShape, config, rng) => new Tcn(frameShape, config as TcnConfig, rng),
  },
  mftcn: {
    summary: 'multi-frame TCN: the same over windows, so that it knows velocities',
    needs: 'windows by two synchronised cameras',
    goodAt: 'the same, and speeds',
    badAt: 'the first moments of an episode',
    configSchema: mfTcnConfigSchema,
    presets: mfTcnPresets,
    create: (frameShape, config, rng) => new MfTcn(frameShape, config as MfTcnConfig, rng),
  },
  curl: {
    summary: 'CURL: two shifts of a frame belong together, other frames do not',
    needs: 'frames of one camera, shifted twice',
    goodAt: 'whatever tells frames apart',
    badAt: 'a background that moves',
    configSchema: curlConfigSchema,
    presets: curlPresets,
    create: (frameShape, config, rng) => new Curl(frameShape, config as CurlConfig, rng),
    createForStack: (shape, config, rng) => new Curl(shape, config as CurlConfig, rng),
  },
  deepmdp: {
    summary: 'DeepMDP: latents that tell the reward and the next latent',
    needs: 'runs of steps with actions and rewards',
    goodAt: 'what rewards and dynamics depend on',
    badAt: 'sparse rewards',
    configSchema: deepMdpConfigSchema,
    presets: deepMdpPresets,
    create: (frameShape, config, rng, actionSize) => new DeepMdp(frameShape, actionSize, config as DeepMdpConfig, rng),
    createForStack: (shape, config, rng, actionSize) => new DeepMdp(shape, actionSize, config as DeepMdpConfig, rng),
    createForVectors: (size, config, rng, actionSize) => new DeepMdp([size], actionSize, config as DeepMdpConfig, rng),
  },
  dbc: {
    summary: 'DBC: latents as far from each other as their rewards, now and from here on',
    needs: 'steps with actions and rewards',
    goodAt: 'what rewards depend on, now and later',
    badAt: 'sparse rewards, without its repairs',
    configSchema: dbcConfigSchema,
    presets: dbcPresets,
    create: (frameShape, config, rng, actionSize) => new Dbc(frameShape, actionSize, config as DbcConfig, rng),
    createForStack: (shape, config, rng, actionSize) => new Dbc(shape, actionSize, config as DbcConfig, rng),
    createForVectors: (size, config, rng, actionSize) => new Dbc([size], actionSize, config as DbcConfig, rng),
  },
  trunk: {
    summary: 'convolutions without a loss of their own: what an agent that learns from pixels trains by its critics',
    needs: "an agent's reward (`train pixels`)",
    goodAt: 'what the agent needs',
    badAt: 'all else; it learns nothing from a dataset',
    configSchema: trunkConfigSchema,
    create: (frameShape, config, rng) => new Trunk(frameShape, config as TrunkConfig, rng),
    createForStack: (shape, config, rng) => new Trunk(shape, config as TrunkConfig, rng),
    createForVectors: (size, config, rng) => new Trunk([size], config as TrunkConfig, rng),
  },
  pca: {
    summary: 'control: principal components of the frames',
    needs: 'frames of one camera',
    goodAt: 'what takes pixels, as a control',
    badAt: 'anything that is not linear in pixels',
    configSchema: pcaConfigSchema,
    create: (frameShape, config) => new Pca(frameShape, config as PcaConfig),
  },
  random: {
    summary: 'control: the same network, untrained',
    needs: 'nothing but its statistics',
    goodAt: 'what an architecture alone gives, as a control',
    badAt: 'everything that must be learned',
    configSchema: randomNetworkConfigSchema,
    create: (frameShape, config, rng) => new RandomNetwork(frameShape, config as RandomNetworkConfig, rng),
  },
  pixels: {
    summary: 'control: the pixels themselves, downsampled',
    needs: 'nothing',
    goodAt: 'what was there before anything is learned, as a control',
    badAt: 'small things; another camera',
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
