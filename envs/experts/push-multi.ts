import { ACTION_M } from '../tasks/push-multi.ts'
import { ARENA, HAND, HAND_BOX, LARGEST_FOOTPRINT_M } from '../tasks/push-multi-layout.ts'
import type { Expert } from './expert.ts'
import type { Disc } from './grid-path.ts'
import { nextOnPath } from './grid-path.ts'
import type { Point } from './steer.ts'
import { steer } from './steer.ts'

/** Sizes are not in the state, so it reckons with the largest. */
const TOUCH_M = HAND.radiusM + LARGEST_FOOTPRINT_M
const CLEAR_M = TOUCH_M + 0.012
/** Where the centre of an object can go. */
const OBJECT_SPACE: readonly [number, number] = [ARENA[0] - 0.035, ARENA[1] - 0.035]
/** An object is pushed until it is this near to its goal, but not taken up again for less than `GOOD_M`. */
const DONE_M = 0.012
const GOOD_M = 0.028

/** After so many steps without an object getting 1 cm nearer it is another's turn. */
const PATIENCE_STEPS = 35
const PROGRESS_M = 0.01
/** The hand keeps to a way point until it is this near, or for so many steps. */
const ARRIVED_M = 0.012
const KEEP_STEPS = 8
/** Where the place behind an object is taken, it is pushed in another direction for a while. */
const TURNS: readonly number[] = [0, 0.4, -0.4, 0.8, -0.8, 1.2, -1.2, 1.6, -1.6]

/**
 * Solves the multi-object push task: takes one object after another, the nearest whose goal is free first, pushes it around the others
 * to its goal from behind, and then walks to the hand's goal. Good for up to three; with five on the table it often runs out of time.
 */
export function pushMultiExpert(): Expert {
  const turns = new Turns()
  const walker = new Walker()
  const action = new Float32Array(2)
  return ({ state }, goal) => {
    const [hand, ...objects] = points(state)
    const [handGoal, ...goals] = points(goal!)
    let index = turns.next(hand!, objects, goals)
    let push = index < 0 ? undefined : pushOn(hand!, objects, index, goals[index]!)
    if (push?.isTouching === false && distance(objects[index]!, goals[index]!) < GOOD_M) {
      index = turns.pass(hand!, objects, goals)
      push = index < 0 ? undefined : pushOn(hand!, objects, index, goals[index]!)
    }
    let to = push?.to
    if (push === undefined) to = walker.towards(hand!, handGoal!, discs(objects, TOUCH_M))
    else if (!push.isTouching) to = walker.towards(hand!, push.to, discs(objects, TOUCH_M))
    else walker.forget()
    return steer(action, hand!, to!, ACTION_M)
  }
}

/** Which object's turn it is. */
class Turns {
  #current = -1
  #nearest = Infinity
  #waited = 0

  /** Index of the object to push, or -1 when all are where they should be. */
  next(hand: Point, objects: readonly Point[], goals: readonly Point[]): number {
    const away = this.#current < 0 ? 0 : distance(objects[this.#current]!, goals[this.#current]!)
    this.#waited++
    if (away < this.#nearest - PROGRESS_M) {
      this.#nearest = away
      this.#waited = 0
    }
    return away < DONE_M || this.#waited > PATIENCE_STEPS ? this.pass(hand, objects, goals) : this.#current
  }

  /** As `next`, for another object than now. */
  pass(hand: Point, objects: readonly Point[], goals: readonly Point[]): number {
    this.#current = choose(hand, objects, goals, this.#current)
    this.#nearest = Infinity
    this.#waited = 0
    return this.#current
  }
}

/** Walks the hand around objects, and does not change its mind at every step. */
class Walker {
  #point: Point | undefined
  #steps = 0

  towards(hand: Point, to: Point, obstacles: readonly Disc[]): Point {
    if (this.#point === undefined || ++this.#steps > KEEP_STEPS || distance(hand, this.#point) < ARRIVED_M) {
      this.#point = nextOnPath(hand, to, obstacles, HAND_BOX) ?? to
      this.#steps = 0
    }
    return this.#point
  }

  forget(): void {
    this.#point = undefined
  }
}

/** The object to push next, if possible not `last`; or -1 when all are where they should be. */
function choose(hand: Point, objects: readonly Point[], goals: readonly Point[], last: number): number {
  const away = objects.map((_, i) => i).filter((i) => distance(objects[i]!, goals[i]!) > GOOD_M)
  const isGoalFree = (i: number): boolean =>
    objects.every((object, k) => k === i || distance(object, goals[i]!) > 2 * LARGEST_FOOTPRINT_M)
  const others = away.filter((i) => i !== last)
  const ready = others.filter(isGoalFree)
  const nearestFirst = (ready.length > 0 ? ready : others.length > 0 ? others : away).toSorted(
    (i, k) => distance(hand, objects[i]!) - distance(hand, objects[k]!),
  )
  return nearestFirst[0] ?? -1
}

/** Where the hand should go to bring object `index` nearer to `goal`: on, when it is behind it, or else to the place behind it. */
function pushOn(
  hand: Point,
  objects: readonly Point[],
  index: number,
  goal: Point,
): { readonly to: Point; readonly isTouching: boolean } {
  const object = objects[index]!
  const others = objects.filter((_, i) => i !== index)
  const way = nextOnPath(object, goal, discs(others, 2 * LARGEST_FOOTPRINT_M), OBJECT_SPACE) ?? goal
  const away = distance(object, way)
  const along = freeDirection(object, Math.atan2(way[1] - object[1], way[0] - object[0]), others)
  const fromObject: Point = [hand[0] - object[0], hand[1] - object[1]]
  const behind = -(fromObject[0] * along[0] + fromObject[1] * along[1])
  const aside = fromObject[0] * -along[1] + fromObject[1] * along[0]
  const isTouching = behind > TOUCH_M * 0.6 && Math.abs(aside) < 0.014 && Math.hypot(...fromObject) < CLEAR_M + 0.012
  if (!isTouching) return { to: [object[0] - along[0] * CLEAR_M, object[1] - along[1] * CLEAR_M], isTouching }
  // Where it will touch is not known exactly: short steps near the end.
  const advance = Math.min(ACTION_M, Math.max(behind - TOUCH_M, 0) + Math.max(0.005, away * 0.8))
  const to: Point = [
    hand[0] + along[0] * advance + along[1] * aside * 1.5,
    hand[1] + along[1] * advance - along[0] * aside * 1.5,
  ]
  return { to, isTouching }
}

/** The direction nearest to `angle` in which nothing is in the hand's place behind the object. */
function freeDirection(object: Point, angle: number, others: readonly Point[]): Point {
  const directions = TURNS.map((turn): Point => [Math.cos(angle + turn), Math.sin(angle + turn)])
  const free = directions.find((along) => {
    const place: Point = [object[0] - along[0] * CLEAR_M, object[1] - along[1] * CLEAR_M]
    const isInside = Math.abs(place[0]) < HAND_BOX[0] && Math.abs(place[1]) < HAND_BOX[1]
    return isInside && others.every((other) => distance(place, other) > TOUCH_M)
  })
  return free ?? directions[0]!
}

function points(flat: Float32Array): Point[] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
}

function discs(centers: readonly Point[], radiusM: number): Disc[] {
  return centers.map((center) => ({ center, radiusM }))
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1])
}
