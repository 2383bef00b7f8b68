import type { CameraSpec } from '../camera/camera.ts'
import type { OptionReader } from '../options.ts'
import { integer, quantity, section, vector } from '../options.ts'

/**
 * The option `mismatch` of every scene: how it differs, in every episode alike, from the one that a policy has learned in. Pictures of goals are
 * taken by the same cameras in the same light.
 */
export interface MismatchOptions {
  /** Actions arrive so many control steps late; zeros before the first. */
  readonly delaySteps?: number
  /** Shifts every camera for policies along the axes of the world, or of its carrier, and what it looks at with it. */
  readonly cameraShiftM?: readonly [number, number, number]
  /** Factor on the light of all sources, and so on each colour; what is brighter than white is white. */
  readonly light?: number
}

/** See {@link MismatchOptions}. */
export const mismatchOption: OptionReader<MismatchOptions> = section({
  delaySteps: integer(0, 100),
  cameraShiftM: vector,
  light: quantity(0, 10),
})

/** The camera where it is by mistake; cameras for people stay. */
export function shifted(camera: CameraSpec, { cameraShiftM }: MismatchOptions): CameraSpec {
  if (cameraShiftM === undefined || camera.showsHidden === true) return camera
  const [x, y, z] = cameraShiftM
  const moved = ([a, b, c]: CameraSpec['eyeM']): CameraSpec['eyeM'] => [a + x, b + y, c + z]
  return { ...camera, eyeM: moved(camera.eyeM), targetM: moved(camera.targetM) }
}

/** What makes a picture, RGB bytes, look as in other light, in place; undefined where the light is as it is. */
export function relighting({ light = 1 }: MismatchOptions): ((image: Uint8Array) => void) | undefined {
  if (light === 1) return undefined
  const levels = Uint8Array.from({ length: 256 }, (_, level) => Math.min(255, Math.round(level * light)))
  return (image) => {
    for (let i = 0; i < image.length; i++) image[i] = levels[image[i]!]!
  }
}
