import type { Preset } from './preset.ts'
import { onPuck, pushTraining, stateGoals } from './push-settings.ts'

/** Colours are drawn anew in every episode; the run is evaluated in hues that training never showed. */
const NEW_HUES = { evalOptions: { hues: 'unseen' } }
const discs = { id: 'armature/DiscArena-v0', options: { hues: 'seen' }, ...NEW_HUES }
const discTraining = { steps: 6000, batchSize: 256, evalEvery: 1000, evalEpisodes: 50 }
const discFrames = { frames: 20_000, resetEvery: 40, start: 'random', updates: 2000, batchSize: 32 }
const colouredPuck = {
  id: 'armature/PushMulti-v0',
  options: { objects: 1, appearance: 'hues', hues: 'seen', start: 'row', maxEpisodeSteps: 50 },
  ...NEW_HUES,
}
/** Random play hardly moves the puck of an episode (4 mm): pictures of goals in its colours show it elsewhere. */
const colouredFrames = {
  frames: 1600,
  goalFrames: 16_000,
  resetEvery: 20,
  start: 'row',
  priorFrames: 'all',
  batchSize: 32,
  updates: 8000,
} as const

/** A latent [z | c] of `latentSize` and `contextSize` numbers. */
const inContext = (config: Readonly<Record<string, unknown>>) => ({ encoder: 'cc-vae', config })
/** The same networks without a context: what RIG makes of such a scene. */
const withoutContext = (config: Readonly<Record<string, unknown>>) => ({
  encoder: 'beta-vae',
  config: { architecture: 'palette', ...config },
})
/** A puck is small in the picture: places are to be found before colours, and before the KL is priced. */
const colouredPrices = { beta: 0.3, betaAnneal: 4000, silhouette: true }

const onDiscs = { ...onPuck, env: discs, training: discTraining }
const onColouredPuck = { ...onPuck, env: colouredPuck, training: { ...pushTraining, steps: 20_000, evalEvery: 5000 } }

/** CC-RIG on discs and pucks whose colours are others in each episode, RIG on the same, and their oracles. */
export const contextualPresets: readonly Preset[] = [
  {
    name: 'cc-rig-push',
    summary: 'CC-RIG: push a puck of another hue in each episode to goals imagined in its own hue',
    config: {
      ...onColouredPuck,
      representation: {
        kind: 'encoder',
        ...inContext({ ...colouredPrices, latentSize: 12, contextSize: 4, prior: 'fitted' }),
        pretrain: colouredFrames,
      },
      goals: {},
    },
  },
  {
    name: 'rig-push-hues',
    summary: 'RIG on the same pucks: its goals are of any hue',
    config: {
      ...onColouredPuck,
      representation: {
        kind: 'encoder',
        ...withoutContext({ ...colouredPrices, latentSize: 12 }),
        pretrain: colouredFrames,
      },
      goals: {},
    },
  },
  {
    name: 'oracle-push-hues',
    summary: 'the same pucks from privileged state',
    config: { ...onColouredPuck, ...stateGoals },
  },
  {
    name: 'cc-rig-disc',
    summary: 'CC-RIG in a few minutes: take a disc of another hue in each episode to a place',
    config: {
      ...onDiscs,
      representation: {
        kind: 'encoder',
        ...inContext({ latentSize: 2, contextSize: 4, betaAnneal: 1000 }),
        pretrain: discFrames,
      },
      goals: {},
    },
  },
  {
    name: 'rig-disc',
    summary: 'RIG on the same discs: its goals are of any hue',
    config: {
      ...onDiscs,
      representation: {
        kind: 'encoder',
        ...withoutContext({ latentSize: 6, beta: 0.5, betaAnneal: 1000 }),
        pretrain: discFrames,
      },
      goals: {},
    },
  },
  {
    name: 'oracle-disc',
    summary: 'the same discs from privileged state',
    config: { ...onDiscs, ...stateGoals },
  },
]
