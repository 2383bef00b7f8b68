import { PLAIN_NAME, register } from '../core/registry.ts'
import { contextualPresets } from './contextual-presets.ts'
import type { Preset } from './preset.ts'
import { onPuck, pushPuck, pushReplay, pushTraining, stateGoals } from './push-settings.ts'

/**
 * With 40 steps of play the hand spreads so far that a centimetre of it weighs as much in the latents as one of the puck (with 10, a
 * quarter more). Together with the starts of the play there are about 2,000 places to imagine goals near.
 */
const pushFrames = { frames: 16_000, resetEvery: 40, extraStarts: 1640 }

const rigPush = {
  ...onPuck,
  representation: { kind: 'encoder', encoder: 'beta-vae', pretrain: { ...pushFrames, updates: 1500 } },
  goals: {},
} satisfies Preset['config']

/** Where hand and puck are to be taken: [hand xy, puck xy], metres. The way there is hardly longer than a push. */
const pushedTo = { goal: [-0.02, -0.03, 0.02, 0.08] }
/** Both tasks of one goal: what pays differs. */
const imitatingAgent = {
  name: 'sac',
  config: {
    hidden: [128, 128],
    learningRate: 1e-3,
    criticNorm: 'layer',
    normalizeObservations: true,
    initialAlpha: 0.1,
  },
}
const imitationTraining = {
  steps: 8000,
  learningStarts: 500,
  batchSize: 128,
  evalEvery: 2000,
  evalEpisodes: 5,
  finalEpisodes: 20,
}

const tcnImitate = {
  env: { ...pushPuck, options: pushedTo },
  representation: {
    kind: 'encoder',
    encoder: 'tcn',
    // Hand and puck begin anywhere: moments of all episodes are to be told apart, by places alone, as each view has colours of its own.
    // With fewer maps (width 8) they all pointed at the hand, or all at the puck.
    config: { negatives: 'batch', rowsPerEpisode: 4 },
    sees: 'state',
    pretrain: {
      batch: {
        augment: [
          { kind: 'hue', maxDeg: 60 },
          { kind: 'brightness', range: 0.3 },
        ],
        augmentTogether: false,
      },
      frames: 10_000,
      resetEvery: 50,
      start: 'random',
      policy: { scripted: 0.4, noisy: 0.3, random: 0.3 },
      envOptions: { cameras: ['front', 'side'], randomize: { light: 1, camera: 0.2 } },
      updates: 700,
      batchSize: 32,
    },
  },
  imitation: { demonstration: { camera: 'side', envOptions: { randomize: { hue: 2, light: 1 } } } },
  agent: imitatingAgent,
  replay: pushReplay,
  training: imitationTraining,
} satisfies Preset['config']
/** From half the picture of the bin, by a camera 0.8 m above what is about 3 cm high, to 11 cm. */
const GRASP_GAINS = [1.25, 1.25]
/**
 * One command, one grasp. Its value is its reward: the discount only keeps a truncated episode from being worth more. The encoder learns from
 * grasps at any of five objects, and in some episodes from grasps that are aimed anywhere.
 */
const commandedGrasps = {
  env: { id: 'armature/GraspBin-v0', options: { task: 'command', maxEpisodeSteps: 1 } },
  representation: {
    kind: 'encoder',
    encoder: 'grasp2vec',
    camera: 'scene',
    goalCamera: 'outcome',
    places: true,
    pretrain: {
      frames: 4200,
      resetEvery: 6,
      start: 'default',
      envOptions: { task: 'clear' },
      policy: { scripted: 0.85, random: 0.15 },
      updates: 2000,
      batchSize: 32,
    },
  },
  goals: {
    source: { name: 'env', config: { ofEpisode: true, bankSize: 50 } },
    form: { name: 'heat' },
    reward: { name: 'cosine' },
    relabel: { kept: 0.4, source: 0, future: 0, posthoc: 0.3, auxiliary: 0.3 },
  },
  replay: { capacity: 6000, gamma: 0.01 },
} as const satisfies Omit<Preset['config'], 'agent' | 'training'>

/** Control from frozen embeddings, at the 25 Hz that their windows were recorded at. */
const mfTcnCartPole = {
  env: { id: 'armature/CartPole-v0', options: { actionRepeat: 4, cameras: ['left'] } },
  representation: {
    kind: 'encoder',
    encoder: 'mftcn',
    camera: 'left',
    pretrain: {
      frames: 15_000,
      resetEvery: 50,
      start: 'random',
      // Random play falls at once: noisy experts show how an upright pole moves.
      policy: { random: 0.2, noisy: 0.8 },
      envOptions: { actionRepeat: 4, maxEpisodeSteps: 50, cameras: ['left', 'right'] },
      updates: 3000,
      batchSize: 32,
    },
  },
  agent: {
    name: 'sac',
    config: {
      hidden: [128, 128],
      learningRate: 1e-3,
      criticNorm: 'layer',
      normalizeObservations: true,
      initialAlpha: 0.1,
      tau: 0.01,
    },
  },
  replay: { gamma: 0.98, nStep: 3 },
  training: { steps: 40_000, learningStarts: 500, batchSize: 128, evalEvery: 8000, evalEpisodes: 3, finalEpisodes: 20 },
} satisfies Preset['config']

const pixelAgent = { hidden: [256, 256], learningRate: 1e-3, criticNorm: 'layer', initialAlpha: 0.1 } as const

/** Learning from pixels: an encoder's network between the camera and SAC, moved by the critics and by its own loss. */
const fromPixels = (
  encoder: string,
  config: Readonly<Record<string, unknown>> = {},
  view: { readonly maxShiftPixels?: number } = {},
): Preset['config'] => ({
  // An update costs as much for a step of 20 ms as for one of 80, in which more happens. Once the tip is there, an episode shows little that is
  // new: those that are learned from end after 6 of 20 s, so that three times as many targets are seen. Each step pays for itself (`nStep`).
  env: {
    id: 'armature/Reacher-v0',
    options: { actionRepeat: 4, maxEpisodeSteps: 75 },
    evalOptions: { maxEpisodeSteps: 250 },
  },
  representation: { kind: 'pixels', encoder, config: { readout: 'positions', ...config }, ...view },
  agent: { name: 'sac', config: pixelAgent },
  replay: { capacity: 60_000, nStep: 1 },
  training: { steps: 30_000, batchSize: 64, evalEvery: 2500 },
})

const drq = fromPixels('trunk')

/** Contrastive RL learns from what was reached, and from nothing else; what a goal pays is only logged. */
const reachedGoals = {
  form: { name: 'goal' },
  relabel: { kept: 0, source: 0, future: 1, futureSteps: 'geometric' },
} as const
const crlAgent = {
  name: 'crl',
  config: { hidden: [256, 256], learningRate: 1e-3, loss: 'infonce', similarity: 'distance', logSumExpPenalty: 0.1 },
}

const catalogue: Preset[] = [
  { name: 'rig-push', summary: 'RIG: push a puck to imagined goals, from 48x48 pixels', config: rigPush },
  {
    name: 'rig-push-quick',
    summary: 'the same in a few minutes: what "npm start" runs',
    config: {
      ...rigPush,
      representation: {
        ...rigPush.representation,
        config: { betaAnneal: 1000 },
        pretrain: { ...pushFrames, frames: 5000, updates: 1000 },
      },
      training: { ...pushTraining, steps: 18_000, evalEvery: 3000, evalEpisodes: 20 },
    },
  },
  {
    name: 'oracle-push',
    summary: 'the same task from privileged state: SAC with hindsight relabelling, the upper line',
    config: { ...onPuck, ...stateGoals },
  },
  {
    name: 'pixel-mse-push',
    summary: 'RIG with a reward from pixel differences instead of latents: the lower line',
    config: { ...rigPush, goals: { reward: { name: 'pixel-mse', config: { scale: 100 } } } },
  },
  {
    name: 'crl-push',
    summary: 'the same task from privileged state by contrastive RL, without any reward',
    config: { ...onPuck, ...stateGoals, goals: { ...stateGoals.goals, ...reachedGoals }, agent: crlAgent },
  },
  {
    name: 'crl-rig-push',
    summary: "RIG's latents and imagined goals, by contrastive RL in the place of SAC and its reward",
    config: { ...rigPush, goals: reachedGoals, agent: crlAgent },
  },
  {
    name: 'tcn-imitate',
    summary: 'TCN: push a puck as one demonstration shows it, which another camera saw, without a reward of the task',
    config: tcnImitate,
  },
  {
    name: 'imitation-oracle',
    summary: 'the same task from privileged state, paid by the env: the upper line',
    config: {
      env: tcnImitate.env,
      representation: { kind: 'state' },
      agent: imitatingAgent,
      replay: pushReplay,
      training: imitationTraining,
    },
  },
  {
    name: 'mftcn-cartpole',
    summary: 'mfTCN: balance a pole from frozen embeddings of four frames',
    config: mfTcnCartPole,
  },
  ...contextualPresets,
  {
    name: 'grasp2vec-bin',
    summary:
      'Grasp2Vec: grasp the thing in a picture out of five, at the hottest place, without reinforcement learning',
    config: { ...commandedGrasps, agent: { name: 'aim', config: { gains: GRASP_GAINS } }, training: { steps: 1 } },
  },
  {
    name: 'grasp2vec-bin-sac',
    summary:
      'the same learned by SAC, paid by the likeness of what is in hand, with posthoc labels and auxiliary goals',
    config: {
      ...commandedGrasps,
      agent: { name: 'sac', config: { hidden: [128, 128], learningRate: 1e-3, initialAlpha: 0.1 } },
      training: { steps: 2000, learningStarts: 200, batchSize: 128, evalEvery: 500, evalEpisodes: 50 },
    },
  },
  {
    name: 'sac-pendulum',
    summary: 'SAC from state on Pendulum-v1: the yardstick',
    config: {
      env: { id: 'armature/Pendulum-v1' },
      representation: { kind: 'proprio' },
      agent: { name: 'sac', config: { hidden: [64, 64], learningRate: 1e-3, criticNorm: 'layer' } },
      training: { steps: 10_000, learningStarts: 500 },
    },
  },
  {
    name: 'pixels',
    summary: 'SAC from pixels whose features predict what comes next, with random shifts: name the env with --env',
    config: {
      ...drq,
      // The step size falls at step 20,000: updates begin with step 1000.
      agent: { name: 'sac', config: { ...pixelAgent, selfPrediction: 1, learningRateDrop: { after: 19_001 } } },
      training: { ...drq.training, steps: 25_000 },
    },
  },
  { name: 'drq', summary: 'SAC from pixels with random shifts alone (DrQ)', config: drq },
  {
    name: 'sac-ae',
    summary: 'drq with reconstruction besides, and without shifts (SAC-AE)',
    config: fromPixels(
      'autoencoder',
      { architecture: 'trunk', latentSize: 32, targetBits: 5, latentPenalty: 1e-6, decoderDecay: 1e-7 },
      { maxShiftPixels: 0 },
    ),
  },
  { name: 'curl', summary: 'drq with a contrastive loss besides', config: fromPixels('curl') },
  { name: 'deepmdp', summary: 'drq with models of reward and next latent besides', config: fromPixels('deepmdp') },
  { name: 'dbc', summary: 'drq with bisimulation distances besides', config: fromPixels('dbc') },
  {
    name: 'sac-state',
    summary: 'SAC on any env from privileged state: the oracle of what is learned from pixels; name the env with --env',
    config: {
      env: { id: 'armature/CartPole-v0' },
      representation: { kind: 'state' },
      agent: {
        name: 'sac',
        config: { learningRate: 1e-3, criticNorm: 'layer', normalizeObservations: true, initialAlpha: 0.1 },
      },
      training: { steps: 35_000 },
    },
  },
  {
    name: 'vectors',
    summary:
      'SAC from privileged state through a network that learns along, with the loss of an encoder besides: name the env with --env',
    config: {
      env: { id: 'armature/CartPole-v0' },
      representation: { kind: 'vectors', config: { latentSize: 50 } },
      agent: {
        name: 'sac',
        config: { hidden: [128, 128], learningRate: 1e-3, criticNorm: 'layer', initialAlpha: 0.1 },
      },
      training: { steps: 30_000, batchSize: 128 },
    },
  },
  {
    name: 'sac',
    summary: 'SAC on any env, from what the robot measures of itself: name the env with --env',
    config: {
      env: { id: 'armature/Pendulum-v1' },
      representation: { kind: 'proprio' },
      agent: { name: 'sac' },
      training: { steps: 50_000 },
    },
  },
]

/** Known-good configurations: what `armature train <preset>` takes. */
export const presets: readonly Preset[] = catalogue

/**
 * Makes a preset of your own known by its name.
 * @throws ArmatureError `bad-argument` for a name that is none or is taken.
 */
export function registerPreset(preset: Preset): void {
  const byName: Record<string, Preset> = Object.fromEntries(catalogue.map((known) => [known.name, known]))
  register('preset', byName, PLAIN_NAME, preset.name, preset, { config: 'object' })
  catalogue.push(preset)
}
