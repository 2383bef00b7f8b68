/** One way to learn: a run of `armature train`. */
export interface Variant {
  /** Without commas, which part the names of --only. With a scene: `<scene> <method>`. */
  readonly name: string
  /** Panel of its curve, and what random play and standing still are tabled for, once each; absent: one scene is all there is. */
  readonly scene?: string
  readonly preset: string
  readonly set?: readonly string[]
}

/** Variants that are compared, and by what. */
export interface Experiment {
  /** Measures of the final evaluation that are tabled: means over its episodes, per run. */
  readonly measures: readonly string[]
  /** The one that variants are compared by; lower is better unless it is a reward. */
  readonly score: string
  /** When a run has failed, by its score. */
  readonly fails: (score: number, medianOfVariant: number) => boolean
  readonly variants: readonly Variant[]
  /** Pairs [a, b]: is a lower than b, seed by seed, at the last step at which both were evaluated? */
  readonly comparisons: readonly (readonly [string, string])[]
}

/** Ablations stop at half the steps, and are compared with what the full method had reached there. */
const ABLATION_STEPS = 20_000
const SHORT = [`training.steps=${ABLATION_STEPS}`]

/** As in dm_control's benchmarks of learning from pixels, actions are repeated; the arm, whose goals are not to be seen, goes to one place from anywhere. */
const PIXEL_SCENES = {
  CartPole: { id: 'armature/CartPole-v0', options: { task: 'swingup', actionRepeat: 4 }, evalOptions: {}, nStep: 3 },
  Reacher: {
    id: 'armature/Reacher-v0',
    options: { actionRepeat: 4, maxEpisodeSteps: 75 },
    evalOptions: { maxEpisodeSteps: 250 },
    nStep: 1,
  },
  ArmReach: {
    id: 'armature/ArmReach-v0',
    options: { goal: [0.08, 0.12, 0.2], start: 'random' },
    evalOptions: {},
    nStep: 3,
  },
}

/** Evaluation takes a tenth of the time of these runs. */
const PIXEL_TRAINING = ['training.evalEpisodes=10', 'training.finalEpisodes=50']

/** @param more options of the scene, and of it where it is evaluated */
function pixelSettings(scene: keyof typeof PIXEL_SCENES, more: object = {}, moreEvaluated: object = {}): string[] {
  const { id, options, evalOptions } = PIXEL_SCENES[scene]
  return [
    `env.id=${id}`,
    `env.options=${JSON.stringify({ ...options, ...more })}`,
    `env.evalOptions=${JSON.stringify({ ...evalOptions, ...moreEvaluated })}`,
    ...PIXEL_TRAINING,
  ]
}

/** Presets that learn from pixels, and the plain one of them without augmentation, and with the trunk of the papers. */
function methodVariants(scene: string, presets: readonly string[], set: readonly string[]): Variant[] {
  return [
    ...presets.map((preset) => ({ name: `${scene} ${preset}`, scene, preset, set })),
    { name: `${scene} without shifts`, scene, preset: 'drq', set: [...set, 'representation.maxShiftPixels=0'] },
    { name: `${scene} flat trunk`, scene, preset: 'drq', set: [...set, 'representation.config.readout=flat'] },
  ]
}

/** As `train --env` sets it for an agent that learns from pixels. */
const returnsOf = (scene: keyof typeof PIXEL_SCENES): string => `replay.nStep=${PIXEL_SCENES[scene].nStep}`

function pixelVariants(scene: keyof typeof PIXEL_SCENES, presets = ['pixels', 'drq', 'curl', 'sac-ae']): Variant[] {
  const set = pixelSettings(scene)
  const oracle = { name: `${scene} sac-state`, scene, preset: 'sac-state', set }
  return [oracle, ...methodVariants(scene, presets, [...set, returnsOf(scene)])]
}

/** Half of the median where rewards are gains, twice it where they are costs. */
function farBelow(reward: number, median: number): boolean {
  return reward < (median > 0 ? median / 2 : 2 * median)
}

const DISTRACTORS = {
  none: { kind: 'none' },
  discs: { kind: 'discs' },
  /** As in the experiments of DBC, whose videos are grey. */
  'grey-discs': { kind: 'discs', grey: 'on' },
  noise: { kind: 'noise' },
} as const

/** A moving background behind the scene; evaluation shows clips that were never learned from. */
function distractorVariants(name: keyof typeof DISTRACTORS): Variant[] {
  const unseen = name === 'none' ? {} : { distractor: { split: 'test' } }
  const set = [...pixelSettings('Reacher', { distractor: DISTRACTORS[name] }, unseen), returnsOf('Reacher')]
  return methodVariants(name, ['pixels', 'drq', 'curl', 'sac-ae', 'deepmdp', 'dbc'], set)
}

/** The loss and the models of the released code, with hidden layers that two cores can pay for. */
const DBC_RELEASED = { latentSize: 50, form: 'released', gamma: 0.99, minStd: 1e-4, maxStd: 10 }
/**
 * Scenes that pay 0 or 1 and are seen as vectors; actions are held for four control steps. The norm bound is of the order of what returns differ by
 * early on: 1 for the car; for the pole a tenth of 4 / (1 - gamma) / 2, which its rewards can explain in the end, and with which nothing was
 * learned. The intrinsic weight of the pole is that of Kemertas & Aumentado-Armstrong's code; a car paid so much would rather not end its episode.
 */
const SPARSE_SCENES = {
  cartPole: {
    id: 'armature/CartPole-v0',
    options: { task: 'balance' },
    steps: 12_000,
    normBound: 20,
    intrinsicWeight: 2,
  },
  mountainCar: {
    id: 'armature/MountainCarContinuous-v0',
    options: {},
    steps: 10_000,
    normBound: 1,
    intrinsicWeight: 0.05,
  },
}

/** SAC and forms of DBC where rewards are rare, and the state has so many numbers behind it that say nothing. */
function noiseVariants(scene: keyof typeof SPARSE_SCENES, noiseDims: number): Variant[] {
  const { id, options, steps, normBound, intrinsicWeight } = SPARSE_SCENES[scene]
  const all = { ...options, reward: 'sparse', actionRepeat: 4, size: 1, supersample: 'off', noiseDims }
  const set = [
    `env.id=${id}`,
    `env.options=${JSON.stringify(all)}`,
    `training={"steps":${steps},"batchSize":128,"evalEvery":2000,"evalEpisodes":3,"finalEpisodes":10,"checkpointEvery":2000}`,
    'agent.config.criticNorm=none',
  ]
  const dbc = (config: object): string[] => [
    ...set,
    'representation.encoder=dbc',
    `representation.config=${JSON.stringify({ ...DBC_RELEASED, ...config })}`,
  ]
  return [
    { name: 'SAC', set },
    { name: 'SAC with layer norm', set: [...set, 'agent.config.criticNorm=layer'] },
    { name: 'DBC as released', set: dbc({}) },
    { name: 'DBC with norm bound', set: dbc({ normBound }) },
    {
      name: 'DBC with norm bound and IR and ID',
      set: dbc({ normBound, intrinsicWeight, intrinsicMax: 0.1, inverseWeight: 1 }),
    },
  ].map(({ name, set: own }) => ({ name: `${noiseDims} ${name}`, preset: 'vectors', set: own }))
}

/** Is each repair of DBC below the next, and the last below SAC? */
function noiseComparisons(noiseDims: number): Experiment['comparisons'] {
  return [
    [`${noiseDims} DBC as released`, `${noiseDims} DBC with norm bound`],
    [`${noiseDims} DBC with norm bound`, `${noiseDims} DBC with norm bound and IR and ID`],
    [`${noiseDims} SAC`, `${noiseDims} DBC with norm bound and IR and ID`],
  ]
}

const DETACHED = 'agent.config.trainFeatures=false'
/** As self-prediction within SAC is, in a program of its own that looks further ahead. */
const FURTHER_AHEAD = [
  'representation.encoder=deepmdp',
  'representation.config={"readout":"positions","target":"momentum","lipschitz":0,"smoothness":0,"learningRate":1e-3,"unroll":3,"reward":"two-hot"}',
  'representation.batch={"augment":[{"kind":"shift","maxPixels":3}],"augmentTogether":false}',
  'agent.config.selfPrediction=0',
]

/** From plain SAC with shifts upwards, each rung with what it adds. */
const LADDER: readonly { readonly rung: string; readonly preset: string; readonly set: readonly string[] }[] = [
  { rung: 'R0 SAC with shifts', preset: 'drq', set: ['agent.config.criticNorm=none', 'replay.nStep=1'] },
  { rung: 'R1 layer norm', preset: 'drq', set: ['replay.nStep=1'] },
  { rung: 'R1 layer norm and 2-step returns', preset: 'drq', set: ['replay.nStep=2'] },
  { rung: 'R1 layer norm and 3-step returns', preset: 'drq', set: ['replay.nStep=3'] },
  { rung: 'R2 self-prediction', preset: 'pixels', set: [] },
  { rung: 'R2 self-prediction alone moves the features', preset: 'pixels', set: [DETACHED] },
  { rung: 'R3 three steps ahead and two-hot rewards', preset: 'pixels', set: [DETACHED, ...FURTHER_AHEAD] },
  { rung: 'R4 batch norm without targets', preset: 'pixels', set: ['agent.config.criticNorm=batch'] },
]

const relabelled = (shares: Readonly<Record<string, number>>): string =>
  `goals.relabel=${JSON.stringify({ kept: 0, source: 0, future: 0, ...shares })}`

/** What a real robot can do: play that goes on from where it is, and goals from all that it has seen. */
const WITHOUT_RESETS = [
  'representation.pretrain.envOptions={"maxEpisodeSteps":800}',
  'representation.pretrain.start=default',
  'representation.pretrain.resetEvery=800',
  'representation.pretrain.holdActions=5',
  'representation.pretrain.extraStarts=0',
  'representation.pretrain.priorFrames=all',
]

/** Two colours are learned one after the other, and until both are, the KL term has to wait: docs/results/cc-vae.md. */
const COLOURED_GROUND = ['env.options.ground=random', 'representation.pretrain.updates=12000']
const GROUND_CC_VAE = ['representation.config.contextSize=16', 'representation.config.betaAnneal=7000']
const GROUND_BETA_VAE = ['representation.config.latentSize=18', 'representation.config.betaAnneal=7000']

const BY_REWARD = { measures: ['eval/mean_reward'], score: 'eval/mean_reward' } as const
/** How far hand and puck are from their goals. */
const BY_PUSH = {
  measures: ['eval/distance', 'eval/hand_distance', 'eval/puck_distance', 'eval/success_rate'],
  score: 'eval/distance',
  fails: (distance: number, median: number) => distance > 2 * median,
} as const

/** What `bench/learning.ts` takes by name. */
export const experiments: Readonly<Record<string, Experiment>> = {
  'rig-push': {
    ...BY_PUSH,
    variants: [
      { name: 'RIG', preset: 'rig-push' },
      { name: 'state oracle', preset: 'oracle-push' },
      { name: 'no relabelling', preset: 'rig-push', set: ['goals.relabel={"kept":1,"source":0,"future":0}', ...SHORT] },
      { name: 'pixel MSE reward', preset: 'pixel-mse-push', set: SHORT },
      { name: 'standard prior', preset: 'rig-push', set: ['representation.config.prior=standard', ...SHORT] },
      { name: 'play without resets', preset: 'rig-push', set: [...WITHOUT_RESETS, ...SHORT] },
    ],
    comparisons: [
      ['RIG', 'no relabelling'],
      ['RIG', 'pixel MSE reward'],
      ['RIG', 'standard prior'],
      ['RIG', 'play without resets'],
    ],
  },
  'cc-rig': {
    measures: ['eval/distance', 'eval/success_rate'],
    score: 'eval/distance',
    fails: (distance, median) => distance > 2 * median,
    variants: [
      { name: 'discs CC-RIG', preset: 'cc-rig-disc' },
      { name: 'discs RIG', preset: 'rig-disc' },
      { name: 'discs oracle', preset: 'oracle-disc' },
      { name: 'discs on coloured ground CC-RIG', preset: 'cc-rig-disc', set: [...COLOURED_GROUND, ...GROUND_CC_VAE] },
      { name: 'discs on coloured ground RIG', preset: 'rig-disc', set: [...COLOURED_GROUND, ...GROUND_BETA_VAE] },
      { name: 'puck CC-RIG', preset: 'cc-rig-push' },
      { name: 'puck RIG', preset: 'rig-push-hues' },
      { name: 'puck oracle', preset: 'oracle-push-hues' },
    ],
    comparisons: [
      ['discs CC-RIG', 'discs RIG'],
      ['discs on coloured ground CC-RIG', 'discs on coloured ground RIG'],
      ['puck CC-RIG', 'puck RIG'],
    ],
  },
  'grasp2vec-bin': {
    measures: ['eval/success_rate', 'eval/lifted_count'],
    score: 'eval/success_rate',
    fails: (success, median) => success < median / 2,
    variants: [
      { name: 'heat map', preset: 'grasp2vec-bin' },
      { name: 'heat map on novel objects', preset: 'grasp2vec-bin', set: ['env.evalOptions={"objects":"novel"}'] },
      { name: 'SAC with posthoc and auxiliary', preset: 'grasp2vec-bin-sac' },
      { name: 'SAC with posthoc', preset: 'grasp2vec-bin-sac', set: [relabelled({ kept: 0.5, posthoc: 0.5 })] },
      { name: 'SAC with neither', preset: 'grasp2vec-bin-sac', set: [relabelled({ kept: 1 })] },
    ],
    comparisons: [
      ['SAC with neither', 'SAC with posthoc'],
      ['SAC with posthoc', 'SAC with posthoc and auxiliary'],
    ],
  },
  'crl-push': {
    ...BY_PUSH,
    variants: [
      { name: 'CRL', preset: 'crl-push', set: SHORT },
      { name: 'state oracle', preset: 'oracle-push', set: SHORT },
      { name: 'CRL on latents', preset: 'crl-rig-push', set: SHORT },
      { name: 'RIG', preset: 'rig-push', set: SHORT },
    ],
    comparisons: [
      ['CRL', 'state oracle'],
      ['CRL', 'RIG'],
      ['CRL on latents', 'RIG'],
    ],
  },
  'tcn-imitate': {
    measures: ['eval/success_rate', 'eval/distance', 'eval/hand_distance', 'eval/puck_distance'],
    score: 'eval/distance',
    fails: (distance) => distance > 0.06,
    variants: [
      { name: 'true reward', preset: 'imitation-oracle' },
      { name: 'TCN', preset: 'tcn-imitate' },
      { name: 'TCN by nearest', preset: 'tcn-imitate', set: ['imitation.alignment=nearest'] },
      { name: 'TCN from latents', preset: 'tcn-imitate', set: ['representation.sees=latents'] },
      {
        name: 'one camera',
        preset: 'tcn-imitate',
        set: [
          'representation.config.views=single',
          'representation.config.loss=triplet',
          'representation.config.rowsPerEpisode=16',
        ],
      },
      {
        name: 'pixel difference',
        preset: 'tcn-imitate',
        set: ['representation.encoder=pixels', 'representation.config={}', 'representation.pretrain={"frames":2000}'],
      },
    ],
    comparisons: [
      ['TCN', 'one camera'],
      ['TCN', 'pixel difference'],
    ],
  },
  'mftcn-cartpole': {
    measures: ['eval/mean_reward', 'eval/success_rate'],
    score: 'eval/mean_reward',
    fails: (reward, median) => reward < median / 2,
    variants: [
      { name: 'state', preset: 'mftcn-cartpole', set: ['representation={"kind":"state"}'] },
      { name: 'four frames', preset: 'mftcn-cartpole' },
      {
        name: 'one frame',
        preset: 'mftcn-cartpole',
        // As many weights.
        set: ['representation.config={"frames":1,"hidden":190}'],
      },
    ],
    comparisons: [],
  },
  'sac-pendulum': {
    ...BY_REWARD,
    fails: (reward) => reward < -250,
    variants: [
      { name: 'SAC', preset: 'sac-pendulum' },
      { name: 'without layer normalisation', preset: 'sac-pendulum', set: ['agent.config.criticNorm=none'] },
    ],
    comparisons: [],
  },
  pixels: {
    ...BY_REWARD,
    fails: farBelow,
    variants: [
      ...pixelVariants('CartPole'),
      ...pixelVariants('Reacher'),
      ...pixelVariants('ArmReach', ['pixels', 'drq', 'sac-ae']),
    ],
    comparisons: ['CartPole', 'Reacher'].flatMap((scene) => [
      [`${scene} drq`, `${scene} pixels`] as const,
      ...['flat trunk', 'curl', 'sac-ae', 'without shifts'].map(
        (other) => [`${scene} ${other}`, `${scene} drq`] as const,
      ),
    ]),
  },
  ladder: {
    ...BY_REWARD,
    fails: farBelow,
    variants: (['CartPole', 'Reacher'] as const).flatMap((scene) =>
      LADDER.map(({ rung, preset, set }) => {
        return { name: `${scene} ${rung}`, scene, preset, set: [...pixelSettings(scene), returnsOf(scene), ...set] }
      }),
    ),
    comparisons: [],
  },
  'dbc-noise': {
    ...BY_REWARD,
    // Standing still is paid about 370: so long the pole takes to fall.
    fails: (reward) => reward < 400,
    variants: [0, 10].flatMap((noise) => noiseVariants('cartPole', noise)),
    comparisons: [0, 10].flatMap(noiseComparisons),
  },
  'dbc-noise-mountain-car': {
    ...BY_REWARD,
    // Reached in fewer than half of the episodes.
    fails: (reward) => reward < 0.5,
    variants: [0, 4].flatMap((noise) => noiseVariants('mountainCar', noise)),
    comparisons: [0, 4].flatMap(noiseComparisons),
  },
  distractors: {
    ...BY_REWARD,
    fails: farBelow,
    variants: (['none', 'discs', 'grey-discs', 'noise'] as const).flatMap(distractorVariants),
    comparisons: [
      ...['discs', 'grey-discs'].flatMap((kind) =>
        [
          ['sac-ae', 'dbc'],
          ['dbc', 'deepmdp'],
          ['dbc', 'pixels'],
          ['dbc', 'drq'],
        ].map(([a, b]) => [`${kind} ${a}`, `${kind} ${b}`] as const),
      ),
      ['none dbc', 'none sac-ae'],
    ],
  },
}
