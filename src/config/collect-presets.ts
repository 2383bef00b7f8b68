/** A dataset that `armature collect <name>` records: a scene, its options, and who acts in it. */
export interface CollectPreset {
  /** One line for `armature list`. */
  readonly summary: string
  /** Id of the scene. */
  readonly env: string
  /** Options of the scene; absent: its defaults. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Names of the cameras that are recorded; absent: those that the scene observes. */
  readonly cameras?: readonly string[]
  /** Behaviours with their shares of the episodes. */
  readonly policy: Readonly<Record<string, number>>
  readonly episodes: number
  /** Whether an episode ends with its first success; default: it goes on to its last step. */
  readonly endAtSuccess?: boolean
  /** Seed where the user names none: data to test on begin from other states than those to train on. */
  readonly seed?: number
}

/** Of data to test on. */
const TEST_SEED = 1000

/** Steps of 10 ms: a second of motion, from anywhere at any speed. */
const cartPole = { env: 'armature/CartPole-v0', options: { start: 'random', maxEpisodeSteps: 100 } }
/** Straight to a goal anywhere: random steps stay near their start, and goals would be imagined there, too. */
const discs = { env: 'armature/DiscArena-v0', policy: { scripted: 1 }, episodes: 1000 }
const ring = { env: 'armature/RingWorld-v0', policy: { random: 1 }, episodes: 200 }
/** Moving discs behind the scene, in clips that the other split never shows. */
const behindCartPole = (split: 'train' | 'test'): Omit<CollectPreset, 'summary' | 'episodes'> => ({
  ...cartPole,
  options: { ...cartPole.options, task: 'swingup', distractor: { kind: 'discs', split } },
  policy: { noisy: 0.5, random: 0.5 },
})

/** What `armature collect` takes in the place of a scene: the data that the claims of the papers are made on, each in one line. */
export const collectPresets: Readonly<Record<string, CollectPreset>> = {
  'grasp-bin': {
    summary: 'grasps in a bin of five objects of 48, three quarters of them aimed: Grasp2Vec',
    env: 'armature/GraspBin-v0',
    policy: { scripted: 0.75, random: 0.25 },
    episodes: 1000,
  },
  'grasp-bin-novel': {
    summary: 'the same with 16 objects that grasp-bin never shows, to test on',
    env: 'armature/GraspBin-v0',
    options: { objects: 'novel' },
    policy: { scripted: 1 },
    episodes: 100,
    seed: TEST_SEED,
  },
  'pick-two-views': {
    summary:
      'a cube is grasped and carried to its goal, slowly or fast, light and hues another each time, from two cameras: TCN',
    env: 'armature/PickPlace-v0',
    options: {
      maxEpisodeSteps: 100,
      camera: { side: { eyeM: [-0.36, -0.43, 0.45] } },
      randomize: { hue: 1, light: 1, camera: 1, actionNoise: 0.1 },
    },
    cameras: ['front', 'side'],
    policy: { slow: 0.8, scripted: 0.2 },
    episodes: 200,
    endAtSuccess: true,
  },
  'cart-pole': {
    summary: 'a cart and a pole from anywhere at any speed, from two cameras: mfTCN',
    env: 'armature/CartPole-v0',
    // Two seconds at 25 Hz: long enough for the place of the cart not to tell its speed.
    options: { start: 'random', actionRepeat: 4, maxEpisodeSteps: 50 },
    cameras: ['left', 'right'],
    policy: { random: 1 },
    episodes: 300,
  },
  'disc-arena': {
    summary: 'a disc of another hue in every episode: CC-VAE',
    ...discs,
    options: { maxEpisodeSteps: 24 },
  },
  'disc-arena-backgrounds': {
    summary: 'the same on ground of another colour in every episode',
    ...discs,
    options: { maxEpisodeSteps: 24, ground: 'random' },
  },
  'ring-world': { summary: 'a dot that walks at random around a ring: DeepMDP', ...ring },
  'ring-world-slip': {
    summary: 'the same where three actions of ten slip: models of what is uncertain',
    ...ring,
    options: { slipPercent: 30 },
  },
  distractors: {
    summary: 'a cart and a pole before discs that move, which have nothing to do with the task: DBC',
    ...behindCartPole('train'),
    episodes: 200,
  },
  'distractors-test': {
    summary: 'the same before discs that distractors never shows, to test on',
    ...behindCartPole('test'),
    episodes: 50,
    seed: TEST_SEED,
  },
  'push-lift': {
    summary:
      'a Panda pushes and lifts a cube, hues of another turn each time, from two cameras: all encoders on one dataset',
    env: 'armature/ArmLift-v0',
    options: { randomize: { hue: 5 } },
    cameras: ['front', 'side'],
    policy: { scripted: 0.4, noisy: 0.2, partial: 0.2, random: 0.2 },
    episodes: 120,
  },
}
