/**
 * Learning experiments: several variants over several seeds, each a run of `armature train`, summed up with intervals.
 *
 *   npx tsx bench/learning.ts rig-push --seeds 5 --jobs 2 --runs runs/learning
 *   npx tsx bench/learning.ts sac-pendulum --first 100 --seeds 100
 *   npx tsx bench/learning.ts pixels --only 'CartPole pixels,CartPole curl'
 *   npx tsx bench/learning.ts ladder --seeds 3 --steps 20000
 *
 * Runs that are already finished under --runs are not repeated. Every result replaces that of its variant and seed in
 * docs/results/<experiment>.json as soon as it is there (delete the file to start afresh), and at the end a table of them all is
 * printed in Markdown, and curves are drawn over env steps and over minutes of processor time (docs/results/<experiment>-steps.svg, -minutes.svg).
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Rng } from '../src/core/rng.ts'
import type { Interval } from '../src/evaluate/statistics.ts'
import { bootstrapInterval, interquartileMean, pairedDifference } from '../src/evaluate/statistics.ts'
import type { CurveRun } from './curves.ts'
import { curvesSvg } from './curves.ts'

interface Variant {
  /** Without commas, which part the names of --only. With a scene: `<scene> <method>`. */
  readonly name: string
  /** Panel of its curve, and what random play and standing still are tabled for, once each; absent: one scene is all there is. */
  readonly scene?: string
  readonly preset: string
  readonly set?: readonly string[]
}

interface Experiment {
  /** Measures of the final evaluation that are tabled: means over its episodes, per run. */
  readonly measures: readonly string[]
  /** The one that variants are compared by; lower is better unless it is a reward. */
  readonly score: string
  /** When a run has failed, by its score. */
  readonly fails: (score: number, medianOfVariant: number) => boolean
  readonly variants: readonly Variant[]
  /** Pairs [a, b]: is a lower than b, seed by seed, at the last step that both reached? */
  readonly comparisons: readonly (readonly [string, string])[]
}

/** Ablations stop at half the steps, and are compared with what the full method had reached there. */
const ABLATION_STEPS = 20_000
const SHORT = [`training.steps=${ABLATION_STEPS}`]

/** As in dm_control's benchmarks of learning from pixels: actions are repeated. */
const PIXEL_SCENES = {
  CartPole: { id: 'armature/CartPole-v0', options: { task: 'swingup', actionRepeat: 4 } },
  Reacher: { id: 'armature/Reacher-v0', options: { actionRepeat: 4 } },
}

/** Evaluation takes a tenth of the time of these runs. */
const PIXEL_TRAINING = ['training.evalEpisodes=10', 'training.finalEpisodes=50']

function pixelSettings(scene: keyof typeof PIXEL_SCENES): string[] {
  const { id, options } = PIXEL_SCENES[scene]
  return [`env.id=${id}`, `env.options=${JSON.stringify(options)}`, ...PIXEL_TRAINING]
}

function pixelVariants(scene: keyof typeof PIXEL_SCENES): Variant[] {
  const set = pixelSettings(scene)
  return [
    ...['sac-state', 'pixels', 'curl', 'sac-ae'].map((preset) => ({
      name: `${scene} ${preset}`,
      scene,
      preset,
      set,
    })),
    { name: `${scene} without shifts`, scene, preset: 'pixels', set: [...set, 'representation.maxShiftPixels=0'] },
  ]
}

/** Half of the median where rewards are gains, twice it where they are costs. */
function farBelow(reward: number, median: number): boolean {
  return reward < (median > 0 ? median / 2 : 2 * median)
}

/** A moving background behind the scene; evaluation shows clips that were never learned from. */
function distractorVariants(kind: 'none' | 'discs' | 'noise'): Variant[] {
  const { id, options } = PIXEL_SCENES.Reacher
  const set = [
    `env.id=${id}`,
    `env.options=${JSON.stringify({ ...options, distractor: { kind } })}`,
    ...(kind === 'none' ? [] : ['env.evalOptions={"distractor":{"split":"test"}}']),
    ...PIXEL_TRAINING,
  ]
  return [
    ...['pixels', 'curl', 'sac-ae', 'deepmdp', 'dbc'].map((preset) => ({ name: `${kind} ${preset}`, preset, set })),
    { name: `${kind} without shifts`, preset: 'pixels', set: [...set, 'representation.maxShiftPixels=0'] },
  ]
}

/** The loss and the models of the released code, with hidden layers that two cores can pay for. */
const DBC_RELEASED = { latentSize: 50, form: 'released', gamma: 0.99, minStd: 1e-4, maxStd: 10 }
/** A tenth of the radius whose distances a step of 4 rewards of 1 can explain, 4 / (1 - gamma) / 2: at that one nothing was learned. */
const NORM_BOUND = { normBound: 20 }
/** Weights of Kemertas & Aumentado-Armstrong's code for their cart-pole. */
const INTRINSIC_AND_INVERSE = { intrinsicWeight: 2, intrinsicMax: 0.1, inverseWeight: 1 }

/** A cart-pole that pays only near upright, seen as a vector with so many numbers behind it that say nothing. */
function noiseVariants(noiseDims: number): Variant[] {
  const options = { task: 'balance', reward: 'sparse', actionRepeat: 4, size: 1, supersample: 'off', noiseDims }
  const set = [
    `env.options=${JSON.stringify(options)}`,
    'training={"steps":20000,"batchSize":128,"evalEvery":2000,"evalEpisodes":3,"finalEpisodes":10,"checkpointEvery":2000}',
  ]
  const dbc = (config: object): string[] => [
    ...set,
    'representation.encoder=dbc',
    `representation.config=${JSON.stringify({ ...DBC_RELEASED, ...config })}`,
  ]
  return [
    { name: 'SAC', set },
    { name: 'DBC as released', set: dbc({}) },
    { name: 'DBC with norm bound', set: dbc(NORM_BOUND) },
    { name: 'DBC with norm bound and IR and ID', set: dbc({ ...NORM_BOUND, ...INTRINSIC_AND_INVERSE }) },
  ].map(({ name, set: own }) => ({ name: `${noiseDims} ${name}`, preset: 'vectors', set: own }))
}

/**
 * A latent that the agent does not move learns to predict itself (MR.Q, Fujimoto et al. 2025): a slow copy says what the next one is, and frames
 * are shifted. Neither price on how fast models or latents change.
 */
const SELF_PREDICTION = [
  'representation.config.target=momentum',
  'representation.config.lipschitz=0',
  'representation.config.smoothness=0',
  'representation.config.learningRate=1e-3',
  'representation.batch={"augment":[{"kind":"shift","maxPixels":3}],"augmentTogether":false}',
]
const DETACHED = 'agent.config.trainFeatures=false'

/** From plain SAC with shifts upwards, each rung with what it adds. */
const LADDER: readonly { readonly rung: string; readonly preset: string; readonly set: readonly string[] }[] = [
  { rung: 'R0 SAC with shifts', preset: 'pixels', set: ['agent.config.criticNorm=none', 'replay.nStep=1'] },
  { rung: 'R1 layer norm and 3-step returns', preset: 'pixels', set: [] },
  { rung: 'R1 at 3e-4', preset: 'pixels', set: ['agent.config.learningRate=3e-4'] },
  { rung: 'R2 detached self-prediction', preset: 'deepmdp', set: [...SELF_PREDICTION, DETACHED] },
  { rung: 'R2 with the gradient of the critics', preset: 'deepmdp', set: SELF_PREDICTION },
  {
    rung: 'R3 three steps ahead and two-hot rewards',
    preset: 'deepmdp',
    set: [...SELF_PREDICTION, DETACHED, 'representation.config.unroll=3', 'representation.config.reward=two-hot'],
  },
  {
    rung: 'R4 batch norm without targets',
    preset: 'deepmdp',
    set: [...SELF_PREDICTION, DETACHED, 'agent.config.criticNorm=batch'],
  },
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

const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  'rig-push': {
    measures: ['eval/distance', 'eval/hand_distance', 'eval/puck_distance', 'eval/success_rate'],
    score: 'eval/distance',
    fails: (distance, median) => distance > 2 * median,
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
    measures: ['eval/distance', 'eval/hand_distance', 'eval/puck_distance', 'eval/success_rate'],
    score: 'eval/distance',
    fails: (distance, median) => distance > 2 * median,
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
    measures: ['eval/mean_reward'],
    score: 'eval/mean_reward',
    fails: (reward) => reward < -250,
    variants: [
      { name: 'SAC', preset: 'sac-pendulum' },
      { name: 'without layer normalisation', preset: 'sac-pendulum', set: ['agent.config.criticNorm=none'] },
    ],
    comparisons: [],
  },
  pixels: {
    measures: ['eval/mean_reward'],
    score: 'eval/mean_reward',
    fails: farBelow,
    variants: [...pixelVariants('CartPole'), ...pixelVariants('Reacher')],
    comparisons: ['CartPole', 'Reacher'].flatMap((scene) =>
      ['curl', 'sac-ae', 'without shifts'].map((other) => [`${scene} ${other}`, `${scene} pixels`] as const),
    ),
  },
  ladder: {
    measures: ['eval/mean_reward'],
    score: 'eval/mean_reward',
    fails: farBelow,
    variants: (['CartPole', 'Reacher'] as const).flatMap((scene) =>
      LADDER.map(({ rung, preset, set }) => {
        return { name: `${scene} ${rung}`, scene, preset, set: [...pixelSettings(scene), ...set] }
      }),
    ),
    comparisons: [],
  },
  'dbc-noise': {
    measures: ['eval/mean_reward'],
    score: 'eval/mean_reward',
    // Standing still is paid about 370: so long the pole takes to fall.
    fails: (reward) => reward < 400,
    variants: [0, 10].flatMap(noiseVariants),
    comparisons: [0, 10].flatMap((noise) => [
      [`${noise} DBC as released`, `${noise} DBC with norm bound`] as const,
      [`${noise} DBC with norm bound`, `${noise} DBC with norm bound and IR and ID`] as const,
      [`${noise} SAC`, `${noise} DBC with norm bound and IR and ID`] as const,
    ]),
  },
  distractors: {
    measures: ['eval/mean_reward'],
    score: 'eval/mean_reward',
    fails: farBelow,
    variants: [...distractorVariants('none'), ...distractorVariants('discs'), ...distractorVariants('noise')],
    comparisons: [
      ['discs sac-ae', 'discs dbc'],
      ['discs dbc', 'discs deepmdp'],
      ['discs dbc', 'discs pixels'],
      ['none dbc', 'none sac-ae'],
    ],
  },
}

/** One finished run: measures of the trained policy and of the two that learn nothing, of the embedding, and of a demonstration by it. */
interface RunResult {
  readonly variant: string
  readonly seed: number
  readonly command: string
  readonly final: Readonly<Record<string, number>>
  readonly random: Readonly<Record<string, number>>
  readonly still: Readonly<Record<string, number>>
  readonly embedding: Readonly<Record<string, number>> | null
  /** Minutes of processor time that acting and learning took up to there; runs of before do not know them. */
  readonly curve: CurveRun['curve']
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '5' },
    first: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '1' },
    runs: { type: 'string', default: 'runs/learning' },
    only: { type: 'string' },
    steps: { type: 'string' },
  },
})
const experimentName = positionals[0] ?? ''
const experiment = EXPERIMENTS[experimentName]
if (experiment === undefined) {
  process.stderr.write(
    `usage: npx tsx bench/learning.ts <${Object.keys(EXPERIMENTS).join('|')}> [--seeds N] [--jobs N]\n`,
  )
  process.exit(2)
}

const only = values.only?.split(',')
const jobs: { readonly variant: Variant; readonly seed: number }[] = []
for (let seed = Number(values.first); seed < Number(values.first) + Number(values.seeds); seed++) {
  for (const variant of experiment.variants) {
    if (only === undefined || only.includes(variant.name)) jobs.push({ variant, seed })
  }
}
const file = join('docs/results', `${experimentName}.json`)
let results = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as RunResult[]) : []
const queue = [...jobs]
await Promise.all(Array.from({ length: Number(values.jobs) }, worker))
for (const along of ['steps', 'minutes'] as const) {
  const svg = curvesSvg(results.flatMap(curveOfRun), experiment.score.replace('eval/', ''), along)
  if (svg !== undefined) await writeFile(join('docs/results', `${experimentName}-${along}.svg`), svg)
}
process.stdout.write(`${markdown(experiment, results)}\n`)

function curveOfRun({ variant, curve }: RunResult): CurveRun[] {
  const known = experiment!.variants.find(({ name }) => name === variant)
  if (known === undefined) return []
  const { scene = '', name } = known
  return [{ scene, method: scene === '' ? name : name.slice(scene.length + 1), curve }]
}

async function worker(): Promise<void> {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const result = await runOnce(job.variant, job.seed)
    results = results.filter(({ variant, seed }) => variant !== result.variant || seed !== result.seed).concat(result)
    await mkdir('docs/results', { recursive: true })
    await writeFile(file, `${JSON.stringify(results, null, 1)}\n`)
  }
}

async function runOnce(variant: Variant, seed: number): Promise<RunResult> {
  const folder = join(values.runs, experimentName, `${variant.name.replaceAll(' ', '-')}-${seed}`)
  const words = ['train', variant.preset, '--seed', String(seed)]
  if (values.steps !== undefined) words.push('--steps', values.steps)
  for (const assignment of variant.set ?? []) words.push('--set', assignment)
  const command = `armature --threads 1 ${words.join(' ')}`
  const finished = existsSync(join(folder, 'eval', `${variant.preset}.json`))
  if (!finished) {
    const started = existsSync(join(folder, 'config.json'))
    const args = started ? ['train', '--resume', '--out', folder] : [...words, '--out', folder]
    process.stderr.write(`${variant.name} seed ${seed}: ${args.join(' ')}\n`)
    await run(['src/cli/main.ts', '--threads', '1', '--quiet', ...args])
  }
  const evaluation = async (name: string): Promise<Record<string, number>> =>
    (JSON.parse(await readFile(join(folder, 'eval', `${name}.json`), 'utf8')) as { means: Record<string, number> })
      .means
  const ofEncoder = ['embedding', 'demonstration']
    .map((name) => join(folder, 'eval', `${name}.json`))
    .filter(existsSync)
  const measured = await Promise.all(
    ofEncoder.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Record<string, number>),
  )
  const result = {
    variant: variant.name,
    seed,
    command,
    final: await evaluation(variant.preset),
    random: await evaluation('random'),
    still: await evaluation('still'),
    embedding: measured.length > 0 ? Object.assign({}, ...measured) : null,
    curve: await curveOf(folder, experiment!.score),
  }
  process.stderr.write(`${variant.name} seed ${seed}: ${experiment!.score} ${result.final[experiment!.score]}\n`)
  return result
}

async function curveOf(folder: string, score: string): Promise<[number, number, number?][]> {
  const rowsOf = async (file: string): Promise<Record<string, number>[]> => {
    const lines = (await readFile(join(folder, file), 'utf8')).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Record<string, number>)
  }
  const timings = (await rowsOf('timings.jsonl')).filter((row) => row['time/cpu_s'] !== undefined)
  const minutesAt = (step: number): number =>
    timings.filter((row) => row.step! <= step).reduce((sum, row) => sum + row['time/cpu_s']!, 0) / 60
  return (await rowsOf('metrics.jsonl'))
    .filter((row) => row[score] !== undefined)
    .map(
      (row) =>
        [row.step!, row[score]!, ...(timings.length > 0 ? [minutesAt(row.step!)] : [])] as [number, number, number?],
    )
}

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['tsx', ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}: ${args.join(' ')}`))))
  })
}

function markdown({ measures, variants, comparisons, score, fails }: Experiment, all: readonly RunResult[]): string {
  const of = (name: string): RunResult[] =>
    all.filter(({ variant }) => variant === name).toSorted((a, b) => a.seed - b.seed)
  const rows: string[] = [
    `| variant | steps | seeds | failed | ${measures.join(' | ')} |`,
    `| --- | --- | --- | --- | ${measures.map(() => '---').join(' | ')} |`,
  ]
  const row = (name: string, steps: number, means: readonly Readonly<Record<string, number>>[]): string => {
    const cells = measures.map((measure) => text(interval(means.map((m) => m[measure]!))))
    const scores = means.map((m) => m[score]!)
    const failed = steps === 0 ? '' : scores.filter((x) => fails(x, medianOf(scores))).length
    return `| ${name} | ${steps} | ${means.length} | ${failed} | ${cells.join(' | ')} |`
  }
  for (const scene of new Set(variants.map((variant) => variant.scene ?? ''))) {
    const inScene = variants.filter((variant) => (variant.scene ?? '') === scene)
    const runs = inScene.map(({ name }) => of(name)).find(({ length }) => length > 0) ?? []
    for (const baseline of runs.length === 0 ? [] : (['random', 'still'] as const)) {
      const means = runs.map((run) => run[baseline])
      rows.push(row(`${scene} ${baseline}`.trim(), 0, means))
    }
  }
  for (const { name } of variants) {
    const runs = of(name)
    if (runs.length === 0) continue
    const steps = runs[0]!.curve.at(-1)![0]
    rows.push(
      row(
        name,
        steps,
        runs.map((r) => r.final),
      ),
    )
  }
  const differences = comparisons.flatMap(([a, b]) => {
    const sharedWith = (other: string): ((run: RunResult) => boolean) => {
      const seeds = new Set(of(other).map(({ seed }) => seed))
      return ({ seed }) => seeds.has(seed)
    }
    const [runsA, runsB] = [of(a).filter(sharedWith(b)), of(b).filter(sharedWith(a))]
    if (runsA.length === 0) return []
    const step = Math.min(...[...runsA, ...runsB].map(({ curve }) => curve.at(-1)![0]))
    // The final evaluation has more episodes than those on the way.
    const scoreOf = ({ curve, final }: RunResult): number =>
      curve.at(-1)![0] === step ? final[score]! : (curve.find(([at]) => at === step)?.[1] ?? NaN)
    const scores = (runs: readonly RunResult[]): number[] => runs.map(scoreOf)
    const difference = pairedDifference(scores(runsB), scores(runsA), { rng: new Rng(0), repetitions: 50_000 })
    return [`- ${b} minus ${a}, ${score} at ${step} steps, over ${runsA.length} seeds: ${text(difference)}`]
  })
  const withEncoder = variants.find(({ name }) => of(name).some(({ embedding }) => embedding !== null))
  const embeddings = of(withEncoder?.name ?? '').flatMap(({ seed, embedding }) =>
    embedding
      ? [
          `- seed ${seed}: ${Object.entries(embedding)
            .map(([k, v]) => `${k} ${v.toFixed(3)}`)
            .join(', ')}`,
        ]
      : [],
  )
  return [...rows, '', ...differences, '', ...embeddings].join('\n')
}

function interval(scores: readonly number[]): Interval {
  return bootstrapInterval([scores], interquartileMean, { rng: new Rng(0), repetitions: 50_000 })
}

function text({ estimate, low, high }: Interval): string {
  const digits = Math.abs(estimate) >= 10 ? 1 : Math.abs(estimate) >= 0.1 ? 3 : 4
  return `${estimate.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`
}

function medianOf(scores: readonly number[]): number {
  const sorted = scores.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
