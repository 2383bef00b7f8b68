import type { Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { CameraSpec } from '../camera/camera.ts'
import type { Primitive, Rgb, Scene, TextureSpec } from '../camera/scene.ts'
import type { OptionReader } from '../options.ts'
import { integer, quantity, section } from '../options.ts'
import type { Task } from '../task.ts'

/**
 * The option `randomize` of every scene: what differs from episode to episode. Strengths of 0 are off; at 1 the ranges of camera,
 * light, mass and friction are robosuite's defaults.
 */
export interface RandomizeOptions {
  /** Turns hues by up to 36 degrees around the grey axis; things of one colour turn alike. */
  readonly hue?: number
  /** Draws pattern, second colour and scale (half to double) of everything patterned and of still planes. */
  readonly texture?: number
  /** Turns the light by up to 0.35 rad and changes the ambient share by up to 0.1. */
  readonly light?: number
  /** Moves observation cameras by up to 1 cm along each axis, turns them by up to 0.087 rad and changes their fov by up to 5 degrees. */
  readonly camera?: number
  /** Scales masses, by up to 2 %. */
  readonly mass?: number
  /** Scales frictions, by up to 10 %. */
  readonly friction?: number
  /** Actions arrive late, by a number of control steps drawn from 0 to this. */
  readonly actionDelay?: number
  /** Standard deviation of Gaussian noise on actions, whose range is [-1, 1]. */
  readonly actionNoise?: number
}

const strength = quantity(0, 5)

/** See {@link RandomizeOptions}. */
export const randomizeOption: OptionReader<RandomizeOptions> = section({
  hue: strength,
  texture: strength,
  light: strength,
  camera: strength,
  mass: strength,
  friction: strength,
  actionDelay: integer(0, 100),
  actionNoise: quantity(0, 2),
})

const HUE_RAD = Math.PI / 5
const LIGHT_RAD = 0.35
const AMBIENT = 0.1
const CAMERA_M = 0.01
const CAMERA_RAD = 0.087
const CAMERA_FOV_DEG = 5
const MASS = 0.02
const FRICTION = 0.1
const TEXTURE_RGB = 60
const TEXTURE_KINDS = ['checker', 'stripes', 'noise', 'wood'] as const
const DEFAULT_SCALE_M = 0.1
/** The light comes from above, or shadows would be endless. */
const LOWEST_LIGHT = 0.3

type Vector = readonly [number, number, number]

/**
 * Draws how one episode looks and behaves. Each kind draws from a stream of its own, so switching one on changes nothing of the
 * others; all follow from the `Rng` that `draw` is given.
 */
export class Randomizer {
  readonly #options: RandomizeOptions
  readonly #task: Task
  readonly #cameras: ReadonlyMap<string, CameraSpec>
  readonly #textures: readonly (TextureSpec | undefined)[]
  #current = new Map<string, CameraSpec>()
  #rng: Rng | undefined
  #info: Record<string, number> = {}

  /** @throws ArmatureError `bad-argument` for masses or frictions of a task that has none. */
  constructor(options: RandomizeOptions, task: Task, cameras: ReadonlyMap<string, CameraSpec>) {
    for (const kind of ['mass', 'friction'] as const) {
      const isScaled = task.scaleDynamics !== undefined && task.scales?.includes(kind) !== false
      if (!isOn(options[kind]) || isScaled) continue
      throw new ArmatureError('bad-argument', `${task.spec.id} option randomize`, {
        got: `${kind}, which this scene cannot vary`,
      })
    }
    this.#options = options
    this.#task = task
    this.#cameras = cameras
    this.#textures = task.scene.primitives.map(({ texture }) => texture)
  }

  /** What was drawn: `random_light_x` and the like. */
  get info(): Info {
    return this.#info
  }

  /** Draws an episode; before the task's reset or restore, which may set colours of its own. */
  draw(rng: Rng): void {
    this.#rng = rng
    this.#info = {}
    for (const [i, primitive] of this.#task.scene.primitives.entries()) {
      primitive.color.set(primitive.spec.color)
      primitive.texture = this.#textures[i]
    }
    this.#drawDynamics(rng)
    if (isOn(this.#options.light)) this.#drawLight(rng.split('light'), this.#options.light)
    if (isOn(this.#options.camera)) this.#drawCameras(rng, this.#options.camera)
  }

  /** Changes colours and textures; after the task's reset or restore. */
  dress(): void {
    const { hue, texture } = this.#options
    // Second colours are drawn beside the first ones, and then both turn.
    if (isOn(texture)) this.#drawTextures(this.#rng!, texture)
    if (isOn(hue)) this.#turnHues(this.#rng!, hue)
  }

  /** Where the camera is in this episode. */
  camera(name: string): CameraSpec | undefined {
    return this.#current.get(name) ?? this.#cameras.get(name)
  }

  #drawDynamics(rng: Rng): void {
    const { mass, friction } = this.#options
    if (!isOn(mass) && !isOn(friction)) return
    const massScale = isOn(mass) ? 1 + spread(rng.split('mass'), MASS * mass) : 1
    const frictionScale = isOn(friction) ? 1 + spread(rng.split('friction'), FRICTION * friction) : 1
    this.#task.scaleDynamics!(massScale, frictionScale)
    if (isOn(mass)) this.#info['random_mass_scale'] = massScale
    if (isOn(friction)) this.#info['random_friction_scale'] = frictionScale
  }

  #drawLight(rng: Rng, amount: number): void {
    const { scene } = this.#task
    const { lightDirection, ambient } = scene.spec
    const length = Math.hypot(...lightDirection)
    const lowest = Math.min(LOWEST_LIGHT, lightDirection[2] / length)
    const [x, y, z] = turn(lightDirection, drawAxis(rng), spread(rng, LIGHT_RAD * amount))
    scene.setLight(x / length, y / length, Math.max(lowest, z / length))
    scene.ambient = clamp(ambient + spread(rng, AMBIENT * amount), 0.1, 0.95)
    this.#info['random_light_x'] = scene.light[0]!
    this.#info['random_light_y'] = scene.light[1]!
    this.#info['random_light_z'] = scene.light[2]!
    this.#info['random_light_ambient'] = scene.ambient
  }

  #drawCameras(rng: Rng, amount: number): void {
    for (const [name, camera] of this.#cameras) {
      if (camera.showsHidden === true) continue
      const stream = rng.split(`camera/${name}`)
      const shift = [0, 1, 2].map(() => spread(stream, CAMERA_M * amount)) as unknown as Vector
      const [axis, angle] = [drawAxis(stream), spread(stream, CAMERA_RAD * amount)]
      const fovYDeg = clamp(camera.fovYDeg + spread(stream, CAMERA_FOV_DEG * amount), 1, 170)
      this.#current.set(name, { ...moved(camera, shift, axis, angle), fovYDeg })
      const key = `random_camera_${name}`
      for (const [i, letter] of ['x', 'y', 'z'].entries()) this.#info[`${key}_d${letter}_m`] = shift[i]!
      this.#info[`${key}_turn_rad`] = angle
      this.#info[`${key}_fov_deg`] = fovYDeg
    }
  }

  #turnHues(rng: Rng, amount: number): void {
    const angles = new Map<string, number>()
    for (const primitive of shown(this.#task.scene)) {
      const key = primitive.spec.color.join('/')
      const isNew = !angles.has(key)
      const angle = angles.get(key) ?? spread(rng.split(`hue/${key}`), HUE_RAD * amount)
      angles.set(key, angle)
      primitive.color.set(turnHue([...primitive.color] as unknown as Vector, angle))
      const { texture } = primitive
      if (texture !== undefined) primitive.texture = { ...texture, color: turnHue(texture.color, angle) }
      if (isNew) this.#info[`random_hue_${keyOf(primitive)}_rad`] = angle
    }
  }

  #drawTextures(rng: Rng, amount: number): void {
    for (const primitive of shown(this.#task.scene)) {
      const { texture, spec, color } = primitive
      if (texture === undefined && !(spec.isStatic === true && spec.shape.kind === 'plane')) continue
      const stream = rng.split(`texture/${spec.name}`)
      const kind = stream.int(TEXTURE_KINDS.length)
      const scaleM = (texture?.scaleM ?? DEFAULT_SCALE_M) * 2 ** spread(stream, Math.min(1, amount))
      const second = [0, 1, 2].map((c) => clamp(color[c]! + spread(stream, TEXTURE_RGB * amount), 0, 255))
      primitive.texture = { kind: TEXTURE_KINDS[kind]!, color: second as unknown as Rgb, scaleM }
      this.#info[`random_texture_${keyOf(primitive)}_kind`] = kind
      this.#info[`random_texture_${keyOf(primitive)}_scale_m`] = scaleM
      for (const [c, letter] of ['red', 'green', 'blue'].entries()) {
        this.#info[`random_texture_${keyOf(primitive)}_${letter}`] = second[c]!
      }
    }
  }
}

/** Whether anything is to be varied but the way that actions take. */
export function variesScene({ hue, texture, light, camera, mass, friction }: RandomizeOptions): boolean {
  return [hue, texture, light, camera, mass, friction].some(isOn)
}

function isOn(amount: number | undefined): amount is number {
  return amount !== undefined && amount > 0
}

function shown({ primitives }: Scene): Primitive[] {
  return primitives.filter(({ spec }) => spec.visibleToCameras !== false)
}

function keyOf({ spec }: Primitive): string {
  return spec.name.replaceAll('-', '_')
}

/** Uniform within `limit` of zero. */
function spread(rng: Rng, limit: number): number {
  return rng.uniform(-limit, limit)
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value))
}

/** Uniform on the unit sphere. */
function drawAxis(rng: Rng): Vector {
  const [x, y, z] = [rng.normal(), rng.normal(), rng.normal()]
  const length = Math.hypot(x, y, z)
  return [x / length, y / length, z / length]
}

/** `v` turned by `angle` about the unit vector `axis` (Rodrigues). */
function turn([x, y, z]: Vector, [ax, ay, az]: Vector, angle: number): Vector {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const along = (ax * x + ay * y + az * z) * (1 - c)
  return [
    x * c + (ay * z - az * y) * s + ax * along,
    y * c + (az * x - ax * z) * s + ay * along,
    z * c + (ax * y - ay * x) * s + az * along,
  ]
}

const GREY_AXIS: Vector = [1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)]

/** Greys stay; what leaves the cube of colours is cut off. */
function turnHue(color: Rgb, angle: number): Rgb {
  return turn(color, GREY_AXIS, angle).map((value) => clamp(value, 0, 255)) as unknown as Rgb
}

/** `camera` shifted, then turned about its own place. */
function moved(camera: CameraSpec, shift: Vector, axis: Vector, angle: number): CameraSpec {
  const { eyeM, targetM, up = [0, 0, 1] } = camera
  const forward = turn([targetM[0] - eyeM[0], targetM[1] - eyeM[1], targetM[2] - eyeM[2]], axis, angle)
  const eye: Vector = [eyeM[0] + shift[0], eyeM[1] + shift[1], eyeM[2] + shift[2]]
  return {
    ...camera,
    eyeM: eye,
    targetM: [eye[0] + forward[0], eye[1] + forward[1], eye[2] + forward[2]],
    up: turn(up, axis, angle),
  }
}
