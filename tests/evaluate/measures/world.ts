import { Rng } from '../../../src/core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'

/** Frames of an episode. */
export const LENGTH = 21
const CLASSES = ['scripted', 'partial', 'random', 'adversarial'] as const

/**
 * A point on a table with one of two objects: state (x, y, 3 * object). Experts go from near (0, 0) straight to where
 * 6 cm are left to their goal near (1, 0); partial ones stop half-way; random ones wander; adversarial ones go just as straight to (0, 1).
 */
export function pointEpisodes(perClass: number, rng: Rng): EmbeddedEpisode[] {
  return CLASSES.flatMap((name, c) =>
    Array.from({ length: perClass }, (_, i) => pointEpisode(c * perClass + i, name, rng.split(`${name}/${i}`))),
  )
}

function pointEpisode(index: number, name: (typeof CLASSES)[number], rng: Rng): EmbeddedEpisode {
  const object = index % 2
  const jitter = (): number => rng.uniform(-0.01, 0.01)
  const start = [jitter(), jitter()] as const
  const goal = Float32Array.of(1 + jitter(), jitter(), 3 * object)
  const target = {
    scripted: [0.94 * goal[0]!, goal[1]!],
    partial: [0.5 * goal[0]!, goal[1]!],
    random: [0, 0],
    adversarial: [jitter(), 1],
  }[name]
  const states = new Float32Array(LENGTH * 3)
  let [x, y] = name === 'random' ? [rng.uniform(), rng.uniform()] : start
  for (let t = 0; t < LENGTH; t++) {
    if (name === 'random') {
      if (t > 0) [x, y] = [x + 0.05 * rng.normal(), y + 0.05 * rng.normal()]
    } else {
      const part = t / (LENGTH - 1)
      ;[x, y] = [start[0] + part * (target[0]! - start[0]), start[1] + part * (target[1]! - start[1])]
    }
    states.set([x, y, 3 * object], t * 3)
  }
  const goalDistances = Float32Array.from({ length: LENGTH }, (_, t) =>
    euclidean(states.subarray(t * 3, t * 3 + 3), goal),
  )
  return {
    index,
    class: name,
    length: LENGTH,
    embeddings: states,
    states,
    goal,
    goalDistances,
    actions: Float32Array.from(
      { length: (LENGTH - 1) * 2 },
      (_, i) => states[((i >> 1) + 1) * 3 + (i % 2)]! - states[(i >> 1) * 3 + (i % 2)]!,
    ),
    trueRewards: goalDistances.slice(1).map((d) => -d),
    success: name === 'scripted',
    objects: [object],
    nuisances: { light: String(rng.int(3)) },
  }
}

export function euclidean(a: Float32Array, b: Float32Array): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!))
}

/** All episodes as an encoder `embed` sees them; it is told the frame's time as well, which a real one must not know. */
export function embedWith(
  episodes: readonly EmbeddedEpisode[],
  embed: (state: Float32Array, time: number) => readonly number[],
): EmbeddedEpisodes {
  const embedAll = (states: Float32Array): Float32Array =>
    Float32Array.from(
      Array.from({ length: states.length / 3 }, (_, t) => embed(states.subarray(t * 3, t * 3 + 3), t)).flat(),
    )
  const embedded = episodes.map((episode) => {
    const embeddings = embedAll(episode.states!)
    const goal = embed(episode.goal!, LENGTH - 1)
    return {
      ...episode,
      embeddings,
      goals: Float32Array.from([...goal, ...goal]),
      views: { wrist: embeddings },
      looks: { light: embeddings },
    }
  })
  return {
    episodes: embedded,
    embeddingSize: embed(episodes[0]!.goal!, 0).length,
    stateNames: ['x', 'y', 'object'],
    stateDistance: euclidean,
    goalDistance: euclidean,
  }
}

/** Twice each coordinate, turned round, and one that adds nothing. */
export function perfect(state: Float32Array): number[] {
  return [2 * state[1]!, -2 * state[0]!, 2 * state[2]!, 1]
}

export function clock(_: Float32Array, time: number): number[] {
  return [time / (LENGTH - 1)]
}
