import { z } from 'zod'
import { ArmatureError, nearestNames } from '../../src/core/errors.ts'
import type { ActionKind, RobotSpec } from '../../src/core/robot.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { bound } from '../../src/core/spaces.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { Json } from '../protocol/schema.ts'

const positive = z.number().positive()

const elementSchema = z.strictObject({
  /** Of the element in the robot's action space, with its unit, e.g. `panda_joint1_rad`; all limits are in that unit and seconds. */
  name: z.string().min(1),
  /** null: without a bound. */
  min: z
    .number()
    .nullable()
    .transform((min) => min ?? -Infinity),
  max: z
    .number()
    .nullable()
    .transform((max) => max ?? Infinity),
  /** Actions between the margin and `min` or `max` are clamped to the margin; those beyond `min` and `max` are refused. */
  softMargin: z.number().nonnegative().default(0),
  /** Per second; of position actions only. */
  maxVelocity: positive.optional(),
  /** Per second squared. */
  maxAcceleration: positive.optional(),
  /** Per second cubed. */
  maxJerk: positive.optional(),
  /** From one action to the next. */
  maxStep: positive.optional(),
  /** Of a position action from the measured position; actions are clamped to it, as far as braking allows. */
  maxLead: positive.optional(),
  /** Of the first position action from the measured position; an action further away is refused as too far. */
  startTolerance: positive.optional(),
  /** A gripper does not take part in the scaling of vectors. */
  isGripper: z.boolean().default(false),
  /** Of a gripper, for its driver: the bridge sends no forces. */
  maxForceN: positive.optional(),
})

/**
 * A limits file: what a robot may be told, whatever the policy says. Unknown keys are refused. `vector` scales all joints by the worst one,
 * so that the direction stays where the limits allow; `per-joint` limits each alone.
 */
const limitsSchema: z.ZodType<LimitProfile> = z.strictObject({
  name: z.string().min(1),
  /** Where the numbers come from. */
  about: z.string().optional(),
  actionKind: z.enum(['position', 'velocity']),
  mode: z.enum(['vector', 'per-joint']).default('vector'),
  elements: z.array(elementSchema).min(1),
})

/** Limits of one element of an action; see the limits file. */
export interface ElementLimits {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly softMargin: number
  readonly maxVelocity?: number | undefined
  readonly maxAcceleration?: number | undefined
  readonly maxJerk?: number | undefined
  readonly maxStep?: number | undefined
  readonly maxLead?: number | undefined
  readonly startTolerance?: number | undefined
  readonly isGripper: boolean
  readonly maxForceN?: number | undefined
}

/** What a limits file says, with its defaults filled in. */
export interface LimitProfile {
  readonly name: string
  readonly about?: string | undefined
  readonly actionKind: ActionKind
  readonly mode: 'vector' | 'per-joint'
  readonly elements: readonly ElementLimits[]
}

/** Keys of each object in a limits file, for hints. */
const KEYS = {
  file: ['name', 'about', 'actionKind', 'mode', 'elements'],
  element: Object.keys(elementSchema.shape),
}

/**
 * The limits in `json`, the parsed content of a limits file.
 * @param what names it in errors, e.g. its path
 * @param robot whose action space the limits must fit: the same names in the same order, and no more than it allows
 * @throws ArmatureError `bad-config` with the place, what was wrong and, for an unknown key, the nearest ones.
 */
export function loadLimits(
  json: unknown,
  what = 'limits',
  robot?: Pick<RobotSpec, 'name' | 'actionSpace' | 'actionKind'>,
): LimitProfile {
  const parsed = limitsSchema.safeParse(json)
  if (!parsed.success) throw schemaError(parsed.error, what)
  checkSense(parsed.data, what)
  if (robot !== undefined) checkFits(parsed.data, robot, what)
  return parsed.data
}

/** Only the box of `space`: actions inside it pass unchanged. */
export function unlimited({ shape, low, high, names }: BoxSpace, actionKind: ActionKind): LimitProfile {
  const elements = Array.from({ length: sizeOf(shape) }, (_, i) => ({
    name: names?.[i] ?? String(i),
    min: bound(low, i),
    max: bound(high, i),
    softMargin: 0,
    isGripper: false,
  }))
  return { name: 'unlimited', actionKind, mode: 'per-joint', elements }
}

/** A profile as JSON, which has no infinity: what {@link loadLimits} reads. */
export function limitsJson({ elements, ...rest }: LimitProfile): Json {
  const bounds = ({ min, max }: ElementLimits): Json => ({
    min: Number.isFinite(min) ? min : null,
    max: Number.isFinite(max) ? max : null,
  })
  const plain = elements.map((element) => ({ ...element, ...(bounds(element) as object) }))
  return JSON.parse(JSON.stringify({ ...rest, elements: plain })) as Json
}

/** Whether the limits start from where the robot is: such a robot must show what its actions set. */
export function needsPose({ actionKind, elements }: LimitProfile): boolean {
  const keys = ['maxVelocity', 'maxStep', 'maxLead', 'startTolerance'] as const
  return actionKind === 'position' && elements.some((element) => keys.some((key) => element[key] !== undefined))
}

function schemaError({ issues }: z.ZodError, what: string): ArmatureError {
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys')
  if (unknown !== undefined) {
    const key = unknown.keys[0]!
    const known = unknown.path.length === 0 ? KEYS.file : KEYS.element
    const near = nearestNames(key, known)
    return new ArmatureError('bad-config', `${what}: unknown key ${[...unknown.path, key].join('.')}`, {
      fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there is ${known.join(', ')}`,
    })
  }
  const { path, message } = issues[0]!
  return new ArmatureError('bad-config', `${what}: ${path.join('.') || 'the file'}`, {
    expected: message.replace(/^(Too big|Too small|Invalid \w+( \w+)?)[:.] /, '').replace(/^expected /i, ''),
  })
}

/** What the shape of the file cannot say. */
function checkSense({ actionKind, elements }: LimitProfile, what: string): void {
  elements.forEach((element, i) => {
    const { min, max, softMargin, maxVelocity, maxAcceleration, maxJerk, isGripper, maxForceN } = element
    const wrong = (key: string, expected: string, got: string): never => {
      throw new ArmatureError('bad-config', `${what}: elements.${i}.${key} (${element.name})`, { expected, got })
    }
    if (elements.findIndex(({ name }) => name === element.name) !== i) wrong('name', 'names that differ', element.name)
    if (!(min + softMargin < max - softMargin)) wrong('max', 'more than min and two margins', String(max))
    if (maxJerk !== undefined && maxAcceleration === undefined) wrong('maxJerk', 'maxAcceleration beside it', 'none')
    if (maxForceN !== undefined && !isGripper) wrong('maxForceN', 'a gripper', 'isGripper false')
    if (actionKind === 'position') {
      if (maxAcceleration !== undefined && maxVelocity === undefined) {
        wrong('maxAcceleration', 'maxVelocity beside it', 'none')
      }
      return
    }
    if (min + softMargin > 0 || max - softMargin < 0)
      wrong('min', 'rest, a velocity of 0, to be allowed', `${min} to ${max}`)
    for (const key of ['maxVelocity', 'maxLead', 'startTolerance'] as const) {
      if (element[key] !== undefined) wrong(key, 'position actions (min and max bound a velocity)', actionKind)
    }
  })
}

function checkFits(
  { actionKind, elements }: LimitProfile,
  robot: Pick<RobotSpec, 'name' | 'actionSpace' | 'actionKind'>,
  what: string,
): void {
  const { low, high, names, shape } = robot.actionSpace
  const wrong = (place: string, expected: string, got: string): never => {
    throw new ArmatureError('bad-config', `${what}: ${place}`, { expected: `${expected} of ${robot.name}`, got })
  }
  if (actionKind !== robot.actionKind) wrong('actionKind', `${robot.actionKind}, that`, actionKind)
  if (elements.length !== sizeOf(shape)) wrong('elements', `the ${sizeOf(shape)} actions`, `${elements.length}`)
  elements.forEach(({ name, min, max }, i) => {
    const expected = names?.[i]
    if (expected !== undefined && name !== expected) wrong(`elements.${i}.name`, `${expected}, action ${i}`, name)
    if (min < bound(low, i)) wrong(`elements.${i}.min`, `at least ${bound(low, i)}, the lower end`, String(min))
    if (max > bound(high, i)) wrong(`elements.${i}.max`, `at most ${bound(high, i)}, the upper end`, String(max))
  })
}
