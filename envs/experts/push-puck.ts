import { HAND, PUCK } from '../tasks/push-puck-layout.ts'
import type { Expert } from './expert.ts'
import type { Point } from './steer.ts'
import { steer } from './steer.ts'

const TOUCH_M = HAND.radiusM + PUCK.radiusM
const CLEAR_M = TOUCH_M + 0.012
const STEP_M = 0.02
const PUCK_DONE_M = 0.012

/** Solves the push task: walks around the puck to the side away from its goal, pushes it there in a line, and walks to the hand's goal. */
export function pushPuckExpert(): Expert {
  const action = new Float32Array(2)
  return ({ state }, goal) => steer(action, state, nextPoint(state, goal!), STEP_M)
}

/** Where the hand should go now, for `state` and `goal` ([hand xy, puck xy]). */
function nextPoint(state: Float32Array, goal: Float32Array): Point {
  const hand: Point = [state[0]!, state[1]!]
  const puck: Point = [state[2]!, state[3]!]
  const toGoal: Point = [goal[2]! - puck[0], goal[3]! - puck[1]]
  const away = Math.hypot(...toGoal)
  if (away < PUCK_DONE_M) return walkAround(hand, [goal[0]!, goal[1]!], puck)
  const along: Point = [toGoal[0] / away, toGoal[1] / away]
  const fromPuck: Point = [hand[0] - puck[0], hand[1] - puck[1]]
  const behind = -(fromPuck[0] * along[0] + fromPuck[1] * along[1])
  const aside = fromPuck[0] * -along[1] + fromPuck[1] * along[0]
  const isPushing = behind > TOUCH_M * 0.8 && Math.abs(aside) < 0.012 && Math.hypot(...fromPuck) < CLEAR_M + 0.01
  if (!isPushing) {
    const start: Point = [puck[0] - along[0] * CLEAR_M, puck[1] - along[1] * CLEAR_M]
    return walkAround(hand, start, puck)
  }
  const advance = Math.min(STEP_M, away + behind - TOUCH_M)
  return [hand[0] + along[0] * advance + along[1] * aside * 1.5, hand[1] + along[1] * advance - along[0] * aside * 1.5]
}

/** The next way point to `goal` that keeps off the puck: straight if the line is free, else along a circle about the puck. */
function walkAround(hand: Point, goal: Point, puck: Point): Point {
  const line: Point = [goal[0] - hand[0], goal[1] - hand[1]]
  const length = Math.hypot(...line)
  if (length < 1e-6) return goal
  const t = ((puck[0] - hand[0]) * line[0] + (puck[1] - hand[1]) * line[1]) / (length * length)
  const nearest: Point = [hand[0] + line[0] * t - puck[0], hand[1] + line[1] * t - puck[1]]
  if (t <= 0 || t >= 1 || Math.hypot(...nearest) > TOUCH_M + 0.006) return goal
  const from = Math.atan2(hand[1] - puck[1], hand[0] - puck[0])
  const to = Math.atan2(goal[1] - puck[1], goal[0] - puck[0])
  const turn = Math.atan2(Math.sin(to - from), Math.cos(to - from))
  const angle = from + Math.sign(turn) * Math.min(Math.abs(turn), 0.5)
  return [puck[0] + Math.cos(angle) * (CLEAR_M + 0.01), puck[1] + Math.sin(angle) * (CLEAR_M + 0.01)]
}
