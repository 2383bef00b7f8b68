/**
 * Grasp2Vec against embeddings that learn nothing or learn pixels: does the difference of two pictures of a bin name the object that was taken
 * out of it, and does a picture of an object say where it lies, for objects that training never showed?
 *
 *   npx tsx bench/claims.ts grasp2vec --seeds 3
 */
import { grasp2VecPresets } from '../../encoders/grasp2vec/config.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { encodeGoal } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Claim, Scores } from './claim.ts'
import type { GraspRecording, Lift } from './grasps.ts'
import { GRASPS, OUTCOME, recordGrasps, SCENE, SLOT_SIZE, UNSEEN_KINDS } from './grasps.ts'
import type { Recording } from './laboratory.ts'
import { frameOf, trainEncoder } from './laboratory.ts'

const [TRAINING_EPISODES, TEST_EPISODES] = [800, 120]
/** Share of the grasps of the training data that are aimed anywhere: most of them lift nothing. */
const RANDOM_SHARE = 0.15
/** Instances of a gallery, pictures of each, and galleries that a score is averaged over. */
const [INSTANCES, VIEWS, GALLERIES] = [16, 4, 20]
const { updates: UPDATES, batchSize: BATCH_SIZE } = grasp2VecPresets.default
const AUTOENCODER_UPDATES = 1500

/** Embeds frames of one camera, [count, size]. */
type Embed = (frames: Uint8Array, count: number, camera: string) => Promise<Float32Array>

interface Trained {
  readonly embed: Embed
  /** Where it has a map of places. */
  readonly encoder?: Encoder
}

const VARIANTS: Readonly<Record<string, (training: Recording, seed: number) => Promise<Trained>>> = {
  grasp2vec: (training, seed) => graspTowers(training, seed, UPDATES),
  'grasp2vec, n-pairs alone': (training, seed) => graspTowers(training, seed, UPDATES, { equality: 0 }),
  'untrained towers': (training, seed) => graspTowers(training, seed, 0),
  autoencoder: async (training, seed) => {
    const encoder = await trainEncoder(bothCameras(training), {
      encoder: 'autoencoder',
      config: { latentSize: 48 },
      camera: BOTH,
      updates: AUTOENCODER_UPDATES,
      batchSize: 64,
      seed,
    })
    return { embed: (frames, count) => encoder.encode({ frames, count }) }
  },
  'mean RGB': async () => ({ embed: async (frames, count) => meanColours(frames, count) }),
}

export const grasp2VecClaim: Claim = {
  name: 'grasp2vec',
  variants: Object.keys(VARIANTS),
  columns: {
    novel:
      'what was taken out of the bin, found at first place among 64 pictures of 16 novel objects (>= .60, 2x all others)',
    novel_relative: 'the same, where the picture of the empty gripper is taken off the pictures of outcomes',
    unseen_kinds: 'of `novel`, objects of the four kinds of shape that training never shows',
    trained: 'the same among 16 of the 48 objects of the training data, in new grasps (>= .85)',
    sums_trained: 'two grasps in a row: d1 + d2 is nearer to o1 + o2 than to another outcome (>= .90)',
    sums_novel: 'the same for novel objects',
    swapped_novel: 'd1 + d2 is nearer to o1 + o2 than to the sum in which another object stands for the second',
    near_trained: 'hottest place of five objects within one place (4 pixels) of the one asked for (>= .80)',
    near_novel: 'the same for novel objects (>= .65)',
    on_trained: 'the pixel in the middle of the hottest place is one of the object asked for',
    on_novel: 'the same for novel objects',
  },
  async run(variant, seed): Promise<Scores> {
    const { training, trained, novel } = await dataOf(seed)
    return judge(await VARIANTS[variant]!(training, seed), trained, novel, seed)
  },
}

export async function judge(
  { embed, encoder }: Trained,
  trained: GraspRecording,
  novel: GraspRecording,
  seed: number,
): Promise<Scores> {
  const [known, unknown] = [await embedGrasps(trained, embed), await embedGrasps(novel, embed)]
  const rng = new Rng(seed).split('judge')
  const found = retrieval(unknown.pairs, rng)
  const added = sums(unknown.pairs, rng)
  const scores = {
    novel: found.all,
    novel_relative: retrieval(unknown.relative, rng).all,
    unseen_kinds: found.unseen,
    trained: retrieval(known.pairs, rng).all,
    sums_trained: sums(known.pairs, rng).other,
    sums_novel: added.other,
    swapped_novel: added.swapped,
  }
  if (encoder === undefined) return scores
  const here = await localisation(encoder, trained, known.pairs, rng)
  const there = await localisation(encoder, novel, unknown.pairs, rng)
  encoder.dispose()
  return { ...scores, near_trained: here.near, near_novel: there.near, on_trained: here.on, on_novel: there.on }
}

interface Data {
  readonly training: GraspRecording
  readonly trained: GraspRecording
  readonly novel: GraspRecording
}

/** Of the last seed: all variants of one follow each other. */
let latest: { readonly seed: number; readonly data: Data } | undefined

async function dataOf(seed: number): Promise<Data> {
  if (latest?.seed === seed) return latest.data
  const data = {
    training: await recordGrasps('train', TRAINING_EPISODES, RANDOM_SHARE, 1000 + seed),
    trained: await recordGrasps('train', TEST_EPISODES, 0, 2000 + seed),
    novel: await recordGrasps('novel', TEST_EPISODES, 0, 3000 + seed),
  }
  latest = { seed, data }
  return data
}

/** Grasp2Vec after `updates` steps. */
export async function graspTowers(
  training: Recording,
  seed: number,
  updates: number,
  config: Readonly<Record<string, unknown>> = {},
): Promise<Trained & { readonly encoder: Encoder }> {
  const options = { encoder: 'grasp2vec', config, camera: SCENE, updates, batchSize: BATCH_SIZE, seed }
  const encoder = await trainEncoder(training, options)
  const embed: Embed = (frames, count, camera) =>
    camera === SCENE ? encoder.encode({ frames, count }) : encodeGoal(encoder, { frames, count })
  return { embed, encoder }
}

const BOTH = 'both'

/** The frames of bin and gripper as those of one camera, for an encoder that learns from single frames. */
function bothCameras({ spec, episodes }: Recording): Recording {
  const views = [SCENE, OUTCOME].flatMap((camera) =>
    episodes.map((episode) => ({ ...episode, images: { [BOTH]: episode.images[camera]! } })),
  )
  return {
    spec: { ...spec, cameras: { [BOTH]: spec.cameras[SCENE]! } },
    episodes: views.map((episode, index) => ({ ...episode, info: { ...episode.info, index } })),
  }
}

function meanColours(frames: Uint8Array, count: number): Float32Array {
  const size = frames.length / count
  const means = new Float32Array(count * 3)
  frames.forEach((value, i) => (means[Math.floor(i / size) * 3 + (i % 3)]! += (value * 3) / size))
  return means
}

/** What the bin lost, and what the gripper got. */
interface Pair {
  readonly lift: Lift
  readonly gone: Float32Array
  readonly held: Float32Array
}

/** `relative`: outcomes less the empty gripper that each episode starts with, as the bin after is taken off the bin before. */
async function embedGrasps(
  { episodes, lifts }: GraspRecording,
  embed: Embed,
): Promise<{ readonly pairs: readonly Pair[]; readonly relative: readonly Pair[] }> {
  const rows = async (camera: string): Promise<Float32Array[][]> => {
    const count = episodes.reduce((sum, { info }) => sum + info.length, 0)
    const frames = Buffer.concat(episodes.map(({ images }) => images[camera]!))
    const latents = await embed(frames, count, camera)
    const size = latents.length / count
    let row = 0
    return episodes.map(({ info }) =>
      Array.from({ length: info.length }, () => latents.subarray(row * size, ++row * size)),
    )
  }
  const [scenes, outcomes] = [await rows(SCENE), await rows(OUTCOME)]
  const pairs = lifts.map((lift) => {
    const [scene, outcome] = [scenes[lift.episode]!, outcomes[lift.episode]!]
    return { lift, gone: minus(scene[lift.time]!, scene[lift.time + 1]!), held: outcome[lift.time + 1]! }
  })
  const relative = pairs.map((pair) => ({ ...pair, held: minus(pair.held, outcomes[pair.lift.episode]![0]!) }))
  return { pairs, relative }
}

function minus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x - b[i]!)
}

function plus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x + b[i]!)
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!
  return total
}

function cosine(a: Float32Array, b: Float32Array): number {
  return dot(a, b) / Math.sqrt(Math.max(dot(a, a) * dot(b, b), 1e-24))
}

/** Share of grasps whose difference is nearest, by cosine, to a picture of the same object among 64 from other grasps. */
function retrieval(pairs: readonly Pair[], rng: Rng): { readonly all: number; readonly unseen: number } {
  const hits: { readonly isRight: boolean; readonly isUnseen: boolean }[] = []
  const enough = [...byInstance(pairs).values()].filter((own) => own.length > VIEWS)
  if (enough.length < INSTANCES)
    throw new Error(`${enough.length} objects were lifted more than ${VIEWS} times, not ${INSTANCES}`)
  for (let gallery = 0; gallery < GALLERIES; gallery++) {
    const chosen = rng.shuffle([...enough]).slice(0, INSTANCES)
    const shuffled = chosen.map((own) => rng.shuffle([...own]))
    const views = shuffled.flatMap((own) => own.slice(0, VIEWS))
    for (const { gone, lift } of shuffled.flatMap((own) => own.slice(VIEWS))) {
      const similarities = views.map(({ held }) => cosine(gone, held))
      const nearest = views[similarities.indexOf(Math.max(...similarities))]!
      hits.push({
        isRight: nearest.lift.instance === lift.instance,
        isUnseen: UNSEEN_KINDS.includes(lift.instance),
      })
    }
  }
  const share = (some: typeof hits): number => some.filter(({ isRight }) => isRight).length / Math.max(1, some.length)
  return { all: share(hits), unseen: share(hits.filter(({ isUnseen }) => isUnseen)) }
}

function byInstance(pairs: readonly Pair[]): ReadonlyMap<number, readonly Pair[]> {
  const groups = new Map<number, Pair[]>()
  for (const pair of pairs) {
    const own = groups.get(pair.lift.instance)
    if (own === undefined) groups.set(pair.lift.instance, [pair])
    else own.push(pair)
  }
  return groups
}

/** Two grasps in a row: how often the sum of what the bin lost is nearest to the sum of the two outcomes. */
function sums(pairs: readonly Pair[], rng: Rng): { readonly other: number; readonly swapped: number } {
  let [other, swapped, all] = [0, 0, 0]
  for (const [i, first] of pairs.entries()) {
    const second = pairs[i + 1]
    if (second?.lift.episode !== first.lift.episode || second.lift.time !== first.lift.time + 1) continue
    const gone = plus(first.gone, second.gone)
    const own = [first.lift.instance, second.lift.instance]
    const strangers = pairs.filter(({ lift }) => !own.includes(lift.instance))
    const stranger = strangers[rng.int(strangers.length)]!
    const right = cosine(gone, plus(first.held, second.held))
    if (right > cosine(gone, stranger.held)) other++
    if (right > cosine(gone, plus(first.held, stranger.held))) swapped++
    all++
  }
  return { other: other / all, swapped: swapped / all }
}

/** Where phi_o of a picture from another grasp is hottest in full bins: near the object asked for, and on it. */
async function localisation(
  encoder: Encoder,
  { episodes, instanceMaps }: GraspRecording,
  pairs: readonly Pair[],
  rng: Rng,
): Promise<{ readonly near: number; readonly on: number }> {
  const groups = byInstance(pairs)
  let [near, on, all] = [0, 0, 0]
  for (const [e, episode] of episodes.entries()) {
    const places = await encoder.spatialMap!({ frames: frameOf(episode, SCENE, 0), count: 1 })
    const instances = instanceMaps[e]!
    for (let slot = 0; slot < GRASPS; slot++) {
      const instance = episode.state[slot * SLOT_SIZE]!
      const views = (groups.get(instance) ?? []).filter(({ lift }) => lift.episode !== e)
      if (views.length === 0) continue
      const pixel = hottestPixel(heatMap(places, views[rng.int(views.length)]!.held), places.shape, CELL)
      if (instances[pixel.row * pixel.width + pixel.column] === instance) on++
      if (isNear(instances, instance, pixel)) near++
      all++
    }
  }
  return { near: near / all, on: on / all }
}

/** Pixels between places of the map, and the pixel in the middle of the first one. */
export const CELL = { pixels: 4, middle: 3 }

/** Inner products of places [1, rows, columns, D] with a goal [D], row by row. */
export function heatMap(
  { data, shape }: { data: Float32Array; shape: readonly number[] },
  goal: Float32Array,
): Float32Array {
  const [, rows, columns, size] = shape as [number, number, number, number]
  return Float32Array.from({ length: rows * columns }, (_, at) => dot(data.subarray(at * size, (at + 1) * size), goal))
}

interface Pixel {
  readonly row: number
  readonly column: number
  readonly width: number
}

function hottestPixel(heat: Float32Array, [, , columns]: readonly number[], { pixels, middle }: typeof CELL): Pixel {
  const at = heat.indexOf(Math.max(...heat))
  const [row, column] = [Math.floor(at / columns!), at % columns!]
  return { row: row * pixels + middle, column: column * pixels + middle, width: columns! * pixels }
}

/** Whether a pixel of `instance` lies within one place, in both directions, of `pixel`. */
function isNear(instances: Int16Array, instance: number, { row, column, width }: Pixel): boolean {
  return instances.some(
    (value, at) =>
      value === instance &&
      Math.abs(Math.floor(at / width) - row) <= CELL.pixels &&
      Math.abs((at % width) - column) <= CELL.pixels,
  )
}
