/** A Markov decision process small enough to know its bisimulation metric exactly, seen through pictures. */
import type { EpisodeData } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'
import type { Recording } from './laboratory.ts'

/** States lie on a grid of so many places a side. */
const GRID = 4
const CELL_PX = 8
const SIDE_PX = GRID * CELL_PX
export const STATES: number = GRID * GRID

/** States 0 to 15 under one policy: where each leads, and what is paid on arrival in each. */
export interface SmallMdp {
  readonly next: Int32Array
  /** In [0, 1]. */
  readonly rewards: Float64Array
}

/** All states in one random cycle, with random rewards. */
export function drawMdp(rng: Rng): SmallMdp {
  const order = rng.shuffle([...Array(STATES).keys()])
  const next = new Int32Array(STATES)
  order.forEach((state, i) => (next[state] = order[(i + 1) % STATES]!))
  return { next, rewards: Float64Array.from({ length: STATES }, () => rng.uniform(0, 1)) }
}

/**
 * The bisimulation metric of the policy, [STATES, STATES], by iteration to its fixed point (Ferns et al. 2004; of a policy: Castro 2020):
 * d(s, t) = rewardWeight |r(s') - r(t')| + gamma d(s', t'), as the Wasserstein distance of two certain successors is their distance.
 */
export function bisimulationMetric({ next, rewards }: SmallMdp, rewardWeight: number, gamma: number): Float64Array {
  let metric = new Float64Array(STATES * STATES)
  for (let change = Infinity; change > 1e-9;) {
    const previous = metric
    metric = previous.map((_, pair) => {
      const [s, t] = [next[Math.floor(pair / STATES)]!, next[pair % STATES]!]
      return rewardWeight * Math.abs(rewards[s]! - rewards[t]!) + gamma * previous[s * STATES + t]!
    })
    change = Math.max(...metric.map((value, pair) => Math.abs(value - previous[pair]!)))
  }
  return metric
}

/** Picture of a state: its place is bright, all else is noise that is new each time. */
export function paintState(state: number, rng: Rng): Uint8Array {
  const image = new Uint8Array(SIDE_PX * SIDE_PX * 3)
  const [top, left] = [Math.floor(state / GRID) * CELL_PX, (state % GRID) * CELL_PX]
  for (let y = 0; y < SIDE_PX; y++) {
    for (let x = 0; x < SIDE_PX; x++) {
      const isInside = y >= top + 1 && y < top + CELL_PX - 1 && x >= left + 1 && x < left + CELL_PX - 1
      image.fill(isInside ? 255 : rng.int(100), (y * SIDE_PX + x) * 3, (y * SIDE_PX + x + 1) * 3)
    }
  }
  return image
}

/** Episodes of the policy from random states. Actions say nothing, as the policy has but one in each state. */
export function recordMdp(mdp: SmallMdp, episodes: number, length: number, rng: Rng): Recording {
  const record = (index: number): EpisodeData => {
    const states = [rng.int(STATES)]
    while (states.length < length) states.push(mdp.next[states.at(-1)!]!)
    const frame = SIDE_PX * SIDE_PX * 3
    const images = new Uint8Array(length * frame)
    states.forEach((state, time) => images.set(paintState(state, rng), time * frame))
    return {
      info: { index, length, terminated: false, policy: 'fixed', objects: [] },
      images: { front: images },
      proprio: new Float32Array(0),
      state: Float32Array.from(states),
      actions: new Float32Array(length - 1),
      rewards: Float32Array.from(states.slice(1), (state) => mdp.rewards[state]!),
    }
  }
  const spec = {
    source: 'small-mdp',
    fps: 1,
    cameras: { front: imageSpace(SIDE_PX, SIDE_PX) },
    actionSpace: boxSpace([1], -1, 1),
    proprioSpace: boxSpace([0], 0, 0),
    stateSpace: boxSpace([1], 0, STATES - 1, ['state']),
  }
  return { spec, episodes: Array.from({ length: episodes }, (_, index) => record(index)) }
}
